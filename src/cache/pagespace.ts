/** Pages of one file, table or relation, by number. */
import { takeBytes } from '../../lib/bytes.js';
import { PoolError } from '../../lib/errors.js';
import { OutOfLine } from '../../lib/outofline.js';
import { type Shown, showAs } from '../../lib/shown.js';
import { type NearEntry, type NearMap, type NodeSession, type Page, PinnedPage, type Reader } from '../pool/index.js';
import { completePage, takeWithLife } from './answers.js';
import type { Domain } from './domain.js';
import { Fetching } from './fetching.js';
import { checkRoom, copyAndRelease, copyInto, useAndRelease } from './lending.js';
import { checkCount, checkInUse, checkLoader, checkPageFetch, checkPut, checkUse, type PutOptions } from './options.js';
import { PageScan } from './scan.js';
import { Scratches } from './scratch.js';
import { howToLoad, SyncLoads } from './syncloads.js';
import { HITS, MISSES } from './tally.js';
import type {
  Ahead,
  Lease,
  PageFetchOptions,
  PageLoader,
  PageLoadSyncOptions,
  PageSpace,
  SyncPageLoader,
} from './types.js';
import { LoadedFor } from './types.js';
import { validityOf } from './validity.js';

const NOTHING = new Uint8Array(0);

export interface SpaceOptions {
  readonly pageSize: number;
  readonly zeroFill: boolean;
  readonly ttlMs: number | undefined;
  readonly loadTimeoutMs: number;
}

/** Above this many pages a range is looked for in the pool, instead of page by page. */
const RANGE_BY_PAGE_MAX = 256;

/** Of a list of pages, how many are looked at before the first of them is borrowed. */
const MEET = 16;

/** Borrows that are good at a time. */
const BORROWS_MAX = 1024;

export class SharedPageSpace implements PageSpace, Shown {
  // First: see UNCLONEABLE.
  private readonly domain: Domain;
  readonly pageSize: number;
  private readonly options: SpaceOptions;
  private readonly fetching: Fetching;
  private readonly loads: SyncLoads;
  private readonly near: NearMap;
  private readonly session: NodeSession;
  private readonly reader: Reader;
  private readonly counts: Float64Array;
  private readonly slowly = new OutOfLine((pageNo: number, asOf?: number) => this.borrowFound(pageNo, asOf));
  private readonly slowlyPinned = new OutOfLine((pageNo: number, asOf?: number) => this.getFound(pageNo, asOf));
  private readonly scratches: Scratches;
  /** Of no use but that it is stored: the compiler would leave the looking ahead out. */
  met = 0;

  constructor(domain: Domain, options: SpaceOptions) {
    this.domain = domain;
    this.options = options;
    this.pageSize = options.pageSize;
    this.fetching = new Fetching(domain);
    this.near = domain.keys.pages;
    this.session = domain.session;
    this.reader = domain.session.reader;
    this.counts = domain.tally.counts;
    this.scratches = new Scratches(options.pageSize);
    const look = (pageNo: number, asOf: number | undefined) => this.look(pageNo, asOf);
    this.loads = new SyncLoads(domain, this.fetching.loading, { pageSize: options.pageSize, look });
  }

  private find(pageNo: number, asOf: number | undefined): NearEntry | undefined {
    const entry = this.sized(this.domain.session.findPage(this.domain.keys, pageNo, asOf));
    this.domain.tally.add(entry === undefined ? MISSES : HITS);
    return entry;
  }

  /** The page, neither counted nor touched. */
  private look(pageNo: number, asOf: number | undefined): NearEntry | undefined {
    return this.sized(this.domain.session.glancePage(this.domain.keys, pageNo, asOf));
  }

  /** Throws OPTION_INVALID for a page of another size: the space was dropped, and opened with that. */
  private sized(entry: NearEntry | undefined): NearEntry | undefined {
    if (entry === undefined || entry.bytes.length === this.pageSize) return entry;
    throw new PoolError(
      'OPTION_INVALID',
      `pageSize: the page has ${entry.bytes.length} bytes, and this space was opened for ${this.pageSize}. Open it anew.`,
      { option: 'pageSize', pageSize: entry.bytes.length },
    );
  }

  borrow(pageNo: number, asOf?: number): Uint8Array | undefined {
    // The hot path: the newest version, remembered.
    const near = asOf === undefined && typeof pageNo === 'number' ? this.near.atShortcut(pageNo) : undefined;
    if (near !== undefined && near.bytes.length === this.pageSize && this.reader.hit(near)) {
      this.reader.hazards.keep();
      this.counts[HITS] = (this.counts[HITS] as number) + 1;
      return near.bytes;
    }
    return this.slowly.call(pageNo, asOf);
  }

  private borrowFound(pageNo: number, asOf: number | undefined): Uint8Array | undefined {
    const entry = this.find(pageNo, asOf);
    return entry === undefined ? undefined : this.borrowed(entry);
  }

  borrowMany(pageNumbers: ArrayLike<number>, into: (Uint8Array | undefined)[], asOf?: number): number {
    const { length } = pageNumbers;
    if (length > BORROWS_MAX) {
      throw new PoolError('OPTION_INVALID', `pageNumbers: ${length}, but only ${BORROWS_MAX} are good at a time.`);
    }
    let found = 0;
    for (let i = 0; i < length; i++) {
      if (i % MEET === 0) this.met = this.meet(pageNumbers, i, Math.min(i + MEET, length));
      const bytes = this.borrow(pageNumbers[i] as number, asOf);
      into[i] = bytes;
      if (bytes !== undefined) found++;
    }
    return found;
  }

  /**
   * Looks at what is remembered of some pages, of each on its own: the processor fetches what it has not at hand of them all at once, where
   * it would wait for one after the other among the rest of a borrow. Nothing is taken from it: each borrow finds its page anew.
   */
  private meet(pageNumbers: ArrayLike<number>, from: number, to: number): number {
    let met = 0;
    for (let i = from; i < to; i++) {
      const pageNo = pageNumbers[i] as number;
      const near = typeof pageNo === 'number' ? this.near.atShortcut(pageNo) : undefined;
      if (near !== undefined) met += near.bytes.length;
    }
    return met;
  }

  scan(first: number, count: number, asOf?: number): IterableIterator<Uint8Array | undefined> {
    checkCount(count);
    this.domain.session.check();
    this.domain.keys.encodePage(first);
    if (count > 0) this.domain.keys.encodePage(first + count - 1);
    return new PageScan(this, first, count, asOf);
  }

  get(pageNo: number, asOf?: number): Page | undefined {
    // As borrow.
    const near = asOf === undefined && typeof pageNo === 'number' ? this.near.atShortcut(pageNo) : undefined;
    if (near !== undefined && near.bytes.length === this.pageSize && this.reader.hit(near)) {
      this.counts[HITS] = (this.counts[HITS] as number) + 1;
      return new PinnedPage(this.session, undefined, near);
    }
    return this.slowlyPinned.call(pageNo, asOf);
  }

  private getFound(pageNo: number, asOf: number | undefined): Page | undefined {
    const entry = this.find(pageNo, asOf);
    return entry === undefined ? undefined : new PinnedPage(this.session, undefined, entry);
  }

  read(pageNo: number, target: Uint8Array, targetOffset = 0, asOf?: number): boolean {
    const entry = this.find(pageNo, asOf);
    if (entry === undefined) return false;
    copyInto(target, targetOffset, entry.bytes);
    return true;
  }

  lease(pageNo: number): Lease {
    this.domain.session.check();
    this.domain.keys.encodePage(pageNo);
    return this.domain.lease();
  }

  put(pageNo: number, bytes: Uint8Array, options?: PutOptions): boolean {
    this.domain.session.check();
    const checked = checkPut(options);
    const content = takeBytes(bytes, 'bytes');
    if (content.length !== this.pageSize) {
      throw new PoolError(
        'OPTION_INVALID',
        `bytes: ${content.length}, but the pages of this space have ${this.pageSize}.`,
      );
    }
    this.domain.keys.encodePage(pageNo);
    return this.domain.store(content, { ...checked, ttlMs: checked.ttlMs ?? this.options.ttlMs });
  }

  fetchSync(pageNo: number, load: SyncPageLoader, options?: PageLoadSyncOptions): Uint8Array {
    const entry = this.find(pageNo, options?.asOf);
    if (entry !== undefined) return this.borrowed(entry);
    checkLoader(load);
    const scratch = this.scratches.take();
    const loaded = this.loads.loadOrWait(pageNo, scratch, load, howToLoad(options, this.options, 'fetchSync'));
    const bytes = loaded.entry === undefined ? scratch.slice() : this.borrowed(loaded.entry);
    this.scratches.giveBack(scratch);
    return bytes;
  }

  private borrowed(entry: NearEntry): Uint8Array {
    this.domain.session.reader.hazards.keep();
    return entry.bytes;
  }

  readThrough(pageNo: number, target: Uint8Array, load: SyncPageLoader, options?: PageLoadSyncOptions): boolean {
    // As in borrow.
    const near = options === undefined && typeof pageNo === 'number' ? this.near.atShortcut(pageNo) : undefined;
    if (near !== undefined && near.bytes.length === this.pageSize && this.reader.hit(near)) {
      this.counts[HITS] = (this.counts[HITS] as number) + 1;
      copyInto(target, 0, near.bytes);
      return true;
    }
    const entry = this.find(pageNo, options?.asOf);
    if (entry !== undefined) {
      copyInto(target, 0, entry.bytes);
      return true;
    }
    checkLoader(load);
    checkRoom(target, 0, this.pageSize);
    const scratch = this.scratches.take();
    // Its page is not looked for: the bytes are here, and who asks again remembers it.
    const loaded = this.loads.loadOrWait(pageNo, scratch, load, howToLoad(options, this.options, 'readThrough'));
    copyInto(target, 0, loaded.entry === undefined ? scratch : loaded.entry.bytes);
    this.scratches.giveBack(scratch);
    return loaded.isHit;
  }

  loadAhead(pageNo: number, load: SyncPageLoader, options?: PageLoadSyncOptions): Ahead {
    checkLoader(load);
    this.domain.session.check();
    const scratch = this.scratches.take();
    const outcome = this.loads.loadAhead(pageNo, scratch, load, howToLoad(options, this.options, 'loadAhead'));
    this.scratches.giveBack(scratch);
    return outcome;
  }

  async fetch(pageNo: number, load: PageLoader, options?: PageFetchOptions): Promise<Page> {
    const checked = checkPageFetch(options);
    const entry = this.find(pageNo, checked.asOf);
    return entry === undefined
      ? this.fetchMissing(pageNo, load, checked)
      : new PinnedPage(this.session, undefined, entry);
  }

  private fetchMissing(pageNo: number, load: PageLoader, checked: PageFetchOptions): Promise<Page> {
    checkLoader(load);
    const { domain, options, pageSize } = this;
    const zeroFill = checked.zeroFill ?? options.zeroFill;
    const { asOf } = checked;
    // A later answer is of a loader whose load is over: nobody looks at it.
    let scratch: Uint8Array = NOTHING;
    const sought = {
      key: domain.keys.pageKey(pageNo),
      asOf,
      // (W6)
      size: asOf === undefined ? pageSize : 0,
      ttlMs: checked.ttlMs ?? options.ttlMs,
      keptMs: 0,
      mayBeKept: false,
      encode: () => domain.keys.encodePage(pageNo),
      look: () => this.look(pageNo, asOf),
      call: (signal: AbortSignal) => {
        scratch = this.scratches.fresh();
        return load(pageNo, scratch, { signal, asOf });
      },
      take: (answer: unknown) => {
        if (answer instanceof LoadedFor) return takeWithLife(answer, pageSize, asOf);
        completePage(answer, scratch, { pageNo, pageSize, zeroFill });
        return { bytes: scratch, told: validityOf(answer, asOf) };
      },
    };
    const { signal, loadTimeoutMs } = checked;
    return this.fetching.fetch(sought, { signal, loadTimeoutMs: loadTimeoutMs ?? options.loadTimeoutMs });
  }

  async fetchCopy(pageNo: number, load: PageLoader, options?: PageFetchOptions): Promise<Uint8Array> {
    const checked = checkPageFetch(options);
    const entry = this.find(pageNo, checked.asOf);
    if (entry !== undefined) return new Uint8Array(entry.bytes);
    return copyAndRelease(await this.fetchMissing(pageNo, load, checked));
  }

  async with<T>(
    pageNo: number,
    load: PageLoader,
    use: (bytes: Uint8Array) => T | Promise<T>,
    options?: PageFetchOptions,
  ): Promise<T> {
    checkUse(use);
    return useAndRelease(await this.fetch(pageNo, load, options), use);
  }

  invalidate(pageNo: number, version?: number): void {
    this.domain.session.check();
    if (version !== undefined) checkPut({ from: version });
    this.domain.keys.encodePage(pageNo);
    this.domain.remove(version);
  }

  invalidateRange(first: number, count: number): void {
    checkCount(count);
    this.domain.session.check();
    this.domain.keys.encodePage(first);
    if (count > RANGE_BY_PAGE_MAX) this.domain.removePages(first, first + count);
    else for (let pageNo = first; pageNo < first + count; pageNo++) this.invalidate(pageNo);
  }

  retire(pageNo: number, inUse: readonly number[]): number {
    this.domain.session.check();
    const versions = checkInUse(inUse);
    this.domain.keys.encodePage(pageNo);
    return this.domain.retireEnded(versions);
  }

  drop(): void {
    this.domain.drop();
  }

  toJSON(): object {
    const { path, isOpen } = this.domain.session;
    const { name } = this.domain;
    return { name, pageSize: this.pageSize, path, state: isOpen ? 'connected' : 'disconnected' };
  }
}

showAs(SharedPageSpace, 'PageSpace');
