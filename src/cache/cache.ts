/** The cache over a pool: keys of one namespace, superseding values, and loads that happen once across all nodes. */
import { PoolError } from '../../lib/errors.js';
import {
  AttachedPool,
  displayKey,
  type Key,
  listObjects,
  type NearEntry,
  type NearKey,
  type Page,
  PinnedPage,
  type Pool,
  PrivatePage,
  type Reader,
  totalOf,
} from '../pool/index.js';
import { Domain } from './domain.js';
import { Loading } from './loading.js';
import {
  type CacheOptions,
  checkBytes,
  checkCache,
  checkFetch,
  checkPages,
  checkSet,
  type FetchOptions,
} from './options.js';
import { copyInto, SharedPageSpace } from './pagespace.js';
import type { CacheStats, Lease, Loader, PageSpace, SetOptions } from './types.js';

const encoder = new TextEncoder();

export class SharedCache {
  private readonly domain: Domain;
  private readonly loading: Loading;
  private readonly namespace: string;
  private readonly ttlMs: number | undefined;
  private readonly near: ReadonlyMap<NearKey, NearEntry>;
  private readonly reader: Reader;

  /** Throws OPTION_INVALID; READ_ONLY for a read-only node, which could publish no interest in what it borrows. */
  constructor(pool: Pool, options?: CacheOptions) {
    const checked = checkCache(options);
    if (!(pool instanceof AttachedPool)) throw new PoolError('READ_ONLY', 'A cache needs a node that may write.');
    this.namespace = checked.namespace ?? '';
    this.ttlMs = checked.ttlMs;
    const name = `${this.namespace}\u0000`;
    this.domain = new Domain(pool.session, name, encoder.encode(name));
    this.loading = new Loading(this.domain);
    this.near = this.domain.keys.strings.entries;
    this.reader = pool.session.reader;
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
      return near.bytes;
    }
    const entry = this.domain.session.find(this.domain.keys, key);
    if (entry === undefined) return undefined;
    this.reader.hazards.keep();
    return entry.bytes;
  }

  /** The page in place, pinned until its release; undefined on a miss. Throws TOO_MANY_PINS. */
  get(key: Key): Page | undefined {
    const { session, keys } = this.domain;
    const entry = session.find(keys, key);
    return entry === undefined ? undefined : new PinnedPage(session, key, entry);
  }

  /** Copies the bytes into the target. How many were copied, or -1 on a miss. Throws OPTION_INVALID where they do not fit. */
  read(key: Key, target: Uint8Array, targetOffset = 0): number {
    const entry = this.domain.session.find(this.domain.keys, key);
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

  private glanceAndTouch(key: Key): NearEntry | undefined {
    const entry = this.glance(key);
    if (entry !== undefined) this.domain.session.reader.touch(entry);
    return entry;
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
  set(key: Key, bytes: Uint8Array, options?: SetOptions): boolean {
    this.domain.session.check();
    checkBytes(bytes);
    const { ttlMs, metadata, lease } = checkSet(options);
    this.domain.keys.encode(key);
    return this.domain.store(bytes, { ttlMs: ttlMs ?? this.ttlMs, metadata, lease });
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

  /** Every key of this cache is a miss from now on, on every node. Page spaces have a `drop` of their own. */
  clear(): void {
    this.domain.drop();
  }

  /**
   * The live keys, in no order: those that stay throughout are met, others may be. A key that is not UTF-8 is told in
   * base64url.
   */
  *keys(): IterableIterator<string> {
    const { session, keys, space } = this.domain;
    session.check();
    const prefix = keys.prefix().slice();
    for (const info of listObjects(session.parts, prefix, space)) {
      if (info.state === 'sealed') yield displayKey(info.keyBytes.subarray(prefix.length));
      session.check();
    }
  }

  /**
   * The pages of one file, table or relation, by number, of `pageSize` bytes each. The name and the namespace say which.
   * Throws OPTION_INVALID, TOO_MANY_SPACES.
   */
  pages(space: string, options: { pageSize: number }): PageSpace {
    const { pageSize } = checkPages(space, options);
    const { session } = this.domain;
    const name = `${this.namespace}\u0000${space}`;
    // No key of a cache lies there: a namespace is UTF-8, where the byte 255 does not occur.
    const prefix = Uint8Array.of(255, ...encoder.encode(`${name}\u0000`));
    return new SharedPageSpace(new Domain(session, name, prefix), pageSize);
  }

  /** The page, pinned; on a miss loaded once across all nodes. Rejects with the loader's error only where it was called. */
  async fetch(key: Key, load: Loader, options?: FetchOptions): Promise<Page> {
    const { session, keys } = this.domain;
    const { ttlMs, signal } = checkFetch(options);
    const entry = session.find(keys, key);
    if (entry !== undefined) return new PinnedPage(session, key, entry);
    for (let round = 0; ; round++) {
      if (signal?.aborted === true) throw aborted(signal);
      session.check();
      // Most waits end with a page, for which no lock has to be taken.
      const sealed = round === 0 ? undefined : this.glanceAndTouch(key);
      if (sealed !== undefined) return new PinnedPage(session, key, sealed);
      keys.encode(key);
      const claim = this.loading.claim(0, {});
      if (claim.kind === 'won') return this.loadShared(key, load, { claim, ttlMs: ttlMs ?? this.ttlMs, signal });
      const found = this.glanceAndTouch(key);
      if (found !== undefined) return new PinnedPage(session, key, found);
      if (claim.kind === 'unshared') return this.loadPrivate(key, load, signal);
      if (round === 0) session.count('waits');
      await this.loading.ended(claim, () => keys.encode(key), signal);
    }
  }

  private async loadPrivate(key: Key, load: Loader, signal: AbortSignal | undefined): Promise<Page> {
    this.domain.session.count('unshared');
    return new PrivatePage(key, await this.runLoader(key, load, signal));
  }

  private async loadShared(key: Key, load: Loader, how: SharedLoad): Promise<Page> {
    const { session, keys } = this.domain;
    const { place, lease } = how.claim;
    try {
      const bytes = await this.runLoader(key, load, how.signal);
      session.check();
      keys.encode(key);
      if (this.domain.store(bytes, { ttlMs: how.ttlMs, lease })) {
        const entry = this.glance(key);
        if (entry !== undefined) return new PinnedPage(session, key, entry);
      }
      return new PrivatePage(key, bytes);
    } finally {
      this.loading.abandon(place);
    }
  }

  private async runLoader(key: Key, load: Loader, signal: AbortSignal | undefined): Promise<Uint8Array> {
    const startedMs = this.domain.session.machine.nowMs();
    const controller = new AbortController();
    let forward = () => {};
    const aborting = new Promise<never>((_, reject) => {
      forward = () => {
        controller.abort(signal?.reason);
        reject(aborted(signal));
      };
    });
    // Nobody may be waiting for it when it rejects: the loader may have thrown at once.
    aborting.catch(() => {});
    signal?.addEventListener('abort', forward, { once: true });
    try {
      const loaded = load(key, { signal: controller.signal });
      if (signal?.aborted === true) forward();
      const bytes = await Promise.race([loaded, aborting]);
      if (!(bytes instanceof Uint8Array)) throw new PoolError('OPTION_INVALID', 'load: it must give a Uint8Array.');
      this.loading.loaded(startedMs, false);
      return bytes;
    } catch (error) {
      this.loading.loaded(startedMs, true);
      throw error;
    } finally {
      signal?.removeEventListener('abort', forward);
    }
  }

  /** `node` counts since this node connected, `total` since the pool was formatted, over all its nodes and caches. */
  stats(): { node: CacheStats; total: CacheStats } {
    const { session } = this.domain;
    session.check();
    return {
      node: this.statsFrom((name) => session.counted(name)),
      total: this.statsFrom((name) => totalOf(session.parts, name)),
    };
  }

  private statsFrom(count: (name: Parameters<typeof totalOf>[1]) => number): CacheStats {
    const { parts } = this.domain.session;
    const [nearHitCount, tableHitCount, missCount] = [count('nearHits'), count('tableHits'), count('misses')];
    const hitCount = nearHitCount + tableHitCount;
    const requestCount = hitCount + missCount;
    let objects = 0;
    let granules = 0;
    for (let shard = 0; shard < parts.geometry.shards; shard++) {
      objects += Math.max(0, parts.shards.live(shard) - parts.shards.drafts(shard));
      granules += parts.shards.granules(shard);
    }
    return {
      requestCount,
      hitCount,
      nearHitCount,
      tableHitCount,
      missCount,
      hitRate: requestCount === 0 ? 0 : hitCount / requestCount,
      loadSuccessCount: count('loads'),
      loadFailureCount: count('loadFailures'),
      totalLoadTimeMs: count('loadMicroseconds') / 1000,
      waitCount: count('waits'),
      staleFillCount: count('staleFills'),
      unsharedCount: count('unshared'),
      evictionCount: count('evictions'),
      objects,
      bytes: granules * parts.geometry.granuleBytes,
    };
  }
}

interface SharedLoad {
  claim: Extract<ReturnType<Loading['claim']>, { kind: 'won' }>;
  ttlMs: number | undefined;
  signal: AbortSignal | undefined;
}

function aborted(signal: AbortSignal | undefined): PoolError {
  return new PoolError('ABORTED', 'The fetch was aborted.', undefined, signal?.reason);
}
