/** The public surface of the cache layer. Byte counts are bytes, times milliseconds. */
import type { Key, Page } from '../pool/index.js';

/** What a miss hands out before its source is read: a fill under it is refused once the page was invalidated. */
export interface Lease {
  readonly hashLow: number;
  readonly hashHigh: number;
  readonly count: number;
  readonly space: number;
  readonly spaceGeneration: number;
}

export type Loader = (key: Key, context: { signal: AbortSignal }) => Promise<Uint8Array> | Uint8Array;

export interface SetOptions {
  ttlMs?: number;
  metadata?: Uint8Array;
  lease?: Lease;
}

/**
 * Names as in Caffeine's CacheStats; counts since the node connected, or of all nodes since the format. A near hit was found
 * by this node's own index, a table hit in the pool's. waitCount: fetches that waited for another's load; staleFillCount:
 * fills refused because of an invalidation; unsharedCount: loads that found no room, and were private to their caller.
 * objects and bytes are the whole pool's.
 */
export interface CacheStats {
  requestCount: number;
  hitCount: number;
  nearHitCount: number;
  tableHitCount: number;
  missCount: number;
  hitRate: number;
  loadSuccessCount: number;
  loadFailureCount: number;
  totalLoadTimeMs: number;
  waitCount: number;
  staleFillCount: number;
  unsharedCount: number;
  evictionCount: number;
  objects: number;
  bytes: number;
}

/**
 * Pages of one file, table or relation, by number: safe integers from 0. What a storage engine's buffer read calls. `asOf`
 * asks for the page as it was in a version, which is there where the page's validity (`from` up to, not including, `until`)
 * covers it; without it the newest page answers, if its validity has no end.
 */
export interface PageSpace {
  /** Of every page, in bytes. */
  readonly pageSize: number;
  /**
   * The bytes in place; undefined on a miss. Good until the caller awaits, returns to the event loop, or borrows 1,024 further
   * pages of the pool.
   */
  borrow(pageNo: number, asOf?: number): Uint8Array | undefined;
  /** The page in place, pinned until its release. Throws TOO_MANY_PINS. */
  get(pageNo: number, asOf?: number): Page | undefined;
  /** Copies the page into the target; false on a miss, which leaves the target as it is. */
  read(pageNo: number, target: Uint8Array, targetOffset?: number, asOf?: number): boolean;
  /** To be taken before the source is read: `put` with it refuses a page that was invalidated meanwhile. */
  lease(pageNo: number): Lease;
  /**
   * Supersedes the page, or adds a version of it. False: not stored, for lack of room, under a lease that had ended, or because
   * a page without an end is older than the newest version known. Throws BUSY, OPTION_INVALID.
   */
  put(pageNo: number, bytes: Uint8Array, options?: { from?: number; until?: number; lease?: Lease }): boolean;
  /**
   * The page, borrowed as by `borrow`; on a miss `load` fills the target it is given. Never waits for a load of this node's
   * own, and 50 ms at most for another's: then it loads for itself. What finds no room is private to the caller.
   */
  fetchSync(pageNo: number, load: (pageNo: number, target: Uint8Array) => void): Uint8Array;
  /** As fetchSync, but copies the page into the target. True on a hit. */
  readThrough(pageNo: number, target: Uint8Array, load: (pageNo: number, target: Uint8Array) => void): boolean;
  /** The page, pinned; on a miss loaded once across all nodes. */
  fetch(pageNo: number, load: (pageNo: number, target: Uint8Array) => Promise<void> | void): Promise<Page>;
  /**
   * The page is a miss for every get that begins after this returns, on any node, and no running load of it publishes. With a
   * version: from that version on. Throws BUSY.
   */
  invalidate(pageNo: number, version?: number): void;
  /** invalidate for `count` pages from `first` on. */
  invalidateRange(first: number, count: number): void;
  /** All pages of the space at once, as invalidate does. Throws BUSY. */
  drop(): void;
}
