/**
 * Arms of the benchmark `hit`: each way to read a page once, whatever its key is.
 *
 * A process runs one kind of key, so `keyAt` is one function there and the store of one class: each arm is compiled for
 * them alone, as if it were written out. For the same reason an arm is a loop of its own: one loop for all would see them all.
 */
import { LRUCache } from 'lru-cache';
import type { Page } from '../src/index.js';
import { type Index, keyOf, PAGE_BYTES, type Tally, type World } from './hit.world.js';
import { type Arm, type Sample, sampleOf } from './interleave.js';
import { missed } from './pages.js';

/** Borrows of a run of the event loop, where runs are short. */
export const RUN_LENGTH = 16;

/** What the pool offers for keys of this kind. */
interface Store<Key> {
  borrow(key: Key): Uint8Array | undefined;
  get(key: Key): Page | undefined;
  read(key: Key, target: Uint8Array): boolean | number;
}

export interface Keys<Key extends {}> {
  /** The key of a read. `last` is the byte that the read before it gave. */
  readonly keyAt: (read: number, last: number) => Key;
  readonly storeName: string;
  readonly store: Store<Key>;
  /** What the store's read answers on a hit. */
  readonly done: boolean | number;
  readonly map: Index<Key, Uint8Array>;
  readonly lru: LRUCache<Key, Uint8Array>;
}

function keysOf<Key extends {}>(
  pages: readonly Uint8Array[],
  key: (pageNo: number) => Key,
  how: Omit<Keys<Key>, 'map' | 'lru'>,
): Keys<Key> {
  const lru = new LRUCache<Key, Uint8Array>({ max: pages.length });
  const map = new Map(pages.map((page, pageNo) => [key(pageNo), page]));
  for (const [name, page] of map) lru.set(name, page);
  return { ...how, map, lru };
}

export function pageNumbers({ space, pages, reads }: World): Keys<number> {
  const { pageNos } = reads;
  const store = { storeName: 'PageSpace', store: space, done: true };
  return keysOf(pages, Number, { keyAt: (read) => pageNos[read]!, ...store });
}

/**
 * Each read waits for the byte of the one before, as a descent through a tree does, or a program that works on a page
 * before it asks for the next. Where nothing waits, the processor overlaps the cache misses of several reads, and the
 * fewer instructions an arm has the more of them: that measures how well a loop is overlapped, besides a hit.
 */
export function dependentNumbers(world: World): Keys<number> {
  const { pageNos } = world.reads;
  // Zero, which the compiler does not know.
  const mask = new Int32Array(1);
  return { ...pageNumbers(world), keyAt: (read, last) => pageNos[read]! + (last & mask[0]!) };
}

function strings(world: World, keyAt: (read: number) => string): Keys<string> {
  const { cache, pages } = world;
  return keysOf<string>(pages, keyOf, { keyAt, storeName: 'SharedCache', store: cache, done: PAGE_BYTES });
}

/** Keys that are at hand as strings: their hash is computed once, as for keys a program holds on to. */
export function heldStrings(world: World): Keys<string> {
  const { pageNos } = world.reads;
  const held = world.pages.map((_, pageNo) => keyOf(pageNo));
  return strings(world, (read) => held[pageNos[read]!]!);
}

/** Keys put together for each read: nobody has hashed them yet. */
export function freshStrings(world: World): Keys<string> {
  const { pageNos } = world.reads;
  return strings(world, (read) => `page:${pageNos[read]!}`);
}

export function findArms<Key extends {}>({ reads }: World, tally: Tally, keys: Keys<Key>): Arm[] {
  const { offsets } = reads;
  const { keyAt, map, lru, store, storeName } = keys;
  return [
    tally.arm('Map.get', false, (from, to) => {
      let sum = 0;
      let last = 0;
      for (let i = from; i < to; i++) {
        const page = map.get(keyAt(i, last));
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
        const page = lru.get(keyAt(i, last));
        if (page === undefined) throw missed('lru-cache');
        last = page[offsets[i]!]!;
        sum += last;
      }
      return sum;
    }),
    tally.arm(`${storeName}.borrow`, true, (from, to) => {
      let sum = 0;
      let last = 0;
      for (let i = from; i < to; i++) {
        const page = store.borrow(keyAt(i, last));
        if (page === undefined) throw missed(storeName);
        last = page[offsets[i]!]!;
        sum += last;
      }
      return sum;
    }),
  ];
}

/** What a page costs that is pinned, or copied out. */
export function keepArms<Key extends {}>({ reads, target }: World, tally: Tally, keys: Keys<Key>): Arm[] {
  const { offsets } = reads;
  const { keyAt, lru, store, storeName, done } = keys;
  return [
    tally.arm('lru-cache.get and copy', false, (from, to) => {
      let sum = 0;
      for (let i = from; i < to; i++) {
        const page = lru.get(keyAt(i, 0));
        if (page === undefined) throw missed('lru-cache');
        target.set(page);
        sum += target[offsets[i]!]!;
      }
      return sum;
    }),
    tally.arm(`${storeName}.get and release`, true, (from, to) => {
      let sum = 0;
      for (let i = from; i < to; i++) {
        const page = store.get(keyAt(i, 0));
        if (page === undefined) throw missed(storeName);
        sum += page.bytes[offsets[i]!]!;
        page.release();
      }
      return sum;
    }),
    tally.arm(`${storeName}.read`, true, (from, to) => {
      let sum = 0;
      for (let i = from; i < to; i++) {
        if (store.read(keyAt(i, 0), target) !== done) throw missed(storeName);
        sum += target[offsets[i]!]!;
      }
      return sum;
    }),
  ];
}

/** The pages themselves, without a way to find them. */
export function bareArm({ pages, reads }: World, tally: Tally): Arm {
  const { pageNos, offsets } = reads;
  return tally.arm('bare touch', false, (from, to) => {
    let sum = 0;
    for (let i = from; i < to; i++) sum += (pages[pageNos[i]!] as Uint8Array)[offsets[i]!]!;
    return sum;
  });
}

/** Whether a page is there: no byte of it is touched, so these compare with each other only. */
export function presenceArms({ cache, reads }: World, { keyAt, lru }: Keys<string>): Arm[] {
  const { batch } = reads;
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
      for (let i = from; i < to; i++) if (lru.has(keyAt(i, 0))) count++;
      return count;
    }),
    arm('SharedCache.has', (from, to) => {
      let count = 0;
      for (let i = from; i < to; i++) if (cache.has(keyAt(i, 0))) count++;
      return count;
    }),
  ];
}

/** As a server reads: a few pages, and then its run of the event loop is over, and with it its borrows. */
export function shortRunArms({ space, reads }: World, tally: Tally, { keyAt, lru }: Keys<number>): Arm[] {
  const { offsets } = reads;
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
      for (let i = from; i < to; i++) sum += (lru.get(keyAt(i, 0)) as Uint8Array)[offsets[i]!]!;
      return sum;
    }),
    arm('PageSpace.borrow', true, (from, to) => {
      let sum = 0;
      for (let i = from; i < to; i++) sum += (space.borrow(keyAt(i, 0)) as Uint8Array)[offsets[i]!]!;
      return sum;
    }),
  ];
}
