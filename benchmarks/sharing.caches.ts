/** Where a process of the benchmark `sharing` has its pages from: its private cache or the pool, and on a miss the page server. */
import type { Database, Sqlite3Static } from '@sqlite.org/sqlite-wasm';
import { createPolicy, type PolicyName } from '../adapters/compare/trace/simulate.js';
import { nodeFiles } from '../adapters/sqlite/files.js';
import { openReader } from '../adapters/sqlite/index.js';
import {
  openReadOnly,
  openStorage,
  type PageSource,
  poolPageSource,
  type Storage,
} from '../adapters/sqlite-wasm/index.js';
import { connect, SharedCache } from '../src/index.js';
import { ENGINE_PAGES, type MissSource, PAGE, type ReadTask } from './sharing.world.js';

const asleep = new Int32Array(new SharedArrayBuffer(4));

/** Reads of the file as a page server would answer them: so much later. Counted. */
export class PageServer implements Storage {
  private readonly storage: Storage;
  private readonly latencyMs: number;
  reads = 0;

  constructor(file: string, { latencyMs, isDirect }: MissSource) {
    this.storage = openStorage(file, { direct: isDirect });
    this.latencyMs = latencyMs;
  }

  read(offset: number, target: Uint8Array): number {
    this.reads++;
    if (this.latencyMs > 0) Atomics.wait(asleep, 0, 0, this.latencyMs);
    return this.storage.read(offset, target);
  }

  get file() {
    return this.storage.file;
  }
  get size() {
    return this.storage.size;
  }
  get identity() {
    return this.storage.identity;
  }
  get direct() {
    return this.storage.direct;
  }
  get note() {
    return this.storage.note;
  }
  get readCount() {
    return this.reads;
  }
  get readBytes() {
    return this.storage.readBytes;
  }
  close(): void {
    this.storage.close();
  }
  [Symbol.dispose](): void {
    this.close();
  }
}

/** The pool's own eviction policy, private to a process, over memory allocated once. */
export class PrivatePages implements PageSource {
  readonly pageSize = PAGE;
  readonly fileSize: number;
  private readonly server: PageServer;
  private readonly policy: ReturnType<typeof createPolicy>;
  private readonly slab: Uint8Array;
  private readonly stale = new Set<number>();

  constructor(server: PageServer, capacity: number, eviction: PolicyName) {
    this.server = server;
    this.fileSize = server.size;
    this.policy = createPolicy(eviction, capacity);
    this.slab = new Uint8Array(capacity * PAGE);
  }

  read(pageNo: number, target: Uint8Array): boolean {
    const isThere = this.policy.access(pageNo) && !this.stale.has(pageNo);
    const offset = this.policy.slotOf(pageNo) * PAGE;
    const page = this.slab.subarray(offset, offset + PAGE);
    if (isThere) {
      target.set(page);
      return true;
    }
    this.stale.delete(pageNo);
    const count = this.server.read(pageNo * PAGE, target);
    target.fill(0, count);
    page.set(target);
    return false;
  }

  /** The file has these anew: only they are read again. */
  forget(pageNumbers: readonly number[]): void {
    for (const pageNo of pageNumbers) this.stale.add(pageNo);
  }
}

export interface Opened {
  /** Of the workloads that go through SQLite. */
  readonly db?: Database;
  /** Of the others. */
  readonly source?: PageSource;
  /** Goes to what the writer committed. */
  refresh(stale: readonly number[]): void;
  close(): Promise<void>;
}

export async function openPrivate(task: ReadTask, server: PageServer, sqlite3?: Sqlite3Static): Promise<Opened> {
  const source = new PrivatePages(server, task.capacity, task.eviction);
  if (sqlite3 === undefined) return { source, refresh: () => {}, close: async () => {} };
  const db = openReadOnly(sqlite3, { file: task.file, pageSource: source });
  db.exec(`PRAGMA cache_size = ${ENGINE_PAGES}`);
  return {
    db,
    refresh(stale) {
      source.forget(stale);
      // The engine takes the file for one that nobody changes: what it keeps itself has to go.
      db.exec('PRAGMA shrink_memory');
    },
    close: async () => db.close(),
  };
}

export async function openShared(task: ReadTask, server: PageServer, sqlite3?: Sqlite3Static): Promise<Opened> {
  const pool = await connect(task.pool, { nearEntries: task.nearEntries, name: `node ${task.node}` });
  if (sqlite3 === undefined) {
    const space = new SharedCache(pool).pages('trace', { pageSize: PAGE });
    return { source: poolPageSource(space, server), refresh: () => {}, close: () => pool.disconnect() };
  }
  const files = { ...nodeFiles, read: (_: number, target: Uint8Array, offset: number) => server.read(offset, target) };
  const reader = openReader(sqlite3, { file: task.file, pool, files });
  reader.db.exec(`PRAGMA cache_size = ${ENGINE_PAGES}`);
  return {
    db: reader.db,
    refresh: () => void reader.refresh(),
    async close() {
      reader.close();
      await pool.disconnect();
    },
  };
}
