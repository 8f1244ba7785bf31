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
 * Everything but the fill happens under the shard's lock. A fill under a lease moves no count, and supersedes only the same version of
 * its page, of which it is known that it is valid for longer, or a page that has expired and is kept (lifetimes.ts).
 */
import { PoolError } from '../../../lib/errors.js';
import type { Machine } from '../../../lib/machine.js';
import { nextSequence } from '../../../lib/sequence.js';
import type { Words } from '../../../lib/words.js';
import {
  EVENT_SEALED,
  FLAG_DETACHED,
  FLAG_LEASED,
  FLAG_RETAINED,
  type Segment,
  STATE_DRAFT,
  STATE_FREE,
  STATE_MASK,
  STATE_SEALED,
} from '../layout/index.js';
import { REASON_EXPIRED, REASON_SUPERSEDED } from '../near/index.js';
import { type Calls, isBusy } from '../nodes/index.js';
import { type DraftFields, extentBytes, flagsOf, hasKey, Probe, type Stripes } from '../objects/index.js';
import type { CreateOutcome, DraftName, DraftPlace, SealOutcome } from './drafts.js';
import { Evictor } from './evict.js';
import { Leftovers } from './leftovers.js';
import { Lifetimes } from './lifetimes.js';
import { PassOver } from './passing.js';
import { Reclaimer, type ReclaimParts } from './reclaim.js';
import { Removal } from './removal.js';
import { Room } from './room.js';
import { type RunParts, Runs } from './runs.js';
import { Versions } from './versions.js';

/** What of a node it works with. */
export interface WriterParts extends ReclaimParts, RunParts {
  readonly segment: Segment;
  readonly machine: Machine;
  readonly stripes: Stripes;
  readonly words: Words;
  readonly calls: Calls;
}

const STEALS_MAX = 4;
/** Looked at under one hold of a shard's lock, where a range is hidden. */
const SLOTS_A_HOLD = 512;

export class Writer {
  readonly reclaimer: Reclaimer;
  readonly evictor: Evictor;
  readonly leftovers: Leftovers;
  readonly runs: Runs;
  private readonly versions: Versions;
  private readonly lifetimes: Lifetimes;
  private readonly removal: Removal;
  private readonly room: Room;
  private readonly parts: WriterParts;
  private readonly slotsPerShard: number;
  private readonly probe = new Probe();
  /** Of the bytes of the draft that is being sealed. */
  private sum = 0;

  constructor(parts: WriterParts) {
    this.parts = parts;
    this.slotsPerShard = parts.geometry.slotsPerShard;
    this.leftovers = new Leftovers(parts.calls, (place) => this.abort(place));
    this.reclaimer = new Reclaimer(parts);
    this.evictor = new Evictor(parts, this.reclaimer);
    this.runs = new Runs(parts, this.evictor);
    this.versions = new Versions(parts);
    this.lifetimes = new Lifetimes(parts);
    this.room = new Room(parts, this.reclaimer, this.evictor);
    this.removal = new Removal(parts, this.reclaimer, this.versions, (slot) => this.lifetimes.isOver(slot));
  }

  /**
   * Reserves a slot and an extent in state DRAFT. The draft is in hand, counted among the calls under way (Q1), until it is
   * tracked, sealed once or abandoned. Throws OBJECT_TOO_LARGE, BUSY, POOL_CORRUPT.
   */
  create(fields: DraftFields): CreateOutcome {
    const { calls } = this.parts;
    calls.begin();
    let outcome: CreateOutcome;
    try {
      outcome = this.tryShards(fields);
    } catch (error) {
      // A lock that could not be had leaves no draft: there is nothing to take back.
      if (isBusy(error)) calls.end();
      throw error;
    }
    if (typeof outcome === 'string') calls.end();
    return outcome;
  }

  private tryShards(fields: DraftFields): CreateOutcome {
    const { shards, extents, chunks } = this.parts;
    const bytes = extentBytes(fields.size, fields.keyLength, fields.metadata.length, flagsOf(fields));
    extents.checkFits(bytes);
    const shard = shards.ofHash(fields.hashLow);
    for (let steal = 0; steal <= STEALS_MAX; steal++) {
      chunks.busy = undefined;
      const outcome = this.parts.locks.within(shard, () => this.createLocked(shard, fields, bytes, -1));
      if (outcome !== 'full') return outcome;
      if (chunks.busy !== undefined) throw chunks.busy;
      const length = Math.max(1, extents.runLengthOf(bytes));
      const claimed = this.runs.claim(length);
      if (claimed < 0) return 'full';
      try {
        const stolen = this.parts.locks.within(shard, () => this.createLocked(shard, fields, bytes, claimed));
        if (stolen !== 'full') return stolen;
      } finally {
        this.unclaim(claimed, length);
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
    const extent = this.room.reserve(shard, bytes, live >= 0 ? 1 : 0, claimed);
    if (extent === undefined) return 'full';
    const local = shards.popFree(shard);
    const slot = shard * this.slotsPerShard + local;
    if ((slots.stateWord(slot) & STATE_MASK) !== STATE_FREE) throw shards.corrupt(shard);
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
      this.parts.slots.transition(shard * this.slotsPerShard + local, STATE_DRAFT, STATE_FREE);
      throw error;
    }
  }

  private enter(shard: number, local: number, hashLow: number, hashHigh: number): boolean {
    const { table } = this.parts;
    if (table.insert(shard, hashLow, hashHigh, local)) return true;
    return this.evictor.clearWay(shard, hashLow) && table.insert(shard, hashLow, hashHigh, local);
  }

  /**
   * The local slot of the live object or draft with this key and from-version, or -1; `this.probe` stands at its
   * entry. What it meets that has expired, was dropped or lost its owner is cleaned away.
   */
  private findLive(shard: number, fields: DraftFields): number {
    const { table, slots, nodes } = this.parts;
    const { probe } = this;
    for (let restart = 0; restart < this.slotsPerShard; restart++) {
      let cleaned = false;
      table.begin(probe, shard, fields.hashLow, fields.hashHigh);
      for (let local = table.next(probe); local >= 0; local = table.next(probe)) {
        const slot = shard * this.slotsPerShard + local;
        const state = slots.stateWord(slot) & STATE_MASK;
        if (!hasKey(state)) continue;
        if (!slots.keyEquals(slot, fields.key, fields.keyLength) || slots.from(slot) !== fields.from) continue;
        if (state === STATE_DRAFT && nodes.isGone(slots.ownerRow(slot), slots.ownerIncarnation(slot))) {
          this.reclaimer.undoDraft(shard, local);
          cleaned = true;
        } else if (state === STATE_SEALED && this.lifetimes.isEnded(slot)) {
          this.reclaimer.retire(shard, local, REASON_EXPIRED, probe.entryWord);
          cleaned = true;
        } else if (
          state === STATE_DRAFT &&
          this.lifetimes.isOfDropped(slot) &&
          (slots.flags(slot) & FLAG_LEASED) !== 0
        ) {
          this.removal.takeKey(shard, local);
          cleaned = true;
        } else return local;
        break;
      }
      if (!cleaned) return -1;
    }
    return -1;
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
    const { segment, slots, stripes, spaces } = this.parts;
    this.sum = segment.survivesRestart && this.isOurs(place) ? slots.sumOfDraft(place.slot) : 0;
    return this.parts.locks.within(place.shard, () => {
      if (!this.isOurs(place)) return 'lost';
      const { slot, shard } = place;
      slots.verify(slot);
      const local = slot - shard * this.slotsPerShard;
      const flags = slots.flags(slot);
      const stripe = stripes.wordOf(shard, slots.hashHigh(slot));
      // ORDER lease-1: compared under the lock that every invalidation takes; pairs with Domain.lease.
      const moved = (flags & FLAG_LEASED) !== 0 && stripes.count(stripe) !== slots.leaseCount(slot);
      const isDropped = !spaces.isCurrent(slots.space(slot), slots.spaceGeneration(slot));
      const isOutdated = this.versions.isOutdated(shard, slot);
      if (moved || isDropped || isOutdated || this.lifetimes.isOvertaken(slot)) {
        if (isOutdated && (flags & (FLAG_DETACHED | FLAG_LEASED)) === FLAG_DETACHED) {
          stripes.advance(stripe);
          this.versions.endPredecessors(shard, slot, this.versions.identityOf(slot));
        }
        this.reclaimer.undoDraft(shard, local);
        return 'stale';
      }
      return (flags & FLAG_DETACHED) !== 0 ? this.publishDetached(shard, local, stripe) : this.publish(shard, local);
    });
  }

  /** As seal, for a draft in hand, once: one that could not be sealed is taken back by upkeep. */
  sealOnce(place: DraftPlace): SealOutcome {
    try {
      const outcome = this.seal(place);
      this.parts.calls.end();
      return outcome;
    } catch (error) {
      this.leftovers.add(place);
      throw error;
    }
  }

  private publish(shard: number, local: number): SealOutcome {
    const { slots, table } = this.parts;
    const slot = shard * this.slotsPerShard + local;
    const entry = table.find(this.probe, shard, slots.hashLow(slot), slots.hashHigh(slot), local);
    if (entry < 0 && !this.takeKeyAgain(shard, local)) {
      // A set of the same key took the entry over, or was cut off before it did and repaired (D5): superseded at once.
      this.reclaimer.undoDraft(shard, local);
      return 'sealed';
    }
    this.makeSealed(shard, local);
    this.parts.shards.advancePublish(shard);
    this.parts.events.commit(shard);
    return 'sealed';
  }

  /** (V2) A claim that was ended while its lease held is as good as it was, where nobody else has taken its key. */
  private takeKeyAgain(shard: number, local: number): boolean {
    const { slots } = this.parts;
    const slot = shard * this.slotsPerShard + local;
    if ((slots.flags(slot) & FLAG_LEASED) === 0 || this.findLive(shard, this.versions.identityOf(slot)) >= 0)
      return false;
    return this.enter(shard, local, slots.hashLow(slot), slots.hashHigh(slot));
  }

  /** State SEALED with everything before it, and the page's place in its queue. Its event is told by the caller. */
  private makeSealed(shard: number, local: number): void {
    const { slots, shards, policies, segment, events } = this.parts;
    const slot = shard * this.slotsPerShard + local;
    this.versions.raiseHighest(slot);
    events.begin(shard, slot, EVENT_SEALED);
    slots.setPublishSequence(slot, nextSequence(shards.publishSequence(shard)));
    slots.stampCheck(slot);
    if (segment.survivesRestart) slots.stampChecksum(slot, this.sum);
    // ORDER seal-1: bytes, sequence and checks before state; pairs with find and repair.
    slots.transition(slot, STATE_DRAFT, STATE_SEALED);
    shards.addDrafts(shard, -1);
    if ((slots.flags(slot) & FLAG_RETAINED) !== 0) shards.addRetained(shard, 1);
    else policies[shard]?.insert(local, slots.hashLow(slot));
  }

  private publishDetached(shard: number, local: number, stripe: number): SealOutcome {
    const { slots, stripes, table, shards } = this.parts;
    const slot = shard * this.slotsPerShard + local;
    const leased = (slots.flags(slot) & FLAG_LEASED) !== 0;
    const identity = this.versions.identityOf(slot);
    this.versions.adjust(shard, slot, identity);
    const old = this.findLive(shard, identity);
    const entryWord = old < 0 ? -1 : this.probe.entryWord;
    const oldState = old < 0 ? 0 : slots.stateWord(shard * this.slotsPerShard + old) & STATE_MASK;
    if (leased && oldState === STATE_SEALED && !this.lifetimes.isBetter(slot, shard * this.slotsPerShard + old)) {
      // Another fill of the same, still valid, page was faster.
      this.reclaimer.undoDraft(shard, local);
      return 'stale';
    }
    if (!leased) stripes.advance(stripe);
    if (old < 0 && !this.enter(shard, local, slots.hashLow(slot), slots.hashHigh(slot))) {
      this.reclaimer.undoDraft(shard, local);
      return 'full';
    }
    this.makeSealed(shard, local);
    if (oldState === STATE_SEALED) this.reclaimer.announceEnd(shard, old, REASON_SUPERSEDED);
    // ORDER supersede-1: the old page is retired before the entry names the new one; pairs with isFresh and lookUp.
    if (old >= 0) table.replace(entryWord, local);
    if (oldState === STATE_SEALED) this.reclaimer.awaitFence(shard);
    shards.advancePublish(shard);
    this.parts.events.commit(shard);
    return 'sealed';
  }

  /** Takes a draft of this node back; false when it is no longer there. */
  abort(place: DraftPlace): boolean {
    return this.parts.locks.within(place.shard, () => {
      if (!this.isOurs(place)) return false;
      this.reclaimer.undoDraft(place.shard, place.slot - place.shard * this.slotsPerShard);
      return true;
    });
  }

  /**
   * Hides every version of the key, refuses fills under way and ends claims. With a version, pages of before end there
   * instead of being hidden. True when a live page was there. Throws BUSY.
   */
  remove(fields: DraftFields, version?: number): boolean {
    const shard = this.parts.shards.ofHash(fields.hashLow);
    return this.parts.locks.within(shard, () => this.removal.remove(shard, fields, version));
  }

  /** Retires ended versions of the key that answer none of `inUse`; how many. Throws BUSY. */
  retireEnded(fields: DraftFields, inUse: readonly number[]): number {
    const shard = this.parts.shards.ofHash(fields.hashLow);
    return this.parts.locks.within(shard, () => this.removal.retireEnded(shard, fields, inUse));
  }

  retireExpired(fields: DraftFields): void {
    const shard = this.parts.shards.ofHash(fields.hashLow);
    this.parts.locks.within(shard, () => this.removal.retireExpired(shard, fields));
  }

  /** Hides what the page, for which there is no room, would have superseded. Throws BUSY. */
  hideSuperseded(fields: DraftFields): void {
    const shard = this.parts.shards.ofHash(fields.hashLow);
    this.parts.locks.within(shard, () => this.removal.hideSuperseded(shard, fields));
  }

  /**
   * As remove, for every key of the space that `isWanted`, in time that depends on what the pool holds, and with no lock held for
   * longer than some slots take. Throws BUSY.
   */
  removeWhere(space: number, isWanted: (key: Uint8Array) => boolean): void {
    const { slotsPerShard, parts } = this;
    for (let shard = 0; shard < parts.geometry.shards; shard++) {
      for (let first = 0; first < slotsPerShard; first += SLOTS_A_HOLD) {
        const end = Math.min(first + SLOTS_A_HOLD, slotsPerShard);
        parts.locks.within(shard, () => this.removal.removeWhere(shard, space, isWanted, first, end));
      }
    }
  }

  /** Ends the claim of a load, of whatever node; false where the draft is none. Throws BUSY. */
  endClaim(draft: DraftName): boolean {
    const shard = this.parts.shards.of(draft.slot);
    return this.parts.locks.within(shard, () => this.removal.endClaim(shard, draft));
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
        freed += this.parts.locks.within(place, () => this.evictor.evictBytes(place, share));
      });
    }
    if (freed === 0) passing.tell();
    return freed;
  }
}
