/**
 * The way out of the pool: retire and reclaim. Everything here runs under the shard's lock.
 *
 * (A1) retire: slot state, then ring record and sequence, then the bucket entry. From the state on nobody remembers the
 *      page, from the sequence on no near hit, and from the entry on no table lookup answers with it.
 * (A2) reclaim: only after all of that are the hazards scanned; what no counted node holds is free, the rest waits in limbo
 *      for another scan. The shard's head says which fence has to come before (fences.ts), stored when all of (A1) is done,
 *      and again when somebody finds a page in limbo behind its hazard: any node's fence of that number or later will do.
 *
 * A crash between any two stores: the lock's owner is dead, and repair finishes from the slots (see repair.ts).
 */

import { assert } from '../../../lib/assert.js';
import type { WallMs } from '../../../lib/clock.js';
import type { Counters } from '../../../lib/counters.js';
import type { Machine } from '../../../lib/machine.js';
import type { EventLog } from '../events/index.js';
import {
  EVENT_DELETED,
  EVENT_EVICTED,
  FLAG_RETAINED,
  type Geometry,
  STATE_DRAFT,
  STATE_FREE,
  STATE_MASK,
  STATE_RETIRED,
  STATE_SEALED,
} from '../layout/index.js';
import {
  type HazardScan,
  REASON_DELETED,
  REASON_EXPIRED,
  REASON_SUPERSEDED,
  type RetireLog,
  type TouchDrain,
} from '../near/index.js';
import { assertHeld, type Bells, type Calls, type Fences, type Locks, type Nodes } from '../nodes/index.js';
import {
  Probe,
  type Shards,
  type Slots,
  type Spaces,
  type Table,
  type Tags,
  type VersionBounds,
} from '../objects/index.js';
import type { Policy } from '../policy/index.js';
import type { Chunks, Extents } from '../space/index.js';
import { Lifetimes } from './lifetimes.js';

/** What of a node it works with. */
export interface ReclaimParts {
  readonly geometry: Geometry;
  readonly counters: Counters;
  readonly machine: Machine;
  readonly nodes: Nodes;
  readonly locks: Locks;
  readonly calls: Calls;
  readonly shards: Shards;
  readonly slots: Slots;
  readonly table: Table;
  readonly chunks: Chunks;
  readonly extents: Extents;
  readonly spaces: Spaces;
  readonly tags: Tags;
  readonly versionBounds: VersionBounds;
  readonly log: RetireLog;
  readonly policies: readonly Policy[];
  readonly fences: Fences;
  readonly scan: HazardScan;
  readonly touchDrain: TouchDrain;
  readonly bells: Bells;
  readonly events: EventLog;
}

export class Reclaimer {
  private readonly parts: ReclaimParts;
  private readonly lifetimes: Lifetimes;
  private readonly slotsPerShard: number;
  private readonly probe = new Probe();

  constructor(parts: ReclaimParts) {
    this.parts = parts;
    this.lifetimes = new Lifetimes(parts);
    this.slotsPerShard = parts.geometry.slotsPerShard;
  }

  /** Hides a sealed page from every later get and puts it into limbo. `entryWord` is its bucket entry where known. */
  retire(shard: number, local: number, reason: number, entryWord = -1): void {
    const { slots, table, events } = this.parts;
    const slot = shard * this.slotsPerShard + local;
    this.announceEnd(shard, local, reason);
    const hashLow = slots.hashLow(slot);
    const entry = entryWord >= 0 ? entryWord : table.find(this.probe, shard, hashLow, slots.hashHigh(slot), local);
    if (entry >= 0) table.remove(shard, hashLow, entry);
    this.awaitFence(shard);
    // Nobody is told of an end that the table does not know yet.
    if (reason !== REASON_SUPERSEDED) events.commit(shard);
  }

  /** The first half of retire, for a page whose bucket entry a successor takes over. */
  announceEnd(shard: number, local: number, reason: number): void {
    const { slots, log, shards, policies, events, versionBounds } = this.parts;
    assertHeld(this.parts, shard);
    const slot = shard * this.slotsPerShard + local;
    slots.verify(slot);
    const isTold = reason !== REASON_SUPERSEDED;
    if (isTold) events.begin(shard, slot, reason === REASON_DELETED ? EVENT_DELETED : EVENT_EVICTED);
    // ORDER version-1: told by a bound before the page goes, unless a successor of the same version is sealed; pairs with isOutdated.
    if (isTold) versionBounds.outlive(shard, slot);
    // ORDER hazard-1: state, record and sequence before any scan; pairs with isFresh and lookUp.
    // ORDER retire-1: state before record and sequence, those before the bucket entry; pairs with the overrun of repair.
    slots.transition(slot, STATE_SEALED, STATE_RETIRED);
    log.append(shard, slot, slots.generation(slot), reason);
    policies[shard]?.remove(local);
    if ((slots.flags(slot) & FLAG_RETAINED) !== 0) shards.addRetained(shard, -1);
    shards.addLive(shard, -1);
    shards.pushLimbo(shard, local);
  }

  /** What is in limbo is scanned for after a fence from now on: asked when no entry names it any more. */
  awaitFence(shard: number): void {
    const { shards, fences } = this.parts;
    // ORDER fence-1: entry, then the fence to wait for; pairs with make.
    shards.setLimboFence(shard, fences.due());
  }

  /** Takes a draft away: its key and its space are free again. */
  undoDraft(shard: number, local: number): void {
    const { slots, table, shards, bells } = this.parts;
    assertHeld(this.parts, shard);
    const slot = shard * this.slotsPerShard + local;
    const entry = table.find(this.probe, shard, slots.hashLow(slot), slots.hashHigh(slot), local);
    if (entry >= 0) table.remove(shard, slots.hashLow(slot), entry);
    shards.addLive(shard, -1);
    shards.addDrafts(shard, -1);
    const tag = slots.hashHigh(slot);
    this.free(shard, local, STATE_DRAFT);
    // Whoever waits for the end of a draft looks whether this has moved.
    shards.advancePublish(shard);
    bells.noteTag(tag);
  }

  private free(shard: number, local: number, from: number): void {
    const { slots, extents, shards } = this.parts;
    assert(from === STATE_DRAFT || from === STATE_RETIRED, 'Only a draft or a retired page is freed.');
    const slot = shard * this.slotsPerShard + local;
    slots.verify(slot);
    const extent = slots.extent(slot);
    const bytes = slots.extentBytes(slot);
    slots.transition(slot, from, STATE_FREE);
    extents.free(shard, extent, bytes);
    shards.pushFree(shard, local);
  }

  /** Frees what nobody holds of the limbo list. Returns how many slots became free. */
  reclaim(shard: number): number {
    assertHeld(this.parts, shard);
    const { shards, scan } = this.parts;
    if (shards.limbo(shard) === 0) return 0;
    let isNew = scan.after(shards.limboFence(shard));
    const first = shard * this.slotsPerShard;
    let freed = 0;
    for (const local of shards.takeLimbo(shard)) {
      if (this.stateOf(shard, local) !== STATE_RETIRED) throw shards.corrupt(shard);
      if (!isNew && scan.isHeld(first + local)) {
        scan.glance();
        isNew = true;
      }
      if (scan.isHeld(first + local)) shards.pushLimbo(shard, local);
      else {
        this.free(shard, local, STATE_RETIRED);
        freed++;
      }
    }
    return freed;
  }

  stateOf(shard: number, local: number): number {
    return this.parts.slots.stateWord(shard * this.slotsPerShard + local) & STATE_MASK;
  }

  /** Where pages lie that have expired, or that a tag or a drop of their space has ended. Without the lock it is a hint. */
  ended(shard: number, now: WallMs): number[] {
    const found: number[] = [];
    for (let local = 0; local < this.slotsPerShard; local++) if (this.isEnded(shard, local, now)) found.push(local);
    return found;
  }

  private isEnded(shard: number, local: number, now: WallMs): boolean {
    if (this.stateOf(shard, local) !== STATE_SEALED) return false;
    return this.lifetimes.isEndedAt(shard * this.slotsPerShard + local, now);
  }

  /** Retires those of `locals` that are over, by default all, and drains limbo. Returns how many pages it retired. */
  sweep(shard: number, now: WallMs, locals = this.ended(shard, now)): number {
    assertHeld(this.parts, shard);
    let retired = 0;
    for (const local of locals) {
      if (!this.isEnded(shard, local, now)) continue;
      this.retire(shard, local, REASON_EXPIRED);
      retired++;
    }
    this.reclaim(shard);
    return retired;
  }
}
