/**
 * The child processes of the htap workload, started by fork: the writer, a reader, or the oracle. Each reports ready, waits for
 * `go`, works, and reports what it did. It ends when its parent is gone.
 */
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';
import { stayOnProcessor } from '../../../lib/linux/index.js';
import { connect } from '../../../src/index.js';
import { nodeFiles } from '../../sqlite/files.js';
import { SharedState } from '../../sqlite/head.js';
import { bootId } from '../../sqlite/identity.js';
import { openReader, openWriter, type Reader } from '../../sqlite/index.js';
import { loadEngine } from '../sqlite/engine.js';
import { hashOf } from '../sqlite/hash.js';
import type { Query } from '../sqlite/queries.js';
import { Random } from '../sqlite/random.js';
import { cardinality } from '../sqlite/schema.js';
import { runTask, send } from '../sqlite/task.js';
import { Medium } from './medium.js';
import type { HtapTask, QueryRun, ReaderResult, ReaderTask, WriterResult, WriterTask } from './messages.js';
import { judge } from './oracle.js';
import { CountingStore, PrivateStore } from './stores.js';
import { Transactions, violated } from './transactions.js';

const PROGRESS_MS = 1_000;
const PINS_BESIDE = 0.2;

async function write(task: WriterTask, go: Promise<void>): Promise<WriterResult> {
  const sqlite3 = await loadEngine();
  const medium = new Medium(task.medium, task.file);
  const { snapshotShare } = task;
  // Besides the past it pins heads and logs.
  const maxPinShare = Math.min(1, snapshotShare + PINS_BESIDE);
  const pool = await connect(task.poolPath, { nearEntries: task.nearEntries, name: 'writer', maxPinShare });
  const writer = openWriter(sqlite3, { file: task.file, pool, files: medium.files, snapshotShare });
  writer.db.exec(`PRAGMA cache_size = -${task.engineCacheKiB}`);
  const transactions = new Transactions(writer.db, task.seed, cardinality(task.scale));
  const { lsn } = writer;
  await send({ type: 'ready' });
  await go;
  const before = medium.reads;
  const commitMs: number[] = [];
  const started = performance.now();
  let toldMs = 0;
  for (;;) {
    const dueMs = started + (transactions.count * 1_000) / task.rate;
    const begun = performance.now();
    if (begun - started > task.durationMs) break;
    if (begun < dueMs) await sleep(dueMs - begun);
    const beginMs = performance.now();
    transactions.next();
    commitMs.push(performance.now() - beginMs);
    if (writer.lsn !== lsn + transactions.count)
      throw new Error(`LSN ${writer.lsn} after ${transactions.count} commits from ${lsn}`);
    if (beginMs - toldMs > PROGRESS_MS) {
      toldMs = beginMs;
      await send({
        type: 'progress',
        fraction: (beginMs - started) / task.durationMs,
        text: `${transactions.count} commits`,
      });
    }
    await nextTurn();
  }
  const behindMs = Math.max(0, performance.now() - started - (transactions.count * 1_000) / task.rate);
  transactions.close();
  writer.close();
  medium.close();
  await pool.disconnect();
  return { lsn, commitMs, behindMs, storageReads: medium.reads - before };
}

/** A reader at work: its database, its store, and what it found. */
class Reading {
  readonly runs: QueryRun[] = [];
  readonly violations: string[] = [];
  checked = 0;
  private readonly task: ReaderTask;
  private readonly reader: Reader;
  private readonly medium: Medium;
  private readonly counting: CountingStore;
  private readonly follow: (from: number, to: number) => void;

  constructor(
    task: ReaderTask,
    parts: { reader: Reader; medium: Medium; counting: CountingStore; follow: (from: number, to: number) => void },
  ) {
    this.task = task;
    this.reader = parts.reader;
    this.medium = parts.medium;
    this.counting = parts.counting;
    this.follow = parts.follow;
  }

  private refresh(): void {
    const { reader } = this;
    const before = reader.snapshot.lsn;
    if (reader.refresh()) this.follow(before, reader.snapshot.lsn);
  }

  private check(query: Query): void {
    const wrong = violated(this.reader.db, cardinality(this.task.scale), this.runs.length);
    this.checked += 1;
    for (const name of wrong)
      this.violations.push(`before query ${query.number} at LSN ${this.reader.snapshot.lsn}: ${name}`);
  }

  /** False where the time was over before it was answered. */
  run(query: Query, startedMs: number): boolean {
    const { reader, medium, counting } = this;
    const begun = performance.now();
    const [requests, hits, reads] = [counting.requests, counting.hits + medium.hits, medium.reads];
    for (let snapshotsLost = 0; ; snapshotsLost += 1) {
      try {
        this.refresh();
        const { lsn, ageMs } = reader.snapshot;
        this.check(query);
        const rows = reader.db.selectArrays(query.sql);
        const ms = performance.now() - begun;
        if (performance.now() > medium.deadlineMs) return false;
        this.runs.push({
          ...{ query: query.number, lsn, startMs: begun - startedMs, ms, ageMs, snapshotsLost, hash: hashOf(rows) },
          requests: counting.requests - requests,
          hits: counting.hits + medium.hits - hits,
          storageReads: medium.reads - reads,
        });
        return true;
      } catch (error) {
        if (performance.now() > medium.deadlineMs) return false;
        if ((reader.lastError as { code?: string } | undefined)?.code !== 'SNAPSHOT_LOST')
          throw reader.lastError ?? error;
      }
    }
  }
}

async function read(task: ReaderTask, go: Promise<void>): Promise<ReaderResult> {
  stayOnProcessor(task.node);
  const sqlite3 = await loadEngine();
  await send({ type: 'ready' });
  await go;
  const startedMs = performance.now();
  if (task.delayMs > 0) await sleep(task.delayMs);
  const medium = new Medium(task.medium, task.file);
  medium.deadlineMs = startedMs + task.durationMs;
  const name = `reader ${task.node}`;
  const pool = await connect(task.poolPath, { nearEntries: task.nearEntries, name });
  const own =
    task.privatePath === undefined
      ? undefined
      : await connect(task.privatePath, { nearEntries: task.privateNearEntries ?? 1, name });
  const privately = own === undefined ? undefined : new PrivateStore(own);
  const counting = new CountingStore();
  const reader = openReader(sqlite3, {
    ...{ file: task.file, pool, files: medium.files, name },
    storeOf: (shared) => counting.over(privately ?? (task.store === 'pool' ? shared : undefined)),
  });
  reader.db.exec(`PRAGMA cache_size = -${task.engineCacheKiB}`);
  const state = new SharedState(pool, nodeFiles.statusOf(task.file) as never);
  const changes = { head: () => state.read(bootId()), log: (epoch: number, lsn: number) => state.log(epoch, lsn) };
  const follow = (from: number, to: number): void => privately?.follow(changes, from, to);
  const reading = new Reading(task, { reader, medium, counting, follow });
  await runInTurns(task, reading, startedMs);
  const { runs, violations, checked } = reading;
  const storageReads = medium.reads;
  reader.close();
  state.close();
  medium.close();
  await own?.disconnect();
  await pool.disconnect();
  return {
    ...{ runs, violations, checked, storageReads },
    requests: counting.requests,
    storageMs: medium.meanMs,
    latencyCounts: counting.latency.export(),
  };
}

/** The queries round and round, in an order of this reader's own, the same in all arms. */
async function runInTurns(task: ReaderTask, reading: Reading, startedMs: number): Promise<void> {
  const random = new Random(task.seed, task.node + 1);
  for (;;) {
    for (const index of random.permutation(task.queries.length)) {
      const fraction = Math.min(1, (performance.now() - startedMs) / task.durationMs);
      if (fraction === 1) return;
      const query = task.queries[index] as Query;
      await send({ type: 'progress', fraction, text: `query ${query.number}` });
      if (!reading.run(query, startedMs)) return;
      await nextTurn();
    }
  }
}

await runTask<HtapTask>((task, go) => {
  if (task.task === 'writer') return write(task, go);
  return task.task === 'reader' ? read(task, go) : judge(task);
});
