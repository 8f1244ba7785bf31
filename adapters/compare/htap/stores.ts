/**
 * Where a reader keeps pages, by arm; all of them counted.
 *
 *   pool      the pool that all share;
 *   private   a pool of its own, of the same code: versions by LSN, ended by the logs of what each commit changed;
 *   none      nowhere: what caches then is the engine, or the operating system.
 *
 * (S1) a private store is told of all changes up to a snapshot before it is asked for pages of it (`follow`). Where a log is gone it
 *      forgets everything.
 */
import {
  type Ahead,
  type PageLoadSyncOptions,
  type PageSpace,
  type Pool,
  SharedCache,
  type SyncPageLoader,
} from '../../../src/index.js';
import type { Head, LogEntry } from '../../sqlite/head.js';
import type { PageStore } from '../../sqlite/snapshot.js';
import { PAGE_SIZE } from '../sqlite/generate.js';
import { Latency } from '../sqlite/latency.js';

/** What a private store follows. */
export interface Changes {
  head(): Head | undefined;
  log(epoch: number, lsn: number): LogEntry | undefined;
}

export class CountingStore implements PageStore {
  requests = 0;
  hits = 0;
  readonly latency = new Latency();
  private store: PageStore | undefined;

  /** Undefined: nothing is kept. */
  over(store: PageStore | undefined): this {
    this.store = store;
    return this;
  }

  read(number: number, target: Uint8Array, offset?: number, asOf?: number): boolean {
    return this.counted(() => this.store?.read(number, target, offset, asOf) ?? false);
  }

  readThrough(number: number, target: Uint8Array, load: SyncPageLoader, options?: PageLoadSyncOptions): boolean {
    return this.counted(() => {
      if (this.store !== undefined) return this.store.readThrough(number, target, load, options);
      load(number, target, { asOf: options?.asOf });
      return false;
    });
  }

  /** No request: nobody has asked yet. */
  loadAhead(number: number, load: SyncPageLoader, options?: PageLoadSyncOptions): Ahead {
    return this.store?.loadAhead(number, load, options) ?? 'busy';
  }

  private counted(read: () => boolean): boolean {
    const started = performance.now();
    this.requests += 1;
    const isHit = read();
    if (isHit) this.hits += 1;
    this.latency.record((performance.now() - started) * 1e6);
    return isHit;
  }
}

export class PrivateStore implements PageStore {
  private space: PageSpace;
  private readonly cache: SharedCache;

  constructor(pool: Pool) {
    this.cache = new SharedCache(pool);
    this.space = this.open();
  }

  read(number: number, target: Uint8Array, offset?: number, asOf?: number): boolean {
    return this.space.read(number, target, offset, asOf);
  }
  readThrough(number: number, target: Uint8Array, load: SyncPageLoader, options?: PageLoadSyncOptions): boolean {
    return this.space.readThrough(number, target, load, options);
  }
  loadAhead(number: number, load: SyncPageLoader, options?: PageLoadSyncOptions): Ahead {
    return this.space.loadAhead(number, load, options);
  }

  private open(): PageSpace {
    return this.cache.pages('private', { pageSize: PAGE_SIZE });
  }

  /** (S1) From one snapshot to the next. */
  follow(changes: Changes, from: number, to: number): void {
    const epoch = changes.head()?.epoch;
    for (let lsn = from + 1; lsn <= to; lsn += 1) {
      const log = epoch === undefined ? undefined : changes.log(epoch, lsn);
      if (log === undefined) {
        this.space.drop();
        this.space = this.open();
        return;
      }
      for (const pageNo of log.pages) this.space.invalidate((epoch as number) + pageNo, lsn);
    }
  }
}
