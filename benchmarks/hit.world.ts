/** What the arms of the benchmark `hit` read, and how each batch is checked. */
import type { PageSpace, Pool } from '../src/index.js';
import { poolSizeFor, SharedCache } from './build.js';
import type { Context } from './frame.js';
import { type Arm, sampleOf } from './interleave.js';
import { PageMaker, Reads } from './pages.js';
import { scratchPool } from './scratch.js';

export const PAGE_BYTES = 8192;

export type Index<K, V> = Pick<Map<K, V>, 'get'>;

export interface World {
  readonly pool: Pool;
  readonly cache: SharedCache;
  readonly space: PageSpace;
  readonly pages: readonly Uint8Array[];
  readonly reads: Reads;
  readonly target: Uint8Array;
}

/** A pool with every page in it, under its number and under a string. */
export async function worldOf(context: Context, count: number, keys: 'numbers' | 'strings'): Promise<World> {
  const pages = new PageMaker(context.seed, PAGE_BYTES).pages(count);
  // Shards fill unevenly and nothing may be evicted: a third more than the pages.
  const geometry = { pageSize: PAGE_BYTES, maxObjects: Math.ceil(count * 1.33) + 256, maxNodes: 8 };
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

export function keyOf(pageNo: number): string {
  return `page:${pageNo}`;
}

/** Counts what an arm reads through the pool, and checks each batch's sum. */
export class Tally {
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
