/**
 * A cache in two tiers: the pool that the processes of a host share, and a Valkey or Redis server that hosts share.
 *
 * What is offered: after `delete`, `set` or `clear` has resolved no read of this host is answered from before it, and none of another host once
 * it was told, which takes the delivery's time; where it cannot be told, `vouchMs` and then `unvouchedTtlMs` at most. What a host was told
 * once it never goes behind.
 */
import { PoolError } from '../../lib/errors.js';
import { codecOf } from '../../src/cache/index.js';
import type {
  BulkLoader,
  CacheStats,
  Codec,
  FetchManyOptions,
  FetchOptions,
  InvalidateTagsOptions,
  Key,
  Loader,
  Page,
  PagesOptions,
  SharedCache,
} from '../../src/index.js';
import { SharedCache as Cache } from '../../src/index.js';
import { boardOf } from './board.js';
import { TierBulk } from './bulk.js';
import { type ChannelCounts, Host } from './host.js';
import { TierLoading } from './loading.js';
import { checkTier, type Settings, type TierOptions, type TierSetOptions } from './options.js';
import { StaleAnswer } from './page.js';
import { bytesOfKey, type Stored, type TierCounts, TierSpace } from './space.js';
import { checkTags, type EndOfTags } from './tagcells.js';
import { PageParts, TieredPageSpace } from './tieredpages.js';
import { TieredValues } from './tieredvalues.js';
import { tellAll, writeThrough } from './writing.js';

export interface TieredOptions {
  /** How long entries live unless fetch or set says otherwise: in place of the cache's own. Default: for ever. */
  ttlMs?: number;
}

export interface TieredStats {
  /** Of the pool's cache, as of SharedCache.stats(). */
  readonly pool: CacheStats;
  /** Of this process and the tier. `bypassed`: requests that the circuit breaker kept from it. */
  readonly tier: TierCounts & { loads: number; timeouts: number; breakerOpenings: number; isBreakerOpen: boolean };
  /** Of this process and the channel of invalidations. */
  readonly channel: ChannelCounts & { isVouched: boolean; holdsChannel: boolean };
}

/** Of one pool in one process; what its namespaces share. */
export class Tier {
  readonly settings: Settings;
  private readonly opened: TieredCache[] = [];

  constructor(options: TierOptions) {
    this.settings = checkTier(options);
  }

  add(cache: TieredCache): void {
    this.opened.push(cache);
  }

  /** Its caches reject from then on. The pool stays connected. */
  close(): void {
    for (const cache of this.opened.splice(0)) cache.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

/** Connects when the first cache is made. Throws OPTION_INVALID. */
export function openTier(options: TierOptions): Tier {
  return new Tier(options);
}

/**
 * The cache with the tier behind it. Its namespace is the tier's from now on: what is written to it past this reaches no other host.
 * Resolves when this host's pool is vouched for, or after two time limits of a request, dropped then. Throws OPTION_INVALID.
 */
export async function tiered(cache: SharedCache, tier: Tier, options: TieredOptions = {}): Promise<TieredCache> {
  const made = new TieredCache(cache, tier.settings, options);
  tier.add(made);
  await made.begin();
  return made;
}

/** What a page has of tags is told with what is loaded. */
const TOLD_LATER = () => undefined;

export class TieredCache {
  /** The pool's part, for what needs no tier: borrow, get, has and their like. */
  readonly pool: SharedCache;
  private readonly space: TierSpace;
  private readonly host: Host;
  private readonly loading: TierLoading;
  private readonly bulk: TierBulk;
  private readonly settings: Settings;
  private readonly options: TieredOptions;
  private readonly namespace: string;
  private readonly spaces = new Map<string, PageParts>();

  constructor(cache: SharedCache, settings: Settings, options: TieredOptions) {
    if (!(cache instanceof Cache)) throw new PoolError('OPTION_INVALID', 'cache: expected a SharedCache.');
    const { namespace, path } = cache.toJSON() as { namespace: string; path: string };
    if (path !== settings.pool.path)
      throw new PoolError('OPTION_INVALID', 'cache: it is of another pool than the tier.');
    this.pool = cache;
    this.settings = settings;
    this.options = options;
    this.namespace = namespace;
    this.space = new TierSpace(settings, namespace, settings.connect);
    const drop = (key: Uint8Array | undefined) => void (key === undefined ? cache.clear() : cache.delete(key));
    const endTags = ({ tags, staleFor }: EndOfTags) => cache.invalidateTags(tags, { staleFor });
    const board = boardOf(settings.pool, `${settings.prefix}\u0001${namespace}`);
    this.host = new Host(settings, this.space, board, { drop, endTags });
    this.loading = new TierLoading(settings, this.space, this.host);
    this.bulk = new TierBulk(settings, this.space, this.host, this.loading);
  }

  async begin(): Promise<void> {
    const { requestTimeoutMs } = this.settings;
    await Promise.all([this.space.connection.open(requestTimeoutMs), this.host.begin(2 * requestTimeoutMs)]);
  }

  /** As of SharedCache: a miss of the pool says nothing of the tier. */
  borrow(key: Key): Uint8Array | undefined {
    return this.pool.borrow(key);
  }

  get(key: Key): Page | undefined {
    return this.pool.get(key);
  }

  has(key: Key): boolean {
    return this.pool.has(key);
  }

  /**
   * The page, pinned: of the pool, else of the tier, which one process of the host asks, else loaded once across all hosts. Options and
   * rejections as of SharedCache.fetch; the life of what is loaded begins with its load.
   */
  async fetch(key: Key, load: Loader, options: FetchOptions = {}): Promise<Page> {
    const { ttlMs = this.options.ttlMs, negativeTtlMs, metadata, tags, ...limits } = options;
    if (typeof tags !== 'function') checkTags(tags);
    const { staleMs, staleOnErrorMs } = limits;
    const told = { isStale: false };
    const life = { ttlMs, negativeTtlMs, metadata, staleMs, staleOnErrorMs, tags };
    const throughTier: Loader = (_, { signal }) => this.loading.load(key, load, life, signal, told);
    const page = await this.pool.fetch(key, throughTier, { ...limits, tags: TOLD_LATER });
    return told.isStale && page.freshness === 'fresh' ? new StaleAnswer(page) : page;
  }

  /**
   * As of SharedCache: what the pool does not have the tier is asked for in one request (for each 128 keys), and what nobody has or loads
   * goes to `load` in one call.
   */
  async fetchMany(keys: readonly Key[], load: BulkLoader, options: FetchManyOptions = {}): Promise<Map<Key, Page>> {
    const { ttlMs = this.options.ttlMs, negativeTtlMs, tags, ...limits } = options;
    const life = { ttlMs, negativeTtlMs, tags };
    if (typeof load !== 'function') throw new PoolError('OPTION_INVALID', 'loadMany: expected a function.');
    const throughTier: BulkLoader = (missing, { signal }) => this.bulk.load(missing, load, life, signal);
    return this.pool.fetchMany(keys, throughTier, { ...limits, tags: TOLD_LATER });
  }

  /**
   * As fetch; the page is released when what `use` makes of its bytes has settled. Gives what `use` gives. Rejects with KEY_NOT_FOUND where the
   * source has nothing.
   */
  async with<T>(
    key: Key,
    load: Loader,
    use: (bytes: Uint8Array) => T | Promise<T>,
    options?: FetchOptions,
  ): Promise<T> {
    using page = await this.fetch(key, load, options);
    if (page.freshness === 'negative') throw nothingFor(key);
    return await use(page.bytes);
  }

  /** As fetch, but a private copy. Rejects with KEY_NOT_FOUND where the source has nothing. */
  async fetchCopy(key: Key, load: Loader, options?: FetchOptions): Promise<Uint8Array> {
    using page = await this.fetch(key, load, options);
    if (page.freshness !== 'negative') return page.copy();
    throw nothingFor(key);
  }

  /** As of SharedCache: this cache by values, for all hosts. `set` and `delete` are promises, as here. Throws OPTION_INVALID. */
  values<T>(codec: 'json' | Codec<T>): TieredValues<T>;
  values(codec: 'string'): TieredValues<string>;
  values<T>(codec: 'json' | 'string' | Codec<T>): TieredValues<T> {
    return new TieredValues(this, codecOf(codec as Codec<T>));
  }

  /**
   * The pages of one file, table or relation, for all hosts: by number, all of `pageSize` bytes. The space has a channel of its own, so opening it
   * waits as `tiered` does. Throws OPTION_INVALID, TOO_MANY_SPACES.
   */
  async pages(name: string, options: PagesOptions): Promise<TieredPageSpace> {
    const pool = this.pool.pages(name, options);
    let parts = this.spaces.get(name);
    if (parts === undefined) {
      parts = new PageParts(this.settings, this.namespace, name, pool);
      this.spaces.set(name, parts);
    }
    await parts.begun;
    return new TieredPageSpace(parts, pool, { ...this.options, ...options });
  }

  /**
   * The key has this value from now on, for all hosts; this host's pool gets it at the next fetch. False: the tier has not stored it, and the
   * old value is gone all the same. Rejects with TIER_UNREACHABLE where other hosts may still have the old one: then try again.
   */
  async set(key: Key, bytes: Uint8Array, options: TierSetOptions = {}): Promise<boolean> {
    const { ttlMs = this.options.ttlMs, staleMs = 0, staleOnErrorMs = 0, metadata, tags } = options;
    const keptMs = ttlMs === undefined ? 0 : Math.max(staleMs, staleOnErrorMs);
    return this.write(key, {
      bytes: bytes.slice(),
      metadata,
      isNegative: false,
      freshMs: ttlMs,
      keptMs,
      tags: checkTags(tags),
    });
  }

  /** As set: the source has nothing for the key, for so long. */
  async setNegative(key: Key, { ttlMs }: { ttlMs: number }): Promise<boolean> {
    const bytes = new Uint8Array(0);
    return this.write(key, { bytes, metadata: undefined, isNegative: true, freshMs: ttlMs, keptMs: 0 });
  }

  private parts(): { space: TierSpace; host: Host } {
    return { space: this.space, host: this.host };
  }

  private write(key: Key, stored: Stored): Promise<boolean> {
    return writeThrough(this.parts(), bytesOfKey(key).slice(), stored, () => void this.pool.delete(key));
  }

  /**
   * As of SharedCache, for all hosts: every page with one of the tags whose load began before is a miss for every read of this host once this has
   * resolved, and of each other once it is told; the tier has no value of theirs any more. With `staleFor` a host may hand out what its own
   * pool has for that long. Rejects with TIER_UNREACHABLE where others could not be told: then try again. Throws OPTION_INVALID, BUSY.
   */
  async invalidateTags(tags: readonly string[], options: InvalidateTagsOptions = {}): Promise<void> {
    const end = { tags: Array.isArray(tags) ? [...tags] : tags, staleFor: options.staleFor ?? 0 };
    await tellAll(this.parts(), end, () => this.pool.invalidateTags(end.tags, options));
  }

  /**
   * The key is not what it was: a miss for every read of this host from now on, and of each other once it is told; no load that is under way
   * publishes, on any host. Rejects with TIER_UNREACHABLE where others could not be told: then try again. Throws BUSY.
   */
  async delete(key: Key): Promise<void> {
    await tellAll(this.parts(), bytesOfKey(key).slice(), () => void this.pool.delete(key));
  }

  /** The same as delete. */
  async invalidate(key: Key): Promise<void> {
    await this.delete(key);
  }

  /** delete of every key of the namespace. Page spaces have a `drop` of their own. */
  async clear(): Promise<void> {
    await tellAll(this.parts(), undefined, () => this.pool.clear());
  }

  stats(): TieredStats {
    const { space, host, loading } = this;
    const { timeouts } = space.connection;
    const { openings, isOpen } = space.breaker;
    return {
      pool: this.pool.stats().node,
      tier: { ...space.counts, loads: loading.loads, timeouts, breakerOpenings: openings, isBreakerOpen: isOpen },
      channel: { ...host.counts, isVouched: host.isVouched, holdsChannel: host.holdsChannel },
    };
  }

  toJSON(): object {
    return this.pool.toJSON();
  }

  close(): void {
    for (const parts of this.spaces.values()) parts.close();
    this.host.close();
    this.space.close();
  }
}

function nothingFor(key: Key): PoolError {
  const shown = JSON.stringify(String(key).slice(0, 120));
  return new PoolError('KEY_NOT_FOUND', `The source has nothing for the key ${shown}.`, { key });
}
