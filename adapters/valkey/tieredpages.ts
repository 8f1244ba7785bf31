/**
 * Pages by number through the tier. A space has its own part of the tier, with a count and a log: so it is dropped by one entry, and its changes
 * are told to those hosts alone that have it open. In the tier a page's key is its number in decimal.
 *
 * (U1) a page is filled by its loader before it is offered to the tier, whole or not at all: a short load reaches nobody.
 * (U2) what the tier has of another size than this host's pages is no answer: hosts have to agree on `pageSize`.
 */
import { PoolError } from '../../lib/errors.js';
import { completePage, validityOf } from '../../src/cache/index.js';
import {
  type LoadedFor,
  loadedFor,
  type Page,
  type PageFetchOptions,
  type PageLoader,
  type PageSpace,
  type PagesOptions,
} from '../../src/index.js';
import { boardOf } from './board.js';
import { type ChannelCounts, Host } from './host.js';
import { TierLoading } from './loading.js';
import type { Settings } from './options.js';
import { bytesOfKey, type TierCounts, TierSpace } from './space.js';
import { tellAll, writeThrough } from './writing.js';

/** A longer range is told as a drop of the whole space. */
const RANGE_MAX = 256;
const NUMBER = /^(0|[1-9]\d{0,15})$/;
const decoder = new TextDecoder();

function keyOf(pageNo: number): Uint8Array {
  return bytesOfKey(String(pageNo));
}

function refused(what: string, instead: string): PoolError {
  return new PoolError('UNSUPPORTED', `${what}: not through a tier. ${instead}`);
}

/** Of one space in one process: its part of the tier and its channel. */
export class PageParts {
  readonly space: TierSpace;
  readonly host: Host;
  readonly loading: TierLoading;
  readonly begun: Promise<unknown>;

  constructor(settings: Settings, namespace: string, name: string, pool: PageSpace) {
    this.space = new TierSpace(settings, namespace, settings.connect, name);
    const drop = (key: Uint8Array | undefined) => {
      const text = key === undefined ? '' : decoder.decode(key);
      // What is no number of a page is of another release: nothing is known then.
      if (NUMBER.test(text)) pool.invalidate(Number(text));
      else pool.drop();
    };
    const board = boardOf(settings.pool, `${settings.prefix}\u0001${namespace}\u0000${name}`);
    this.host = new Host(settings, this.space, board, { drop, endTags: () => pool.drop() });
    this.loading = new TierLoading(settings, this.space, this.host);
    const { requestTimeoutMs } = settings;
    this.begun = Promise.all([this.space.connection.open(requestTimeoutMs), this.host.begin(2 * requestTimeoutMs)]);
  }

  close(): void {
    this.host.close();
    this.space.close();
  }
}

export class TieredPageSpace {
  readonly pageSize: number;
  /** The pool's part, for this host alone. */
  readonly pool: PageSpace;
  private readonly parts: PageParts;
  private readonly options: PagesOptions;

  constructor(parts: PageParts, pool: PageSpace, options: PagesOptions) {
    this.parts = parts;
    this.pool = pool;
    this.pageSize = pool.pageSize;
    this.options = options;
  }

  /** As of PageSpace: a miss of the pool says nothing of the tier. */
  borrow(pageNo: number): Uint8Array | undefined {
    return this.pool.borrow(pageNo);
  }
  borrowMany(pageNumbers: ArrayLike<number>, into: (Uint8Array | undefined)[]): number {
    return this.pool.borrowMany(pageNumbers, into);
  }
  scan(first: number, count: number): IterableIterator<Uint8Array | undefined> {
    return this.pool.scan(first, count);
  }
  get(pageNo: number): Page | undefined {
    return this.pool.get(pageNo);
  }
  read(pageNo: number, target: Uint8Array, targetOffset = 0): boolean {
    return this.pool.read(pageNo, target, targetOffset);
  }

  /**
   * The page, pinned: of the pool, else of the tier, which one process of the host asks, else loaded once across all hosts. Options and
   * rejections as of PageSpace.fetch, but that the life of what is loaded begins with its load, and that there are no versions (UNSUPPORTED).
   */
  async fetch(pageNo: number, load: PageLoader, options: PageFetchOptions = {}): Promise<Page> {
    if (typeof load !== 'function') throw new PoolError('OPTION_INVALID', 'load: expected a function.');
    if (options.asOf !== undefined) throw refused('asOf', 'The tier has the newest pages only.');
    const { ttlMs = this.options.ttlMs } = options;
    const throughTier: PageLoader = async (_, target, { signal }) => {
      const fill = async () => {
        await this.fill(pageNo, load, target, signal, options);
        return target.slice();
      };
      return this.sized(await this.parts.loading.load(String(pageNo), fill, { ttlMs }, signal, { isStale: false }));
    };
    return this.pool.fetch(pageNo, throughTier, options);
  }

  /** (U1) */
  private async fill(
    pageNo: number,
    load: PageLoader,
    target: Uint8Array,
    signal: AbortSignal,
    options: PageFetchOptions,
  ): Promise<void> {
    const { pageSize } = this;
    const { zeroFill = this.options.zeroFill ?? false } = options;
    const answer = await load(pageNo, target, { signal, asOf: undefined });
    completePage(answer, target, { pageNo, pageSize, zeroFill });
    if (validityOf(answer, undefined) !== 'unversioned') throw refused('from', 'The tier has pages without versions.');
  }

  /** (U2) */
  private sized({ content, life }: LoadedFor): LoadedFor {
    const bytes = content instanceof Uint8Array ? content.length : 0;
    if (bytes !== this.pageSize) {
      const why = `pageSize: ${this.pageSize}, but the tier has a page of ${bytes} bytes. Drop the space to change it.`;
      throw new PoolError('OPTION_INVALID', why, { option: 'pageSize', pageSize: bytes });
    }
    const { expiresAtMs, isShared } = life;
    return loadedFor(content, { expiresAtMs, isShared });
  }

  /** As fetch, but a private copy. */
  async fetchCopy(pageNo: number, load: PageLoader, options?: PageFetchOptions): Promise<Uint8Array> {
    using page = await this.fetch(pageNo, load, options);
    return page.copy();
  }

  /** As fetch; the page is released when what `use` makes of its bytes has settled. Gives what `use` gives. */
  async with<T>(
    pageNo: number,
    load: PageLoader,
    use: (bytes: Uint8Array) => T | Promise<T>,
    options?: PageFetchOptions,
  ): Promise<T> {
    using page = await this.fetch(pageNo, load, options);
    return await use(page.bytes);
  }

  /**
   * The page has these bytes from now on, for all hosts; this host's pool gets it at the next fetch. False: the tier has not stored it, and the
   * old page is gone all the same. Rejects with TIER_UNREACHABLE where other hosts may still have the old one: then try again.
   */
  async put(pageNo: number, bytes: Uint8Array, options: { ttlMs?: number } = {}): Promise<boolean> {
    for (const name of Object.keys(options))
      if (name !== 'ttlMs') throw refused(name, 'The tier has pages without versions, and takes leases itself.');
    if (!(bytes instanceof Uint8Array) || bytes.length !== this.pageSize)
      throw new PoolError('OPTION_INVALID', `bytes: expected ${this.pageSize}, as the pages of this space have.`);
    const { ttlMs: freshMs = this.options.ttlMs } = options;
    const stored = { bytes: bytes.slice(), metadata: undefined, isNegative: false, freshMs, keptMs: 0 };
    return writeThrough(this.parts, keyOf(pageNo), stored, () => this.pool.invalidate(pageNo));
  }

  /**
   * The page is a miss for every read of this host from now on, and of each other once it is told; no load that is under way publishes, on
   * any host. Rejects with TIER_UNREACHABLE where others could not be told: then try again. Throws BUSY.
   */
  async invalidate(pageNo: number): Promise<void> {
    await tellAll(this.parts, keyOf(pageNo), () => this.pool.invalidate(pageNo));
  }

  /** invalidate for `count` pages from `first` on. Of more than 256 the whole space is dropped. */
  async invalidateRange(first: number, count: number): Promise<void> {
    this.pool.invalidateRange(first, count);
    if (count > RANGE_MAX) return this.drop();
    await Promise.all(Array.from({ length: count }, (_, i) => this.invalidate(first + i)));
  }

  /** All pages of the space at once, as invalidate does. */
  async drop(): Promise<void> {
    await tellAll(this.parts, undefined, () => this.pool.drop());
  }

  /** Refused (UNSUPPORTED): who loads synchronously cannot wait for the tier. */
  fetchSync(): never {
    throw refused('fetchSync', 'Use fetch, or the pool alone: pages.pool.');
  }
  readThrough(): never {
    throw refused('readThrough', 'Use fetch and then read, or the pool alone: pages.pool.');
  }
  loadAhead(): never {
    throw refused('loadAhead', 'Use fetch, or the pool alone: pages.pool.');
  }
  /** Refused (UNSUPPORTED): leases of a tier are taken by its loads. */
  lease(): never {
    throw refused('lease', 'Use fetch.');
  }
  /** Refused (UNSUPPORTED): there are no versions. */
  retire(): never {
    throw refused('retire', 'The tier has pages without versions.');
  }

  stats(): { tier: TierCounts & { loads: number }; channel: ChannelCounts & { isVouched: boolean } } {
    const { space, loading, host } = this.parts;
    return {
      tier: { ...space.counts, loads: loading.loads },
      channel: { ...host.counts, isVouched: host.isVouched },
    };
  }
}
