/**
 * Versions of one key: pages valid from one version to before another. Everything here runs under the shard's lock.
 *
 * (Z1) never two answers: a version ends its predecessor where it begins, and itself where its successor begins. The
 *      predecessor's end is stored and logged before the new page is sealed. Ends only ever come down.
 */
import type { Words } from '../../lib/words.js';
import { FLAG_VERSIONED, STATE_MASK, STATE_SEALED } from './layout.js';
import { REASON_SHORTENED, type RetireLog } from './retirelog.js';
import type { DraftFields, Slots } from './slots.js';
import type { Spaces } from './spaces.js';
import type { Stripes } from './stripes.js';
import type { Table } from './table.js';
import { lowerUnsigned64 } from './wide.js';

export class Versions {
  private readonly words: Words;
  private readonly slots: Slots;
  private readonly table: Table;
  private readonly stripes: Stripes;
  private readonly spaces: Spaces;
  private readonly log: RetireLog;
  private readonly slotsPerShard: number;

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

  /** (I2) An open-ended page below the newest version known of its stripe. */
  isOutdated(slot: number, stripe: number): boolean {
    const { slots, stripes, spaces } = this;
    // The space may have got its first version after the draft was made.
    if ((slots.flags(slot) & FLAG_VERSIONED) === 0 && !spaces.isVersioned(slots.space(slot))) return false;
    return slots.until(slot) === Number.POSITIVE_INFINITY && slots.from(slot) < stripes.highest(stripe);
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
    const { table, slots } = this;
    const found: number[] = [];
    table.begin(shard, fields.hashLow, fields.hashHigh);
    for (let local = table.next(); local >= 0; local = table.next()) {
      const slot = shard * this.slotsPerShard + local;
      if ((slots.stateWord(slot) & STATE_MASK) !== STATE_SEALED) continue;
      if (slots.keyEquals(slot, fields.key, fields.keyLength) && !found.includes(local)) found.push(local);
    }
    return found;
  }
}
