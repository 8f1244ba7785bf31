/** What a node of a storm does: every call there is, on keys whose content tells whose it is and how old (judge.ts). */
import type { PageSpace } from '../../src/index.js';
import { PoolError, SharedCache } from '../../src/index.js';
import type { Draft, Page } from '../../src/pool/layout/types.js';
import type { AttachedPool } from '../../src/pool/pool.js';
import { CONTENT_BYTES_MIN, checkContent, contentOf, fillContent } from '../support/content.js';
import type { Board, TimeKind } from './board.js';
import { Judge } from './judge.js';
import type { LifePlan } from './plan.js';

export const VERSION_PAGE_BYTES = 2048;
const DRAFTS_MAX = 6;
const PINS_MAX = 24;

interface Pinned {
  readonly key: string;
  readonly page: Page;
  readonly generation: number;
}

export class Actor {
  private readonly pool: AttachedPool;
  private readonly cache: SharedCache;
  private readonly versions: PageSpace;
  private readonly through: PageSpace;
  private readonly board: Board;
  private readonly plan: LifePlan;
  private readonly below: (limit: number) => number;
  private readonly judge: Judge;
  private readonly pinned: Pinned[] = [];
  private readonly drafts: { key: string; draft: Draft; generation: number }[] = [];
  private readonly target = new Uint8Array(64 * 1024);
  private rounds = 0;

  constructor(pool: AttachedPool, board: Board, plan: LifePlan, below: (limit: number) => number) {
    this.pool = pool;
    this.board = board;
    this.plan = plan;
    this.below = below;
    this.judge = new Judge(board, plan.seat);
    this.cache = new SharedCache(pool, { namespace: 'storm' });
    this.versions = this.cache.pages('versions', { pageSize: VERSION_PAGE_BYTES });
    this.through = this.cache.pages('through', { pageSize: VERSION_PAGE_BYTES });
  }

  private size(): number {
    const { below } = this;
    const most = below(4) === 0 ? this.plan.scene.pageBytesMax : 4096;
    return CONTENT_BYTES_MIN + below(most - CONTENT_BYTES_MIN);
  }

  /** Half of the looks go to a few: nodes meet there. */
  private index(count: number): number {
    return this.below(2) === 0 ? this.below(Math.min(count, 40)) : this.below(count);
  }

  /** Does one thing. */
  async act(): Promise<void> {
    const way = this.below(100);
    this.rounds++;
    if (way < 38) this.timed('read', () => this.look());
    else if (way < 66) this.timed('write', () => this.write());
    else if (way < 80) this.timed('write', () => this.share());
    else if (way < 86) this.timed('read', () => this.versionedLook());
    else if (way < 92) this.timed('write', () => this.commit());
    else if (way < 98) await this.timedLater('fetch', () => this.load());
    else if (way < 99 && this.below(3) === 0) this.timed('large', () => this.large());
    else this.timed('write', () => this.rarely());
  }

  private timed(kind: TimeKind, work: () => void): void {
    const { board, plan } = this;
    const started = performance.now();
    board.enterOperation(plan.seat, kind);
    try {
      work();
    } catch (error) {
      this.excuse(error);
    } finally {
      board.leaveOperation(plan.seat);
    }
    board.record(plan.seat, kind, performance.now() - started);
    board.count(plan.seat, 'operations');
  }

  private async timedLater(kind: TimeKind, work: () => Promise<void>): Promise<void> {
    const { board, plan } = this;
    const started = performance.now();
    board.enterOperation(plan.seat, kind);
    try {
      await work();
    } catch (error) {
      this.excuse(error);
    } finally {
      board.leaveOperation(plan.seat);
    }
    board.record(plan.seat, kind, performance.now() - started);
    board.count(plan.seat, 'operations');
  }

  /** A full pool is no failure, nor is a lock behind a process that the machine does not run. */
  private excuse(error: unknown): void {
    if (!(error instanceof PoolError)) throw error;
    if (error.code === 'POOL_FULL') this.board.count(this.plan.seat, 'full');
    else if (error.code === 'BUSY') this.board.count(this.plan.seat, 'busy');
    else throw error;
  }

  private someKey(): { key: string; place: number } {
    const seat = this.below(this.plan.seats);
    const index = this.index(this.board.shape.ownKeys);
    return { key: `own-${seat}-${index}`, place: this.board.key(seat, index) };
  }

  private look(): void {
    const way = this.below(8);
    if (way === 0) this.lookAtShared();
    else if (way === 1) this.lookAtMany();
    else if (way < 5) this.borrowSome();
    else this.lookAtOne(way);
    this.letGo(PINS_MAX);
  }

  private lookAtOne(way: number): void {
    const { key, place } = this.someKey();
    const floor = this.board.floor(place);
    if (way === 5) {
      const length = this.cache.read(key, this.target);
      if (length >= 0) this.judge.meet(key, this.target.slice(0, length), place, floor);
    } else if (way === 6) {
      const bytes = this.cache.peek(key);
      if (bytes !== undefined) this.judge.meet(key, bytes, place, floor);
    } else {
      const page = this.cache.get(key);
      if (page === undefined) return;
      this.pinned.push({ key, page, generation: this.judge.meet(key, page.bytes, place, floor) });
    }
  }

  /** All of them are good until the run ends. */
  private borrowSome(): void {
    const met: { key: string; place: number; floor: number; bytes: Uint8Array }[] = [];
    for (let i = 0; i < 8; i++) {
      const { key, place } = this.someKey();
      const floor = this.board.floor(place);
      const bytes = this.cache.borrow(key);
      if (bytes !== undefined) met.push({ key, place, floor, bytes });
    }
    for (const { key, place, floor, bytes } of met) this.judge.meet(key, bytes, place, floor);
  }

  private sharedKey(): string {
    return `shared-${this.index(this.plan.scene.sharedKeys)}`;
  }

  private lookAtShared(): void {
    const key = this.sharedKey();
    const page = this.pool.get(key);
    if (page === undefined) return;
    this.judge.count(page.bytes);
    this.pinned.push({ key, page, generation: checkContent(page.bytes, key) });
  }

  private lookAtMany(): void {
    const keys = Array.from({ length: 8 }, () => this.sharedKey());
    const pages = this.pool.getMany(keys);
    pages.forEach((page, i) => {
      if (page === undefined) return;
      this.judge.count(page.bytes);
      checkContent(page.bytes, keys[i] as string);
    });
    for (const page of pages) page?.release();
  }

  /** Pinned pages are looked at once more before they go: they never change. */
  private letGo(most: number): void {
    while (this.pinned.length > most) {
      const { key, page, generation } = this.pinned.shift() as Pinned;
      const now = checkContent(page.bytes, key);
      if (now !== generation) throw new Error(`${key}: a pinned page went from generation ${generation} to ${now}`);
      page.release();
    }
  }

  private write(): void {
    const { board, plan } = this;
    const index = this.index(board.shape.ownKeys);
    const key = `own-${plan.seat}-${index}`;
    const place = board.key(plan.seat, index);
    const generation = board.nextGeneration(plan.seat);
    board.begin(place, generation);
    if (this.below(12) === 0) this.cache.delete(key);
    else if (!this.cache.set(key, contentOf(key, generation, this.size()))) board.count(plan.seat, 'full');
    // Stored or not, whatever was there before is hidden.
    board.finish(place, generation);
    board.count(plan.seat, 'writes');
  }

  private share(): void {
    const key = this.sharedKey();
    const way = this.below(8);
    this.board.count(this.plan.seat, 'writes');
    if (way < 4) this.pool.put(key, contentOf(key, this.rounds, this.size()), { retain: false });
    else if (way < 6) this.pool.delete(key);
    else this.draft(key, this.size());
  }

  /** Opens a draft, and ends the oldest when there are many: some stay open while other work goes on. */
  private draft(key: string, size: number): void {
    if (this.drafts.length >= DRAFTS_MAX) this.endDraft();
    let draft: Draft;
    try {
      draft = this.pool.create(key, size);
    } catch (error) {
      if (error instanceof PoolError && error.code === 'KEY_EXISTS') return;
      throw error;
    }
    this.drafts.push({ key, draft, generation: this.rounds });
  }

  private endDraft(): void {
    const oldest = this.drafts.shift();
    if (oldest === undefined) return;
    const { key, draft, generation } = oldest;
    if (this.below(3) === 0) {
      draft.abort();
      return;
    }
    try {
      fillContent(draft.bytes, key, generation);
      draft.seal();
    } catch (error) {
      draft.abort();
      throw error;
    }
  }

  private commit(): void {
    const { board, plan, versions } = this;
    const index = this.index(board.shape.ownPages);
    const pageNo = plan.seat * board.shape.ownPages + index;
    const place = board.page(plan.seat, index);
    const version = board.nextVersion();
    board.begin(place, version);
    if (this.below(10) === 0) versions.invalidate(pageNo, version);
    else versions.put(pageNo, contentOf(`version-${pageNo}`, version, VERSION_PAGE_BYTES), { from: version });
    // Refused for a newer version of its stripe, or without room: the versions before it are over all the same.
    board.finish(place, version);
    board.count(plan.seat, 'writes');
  }

  private versionedLook(): void {
    const { board, versions } = this;
    const seat = this.below(this.plan.seats);
    const index = this.index(board.shape.ownPages);
    const pageNo = seat * board.shape.ownPages + index;
    const place = board.page(seat, index);
    const floor = board.floor(place);
    if (this.below(2) === 0) {
      const bytes = versions.borrow(pageNo);
      if (bytes !== undefined) this.judge.meet(`version-${pageNo}`, bytes, place, floor);
      return;
    }
    const asOf = Math.max(1, board.version() - this.below(2000));
    const bytes = versions.borrow(pageNo, asOf);
    if (bytes === undefined) return;
    const from = checkContent(bytes, `version-${pageNo}`);
    this.judge.count(bytes);
    if (from > asOf) throw new Error(`page ${pageNo} as of ${asOf} is of version ${from}`);
    if (from < floor && floor <= asOf) throw new Error(`page ${pageNo} as of ${asOf}: ${from}, but ${floor} ended it`);
  }

  /** Loads through the cache what others invalidate: the loader reads the source's present generation. */
  private async load(): Promise<void> {
    const { board } = this;
    const index = this.index(board.shape.sources);
    const place = board.source(index);
    const way = this.below(8);
    if (way < 2) return this.invalidate(index, place);
    const floor = board.floor(place);
    if (way < 5) return this.fetch(`source-${index}`, place, floor);
    const fill = (pageNo: number, into: Uint8Array) => fillContent(into, `through-${pageNo}`, board.begun(place));
    if (way < 7) {
      const bytes = this.through.fetchSync(index, fill);
      this.judge.meetLoaded(`through-${index}`, bytes, place, floor);
    } else {
      const target = new Uint8Array(VERSION_PAGE_BYTES);
      this.through.readThrough(index, target, fill);
      this.judge.meetLoaded(`through-${index}`, target, place, floor);
    }
  }

  private async fetch(key: string, place: number, floor: number): Promise<void> {
    const size = this.size();
    const slow = this.below(8) === 0;
    const page = await this.cache.fetch(key, async () => {
      const generation = this.board.begun(place);
      if (slow) await new Promise((resolve) => setTimeout(resolve, this.below(10)));
      return contentOf(key, generation, size);
    });
    this.judge.meetLoaded(key, page.bytes, place, floor);
    page.release();
  }

  private invalidate(index: number, place: number): void {
    const generation = this.board.change(place);
    this.cache.delete(`source-${index}`);
    this.through.invalidate(index);
    this.board.raise(place, generation);
    this.board.count(this.plan.seat, 'writes');
  }

  /** Objects that span chunks. */
  private large(): void {
    const { largeKeys, largeBytesMax } = this.plan.scene;
    const key = `large-${this.below(largeKeys)}`;
    if (this.below(3) === 0) {
      this.pool.delete(key);
      return;
    }
    const page = this.pool.get(key);
    if (page !== undefined) {
      checkContent(page.bytes, key);
      this.judge.count(page.bytes);
      page.release();
      return;
    }
    const size = (largeBytesMax >> 2) + this.below(largeBytesMax - (largeBytesMax >> 2));
    this.pool.put(key, contentOf(key, this.rounds, size));
  }

  private rarely(): void {
    const way = this.below(6);
    if (way === 0) this.pool.evict(20_000);
    else if (way === 1) this.pool.stats();
    else if (way === 2) this.pool.nodes();
    else if (way === 3) this.pool.has(this.sharedKey());
    else this.endDraft();
  }

  /** Everything once, in the names of all seats; for the first node, before there are others. */
  fill(): void {
    const { board, plan } = this;
    const { shape } = board;
    for (let index = 0; index < Math.max(shape.ownKeys, plan.scene.sharedKeys); index++) {
      for (let seat = 0; seat < plan.seats && index < shape.ownKeys; seat++) this.fillKey(seat, index);
      const key = `shared-${index}`;
      if (index < plan.scene.sharedKeys)
        this.timed('write', () => void this.pool.put(key, contentOf(key, 1, this.size())));
    }
  }

  private fillKey(seat: number, index: number): void {
    const key = `own-${seat}-${index}`;
    const place = this.board.key(seat, index);
    const generation = this.board.nextGeneration(seat);
    this.board.begin(place, generation);
    this.cache.set(key, contentOf(key, generation, this.size()));
    this.board.finish(place, generation);
  }

  /** Every key, page and large object there may be. How many were there. */
  async lookAtAll(): Promise<number> {
    const { board, plan } = this;
    let found = 0;
    for (let seat = 0; seat < plan.seats; seat++) {
      for (let index = 0; index < board.shape.ownKeys; index++) {
        const place = board.key(seat, index);
        const bytes = this.cache.peek(`own-${seat}-${index}`);
        if (bytes !== undefined) this.judge.meet(`own-${seat}-${index}`, bytes, place, board.floor(place));
        if (bytes !== undefined) found++;
      }
      for (let index = 0; index < board.shape.ownPages; index++) {
        const place = board.page(seat, index);
        const pageNo = seat * board.shape.ownPages + index;
        const bytes = this.versions.borrow(pageNo);
        if (bytes !== undefined) this.judge.meet(`version-${pageNo}`, bytes, place, board.floor(place));
        if (bytes !== undefined) found++;
      }
      // Borrows end with the run.
      await Promise.resolve();
    }
    const { sharedKeys, largeKeys } = plan.scene;
    const keys = [...Array(sharedKeys).keys()].map((i) => `shared-${i}`);
    for (const key of [...keys, ...[...Array(largeKeys).keys()].map((i) => `large-${i}`)]) {
      const page = this.pool.get(key);
      if (page === undefined) continue;
      checkContent(page.bytes, key);
      page.release();
      found++;
    }
    return found;
  }

  /** Gives up what it holds, as a program that ends well. */
  end(): void {
    this.letGo(0);
    while (this.drafts.length > 0) this.endDraft();
  }
}
