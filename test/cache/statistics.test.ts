/** Statistics: what counts as what, per node and summed over all nodes there ever were. */
import { expect } from 'chai';
import { notFound, SharedCache } from '../../src/index.js';
import { Peer } from './peer.js';
import { bytesOf, codeOf, join, makePool, makeTwo, pattern, sleep } from './pools.js';

type Stats = ReturnType<SharedCache['stats']>;

const NAMES = [
  ...['requestCount', 'hitCount', 'nearHitCount', 'tableHitCount', 'missCount', 'hitRate', 'loadSuccessCount'],
  ...['loadFailureCount', 'totalLoadTimeMs', 'waitCount', 'staleFillCount', 'unsharedCount', 'evictionCount'],
  ...['objects', 'bytes'],
];

describe('statistics', () => {
  it('have the names of the public surface, and nothing is counted before the first call', async () => {
    const { caches } = await makeTwo();
    const { node, total } = caches[0].stats();
    expect(Object.keys(node)).to.have.members(NAMES);
    expect(Object.keys(total)).to.have.members(NAMES);
    for (const name of NAMES) expect([name, node[name as never], total[name as never]]).to.deep.equal([name, 0, 0]);
  });

  it('tell hits in the near index from hits in the table', async () => {
    const { caches } = await makeTwo();
    const [one, two] = caches;
    one.set('k', bytesOf('v'));
    for (let i = 0; i < 10; i++) two.borrow('k');
    for (let i = 0; i < 3; i++) two.borrow('absent');
    two.get('k')?.release();
    two.read('k', new Uint8Array(1));
    expect(two.stats().node).to.include({ tableHitCount: 1, nearHitCount: 11, hitCount: 12, missCount: 3 });
    expect(two.stats().node).to.include({ requestCount: 15, hitRate: 12 / 15 });
    expect(one.stats().node).to.include({ requestCount: 0, hitRate: 0 });
    one.set('k', bytesOf('w'));
    two.borrow('k');
    expect(two.stats().node, 'superseded: through the table again').to.include({ tableHitCount: 2, nearHitCount: 11 });
    expect(one.stats().total).to.include({ hitCount: 13, missCount: 3, requestCount: 16 });
  });

  it('of pages count in the same way', async () => {
    const { caches } = await makeTwo();
    const space = caches[0].pages('t', { pageSize: 16 });
    const load = () => {};
    space.fetchSync(1, load);
    space.fetchSync(1, load);
    space.readThrough(1, new Uint8Array(16), load);
    space.borrow(2);
    (await space.fetch(2, load)).release();
    expect(caches[0].stats().node).to.include({ missCount: 3, hitCount: 2, loadSuccessCount: 2, loadFailureCount: 0 });
    expect(await codeOf(() => space.fetchSync(3, () => expect.fail('no')))).to.not.equal('no error');
    expect(await codeOf(() => space.fetch(3, async () => expect.fail('no')))).to.not.equal('no error');
    expect(caches[0].stats().node).to.include({ loadSuccessCount: 2, loadFailureCount: 2, missCount: 5 });
  });

  it('has, peek, lease, keys, set and delete are no requests', async () => {
    const { caches } = await makeTwo();
    const [one] = caches;
    one.set('k', bytesOf('v'));
    one.has('k');
    one.has('absent');
    one.peek('k');
    one.peek('absent');
    one.lease('absent');
    expect([...one.keys()]).to.deep.equal(['k']);
    one.delete('k');
    expect(one.stats().node.requestCount).to.equal(0);
  });

  it('load times add up, of failed loads too', async () => {
    const { caches } = await makeTwo();
    const wait = () => new Promise<void>((resolve) => setTimeout(resolve, 20));
    (await caches[0].fetch('k', () => wait().then(() => bytesOf('v')))).release();
    await codeOf(() => caches[0].fetch('bad', () => wait().then(() => Promise.reject(new Error('x')))));
    const { node } = caches[0].stats();
    expect(node).to.include({ loadSuccessCount: 1, loadFailureCount: 1, missCount: 2 });
    expect(node.totalLoadTimeMs).to.be.above(30);
  });

  it('are told by namespace, its page spaces included, with load times as a histogram', async () => {
    const pool = await makePool();
    const one = new SharedCache(pool, { namespace: 'one' });
    const [again, other] = ['one', 'other'].map((namespace) => new SharedCache(pool, { namespace })) as [
      SharedCache,
      SharedCache,
    ];
    expect(one.stats().namespace).to.include({ requestCount: 0, hitRate: 0, loadSuccessCount: 0, totalLoadTimeMs: 0 });
    one.set('k', bytesOf('v'));
    for (let i = 0; i < 5; i++) one.borrow('k');
    again.get('k')?.release();
    again.read('k', new Uint8Array(1));
    one.borrow(bytesOf('k'));
    one.borrow('absent');
    other.borrow('k');
    const space = one.pages('t', { pageSize: 16 });
    for (let i = 0; i < 3; i++) space.fetchSync(1, () => {});
    space.borrowMany([1, 2], []);
    const slowly = () => new Promise<Uint8Array>((resolve) => setTimeout(() => resolve(bytesOf('v')), 25));
    (await one.fetch('slow', slowly)).release();
    await one.fetchCopy('slow', slowly);
    await codeOf(() => one.fetch('bad', () => slowly().then(() => Promise.reject(new Error('x')))));
    const { namespace } = again.stats();
    expect(namespace).to.include({ hitCount: 12, missCount: 5, requestCount: 17, hitRate: 12 / 17 });
    expect(namespace).to.include({ loadSuccessCount: 2, loadFailureCount: 1 });
    expect(namespace.totalLoadTimeMs).to.be.above(45);
    const { loadTimes } = namespace;
    expect(loadTimes.map(({ upToMs }) => upToMs)).to.have.ordered.members([
      ...[0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000],
      Number.POSITIVE_INFINITY,
    ]);
    const within = (from: number, to: number) =>
      loadTimes.filter(({ upToMs }) => upToMs > from && upToMs <= to).reduce((sum, { count }) => sum + count, 0);
    expect([within(0, Number.POSITIVE_INFINITY), within(20, Number.POSITIVE_INFINITY)]).to.deep.equal([3, 2]);
    expect(other.stats().namespace).to.include({ requestCount: 1, hitCount: 0, missCount: 1, loadSuccessCount: 0 });
    expect(one.stats().node.requestCount).to.equal(18);
    const next = new SharedCache(await join(pool.path), { namespace: 'one' });
    expect(next.stats().namespace.requestCount).to.equal(0);
  });

  it('tell of fetches how many were answered stale, and how many with that there is nothing', async () => {
    const pool = await makePool();
    const cache = new SharedCache(pool, { namespace: 'n' });
    const stale = { ttlMs: 5, staleMs: 600_000, staleOnErrorMs: 600_000 };
    cache.set('old', bytesOf('v'), stale);
    await sleep(20);
    const down = () => Promise.reject(new Error('down'));
    for (let i = 0; i < 2; i++) (await cache.fetch('old', down, stale)).release();
    (await cache.fetch('old', down, { ...stale, staleMs: 0 })).release();
    for (let i = 0; i < 3; i++) await cache.fetch('none', () => notFound, { negativeTtlMs: 600_000 });
    (await cache.fetch('new', () => bytesOf('v'))).release();
    // The first of the three had asked the source.
    expect(cache.stats().namespace).to.include({ staleCount: 3, negativeCount: 2, missCount: 7, hitCount: 0 });
  });

  it('objects and bytes follow what is in the pool; evictions are counted where they were made', async () => {
    const { caches, pools } = await makeTwo({ size: '3MiB', pageSize: 1024 });
    for (let i = 0; i < 100; i++) caches[0].set(`k${i}`, pattern(1000, i));
    const { node } = caches[1].stats();
    expect(node.objects).to.equal(100);
    expect(node.bytes).to.be.within(100_000, 200_000);
    for (let i = 0; i < 6000; i++) caches[1].set(`more${i}`, pattern(1000, i));
    const [one, two] = caches.map((cache) => cache.stats()) as [Stats, Stats];
    expect(one.node.evictionCount).to.equal(0);
    expect(two.node.evictionCount).to.be.above(1000);
    expect(one.total).to.deep.equal(two.total);
    expect(two.total.evictionCount).to.equal(two.node.evictionCount);
    expect(two.total.objects)
      .to.equal(pools[0].stats().objects)
      .and.equal(6100 - two.total.evictionCount);
    expect(two.total.bytes).to.equal(pools[0].stats().bytesUsed);
  });

  it('totals keep what a killed process counted, and a node that takes its row begins at zero', async () => {
    const pool = await makePool();
    const cache = new SharedCache(pool, { namespace: 'n' });
    cache.set('k', bytesOf('v'));
    const doomed = await Peer.start(pool.path);
    const staying = await Peer.start(pool.path);
    for (const [peer, gets] of [
      [doomed, 30],
      [staying, 20],
    ] as const) {
      for (let i = 0; i < gets; i++) await peer.call('get', i % 3 === 0 ? 'absent' : 'k');
    }
    for (let i = 0; i < 5; i++) cache.borrow('k');
    await doomed.fetch('loaded', { bytes: bytesOf('v') });
    const before = await doomed.call<Stats>('stats');
    expect(before.node).to.include({ requestCount: 31, missCount: 11, hitCount: 20, loadSuccessCount: 1 });
    await doomed.kill();
    const after = cache.stats();
    expect(after.total).to.include({ requestCount: 56, missCount: 18, hitCount: 38, loadSuccessCount: 1 });
    expect(after.node).to.include({ requestCount: 5, hitCount: 5 });
    expect((await staying.call<Stats>('stats')).node).to.include({ requestCount: 20 });
    pool.nodes();
    const next = new SharedCache(await join(pool.path), { namespace: 'n' });
    expect(next.stats().node).to.include({ requestCount: 0, hitCount: 0, missCount: 0, loadSuccessCount: 0 });
    next.borrow('k');
    expect(next.stats().node.requestCount).to.equal(1);
    expect(next.stats().total).to.include({ requestCount: 57, hitCount: 39 });
  });
});
