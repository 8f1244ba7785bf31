/**
 * The slots of one shard, copied out of shared memory: what its repair works on. Under the shard's lock nobody else changes
 * them. A node's first repair runs code that has never run before, some thirty times slower than it will be, while others
 * wait for the lock: so the loops over all slots are flat, and over private memory.
 *
 * (M1) `states` follows what the repair does to a slot; the fields are those of the moment of `takeSlots`.
 */
import { checkOfArray } from '../../../lib/hash.js';
import type { Words } from '../../../lib/words.js';
import {
  type Geometry,
  Slot,
  STATE_BITS,
  STATE_DRAFT,
  STATE_FREE,
  STATE_MASK,
  STATE_RETIRED,
  STATE_SEALED,
} from '../layout/index.js';
import { CHECKED_FROM, CHECKED_WORDS, extentBytes, type Slots } from './slots.js';

const {
  state: STATE,
  check: CHECK,
  hashLow: HASH_LOW,
  hashHigh: HASH_HIGH,
  keyLength: KEY_LENGTH,
  metadataLength: METADATA_LENGTH,
  size: SIZE,
  extent: EXTENT,
  publishSequence: PUBLISH_SEQUENCE,
  flags: FLAGS,
  owner: OWNER,
  ownerIncarnation: OWNER_INCARNATION,
} = Slot.word;

export class SlotImage {
  readonly count: number;
  /** Slots that were not free. */
  used = 0;
  readonly states: Uint8Array;
  readonly lows: Int32Array;
  readonly highs: Int32Array;
  /** Whether the slot's check holds and its lengths lie where an object may lie; free slots are not looked at. */
  readonly intact: Uint8Array;
  private readonly words: Words;
  private readonly slots: Slots;
  /** There only from `takeSlots` to `forget`: it is hundreds of kilobytes, and most nodes never repair. */
  private image = new Int32Array(0);

  constructor(words: Words, geometry: Geometry, slots: Slots) {
    this.words = words;
    this.slots = slots;
    this.count = geometry.slotsPerShard;
    this.states = new Uint8Array(this.count);
    this.lows = new Int32Array(this.count);
    this.highs = new Int32Array(this.count);
    this.intact = new Uint8Array(this.count);
  }

  takeSlots(shard: number): void {
    const { states, lows, highs, intact, slots, count } = this;
    if (this.image.length === 0) this.image = new Int32Array(count * Slot.words);
    const { image } = this;
    this.used = 0;
    this.words.copyOut(slots.wordOf(shard * count), image);
    for (let local = 0; local < count; local++) {
      const at = local * Slot.words;
      const word = image[at + STATE] as number;
      const state = word & STATE_MASK;
      states[local] = state;
      if (state === STATE_FREE) continue;
      this.used++;
      lows[local] = image[at + HASH_LOW] as number;
      highs[local] = image[at + HASH_HIGH] as number;
      const isKnown = state === STATE_DRAFT || state === STATE_SEALED || state === STATE_RETIRED;
      const isIntact =
        isKnown &&
        checkOfArray(image, at + CHECKED_FROM, CHECKED_WORDS, word >>> STATE_BITS) === image[at + CHECK] &&
        slots.canBe(
          (image[at + KEY_LENGTH] as number) >>> 0,
          (image[at + METADATA_LENGTH] as number) >>> 0,
          (image[at + SIZE] as number) >>> 0,
          image[at + EXTENT] as number,
          image[at + FLAGS] as number,
        );
      intact[local] = isIntact ? 1 : 0;
    }
  }

  /** Whether the slot, which is not free, may have been the page of a key and version that nobody can tell. */
  isUnknown(local: number): boolean {
    const state = this.field(local, STATE) & STATE_MASK;
    return this.intact[local] === 0 && state !== STATE_DRAFT && state !== STATE_RETIRED;
  }

  forget(): void {
    this.image = new Int32Array(0);
  }

  private field(local: number, field: number): number {
    return this.image[local * Slot.words + field] as number;
  }

  extent(local: number): number {
    return this.field(local, EXTENT);
  }
  /** Bytes the object of an intact slot takes in its extent. */
  extentBytes(local: number): number {
    return extentBytes(
      this.field(local, SIZE) >>> 0,
      this.field(local, KEY_LENGTH),
      this.field(local, METADATA_LENGTH),
      this.field(local, FLAGS),
    );
  }
  publishSequence(local: number): number {
    return this.field(local, PUBLISH_SEQUENCE);
  }
  flags(local: number): number {
    return this.field(local, FLAGS);
  }
  ownerRow(local: number): number {
    return this.field(local, OWNER) - 1;
  }
  ownerIncarnation(local: number): number {
    return this.field(local, OWNER_INCARNATION);
  }
}
