/** The fields of slots, read one by one; what of them may be believed is told in slots.ts. */
import type { WallMs } from '../../../lib/clock.js';
import type { Words } from '../../../lib/words.js';
import {
  FLAG_KEPT,
  type Geometry,
  keptExpiry,
  keptMs,
  readLowered64,
  readUnsigned64,
  type Segment,
  Slot,
  STATE_BITS,
  TAGS_MASK,
  TAGS_SHIFT,
} from '../layout/index.js';

const {
  state: STATE,
  hashLow: HASH_LOW,
  hashHigh: HASH_HIGH,
  keyLength: KEY_LENGTH,
  metadataLength: METADATA_LENGTH,
  size: SIZE,
  extent: EXTENT,
  expiry: EXPIRY,
  from: FROM,
  until: UNTIL,
  publishSequence: PUBLISH_SEQUENCE,
  flags: FLAGS,
  owner: OWNER,
  ownerIncarnation: OWNER_INCARNATION,
  space: SPACE,
  spaceGeneration: SPACE_GENERATION,
  leaseCount: LEASE_COUNT,
} = Slot.word;

export class SlotFields {
  protected readonly words: Words;
  protected readonly segment: Segment;
  protected readonly base: number;
  readonly total: number;

  constructor(segment: Segment) {
    const geometry: Geometry = segment.geometry;
    this.words = segment.words;
    this.segment = segment;
    this.base = geometry.regions.slots.word;
    this.total = geometry.shards * geometry.slotsPerShard;
  }

  wordOf(slot: number): number {
    return this.base + slot * Slot.words;
  }

  /** The state word: generation and state, by a sequentially consistent load. */
  stateWord(slot: number): number {
    return this.words.load(this.base + slot * Slot.words + STATE);
  }

  generation(slot: number): number {
    return this.words.read(this.wordOf(slot) + STATE) >>> STATE_BITS;
  }

  hashLow(slot: number): number {
    return this.words.read(this.wordOf(slot) + HASH_LOW);
  }
  hashHigh(slot: number): number {
    return this.words.read(this.wordOf(slot) + HASH_HIGH);
  }
  keyLength(slot: number): number {
    return this.words.read(this.wordOf(slot) + KEY_LENGTH) >>> 0;
  }
  metadataLength(slot: number): number {
    return this.words.read(this.wordOf(slot) + METADATA_LENGTH) >>> 0;
  }
  size(slot: number): number {
    return this.words.read(this.wordOf(slot) + SIZE) >>> 0;
  }
  extent(slot: number): number {
    return this.words.read(this.wordOf(slot) + EXTENT);
  }
  /** When it is a miss; 0 for never. */
  expiry(slot: number): WallMs {
    const word = this.wordOf(slot) + EXPIRY;
    return this.isKept(slot) ? keptExpiry(this.words, word) : readUnsigned64(this.words, word);
  }
  /** When it is nothing any more; 0 for never. */
  end(slot: number): WallMs {
    return this.isKept(slot) ? this.expiry(slot) + keptMs(this.words, this.wordOf(slot) + EXPIRY) : this.expiry(slot);
  }
  private isKept(slot: number): boolean {
    return (this.flags(slot) & FLAG_KEPT) !== 0;
  }
  from(slot: number): number {
    return readUnsigned64(this.words, this.wordOf(slot) + FROM);
  }
  until(slot: number): number {
    return readLowered64(this.words, this.wordOf(slot) + UNTIL);
  }
  untilWord(slot: number): number {
    return this.wordOf(slot) + UNTIL;
  }
  publishSequence(slot: number): number {
    return this.words.read(this.wordOf(slot) + PUBLISH_SEQUENCE);
  }
  setPublishSequence(slot: number, sequence: number): void {
    this.words.write(this.wordOf(slot) + PUBLISH_SEQUENCE, sequence);
  }
  flags(slot: number): number {
    return this.words.read(this.wordOf(slot) + FLAGS);
  }
  tagCount(slot: number): number {
    return (this.flags(slot) >>> TAGS_SHIFT) & TAGS_MASK;
  }
  ownerRow(slot: number): number {
    return this.words.read(this.wordOf(slot) + OWNER) - 1;
  }
  ownerIncarnation(slot: number): number {
    return this.words.read(this.wordOf(slot) + OWNER_INCARNATION);
  }
  space(slot: number): number {
    return this.words.read(this.wordOf(slot) + SPACE);
  }
  spaceGeneration(slot: number): number {
    return this.words.read(this.wordOf(slot) + SPACE_GENERATION);
  }
  leaseCount(slot: number): number {
    return this.words.read(this.wordOf(slot) + LEASE_COUNT);
  }
}
