/**
 * Room across shards: runs of contiguous chunks for objects larger than a chunk, and a chunk from another shard for a
 * shard that has nothing left to evict.
 *
 * The node claims the chunks, then empties them shard by shard, one shard's lock at a time; a chunk in which something
 * cannot be moved ends the attempt, is avoided, and the next best place is tried. A crash leaves claims of a dead node,
 * which count for nothing and are cleared when its row is cleaned.
 */
import { PoolError } from '../../../lib/errors.js';
import type { Machine } from '../../../lib/machine.js';
import { CHUNK_FREE, type Geometry } from '../layout/index.js';
import type { Locks } from '../nodes/index.js';
import type { Chunks, Extents } from '../space/index.js';
import type { Evictor } from './evict.js';

/** What of a node it works with. */
export interface RunParts {
  readonly machine: Machine;
  readonly geometry: Geometry;
  readonly locks: Locks;
  readonly chunks: Chunks;
  readonly extents: Extents;
}

const ATTEMPTS_MAX = 32;
/** For one chunk: where the cheapest few cannot be emptied, a full pool is not searched to its end on every put. */
const ATTEMPTS_FOR_ONE = 4;

export class Runs {
  private readonly parts: RunParts;
  private readonly evictor: Evictor;
  /** Chunks that could not be emptied, until all have been tried: the next put goes on where this one gave up. */
  private readonly blockedForOne: Uint8Array;

  constructor(parts: RunParts, evictor: Evictor) {
    this.parts = parts;
    this.evictor = evictor;
    this.blockedForOne = new Uint8Array(parts.geometry.chunks);
  }

  /** Claims and empties `count` contiguous chunks. The first of them, or -1. The caller holds no lock. */
  claim(count: number): number {
    const { chunks, geometry } = this.parts;
    if (count > geometry.chunks) return -1;
    const blocked = count === 1 ? this.blockedForOne : new Uint8Array(geometry.chunks);
    const attempts = count === 1 ? ATTEMPTS_FOR_ONE : ATTEMPTS_MAX;
    for (let attempt = 0; attempt < attempts; attempt++) {
      const first = this.cheapest(count, blocked);
      if (first < 0) break;
      if (!chunks.claim(first, count)) {
        this.block(blocked, first, count, (chunk) => chunks.isClaimed(chunk));
        continue;
      }
      let emptied = false;
      try {
        emptied = this.empty(first, count);
      } catch (error) {
        chunks.unclaim(first, count);
        throw error;
      }
      if (emptied) return first;
      this.block(blocked, first, count, (chunk) => chunks.kind(chunk) !== CHUNK_FREE);
      chunks.unclaim(first, count);
    }
    if (count === 1 && this.cheapest(1, blocked) < 0) blocked.fill(0);
    return -1;
  }

  private block(blocked: Uint8Array, first: number, count: number, isInTheWay: (chunk: number) => boolean): void {
    let found = false;
    for (let chunk = first; chunk < first + count; chunk++) {
      if (!isInTheWay(chunk)) continue;
      blocked[chunk] = 1;
      found = true;
    }
    if (!found) blocked[first] = 1;
  }

  /** The place where the fewest bytes are in use, within one window and clear of blocked and claimed chunks. */
  private cheapest(count: number, blocked: Uint8Array): number {
    const { chunks, geometry } = this.parts;
    let best = -1;
    let bestCost = Number.POSITIVE_INFINITY;
    let cost = 0;
    let length = 0;
    const costs = new Float64Array(geometry.chunks);
    for (let chunk = 0; chunk < geometry.chunks; chunk++) {
      if (blocked[chunk] === 1 || chunks.isClaimedByOther(chunk)) {
        length = 0;
        cost = 0;
        continue;
      }
      if (chunk % geometry.chunksPerWindow === 0) {
        length = 0;
        cost = 0;
      }
      costs[chunk] = this.costOf(chunk);
      cost += costs[chunk] as number;
      length++;
      if (length > count) {
        cost -= costs[chunk - count] as number;
        length = count;
      }
      if (length === count && cost < bestCost) {
        bestCost = cost;
        best = chunk - count + 1;
      }
    }
    return best;
  }

  /** 0 for a free chunk, up to 1 for a full one. */
  private costOf(chunk: number): number {
    const { chunks, extents } = this.parts;
    if (chunks.kind(chunk) === CHUNK_FREE) return 0;
    return Math.min(1, extents.usedOf(chunk) / extents.chunkGranules) + 0.01;
  }

  /** Takes the shard's lock. False for a shard that cannot be repaired now: the place is sought elsewhere. */
  private isOpen(shard: number): boolean {
    try {
      this.parts.locks.acquire(shard);
      return true;
    } catch (error) {
      if (error instanceof PoolError && error.code === 'POOL_CORRUPT') return false;
      throw error;
    }
  }

  private empty(first: number, count: number): boolean {
    const { chunks, geometry, locks } = this.parts;
    const owners = new Set<number>();
    for (let chunk = first; chunk < first + count; chunk++) {
      if (chunks.kind(chunk) !== CHUNK_FREE) owners.add(chunks.shard(chunk));
    }
    for (const shard of owners) {
      if (shard < 0 || shard >= geometry.shards) throw chunks.corrupt(first);
      if (!this.isOpen(shard)) return false;
      const empty = () => this.evictor.emptyChunks(shard, first, count, this.parts.machine.nowMs());
      if (!locks.completing(shard, empty)) return false;
    }
    for (let chunk = first; chunk < first + count; chunk++) if (chunks.kind(chunk) !== CHUNK_FREE) return false;
    return true;
  }
}

export function poolFull(path: string, bytes: number): PoolError {
  return new PoolError('POOL_FULL', `${path} has no room for an object of ${bytes} bytes.`, { bytes });
}
