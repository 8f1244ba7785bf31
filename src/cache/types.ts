/** The public surface of the cache layer. Byte counts are bytes, times milliseconds. */
import type { Key, Page } from '../pool/index.js';

/** What a miss hands out before its source is read: a fill under it is refused once the page was invalidated. */
export interface Lease {
  readonly hashLow: number;
  readonly hashHigh: number;
  readonly count: number;
  readonly space: number;
  readonly spaceGeneration: number;
  /** Of the last invalidation of tags before it. */
  readonly tagMoment: number;
}

export interface NotFound {
  readonly kind: 'notFound';
}

/** What a loader answers where the source has nothing for the key: see `negativeTtlMs`. */
export const notFound: NotFound = Object.freeze({ kind: 'notFound' });

export type Loaded = Uint8Array | NotFound;

/** How long what a loader gives is good for, where it knows that only once it has it; see `loadedFor`. */
export interface Life {
  /** When it ends: milliseconds since the epoch, by this machine's clock. Undefined: never. */
  readonly expiresAtMs?: number | undefined;
  /** How long it is kept after that for stale answers, in milliseconds. Default 0. */
  readonly keptMs?: number | undefined;
  /** In place of the fetch's. */
  readonly metadata?: Uint8Array | undefined;
  /** False: it is its caller's alone, and not stored. Default true. */
  readonly isShared?: boolean | undefined;
  /** In place of the fetch's, also of `notFound`; of a fetch whose own are a function: else a load that they overtake may be joined. */
  readonly tags?: readonly string[] | undefined;
}

/** Made by `loadedFor`. */
export class LoadedFor {
  readonly content: Loaded;
  readonly life: Life;

  constructor(content: Loaded, life: Life) {
    this.content = content;
    this.life = life;
  }
}

/** What a loader of `fetch` answers that comes from another cache, or with a life of its own: this counts, and not the fetch's options. */
export function loadedFor(content: Loaded, life: Life): LoadedFor {
  return new LoadedFor(content, life);
}

export type LoaderAnswer = Loaded | LoadedFor;

export type Loader = (key: Key, context: { signal: AbortSignal }) => Promise<LoaderAnswer> | LoaderAnswer;

/**
 * What a loader of many keys answers: a Map by key, in which those are missing that the source has nothing for and others than it was
 * asked for count for nothing; or an array in the order of the keys it was given, with undefined for those. `notFound` in place of
 * undefined is remembered.
 */
export type BulkAnswer = ReadonlyMap<Key, LoaderAnswer> | readonly (LoaderAnswer | undefined)[];

/** The keys are different ones. The signal is aborted when nobody waits for any of them any more. */
export type BulkLoader = (keys: readonly Key[], context: { signal: AbortSignal }) => Promise<BulkAnswer> | BulkAnswer;

/** Makes bytes of values, and values of bytes. `decode` is given a borrow: it may not keep it, nor await. */
export interface Codec<T> {
  encode(value: T): Uint8Array;
  decode(bytes: Uint8Array): T;
}

export type ValueLoader<T> = (key: Key, context: { signal: AbortSignal }) => Promise<T | NotFound> | T | NotFound;

/**
 * Says of which versions a page is. `from`: the version that made it what it is, its last change up to the version asked for; not
 * that version itself. It is stored for all from there up to the version asked for. `until`: the version that changed it next, where
 * the loader knows one, Infinity where none has, and every change will be told by `put` or `invalidate`. Asked for the newest
 * page, it is that until told otherwise.
 */
export interface VersionedAnswer {
  readonly from: number;
  readonly until?: number;
  /** Default: all bytes. */
  readonly bytesRead?: number;
}

/**
 * What a loader of pages answers: nothing, or its target, when it filled all of it; or how many bytes it filled from the start,
 * as `readSync` and `FileHandle.read` do. Fewer than a page are refused (SHORT_LOAD), or with `zeroFill` followed by zeros.
 * Where a version was asked for (`asOf`) it has to say from which one on the page is right: without that the page is private to its
 * caller, counted as unshared. A version that does not fit the one asked for is OPTION_INVALID.
 */
// biome-ignore lint/suspicious/noConfusingVoidType: with undefined alone, functions declared to give nothing would not do.
export type LoadAnswer = void | number | Uint8Array | { readonly bytesRead: number } | VersionedAnswer;

/** Fills the target, synchronously: a promise is refused, and so by the types. The target is zeros before. */
export type SyncPageLoader = (pageNo: number, target: Uint8Array, context: { asOf: number | undefined }) => LoadAnswer;

/**
 * Fills the target. The signal is aborted when nobody waits for the page any more, or the load took too long. Where the page comes from another
 * cache it answers `loadedFor` of a whole page: how long that lives, and whether it is shared; without metadata, tags and `keptMs`.
 */
export type PageLoader = (
  pageNo: number,
  target: Uint8Array,
  context: { signal: AbortSignal; asOf: number | undefined },
) => LoadAnswer | LoadedFor | Promise<LoadAnswer | LoadedFor>;

/** How a page is loaded. */
export interface PageLoadOptions {
  /** The page as it was in this version, a safe integer from 0; the loader is told. Default: the newest. */
  asOf?: number;
  /** What the loader leaves of the page is zeros, as past the end of a file. Default: as the page space says. */
  zeroFill?: boolean;
  /** How long the page lives, from when its load begins. Default: as the page space says. */
  ttlMs?: number;
}

/** How a page is loaded synchronously. */
export interface PageLoadSyncOptions extends PageLoadOptions {
  /**
   * Whose load is waited for. 'version', the default: one as of the same version. 'page', with `asOf`: one as of whatever version that
   * said so as well; where what it found is not the page as of this one, this one loads after it. For sources in which most
   * versions have the same page, and that tell how long it lasts (`until`).
   */
  joins?: 'version' | 'page';
  /**
   * Called once before another's load is waited for, which goes on meanwhile: to load what is going to be asked for next (`loadAhead`).
   * What it throws is thrown.
   */
  onWait?: () => void;
}

/** What came of a page that was to be loaded ahead. */
export type Ahead =
  /** It was loaded, and may be found in the pool. */
  | 'loaded'
  | 'there'
  /** Somebody loads it, or there is no room. */
  | 'busy';

export interface PageFetchOptions extends PageLoadOptions {
  /** As of a cache's fetch. */
  loadTimeoutMs?: number;
  signal?: AbortSignal;
}

/** Of a page space. */
export interface PagesOptions {
  /** Of every page, in bytes. */
  pageSize: number;
  /** What a loader leaves of a page is zeros. Default false: a short page is refused (SHORT_LOAD). */
  zeroFill?: boolean;
  /** How long pages live unless put or a load says otherwise. Default: the cache's ttlMs. */
  ttlMs?: number;
  /** As of the cache. */
  loadTimeoutMs?: number;
}

/**
 * How stale a page may be after its `ttlMs`, in milliseconds; what is stored with it is kept as long as the longer of the two, up to 24.8
 * days. Default 0. Without a `ttlMs` nothing expires.
 */
export interface StaleOptions {
  /** `fetch` hands it out at once, while one node in the cluster loads it again. */
  staleMs?: number;
  /** `fetch` hands it out where the load has failed: with the loader's error, or LOAD_TIMEOUT. */
  staleOnErrorMs?: number;
}

export interface SetOptions extends StaleOptions {
  ttlMs?: number;
  metadata?: Uint8Array;
  lease?: Lease;
  /**
   * What `invalidateTags` knows it by: up to 128 names of up to 1,024 characters. With a lease, an invalidation since the lease counts; without one
   * those since the call.
   */
  tags?: readonly string[];
}

/** Bytes that come in pieces. */
export type Pieces = AsyncIterable<Uint8Array> | ReadableStream<Uint8Array>;

export interface PiecesOptions extends SetOptions {
  /** How many bytes come, in all: fewer are refused (SHORT_LOAD), and more. Default: as many as there are. */
  size?: number;
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

/** Of one namespace, as one node has counted since it connected. Names as in CacheStats. */
export interface NamespaceStats {
  requestCount: number;
  hitCount: number;
  missCount: number;
  hitRate: number;
  loadSuccessCount: number;
  loadFailureCount: number;
  totalLoadTimeMs: number;
  /** Of the misses of `fetch`: answered with a stale page; with a remembered answer that the source has nothing. */
  staleCount: number;
  negativeCount: number;
  /** How many loads, those that failed included, took up to so long and longer than the bound before. The last has no bound: Infinity. */
  loadTimes: { upToMs: number; count: number }[];
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
  /**
   * The pages of these numbers, the newest or those of `asOf`, in place, into `into` from its start on, in their order, with undefined for those that are
   * missing. Returns how many are there. All are good as long as the first is: so at most 1,024 at a time. Throws OPTION_INVALID.
   */
  borrowMany(pageNumbers: ArrayLike<number>, into: (Uint8Array | undefined)[], asOf?: number): number;
  /**
   * The pages from `first` on, `count` of them, in order and in place, each as `borrow` gives it when its turn comes: undefined for
   * one that is missing. Any count: no more is borrowed than was looked at. As of all borrows, the last 1,024 are good, and none
   * once the caller has awaited or returned to the event loop: of a longer scan use each page before going on, or keep at most
   * the last 1,024. Throws OPTION_INVALID and KEY_INVALID for what is no range, at once.
   */
  scan(first: number, count: number, asOf?: number): IterableIterator<Uint8Array | undefined>;
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
  put(
    pageNo: number,
    bytes: Uint8Array,
    options?: { from?: number; until?: number; lease?: Lease; ttlMs?: number },
  ): boolean;
  /**
   * The page, borrowed as by `borrow`; on a miss `load` fills the target it is given. Never waits for a load of this node's
   * own, and 50 ms at most for another's: then it loads for itself. What finds no room is private to the caller. Throws what
   * `load` throws, SHORT_LOAD, and OPTION_INVALID for any other answer; then nothing is published.
   */
  fetchSync(pageNo: number, load: SyncPageLoader, options?: PageLoadSyncOptions): Uint8Array;
  /** As fetchSync, but copies the page into the target. True on a hit. With `asOf` for that version, as all that load. */
  readThrough(pageNo: number, target: Uint8Array, load: SyncPageLoader, options?: PageLoadSyncOptions): boolean;
  /**
   * Loads a page that nobody asks for yet, where it is not there and nobody loads it: it never waits for a load of others. Throws what
   * fetchSync throws.
   */
  loadAhead(pageNo: number, load: SyncPageLoader, options?: PageLoadSyncOptions): Ahead;
  /**
   * The page, pinned; on a miss loaded once across all nodes, with `asOf` once for each version asked for. Rejects as fetch of a
   * cache does, and with SHORT_LOAD.
   */
  fetch(pageNo: number, load: PageLoader, options?: PageFetchOptions): Promise<Page>;
  /** As fetch, but a private copy: nothing has to be released, and whoever gets it may keep and change it. */
  fetchCopy(pageNo: number, load: PageLoader, options?: PageFetchOptions): Promise<Uint8Array>;
  /** As fetch; the page is released when what `use` makes of its bytes has settled. Gives what `use` gives. */
  with<T>(
    pageNo: number,
    load: PageLoader,
    use: (bytes: Uint8Array) => T | Promise<T>,
    options?: PageFetchOptions,
  ): Promise<T>;
  /**
   * The page is a miss for every get that begins after this returns, on any node, and no running load of it publishes. With a
   * version: from that version on. Throws BUSY.
   */
  invalidate(pageNo: number, version?: number): void;
  /**
   * Gives back versions of the page that have ended and that nobody will ask for, instead of leaving them to eviction: those whose
   * `until` is at or below the highest of `inUse`, and which answer none of `inUse`, the versions that are still asked for. Who asks
   * for one of them after all has a miss, as of a page that was evicted. Fills under way are not refused. Returns how many versions
   * went. Throws BUSY, OPTION_INVALID.
   */
  retire(pageNo: number, inUse: readonly number[]): number;
  /** invalidate for `count` pages from `first` on. Of many it takes as long as there are pages in the pool. */
  invalidateRange(first: number, count: number): void;
  /** All pages of the space at once, as invalidate does. Throws BUSY. */
  drop(): void;
}
