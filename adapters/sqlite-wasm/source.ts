/**
 * Page sources: where the read-only SQLite file system takes the pages of a database file from. All of them copy into
 * the engine's heap; they differ in what they remember.
 *
 * (P1) `read` fills the whole target; what lies past the end of the file is zero.
 * (P2) A source serves one immutable file: a page never changes while the source lives.
 * (P3) The pool outlives the file: where another takes its place, or it was written to, its pages have other numbers in the
 *      pool. Those of each state of a file begin at a number that its identity gives, of 2^52; two that overlap are as
 *      likely as two hashes of 50 bits that agree. What is no longer asked for is evicted.
 */
import { createHash } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import { assert } from '../../lib/assert.js';
import type { PageSpace } from '../../src/cache/index.js';
import type { Storage } from '../storage/index.js';

export interface PageSource {
  /** Bytes of a page. A multiple of, or equal to, the database's own page size serves best. */
  readonly pageSize: number;
  /** Bytes of the database file. */
  readonly fileSize: number;
  /** Copies page `pageNo`, counted from 0, into target (pageSize bytes long); true when no storage was read. */
  read(pageNo: number, target: Uint8Array): boolean;
}

/**
 * Bytes that lru-cache 11 and the view objects take for one cached page besides the page. Measured on Node 20 as heap
 * growth per entry: 310 at 300 entries, 295 at 3,000, 156 at 100,000.
 */
export const LRU_ENTRY_OVERHEAD = 240;

type Load = (pageNo: number, target: Uint8Array) => void;

function loader(storage: Storage, pageSize: number): Load {
  return (pageNo, target) => {
    const count = storage.read(pageNo * pageSize, target);
    if (count < target.length) target.fill(0, count);
  };
}

/** (P3) */
function firstNumberOf({ identity }: Storage): number {
  const hash = createHash('sha256').update(identity).digest();
  return hash.readUIntBE(0, 6) * 16 + ((hash[6] as number) & 15);
}

/**
 * Pages of the pool: one copy for all nodes; a miss is read into the pool once. Page numbers of the space are the source's own:
 * they differ for each state of the file (P3).
 */
export function poolPageSource(space: PageSpace, storage: Storage): PageSource {
  const first = firstNumberOf(storage);
  const fill = loader(storage, space.pageSize);
  const load: Load = (number, target) => fill(number - first, target);
  return {
    pageSize: space.pageSize,
    fileSize: storage.size,
    read: (pageNo, target) => space.readThrough(first + pageNo, target, load),
  };
}

/** Every read goes to storage. */
export function uncachedPageSource(storage: Storage, options: { pageSize: number }): PageSource {
  const load = loader(storage, options.pageSize);
  return {
    pageSize: options.pageSize,
    fileSize: storage.size,
    read: (pageNo, target) => {
      load(pageNo, target);
      return false;
    },
  };
}

/** A private cache of `pagesMax` pages by lru-cache, over memory allocated once: a miss allocates nothing. */
export function lruPageSource(storage: Storage, options: { pageSize: number; pagesMax: number }): PageSource {
  const { pageSize, pagesMax } = options;
  assert(Number.isSafeInteger(pagesMax) && pagesMax > 0, 'a private cache holds at least one page');
  const load = loader(storage, pageSize);
  const slab = new ArrayBuffer(pagesMax * pageSize);
  const cache = new LRUCache<number, Uint8Array>({ max: pagesMax });
  return {
    pageSize,
    fileSize: storage.size,
    read: (pageNo, target) => {
      const cached = cache.get(pageNo);
      if (cached !== undefined) {
        target.set(cached);
        return true;
      }
      load(pageNo, target);
      const room = cache.size < pagesMax ? new Uint8Array(slab, cache.size * pageSize, pageSize) : cache.pop()!;
      room.set(target);
      cache.set(pageNo, room);
      return false;
    },
  };
}
