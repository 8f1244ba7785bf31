/**
 * A process of the benchmark `sharing`, started by fork: a reader, or the one writer. Each order is answered; it ends when its
 * parent is gone. What a reader is answered is checked against what follows from the seed, and goes into its hash.
 */
import { createHash, type Hash } from 'node:crypto';
import { setImmediate as nextTurn } from 'node:timers/promises';
import sqlite3InitModule, { type Database } from '@sqlite.org/sqlite-wasm';
import { FileAccesses } from '../adapters/compare/trace/accesses.js';
import { PatternPages } from '../adapters/compare/trace/pages.js';
import { RequestRouter } from '../adapters/compare/trace/routing.js';
import { nodeFiles } from '../adapters/sqlite/files.js';
import { openWriter, type Writer } from '../adapters/sqlite/index.js';
import type { PageSource } from '../adapters/sqlite-wasm/index.js';
import { stayOnProcessor } from '../lib/linux/index.js';
import { connect, type Pool } from '../src/index.js';
import { Random } from './random.js';
import { type Opened, openPrivate, openShared, PageServer } from './sharing.caches.js';
import {
  type Answer,
  ENTRIES_A_PAGE,
  entryKey,
  entryValue,
  type Order,
  PAGE,
  payloadOf,
  type ReadTask,
  ROWS_A_PAGE,
  updatesOf,
  type WriteTask,
  ZipfKeys,
} from './sharing.world.js';

const send = (answer: Answer): Promise<void> =>
  new Promise((resolve, reject) =>
    process.send?.(answer, (error: Error | null) => (error ? reject(error) : resolve())),
  );

const delay = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** Turns of the event loop between so many reads: nodes do their upkeep there, as in a program that serves. */
const READS_A_TURN = 64;

class Reading {
  private readonly task: ReadTask;
  private readonly server: PageServer;
  private readonly opened: Opened;
  private readonly hash: Hash = createHash('sha256');
  private readonly random: Random;
  private readonly zipf: ZipfKeys;
  /** The round of each key's last update. */
  private readonly updated = new Map<number, number>();
  private busyMs = 0;
  private requests = 0;

  constructor(task: ReadTask, server: PageServer, opened: Opened) {
    this.task = task;
    this.server = server;
    this.opened = opened;
    this.random = new Random(task.seed * 64 + task.node);
    this.zipf = new ZipfKeys(task.seed * 64 + task.node, task.scale.pages * ROWS_A_PAGE);
    server.reads = 0;
  }

  async round(round: number, stale: readonly number[]): Promise<void> {
    const { workload } = this.task;
    if (workload === 'scans') await delay(this.staggerMs());
    const startedMs = performance.now();
    if (workload === 'points') await this.points(round, stale);
    else if (workload === 'scans') await this.scans();
    else if (workload === 'descents') await this.descents();
    else await this.replay();
    this.busyMs += performance.now() - startedMs;
  }

  /** Spread over the time that one scan takes which finds nothing in memory. */
  private staggerMs(): number {
    const { node, nodes, scale, miss } = this.task;
    return (node / nodes) * scale.pages * (miss.latencyMs + 0.1);
  }

  private async points(round: number, stale: readonly number[]): Promise<void> {
    const { task, updated, zipf } = this;
    if (round > 0) {
      for (const key of updatesOf(task.seed, round, task)) updated.set(key, round);
      this.opened.refresh(stale);
    }
    const select = this.db().prepare('SELECT payload FROM rows WHERE key = ?');
    for (let i = 0; i < task.scale.readsARound; i++) {
      if (i % READS_A_TURN === 0) await nextTurn();
      const key = zipf.next();
      this.take(select.bind(key).step() ? (select.get(0) as string) : '', payloadOf(key, updated.get(key) ?? 0));
      select.reset();
    }
    select.finalize();
  }

  private async scans(): Promise<void> {
    const { pages, laps } = this.task.scale;
    const rows = pages * ROWS_A_PAGE;
    const select = this.db().prepare(
      'SELECT count(*), sum(key), sum(length(payload)), max(payload) FROM rows WHERE key >= ? AND key < ?',
    );
    for (let lap = 0; lap < laps; lap++) {
      for (let from = 0; from < rows; from += READS_A_TURN * ROWS_A_PAGE) {
        await nextTurn();
        const to = Math.min(rows, from + READS_A_TURN * ROWS_A_PAGE);
        select.bind([from, to]).step();
        const last = payloadOf(to - 1, 0);
        const expected = [to - from, ((from + to - 1) * (to - from)) / 2, (to - from) * last.length, last];
        this.take(JSON.stringify(select.get([])), JSON.stringify(expected));
        select.reset();
      }
    }
    select.finalize();
  }

  private async descents(): Promise<void> {
    const { pages, descents } = this.task.scale;
    const select = this.db().prepare('SELECT value FROM entries WHERE key = ?');
    for (let i = 0; i < descents; i++) {
      if (i % READS_A_TURN === 0) await nextTurn();
      const index = this.random.below(pages * ENTRIES_A_PAGE);
      const found = select.bind(entryKey(index)).step();
      this.take(found ? (select.get(0) as string) : '', entryValue(index));
      select.reset();
    }
    select.finalize();
  }

  private async replay(): Promise<void> {
    const { accesses, node, nodes, seed } = this.task;
    const source = this.opened.source as PageSource;
    const pattern = new PatternPages();
    const page = new Uint8Array(PAGE);
    const router = new RequestRouter({ nodes, seed });
    if (accesses === undefined) throw new Error('There is no trace.');
    for (const chunk of new FileAccesses(accesses).chunks()) {
      const nodeOf = router.route(chunk);
      for (const [index, id] of chunk.ids.entries()) {
        if (nodeOf[index] !== node) continue;
        if (this.requests % READS_A_TURN === 0) await nextTurn();
        source.read(id, page);
        this.take(pattern.check(id, page) ? `${id}` : 'another page', `${id}`);
      }
    }
  }

  private db(): Database {
    if (this.opened.db === undefined) throw new Error('There is no database.');
    return this.opened.db;
  }

  private take(answer: string, expected: string): void {
    if (answer !== expected) {
      throw new Error(`${this.task.workload}: the answer is ${answer.slice(0, 80)}, expected ${expected.slice(0, 80)}`);
    }
    this.requests++;
    this.hash.update(answer);
  }

  async end(): Promise<void> {
    const { busyMs, requests } = this;
    const report = { busyMs, requests, storageReads: this.server.reads, hash: this.hash.digest('hex') };
    await this.opened.close();
    this.server.close();
    await send({ type: 'report', report });
  }
}

/** The one writer. Each round's updates are one transaction, which is prepared while the others read, and committed between. */
class Writing {
  private readonly task: WriteTask;
  private readonly pool: Pool;
  private readonly writer: Writer;
  private readonly written: Set<number>;

  constructor(task: WriteTask, parts: { pool: Pool; writer: Writer; written: Set<number> }) {
    this.task = task;
    this.pool = parts.pool;
    this.writer = parts.writer;
    this.written = parts.written;
  }

  async round(round: number): Promise<void> {
    const { task, writer } = this;
    writer.db.exec('BEGIN IMMEDIATE');
    for (const key of updatesOf(task.seed, round + 1, task)) {
      writer.db.exec({ sql: 'UPDATE rows SET payload = ? WHERE key = ?', bind: [payloadOf(key, round + 1), key] });
    }
  }

  commit(): readonly number[] {
    this.written.clear();
    this.writer.db.exec('COMMIT');
    return [...this.written];
  }

  async end(): Promise<void> {
    this.writer.close();
    await this.pool.disconnect();
    await send({ type: 'report', report: { busyMs: 0, requests: 0, storageReads: 0, hash: '' } });
  }
}

async function openReading(task: ReadTask): Promise<Reading> {
  stayOnProcessor(task.node);
  const sqlite3 = task.workload === 'trace' ? undefined : await sqlite3InitModule();
  const server = new PageServer(task.file, task.miss);
  return new Reading(task, server, await (task.arm === 'private' ? openPrivate : openShared)(task, server, sqlite3));
}

async function openWriting(task: WriteTask): Promise<Writing> {
  const sqlite3 = await sqlite3InitModule();
  const pool = await connect(task.pool, { name: 'writer' });
  const written = new Set<number>();
  const files = {
    ...nodeFiles,
    write(descriptor: number, bytes: Uint8Array, offset: number) {
      if (bytes.length === PAGE) written.add(offset / PAGE);
      nodeFiles.write(descriptor, bytes, offset);
    },
  };
  const writer = openWriter(sqlite3, { file: task.file, pool, files });
  writer.db.exec('PRAGMA synchronous = OFF');
  return new Writing(task, { pool, writer, written });
}

async function main(): Promise<void> {
  let part: Reading | Writing | undefined;
  const obey = async (order: Order): Promise<void> => {
    if (order.task === 'read') part = await openReading(order);
    else if (order.task === 'write') part = await openWriting(order);
    else if (order.task === 'round') await part?.round(order.round, order.stale);
    else if (order.task === 'commit') return send({ type: 'committed', pages: (part as Writing).commit() });
    else return part?.end();
    return send({ type: order.task === 'round' ? 'done' : 'ready' });
  };
  process.on('message', (order: Order) => {
    obey(order).catch(async (error: unknown) => {
      await send({ type: 'failed', reason: error instanceof Error ? (error.stack ?? error.message) : String(error) });
      process.exit(1);
    });
  });
  process.on('disconnect', () => process.exit());
}

if (process.send !== undefined) await main();
