/**
 * Hiding what is there: pages, and the claims of those who load them. All of it under the shard's lock.
 *
 * (V1) whoever hides a key moves its stripe's count first, so that no fill under way publishes, and takes the claim of a load
 *      its key afterwards: who asks for the key from then on loads anew instead of waiting for what nobody may see.
 * (V2) a claim that is ended stays its owner's, with its bytes, without an entry: he may be writing into it at this moment.
 *      He takes it back, or publishes it if its lease still holds and the key is free (Writer.publish).
 * (V3) what a page that found no room would have superseded is hidden, and nothing else: a version with an end leaves those
 *      after it as they are.
 * (V4) a version that has ended and that nobody asks for is retired as eviction does it: whoever asks for it after all has a miss.
 *      Nothing else changes: no count moves, as the page was right, and a fill of it still is; and its `from` is told by a bound
 *      as of any page that goes, though the version after it says more as long as it is there.
 * (V5) a source that has nothing for a key any more ends what is kept of it for stale answers, and nothing that is fresh: that is
 *      of somebody who asked later. Under a lease, as a fill is published.
 */
import { FLAG_LEASED, STATE_DRAFT, STATE_FREE, STATE_MASK, STATE_RETIRED, STATE_SEALED } from '../layout/index.js';
import { REASON_DELETED, REASON_EVICTED, REASON_EXPIRED } from '../near/index.js';
import { assertHeld, type Bells, type Calls, type Locks, type Nodes } from '../nodes/index.js';
import {
  type DraftFields,
  Probe,
  type Shards,
  type Slots,
  type Spaces,
  type Stripes,
  type Table,
} from '../objects/index.js';
import type { DraftName } from './drafts.js';
import type { Reclaimer } from './reclaim.js';
import type { Versions } from './versions.js';

/** What of a node it works with. */
export interface RemovalParts {
  readonly geometry: { readonly shards: number; readonly slotsPerShard: number };
  readonly shards: Shards;
  readonly slots: Slots;
  readonly spaces: Spaces;
  readonly stripes: Stripes;
  readonly table: Table;
  readonly bells: Bells;
  readonly nodes: Nodes;
  readonly locks: Locks;
  readonly calls: Calls;
}

export class Removal {
  private readonly parts: RemovalParts;
  private readonly reclaimer: Reclaimer;
  private readonly versions: Versions;
  private readonly isOver: (slot: number) => boolean;
  private readonly slotsPerShard: number;
  private readonly probe = new Probe();

  /** `isOver`: whether a sealed page is a miss by now. */
  constructor(parts: RemovalParts, reclaimer: Reclaimer, versions: Versions, isOver: (slot: number) => boolean) {
    this.parts = parts;
    this.reclaimer = reclaimer;
    this.versions = versions;
    this.isOver = isOver;
    this.slotsPerShard = parts.geometry.slotsPerShard;
  }

  private isDraft(slot: number): boolean {
    return (this.parts.slots.stateWord(slot) & STATE_MASK) === STATE_DRAFT;
  }

  /** Every version of the key, or with a version those from it on; earlier ones end there. True when a live page was there. */
  remove(shard: number, fields: DraftFields, version: number | undefined): boolean {
    assertHeld(this.parts, shard);
    const { shards, stripes, slots } = this.parts;
    const stripe = stripes.wordOf(shard, fields.hashHigh);
    stripes.advance(stripe);
    if (version !== undefined) this.versions.raise(stripe, fields, version);
    let found = false;
    for (const local of this.versions.of(shard, fields)) {
      const slot = shard * this.slotsPerShard + local;
      found ||= !this.isOver(slot);
      if (version === undefined || slots.from(slot) >= version) this.reclaimer.retire(shard, local, REASON_DELETED);
      else if (slots.until(slot) > version) this.versions.shorten(shard, slot, version);
    }
    if (shards.limbo(shard) > 0 && version === undefined) this.reclaimer.reclaim(shard);
    this.endClaimsOf(shard, fields);
    return found;
  }

  /** (V3) */
  hideSuperseded(shard: number, fields: DraftFields): void {
    assertHeld(this.parts, shard);
    const { shards, stripes, slots } = this.parts;
    const stripe = stripes.wordOf(shard, fields.hashHigh);
    stripes.advance(stripe);
    this.versions.raise(stripe, fields, fields.from);
    for (const local of this.versions.of(shard, fields)) {
      const slot = shard * this.slotsPerShard + local;
      if (slots.from(slot) === fields.from) this.reclaimer.retire(shard, local, REASON_DELETED);
      else if (slots.from(slot) < fields.from && slots.until(slot) > fields.from) {
        this.versions.shorten(shard, slot, fields.from);
      }
    }
    if (shards.limbo(shard) > 0) this.reclaimer.reclaim(shard);
    this.endClaimsOf(shard, fields);
  }

  /** (V4) Versions that ended at or before the highest of `inUse`, and were there at none of them. Returns how many. */
  retireEnded(shard: number, fields: DraftFields, inUse: readonly number[]): number {
    assertHeld(this.parts, shard);
    const { shards, slots } = this.parts;
    const newest = inUse.reduce((most, version) => Math.max(most, version), 0);
    let retired = 0;
    for (const local of this.versions.of(shard, fields)) {
      const slot = shard * this.slotsPerShard + local;
      const [from, until] = [slots.from(slot), slots.until(slot)];
      if (until > newest || inUse.some((version) => from <= version && version < until)) continue;
      this.reclaimer.retire(shard, local, REASON_EVICTED);
      retired++;
    }
    if (shards.limbo(shard) > 0) this.reclaimer.reclaim(shard);
    return retired;
  }

  /** (V5) Pages of the key that have expired and are kept, while its stripe's count is the lease's. */
  retireExpired(shard: number, fields: DraftFields): void {
    assertHeld(this.parts, shard);
    const { stripes } = this.parts;
    if (stripes.count(stripes.wordOf(shard, fields.hashHigh)) !== fields.leaseCount) return;
    for (const local of this.versions.of(shard, fields))
      if (this.isOver(shard * this.slotsPerShard + local)) this.reclaimer.retire(shard, local, REASON_EXPIRED);
  }

  /**
   * Every page and claim of the space whose key `isWanted`, in the shard's slots from `first` to before `end`; with its first slot
   * no fill under way in the shard publishes any more, so that one taken later is of what the caller's source has by now.
   */
  removeWhere(shard: number, space: number, isWanted: (key: Uint8Array) => boolean, first: number, end: number): void {
    assertHeld(this.parts, shard);
    const { shards, slots, stripes } = this.parts;
    if (first === 0) stripes.advanceAll(shard);
    for (let local = first; local < end; local++) {
      const slot = shard * this.slotsPerShard + local;
      const state = slots.stateWord(slot) & STATE_MASK;
      if (state === STATE_FREE || state === STATE_RETIRED || slots.space(slot) !== space) continue;
      slots.verify(slot);
      if (!isWanted(slots.keyBytes(slot))) continue;
      if (state === STATE_SEALED) this.reclaimer.retire(shard, local, REASON_DELETED);
      else this.takeKey(shard, local);
    }
    if (shards.limbo(shard) > 0) this.reclaimer.reclaim(shard);
  }

  private endClaimsOf(shard: number, fields: DraftFields): void {
    const { table, slots } = this.parts;
    const { probe } = this;
    for (let tries = 0; tries < this.slotsPerShard; tries++) {
      let claim = -1;
      table.begin(probe, shard, fields.hashLow, fields.hashHigh);
      for (let local = table.next(probe); local >= 0 && claim < 0; local = table.next(probe)) {
        const slot = shard * this.slotsPerShard + local;
        if (!this.isDraft(slot) || (slots.flags(slot) & FLAG_LEASED) === 0) continue;
        if (slots.keyEquals(slot, fields.key, fields.keyLength)) claim = local;
      }
      if (claim < 0) return;
      this.takeKey(shard, claim);
    }
  }

  /** Ends the claim if it is still there. False for what is no claim: a caller's own draft ends by himself. */
  endClaim(shard: number, { slot, generation }: DraftName): boolean {
    assertHeld(this.parts, shard);
    const { slots } = this.parts;
    if (!this.isDraft(slot) || slots.generation(slot) !== generation) return true;
    if ((slots.flags(slot) & FLAG_LEASED) === 0) return false;
    this.takeKey(shard, slot - shard * this.slotsPerShard);
    return true;
  }

  /** (V2) Takes a draft that is a claim its key, and tells those who wait for its end. */
  takeKey(shard: number, local: number): void {
    assertHeld(this.parts, shard);
    const { slots, table, shards, bells } = this.parts;
    const slot = shard * this.slotsPerShard + local;
    if ((slots.flags(slot) & FLAG_LEASED) === 0) return;
    const tag = slots.hashHigh(slot);
    const entry = table.find(this.probe, shard, slots.hashLow(slot), tag, local);
    if (entry < 0) return;
    table.remove(shard, slots.hashLow(slot), entry);
    shards.advancePublish(shard);
    bells.noteTag(tag);
  }
}
