/** Scenarios for the statements that an ordinary operation does not come by. */
import { PoolError } from '../../../lib/errors.js';
import { Slot } from '../../../src/pool/layout/layout.js';
import { PolicyHead, ShadowHead } from '../../../src/pool/policy/index.js';
import { contentOf, faultOf, valueIn } from '../content.js';
import type { SimulatedNode } from '../node.js';
import {
  type Actors,
  KEYS,
  keyOf,
  LARGE_BYTES,
  LARGE_VALUE,
  put,
  refuseVersion,
  type Scenario,
  set,
} from './scenarios.js';

/** For an act that may rightly be refused. */
function refused(code: string, work: () => void): void {
  try {
    work();
  } catch (error) {
    if (!(error instanceof PoolError) || error.code !== code) throw error;
  }
}

function manyKeys({ doomed }: Actors): void {
  const keys = Array.from({ length: 14 }, (_, index) => `x${index}`);
  for (const key of keys) doomed.pool.put(key, new Uint8Array(8));
  for (const key of keys) doomed.pool.delete(key);
}

/** The last checkpoint is one that was committed, whole. */
function verifyCheckpoint(node: SimulatedNode): void {
  const last = node.pool.restore('n');
  if (last === undefined) return;
  try {
    const found = last.parts().map((part, index) => {
      const page = last.get(part);
      const fault = faultOf(page.bytes, index);
      const name = fault === undefined ? `${part}${valueIn(page.bytes)}` : `${part}: ${fault}`;
      page.release();
      return name;
    });
    const names = found.join();
    if (names !== 'p1,q2' && names !== 'p1,q3') throw new Error(`the checkpoint holds ${names}`);
  } finally {
    last.release();
  }
}

/** Loads page 1, of which version 10 is the last, as of the version: its content tells of 10. */
function loadAsOf(node: SimulatedNode, asOf: number): void {
  const loaded = node.pages.fetchSync(
    1,
    (_, target) => {
      target.set(contentOf(1, 10, 96));
      return { from: 10 };
    },
    { asOf },
  );
  if (valueIn(loaded) !== 10) throw new Error(`as of ${asOf} the page holds ${valueIn(loaded)}`);
}

export const CORNERS: readonly Scenario[] = [
  {
    name: 'versions that have ended, given back',
    prepare: ({ survivor }) => {
      for (const from of [10, 20, 30]) survivor.pages.put(1, contentOf(1, 1, 96), { from });
    },
    act: ({ doomed }) => {
      doomed.pages.retire(1, [25, 30]);
      doomed.pages.retire(1, [30]);
    },
    verify: (node) => {
      node.pages.retire(1, [30]);
      const found = [15, 25, 30].map((asOf) => node.pages.borrow(1, asOf) !== undefined);
      if (found.join() !== 'false,false,true') throw new Error(`versions in use and not: ${found}`);
      refuseVersion(node, 1, 25);
    },
    tidy: (node) => node.pages.drop(),
  },
  {
    name: 'loads as of versions, of which one takes the place of the other, and an older one beside a newer',
    prepare: ({ survivor }) => survivor.pages.put(1, contentOf(1, 20, 96), { from: 20 }),
    act: ({ doomed }) => {
      loadAsOf(doomed, 12);
      loadAsOf(doomed, 17);
    },
    verify: (node) => {
      for (const [asOf, value] of [
        [9, undefined],
        [12, 10],
        [17, 10],
        [18, undefined],
        [20, 20],
      ] as const) {
        const found = node.pages.borrow(1, asOf);
        if (found === undefined ? asOf === 20 : valueIn(found) !== value)
          throw new Error(`as of ${asOf} it is another`);
      }
      loadAsOf(node, 17);
      if (node.pages.borrow(1, 17) === undefined) throw new Error('what is loaded as of 17 is not there');
    },
    tidy: (node) => node.pages.drop(),
  },
  {
    name: 'get, pin, borrow and release with fences of its own',
    holds: [1, 2],
    fencesItself: true,
    act: ({ doomed }) => {
      const page = doomed.pool.get(keyOf(0));
      doomed.cache.borrow('b');
      set(doomed, 1, 3);
      page?.release();
    },
    allows: { 1: [2, 3] },
  },
  {
    name: 'a look that leaves a page exposed, and a reclaim',
    holds: [1, 2],
    act: ({ doomed }) => {
      doomed.pool.has(keyOf(0));
      doomed.pool.delete(keyOf(0));
    },
    allows: { 0: [0, 1] },
  },
  {
    name: 'joining an empty pool',
    isAlone: true,
    joins: true,
    act: ({ join }) => put(join(), 1, 2),
    allows: { 1: [0, 2] },
  },
  {
    name: 'joining beside a node of another boot id, and being refused',
    boot: 2,
    holds: [1],
    joins: true,
    act: ({ join }) => refused('UNSUPPORTED', () => void join()),
  },
  {
    name: 'joining a row whose node died holding locks, all rows being taken',
    holds: [1],
    joins: true,
    prepare: ({ dead }) => {
      const drafts = [3, 4, 5].map((index) => (node: SimulatedNode) => void node.pool.create(keyOf(index), 40));
      let locker: SimulatedNode | undefined;
      dead(
        (node) => {
          locker = node;
        },
        ...drafts,
        () => {
          for (const lock of [0, 1, 2]) locker?.session.parts.locks.acquire(lock);
        },
      );
    },
    act: ({ join }) => join(),
  },
  {
    name: 'a put behind a lock holder that does not run',
    holds: [1],
    act: ({ doomed, survivor }) => {
      survivor.session.parts.locks.acquire(0);
      try {
        refused('BUSY', () => put(doomed, 1, 2));
        refused('BUSY', () => set(doomed, 0, 3));
      } finally {
        survivor.session.parts.locks.release(0);
      }
    },
  },
  {
    name: 'a damaged slot of a version',
    prepare: ({ survivor }) => {
      const { slots, words, locks } = survivor.session.parts;
      for (const pageNo of [1, 2]) survivor.pages.put(pageNo, contentOf(1, 1, 96), { from: 20 });
      survivor.pages.invalidate(2);
      const damaged = [...Array(slots.total).keys()].find((slot) => slots.from(slot) === 20) as number;
      words.write(slots.wordOf(damaged) + Slot.word.from, 3);
      locks.acquire(0);
      locks.releaseDirty(0);
    },
    act: ({ doomed }) => doomed.upkeep.tick(),
    verify: (node) => {
      for (const pageNo of [1, 2]) refuseVersion(node, pageNo, 19);
    },
  },
  {
    name: 'an object over two chunks that a pinned page keeps out',
    shape: { chunks: 2 },
    holds: [8, 17, 26],
    prepare: ({ survivor }) => {
      const pages = [0, 1, 2].map((index) => survivor.pool.get(keyOf(index)));
      return () => {
        for (const page of pages) page?.release();
      };
    },
    act: ({ doomed }) => refused('POOL_FULL', () => doomed.pool.put(keyOf(7), contentOf(7, LARGE_VALUE, LARGE_BYTES))),
    evicts: true,
  },
  {
    name: 'buckets that overflow',
    shape: { objectsPerShard: 15, eviction: 's3-fifo' },
    act: manyKeys,
  },
  {
    name: 'chunks that are given back in any order',
    shape: { objectsPerShard: 15 },
    act: ({ doomed }) => {
      const sizes = Array.from({ length: 8 }, (_, index) => `y${index}`);
      for (const key of sizes) doomed.pool.put(key, new Uint8Array(500));
      for (const index of [2, 3, 6, 7, 4, 5, 0, 1]) doomed.pool.delete(sizes[index] as string);
    },
  },
  {
    name: 'adaptive 2Q choosing other sizes, at the return of what its shadows remember',
    shape: { eviction: 'adaptive-2q' },
    holds: [1, 2, 3, 4, 5],
    prepare: ({ survivor }) => {
      // The shadows' five places fill after the first eviction, and x5 goes to their ghosts.
      for (let index = 0; index < 7; index++) survivor.pool.put(`x${index}`, new Uint8Array(8));
      survivor.pool.delete('x5');
      const { words, geometry } = survivor.session.parts;
      const head = geometry.regions.ghosts.word;
      words.write(head + ShadowHead.word.samples, 62);
      words.write(head + ShadowHead.word.scores + 3, 2 ** 20);
    },
    act: ({ doomed }) => {
      // x0 is in the shadows' mains and in the ghost; then x5 finds its counter in the way.
      doomed.pool.put('x0', new Uint8Array(8));
      doomed.pool.put('x5', new Uint8Array(8));
      doomed.pool.put('x9', new Uint8Array(8));
    },
    allows: { 0: [0, 1], 1: [0, 2], 2: [0, 3], 3: [0, 4], 4: [0, 5] },
    evicts: true,
  },
  {
    name: 'adaptive 2Q going by what another shard has learned',
    shape: { shards: 2, objectsPerShard: 4, eviction: 'adaptive-2q' },
    prepare: ({ survivor }) => {
      const { words, geometry } = survivor.session.parts;
      words.write(geometry.regions.policyHeads.word + PolicyHead.word.choice, 2);
    },
    act: ({ doomed }) => {
      for (let index = 0; index < 6; index++) put(doomed, index, index + 1);
    },
    allows: Object.fromEntries([0, 1, 2, 3, 4, 5].map((index) => [index, [0, index + 1]])),
    evicts: true,
  },
  {
    name: 'SIEVE losing the page under its hand',
    shape: { eviction: 'sieve' },
    holds: [1, 2, 3, 4, 5],
    act: ({ doomed }) => {
      for (let index = 0; index < 5; index++) doomed.cache.borrow(KEYS[index] as string);
      doomed.machine.endRun();
      put(doomed, 5, 6);
      for (let index = 0; index < 5; index++) doomed.pool.delete(keyOf(index));
    },
    allows: { 0: [0, 1], 1: [0, 2], 2: [0, 3], 3: [0, 4], 4: [0, 5], 5: [0, 6] },
    evicts: true,
  },
  {
    name: 'ringing a node that waits',
    prepare: ({ survivor }) => {
      const { bells } = survivor.session.parts;
      bells.hangUp(7);
      bells.wantAll();
      bells.arm();
    },
    act: ({ doomed }) => {
      put(doomed, 0, 1);
      put(doomed, 1, 2);
    },
    allows: { 0: [0, 1], 1: [0, 2] },
  },
  {
    name: 'waiting, and no longer',
    act: ({ doomed }) => {
      const { bells } = doomed.session.parts;
      bells.hangUp(7);
      bells.want(3);
      bells.arm();
      bells.disarm();
      bells.unwant(3);
      bells.wantAll();
      bells.unwantAll();
    },
  },
  {
    name: 'checkpoints: begun, committed, carried over, given up, forgotten',
    shape: { objectsPerShard: 14, chunks: 24 },
    act: ({ doomed }) => {
      const first = doomed.pool.checkpoint('n');
      first.put('p', contentOf(0, 1));
      first.put('q', contentOf(1, 2));
      first.commit();
      const second = doomed.pool.checkpoint('n');
      second.reuse('p');
      second.put('q', contentOf(1, 3));
      second.commit(Uint8Array.of(1, 2, 3));
      const third = doomed.pool.checkpoint('other');
      third.create('r', 40);
      third.abort();
      doomed.pool.restore('n')?.release();
      doomed.pool.forget('n');
    },
    verify: verifyCheckpoint,
    tidy: (node) => {
      for (const { name } of node.pool.checkpoints()) node.pool.forget(name);
    },
  },
  {
    name: 'a checkpoint whose name another node takes over',
    shape: { objectsPerShard: 14, chunks: 24 },
    prepare: ({ survivor }) => {
      const writer = survivor.pool.checkpoint('n');
      writer.put('p', contentOf(0, 1));
      writer.put('q', contentOf(1, 2));
      writer.commit();
    },
    act: ({ doomed }) => {
      doomed.pool.restore('n')?.release();
      const writer = doomed.pool.checkpoint('n');
      writer.reuse('p');
      writer.put('q', contentOf(1, 3));
      writer.commit();
    },
    verify: verifyCheckpoint,
    tidy: (node) => {
      for (const { name } of node.pool.checkpoints()) node.pool.forget(name);
    },
  },
  {
    name: 'a page of which its source has nothing more',
    holds: [1],
    act: ({ doomed }) => doomed.cache.setNegative('a', { ttlMs: 1_000_000 }),
    allows: { 0: [0, 1] },
    // Nobody sees it, but it takes a place.
    tidy: (node) => node.cache.clear(),
  },
  {
    name: 'set under a lease over a page that has expired and is kept',
    prepare: ({ survivor, doomed }) => {
      survivor.cache.set('a', contentOf(0, 1), { ttlMs: 5, staleMs: 1_000_000 });
      survivor.cache.borrow('a');
      doomed.machine.sleep(10);
    },
    act: ({ doomed }) => {
      const lease = doomed.cache.lease('a');
      if (lease === undefined) throw new Error('an expired page is there');
      doomed.cache.set('a', contentOf(0, 3), { ttlMs: 1_000_000, staleMs: 5, lease });
    },
    allows: { 0: [0, 3] },
    // Nobody else sees it, but it is there.
    tidy: (node) => void node.cache.delete('a'),
  },
  {
    name: 'telling hits, over 32 bits of them',
    prepare: ({ survivor, doomed }) => {
      survivor.pages.put(1, contentOf(1, 1, 96));
      const { spaces } = survivor.session.parts;
      for (const space of spaces.all()) spaces.hits.add(space, 2 ** 32 - 1 - spaces.hits.of(space));
      doomed.pages.borrow(1);
      doomed.machine.endRun();
    },
    act: ({ doomed }) => {
      doomed.pages.borrow(1);
      doomed.session.tell();
    },
    verify: (node) => {
      // Untold, told, or without the carry.
      const { spaces } = node.session.parts;
      const told = [...spaces.all()].map((space) => spaces.hits.of(space));
      if (told.some((hits) => ![2 ** 32 - 1, 2 ** 32, 2 ** 32 + 1, 1].includes(hits))) throw new Error(`hits: ${told}`);
    },
  },
];
