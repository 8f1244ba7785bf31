/**
 * The child process of the sqlite workload, started by fork: makes the database, or is one node that reads it. A node
 * opens the database over its arm's page source, reports ready, waits for `go`, runs the queries in its own seeded order
 * for some rounds, and reports counts, latencies and a hash of every result. It ends when its parent is gone.
 */

import { closeSync, fsyncSync, openSync, renameSync, writeSync } from 'node:fs';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Database, Sqlite3Static } from '@sqlite.org/sqlite-wasm';
import { stayOnProcessor } from '../../../lib/linux/index.js';
import {
  lruPageSource,
  openReadOnly,
  openStorage,
  type PageSource,
  type Storage,
  uncachedPageSource,
} from '../../sqlite-wasm/index.js';
import { deviceBytes } from './device-bytes.js';
import { loadEngine } from './engine.js';
import { generate, PAGE_SIZE } from './generate.js';
import { hashOf } from './hash.js';
import { Latency } from './latency.js';
import type { GenerateTask, NodeResult, ReadTask, SourceSpec, Task } from './messages.js';
import { Random } from './random.js';
import { openSharedSource } from './shared-source.js';
import { runTask, send } from './task.js';

/**
 * Counts and times every page request on its way to the source. Of one that reads through the OS page cache a hit is a request for which
 * the kernel fetched nothing from the device, not even ahead.
 */
class MeasuredSource implements PageSource {
  readonly pageSize: number;
  readonly fileSize: number;
  readonly latency = new Latency();
  requests = 0;
  hits = 0;
  private readonly source: PageSource;
  private readonly asksKernel: boolean;
  private blocks = 0;

  constructor(source: PageSource, { asksKernel }: { asksKernel: boolean }) {
    this.source = source;
    this.asksKernel = asksKernel;
    this.pageSize = source.pageSize;
    this.fileSize = source.fileSize;
  }

  read(pageNo: number, target: Uint8Array): boolean {
    const started = performance.now();
    const hit = this.source.read(pageNo, target);
    this.latency.record((performance.now() - started) * 1e6);
    this.requests += 1;
    if (this.asksKernel ? this.fetchedNothing() : hit) this.hits += 1;
    return hit;
  }

  private fetchedNothing(): boolean {
    const before = this.blocks;
    this.blocks = process.resourceUsage().fsRead;
    return this.blocks === before;
  }
}

interface OpenSource {
  readonly source: PageSource;
  close(): Promise<void>;
}

async function openSource(source: SourceSpec, storage: Storage, node: number): Promise<OpenSource> {
  const close = async (): Promise<void> => {};
  switch (source.kind) {
    case 'uncached':
      return { source: uncachedPageSource(storage, { pageSize: PAGE_SIZE }), close };
    case 'private-lru':
      return { source: lruPageSource(storage, { pageSize: PAGE_SIZE, pagesMax: source.pagesMax }), close };
    case 'shared': {
      const { poolPath, nearEntries } = source;
      return openSharedSource(poolPath, storage, { pageSize: PAGE_SIZE, nearEntries, name: `node ${node}` });
    }
  }
}

interface Opened {
  readonly database: Database;
  readonly source: MeasuredSource;
  readonly storage: Storage;
}

/** The task's database over pages of that source, as long as the work lasts. */
async function over<T>(
  sqlite3: Sqlite3Static,
  { file, node, engineCacheKiB }: ReadTask,
  spec: SourceSpec,
  work: (opened: Opened) => Promise<T>,
): Promise<T> {
  using storage = openStorage(file, { direct: spec.direct });
  const opened = await openSource(spec, storage, node);
  try {
    const source = new MeasuredSource(opened.source, { asksKernel: !spec.direct });
    const database = openReadOnly(sqlite3, { file, pageSource: source });
    database.exec(`PRAGMA cache_size = -${engineCacheKiB}`);
    const outcome = await work({ database, source, storage });
    database.close();
    return outcome;
  } finally {
    await opened.close();
  }
}

/** Milliseconds that it took. */
async function warmUp(sqlite3: Sqlite3Static, task: ReadTask): Promise<number> {
  if (task.warmUp === undefined) return 0;
  const { source, queries } = task.warmUp;
  const started = performance.now();
  await over(sqlite3, task, source, async ({ database }) => {
    for (const { sql } of queries) {
      hashOf(database.selectArrays(sql));
      await nextTurn();
    }
  });
  return performance.now() - started;
}

async function runQueries(
  task: ReadTask,
  database: Database,
  counts: Pick<MeasuredSource, 'requests' | 'hits'>,
): Promise<Pick<NodeResult, 'queryMs' | 'hashes' | 'warming'>> {
  const queryMs = task.queries.map(() => 0);
  const hashes = task.queries.map((): string[] => []);
  const warming: { requests: number; hits: number }[] = [];
  const random = new Random(task.seed, task.node + 1);
  let done = 0;
  for (let round = 0; round < task.rounds; round += 1) {
    for (const index of random.permutation(task.queries.length)) {
      const query = task.queries[index]!;
      const started = performance.now();
      const rows = database.selectArrays(query.sql);
      queryMs[index]! += performance.now() - started;
      hashes[index]!.push(hashOf(rows));
      warming.push({ requests: counts.requests, hits: counts.hits });
      done += 1;
      const fraction = done / (task.rounds * task.queries.length);
      await send({ type: 'progress', fraction, text: `round ${round + 1} of ${task.rounds}, query ${query.number}` });
      // Lets the end of the parent be noticed between queries.
      await nextTurn();
    }
  }
  return { queryMs, hashes, warming };
}

async function read(task: ReadTask, go: Promise<void>): Promise<NodeResult> {
  // Readers wake from the device all on one processor where nobody places them: the same places in every arm.
  stayOnProcessor(task.node);
  const sqlite3 = await loadEngine();
  const warmUpMs = await warmUp(sqlite3, task);
  return over(sqlite3, task, task.source, async ({ database, source, storage }) => {
    await send({ type: 'ready' });
    await go;
    const deviceBefore = deviceBytes();
    const outcome = await runQueries(task, database, source);
    const deviceAfter = deviceBytes();
    const { requests, hits, latency } = source;
    return {
      ...{ requests, hits, ...outcome },
      storageReads: storage.readCount,
      deviceBytes: deviceBefore === undefined || deviceAfter === undefined ? undefined : deviceAfter - deviceBefore,
      latencyCounts: latency.export(),
      note: storage.note,
      warmUpMs,
    };
  });
}

/** Whole or not at all under its name, whatever happens on the way. */
async function write(task: GenerateTask): Promise<undefined> {
  const sqlite3 = await loadEngine();
  const { seed, scale, fingerprint } = task;
  const progress = (fraction: number, text: string): void => void send({ type: 'progress', fraction, text });
  const bytes = generate(sqlite3, { seed, scale, fingerprint, progress });
  const descriptor = openSync(task.temporaryFile, 'wx', 0o600);
  try {
    for (let done = 0; done < bytes.length; ) done += writeSync(descriptor, bytes, done);
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
  renameSync(task.temporaryFile, task.file);
}

await runTask<Task>((task, go) => (task.task === 'read' ? read(task, go) : write(task)));
