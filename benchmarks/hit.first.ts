/**
 * Arms of the benchmark `hit` for pages that are in the pool and that this node has not met: found by the pool's table. Each batch
 * connects a node anew, off the clock, that touches all of its mapping beforehand: what is measured is no page fault. The node
 * that remembers nothing (`nearEntries: 0`) finds every page so, always.
 */
import { join } from 'node:path';
import { open } from 'lmdb';
import type { PageSpace, Pool } from '../src/index.js';
import { connect, SharedCache } from './build.js';
import { PAGE_BYTES, type World } from './hit.world.js';
import { type Arm, type Sample, sampleOf } from './interleave.js';
import { missed } from './pages.js';
import { Random } from './random.js';
import { scratchFolder } from './scratch.js';

/** Reads of a node before it leaves. */
const READS = 1000;

export const DATABASE = 'lmdb getBinaryFast';
export const FIRST = 'PageSpace.borrow, first on its node';

const offsetOf = (pageNo: number) => (pageNo * 1031) % PAGE_BYTES;

export interface FirstArms {
  readonly arms: readonly Arm[];
  close(): Promise<void>;
}

export async function firstArms({ pages, pool }: World, seed: number): Promise<FirstArms> {
  const count = Math.min(READS, pages.length);
  const order = new Random(seed).shuffle(Array.from(pages.keys()));
  let next = 0;
  /** Other pages each time, none twice. */
  const take = () => {
    if (next + count > order.length) next = 0;
    next += count;
    return order.slice(next - count, next);
  };
  const sumOf = (pageNos: readonly number[]) =>
    pageNos.reduce((sum, pageNo) => sum + (pages[pageNo] as Uint8Array)[offsetOf(pageNo)]!, 0);
  const borrowAll = (space: PageSpace, pageNos: readonly number[]) => {
    let sum = 0;
    for (const pageNo of pageNos) {
      const page = space.borrow(pageNo);
      if (page === undefined) throw missed('PageSpace');
      sum += page[offsetOf(pageNo)]!;
    }
    return sum;
  };
  const database = databaseOf(pages);
  const forgetful = await connect(pool.path, { nearEntries: 0, prefault: 'sync' });
  const unremembered = new SharedCache(forgetful).pages('table', { pageSize: PAGE_BYTES });
  const arms: Arm[] = [
    {
      name: DATABASE,
      batch: () => {
        const pageNos = take();
        return sampleOf(DATABASE, count, sumOf(pageNos), () => {
          let sum = 0;
          for (const pageNo of pageNos) {
            const page = database.getBinaryFast(pageNo);
            if (page === undefined) throw missed(DATABASE);
            sum += page[offsetOf(pageNo)]!;
          }
          return sum;
        });
      },
    },
    {
      name: 'PageSpace.borrow, nothing remembered',
      batch: () => {
        const pageNos = take();
        return sampleOf('nothing remembered', count, sumOf(pageNos), () => borrowAll(unremembered, pageNos));
      },
    },
    {
      name: FIRST,
      isAsync: true,
      batch: () => {
        const pageNos = take();
        return asNewNode(pool, (space) => sampleOf(FIRST, count, sumOf(pageNos), () => borrowAll(space, pageNos)));
      },
    },
  ];
  const close = async () => {
    await forgetful.disconnect();
    await database.close();
  };
  return { arms, close };
}

async function asNewNode({ path }: Pool, work: (space: PageSpace) => Sample): Promise<Sample> {
  const entered = performance.now();
  const pool = await connect(path, { prefault: 'sync' });
  const cache = new SharedCache(pool);
  const sample = work(cache.pages('table', { pageSize: PAGE_BYTES }));
  const { requestCount, tableHitCount } = cache.stats().node;
  if (tableHitCount !== requestCount)
    throw new Error(`${tableHitCount} of ${requestCount} pages were found by the table.`);
  await pool.disconnect();
  return { ...sample, overriddenIterationCost: performance.now() - entered };
}

/** With every page in it, each read once. */
function databaseOf(pages: readonly Uint8Array[]) {
  const bytes = pages.length * (PAGE_BYTES + 4096) + 2 ** 26;
  const database = open<Buffer, number>({
    path: join(scratchFolder(bytes), 'lmdb'),
    mapSize: bytes,
    noSync: true,
    encoding: 'binary',
  });
  database.transactionSync(() => {
    for (const [pageNo, page] of pages.entries()) database.putSync(pageNo, page as Buffer);
  });
  for (const pageNo of pages.keys()) database.getBinaryFast(pageNo);
  return database;
}
