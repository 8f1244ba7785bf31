/**
 * A process that misses: `node miss.node.js PATH SEED`. On each message it reads random pages for so many milliseconds, in the
 * pool or in a private cache, and answers with what that took.
 */
import { setImmediate as endOfRun } from 'node:timers/promises';
import { LRUCache } from 'lru-cache';
import { connect, SharedCache } from './build.js';
import { type ARMS, HELD, PAGE, PAGES } from './miss.pages.js';
import { Random } from './random.js';

export interface Order {
  readonly arm: (typeof ARMS)[number];
  readonly ms: number;
}

export interface Missed {
  readonly misses: number;
  readonly microseconds: number;
  /** Of one read, by its rank. */
  readonly p99: number;
}

/** Reads of one run of the event loop, timed together: a clock for each would cost as much as a hit. */
const RUN = 16;

type Read = (pageNo: number) => boolean;

function privately(source: Uint8Array, target: Uint8Array): Read {
  const cache = new LRUCache<number, Uint8Array>({ max: HELD });
  return (pageNo) => {
    const known = cache.get(pageNo);
    target.set(known ?? source);
    if (known === undefined) cache.set(pageNo, target.slice());
    return known !== undefined;
  };
}

async function main(path: string, seed: number): Promise<void> {
  const pool = await connect(path);
  const space = new SharedCache(pool).pages('table', { pageSize: PAGE });
  const source = new Uint8Array(PAGE).fill(7);
  const target = new Uint8Array(PAGE);
  const load = (_: number, into: Uint8Array) => {
    into.set(source);
    return PAGE;
  };
  const reads: Record<Order['arm'], Read> = {
    'private lru-cache with a copy': privately(source, target),
    readThrough: (pageNo) => space.readThrough(pageNo, target, load),
  };
  const random = new Random(seed);
  async function readFor({ arm, ms }: Order): Promise<Missed> {
    const read = reads[arm];
    const runs: number[] = [];
    let misses = 0;
    for (const endMs = performance.now() + ms; performance.now() < endMs; await endOfRun()) {
      const startedMs = performance.now();
      for (let i = 0; i < RUN; i++) if (!read(random.below(PAGES))) misses++;
      runs.push(performance.now() - startedMs);
    }
    const sum = runs.reduce((total, run) => total + run, 0);
    runs.sort((a, b) => a - b);
    const p99 = ((runs[Math.floor(runs.length * 0.99)] as number) * 1000) / RUN;
    if (target[PAGE - 1] !== 7) throw new Error('A page was read that nobody wrote.');
    return { misses, microseconds: (sum * 1000) / misses, p99 };
  }
  process.on('message', (order: Order) => void readFor(order).then((missed) => process.send?.(missed)));
  process.once('disconnect', () => void pool.disconnect());
  process.send?.('ready');
}

const [, , path = '', seed = '1'] = process.argv;
if (process.send !== undefined) await main(path, Number(seed));
