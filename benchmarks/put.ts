/**
 * Question: what does it cost to put a page into the pool, beside the copy that it cannot do without?
 *
 * Three states: roomy, where every put finds free space; full, where a page must be evicted for every page put; and read,
 * where it is full and four nodes have 1,024 borrows each that no eviction may touch (the most they can have). Every
 * put is of a key that is not there, but in the arm that supersedes. What a batch put is taken out again off the clock
 * (roomy only), and its last page is read back and compared.
 *
 * A copy into memory that lies in the processor's cache is cheaper than one that does not. Sources are few and lie there
 * in every arm. Targets: in the full states the bare copy goes round as many bytes as the pool has, in the roomy one
 * round two batches, as freed space is taken again. The arm that supersedes goes round few pages in every state: its
 * ratio in a full pool flatters it.
 */
import { join } from 'node:path';
import { open, type RootDatabase } from 'lmdb';
import { LRUCache } from 'lru-cache';
import type { PageSpace, Pool } from '../src/index.js';
import { connect, SharedCache } from './build.js';
import type { Benchmark, Context } from './frame.js';
import { type Arm, addFigures, interleave, type Sample } from './interleave.js';
import { missed, PageMaker } from './pages.js';
import { scratchFolder, scratchPool } from './scratch.js';

const KIB = 1024;
const MIB = 1024 * KIB;

interface Shape {
  readonly pageSize: number;
  /** Pages that a pool of this benchmark holds. */
  readonly capacity: number;
  readonly batch: number;
}

const SHAPES: Readonly<Record<string, Shape>> = {
  '4 KiB': { pageSize: 4 * KIB, capacity: 8192, batch: 256 },
  '8 KiB': { pageSize: 8 * KIB, capacity: 8192, batch: 256 },
  '64 KiB': { pageSize: 64 * KIB, capacity: 2048, batch: 64 },
  '1 MiB': { pageSize: MIB, capacity: 192, batch: 8 },
};
const SOURCES = 16;
const READERS = 4;
/** As many as a node may have, over few pages, so that they take little of the pool. */
const BORROWS = 1024;
const BORROWED_PAGES = 64;

/** What an arm does with pages [from, to), which are new to it. */
interface Store {
  readonly name: string;
  put(from: number, to: number): number;
  read(pageNo: number): Uint8Array | undefined;
  /** Off the clock, in the roomy state. */
  remove(from: number, to: number): void;
  readonly before?: (from: number, to: number) => void;
}

interface World extends Shape {
  readonly isFull: boolean;
  /** Spaces of nodes that borrow, in the state read. */
  readonly readers: readonly PageSpace[];
  readonly sources: readonly Uint8Array[];
  readonly pool: Pool;
  readonly cache: SharedCache;
  readonly space: PageSpace;
  readonly database: RootDatabase<Buffer, number>;
}

function sourceOf({ sources }: World, pageNo: number): Uint8Array {
  return sources[pageNo % SOURCES] as Uint8Array;
}

async function readersOf({ path }: Pool, pageSize: number): Promise<PageSpace[]> {
  const pools = await Promise.all(Array.from({ length: READERS }, () => connect(path)));
  return pools.map((pool) => new SharedCache(pool).pages('borrowed', { pageSize }));
}

async function worldOf(context: Context, shape: Shape, state: string): Promise<World> {
  const { pageSize } = shape;
  const isFull = state !== 'roomy';
  const capacity = context.pick(Math.max(8 * shape.batch, 64), shape.capacity);
  // Full is reached by bytes, as in an ordinary pool; the roomy one holds what one batch of each arm leaves there.
  const pool = await scratchPool({ size: Math.max(capacity * pageSize, 8 * MIB), pageSize, maxNodes: 8 });
  const cache = new SharedCache(pool);
  const database = open<Buffer, number>({
    path: join(scratchFolder(4 * capacity * pageSize), 'lmdb'),
    mapSize: 4 * capacity * pageSize + 64 * MIB,
    noSync: true,
    encoding: 'binary',
  });
  const sources = new PageMaker(context.seed, pageSize).pages(SOURCES);
  return {
    ...shape,
    capacity,
    isFull,
    readers: state === 'read' ? await readersOf(pool, pageSize) : [],
    sources,
    pool,
    cache,
    space: cache.pages('table', { pageSize }),
    database,
  };
}

function bareCopy(world: World): Store {
  const { pageSize } = world;
  const pages = world.isFull ? world.capacity : 2 * world.batch;
  const target = new Uint8Array(pages * pageSize);
  return {
    name: 'bare copy',
    put(from, to) {
      for (let n = from; n < to; n++) target.set(sourceOf(world, n), (n % pages) * pageSize);
      return to - from;
    },
    read: (n) => target.subarray((n % pages) * pageSize, (n % pages) * pageSize + pageSize),
    remove: () => {},
  };
}

function localCache(world: World): Store {
  const lru = new LRUCache<number, Uint8Array>({ max: world.capacity });
  return {
    name: 'lru-cache.set of a fresh copy',
    put(from, to) {
      for (let n = from; n < to; n++) lru.set(n, sourceOf(world, n).slice());
      return to - from;
    },
    read: (n) => lru.get(n),
    remove(from, to) {
      for (let n = from; n < to; n++) lru.delete(n);
    },
  };
}

/** LMDB never evicts: in the full state it overwrites. */
function lmdbStores(world: World): Store[] {
  const { database, capacity, isFull } = world;
  const keyOf = (n: number) => (isFull ? n % capacity : n);
  const putAll = (from: number, to: number) => {
    for (let n = from; n < to; n++) database.putSync(keyOf(n), sourceOf(world, n) as Buffer);
    return to - from;
  };
  const shared = {
    read: (n: number) => database.getBinary(keyOf(n)),
    remove: (from: number, to: number) =>
      database.transactionSync(() => {
        for (let n = from; n < to; n++) database.removeSync(keyOf(n));
      }),
  };
  return [
    { name: 'lmdb putSync, noSync', put: putAll, ...shared },
    {
      name: 'lmdb putSync, noSync, one transaction a batch',
      put: (from, to) => database.transactionSync(() => putAll(from, to)),
      ...shared,
    },
  ];
}

function poolStores(world: World): Store[] {
  const { pool, cache, space } = world;
  let keys: string[] = [];
  const before = (from: number, to: number) => {
    keys = Array.from({ length: to - from }, (_, i) => `page:${from + i}`);
  };
  const again = Array.from({ length: world.batch }, (_, i) => `again:${i}`);
  return [
    {
      name: 'Pool.put',
      before,
      put(from, to) {
        let count = 0;
        for (let n = from; n < to; n++) if (pool.put(keys[n - from]!, sourceOf(world, n))) count++;
        return count;
      },
      read(n) {
        const page = pool.get(`page:${n}`);
        const copy = page?.copy();
        page?.release();
        return copy;
      },
      remove(from, to) {
        for (let n = from; n < to; n++) pool.delete(keys[n - from]!);
      },
    },
    {
      name: 'SharedCache.set',
      before,
      put(from, to) {
        let count = 0;
        for (let n = from; n < to; n++) if (cache.set(keys[n - from]!, sourceOf(world, n))) count++;
        return count;
      },
      read: (n) => cache.peek(`page:${n}`),
      remove(from, to) {
        for (let n = from; n < to; n++) cache.delete(keys[n - from]!);
      },
    },
    {
      name: 'SharedCache.set, superseding',
      put(from, to) {
        let count = 0;
        for (let n = from; n < to; n++) if (cache.set(again[n - from]!, sourceOf(world, n))) count++;
        return count;
      },
      read: (n) => cache.peek(again[n % world.batch]!),
      remove: () => {},
    },
    {
      name: 'PageSpace.put',
      put(from, to) {
        let count = 0;
        for (let n = from; n < to; n++) if (space.put(n, sourceOf(world, n))) count++;
        return count;
      },
      read: (n) => space.borrow(n),
      remove: (from, to) => space.invalidateRange(from, to - from),
    },
  ];
}

/** Borrows end with the run of the event loop, so each batch begins with these. */
function borrowAll({ readers, sources }: World): void {
  for (const space of readers) {
    for (let i = 0; i < BORROWS; i++) {
      const pageNo = i % BORROWED_PAGES;
      if (space.borrow(pageNo) !== undefined) continue;
      space.put(pageNo, sources[pageNo % SOURCES] as Uint8Array);
      if (space.borrow(pageNo) === undefined) throw missed('a reader');
    }
  }
}

function armOf(world: World, store: Store): Arm {
  const { batch, isFull } = world;
  let next = 0;
  return {
    name: store.name,
    batch(): Sample {
      const [from, to] = [next, next + batch];
      next = to;
      const entered = performance.now();
      borrowAll(world);
      store.before?.(from, to);
      const start = performance.now();
      const count = store.put(from, to);
      const elapsed = performance.now() - start;
      if (count !== batch) throw new Error(`${store.name}: ${count} of ${batch} pages were stored.`);
      const found = store.read(to - 1);
      if (found === undefined) throw missed(store.name);
      if (Buffer.compare(found, sourceOf(world, to - 1)) !== 0) throw new Error(`${store.name}: it holds other bytes.`);
      if (!isFull) store.remove(from, to);
      return { overriddenDuration: elapsed / batch, overriddenIterationCost: performance.now() - entered };
    },
  };
}

/** Puts pages until the pool evicts. */
function fillUp({ pool, cache, sources, capacity }: World): void {
  for (let n = 0; pool.stats().evictions === 0; n++) {
    if (n > 4 * capacity) throw new Error('The pool does not fill up.');
    cache.set(`filler:${n}`, sources[n % SOURCES] as Uint8Array);
  }
}

export const benchmark: Benchmark = {
  takesAgainst: true,
  question: 'what does it cost to put a page into the pool, beside the copy that it cannot do without?',

  cells(mode) {
    const sizes = mode === 'smoke' ? ['8 KiB', '1 MiB'] : Object.keys(SHAPES);
    const read = mode === 'full' ? sizes : ['8 KiB'];
    return [
      ...sizes.flatMap((size) => ['roomy', 'full'].map((state) => `${size}, ${state}`)),
      ...read.map((size) => `${size}, read`),
    ];
  },

  async run(cell, context) {
    const [size = '', state = ''] = cell.split(', ');
    const world = await worldOf(context, SHAPES[size] as Shape, state);
    if (world.isFull) fillUp(world);
    const before = world.pool.stats().evictions;
    const stores = [bareCopy(world), localCache(world), ...lmdbStores(world), ...poolStores(world)];
    const arms = stores.map((store) => armOf(world, store));
    const pace = context.pick(
      { rounds: 3, sliceMs: 2, warmupRounds: 1 },
      { rounds: 41, sliceMs: 20, warmupRounds: 6 },
      { rounds: 201, sliceMs: 20, warmupRounds: 10 },
    );
    const measured = await interleave(arms, pace, context);
    const evictions = world.pool.stats().evictions - before;
    if (evictions > 0 !== world.isFull) throw new Error(`${cell}: there were ${evictions} evictions.`);
    context.note(`evictions: ${evictions}`);
    for (const source of world.sources)
      context.checked(
        'source',
        source.reduce((sum, byte) => sum + byte, 0),
      );
    addFigures(context, measured, {
      prefix: `${cell}: `,
      unit: 'µs',
      from: (ms) => ms * 1e3,
      baselineOf: () => 'bare copy',
    });
    await world.database.close();
    await world.pool.disconnect();
  },
};
