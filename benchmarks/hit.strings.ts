/** Arms of the benchmark `hit` whose keys are strings. */
import type { LRUCache } from 'lru-cache';
import { type Index, keyOf, PAGE_BYTES, type Tally, type World } from './hit.world.js';
import { type Arm, type Sample, sampleOf } from './interleave.js';
import { missed } from './pages.js';

// One function literal an arm, so that each is compiled for what it sees alone.

/** Keys that are at hand as strings: their hash is computed once, as for keys a program holds on to. */
export function stringArms(world: World, tally: Tally, lru: LRUCache<string, Uint8Array>): Arm[] {
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
export function freshArms({ cache, pages, reads }: World, tally: Tally, lru: LRUCache<string, Uint8Array>): Arm[] {
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
