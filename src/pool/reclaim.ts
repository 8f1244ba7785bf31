/**
 * The way out of the pool: retire, reclaim, evict. Everything here runs under the shard's lock.
 *
 * (A1) retire: slot state, then ring record and sequence, then the bucket entry. From the state on nobody remembers the
 *      page, from the sequence on no near hit, and from the entry on no table lookup answers with it.
 * (A2) reclaim: only after all of that are the hazards scanned; what no counted node holds is free, the rest waits in
 *      limbo for the next scan. One scan serves the whole limbo list.
 * (A3) eviction passes over pages that a scan found held. It works in small batches, so that one scan serves many.
 * (A4) where the victims left no room in one piece, the cheapest piece of a victim's chunk is cleared, or where that
 *      cannot be, of any chunk of the shard. So memory follows the sizes of the workload, and the policy says where.
 *
 * A crash between any two stores: the lock's owner is dead, and repair finishes from the slots (see repair.ts).
 */
import { Clearings } from './clearing.js';
import {
  CHUNK_SHARED,
  EVENT_DELETED,
  EVENT_EVICTED,
  FLAG_RETAINED,
  NO_EXTENT,
  STATE_FREE,
  STATE_MASK,
  STATE_RETIRED,
  STATE_SEALED,
} from './layout.js';
import { counterIndex, type Parts } from './parts.js';
import { REASON_DELETED, REASON_EVICTED, REASON_EXPIRED, REASON_SUPERSEDED } from './retirelog.js';

const BATCH_MAX = 32;
/** A batch takes at most this part of the shard's objects, where they are counted; of its bytes, where those are. */
const BATCH_PART = 512;
const BYTES_PART = 128;

export class Reclaimer {
  private readonly parts: Parts;
  private readonly slotsPerShard: number;
  private readonly isHeld: (local: number) => boolean;
  private readonly clearings: Clearings;

  constructor(parts: Parts) {
    this.parts = parts;
    this.slotsPerShard = parts.geometry.slotsPerShard;
    this.isHeld = (local) => parts.scan.isHeld(local);
    this.clearings = new Clearings(parts.slots, parts.extents, this.slotsPerShard, this.isHeld);
  }

  /** Hides a sealed page from every later get and puts it into limbo. `entryWord` is its bucket entry where known. */
  retire(shard: number, local: number, reason: number, entryWord = -1): void {
    const { slots, table, events } = this.parts;
    const slot = shard * this.slotsPerShard + local;
    this.announce(shard, local, reason);
    const hashLow = slots.hashLow(slot);
    const entry = entryWord >= 0 ? entryWord : table.find(shard, hashLow, slots.hashHigh(slot), local);
    if (entry >= 0) table.remove(shard, hashLow, entry);
    // Nobody is told of an end that the table does not know yet.
    if (reason !== REASON_SUPERSEDED) events.commit(shard);
  }

  /** The first half of retire, for a page whose bucket entry a successor takes over. */
  announce(shard: number, local: number, reason: number): void {
    const { slots, log, shards, policies, events } = this.parts;
    const slot = shard * this.slotsPerShard + local;
    slots.verify(slot);
    const isTold = reason !== REASON_SUPERSEDED;
    if (isTold) events.begin(shard, slot, reason === REASON_DELETED ? EVENT_DELETED : EVENT_EVICTED);
    // ORDER hazard-1: state, record and sequence before any scan; pairs with isFresh and probe.
    // ORDER retire-1: state before record and sequence, those before the bucket entry; pairs with the overrun of repair.
    slots.setState(slot, STATE_RETIRED);
    log.append(shard, slot, slots.generation(slot), reason);
    policies[shard]?.remove(local);
    if ((slots.flags(slot) & FLAG_RETAINED) !== 0) shards.addRetained(shard, -1);
    shards.addLive(shard, -1);
    shards.pushLimbo(shard, local);
  }

  /** Takes a draft away: its key and its space are free again. */
  undoDraft(shard: number, local: number): void {
    const { slots, table, shards, bells } = this.parts;
    const slot = shard * this.slotsPerShard + local;
    const entry = table.find(shard, slots.hashLow(slot), slots.hashHigh(slot), local);
    if (entry >= 0) table.remove(shard, slots.hashLow(slot), entry);
    shards.addLive(shard, -1);
    shards.addDrafts(shard, -1);
    const tag = slots.hashHigh(slot);
    this.free(shard, local);
    // Whoever waits for the end of a draft looks whether this has moved.
    shards.advancePublish(shard);
    bells.note(tag);
  }

  private free(shard: number, local: number): void {
    const { slots, extents, shards } = this.parts;
    const slot = shard * this.slotsPerShard + local;
    slots.verify(slot);
    const extent = slots.extent(slot);
    const bytes = slots.extentBytes(slot);
    slots.setFree(slot);
    extents.free(shard, extent, bytes);
    shards.pushFree(shard, local);
  }

  /** Scans the hazards and frees what nobody holds of the limbo list. Returns how many slots became free. */
  reclaim(shard: number): number {
    this.parts.scan.scan(shard);
    return this.freeLimbo(shard);
  }

  private freeLimbo(shard: number): number {
    const { shards, scan } = this.parts;
    if (shards.limbo(shard) === 0) return 0;
    let freed = 0;
    for (const local of shards.takeLimbo(shard)) {
      if (this.stateOf(shard, local) !== STATE_RETIRED) throw shards.corrupt(shard);
      if (scan.isHeld(local)) shards.pushLimbo(shard, local);
      else {
        this.free(shard, local);
        freed++;
      }
    }
    return freed;
  }

  private stateOf(shard: number, local: number): number {
    return this.parts.slots.stateWord(shard * this.slotsPerShard + local) & STATE_MASK;
  }

  /**
   * Makes progress towards room for one object: where `overCapacity`, objects are evicted until there is a place under the
   * capacity; where it has bytes, until an extent for them may be free. What waits in limbo is freed first, and is enough
   * for a slot or an extent; one scan serves both. False when nothing could be moved. Call again until it fits.
   */
  makeRoom(shard: number, bytes: number, overCapacity: boolean): boolean {
    const { scan, touchDrain, policies, shards } = this.parts;
    scan.scan(shard);
    const freed = this.freeLimbo(shard);
    if (freed > 0 && !overCapacity) return true;
    const policy = policies[shard];
    if (policy === undefined) return false;
    touchDrain.drain(shard, policy);
    if (bytes > 0) return this.evictFor(shard, bytes);
    if (this.evictObjects(shard, this.batchOf(shard)) === 0) return freed > 0;
    if (!shards.hasFreeSlot(shard)) this.reclaim(shard);
    return true;
  }

  private batchOf(shard: number): number {
    return Math.min(BATCH_MAX, Math.max(1, Math.floor(this.parts.shards.capacity(shard) / BATCH_PART)));
  }

  /** Retires up to `count` victims of the policy. A scan has been made. */
  private evictObjects(shard: number, count: number): number {
    let evicted = 0;
    while (evicted < count && this.evictOne(shard) >= 0) evicted++;
    return evicted;
  }

  /** Retires one victim; its local slot, or -1. */
  private evictOne(shard: number, isPassedOver = this.isHeld): number {
    const policy = this.parts.policies[shard];
    if (policy === undefined) return -1;
    for (let tries = 0; tries < this.slotsPerShard; tries++) {
      const local = policy.evict(isPassedOver);
      if (local < 0) return -1;
      if (this.stateOf(shard, local) !== STATE_SEALED) continue;
      this.retire(shard, local, REASON_EVICTED);
      this.countEviction();
      return local;
    }
    return -1;
  }

  /** For a victim whose bytes are wanted: held pages are passed over, and empty ones, which have none. */
  private givesNoBytes(shard: number): (local: number) => boolean {
    const { slots } = this.parts;
    return (local) => this.isHeld(local) || slots.extent(shard * this.slotsPerShard + local) === NO_EXTENT;
  }

  private countEviction(): void {
    const { counters, geometry, nodes } = this.parts;
    counters.add(counterIndex(geometry, nodes.self, 'evictions'), 1);
  }

  /** Evicts until there may be an extent for so many bytes: a batch, while each victim leaves room for one object. */
  private evictFor(shard: number, bytes: number): boolean {
    const { extents, slots, shards } = this.parts;
    const granules = extents.granulesOf(bytes);
    const batch = Math.min(BATCH_MAX, Math.max(1, Math.floor(shards.granules(shard) / BYTES_PART / granules)));
    const wanted = batch * granules;
    const chunks = new Set<number>();
    let evicted = 0;
    for (let freed = 0; freed < wanted && evicted < BATCH_MAX; ) {
      const local = this.evictOne(shard, this.givesNoBytes(shard));
      if (local < 0) break;
      evicted++;
      const slot = shard * this.slotsPerShard + local;
      chunks.add(extents.chunkOf(slots.extent(slot)));
      const victim = extents.granulesOf(slots.extentBytes(slot));
      if (victim < granules) break;
      freed += victim;
    }
    if (evicted === 0) return false;
    this.reclaim(shard);
    if (extents.hasRoom(shard, bytes)) return true;
    return this.clear(shard, bytes, (chunk) => chunks.has(chunk)) || this.clear(shard, bytes, () => true);
  }

  /** Clears room in one piece in one of the shard's chunks; false when none could be. A scan has been made. */
  private clear(shard: number, bytes: number, isWanted: (chunk: number) => boolean): boolean {
    const { chunks, geometry } = this.parts;
    const locals = this.clearings.find(shard, bytes, (chunk) => {
      const isOwn = chunk < geometry.chunks && chunks.kind(chunk) === CHUNK_SHARED && chunks.shard(chunk) === shard;
      return isOwn && isWanted(chunk) && !chunks.isClaimed(chunk);
    });
    if (locals === undefined) return false;
    for (const local of locals) {
      this.retire(shard, local, REASON_EVICTED);
      this.countEviction();
    }
    this.reclaim(shard);
    return true;
  }

  /** Retires every evictable page of the shard that lies in the chunks. A scan has been made. Returns how many. */
  private retireIn(shard: number, first: number, count: number): number {
    const { slots, scan } = this.parts;
    let retired = 0;
    for (let local = 0; local < this.slotsPerShard; local++) {
      if (!this.liesIn(shard, local, first, count) || this.stateOf(shard, local) !== STATE_SEALED) continue;
      const slot = shard * this.slotsPerShard + local;
      if ((slots.flags(slot) & FLAG_RETAINED) !== 0 || scan.isHeld(local)) continue;
      this.retire(shard, local, REASON_EVICTED);
      this.countEviction();
      retired++;
    }
    return retired;
  }

  private liesIn(shard: number, local: number, first: number, count: number): boolean {
    const { slots, extents } = this.parts;
    const slot = shard * this.slotsPerShard + local;
    if ((slots.stateWord(slot) & STATE_MASK) === STATE_FREE) return false;
    const extent = slots.extent(slot);
    if (extent === NO_EXTENT) return false;
    const chunk = extents.chunkOf(extent);
    if (chunk >= first + count) return false;
    if (chunk >= first) return true;
    return chunk + extents.runLengthOf(slots.extentBytes(slot)) > first;
  }

  /** Whether something of the shard in the chunks cannot be moved. A scan has been made, and limbo drained. */
  private isBlocked(shard: number, first: number, count: number): boolean {
    const { slots, scan, geometry } = this.parts;
    for (let local = 0; local < this.slotsPerShard; local++) {
      if (!this.liesIn(shard, local, first, count)) continue;
      if (this.stateOf(shard, local) !== STATE_SEALED || geometry.eviction === 'none' || scan.isHeld(local))
        return true;
      if ((slots.flags(shard * this.slotsPerShard + local) & FLAG_RETAINED) !== 0) return true;
    }
    return false;
  }

  /** Empties the shard's part of the chunks. False when a draft, a retained or a held page is in the way. */
  emptyChunks(shard: number, first: number, count: number): boolean {
    const { chunks } = this.parts;
    this.reclaim(shard);
    // Nothing is given up for a place that cannot be had.
    if (this.isBlocked(shard, first, count)) return false;
    this.retireIn(shard, first, count);
    this.reclaim(shard);
    for (let chunk = first; chunk < first + count; chunk++) {
      const kind = chunks.kind(chunk);
      if (kind >= CHUNK_SHARED && chunks.shard(chunk) === shard) return false;
    }
    return true;
  }

  /** Evicts from the shard until so many bytes of extents are free. Returns the bytes freed. */
  evictBytes(shard: number, bytes: number): number {
    const { scan, touchDrain, policies, slots, extents, shards, geometry } = this.parts;
    const policy = policies[shard];
    if (policy === undefined) return 0;
    const before = shards.granules(shard);
    scan.scan(shard);
    this.freeLimbo(shard);
    touchDrain.drain(shard, policy);
    let retired = 0;
    while (retired < bytes) {
      const local = this.evictOne(shard, this.givesNoBytes(shard));
      if (local < 0) break;
      retired += extents.occupiedBytes(slots.extentBytes(shard * this.slotsPerShard + local));
    }
    this.reclaim(shard);
    return Math.max(0, before - shards.granules(shard)) * geometry.granuleBytes;
  }

  /** Retires what has expired or belongs to a dropped space, and drains limbo. Returns how many pages it retired. */
  sweep(shard: number, nowMs: number): number {
    const { slots, spaces } = this.parts;
    let retired = 0;
    for (let local = 0; local < this.slotsPerShard; local++) {
      const slot = shard * this.slotsPerShard + local;
      if (this.stateOf(shard, local) !== STATE_SEALED) continue;
      const expiry = slots.expiry(slot);
      const over = expiry !== 0 && expiry <= nowMs;
      if (!over && spaces.isCurrent(slots.space(slot), slots.spaceGeneration(slot))) continue;
      this.retire(shard, local, REASON_EXPIRED);
      retired++;
    }
    this.reclaim(shard);
    return retired;
  }

  /** Makes a place in the buckets that an entry of this hash can reach, by retiring a page there. */
  clearWay(shard: number, hashLow: number): boolean {
    const { table, slots, scan } = this.parts;
    scan.scan(shard);
    let victim = -1;
    table.inReach(shard, hashLow, (local) => {
      const slot = shard * this.slotsPerShard + local;
      const evictable = this.stateOf(shard, local) === STATE_SEALED && (slots.flags(slot) & FLAG_RETAINED) === 0;
      if (victim < 0 && evictable && !scan.isHeld(local)) victim = local;
    });
    if (victim < 0 || this.parts.geometry.eviction === 'none') return false;
    this.retire(shard, victim, REASON_EVICTED);
    this.countEviction();
    return true;
  }
}
