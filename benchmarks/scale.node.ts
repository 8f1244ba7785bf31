/**
 * A process that works beside others: `node scale.node.js LOAD MODE SEED INDEX POOL...`. On each message it does so for some
 * milliseconds, in one of the pools or with its private cache, and answers with what came of it.
 */
import { setImmediate as endOfRun } from 'node:timers/promises';
import { connect, SharedCache } from './build.js';
import type { Mode } from './frame.js';
import type { Reads } from './pages.js';
import {
  type Joined,
  poolReads,
  poolWrites,
  privateReads,
  privateWrites,
  type ReadBatch,
  type Work,
  type WriteOne,
} from './scale.loads.js';
import { isWriting, type Load, type Order, PAGE_BYTES, readsOf, type Slice, sizeOf, sourcesOf } from './scale.shape.js';

/** Writes of one run of the event loop. */
const RUN = 16;
/** Of a slice; more are not timed one by one. */
const TIMED_MAX = 1 << 20;

async function readFor(ms: number, batch: ReadBatch, reads: Reads): Promise<Slice> {
  const startedMs = performance.now();
  let operations = 0;
  for (const endMs = startedMs + ms; performance.now() < endMs; await endOfRun()) {
    const from = reads.take();
    if (batch(from, from + reads.batch) !== reads.sumFrom(from)) throw new Error('Pages have other bytes.');
    operations += reads.batch;
  }
  return { operations, ms: performance.now() - startedMs, p99Us: 0, p9999Us: 0, longestUs: 0 };
}

const taken = new Float64Array(TIMED_MAX);

/** `operations`: those that were stored. */
async function writeFor(ms: number, write: WriteOne): Promise<Slice> {
  const startedMs = performance.now();
  let [count, stored] = [0, 0];
  for (const endMs = startedMs + ms; performance.now() < endMs; await endOfRun()) {
    let beforeMs = performance.now();
    for (let i = 0; i < RUN; i++) {
      if (write()) stored++;
      const nowMs = performance.now();
      if (count < TIMED_MAX) taken[count++] = nowMs - beforeMs;
      beforeMs = nowMs;
    }
  }
  const elapsed = performance.now() - startedMs;
  const sorted = taken.subarray(0, count).sort();
  const at = (fraction: number) => (sorted[Math.floor((count - 1) * fraction)] as number) * 1000;
  return { operations: stored, ms: elapsed, p99Us: at(0.99), p9999Us: at(0.9999), longestUs: at(1) };
}

/** What this process does for an order, made when it is asked for first. */
class Worker {
  private readonly load: Load;
  private readonly work: Work;
  private readonly pools: readonly Joined[];
  private readonly made = new Map<string, (ms: number) => Promise<Slice>>();

  constructor(load: Load, work: Work, pools: readonly Joined[]) {
    this.load = load;
    this.work = work;
    this.pools = pools;
  }

  do(order: Order): Promise<Slice> {
    const name = `${order.side} ${order.side === 'pool' ? order.pool : ''} ${order.role}`;
    const known = this.made.get(name) ?? this.make(order);
    this.made.set(name, known);
    return known(order.ms);
  }

  private make({ side, pool, role }: Order): (ms: number) => Promise<Slice> {
    const { load, work } = this;
    const joined = this.pools[pool] as Joined;
    if (!isWriting(load) && role === 'read') {
      const batch = side === 'pool' ? poolReads(load, work, joined) : privateReads(load, work);
      return (ms) => readFor(ms, batch, work.reads);
    }
    // Of a writer beside readers one half of the pages is its, or that of the readers.
    const half = work.pages / 2;
    const [first, count] = isWriting(load) ? [0, work.pages] : [role === 'write other pages' ? half : 0, half];
    const write =
      side === 'pool' ? poolWrites(load, work, joined, first, count) : privateWrites(load, work, first, count);
    return (ms) => writeFor(ms, write);
  }
}

async function main(load: Load, mode: Mode, seed: number, index: number, paths: readonly string[]): Promise<void> {
  const pools = await Promise.all(paths.map((path) => connect(path)));
  const joined = pools.map((pool) => {
    const cache = new SharedCache(pool);
    return { cache, space: cache.pages('table', { pageSize: PAGE_BYTES }) };
  });
  const sources = sourcesOf(seed);
  const { pages } = sizeOf(mode);
  const read = load === 'readers beside a writer' ? pages / 2 : pages;
  const reads = readsOf(mode, seed + index, sources, read);
  const worker = new Worker(load, { sources, pages, reads, seed: seed + index, index }, joined);
  process.on('message', (order: Order) => void worker.do(order).then((slice) => process.send?.(slice)));
  process.once('disconnect', () => void Promise.all(pools.map((pool) => pool.disconnect())));
  process.send?.('ready');
}

const [, , load = '', mode = 'usual', seed = '1', index = '0', ...paths] = process.argv;
if (process.send !== undefined) await main(load as Load, mode as Mode, Number(seed), Number(index), paths);
