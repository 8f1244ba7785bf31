/**
 * What the writer keeps of the past: the versions of pages that snapshots of readers need, and that the file no longer has. They are
 * pinned, as nobody asks for them often enough for the pool's policy to keep them.
 *
 * (K1) a version is kept as long as a reader is at a snapshot that has it, and no longer.
 *      One that nobody needs leaves the pool with its successor, where no other of its page is kept.
 * (K2) all of them together are at most a share of the pool. Beyond it the oldest are left to the pool's policy: a reader that stays
 *      long is told so when it asks for one that is gone, and holds nobody back.
 * (K3) who comes while the writer is writing comes to the newest LSN: where there are readers that counts as the snapshot of one, and
 *      what is needed is kept before the writer tells that it writes. Of the first reader it knows by looking once more afterwards: a
 *      reader tells its snapshot before it uses it, and then looks whether the head is still quiet there (`OpenReader.refresh`).
 * (K4) what was kept and is needed no more is retired, with all that ended of its page between the snapshots there are and the newest
 *      LSN. A reader that was missed after all has a miss, as after an eviction: the file's page with proof, or SNAPSHOT_LOST.
 */
import { PoolError } from '../../lib/errors.js';
import type { Page, PageSpace, Pool, SharedCache } from '../../src/index.js';
import type { FileStatus } from './files.js';
import { listReaders } from './presence.js';

/** Of the pool, unless the writer is opened with another. */
export const SNAPSHOT_SHARE = 0.25;
export const SNAPSHOT_SHARE_MAX = 0.8;

interface Kept {
  readonly space: PageSpace;
  readonly page: Page;
  readonly number: number;
  /** Snapshots from the one LSN on, up to before the other, have it. */
  readonly from: number;
  readonly until: number;
}

export class Retention {
  private readonly pool: Pool;
  private readonly cache: SharedCache;
  private readonly file: FileStatus;
  private readonly bytesMax: number;
  /** Of the readers. */
  private snapshots: readonly number[] = [];
  private kept: Kept[] = [];
  private keptBytes = 0;
  /** How many are kept of a page. */
  private readonly counts = new Map<number, number>();

  /** `share`: of the pool's bytes, what may be kept. */
  constructor(pool: Pool, cache: SharedCache, { file, share }: { file: FileStatus; share: number }) {
    this.pool = pool;
    this.cache = cache;
    this.file = file;
    this.bytesMax = pool.stats().bytesData * share;
  }

  /** (K3, K1) `head` is the newest LSN. */
  look(head: number): void {
    const told = listReaders(this.pool, this.file, this.cache).map(({ lsn }) => lsn);
    this.snapshots = told.length === 0 ? [] : [...new Set([...told, head])];
    const gone: Kept[] = [];
    const kept: Kept[] = [];
    for (const one of this.kept) (this.isNeeded(one.from, one.until) ? kept : gone).push(one);
    this.kept = kept;
    const inUse = [...told.filter((lsn) => lsn < head), head];
    for (const one of gone) {
      this.release(one);
      this.giveBack(one, inUse);
    }
  }

  /** (K4) */
  private giveBack({ space, number }: Kept, inUse: readonly number[]): void {
    try {
      space.retire(number, inUse);
    } catch (error) {
      // Behind a node that is stopped: it goes by the pool's policy.
      if (!(error instanceof PoolError) || error.code !== 'BUSY') throw error;
    }
  }

  get hasReaders(): boolean {
    return this.snapshots.length > 0;
  }

  isNeeded(from: number, until: number): boolean {
    return this.snapshots.some((lsn) => from <= lsn && lsn < until);
  }

  /** Whether no snapshot has any version of the page that the pool has. */
  isForgotten(number: number, from: number, until: number): boolean {
    return !this.counts.has(number) && !this.isNeeded(from, until);
  }

  /** The version of the page that is there before `until`. */
  keep(space: PageSpace, number: number, from: number, until: number): void {
    try {
      const page = space.get(number, until - 1);
      if (page === undefined) return;
      this.kept.push({ space, page, number, from, until });
      this.counts.set(number, (this.counts.get(number) ?? 0) + 1);
      this.keptBytes += page.size;
    } catch (error) {
      // (K2)
      if (!(error instanceof PoolError) || error.code !== 'TOO_MANY_PINS') throw error;
    }
    while (this.keptBytes > this.bytesMax) this.release(this.kept.shift() as Kept);
  }

  private release({ page, number }: Kept): void {
    this.keptBytes -= page.size;
    const left = (this.counts.get(number) ?? 1) - 1;
    if (left === 0) this.counts.delete(number);
    else this.counts.set(number, left);
    page.release();
  }

  close(): void {
    for (const one of this.kept.splice(0)) this.release(one);
  }
}
