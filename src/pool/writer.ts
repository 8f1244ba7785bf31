/**
 * The way into the pool: create, seal, publish, supersede, delete, invalidate.
 *
 * | step      | stores, in order                                                   | a crash after it leaves            |
 * |-----------|--------------------------------------------------------------------|------------------------------------|
 * | create    | slot fields and key, state DRAFT, bucket entry                     | a draft of a dead owner: undone    |
 * | fill      | the creator's bytes, outside any lock                              | the same                           |
 * | seal      | publish sequence and check in the slot, state SEALED, shard's      | a sealed page; repair enters it in |
 * |           | publish sequence                                                   | its bucket and queue               |
 * | supersede | stripe count, new slot SEALED, old slot retired (A1), bucket entry | the old page until the entry is    |
 * |           | swapped, shard's publish sequence                                  | swapped; repair swaps it           |
 * | delete    | stripe count, slot retired (A1), bucket entry zeroed               | the page until then; repair goes on|
 *
 * Everything but the fill happens under the shard's lock.
 */
import { PoolError } from '../../lib/errors.js';
import type { Machine } from '../../lib/machine.js';
import {
  EVENT_SEALED,
  FLAG_DETACHED,
  FLAG_LEASED,
  FLAG_RETAINED,
  NO_EXTENT,
  STATE_DRAFT,
  STATE_MASK,
  STATE_SEALED,
} from './layout.js';
import { Leftovers } from './leftovers.js';
import type { Parts } from './parts.js';
import { PassOver } from './passing.js';
import { Reclaimer } from './reclaim.js';
import { REASON_DELETED, REASON_EXPIRED, REASON_SUPERSEDED } from './retirelog.js';
import { Runs } from './runs.js';
import { type DraftFields, extentBytes, NO_FIELDS } from './slots.js';
import { Versions } from './versions.js';

const ROUNDS_MAX = 256;
const STEALS_MAX = 4;

/** A draft of this node. */
export interface DraftPlace {
  readonly slot: number;
  readonly shard: number;
  readonly generation: number;
  readonly extent: number;
}

export type CreateOutcome = DraftPlace | 'exists' | 'full';
/** stale: the lease's page was invalidated since; lost: the draft is no longer this node's; full: no room in the table. */
export type SealOutcome = 'sealed' | 'stale' | 'lost' | 'full';

export class Writer {
  readonly reclaimer: Reclaimer;
  readonly leftovers = new Leftovers<DraftPlace>((place) => this.abort(place));
  readonly runs: Runs;
  private readonly versions: Versions;
  private readonly parts: Parts;
  private readonly machine: Machine;
  private readonly slotsPerShard: number;
  /** Of the bytes of the draft that is being sealed. */
  private sum = 0;

  constructor(parts: Parts) {
    this.parts = parts;
    this.machine = parts.machine;
    this.slotsPerShard = parts.geometry.slotsPerShard;
    this.reclaimer = new Reclaimer(parts);
    this.runs = new Runs(parts, this.reclaimer);
    this.versions = new Versions(parts);
  }

  /** Runs `work` under the shard's lock; an error leaves the shard to be repaired. Throws BUSY. */
  private guarded<T>(shard: number, work: () => T): T {
    const { locks } = this.parts;
    locks.acquire(shard);
    let result: T;
    try {
      result = work();
    } catch (error) {
      locks.releaseDirty(shard);
      throw error;
    }
    locks.release(shard);
    return result;
  }

  /** Reserves a slot and an extent in state DRAFT. Throws OBJECT_TOO_LARGE, BUSY, POOL_CORRUPT. */
  create(fields: DraftFields): CreateOutcome {
    const { shards, extents } = this.parts;
    const bytes = extentBytes(fields.size, fields.keyLength, fields.metadata.length);
    extents.checkFits(bytes);
    const shard = shards.ofHash(fields.hashLow);
    for (let steal = 0; steal <= STEALS_MAX; steal++) {
      const outcome = this.guarded(shard, () => this.createLocked(shard, fields, bytes, -1));
      if (outcome !== 'full') return outcome;
      const chunks = Math.max(1, extents.runLengthOf(bytes));
      const claimed = this.runs.claim(chunks);
      if (claimed < 0) return 'full';
      try {
        const stolen = this.guarded(shard, () => this.createLocked(shard, fields, bytes, claimed));
        if (stolen !== 'full') return stolen;
      } finally {
        this.unclaim(claimed, chunks);
      }
    }
    return 'full';
  }

  /** A claim that cannot be given back now, behind a stopped node, is given back by upkeep: it must not cost a draft. */
  private unclaim(first: number, count: number): void {
    try {
      this.parts.chunks.unclaim(first, count);
    } catch (error) {
      if (!(error instanceof PoolError)) throw error;
    }
  }

  private createLocked(shard: number, fields: DraftFields, bytes: number, claimed: number): CreateOutcome {
    const { shards, slots, nodes } = this.parts;
    const policy = this.parts.policies[shard];
    if (policy !== undefined) this.parts.touchDrain.relieve(shard, policy);
    const live = this.findLive(shard, fields);
    const detached = (fields.flags & FLAG_DETACHED) !== 0;
    if (live >= 0 && !detached) return 'exists';
    const extent = this.reserve(shard, bytes, live >= 0 ? 1 : 0, claimed);
    if (extent === undefined) return 'full';
    const local = shards.popFree(shard);
    const slot = shard * this.slotsPerShard + local;
    if ((slots.stateWord(slot) & STATE_MASK) !== 1) throw shards.corrupt(shard);
    slots.writeDraft(slot, fields, extent, nodes.self, nodes.incarnation);
    shards.addLive(shard, 1);
    shards.addDrafts(shard, 1);
    if (!detached && !this.enterDraft(shard, local, fields)) {
      this.reclaimer.undoDraft(shard, local);
      return 'full';
    }
    return { slot, shard, generation: slots.generation(slot), extent };
  }

  /** A draft that nobody is told of must not outlive an error. */
  private enterDraft(shard: number, local: number, fields: DraftFields): boolean {
    try {
      return this.enter(shard, local, fields.hashLow, fields.hashHigh);
    } catch (error) {
      this.parts.slots.setFree(shard * this.slotsPerShard + local);
      throw error;
    }
  }

  private enter(shard: number, local: number, hashLow: number, hashHigh: number): boolean {
    const { table } = this.parts;
    if (table.insert(shard, hashLow, hashHigh, local)) return true;
    return this.reclaimer.clearWay(shard, hashLow) && table.insert(shard, hashLow, hashHigh, local);
  }

  /** A free slot is on the list, and an extent is reserved: its first granule. Undefined when there is no room. */
  private reserve(shard: number, bytes: number, allowance: number, claimed: number): number | undefined {
    const { shards, extents } = this.parts;
    for (let round = 0; round < ROUNDS_MAX; round++) {
      const overCapacity = shards.live(shard) >= shards.capacity(shard) + allowance;
      if (overCapacity || !shards.hasFreeSlot(shard)) {
        if (!this.reclaimer.makeRoom(shard, 0, overCapacity)) return undefined;
        continue;
      }
      if (bytes === 0) return NO_EXTENT;
      const extent = this.allocate(shard, bytes, claimed);
      if (extent !== NO_EXTENT) return extent;
      // A run is not made within one shard: the caller claims chunks across all of them.
      if (extents.isRun(bytes) || !this.reclaimer.makeRoom(shard, bytes, false)) return undefined;
    }
    return undefined;
  }

  private allocate(shard: number, bytes: number, claimed: number): number {
    const { extents, chunks } = this.parts;
    if (extents.isRun(bytes)) {
      const length = extents.runLengthOf(bytes);
      if (claimed >= 0 && chunks.takeClaimed(shard, claimed, length)) return extents.adoptRun(shard, claimed, length);
      return extents.allocateRun(shard, bytes);
    }
    const found = extents.allocate(shard, bytes);
    // A chunk that turned out not to be needed is not taken: it would stay, with nothing in it.
    if (found !== NO_EXTENT || claimed < 0 || !chunks.takeClaimedChunk(shard, claimed)) return found;
    return extents.allocateIn(shard, claimed, bytes);
  }

  /**
   * The local slot of the live object or draft with this key and from-version, or -1; `entryWord` of the table is its
   * entry. What it meets that has expired, was dropped or lost its owner is cleaned away.
   */
  private findLive(shard: number, fields: DraftFields): number {
    const { table, slots, nodes } = this.parts;
    for (let restart = 0; restart < this.slotsPerShard; restart++) {
      let cleaned = false;
      table.begin(shard, fields.hashLow, fields.hashHigh);
      for (let local = table.next(); local >= 0; local = table.next()) {
        const slot = shard * this.slotsPerShard + local;
        const state = slots.stateWord(slot) & STATE_MASK;
        if (state !== STATE_SEALED && state !== STATE_DRAFT) continue;
        if (!slots.keyEquals(slot, fields.key, fields.keyLength) || slots.from(slot) !== fields.from) continue;
        if (state === STATE_DRAFT && nodes.isGone(slots.ownerRow(slot), slots.ownerIncarnation(slot))) {
          this.reclaimer.undoDraft(shard, local);
          cleaned = true;
        } else if (state === STATE_SEALED && this.isOver(slot)) {
          this.reclaimer.retire(shard, local, REASON_EXPIRED, table.entryWord);
          cleaned = true;
        } else return local;
        break;
      }
      if (!cleaned) return -1;
    }
    return -1;
  }

  /** Whether a sealed page is a miss by now: expired, or of a dropped space. */
  private isOver(slot: number): boolean {
    const { slots, spaces } = this.parts;
    const expiry = slots.expiry(slot);
    if (expiry !== 0 && expiry <= this.machine.nowMs()) return true;
    return !spaces.isCurrent(slots.space(slot), slots.spaceGeneration(slot));
  }

  isOurs(place: DraftPlace): boolean {
    const { slots, nodes } = this.parts;
    const { slot } = place;
    const stateWord = slots.stateWord(slot);
    if ((stateWord & STATE_MASK) !== STATE_DRAFT || slots.generation(slot) !== place.generation) return false;
    return slots.ownerRow(slot) === nodes.self && slots.ownerIncarnation(slot) === nodes.incarnation;
  }

  /** Seals a filled draft. Throws BUSY, POOL_CORRUPT. */
  seal(place: DraftPlace): SealOutcome {
    // Before the lock: it reads every byte. A draft that is still ours under the lock was ours all the time.
    const { segment, slots: all } = this.parts;
    this.sum = segment.survivesRestart && this.isOurs(place) ? all.sumOfDraft(place.slot) : 0;
    return this.guarded(place.shard, () => {
      if (!this.isOurs(place)) return 'lost';
      const { slots, stripes, spaces } = this.parts;
      const { slot, shard } = place;
      slots.verify(slot);
      const local = slot - shard * this.slotsPerShard;
      const flags = slots.flags(slot);
      const stripe = stripes.wordOf(shard, slots.hashHigh(slot));
      // ORDER lease-1: compared under the lock that every invalidation takes; pairs with Domain.lease.
      const moved = (flags & FLAG_LEASED) !== 0 && stripes.count(stripe) !== slots.leaseCount(slot);
      const isDropped = !spaces.isCurrent(slots.space(slot), slots.spaceGeneration(slot));
      const isOutdated = this.versions.isOutdated(slot, stripe);
      if (moved || isDropped || isOutdated) {
        if (isOutdated && (flags & (FLAG_DETACHED | FLAG_LEASED)) === FLAG_DETACHED) {
          stripes.advance(stripe);
          this.versions.endPredecessors(shard, slot, this.identityOf(slot));
        }
        this.reclaimer.undoDraft(shard, local);
        return 'stale';
      }
      return (flags & FLAG_DETACHED) !== 0 ? this.publishDetached(shard, local, stripe) : this.publish(shard, local);
    });
  }

  /** As seal, for a caller who will not try again: a draft that could not be sealed is taken back by upkeep. */
  sealOnce(place: DraftPlace): SealOutcome {
    try {
      return this.seal(place);
    } catch (error) {
      this.leftovers.add(place);
      throw error;
    }
  }

  private publish(shard: number, local: number): SealOutcome {
    const { slots, table } = this.parts;
    const slot = shard * this.slotsPerShard + local;
    if (table.find(shard, slots.hashLow(slot), slots.hashHigh(slot), local) < 0) {
      // A set of the same key took the entry over, or was cut off before it did and repaired (D5): superseded at once.
      this.reclaimer.undoDraft(shard, local);
      return 'sealed';
    }
    this.makeSealed(shard, local);
    this.parts.shards.advancePublish(shard);
    this.parts.events.commit(shard);
    return 'sealed';
  }

  /** State SEALED with everything before it, and the page's place in its queue. Its event is told by the caller. */
  private makeSealed(shard: number, local: number): void {
    const { slots, shards, policies, segment, events } = this.parts;
    const slot = shard * this.slotsPerShard + local;
    events.begin(shard, slot, EVENT_SEALED);
    slots.setPublishSequence(slot, (shards.publishSequence(shard) + 1) | 0);
    slots.stampCheck(slot);
    if (segment.survivesRestart) slots.stampChecksum(slot, this.sum);
    // ORDER seal-1: bytes, sequence and checks before state; pairs with find and repair.
    slots.setState(slot, STATE_SEALED);
    shards.addDrafts(shard, -1);
    if ((slots.flags(slot) & FLAG_RETAINED) !== 0) shards.addRetained(shard, 1);
    else policies[shard]?.insert(local, slots.hashLow(slot));
  }

  private publishDetached(shard: number, local: number, stripe: number): SealOutcome {
    const { slots, stripes, table, shards } = this.parts;
    const slot = shard * this.slotsPerShard + local;
    const leased = (slots.flags(slot) & FLAG_LEASED) !== 0;
    this.versions.adjust(shard, slot, this.identityOf(slot));
    const old = this.findLive(shard, this.identityOf(slot));
    const entryWord = old < 0 ? -1 : table.entryWord;
    const oldState = old < 0 ? 0 : slots.stateWord(shard * this.slotsPerShard + old) & STATE_MASK;
    if (leased && oldState === STATE_SEALED) {
      // Another fill of the same, still valid, page was faster.
      this.reclaimer.undoDraft(shard, local);
      return 'stale';
    }
    if (!leased) stripes.advance(stripe);
    if (slots.from(slot) > 0) stripes.raiseHighest(stripe, slots.from(slot));
    if (old < 0 && !this.enter(shard, local, slots.hashLow(slot), slots.hashHigh(slot))) {
      this.reclaimer.undoDraft(shard, local);
      return 'full';
    }
    // (I2) Before the page is sealed: a crash between the two would let an older version in.
    if (slots.from(slot) > 0) stripes.raiseHighest(stripe, slots.from(slot));
    this.makeSealed(shard, local);
    if (oldState === STATE_SEALED) this.reclaimer.announce(shard, old, REASON_SUPERSEDED);
    // ORDER supersede-1: the old page is retired before the entry names the new one; pairs with isFresh and probe.
    if (old >= 0) table.replace(entryWord, local);
    shards.advancePublish(shard);
    this.parts.events.commit(shard);
    return 'sealed';
  }

  private identityOf(slot: number): DraftFields {
    const { slots } = this.parts;
    const key = slots.keyBytes(slot);
    const [hashLow, hashHigh] = [slots.hashLow(slot), slots.hashHigh(slot)];
    return { ...NO_FIELDS, key, keyLength: key.length, hashLow, hashHigh, from: slots.from(slot) };
  }

  /** The row of the node that has a draft under the key, or -1. A look without the lock. */
  drafterOf(fields: DraftFields): number {
    const { table, slots, shards } = this.parts;
    const shard = shards.ofHash(fields.hashLow);
    table.begin(shard, fields.hashLow, fields.hashHigh);
    for (let local = table.next(); local >= 0; local = table.next()) {
      const slot = shard * this.slotsPerShard + local;
      if ((slots.stateWord(slot) & STATE_MASK) !== STATE_DRAFT) continue;
      if (slots.keyEquals(slot, fields.key, fields.keyLength)) return slots.ownerRow(slot);
    }
    return -1;
  }

  /** Takes a draft of this node back; false when it is no longer there. */
  abort(place: DraftPlace): boolean {
    return this.guarded(place.shard, () => {
      if (!this.isOurs(place)) return false;
      this.reclaimer.undoDraft(place.shard, place.slot - place.shard * this.slotsPerShard);
      return true;
    });
  }

  /**
   * Hides every version of the key and refuses fills under way. With a version, pages of before end there instead of
   * being hidden. True when a live page was there. Throws BUSY.
   */
  remove(fields: DraftFields, version?: number): boolean {
    const { shards, stripes, slots } = this.parts;
    const shard = shards.ofHash(fields.hashLow);
    return this.guarded(shard, () => {
      const stripe = stripes.wordOf(shard, fields.hashHigh);
      stripes.advance(stripe);
      if (version !== undefined) stripes.raiseHighest(stripe, version);
      let found = false;
      for (const local of this.versions.of(shard, fields)) {
        const slot = shard * this.slotsPerShard + local;
        found ||= !this.isOver(slot);
        if (version === undefined || slots.from(slot) >= version) this.reclaimer.retire(shard, local, REASON_DELETED);
        else if (slots.until(slot) > version) this.versions.shorten(shard, local, version);
      }
      if (shards.limbo(shard) > 0 && version === undefined) this.reclaimer.reclaim(shard);
      return found;
    });
  }

  /** Frees at least so many bytes of extents where it can: shards that cannot be had are left out. */
  evict(bytes: number): number {
    const { shards } = this.parts.geometry;
    const passing = new PassOver();
    let freed = 0;
    for (let shard = 0; shard < 2 * shards && freed < bytes; shard++) {
      // Once round for its share of each, once more for what some did not have.
      const share = shard < shards ? Math.ceil((bytes - freed) / (shards - shard)) : bytes - freed;
      const place = shard % shards;
      passing.attempt(place, () => {
        freed += this.guarded(place, () => this.reclaimer.evictBytes(place, share));
      });
    }
    if (freed === 0) passing.tell();
    return freed;
  }
}
