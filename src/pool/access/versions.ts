/**
 * Versions of one key: pages valid from one version to before another. Everything here runs under the shard's lock.
 *
 * (Z1) never two answers: a version ends its predecessor where it begins, and itself where its successor begins. The
 *      predecessor's end is stored and logged before the new page is sealed. Ends only ever come down.
 */
import type { Words } from '../../../lib/words.js';
import { FLAG_VERSIONED, lowerUnsigned64, STATE_MASK, STATE_SEALED } from '../layout/index.js';
import { REASON_SHORTENED, type RetireLog } from '../near/index.js';
import { type DraftFields, Probe, type Slots, type Spaces, type Table, type VersionBounds } from '../objects/index.js';
import { fieldsOf } from './drafts.js';

export class Versions {
  private readonly words: Words;
  private readonly slots: Slots;
  private readonly table: Table;
  private readonly bounds: VersionBounds;
  private readonly spaces: Spaces;
  private readonly log: RetireLog;
  private readonly slotsPerShard: number;
  private readonly probe = new Probe();

  constructor(parts: {
    words: Words;
    slots: Slots;
    table: Table;
    versionBounds: VersionBounds;
    spaces: Spaces;
    log: RetireLog;
    geometry: { slotsPerShard: number };
  }) {
    this.words = parts.words;
    this.slots = parts.slots;
    this.table = parts.table;
    this.bounds = parts.versionBounds;
    this.spaces = parts.spaces;
    this.log = parts.log;
    this.slotsPerShard = parts.geometry.slotsPerShard;
  }

  /** Before the slot's page is sealed: what its space has had, for whoever finds a page damaged, or the pool after a restart. */
  raiseHighest(slot: number): void {
    const { slots, spaces } = this;
    const from = slots.from(slot);
    if (from > 0) spaces.raiseHighest(slots.space(slot), slots.spaceGeneration(slot), from);
  }

  /** (I2) No page of the key is there from the version on, or may come back, whatever is told of it. */
  raise(stripe: number, fields: DraftFields, version: number): void {
    const { space, spaceGeneration, hashHigh } = fields;
    if (version === 0) return;
    this.spaces.raiseHighest(space, spaceGeneration, version);
    this.bounds.raise({ stripe, hashHigh, space, spaceGeneration }, version);
  }

  /** (I2) An open-ended page below the newest version of its key: of those that are there, and of those that are gone. */
  isOutdated(shard: number, slot: number): boolean {
    const { slots, bounds } = this;
    if (!this.isVersioned(slot)) return false;
    if (slots.until(slot) !== Number.POSITIVE_INFINITY) return false;
    const from = slots.from(slot);
    // ORDER version-1: a version that no page tells is told by a bound; pairs with announceEnd.
    if (from < bounds.gone(bounds.ownerOf(shard, slot))) return true;
    return this.ofGeneration(shard, this.identityOf(slot)).some((other) => from < slots.from(other));
  }

  /** The space may have got its first version after the draft was made. */
  private isVersioned(slot: number): boolean {
    const { slots, spaces } = this;
    return (slots.flags(slot) & FLAG_VERSIONED) !== 0 || spaces.isVersioned(slots.space(slot));
  }

  /** What is compared of the slot's page with others. */
  identityOf(slot: number): DraftFields {
    const { slots } = this;
    const key = slots.keyBytes(slot);
    return fieldsOf(key, key.length, slots.hashLow(slot), slots.hashHigh(slot), {
      from: slots.from(slot),
      space: slots.space(slot),
      spaceGeneration: slots.spaceGeneration(slot),
    });
  }

  /** Fits a page that is about to be sealed in among the other versions of its key. */
  adjust(shard: number, slot: number, fields: DraftFields): void {
    const { slots } = this;
    if (!this.isVersioned(slot)) return;
    const from = slots.from(slot);
    for (const otherSlot of this.ofGeneration(shard, fields)) {
      const otherFrom = slots.from(otherSlot);
      if (otherFrom < from && slots.until(otherSlot) > from) this.shorten(shard, otherSlot, from);
      if (otherFrom > from && slots.until(slot) > otherFrom) {
        lowerUnsigned64(this.words, slots.untilWord(slot), otherFrom);
      }
    }
  }

  /**
   * A version that is refused is a version all the same, also where that was for what other pages have: pages of the key from
   * before it are no longer valid.
   */
  endPredecessors(shard: number, slot: number, fields: DraftFields): void {
    const from = this.slots.from(slot);
    for (const other of this.ofGeneration(shard, fields)) {
      if (this.slots.from(other) < from && this.slots.until(other) > from) this.shorten(shard, other, from);
    }
  }

  /** The page answers no longer from the version on. */
  shorten(shard: number, slot: number, until: number): void {
    lowerUnsigned64(this.words, this.slots.untilWord(slot), until);
    this.log.append(shard, slot, this.slots.generation(slot), REASON_SHORTENED);
  }

  /** Slots of the sealed versions of the key that no `drop` has made void. */
  private ofGeneration(shard: number, fields: DraftFields): number[] {
    const { slots } = this;
    const found: number[] = [];
    for (const local of this.of(shard, fields)) {
      const slot = shard * this.slotsPerShard + local;
      slots.verify(slot);
      if (slots.spaceGeneration(slot) === fields.spaceGeneration) found.push(slot);
    }
    return found;
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
