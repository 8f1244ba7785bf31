/**
 * Question: what does a hit cost, beside a private lru-cache and a plain Map that hold the same pages?
 *
 * Every arm reads random pages and one byte of each. All pages are in the near index; that each read was a near hit is
 * checked by count. One process reads alone.
 *
 * The arms 'atomics over Map' and 'atomics over lru-cache' are models of the hit path: an index lookup and its three
 * atomics, nothing else. Their difference is what the choice of the index costs.
 */
import { LRUCache } from 'lru-cache';
import { type PageSpace, type Pool, poolSizeFor, SharedCache } from '../src/index.js';
import type { Benchmark, Context } from './frame.js';
import { type Arm, addFigures, interleave, type Pace, type Sample, sampleOf } from './interleave.js';
import { missed, PageMaker, Reads } from './pages.js';
import { scratchPool } from './scratch.js';

const PAGE_BYTES = 8192;
const GOAL = '<= 1.5';
/** Borrows of a run of the event loop, where runs are short. */
const RUN_LENGTH = 16;

type Index<K, V> = Pick<Map<K, V>, 'get'>;

export interface World {
  readonly pool: Pool;
  readonly cache: SharedCache;
  readonly space: PageSpace;
  readonly pages: readonly Uint8Array[];
  readonly reads: Reads;
  readonly target: Uint8Array;
}

/** A pool with every page in it, under its number and under a string. */
async function worldOf(context: Context, count: number, keys: 'numbers' | 'strings'): Promise<World> {
  const pages = new PageMaker(context.seed, PAGE_BYTES).pages(count);
  // Shards fill unevenly and nothing may be evicted: a third more than the pages.
  const geometry = { pageSize: PAGE_BYTES, maxObjects: Math.ceil(count * 1.33) + 256, maxNodes: 2 };
  const size = poolSizeFor({ ...geometry, eviction: 'none' });
  const pool = await scratchPool({ ...geometry, size, eviction: 'none' });
  const cache = new SharedCache(pool);
  const space = cache.pages('table', { pageSize: PAGE_BYTES });
  pages.forEach((page, pageNo) => {
    const done = keys === 'numbers' ? space.put(pageNo, page) : cache.set(keyOf(pageNo), page);
    const found = keys === 'numbers' ? space.borrow(pageNo) : cache.borrow(keyOf(pageNo));
    if (!done || found === undefined) throw new Error(`Page ${pageNo} has no room.`);
  });
  const batches = context.pick(16, 256);
  const reads = new Reads(context, pages, { batches, batch: context.pick(250, 1000) });
  return { pool, cache, space, pages, reads, target: new Uint8Array(PAGE_BYTES) };
}

function keyOf(pageNo: number): string {
  return `page:${pageNo}`;
}

/** Counts what an arm reads through the pool, and checks each batch's sum. */
class Tally {
  expected = 0;
  private readonly reads: Reads;

  constructor(reads: Reads) {
    this.reads = reads;
  }

  /** `counts`: whether each read is one that the cache counts. */
  arm(name: string, counts: boolean, run: (from: number, to: number) => number): Arm {
    const { reads } = this;
    return {
      name,
      batch: () => {
        const from = reads.take();
        if (counts) this.expected += reads.batch;
        return sampleOf(name, reads.batch, reads.sumFrom(from), () => run(from, from + reads.batch));
      },
    };
  }
}

// One function literal an arm, so that each is compiled for what it sees alone.

function numberArms(world: World, tally: Tally, lru: LRUCache<number, Uint8Array>): Arm[] {
  const { space, pages, reads, target } = world;
  const { pageNos, offsets } = reads;
  const map: Index<number, Uint8Array> = new Map(pages.entries());
  return [
    tally.arm('bare touch', false, (from, to) => {
      let sum = 0;
      for (let i = from; i < to; i++) sum += (pages[pageNos[i]!] as Uint8Array)[offsets[i]!]!;
      return sum;
    }),
    tally.arm('Map.get', false, (from, to) => {
      let sum = 0;
      for (let i = from; i < to; i++) {
        const page = map.get(pageNos[i]!);
        if (page === undefined) throw missed('Map');
        sum += page[offsets[i]!]!;
      }
      return sum;
    }),
    tally.arm('lru-cache.get', false, (from, to) => {
      let sum = 0;
      for (let i = from; i < to; i++) {
        const page = lru.get(pageNos[i]!);
        if (page === undefined) throw missed('lru-cache');
        sum += page[offsets[i]!]!;
      }
      return sum;
    }),
    tally.arm('lru-cache.get and copy', false, (from, to) => {
      let sum = 0;
      for (let i = from; i < to; i++) {
        const page = lru.get(pageNos[i]!);
        if (page === undefined) throw missed('lru-cache');
        target.set(page);
        sum += target[offsets[i]!]!;
      }
      return sum;
    }),
    tally.arm('PageSpace.borrow', true, (from, to) => {
      let sum = 0;
      for (let i = from; i < to; i++) {
        const page = space.borrow(pageNos[i]!);
        if (page === undefined) throw missed('PageSpace');
        sum += page[offsets[i]!]!;
      }
      return sum;
    }),
    tally.arm('PageSpace.get and release', true, (from, to) => {
      let sum = 0;
      for (let i = from; i < to; i++) {
        const page = space.get(pageNos[i]!);
        if (page === undefined) throw missed('PageSpace');
        sum += page.bytes[offsets[i]!]!;
        page.release();
      }
      return sum;
    }),
    tally.arm('PageSpace.read', true, (from, to) => {
      let sum = 0;
      for (let i = from; i < to; i++) {
        if (!space.read(pageNos[i]!, target)) throw missed('PageSpace');
        sum += target[offsets[i]!]!;
      }
      return sum;
    }),
    ...modelArms(world, tally),
  ];
}

/** What a near index remembers, as far as a hit needs it. */
class ModelEntry {
  readonly slot: number;
  readonly shard: number;
  readonly sequenceWord: number;
  readonly bytes: Uint8Array;

  constructor(slot: number, bytes: Uint8Array) {
    this.slot = slot;
    this.shard = slot % MODEL_SHARDS;
    this.sequenceWord = 16 * (slot % MODEL_SHARDS);
    this.bytes = bytes;
  }
}

const MODEL_SHARDS = 32;
const MODEL_DROPS = 16 * MODEL_SHARDS;
const MODEL_RING = MODEL_DROPS + 16;

function modelArms({ pages, reads }: World, tally: Tally): Arm[] {
  const { pageNos, offsets } = reads;
  const map: Index<number, ModelEntry> = new Map(pages.map((page, pageNo) => [pageNo, new ModelEntry(pageNo, page)]));
  const lru = new LRUCache<number, ModelEntry>({ max: pages.length });
  pages.forEach((page, pageNo) => {
    lru.set(pageNo, new ModelEntry(pageNo, page));
  });
  const words = new Int32Array(new ArrayBuffer(4 * (MODEL_RING + 1024)));
  const seen = new Int32Array(MODEL_SHARDS);
  let position = 0;
  return [
    tally.arm('atomics over Map', false, (from, to) => {
      let sum = 0;
      for (let i = from; i < to; i++) {
        const entry = map.get(pageNos[i]!);
        if (entry === undefined) throw missed('the model');
        Atomics.store(words, MODEL_RING + position, entry.slot + 1);
        if (Atomics.load(words, entry.sequenceWord) !== seen[entry.shard]) throw missed('the model');
        if (Atomics.load(words, MODEL_DROPS) !== 0) throw missed('the model');
        position = (position + 1) & 1023;
        sum += entry.bytes[offsets[i]!]!;
      }
      return sum;
    }),
    tally.arm('atomics over lru-cache', false, (from, to) => {
      let sum = 0;
      for (let i = from; i < to; i++) {
        const entry = lru.get(pageNos[i]!);
        if (entry === undefined) throw missed('the model');
        Atomics.store(words, MODEL_RING + position, entry.slot + 1);
        if (Atomics.load(words, entry.sequenceWord) !== seen[entry.shard]) throw missed('the model');
        if (Atomics.load(words, MODEL_DROPS) !== 0) throw missed('the model');
        position = (position + 1) & 1023;
        sum += entry.bytes[offsets[i]!]!;
      }
      return sum;
    }),
  ];
}

/** Keys that are at hand as strings: their hash is computed once, as for keys a program holds on to. */
function stringArms(world: World, tally: Tally, lru: LRUCache<string, Uint8Array>): Arm[] {
  const { cache, pages, reads, target } = world;
  const { pageNos, offsets } = reads;
  const keys = pages.map((_, pageNo) => keyOf(pageNo));
  const map: Index<string, Uint8Array> = new Map(pages.map((page, pageNo) => [keys[pageNo] as string, page]));
  return [
    tally.arm('Map.get', false, (from, to) => {
      let sum = 0;
      for (let i = from; i < to; i++) {
        const page = map.get(keys[pageNos[i]!]!);
        if (page === undefined) throw missed('Map');
        sum += page[offsets[i]!]!;
      }
      return sum;
    }),
    tally.arm('lru-cache.get', false, (from, to) => {
      let sum = 0;
      for (let i = from; i < to; i++) {
        const page = lru.get(keys[pageNos[i]!]!);
        if (page === undefined) throw missed('lru-cache');
        sum += page[offsets[i]!]!;
      }
      return sum;
    }),
    tally.arm('lru-cache.get and copy', false, (from, to) => {
      let sum = 0;
      for (let i = from; i < to; i++) {
        const page = lru.get(keys[pageNos[i]!]!);
        if (page === undefined) throw missed('lru-cache');
        target.set(page);
        sum += target[offsets[i]!]!;
      }
      return sum;
    }),
    tally.arm('SharedCache.borrow', true, (from, to) => {
      let sum = 0;
      for (let i = from; i < to; i++) {
        const page = cache.borrow(keys[pageNos[i]!]!);
        if (page === undefined) throw missed('SharedCache');
        sum += page[offsets[i]!]!;
      }
      return sum;
    }),
    tally.arm('SharedCache.get and release', true, (from, to) => {
      let sum = 0;
      for (let i = from; i < to; i++) {
        const page = cache.get(keys[pageNos[i]!]!);
        if (page === undefined) throw missed('SharedCache');
        sum += page.bytes[offsets[i]!]!;
        page.release();
      }
      return sum;
    }),
    tally.arm('SharedCache.read', true, (from, to) => {
      let sum = 0;
      for (let i = from; i < to; i++) {
        if (cache.read(keys[pageNos[i]!]!, target) !== PAGE_BYTES) throw missed('SharedCache');
        sum += target[offsets[i]!]!;
      }
      return sum;
    }),
    ...presenceArms(world, lru, keys),
  ];
}

/** Whether a page is there: no byte of it is touched, so these compare with each other only. */
function presenceArms({ cache, reads }: World, lru: LRUCache<string, Uint8Array>, keys: readonly string[]): Arm[] {
  const { pageNos, batch } = reads;
  const arm = (name: string, run: (from: number, to: number) => number): Arm => ({
    name,
    batch: (): Sample => {
      const from = reads.take();
      return sampleOf(name, batch, batch, () => run(from, from + batch));
    },
  });
  return [
    arm('lru-cache.has', (from, to) => {
      let count = 0;
      for (let i = from; i < to; i++) if (lru.has(keys[pageNos[i]!]!)) count++;
      return count;
    }),
    arm('SharedCache.has', (from, to) => {
      let count = 0;
      for (let i = from; i < to; i++) if (cache.has(keys[pageNos[i]!]!)) count++;
      return count;
    }),
  ];
}

/** Keys put together for each read: nobody has hashed them yet. */
function freshArms({ cache, pages, reads }: World, tally: Tally, lru: LRUCache<string, Uint8Array>): Arm[] {
  const { pageNos, offsets } = reads;
  const map: Index<string, Uint8Array> = new Map(pages.map((page, pageNo) => [keyOf(pageNo), page]));
  return [
    tally.arm('Map.get', false, (from, to) => {
      let sum = 0;
      for (let i = from; i < to; i++) {
        const page = map.get(`page:${pageNos[i]!}`);
        if (page === undefined) throw missed('Map');
        sum += page[offsets[i]!]!;
      }
      return sum;
    }),
    tally.arm('lru-cache.get', false, (from, to) => {
      let sum = 0;
      for (let i = from; i < to; i++) {
        const page = lru.get(`page:${pageNos[i]!}`);
        if (page === undefined) throw missed('lru-cache');
        sum += page[offsets[i]!]!;
      }
      return sum;
    }),
    tally.arm('SharedCache.borrow', true, (from, to) => {
      let sum = 0;
      for (let i = from; i < to; i++) {
        const page = cache.borrow(`page:${pageNos[i]!}`);
        if (page === undefined) throw missed('SharedCache');
        sum += page[offsets[i]!]!;
      }
      return sum;
    }),
  ];
}

/**
 * Each read waits for the byte of the one before, as a descent through a tree does, or a program that works on a page
 * before it asks for the next. Where nothing waits, the processor overlaps the cache misses of several reads, and the
 * fewer instructions an arm has the more of them: that measures how well a loop is overlapped, besides a hit.
 */
function dependentArms({ space, pages, reads }: World, tally: Tally, lru: LRUCache<number, Uint8Array>): Arm[] {
  const { pageNos, offsets } = reads;
  const map: Index<number, Uint8Array> = new Map(pages.entries());
  // Zero, which the compiler does not know.
  const mask = new Int32Array(1);
  return [
    tally.arm('Map.get', false, (from, to) => {
      let sum = 0;
      let last = 0;
      for (let i = from; i < to; i++) {
        const page = map.get(pageNos[i]! + (last & mask[0]!));
        if (page === undefined) throw missed('Map');
        last = page[offsets[i]!]!;
        sum += last;
      }
      return sum;
    }),
    tally.arm('lru-cache.get', false, (from, to) => {
      let sum = 0;
      let last = 0;
      for (let i = from; i < to; i++) {
        const page = lru.get(pageNos[i]! + (last & mask[0]!));
        if (page === undefined) throw missed('lru-cache');
        last = page[offsets[i]!]!;
        sum += last;
      }
      return sum;
    }),
    tally.arm('PageSpace.borrow', true, (from, to) => {
      let sum = 0;
      let last = 0;
      for (let i = from; i < to; i++) {
        const page = space.borrow(pageNos[i]! + (last & mask[0]!));
        if (page === undefined) throw missed('PageSpace');
        last = page[offsets[i]!]!;
        sum += last;
      }
      return sum;
    }),
  ];
}

/** As a server reads: a few pages, and then its run of the event loop is over, and with it its borrows. */
function shortRunArms({ space, reads }: World, tally: Tally, lru: LRUCache<number, Uint8Array>): Arm[] {
  const { pageNos, offsets } = reads;
  const arm = (name: string, counts: boolean, runOnce: (from: number, to: number) => number): Arm => ({
    name,
    isAsync: true,
    batch: async () => {
      const from = reads.take();
      if (counts) tally.expected += reads.batch;
      const start = performance.now();
      let sum = 0;
      for (let i = from; i < from + reads.batch; i += RUN_LENGTH) {
        sum += runOnce(i, Math.min(i + RUN_LENGTH, from + reads.batch));
        await undefined;
      }
      const elapsed = performance.now() - start;
      if (sum !== reads.sumFrom(from)) throw missed(name);
      return { overriddenDuration: elapsed / reads.batch, overriddenIterationCost: elapsed };
    },
  });
  return [
    arm('lru-cache.get', false, (from, to) => {
      let sum = 0;
      for (let i = from; i < to; i++) sum += (lru.get(pageNos[i]!) as Uint8Array)[offsets[i]!]!;
      return sum;
    }),
    arm('PageSpace.borrow', true, (from, to) => {
      let sum = 0;
      for (let i = from; i < to; i++) sum += (space.borrow(pageNos[i]!) as Uint8Array)[offsets[i]!]!;
      return sum;
    }),
  ];
}

const BASELINES: Readonly<Record<string, string>> = {
  'PageSpace.read': 'lru-cache.get and copy',
  'SharedCache.read': 'lru-cache.get and copy',
  'SharedCache.has': 'lru-cache.has',
  'lru-cache.has': 'lru-cache.has',
  'atomics over lru-cache': 'atomics over Map',
};

const NUMBERS = 'page numbers';
const STRINGS = 'strings';
const FRESH = 'strings built for each read';
const DEPENDENT = 'page numbers, each read waits for the last';
const SHORT_RUNS = `page numbers, runs of ${RUN_LENGTH}`;
const KINDS = [NUMBERS, DEPENDENT, STRINGS, FRESH, SHORT_RUNS];

function armsOf(kind: string, world: World, tally: Tally): Arm[] {
  const { pages } = world;
  const byNumber = new LRUCache<number, Uint8Array>({ max: pages.length });
  const byString = new LRUCache<string, Uint8Array>({ max: pages.length });
  pages.forEach((page, pageNo) => {
    if (kind.startsWith(NUMBERS)) byNumber.set(pageNo, page);
    else byString.set(keyOf(pageNo), page);
  });
  if (kind === NUMBERS) return numberArms(world, tally, byNumber);
  if (kind === DEPENDENT) return dependentArms(world, tally, byNumber);
  if (kind === STRINGS) return stringArms(world, tally, byString);
  if (kind === FRESH) return freshArms(world, tally, byString);
  return shortRunArms(world, tally, byNumber);
}

export const benchmark: Benchmark = {
  question: 'what does a hit cost, beside a private lru-cache and a plain Map that hold the same pages?',

  cells(mode) {
    const sizes = mode === 'smoke' ? [500] : [50_000, 2000];
    return sizes.flatMap((size) => KINDS.map((kind) => `${size} pages, ${kind}`));
  },

  async run(cell, context) {
    const count = Number.parseInt(cell, 10);
    const kind = cell.slice(cell.indexOf(', ') + 2);
    const world = await worldOf(context, count, kind.startsWith(NUMBERS) ? 'numbers' : 'strings');
    const tally = new Tally(world.reads);
    const arms = armsOf(kind, world, tally);
    const pace: Pace = context.pick(
      { rounds: 3, sliceMs: 2, warmupRounds: 1 },
      { rounds: 61, sliceMs: 15, warmupRounds: 8 },
      { rounds: 301, sliceMs: 15, warmupRounds: 16 },
    );
    const before = world.cache.stats().node;
    const measured = await interleave(arms, pace, context);
    const after = world.cache.stats().node;
    const nearHits = after.nearHitCount - before.nearHitCount;
    const requests = after.requestCount - before.requestCount;
    if (nearHits !== requests || nearHits !== tally.expected) {
      throw new Error(`${nearHits} near hits in ${requests} requests, of ${tally.expected} that were made.`);
    }
    context.note(`near hits: ${nearHits} of ${requests} requests`);
    addFigures(context, measured, {
      prefix: `${cell}: `,
      unit: 'ns',
      from: (ms) => ms * 1e6,
      baselineOf: (arm) => BASELINES[arm] ?? 'lru-cache.get',
      goalOf: (arm) => (arm.endsWith('.borrow') && kind !== SHORT_RUNS ? GOAL : undefined),
    });
    await world.pool.disconnect();
  },
};
