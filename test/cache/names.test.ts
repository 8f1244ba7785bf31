/** Names of namespaces and page spaces: how many there may be, who gets one that was dropped, and what its last holder meets. */
import { expect } from 'chai';
import { type Lease, SharedCache } from '../../src/index.js';
import { geometryOf } from '../../src/pool/layout/geometry.js';
import { expectCleanCensus } from '../support/census.js';
import { codeOf, join, makePool, pattern, sleep } from './pools.js';

const SIZE = 64;
const MIB = 2 ** 20;

/** A pool of the fewest names, of which all but `left` are taken. */
async function almostFull(left: number) {
  const pool = await makePool({ size: '4MiB', pageSize: SIZE, maxObjects: 512, maxNodes: 4 });
  const other = await join(pool.path);
  const [cache, theirs] = [new SharedCache(pool), new SharedCache(other)] as const;
  const { spaces } = pool.session.parts.geometry;
  for (let i = spaces - left; i > 1; i--) cache.pages(`kept ${i}`, { pageSize: SIZE });
  return { pool, other, cache, theirs, spaces };
}

describe('names of spaces', () => {
  it('are as many as the pool has 32 KiB, from 255 to 65,536, and their table is less than a hundredth of a large pool', () => {
    for (const [size, names] of [
      [MIB, 255],
      [64 * MIB, 2048],
      [1024 * MIB, 32_768],
      [4096 * MIB, 65_536],
    ] as const) {
      const geometry = geometryOf({ size, pageSize: 4096, maxObjects: 128, maxNodes: 4, eviction: 's3-fifo' });
      const { spaces, spaceIndex } = geometry.regions;
      expect(geometry.spaces).to.equal(names);
      const bytes = (spaces.stride * spaces.count + spaceIndex.stride * spaceIndex.count) * 4;
      if (size >= 64 * MIB) expect(bytes / size, `${size}`).to.be.below(0.01);
    }
  });

  it('are all to be had, found again, and told when there are no more', async () => {
    const { pool, theirs, spaces } = await almostFull(0);
    expect(await codeOf(() => theirs.pages('one more', { pageSize: SIZE }))).to.equal('TOO_MANY_SPACES');
    expect(theirs.pages('kept 7', { pageSize: SIZE }).put(1, pattern(SIZE, 7))).to.equal(true);
    expect(pool.session.parts.spaces.used()).to.equal(spaces);
    await expectCleanCensus(pool.path);
  });

  it('that were dropped are free again, any number of times, of page spaces and of namespaces', async () => {
    const { pool, cache, theirs } = await almostFull(2);
    for (let i = 0; i < 600; i++) {
      const space = (i % 2 === 0 ? cache : theirs).pages(`temporary ${i}`, { pageSize: SIZE });
      expect(space.put(1, pattern(SIZE, i))).to.equal(true);
      expect(cache.pages(`temporary ${i}`, { pageSize: SIZE }).borrow(1)?.slice()).to.deep.equal(pattern(SIZE, i));
      space.drop();
      const named = new SharedCache(pool, { namespace: `tenant ${i}` });
      named.set('key', pattern(SIZE, i));
      named.clear();
      expect(named.has('key')).to.equal(false);
      // What this run borrowed is not evicted.
      await sleep(0);
    }
    for (let i = 2; i < 250; i++)
      expect(cache.pages(`kept ${i}`, { pageSize: SIZE }).put(1, pattern(SIZE, i))).to.equal(true);
    await expectCleanCensus(pool.path);
  });

  it('whose space has another name by now get a new one: their old holder stores, finds and drops what is his', async () => {
    const { pool, cache, theirs } = await almostFull(3);
    const [mine, twin] = [cache, theirs].map((each) => each.pages('a', { pageSize: SIZE }));
    mine?.put(1, pattern(SIZE, 1));
    expect(mine?.borrow(1)?.slice()).to.deep.equal(pattern(SIZE, 1));
    const lease = mine?.lease(2);
    mine?.drop();
    // Who takes the names that are left gets the place of the dropped one as well.
    const others = ['b', 'c', 'd'].map((name) => cache.pages(name, { pageSize: SIZE }));
    for (const [i, other] of others.entries()) expect(other.put(1, pattern(SIZE, 10 + i))).to.equal(true);
    const numberOf = (name: string) => pool.session.parts.spaces.find(new TextEncoder().encode(`\0${name}`));
    expect(numberOf('a')).to.equal(0);
    for (const space of [mine, twin]) {
      expect(space?.borrow(1)).to.equal(undefined);
      expect(await codeOf(() => space?.put(1, pattern(SIZE, 3)))).to.equal('TOO_MANY_SPACES');
    }
    others[0]?.drop();
    expect(mine?.put(2, pattern(SIZE, 2), { lease: lease as Lease })).to.equal(false);
    expect(mine?.put(1, pattern(SIZE, 3))).to.equal(true);
    for (const space of [mine, twin, twin, mine]) {
      expect([1, 2].map((no) => space?.borrow(no)?.slice())).to.deep.equal([pattern(SIZE, 3), undefined]);
    }
    expect(others.slice(1).map((other) => other.borrow(1)?.slice())).to.deep.equal([
      pattern(SIZE, 11),
      pattern(SIZE, 12),
    ]);
    const fresh = mine?.lease(2);
    expect(mine?.put(2, pattern(SIZE, 2), { lease: { ...(fresh as Lease), space: 1 } })).to.equal(false);
    expect(mine?.put(2, pattern(SIZE, 2), { lease: fresh as Lease })).to.equal(true);
    const hits = () => pool.stats().hits;
    mine?.borrow(1);
    const before = [hits(), cache.stats().node.tableHitCount];
    mine?.borrow(1);
    expect([hits(), cache.stats().node.tableHitCount]).to.deep.equal([(before[0] as number) + 1, before[1]]);
    twin?.drop();
    for (const space of [mine, twin]) expect(space?.borrow(1)).to.equal(undefined);
    expect(others[1]?.borrow(1)?.slice()).to.deep.equal(pattern(SIZE, 11));
    await expectCleanCensus(pool.path);
  });

  it('that were not dropped keep their place, whether something lies there or not', async () => {
    const { cache, theirs } = await almostFull(1);
    const space = cache.pages('a', { pageSize: SIZE });
    space.put(1, pattern(SIZE, 1), { from: 20 });
    space.invalidate(1);
    expect(await codeOf(() => theirs.pages('b', { pageSize: SIZE }))).to.equal('TOO_MANY_SPACES');
    expect(space.put(1, pattern(SIZE, 1), { from: 10 })).to.equal(false);
  });

  it('are found whatever their hashes, while others come and go', async () => {
    const { pool, cache } = await almostFull(100);
    const { spaces } = pool.session.parts;
    const live = new Map<string, number>();
    for (let i = 0; i < 2000; i++) {
      const name = `n${i}`;
      cache.pages(name, { pageSize: SIZE });
      live.set(name, i);
      const old = [...live.keys()][(i * 7) % live.size] as string;
      if (live.size > 90) {
        cache.pages(old, { pageSize: SIZE }).drop();
        live.delete(old);
      }
    }
    const found = [...live.keys()].map((name) => spaces.find(new TextEncoder().encode(`\0${name}`)));
    expect(found.every((space) => space > 0)).to.equal(true);
    expect(new Set(found).size).to.equal(live.size);
    await expectCleanCensus(pool.path);
  });

  it('of a cache that was cleared is opened, and read, while somebody holds the lock of the spaces', async () => {
    const pool = await makePool();
    const other = await join(pool.path);
    new SharedCache(pool, { namespace: 'n' }).clear();
    const { locks, geometry } = other.session.parts;
    locks.within(geometry.shards + 1, () => {
      expect(new SharedCache(pool, { namespace: 'n' }).borrow('key')).to.equal(undefined);
    });
    expect(new SharedCache(pool, { namespace: 'n' }).set('key', pattern(SIZE, 1))).to.equal(true);
  });
});
