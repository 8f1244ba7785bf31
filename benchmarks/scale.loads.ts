/**
 * What one process of the benchmark `scale` does in a slice, in a pool and with its private cache. A process has one kind of
 * load, and each loop is written out: so each is compiled for what it does alone.
 */
import { LRUCache } from 'lru-cache';
import type { SharedCache as Cache, PageSpace } from '../src/index.js';
import { missed, type Reads } from './pages.js';
import { Random } from './random.js';
import { keyOf, type Load, PAGE_BYTES, sourceOf } from './scale.shape.js';

/** A batch of reads from `from` on; gives the sum of the bytes that it read. */
export type ReadBatch = (from: number, to: number) => number;
/** One write; whether it was stored. */
export type WriteOne = () => boolean;

export interface Joined {
  readonly cache: Cache;
  readonly space: PageSpace;
}

/** What is the same for every load of this process. */
export interface Work {
  readonly sources: readonly Uint8Array[];
  readonly pages: number;
  readonly reads: Reads;
  readonly seed: number;
  /** Which of the processes this is. */
  readonly index: number;
}

const copyOf = (sources: readonly Uint8Array[], pageNo: number) => sourceOf(sources, pageNo).slice();

function filled<Key extends {}>({ sources, pages }: Work, key: (pageNo: number) => Key): LRUCache<Key, Uint8Array> {
  const cache = new LRUCache<Key, Uint8Array>({ max: pages });
  for (let pageNo = 0; pageNo < pages; pageNo++) cache.set(key(pageNo), copyOf(sources, pageNo));
  return cache;
}

function keysFor({ pages }: Work): string[] {
  return Array.from({ length: pages }, (_, pageNo) => keyOf(pageNo));
}

export function poolReads(load: Load, work: Work, { cache, space }: Joined): ReadBatch {
  const { pageNos, offsets } = work.reads;
  const keys = load === 'borrow by string' ? keysFor(work) : [];
  const target = new Uint8Array(PAGE_BYTES);
  if (load === 'borrow by string') {
    return (from, to) => {
      let sum = 0;
      for (let i = from; i < to; i++) {
        const page = cache.borrow(keys[pageNos[i]!]!);
        if (page === undefined) throw missed('SharedCache.borrow');
        sum += page[offsets[i]!]!;
      }
      return sum;
    };
  }
  if (load === 'pin') {
    return (from, to) => {
      let sum = 0;
      for (let i = from; i < to; i++) {
        const page = space.get(pageNos[i]!);
        if (page === undefined) throw missed('PageSpace.get');
        sum += page.bytes[offsets[i]!]!;
        page.release();
      }
      return sum;
    };
  }
  if (load === 'read') {
    return (from, to) => {
      let sum = 0;
      for (let i = from; i < to; i++) {
        if (!space.read(pageNos[i]!, target)) throw missed('PageSpace.read');
        sum += target[offsets[i]!]!;
      }
      return sum;
    };
  }
  return (from, to) => {
    let sum = 0;
    for (let i = from; i < to; i++) {
      const page = space.borrow(pageNos[i]!);
      if (page === undefined) throw missed('PageSpace.borrow');
      sum += page[offsets[i]!]!;
    }
    return sum;
  };
}

function privateReadsBy<Key extends {}>(
  work: Work,
  cache: LRUCache<Key, Uint8Array>,
  keyAt: (read: number) => Key,
): ReadBatch {
  const { offsets } = work.reads;
  return (from, to) => {
    let sum = 0;
    for (let i = from; i < to; i++) {
      const page = cache.get(keyAt(i));
      if (page === undefined) throw missed('lru-cache');
      sum += page[offsets[i]!]!;
    }
    return sum;
  };
}

export function privateReads(load: Load, work: Work): ReadBatch {
  const { pageNos, offsets } = work.reads;
  if (load === 'borrow by string') {
    const keys = keysFor(work);
    return privateReadsBy(work, filled(work, keyOf), (read) => keys[pageNos[read]!]!);
  }
  const cache = filled(work, Number);
  if (load !== 'read') return privateReadsBy(work, cache, (read) => pageNos[read]!);
  const target = new Uint8Array(PAGE_BYTES);
  return (from, to) => {
    let sum = 0;
    for (let i = from; i < to; i++) {
      const page = cache.get(pageNos[i]!);
      if (page === undefined) throw missed('lru-cache');
      target.set(page);
      sum += target[offsets[i]!]!;
    }
    return sum;
  };
}

/** Page numbers that no other process puts, and none twice. */
function newPages({ index }: Work): () => number {
  let next = (index + 1) * 2 ** 32;
  return () => next++;
}

/** Of pages [first, first + count) by number, or of keys; `put` takes new pages only. */
export function poolWrites(load: Load, work: Work, { cache, space }: Joined, first: number, count: number): WriteOne {
  const { sources, seed } = work;
  const random = new Random(seed);
  if (load === 'set over live keys') {
    const keys = keysFor(work);
    return () => {
      const pageNo = first + random.below(count);
      return cache.set(keys[pageNo]!, sourceOf(sources, pageNo));
    };
  }
  if (load === 'put with eviction') {
    const fresh = newPages(work);
    return () => {
      const pageNo = fresh();
      return space.put(pageNo, sourceOf(sources, pageNo));
    };
  }
  return () => {
    const pageNo = first + random.below(count);
    return space.put(pageNo, sourceOf(sources, pageNo));
  };
}

export function privateWrites(load: Load, work: Work, first: number, count: number): WriteOne {
  const { sources, seed } = work;
  const random = new Random(seed);
  if (load === 'set over live keys') {
    const keys = keysFor(work);
    const cache = filled(work, keyOf);
    return () => {
      const pageNo = first + random.below(count);
      cache.set(keys[pageNo]!, copyOf(sources, pageNo));
      return true;
    };
  }
  const cache = filled(work, Number);
  const fresh = newPages(work);
  return () => {
    const pageNo = load === 'put with eviction' ? fresh() : first + random.below(count);
    cache.set(pageNo, copyOf(sources, pageNo));
    return true;
  };
}
