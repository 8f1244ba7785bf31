/**
 * Versions of one key: pages valid from one version to before another. Everything here runs under the shard's lock.
 *
 * (Z1) never two answers: a version ends its predecessor where it begins, and itself where its successor begins. The
 *      predecessor's end is stored and logged before the new page is sealed. Ends only ever come down.
 */
import type { Words } from '../../../lib/words.js';
import { FLAG_VERSIONED, lowerUnsigned64, STATE_MASK, STATE_SEALED } from '../layout/index.js';
import { REASON_SHORTENED, type RetireLog } from '../near/index.js';
import { type DraftFields, Probe, type Slots, type Spaces, type Stripes, type Table } from '../objects/index.js';

export class Versions {
  private readonly words: Words;
  private readonly slots: Slots;
  private readonly table: Table;
  private readonly stripes: Stripes;
  private readonly spaces: Spaces;
  private readonly log: RetireLog;
  private readonly slotsPerShard: number;
  private readonly probe = new Probe();

  constructor(parts: {
    words: Words;
    slots: Slots;
    table: Table;
    stripes: Stripes;
    spaces: Spaces;
    log: RetireLog;
    geometry: { slotsPerShard: number };
  }) {
    this.words = parts.words;
    this.slots = parts.slots;
    this.table = parts.table;
    this.stripes = parts.stripes;
    this.spaces = parts.spaces;
    this.log = parts.log;
    this.slotsPerShard = parts.geometry.slotsPerShard;
  }

  /** (I2) Before a page of the version is sealed, or one is hidden from it on. Of a stripe the version never falls. */
  raiseHighest(stripe: number, space: number, version: number): void {
    if (version === 0) return;
    this.spaces.raiseHighest(space, version);
    this.stripes.raiseHighest(stripe, version);
  }

  /**
   * (I2) An open-ended page below the newest version that may be its key's: none is newer than the newest of its stripe, and
   * none than the newest of its space.
   */
  isOutdated(slot: number, stripe: number): boolean {
    const { slots, stripes, spaces } = this;
    // The space may have got its first version after the draft was made.
    if ((slots.flags(slot) & FLAG_VERSIONED) === 0 && !spaces.isVersioned(slots.space(slot))) return false;
    if (slots.until(slot) !== Number.POSITIVE_INFINITY) return false;
    return slots.from(slot) < Math.min(stripes.highest(stripe), spaces.highest(slots.space(slot)));
  }

  /** Fits a page that is about to be sealed in among the other versions of its key. */
  adjust(shard: number, slot: number, fields: DraftFields): void {
    const { slots } = this;
    const from = slots.from(slot);
    for (const other of this.of(shard, fields)) {
      const otherSlot = shard * this.slotsPerShard + other;
      const otherFrom = slots.from(otherSlot);
      if (otherFrom < from && slots.until(otherSlot) > from) this.shorten(shard, other, from);
      if (otherFrom > from && slots.until(slot) > otherFrom) {
        lowerUnsigned64(this.words, slots.untilWord(slot), otherFrom);
      }
    }
  }

  /**
   * A version that is refused for what another page of its stripe installed is a version all the same: pages of the key
   * from before it are no longer valid.
   */
  endPredecessors(shard: number, slot: number, fields: DraftFields): void {
    const from = this.slots.from(slot);
    for (const other of this.of(shard, fields)) {
      const otherSlot = shard * this.slotsPerShard + other;
      if (this.slots.from(otherSlot) < from && this.slots.until(otherSlot) > from) this.shorten(shard, other, from);
    }
  }

  /** The page answers no longer from the version on. */
  shorten(shard: number, local: number, until: number): void {
    const slot = shard * this.slotsPerShard + local;
    lowerUnsigned64(this.words, this.slots.untilWord(slot), until);
    this.log.append(shard, slot, this.slots.generation(slot), REASON_SHORTENED);
  }

  /** Local slots of every sealed version of the key. */
  of(shard: number, fields: DraftFields): number[] {
    const { table, slots, probe } = this;
    const found: number[] = [];
    table.begin(probe, shard, fields.hashLow, fields.hashHigh);
    for (let local = table.next(probe); local >= 0; local = table.next(probe)) {
      const slot = shard * this.slotsPerShard + local;
      if ((slots.stateWord(slot) & STATE_MASK) !== STATE_SEALED) continue;
      if (slots.keyEquals(slot, fields.key, fields.keyLength) && !found.includes(local)) found.push(local);
    }
    return found;
  }
}
