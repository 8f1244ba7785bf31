/** The cache over a pool: keys of one namespace, superseding values, and loads that happen once across all nodes. */
import { takeBytes } from '../../lib/bytes.js';
import { OutOfLine } from '../../lib/outofline.js';
import { type Shown, showAs } from '../../lib/shown.js';
import {
  AttachedPool,
  displayKey,
  entryPrefix,
  type Key,
  listObjects,
  type NearEntry,
  type NearKey,
  type NodeSession,
  nameOfSpace,
  noWriter,
  type Page,
  PinnedPage,
  type Pool,
  pagePrefix,
  pinMany,
  type Reader,
  totalOf,
} from '../pool/index.js';
import { fetchMany } from './bulk.js';
import { Domain } from './domain.js';
import { Fetching } from './fetching.js';
import { copyAndRelease, copyInto, useAndRelease } from './lending.js';
import { Negatives } from './negative.js';
import {
  type CacheOptions,
  checkCache,
  checkFetch,
  checkFetchMany,
  checkKeys,
  checkLoader,
  checkNegative,
  checkPages,
  checkPieces,
  checkPool,
  checkSet,
  checkTags,
  checkUse,
  type FetchManyOptions,
  type FetchOptions,
  type InvalidateTagsOptions,
  LOAD_TIMEOUT_MS,
} from './options.js';
import { SharedPageSpace } from './pagespace.js';
import { gather, isPieces } from './pieces.js';
import { type SeekHost, seek } from './seeking.js';
import { fetchStale, keptFor, NO_WINDOWS, windowsOf } from './stale.js';
import { statsFrom } from './statistics.js';
import { Taking } from './taking.js';
import { HITS, MISSES, NEGATIVE, statsOfNamespace } from './tally.js';
import type {
  BulkLoader,
  CacheStats,
  Codec,
  Lease,
  Loader,
  NamespaceStats,
  PageSpace,
  PagesOptions,
  Pieces,
  PiecesOptions,
  SetOptions,
} from './types.js';
import { codecOf, ValueCache } from './values.js';

export class SharedCache implements Shown {
  private readonly domain: Domain;
  private readonly fetching: Fetching;
  private readonly negatives: Negatives;
  private readonly seekHost: SeekHost;
  private readonly namespace: string;
  private readonly ttlMs: number | undefined;
  private readonly loadTimeoutMs: number;
  private readonly near: ReadonlyMap<NearKey, NearEntry>;
  private readonly session: NodeSession;
  private readonly reader: Reader;
  private readonly counts: Float64Array;
  private readonly slowly = new OutOfLine((key: Key, _: undefined) => this.borrowFound(key));
  private readonly slowlyPinned = new OutOfLine((key: Key, _: undefined) => this.getFound(key));

  /** Throws OPTION_INVALID; READ_ONLY for a read-only node, which could publish no interest in what it borrows. */
  constructor(pool: Pool, options?: CacheOptions) {
    const checked = checkCache(options);
    checkPool(pool);
    if (!(pool instanceof AttachedPool)) throw noWriter(pool, 'A cache');
    this.namespace = checked.namespace ?? '';
    this.ttlMs = checked.ttlMs;
    this.loadTimeoutMs = checked.loadTimeoutMs ?? LOAD_TIMEOUT_MS;
    const name = nameOfSpace(this.namespace);
    this.domain = new Domain(pool.session, name, entryPrefix(this.namespace));
    this.fetching = new Fetching(this.domain);
    this.negatives = new Negatives(this.domain, this.namespace);
    const { domain, negatives, ttlMs } = this;
    this.seekHost = { domain, negatives, ttlMs, glance: (key) => this.glance(key) };
    this.near = this.domain.keys.strings.entries;
    this.session = pool.session;
    this.reader = pool.session.reader;
    this.counts = this.domain.tally.counts;
  }

  /**
   * The bytes in place, without a pin and without a copy; undefined on a miss. Good until the caller awaits, returns to the
   * event loop, or borrows 1,024 further pages of the pool, whichever comes first; after that another page may lie there.
   */
  borrow(key: Key): Uint8Array | undefined {
    // The hot path. A key given as bytes is never in this map; after disconnect the map is empty.
    const near = this.near.get(key as string);
    if (near !== undefined && this.reader.hit(near)) {
      this.reader.hazards.keep();
      this.counts[HITS] = (this.counts[HITS] as number) + 1;
      return near.bytes;
    }
    return this.slowly.call(key, undefined);
  }

  private borrowFound(key: Key): Uint8Array | undefined {
    const entry = this.find(key);
    if (entry === undefined) return undefined;
    this.reader.hazards.keep();
    return entry.bytes;
  }

  /** The page in place, pinned until its release; undefined on a miss. Throws TOO_MANY_PINS. */
  get(key: Key): Page | undefined {
    // As borrow.
    const near = this.near.get(key as string);
    if (near !== undefined && this.reader.hit(near)) {
      this.counts[HITS] = (this.counts[HITS] as number) + 1;
      return new PinnedPage(this.session, key, near);
    }
    return this.slowlyPinned.call(key, undefined);
  }

  private getFound(key: Key): Page | undefined {
    const entry = this.find(key);
    return entry === undefined ? undefined : new PinnedPage(this.session, key, entry);
  }

  /** As get, for each of the keys, in their order; a key that is named twice is pinned twice. Throws as get does: then none stays pinned. */
  getMany(keys: readonly Key[]): (Page | undefined)[] {
    checkKeys(keys);
    const pages = pinMany(this.domain.session, keys, (key) => this.get(key));
    this.domain.session.inHand.length = 0;
    return pages;
  }

  private find(key: Key): NearEntry | undefined {
    const entry = this.domain.session.find(this.domain.keys, key);
    this.domain.tally.add(entry === undefined ? MISSES : HITS);
    return entry;
  }

  /** Copies the bytes into the target. How many were copied, or -1 on a miss. Throws OPTION_INVALID where they do not fit. */
  read(key: Key, target: Uint8Array, targetOffset = 0): number {
    const entry = this.find(key);
    if (entry === undefined) return -1;
    copyInto(target, targetOffset, entry.bytes);
    return entry.bytes.length;
  }

  /** A borrow that neither counts as a request nor tells the eviction policy. */
  peek(key: Key): Uint8Array | undefined {
    const entry = this.glance(key);
    if (entry === undefined) return undefined;
    this.domain.session.reader.hazards.keep();
    return entry.bytes;
  }

  private glance(key: Key): NearEntry | undefined {
    return this.domain.session.glance(this.domain.keys, key);
  }

  /**
   * To be taken on a miss, before the source is read: `set` with it refuses a value that was invalidated meanwhile. Undefined
   * where the key is live.
   */
  lease(key: Key): Lease | undefined {
    this.domain.session.check();
    this.domain.keys.encode(key);
    const lease = this.domain.lease();
    return this.glance(key) === undefined ? lease : undefined;
  }

  /**
   * Supersedes the value, on every node. False: it was not stored. For lack of room the old value is hidden all the same;
   * under a lease that had ended nothing is changed. Throws BUSY where the old value could not be hidden.
   */
  set(key: Key, bytes: Uint8Array, options?: SetOptions): boolean;
  /**
   * Of bytes that come in pieces: as set of all of them once the last is there, and until then nothing is changed. Rejects with what the
   * source throws, SHORT_LOAD for fewer bytes than `size`: then nothing is published.
   */
  set(key: Key, source: Pieces, options?: PiecesOptions): Promise<boolean>;
  set(key: Key, content: Uint8Array | Pieces, options?: PiecesOptions): boolean | Promise<boolean> {
    return isPieces(content) ? this.setPieces(key, content, options) : this.setBytes(key, content, options);
  }

  private async setPieces(key: Key, source: Pieces, options?: PiecesOptions): Promise<boolean> {
    this.domain.session.check();
    const { size, ...others } = checkPieces(options);
    this.domain.keys.encode(key);
    const moment = this.domain.tagMoment();
    return this.setBytes(key, await gather(source, size), others, moment);
  }

  private setBytes(key: Key, bytes: Uint8Array, options?: SetOptions, moment?: number): boolean {
    this.domain.session.check();
    const { ttlMs, metadata, lease, staleMs, staleOnErrorMs, tags } = checkSet(options);
    const keptMs = keptFor(windowsOf(staleMs, staleOnErrorMs));
    const content = takeBytes(bytes, 'bytes');
    this.domain.keys.encode(key);
    return this.domain.store(content, { ttlMs: ttlMs ?? this.ttlMs, keptMs, metadata, lease, tags, moment });
  }

  /**
   * Says that the source has nothing for the key, for so long: its page is a miss, no running load of it publishes, and `fetch` answers so
   * without a load. Any `set`, `delete` or `clear` ends it. False: not remembered, for lack of room. Throws BUSY.
   */
  setNegative(key: Key, options: { ttlMs: number }): boolean {
    const { session } = this.domain;
    session.check();
    const { ttlMs } = checkNegative(options);
    return this.negatives.set(key, ttlMs);
  }

  /** Whether the key is live. Counts as no request. */
  has(key: Key): boolean {
    return this.glance(key) !== undefined;
  }

  /** Whether the key was live; it is a miss from now on, and no running load of it publishes. Throws BUSY. */
  delete(key: Key): boolean {
    this.domain.session.check();
    this.domain.keys.encode(key);
    return this.domain.remove();
  }

  /**
   * Every page of this namespace that was stored with one of the tags, and whose load, or `set`, began before this call, is a miss for every
   * get that begins after it returns, on every node. With `staleFor`, in milliseconds, `fetch` may hand such a page out for that
   * long (`freshness` says 'stale') while one node loads it anew. Takes as long as there are tags, whatever the pool holds. A tag that
   * no page has costs nothing; of many other tags that are invalidated a page may be a miss too early (docs/SERVING.md says how rarely).
   * Throws OPTION_INVALID, BUSY.
   */
  invalidateTags(tags: readonly string[], options?: InvalidateTagsOptions): void {
    this.domain.session.check();
    const { names, staleFor } = checkTags(tags, options);
    this.domain.invalidateTags(names, staleFor);
  }

  /** Every key of this cache is a miss from now on, on every node. Page spaces have a `drop` of their own. */
  clear(): void {
    this.domain.drop();
  }

  /**
   * The live keys, in no order: those that stay throughout are met, others may be. A key that is not UTF-8 is told in
   * base64url.
   */
  *keys(): IterableIterator<string> {
    const { session, keys } = this.domain;
    session.check();
    this.domain.generation();
    const { space } = this.domain;
    const prefix = keys.prefix().slice();
    for (const info of listObjects({ parts: session.parts, prefix, space, check: () => session.check() }))
      if (info.state === 'sealed') yield displayKey(info.keyBytes.subarray(prefix.length));
  }

  /**
   * The pages of one file, table or relation, by number, of `pageSize` bytes each. The name and the namespace say which.
   * Throws TOO_MANY_SPACES, and OPTION_INVALID, also where the space has pages of another size: until it is dropped.
   */
  pages(space: string, options: PagesOptions): PageSpace {
    const { pageSize, zeroFill, ttlMs, loadTimeoutMs } = checkPages(space, options);
    const { session } = this.domain;
    const name = nameOfSpace(this.namespace, space);
    return new SharedPageSpace(new Domain(session, name, pagePrefix(this.namespace, space), pageSize), {
      pageSize,
      zeroFill: zeroFill ?? false,
      ttlMs: ttlMs ?? this.ttlMs,
      loadTimeoutMs: loadTimeoutMs ?? this.loadTimeoutMs,
    });
  }

  /**
   * This cache by values: of JSON, of strings (UTF-8), or as a codec of your own makes them of bytes. Every hit decodes, and gives a
   * value of its caller's own. Throws OPTION_INVALID.
   */
  values<T>(codec: 'json' | Codec<T>): ValueCache<T>;
  values(codec: 'string'): ValueCache<string>;
  values<T>(codec: 'json' | 'string' | Codec<T>): ValueCache<T> {
    return new ValueCache<T>(this, codecOf(codec as Codec<T>));
  }

  /**
   * The page, pinned; on a miss loaded once across all nodes. Who waits in this node for one load gets its error. Rejects
   * with that, LOAD_TIMEOUT when the own loader took longer than loadTimeoutMs, LOAD_CYCLE, ABORTED, DISCONNECTED. With staleMs or
   * staleOnErrorMs a page that has expired may be the answer, and where the source is known to have nothing, one without bytes: its
   * `freshness` says so.
   */
  async fetch(key: Key, load: Loader, options?: FetchOptions): Promise<Page> {
    const checked = checkFetch(options);
    const entry = this.find(key);
    if (entry !== undefined) return new PinnedPage(this.domain.session, key, entry);
    return this.fetchMissing(key, load, checked);
  }

  private fetchMissing(key: Key, load: Loader, options: FetchOptions): Promise<Page> {
    checkLoader(load);
    const negative = this.negatives.look(key);
    if (negative !== undefined) {
      this.domain.tally.add(NEGATIVE);
      return Promise.resolve(negative);
    }
    const { signal, staleMs, staleOnErrorMs } = options;
    const windows = windowsOf(staleMs, staleOnErrorMs);
    const call = (loadSignal: AbortSignal) => load(key, { signal: loadSignal });
    const limits = { signal, loadTimeoutMs: options.loadTimeoutMs ?? this.loadTimeoutMs };
    const sought = { ...seek(this.seekHost, key, options, keptFor(windows), new Taking(key, options)), call };
    if (windows !== undefined || this.domain.mayBeStale())
      return fetchStale(this.fetching, this.domain, sought, limits, windows ?? NO_WINDOWS);
    return this.fetching.fetch(sought, limits);
  }

  /**
   * The pages of the keys, pinned, in the order in which the keys are named first; a key named twice has one. What is missing goes to
   * `load` in one call, but for what others load, which is waited for: each key is loaded once across all nodes. Keys that the source has
   * nothing for are not in the answer. Rejects as fetch does, for any of the keys: then nothing stays pinned, and what the
   * loader threw for, or an answer that is refused, publishes nothing.
   */
  async fetchMany(keys: readonly Key[], load: BulkLoader, options?: FetchManyOptions): Promise<Map<Key, Page>> {
    const checked = checkFetchMany(options);
    const { signal, loadTimeoutMs } = checked;
    checkKeys(keys);
    checkLoader(load, 'loadMany');
    const { domain, fetching } = this;
    const host = {
      domain,
      fetching,
      find: (key: Key) => this.get(key),
      isNegative: (key: Key) => this.negatives.look(key) !== undefined,
      seek: (key: Key) => seek(this.seekHost, key, checked, 0, new Taking(key, { tags: checked.tags })),
    };
    return fetchMany(host, keys, load, { signal, loadTimeoutMs: loadTimeoutMs ?? this.loadTimeoutMs });
  }

  /** As fetch, but a private copy: nothing has to be released, and whoever gets it may keep, post and change it. */
  async fetchCopy(key: Key, load: Loader, options?: FetchOptions): Promise<Uint8Array> {
    const checked = checkFetch(options);
    const entry = this.find(key);
    if (entry !== undefined) return new Uint8Array(entry.bytes);
    return copyAndRelease(await this.fetchMissing(key, load, checked));
  }

  /**
   * As fetch; the page is released when what `use` makes of its bytes has settled. Gives what `use` gives. The bytes are not
   * to be used after that.
   */
  async with<T>(
    key: Key,
    load: Loader,
    use: (bytes: Uint8Array) => T | Promise<T>,
    options?: FetchOptions,
  ): Promise<T> {
    checkUse(use);
    return useAndRelease(await this.fetch(key, load, options), use);
  }

  /**
   * `node` counts since this node connected, `total` since the pool was formatted, both over all caches; `namespace` what this node
   * counted in this cache's namespace, page spaces included.
   */
  stats(): { node: CacheStats; total: CacheStats; namespace: NamespaceStats } {
    const { session } = this.domain;
    session.check();
    return {
      node: statsFrom(session, (name) => session.counted(name)),
      total: statsFrom(session, (name) => totalOf(session.parts, name)),
      namespace: statsOfNamespace(session, this.domain.name),
    };
  }

  toJSON(): object {
    const { path, isOpen } = this.domain.session;
    return { namespace: this.namespace, path, state: isOpen ? 'connected' : 'disconnected' };
  }
}

showAs(SharedCache, 'SharedCache');
