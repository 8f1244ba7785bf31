/**
 * Question: what does reading a cached page cost, beside what a user of Node would pick instead?
 *
 * Every arm holds the same pages, reads random ones and one byte of each. Their promises differ: a Map and lru-cache are
 * private to a process, so N processes hold N copies; the pool, LMDB and Redis are shared. `borrow` copies nothing,
 * `read` and LMDB copy into memory of the caller, Redis through the kernel.
 */
import { join } from 'node:path';
import { open, type RootDatabase } from 'lmdb';
import { LRUCache } from 'lru-cache';
import { type PageSpace, type Pool, poolSizeFor, SharedCache } from '../src/index.js';
import type { Benchmark, Context } from './frame.js';
import { type Arm, addFigures, interleave, sampleOf } from './interleave.js';
import { missed, PageMaker, Reads } from './pages.js';
import { type RedisClient, type RedisServer, redisVersion, startRedis } from './redis.js';
import { scratchFolder, scratchPool } from './scratch.js';

const KIB = 1024;
const GOAL = '<= 1.5';
const IN_FLIGHT = 100;
/** Reads of a batch that waits for another process: fewer, so that slices stay short. */
const REMOTE_READS = 200;

interface World {
  readonly pages: readonly Uint8Array[];
  readonly reads: Reads;
  /** The same pages, in shorter batches. */
  readonly remoteReads: Reads;
}

function localArm(world: World, name: string, run: (from: number, to: number) => number): Arm {
  const { reads } = world;
  return {
    name,
    batch: () => {
      const from = reads.take();
      return sampleOf(name, reads.batch, reads.sumFrom(from), () => run(from, from + reads.batch));
    },
  };
}

function privateArms(world: World): Arm[] {
  const { pages, reads } = world;
  const { pageNos, offsets } = reads;
  const map = new Map(pages.entries());
  const lru = new LRUCache<number, Uint8Array>({ max: pages.length });
  for (const [pageNo, page] of pages.entries()) lru.set(pageNo, page);
  return [
    localArm(world, 'Map.get', (from, to) => {
      let sum = 0;
      for (let i = from; i < to; i++) {
        const page = map.get(pageNos[i]!);
        if (page === undefined) throw missed('Map');
        sum += page[offsets[i]!]!;
      }
      return sum;
    }),
    localArm(world, 'lru-cache.get', (from, to) => {
      let sum = 0;
      for (let i = from; i < to; i++) {
        const page = lru.get(pageNos[i]!);
        if (page === undefined) throw missed('lru-cache');
        sum += page[offsets[i]!]!;
      }
      return sum;
    }),
  ];
}

async function poolOf(world: World, pageSize: number): Promise<{ pool: Pool; space: PageSpace }> {
  const { pages } = world;
  const geometry = { pageSize, maxObjects: Math.ceil(pages.length * 1.33) + 256, maxNodes: 2 };
  const size = poolSizeFor({ ...geometry, eviction: 'none' });
  const pool = await scratchPool({ ...geometry, size, eviction: 'none' });
  const space = new SharedCache(pool).pages('table', { pageSize });
  for (const [pageNo, page] of pages.entries()) {
    if (!space.put(pageNo, page)) throw new Error(`Page ${pageNo} has no room.`);
  }
  return { pool, space };
}

function poolArms(world: World, space: PageSpace): Arm[] {
  const { pageNos, offsets } = world.reads;
  const target = new Uint8Array(space.pageSize);
  return [
    localArm(world, 'sealpool borrow', (from, to) => {
      let sum = 0;
      for (let i = from; i < to; i++) {
        const page = space.borrow(pageNos[i]!);
        if (page === undefined) throw missed('sealpool');
        sum += page[offsets[i]!]!;
      }
      return sum;
    }),
    localArm(world, 'sealpool read', (from, to) => {
      let sum = 0;
      for (let i = from; i < to; i++) {
        if (!space.read(pageNos[i]!, target)) throw missed('sealpool');
        sum += target[offsets[i]!]!;
      }
      return sum;
    }),
  ];
}

async function databaseOf(world: World, pageSize: number): Promise<RootDatabase<Buffer, number>> {
  const bytes = world.pages.length * (pageSize + 4 * KIB) + 64 * KIB * KIB;
  const database = open<Buffer, number>({
    path: join(scratchFolder(bytes), 'lmdb'),
    mapSize: bytes,
    noSync: true,
    encoding: 'binary',
  });
  database.transactionSync(() => {
    for (const [pageNo, page] of world.pages.entries()) database.putSync(pageNo, page as Buffer);
  });
  return database;
}

function databaseArms(world: World, database: RootDatabase<Buffer, number>): Arm[] {
  const { pageNos, offsets } = world.reads;
  return [
    localArm(world, 'lmdb getBinaryFast', (from, to) => {
      let sum = 0;
      for (let i = from; i < to; i++) {
        const page = database.getBinaryFast(pageNos[i]!);
        if (page === undefined) throw missed('lmdb');
        sum += page[offsets[i]!]!;
      }
      return sum;
    }),
    localArm(world, 'lmdb getBinary', (from, to) => {
      let sum = 0;
      for (let i = from; i < to; i++) {
        const page = database.getBinary(pageNos[i]!);
        if (page === undefined) throw missed('lmdb');
        sum += page[offsets[i]!]!;
      }
      return sum;
    }),
  ];
}

function redisArm(world: World, name: string, client: RedisClient, inFlight: number): Arm {
  const { remoteReads: reads } = world;
  return {
    name,
    isAsync: true,
    batch: async () => {
      const from = reads.take();
      let next = from;
      let sum = 0;
      const worker = async () => {
        while (next < from + reads.batch) {
          const i = next++;
          const page = await client.get(String(reads.pageNos[i]!));
          if (page === undefined) throw missed('redis');
          sum += page[reads.offsets[i]!]!;
        }
      };
      const start = performance.now();
      await Promise.all(Array.from({ length: inFlight }, worker));
      const elapsed = performance.now() - start;
      if (sum !== reads.sumFrom(from)) throw new Error(`${name}: the sum is ${sum}.`);
      return { overriddenDuration: elapsed / reads.batch, overriddenIterationCost: elapsed };
    },
  };
}

async function redisArms(world: World, context: Context): Promise<{ arms: Arm[]; server?: RedisServer }> {
  const version = redisVersion();
  if (version === undefined) {
    context.note('redis-server is not installed: no figures of Redis.');
    return { arms: [] };
  }
  context.note(`redis-server ${version}, over a Unix socket`);
  const server = await startRedis();
  for (let first = 0; first < world.pages.length; first += IN_FLIGHT) {
    const pages = world.pages.slice(first, first + IN_FLIGHT);
    await Promise.all(pages.map((page, i) => server.client.set(String(first + i), page)));
  }
  return {
    server,
    arms: [
      redisArm(world, 'redis, one at a time', server.client, 1),
      redisArm(world, `redis, ${IN_FLIGHT} in flight`, server.client, IN_FLIGHT),
    ],
  };
}

export const benchmark: Benchmark = {
  question: 'what does reading a cached page cost, beside what a user of Node would pick instead?',

  cells(mode) {
    const count = mode === 'smoke' ? 500 : 50_000;
    return [8, 4].map((kib) => `${count} pages of ${kib} KiB`);
  },

  async run(cell, context) {
    const [count = 0, kib = 0] = (cell.match(/\d+/g) ?? []).map(Number);
    const pages = new PageMaker(context.seed, kib * KIB).pages(count);
    const batches = context.pick(16, 256);
    const world: World = {
      pages,
      reads: new Reads(context, pages, { batches, batch: 1000 }),
      remoteReads: new Reads(context, pages, { batches, batch: REMOTE_READS }),
    };
    const { pool, space } = await poolOf(world, kib * KIB);
    const database = await databaseOf(world, kib * KIB);
    const { arms, server } = await redisArms(world, context);
    const all = [...privateArms(world), ...poolArms(world, space), ...databaseArms(world, database), ...arms];
    const pace = context.pick(
      { rounds: 3, sliceMs: 2, warmupRounds: 1 },
      { rounds: 61, sliceMs: 20, warmupRounds: 8 },
      { rounds: 301, sliceMs: 20, warmupRounds: 16 },
    );
    addFigures(context, await interleave(all, pace, context), {
      prefix: `${cell}: `,
      unit: 'ns',
      from: (ms) => ms * 1e6,
      baselineOf: () => 'lru-cache.get',
      goalOf: (arm) => (arm === 'sealpool borrow' ? GOAL : undefined),
    });
    await server?.stop();
    await database.close();
    await pool.disconnect();
  },
};
