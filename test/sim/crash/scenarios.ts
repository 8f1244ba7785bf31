/**
 * What dies in the exhaustive crash simulation: one public operation each, from a state made for it, and what a reader
 * may find afterwards. Values are those of content.ts; 0 is nothing.
 */
import { contentOf } from '../content.js';
import type { SimulatedNode } from '../node.js';
import { type Shape, SMALL } from '../world.js';

export const KEYS = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'];

export interface Actors {
  /** The node that dies. */
  readonly doomed: SimulatedNode;
  readonly survivor: SimulatedNode;
  /** Makes further nodes, which die together when they have done their work. */
  dead(...works: ((node: SimulatedNode) => void)[]): void;
  /** One that joins: the caller's death is its death. */
  join(): SimulatedNode;
}

export interface Scenario {
  readonly name: string;
  readonly shape?: Partial<Shape>;
  /** Values that KEYS hold at first, by index; the others hold nothing. */
  readonly holds?: readonly number[];
  /** May return what lets go of what it holds. */
  readonly prepare?: (actors: Actors) => unknown;
  readonly act: (actors: Actors) => void;
  /** Values that a key may have afterwards, where it may have changed. */
  readonly allows?: Readonly<Record<number, readonly number[]>>;
  /** What else there is to check afterwards, and to take away. */
  readonly verify?: (node: SimulatedNode) => void;
  readonly tidy?: (node: SimulatedNode) => void;
  /** What the doomed node remembers at most; 64 unless said. */
  readonly nearEntries?: number;
  /** Pages may be evicted meanwhile. */
  readonly evicts?: boolean;
  /** The act begins with the doomed node not attached: `join` is the act. */
  readonly joins?: boolean;
  /** Of the doomed node's kernel, where that is another than the others'. */
  readonly boot?: number;
  /** Nobody else is attached until the act is over. */
  readonly isAlone?: boolean;
  /** Readers' hazard stores are full fences of their own, as where membarrier(2) is not to be had. */
  readonly fencesItself?: boolean;
}

export function keyOf(index: number): string {
  return `\u0000${KEYS[index]}`;
}

export function put(node: SimulatedNode, index: number, value: number): boolean {
  return node.pool.put(keyOf(index), contentOf(index, value));
}
export function set(node: SimulatedNode, index: number, value: number): boolean {
  return node.cache.set(KEYS[index] as string, contentOf(index, value));
}

/** An object over two chunks. */
export const LARGE_VALUE = 9_000;
export const LARGE_BYTES = 1500;

const LONG_KEY = `\u0000${'long'.repeat(30)}`;
const TWO_SHARDS = { shards: 2, objectsPerShard: 4 };

/** Pages by number from `first`, the version of each 10 above its number. */
function putVersions(node: SimulatedNode, first: number, count: number): void {
  for (let pageNo = first; pageNo < first + count; pageNo++) {
    node.pages.put(pageNo, contentOf(1, 1, 96), { from: 10 + pageNo });
  }
}

export function refuseVersion(node: SimulatedNode, pageNo: number, from: number): void {
  if (node.pages.put(pageNo, contentOf(1, 1, 96), { from })) throw new Error(`page ${pageNo} is there as of ${from}`);
}

export const SCENARIOS: readonly Scenario[] = [
  { name: 'put of a new key', holds: [1], act: ({ doomed }) => put(doomed, 1, 2), allows: { 1: [0, 2] } },
  { name: 'put refused by a live key', holds: [1], act: ({ doomed }) => put(doomed, 0, 2) },
  {
    name: 'create, fill and seal',
    holds: [1],
    act: ({ doomed }) => {
      const draft = doomed.pool.create(keyOf(1), 40, { retain: true, metadata: Uint8Array.of(1, 2, 3) });
      draft.bytes.set(contentOf(1, 9));
      draft.seal();
    },
    allows: { 1: [0, 9] },
  },
  {
    name: 'create and abort',
    holds: [1],
    act: ({ doomed }) => doomed.pool.create(keyOf(1), 300).abort(),
  },
  {
    name: 'a key and metadata in the extent',
    act: ({ doomed }) => {
      doomed.pool.put(LONG_KEY, contentOf(0, 1), { metadata: new Uint8Array(70), ttlMs: 60_000 });
      doomed.pool.delete(LONG_KEY);
    },
  },
  {
    name: 'delete',
    holds: [1, 2],
    act: ({ doomed }) => doomed.pool.delete(keyOf(0)),
    allows: { 0: [0, 1] },
  },
  {
    name: 'delete of a page that another node pins',
    holds: [1, 2],
    prepare: ({ survivor }) => {
      const page = survivor.pool.get(keyOf(0));
      return () => page?.release();
    },
    act: ({ doomed }) => doomed.pool.delete(keyOf(0)),
    allows: { 0: [0, 1] },
  },
  {
    name: 'pins in a block of pins, let go from the first on',
    shape: TWO_SHARDS,
    holds: [1, 2, 3],
    act: ({ doomed }) => [0, 1, 2].map((key) => doomed.pool.get(keyOf(key))).forEach((page) => void page?.release()),
  },
  { name: 'set over a page', holds: [1, 2], act: ({ doomed }) => set(doomed, 0, 3), allows: { 0: [1, 3] } },
  { name: 'set of a new key', holds: [1], act: ({ doomed }) => set(doomed, 1, 3), allows: { 1: [0, 3] } },
  {
    name: 'set over a draft',
    holds: [1],
    prepare: ({ survivor }) => {
      const draft = survivor.pool.create(keyOf(1), 40);
      return () => draft.abort();
    },
    act: ({ doomed }) => set(doomed, 1, 3),
    allows: { 1: [0, 3] },
  },
  {
    name: 'three sets in a row',
    holds: [1],
    act: ({ doomed }) => [3, 4, 5].forEach((value) => void set(doomed, 0, value)),
    allows: { 0: [1, 3, 4, 5] },
  },
  {
    name: 'set under a lease',
    act: ({ doomed }) => {
      const lease = doomed.cache.lease('a');
      if (lease !== undefined) doomed.cache.set('a', contentOf(0, 3), { lease });
    },
    allows: { 0: [0, 3] },
  },
  {
    name: 'set under a lease that was broken',
    act: ({ doomed, survivor }) => {
      const lease = doomed.cache.lease('a');
      survivor.cache.delete('a');
      if (lease !== undefined) doomed.cache.set('a', contentOf(0, 3), { lease });
    },
  },
  {
    name: 'get, pin, borrow and release',
    holds: [1, 2],
    act: ({ doomed }) => {
      const page = doomed.pool.get(keyOf(0));
      doomed.cache.borrow('b');
      doomed.cache.borrow('b');
      doomed.cache.peek('a');
      page?.release();
      doomed.machine.endRun();
    },
  },
  {
    name: 'put into a full pool',
    holds: [1, 2, 3, 4, 5],
    act: ({ doomed }) => put(doomed, 5, 6),
    allows: { 5: [0, 6] },
    evicts: true,
  },
  {
    name: 'put into a full pool, by SIEVE',
    shape: { eviction: 'sieve' },
    holds: [1, 2, 3, 4, 5],
    prepare: ({ survivor }) => void survivor.cache.borrow('a'),
    act: ({ doomed }) => put(doomed, 5, 6),
    allows: { 5: [0, 6] },
    evicts: true,
  },
  {
    name: 'put into a full pool, by LRU',
    shape: { eviction: 'lru' },
    holds: [1, 2, 3, 4, 5],
    prepare: ({ survivor }) => void survivor.cache.borrow('a'),
    act: ({ doomed }) => put(doomed, 5, 6),
    allows: { 5: [0, 6] },
    evicts: true,
  },
  ...(['adaptive-2q', 's3-fifo'] as const).map(
    (eviction): Scenario => ({
      name: `puts into a full pool, by ${eviction}, of what it remembers`,
      shape: { eviction },
      holds: [1, 2, 3, 4, 5],
      prepare: ({ survivor }) => {
        survivor.cache.borrow('b');
        survivor.machine.endRun();
      },
      act: ({ doomed }) => {
        // The first eviction, with a hash into the ghost; the same hash out of it.
        doomed.cache.borrow('b');
        doomed.machine.endRun();
        for (const index of [5, 0]) put(doomed, index, index + 1);
      },
      allows: Object.fromEntries([0, 1, 2, 3, 4, 5].map((index) => [index, [0, index + 1]])),
      evicts: true,
    }),
  ),
  {
    name: 'put that needs room in one piece',
    shape: { chunks: 1, eviction: 's3-fifo' },
    holds: [8, 17, 26],
    act: ({ doomed }) => [7, 8].forEach((index) => void put(doomed, index - 2, 35)),
    allows: { 5: [0, 35], 6: [0, 35] },
    evicts: true,
  },
  { name: 'evict', holds: [1, 2, 3], act: ({ doomed }) => doomed.pool.evict(200), evicts: true },
  {
    name: 'an object over two chunks',
    holds: [1],
    act: ({ doomed }) => {
      doomed.pool.put(keyOf(1), contentOf(1, LARGE_VALUE, LARGE_BYTES));
      doomed.pool.delete(keyOf(1));
    },
    allows: { 1: [0, LARGE_VALUE] },
  },
  {
    name: 'an object over two chunks that others have to leave, in two shards',
    shape: { ...TWO_SHARDS, chunks: 3 },
    holds: [8, 17, 26, 8, 17],
    act: ({ doomed }) => doomed.pool.put(keyOf(7), contentOf(7, LARGE_VALUE, LARGE_BYTES)),
    allows: { 7: [0, LARGE_VALUE] },
    evicts: true,
  },
  {
    name: 'a page into a shard without chunks',
    shape: { ...TWO_SHARDS, chunks: 1 },
    holds: [1],
    act: ({ doomed }) => {
      for (let index = 1; index < 6; index++) put(doomed, index, index + 1);
    },
    allows: { 1: [0, 2], 2: [0, 3], 3: [0, 4], 4: [0, 5], 5: [0, 6] },
    evicts: true,
  },
  {
    name: 'clear',
    prepare: ({ survivor }) => {
      set(survivor, 0, 1);
      set(survivor, 1, 2);
    },
    act: ({ doomed }) => doomed.cache.clear(),
    allows: { 0: [0, 1], 1: [0, 2] },
  },
  {
    name: 'a new space of pages',
    holds: [1],
    act: ({ doomed }) => doomed.pages.put(1, contentOf(1, 1, 96)),
  },
  {
    name: 'versions: put, supersede, end, refuse',
    act: ({ doomed }) => {
      const page = contentOf(1, 1, 96);
      doomed.pages.put(1, page, { from: 10 });
      doomed.pages.put(1, page, { from: 20 });
      doomed.pages.put(1, page, { from: 15, until: 18 });
      doomed.pages.put(1, page, { from: 5 });
      doomed.pages.invalidate(1, 30);
      doomed.pages.invalidate(1);
    },
  },
  {
    name: 'versions that outlive their pages, more than stripes have ways for',
    prepare: ({ survivor }) => putVersions(survivor, 0, 20),
    act: ({ doomed }) => {
      putVersions(doomed, 20, 6);
      doomed.pages.invalidate(2, 40);
      doomed.pages.invalidate(25);
    },
    verify: (node) => {
      for (let pageNo = 0; pageNo < 20; pageNo++) refuseVersion(node, pageNo, 5);
    },
  },
  {
    name: 'a drop of versions',
    prepare: ({ survivor }) => putVersions(survivor, 0, 20),
    act: ({ doomed }) => {
      doomed.pages.drop();
      doomed.pages.put(1, contentOf(1, 1, 96), { from: 1 });
      doomed.pages.drop();
    },
    verify: (node) => {
      node.pages.drop();
      if (!node.pages.put(1, contentOf(1, 1, 96), { from: 1 })) throw new Error('a dropped version refuses another');
      node.pages.invalidate(1);
      refuseVersion(node, 1, 0);
    },
  },
  {
    name: 'names that are dropped and given to others',
    // Of one place in the index: what one of them leaves the other takes.
    prepare: ({ survivor }) => {
      for (const name of ['g', 'h']) survivor.cache.pages(name, { pageSize: 96 }).put(1, contentOf(1, 1, 96));
      survivor.cache.pages('g', { pageSize: 96 }).drop();
    },
    act: ({ doomed }) => {
      for (const name of ['t', 'u']) {
        const space = doomed.cache.pages(name, { pageSize: 96 });
        space.put(1, contentOf(1, 2, 96));
        space.drop();
      }
      doomed.cache.pages('g', { pageSize: 96 }).put(2, contentOf(1, 2, 96));
    },
    verify: (node) => {
      const [g, h] = ['g', 'h'].map((name) => node.cache.pages(name, { pageSize: 96 }).borrow(1));
      if (g !== undefined) throw new Error('what was dropped is back under another name');
      if (h === undefined) throw new Error('what nobody dropped is gone');
    },
    tidy: (node) => node.cache.pages('g', { pageSize: 96 }).drop(),
  },
  {
    name: 'fetchSync and readThrough',
    act: ({ doomed }) => {
      doomed.pages.fetchSync(1, (_, target) => target.set(contentOf(1, 1, 96)));
      doomed.pages.readThrough(2, new Uint8Array(96), (_, target) => target.set(contentOf(2, 1, 96)));
      doomed.pages.drop();
    },
  },
  {
    name: 'upkeep of expired and dropped pages',
    holds: [1],
    prepare: ({ survivor, doomed }) => {
      survivor.cache.set('b', contentOf(1, 2), { ttlMs: 5 });
      set(survivor, 2, 3);
      survivor.cache.clear();
      doomed.machine.sleep(10);
    },
    act: ({ doomed }) => doomed.upkeep.tick(),
  },
  {
    name: 'a put over an expired page',
    prepare: ({ survivor, doomed }) => {
      survivor.pool.put(keyOf(0), contentOf(0, 1), { ttlMs: 5 });
      doomed.machine.sleep(10);
    },
    act: ({ doomed }) => put(doomed, 0, 2),
    allows: { 0: [0, 2] },
  },
  {
    name: 'cleaning up after another dead node',
    holds: [1, 2],
    prepare: ({ dead }) =>
      dead((node) => {
        node.pool.get(keyOf(0));
        node.pool.create(keyOf(3), 100);
        node.session.parts.locks.acquire(0);
        node.session.parts.locks.acquire(1);
        node.session.parts.chunks.claim(2, 2);
      }),
    act: ({ doomed }) => doomed.upkeep.tick(),
  },
  {
    name: 'giving a put up behind an error, and upkeep taking it back',
    holds: [1],
    act: ({ doomed }) => {
      doomed.session.parts.locks.acquire(0);
      doomed.session.parts.locks.releaseDirty(0);
      doomed.upkeep.tick();
    },
  },
  {
    name: 'joining a row whose node died',
    holds: [1],
    joins: true,
    prepare: ({ dead }) =>
      dead((node) => {
        node.pool.create(keyOf(3), 100);
        node.session.parts.locks.acquire(0);
      }),
    act: ({ join }) => void join(),
  },
  { name: 'joining', holds: [1], joins: true, act: ({ join }) => put(join(), 1, 2), allows: { 1: [0, 2] } },
  {
    name: 'disconnecting with drafts and pins',
    holds: [1],
    prepare: ({ doomed }) => {
      doomed.pool.get(keyOf(0));
      doomed.pool.create(keyOf(2), 100);
    },
    act: ({ doomed }) => doomed.session.close(),
  },
];

export function shapeOf(scenario: Scenario): Shape {
  return { ...SMALL, ...scenario.shape };
}
