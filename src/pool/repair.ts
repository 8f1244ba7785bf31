/**
 * Repair: a shard's derived state is rebuilt from its slots, by whoever took its lock from a dead owner or found it
 * left half-done. Rebuilding, never guessing.
 *
 * (D1) before anything is freed every node is made to forget the shard: the retire sequence goes past the ring. A death
 *      between RETIRED and the sequence would otherwise leave near hits on memory that is reused. And again after the
 *      repair itself has retired, before anything tells of the page that stays: a page may have been remembered between.
 * (D2) every fill under way in the shard is refused: its lease may be from before a change that was cut off.
 * (D3) drafts of dead nodes are undone; of two sealed slots with one key and from-version the one published later stays;
 *      retired ones stay in limbo until a scan finds them free.
 * (D4) a damaged slot is dropped, not believed.
 * (D5) a draft over which a page was set has no entry, and gets none: its seal finds that and undoes it.
 * (D6) a damaged slot that a node holds cannot be dropped: nobody knows what else lies where its page does. Then the repair
 *      throws, and the shard takes no writes until the page is let go.
 *
 * Each step may be cut off anywhere and is done again from the start: the lock stays dirty until all of them are through.
 */
import { PoolError } from '../../lib/errors.js';
import { lockCount } from './geometry.js';
import {
  EVENT_EVICTED,
  FLAG_DETACHED,
  FLAG_RETAINED,
  STATE_DRAFT,
  STATE_FREE,
  STATE_MASK,
  STATE_RETIRED,
  STATE_SEALED,
} from './layout.js';
import type { Parts } from './parts.js';
import type { Reclaimer } from './reclaim.js';

export class Repair {
  private readonly parts: Parts;
  private readonly reclaimer: Reclaimer;
  private readonly slotsPerShard: number;
  /**
   * Of the shard under repair, each slot's state and hashes: nobody else changes them now, and a node's first repair is
   * cold code, to which each look at shared memory is dear.
   */
  private readonly states: Uint8Array;
  private readonly lows: Int32Array;
  private readonly highs: Int32Array;
  /** Drafts of the shard under repair over which a page was set. */
  private readonly displaced = new Set<number>();
  /** Pages of the shard under repair that the table had no room for. */
  private readonly squeezedOut: number[] = [];

  constructor(parts: Parts, reclaimer: Reclaimer) {
    this.parts = parts;
    this.reclaimer = reclaimer;
    this.slotsPerShard = parts.geometry.slotsPerShard;
    this.states = new Uint8Array(this.slotsPerShard);
    this.lows = new Int32Array(this.slotsPerShard);
    this.highs = new Int32Array(this.slotsPerShard);
  }

  /** Repairs what the lock guards. Called with the lock held. */
  repair(lock: number): void {
    const { shards } = this.parts.geometry;
    if (lock < shards) this.repairShard(lock);
    else if (lock === shards) this.parts.chunks.repair();
    else if (lock === shards + 1) this.parts.spaces.repair();
    else if (lock === shards + 3) this.parts.checkpoints.repair();
  }

  private repairShard(shard: number): void {
    const { log, shards, stripes, extents, policies, events, bells } = this.parts;
    // ORDER retire-1: the sequence goes past the ring before anything is freed; pairs with announce.
    log.overrun(shard);
    stripes.advanceAll(shard);
    shards.reset(shard);
    extents.resetShard(shard);
    policies[shard]?.reset();
    for (let local = 0; local < this.slotsPerShard; local++) this.settleSlot(shard, local);
    this.retireOlderTwins(shard);
    // ORDER retire-1: and before an entry names the newer twin: a reader may have remembered the older one; pairs with catchUp.
    log.overrun(shard);
    this.rebuildTable(shard);
    // ORDER retire-1: once more for what was retired since: a reader may have remembered it meanwhile; pairs with catchUp.
    log.overrun(shard);
    this.rebuildLists(shard);
    extents.settleShard(shard);
    shards.advancePublish(shard);
    events.recover(shard);
    for (const local of this.squeezedOut) {
      events.begin(shard, this.slotOf(shard, local), EVENT_EVICTED);
      events.commit(shard);
    }
    bells.noteAll();
  }

  private slotOf(shard: number, local: number): number {
    return shard * this.slotsPerShard + local;
  }

  private retire(shard: number, local: number): void {
    this.parts.slots.setState(this.slotOf(shard, local), STATE_RETIRED);
    this.states[local] = STATE_RETIRED;
  }

  /**
   * Undoes drafts of the dead, drops what is damaged, and marks the extents of the rest.
   * ORDER draft-1: a draft's fields were stored before its state, so they are trusted; pairs with writeDraft.
   */
  private settleSlot(shard: number, local: number): void {
    const { slots, nodes, extents } = this.parts;
    const slot = this.slotOf(shard, local);
    const state = slots.stateWord(slot) & STATE_MASK;
    this.states[local] = state;
    if (state === STATE_FREE) return;
    this.lows[local] = slots.hashLow(slot);
    this.highs[local] = slots.hashHigh(slot);
    const isKnown = state === STATE_DRAFT || state === STATE_SEALED || state === STATE_RETIRED;
    const isIntact = isKnown && slots.isIntact(slot);
    const isOrphan = state === STATE_DRAFT && nodes.isGone(slots.ownerRow(slot), slots.ownerIncarnation(slot));
    const stays = isIntact && !isOrphan && extents.claimForRepair(shard, slots.extent(slot), slots.extentBytes(slot));
    if (stays) return;
    if (state !== STATE_DRAFT) this.refuseIfHeld(shard, local);
    slots.setFree(slot);
    this.states[local] = STATE_FREE;
  }

  /** (D6) */
  private refuseIfHeld(shard: number, local: number): void {
    const { slots, scan, table, log } = this.parts;
    const slot = this.slotOf(shard, local);
    // ORDER hazard-1: no entry and no page any more before the scan; pairs with probe.
    table.repair(shard, (other) => (other === local ? -1 : other));
    slots.setState(slot, STATE_RETIRED);
    // ORDER retire-1: a reader may have remembered it since the shard's repair began; pairs with catchUp.
    log.overrun(shard);
    scan.scan(shard);
    if (!scan.isHeld(local)) return;
    throw new PoolError('POOL_CORRUPT', `The metadata of slot ${slot}, whose page a node holds, are damaged.`, {
      slot,
    });
  }

  private retireOlderTwins(shard: number): void {
    const { slots } = this.parts;
    const { states, highs } = this;
    // Sealed slots of one hash, each leading to the next.
    const first = new Map<number, number>();
    const next = new Int32Array(this.slotsPerShard);
    const sealedTwin = (local: number) => {
      let other = first.get(highs[local] as number) ?? -1;
      while (other >= 0 && !(states[other] === STATE_SEALED && this.isTwin(shard, local, other)))
        other = next[other] as number;
      return other;
    };
    const drafts: number[] = [];
    for (let local = 0; local < this.slotsPerShard; local++) {
      if (states[local] === STATE_DRAFT) drafts.push(local);
      if (states[local] !== STATE_SEALED) continue;
      const twin = sealedTwin(local);
      if (twin >= 0) {
        const since =
          slots.publishSequence(this.slotOf(shard, local)) - slots.publishSequence(this.slotOf(shard, twin));
        const isNewer = (since | 0) > 0;
        this.retire(shard, isNewer ? twin : local);
        if (!isNewer) continue;
      }
      next[local] = first.get(highs[local] as number) ?? -1;
      first.set(highs[local] as number, local);
    }
    this.displaced.clear();
    for (const local of drafts) if (sealedTwin(local) >= 0) this.displaced.add(local);
  }

  private isTwin(shard: number, one: number, other: number): boolean {
    const { slots } = this.parts;
    if (this.lows[one] !== this.lows[other] || this.highs[one] !== this.highs[other]) return false;
    if (slots.from(this.slotOf(shard, one)) !== slots.from(this.slotOf(shard, other))) return false;
    const key = slots.keyBytes(this.slotOf(shard, one));
    return slots.keyEquals(this.slotOf(shard, other), key, key.length);
  }

  /** Whether the slot has an entry in its bucket: sealed pages, and drafts that hold their key. */
  private isEntered(shard: number, local: number): boolean {
    const state = this.states[local];
    if (state === STATE_SEALED) return true;
    if (state !== STATE_DRAFT || this.displaced.has(local)) return false;
    return (this.parts.slots.flags(this.slotOf(shard, local)) & FLAG_DETACHED) === 0;
  }

  /**
   * The slot that an entry naming this one is to name: itself, or the page that took its key, which has no other entry when
   * its writer was cut off before that; -1 for none. By one store, as no reader may miss the key meanwhile.
   */
  private successorOf(shard: number, local: number): number {
    if (this.isEntered(shard, local)) return local;
    if (this.states[local] !== STATE_RETIRED) return -1;
    for (let other = 0; other < this.slotsPerShard; other++) {
      if (this.states[other] === STATE_SEALED && this.isTwin(shard, local, other)) return other;
    }
    return -1;
  }

  private rebuildTable(shard: number): void {
    const { table } = this.parts;
    const { lows, highs, states } = this;
    const entered = new Uint8Array(this.slotsPerShard);
    this.squeezedOut.length = 0;
    const hashOf = (local: number) => lows[local] as number;
    table.repair(shard, (local, tag, entryWord) => {
      const isInPlace = tag === highs[local] && table.isReachable(shard, hashOf(local), entryWord);
      const settled = isInPlace ? this.successorOf(shard, local) : -1;
      if (settled < 0 || entered[settled] === 1) return -1;
      entered[settled] = 1;
      return settled;
    });
    table.recount(shard, hashOf);
    for (let local = 0; local < this.slotsPerShard; local++) {
      // A living node's draft without an entry was displaced by a set: its seal finds that out.
      if (entered[local] === 1 || states[local] !== STATE_SEALED) continue;
      if (table.insert(shard, hashOf(local), highs[local] as number, local)) continue;
      this.retire(shard, local);
      this.squeezedOut.push(local);
    }
  }

  private rebuildLists(shard: number): void {
    const { slots, shards, policies } = this.parts;
    const newest = shards.publishSequence(shard);
    // One number for each sealed page, as typed arrays are sorted natively: a node's first repair is cold code.
    const sealed = new Float64Array(this.slotsPerShard);
    const counts = { sealed: 0, live: 0, drafts: 0, retained: 0 };
    for (let local = this.slotsPerShard - 1; local >= 0; local--) {
      const state = this.states[local];
      if (state === STATE_FREE) shards.pushFree(shard, local);
      else if (state === STATE_RETIRED) shards.pushLimbo(shard, local);
      else counts.live++;
      if (state === STATE_DRAFT) counts.drafts++;
      if (state !== STATE_SEALED) continue;
      const slot = this.slotOf(shard, local);
      const age = (slots.publishSequence(slot) - newest) | 0;
      if ((slots.flags(slot) & FLAG_RETAINED) !== 0) counts.retained++;
      else sealed[counts.sealed++] = age * this.slotsPerShard + local;
    }
    shards.addLive(shard, counts.live);
    shards.addDrafts(shard, counts.drafts);
    shards.addRetained(shard, counts.retained);
    for (const place of sealed.subarray(0, counts.sealed).sort()) {
      const local = place - Math.floor(place / this.slotsPerShard) * this.slotsPerShard;
      policies[shard]?.insert(local, this.lows[local] as number);
    }
  }

  /** Undoes everything a dead node of the row left, and gives the row back. */
  cleanRow(row: number): void {
    const { nodes, locks, geometry, chunks, bells } = this.parts;
    const incarnation = nodes.incarnationOf(row);
    // Since it was found dead, somebody may have cleaned it and a new node may have joined: that one is not ours to clean.
    if (!nodes.isTaken(row) || !nodes.isDead(row, true)) return;
    for (let lock = 0; lock < lockCount(geometry); lock++) if (locks.ownerOf(lock) === row) locks.recover(lock);
    this.undoDraftsOf(row, incarnation);
    chunks.unclaimRow(row);
    const nodeLock = geometry.shards + 2;
    locks.acquire(nodeLock);
    if (nodes.incarnationOf(row) === incarnation) {
      bells.clearRow(row);
      nodes.markCleaned(row, incarnation);
    }
    // It may have died between what it published and the bells.
    bells.noteAll();
    locks.release(nodeLock);
  }

  /**
   * Undoes the drafts of the row that belong to a node that is gone: to the incarnation given, which the caller found
   * dead by whatever authority, or to one of which a look at the shared words tells.
   */
  undoDraftsOf(row: number, deadIncarnation?: number): void {
    const { geometry, slots, locks, nodes } = this.parts;
    const isOrphan = (slot: number) =>
      (slots.stateWord(slot) & STATE_MASK) === STATE_DRAFT &&
      slots.ownerRow(slot) === row &&
      (slots.ownerIncarnation(slot) === deadIncarnation || nodes.isGone(row, slots.ownerIncarnation(slot)));
    for (let shard = 0; shard < geometry.shards; shard++) {
      let local = 0;
      while (local < this.slotsPerShard && !isOrphan(this.slotOf(shard, local))) local++;
      if (local === this.slotsPerShard) continue;
      locks.acquire(shard);
      try {
        for (; local < this.slotsPerShard; local++) {
          if (isOrphan(this.slotOf(shard, local))) this.reclaimer.undoDraft(shard, local);
        }
      } catch (error) {
        locks.releaseDirty(shard);
        throw error;
      }
      locks.release(shard);
    }
  }
}
