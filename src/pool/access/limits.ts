/** What keeps a pool from taking more objects than it has, as far as a look tells. */
import type { PoolStats } from '../layout/index.js';

export interface Fullness {
  readonly shards: number;
  /** Shards that have about as many objects as they may. */
  readonly shardsOutOfSlots: number;
  readonly bytesData: number;
  readonly bytesUsed: number;
  /** Chunks that belong to no shard. */
  readonly chunksFree: number;
  readonly objects: number;
  readonly pins: number;
}

/** Of a shard's capacity: eviction makes room for some objects ahead. */
const SLOTS_SHARE = 15 / 16;
/** Of the pool's bytes: objects of mixed sizes leave gaps. */
const BYTES_SHARE = 0.7;

/** Whether a shard with so many objects, those in limbo included, is about to evict for want of a slot. */
export function isOutOfSlots(objects: number, capacity: number): boolean {
  return objects >= capacity * SLOTS_SHARE;
}

/** Undefined where there is room. Where most of what could make room is pinned, the pins. */
export function limitOf(found: Fullness): PoolStats['limitedBy'] {
  const isSlots = found.shardsOutOfSlots * 2 >= found.shards;
  const isExtents = found.chunksFree === 0 && found.bytesUsed >= found.bytesData * BYTES_SHARE;
  if (!isSlots && !isExtents) return undefined;
  if (found.pins * 2 >= found.objects) return 'pins';
  return isSlots ? 'slots' : 'extents';
}
