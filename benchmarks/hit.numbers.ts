/** Arms of the benchmark `hit` whose keys are page numbers. */
import { LRUCache } from 'lru-cache';
import type { Index, Tally, World } from './hit.world.js';
import type { Arm } from './interleave.js';
import { missed } from './pages.js';

/** Borrows of a run of the event loop, where runs are short. */
export const RUN_LENGTH = 16;

// One function literal an arm, so that each is compiled for what it sees alone.

export function numberArms(world: World, tally: Tally, lru: LRUCache<number, Uint8Array>): Arm[] {
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

/**
 * Each read waits for the byte of the one before, as a descent through a tree does, or a program that works on a page
 * before it asks for the next. Where nothing waits, the processor overlaps the cache misses of several reads, and the
 * fewer instructions an arm has the more of them: that measures how well a loop is overlapped, besides a hit.
 */
export function dependentArms({ space, pages, reads }: World, tally: Tally, lru: LRUCache<number, Uint8Array>): Arm[] {
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
export function shortRunArms({ space, reads }: World, tally: Tally, lru: LRUCache<number, Uint8Array>): Arm[] {
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
