/**
 * Eviction: which pages are to go, and when. Everything here runs under the shard's lock.
 *
 * (A3) eviction passes over pages that a look found held. It works in small batches: when room had to be made, the next batch
 *      is retired as well, for whoever comes next. By then a fence has mostly been made by somebody, in whatever shard, so
 *      that few of those who make room make one.
 * (A4) where the victims left no room in one piece, the cheapest piece of a victim's chunk is cleared, or where that
 *      cannot be, of any chunk of the shard. So memory follows the sizes of the workload, and the policy says where.
 */
import { CHUNK_SHARED, FLAG_RETAINED, NO_EXTENT, STATE_FREE, STATE_SEALED } from '../layout/index.js';
import { REASON_EVICTED } from '../near/index.js';
import { assertHeld, counterIndex } from '../nodes/index.js';
import { Clearings } from '../objects/index.js';
import type { Reclaimer, ReclaimParts } from './reclaim.js';

const BATCH_MAX = 32;
/** A batch takes at most this part of the shard's objects, where they are counted; of its bytes, where those are. */
const BATCH_PART = 128;

export class Evictor {
  private readonly parts: ReclaimParts;
  private readonly reclaimer: Reclaimer;
  private readonly slotsPerShard: number;
  /** Of the shard that is worked on. */
  private firstSlot = 0;
  private readonly isHeld: (local: number) => boolean;
  private readonly clearings: Clearings;
  /** Nothing is retired ahead where a shard holds less than so many objects: it would be much of them. */
  aheadMin = 32;

  constructor(parts: ReclaimParts, reclaimer: Reclaimer) {
    this.parts = parts;
    this.reclaimer = reclaimer;
    this.slotsPerShard = parts.geometry.slotsPerShard;
    this.isHeld = (local) => parts.scan.isHeld(this.firstSlot + local);
    this.clearings = new Clearings(parts.slots, parts.extents, this.slotsPerShard, this.isHeld);
  }

  /**
   * Makes progress towards room for one object: where `overCapacity`, objects are evicted until there is a place under the
   * capacity; where it has bytes, until an extent for them may be free. What waits in limbo is freed first, and is enough
   * for a slot or an extent; one scan serves both. False when nothing could be moved. Call again until it fits.
   */
  makeRoom(shard: number, bytes: number, overCapacity: boolean): boolean {
    const { shards } = this.parts;
    assertHeld(this.parts, shard);
    const freed = this.reclaimer.reclaim(shard);
    if (freed > 0 && !overCapacity) return true;
    if (!this.chooseIn(shard)) return false;
    if (bytes > 0) return this.evictFor(shard, bytes);
    if (this.evictObjects(shard, this.batchOf(shard)) === 0) return freed > 0;
    if (!shards.hasFreeSlot(shard)) this.reclaimer.reclaim(shard);
    return true;
  }

  /** The policy is told what was hit, and victims may be chosen. False where there is no policy. */
  private chooseIn(shard: number): boolean {
    const { scan, touchDrain, policies } = this.parts;
    const policy = policies[shard];
    if (policy === undefined) return false;
    scan.glance();
    touchDrain.drain(shard, policy);
    this.firstSlot = shard * this.slotsPerShard;
    return true;
  }

  /**
   * (A3) For whoever comes next, when room had to be made: retires the next batch, which a fence that somebody makes meanwhile
   * will have freed. Of bytes, or with 0 of objects.
   */
  retireAhead(shard: number, bytes: number): void {
    const { shards, extents } = this.parts;
    if (shards.limbo(shard) > 0 || shards.live(shard) < this.aheadMin) return;
    if (extents.granulesOf(bytes) * this.aheadMin > shards.granules(shard) || !this.chooseIn(shard)) return;
    if (bytes > 0) this.retireFor(shard, bytes);
    else this.evictObjects(shard, this.batchOf(shard));
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
      if (this.reclaimer.stateOf(shard, local) !== STATE_SEALED) continue;
      this.reclaimer.retire(shard, local, REASON_EVICTED);
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

  /** Evicts until there may be an extent for so many bytes. */
  private evictFor(shard: number, bytes: number): boolean {
    const chunks = this.retireFor(shard, bytes);
    if (chunks === undefined) return false;
    this.reclaimer.reclaim(shard);
    if (this.parts.extents.hasRoom(shard, bytes)) return true;
    return this.clear(shard, bytes, (chunk) => chunks.has(chunk)) || this.clear(shard, bytes, () => true);
  }

  /** Retires a batch, while each victim leaves room for one object of so many bytes. The chunks they lie in. */
  private retireFor(shard: number, bytes: number): Set<number> | undefined {
    const { extents, slots, shards } = this.parts;
    const granules = extents.granulesOf(bytes);
    const batch = Math.min(BATCH_MAX, Math.max(1, Math.floor(shards.granules(shard) / BATCH_PART / granules)));
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
    return evicted === 0 ? undefined : chunks;
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
      this.reclaimer.retire(shard, local, REASON_EVICTED);
      this.countEviction();
    }
    this.reclaimer.reclaim(shard);
    return true;
  }

  /** Retires every evictable page of the shard that lies in the chunks. A scan has been made. Returns how many. */
  private retireIn(shard: number, first: number, count: number): number {
    const { slots, scan } = this.parts;
    let retired = 0;
    for (let local = 0; local < this.slotsPerShard; local++) {
      if (!this.liesIn(shard, local, first, count) || this.reclaimer.stateOf(shard, local) !== STATE_SEALED) continue;
      const slot = shard * this.slotsPerShard + local;
      if ((slots.flags(slot) & FLAG_RETAINED) !== 0 || scan.isHeld(slot)) continue;
      this.reclaimer.retire(shard, local, REASON_EVICTED);
      this.countEviction();
      retired++;
    }
    return retired;
  }

  private liesIn(shard: number, local: number, first: number, count: number): boolean {
    const { slots, extents } = this.parts;
    const slot = shard * this.slotsPerShard + local;
    if (this.reclaimer.stateOf(shard, local) === STATE_FREE) return false;
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
      const slot = shard * this.slotsPerShard + local;
      if (this.reclaimer.stateOf(shard, local) !== STATE_SEALED || geometry.eviction === 'none' || scan.isHeld(slot))
        return true;
      if ((slots.flags(slot) & FLAG_RETAINED) !== 0) return true;
    }
    return false;
  }

  /** Empties the shard's part of the chunks. False when a draft, a retained or a held page is in the way. */
  emptyChunks(shard: number, first: number, count: number, nowMs: number): boolean {
    const { chunks, scan } = this.parts;
    this.reclaimer.reclaim(shard);
    scan.now();
    // Nothing is given up for a place that cannot be had. What has expired is in nobody's way.
    if (this.isBlocked(shard, first, count)) {
      if (this.reclaimer.sweep(shard, nowMs) === 0 || this.isBlocked(shard, first, count)) return false;
    }
    this.retireIn(shard, first, count);
    this.reclaimer.reclaim(shard);
    for (let chunk = first; chunk < first + count; chunk++) {
      const kind = chunks.kind(chunk);
      if (kind >= CHUNK_SHARED && chunks.shard(chunk) === shard) return false;
    }
    return true;
  }

  /** Evicts from the shard until so many bytes of extents are free. Returns the bytes freed. */
  evictBytes(shard: number, bytes: number): number {
    const { slots, extents, shards, geometry } = this.parts;
    assertHeld(this.parts, shard);
    const before = shards.granules(shard);
    this.reclaimer.reclaim(shard);
    if (!this.chooseIn(shard)) return 0;
    let retired = 0;
    while (retired < bytes) {
      const local = this.evictOne(shard, this.givesNoBytes(shard));
      if (local < 0) break;
      retired += extents.occupiedBytes(slots.extentBytes(shard * this.slotsPerShard + local));
    }
    this.reclaimer.reclaim(shard);
    return Math.max(0, before - shards.granules(shard)) * geometry.granuleBytes;
  }

  /** Makes a place in the buckets that an entry of this hash can reach, by retiring a page there. */
  clearWay(shard: number, hashLow: number): boolean {
    const { table, slots, scan } = this.parts;
    assertHeld(this.parts, shard);
    scan.glance();
    let victim = -1;
    table.inReach(shard, hashLow, (local) => {
      const slot = shard * this.slotsPerShard + local;
      const evictable =
        this.reclaimer.stateOf(shard, local) === STATE_SEALED && (slots.flags(slot) & FLAG_RETAINED) === 0;
      if (victim < 0 && evictable && !scan.isHeld(slot)) victim = local;
    });
    if (victim < 0 || this.parts.geometry.eviction === 'none') return false;
    this.reclaimer.retire(shard, victim, REASON_EVICTED);
    this.countEviction();
    return true;
  }
}
