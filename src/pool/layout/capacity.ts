/** How many objects a pool has slots for where nobody says, and how large one is for a number of objects. */
import { PoolError } from '../../../lib/errors.js';
import { alignUp, geometryOf, MIB, type Plan } from './geometry.js';
import type { Eviction } from './types.js';

/** Of the bytes that the fixed metadata leaves, what the metadata of objects may take by default. */
const METADATA_SHARE = 1 / 3;
/** Slots by default, for each page of the typical size that the pool has bytes for. */
const OBJECTS_PER_PAGE = 1.9;
const OBJECTS_MIN = 64;
const OBJECTS_MAX = 2 ** 30;

/** Metadata of so many objects, in bytes; undefined where no pool of that plan can be. */
function metadataOf(plan: Plan): number | undefined {
  try {
    return geometryOf(plan).dataOffset;
  } catch (error) {
    if (error instanceof PoolError) return undefined;
    throw error;
  }
}

/** The most objects up to `most` for which `fits` holds, which from some number on never does; at least `least`. */
function mostObjects(least: number, most: number, fits: (maxObjects: number) => boolean): number {
  // Of an ordinary pool all do.
  if (most <= least || fits(most)) return Math.max(least, most);
  let [low, high] = [least, most - 1];
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if (fits(middle)) low = middle;
    else high = middle - 1;
  }
  return low;
}

/**
 * Enough slots for objects of half the typical size, with what metadata leave of the bytes, so that bytes and not slots limit an ordinary pool. Where
 * their metadata would take more than METADATA_SHARE of what the fixed metadata leaves, as many as fit into that, or as
 * there are pages of the typical size, whichever is more: small pages want much metadata, but never all of a pool. At
 * most what one window of metadata describes: a pool of terabytes is filled by pages of some 64 KiB, not by small ones.
 */
export function defaultMaxObjects(plan: Omit<Plan, 'maxObjects'>): number {
  const { size, pageSize } = plan;
  const wanted = Math.max(OBJECTS_MIN, Math.floor((size * OBJECTS_PER_PAGE) / pageSize));
  const fixed = metadataOf({ ...plan, maxObjects: OBJECTS_MIN });
  // Then no number is right, and whoever formats is told what is wrong.
  if (fixed === undefined) return wanted;
  const most = Math.min(wanted, OBJECTS_MAX);
  const metadataMax = fixed + (size - fixed) * METADATA_SHARE;
  return mostObjects(OBJECTS_MIN, most, (maxObjects) => {
    const metadata = metadataOf({ ...plan, maxObjects });
    return metadata !== undefined && (metadata <= metadataMax || maxObjects * pageSize <= size - metadata);
  });
}

/** The file size, in bytes, that holds maxObjects objects of pageSize bytes each, with room for retired ones to wait. */
export function sizeFor(options: {
  pageSize: number;
  maxObjects: number;
  maxNodes: number;
  eviction: Eviction;
}): number {
  const { pageSize, maxObjects } = options;
  let size = alignUp(maxObjects * pageSize * 1.1 + 4 * MIB, MIB);
  // Of small objects the metadata are more than the rest.
  for (let tries = 0; tries < 16 && metadataOf({ ...options, size }) === undefined; tries++)
    size = alignUp(size + maxObjects * pageSize, MIB);
  for (let round = 0; round < 8; round++) {
    const geometry = geometryOf({ ...options, size });
    const perChunk = Math.max(1, Math.floor(geometry.chunkBytes / pageSize));
    // Each shard rounds up to whole chunks, and may lag by one.
    const chunks = geometry.shards * (Math.ceil(geometry.slotsPerShard / perChunk) + 1);
    const wanted = alignUp(geometry.dataOffset + chunks * geometry.chunkBytes, MIB);
    if (geometry.chunks >= chunks) return size;
    size = Math.max(size + MIB, wanted);
  }
  return size;
}
