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

/** Names as in Caffeine's CacheStats. */
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

/** Pages of one file, table or relation, by number. What a storage engine's buffer read calls. */
export interface PageSpace {
  readonly pageSize: number;
  borrow(pageNo: number, asOf?: number): Uint8Array | undefined;
  get(pageNo: number, asOf?: number): Page | undefined;
  read(pageNo: number, target: Uint8Array, targetOffset?: number, asOf?: number): boolean;
  lease(pageNo: number): Lease;
  put(pageNo: number, bytes: Uint8Array, options?: { from?: number; until?: number; lease?: Lease }): boolean;
  fetchSync(pageNo: number, load: (pageNo: number, target: Uint8Array) => void): Uint8Array;
  readThrough(pageNo: number, target: Uint8Array, load: (pageNo: number, target: Uint8Array) => void): boolean;
  fetch(pageNo: number, load: (pageNo: number, target: Uint8Array) => Promise<void> | void): Promise<Page>;
  invalidate(pageNo: number, version?: number): void;
  invalidateRange(first: number, count: number): void;
  drop(): void;
}
