/** Loading across real processes: one load for all, the dead replaced, the stale not published. */
import { expect } from 'chai';
import { SharedCache } from '../../src/index.js';
import type { AttachedPool } from '../../src/pool/index.js';
import { type Fetched, Peer } from './peer.js';
import { bytesOf, codeOf, join, makePool, pattern, poolPath, SMALL, sleep, textIn, textOf } from './pools.js';

const PEERS = 4;
const KEYS = 200;

async function startPeers(path: string, count: number): Promise<Peer[]> {
  return Promise.all(Array.from({ length: count }, () => Peer.start(path)));
}

/** A claim that could not be given up behind a lock that was held too long is taken back at the next upkeep. */
async function draftsAtRest(pool: AttachedPool): Promise<number> {
  for (let tries = 0; tries < 60 && pool.stats().drafts > 0; tries++) await sleep(50);
  return pool.stats().drafts;
}

function tally<T>(lists: readonly T[][]): Map<T, number> {
  const counts = new Map<T, number>();
  for (const list of lists) for (const one of list) counts.set(one, (counts.get(one) ?? 0) + 1);
  return counts;
}

describe('fetch across processes', () => {
  it('of the same 1,000 keys at once in 8 processes loads each key exactly once', async () => {
    const path = poolPath();
    const pool = await join(path, { create: { ...SMALL, size: '32MiB' } });
    const peers = await startPeers(path, 8);
    const keys = Array.from({ length: 1000 }, (_, i) => `key${i}`);
    for (const round of [0, 1, 2]) {
      const roundKeys = keys.map((key) => `${round}/${key}`);
      const start = Date.now() + 50;
      const results = await Promise.all(
        peers.map((peer, i) => {
          const order = i % 2 === 0 ? roundKeys : roundKeys.toReversed();
          return peer.call<{ loads: string[]; wrong: string[] }>('fetchAll', order, round * 3, start);
        }),
      );
      expect(results.flatMap(({ wrong }) => wrong)).to.deep.equal([]);
      const counts = tally(results.map(({ loads }) => loads));
      expect(counts.size).to.equal(1000);
      expect([...counts].filter(([, count]) => count !== 1)).to.deep.equal([]);
    }
    const { total } = new SharedCache(pool, { namespace: 'n' }).stats();
    expect([total.loadSuccessCount, total.unsharedCount, total.staleFillCount]).to.deep.equal([3000, 0, 0]);
    expect(await draftsAtRest(pool)).to.equal(0);
  });

  it('synchronous loads of the same pages in 4 processes load each page once, while none takes 50 ms', async () => {
    const path = poolPath();
    const pool = await join(path, { create: SMALL });
    const peers = await startPeers(path, PEERS);
    const pages = Array.from({ length: KEYS }, (_, i) => i);
    const results = await Promise.all(
      peers.map((peer) => peer.call<{ loads: number[]; wrong: number[] }>('fetchAllSync', 't', pages, 1)),
    );
    expect(results.flatMap(({ wrong }) => wrong)).to.deep.equal([]);
    const counts = tally(results.map(({ loads }) => loads));
    expect(counts.size).to.equal(KEYS);
    const { total } = new SharedCache(pool, { namespace: 'n' }).stats();
    // A loader that was not scheduled for 50 ms is not waited for; those loads are counted as unshared.
    expect([...counts.values()].reduce((sum, count) => sum + count)).to.equal(KEYS + total.unsharedCount);
  });

  it('a loader killed in the middle of its load is replaced by one of those who wait', async () => {
    const path = poolPath();
    const pool = await join(path, { create: SMALL });
    const [victim, ...others] = (await startPeers(path, PEERS)) as [Peer, ...Peer[]];
    const hanging = Array.from({ length: 5 }, (_, i) => codeOf(() => victim.fetch(`k${i}`, { hang: true })));
    for (let i = 0; i < 5; i++) await victim.saw('loading');
    const plan = { bytes: bytesOf('loaded') };
    const waiting = others.flatMap((peer) => Array.from({ length: 5 }, (_, i) => peer.fetch(`k${i}`, plan)));
    const keysWaited = await others[0]?.call<string[]>('keys');
    expect(keysWaited).to.deep.equal([]);
    await victim.kill();
    const results = await Promise.all(waiting);
    for (const result of results) expect(textOf(result.bytes)).to.equal('loaded');
    expect(results.reduce((sum, { loads }) => sum + loads, 0)).to.equal(5);
    expect(await Promise.all(hanging)).to.deep.equal(Array.from({ length: 5 }, () => 'PEER_ENDED'));
    expect(await draftsAtRest(pool)).to.equal(0);
  });

  it('loaders killed one after another are each replaced', async () => {
    const path = poolPath();
    const pool = await join(path, { create: SMALL });
    const peers = await startPeers(path, PEERS);
    const fetches = [];
    for (const peer of peers) {
      fetches.push(codeOf(() => peer.fetch('k', { hang: true })));
    }
    const cache = new SharedCache(pool, { namespace: 'n' });
    const mine = cache.fetch('k', () => bytesOf('mine'));
    const loading = peers.map((peer, i) => peer.saw('loading').then(() => i));
    for (let killed = 0; killed < PEERS; killed++) {
      const pending = peers.flatMap((peer, i) =>
        peer.process.signalCode === null ? [loading[i] as Promise<number>] : [],
      );
      const who = await Promise.race([...pending, mine.then(() => -1)]);
      if (who === -1) break;
      await peers[who]?.kill();
    }
    const page = await mine;
    expect(textOf(page.bytes)).to.equal('mine');
    page.release();
  });

  it("an error of one process's loader stays with it; the others load and get the page", async () => {
    const path = poolPath();
    await join(path, { create: SMALL });
    const peers = (await startPeers(path, PEERS)) as [Peer, ...Peer[]];
    const [thrower, ...others] = peers;
    const failed = thrower.fetch('k', { delayMs: 60, fail: 'MINE' });
    await thrower.saw('loading');
    const results = await Promise.all(others.map((peer) => peer.fetch('k', { bytes: bytesOf('v'), delayMs: 5 })));
    expect(await failed).to.deep.equal({ error: 'MINE', loads: 1 });
    expect(results.map(({ bytes, error }) => textOf(bytes) ?? error)).to.deep.equal(['v', 'v', 'v']);
    expect(results.reduce((sum, { loads }) => sum + loads, 0)).to.equal(1);
  });

  it('when every loader throws, each caller gets its own error', async () => {
    const path = poolPath();
    await join(path, { create: SMALL });
    const peers = await startPeers(path, 3);
    const results = await Promise.all(peers.map((peer, i) => peer.fetch('k', { delayMs: 10, fail: `E${i}` })));
    expect(results).to.deep.equal(peers.map((_, i) => ({ error: `E${i}`, loads: 1 })));
  });

  it('fetchSync waits for a quick load of another process and shares it; a slow one it does not wait out', async () => {
    const pool = await makePool();
    const cache = new SharedCache(pool, { namespace: 'n' });
    const space = cache.pages('t', { pageSize: 64 });
    const peer = await Peer.start(pool.path);
    let loads = 0;
    const load = (_: number, target: Uint8Array) => {
      loads++;
      target.fill(9);
    };
    const quick = peer.call<Fetched>('fetchPage', 't', 1, { bytes: new Uint8Array(64).fill(1), delayMs: 10 });
    await peer.saw('loading');
    const first = space.fetchSync(1, load)[0];
    expect([first, loads]).to.deep.equal(first === 1 ? [1, 0] : [9, 1]);
    await quick;
    loads = 0;
    const slow = codeOf(() => peer.call<Fetched>('fetchPage', 't', 2, { hang: true }));
    await peer.saw('loading');
    const unshared = cache.stats().node.unsharedCount;
    expect([space.fetchSync(2, load)[0], loads]).to.deep.equal([9, 1]);
    const target = new Uint8Array(64);
    expect([space.readThrough(2, target, load), target[0], loads]).to.deep.equal([false, 9, 2]);
    expect(cache.stats().node.unsharedCount - unshared).to.equal(2);
    await peer.kill();
    expect(await slow).to.equal('PEER_ENDED');
    expect([space.fetchSync(2, load)[0], loads]).to.deep.equal([9, 3]);
    expect(space.borrow(2)?.[0], 'the draft of the dead was replaced').to.equal(9);
  });
});

describe('a stale fill from another process', () => {
  for (const [what, spoil, after] of [
    ['set', ['set', 'k', bytesOf('newer')], 'newer'],
    ['deleted', ['delete', 'k'], undefined],
    ['cleared', ['clear'], undefined],
  ] as const) {
    it(`is not published when its key was ${what} between lease and set, or between claim and seal`, async () => {
      const pool = await makePool();
      const cache = new SharedCache(pool, { namespace: 'n' });
      const [loader, spoiler] = (await startPeers(pool.path, 2)) as [Peer, Peer];
      const [operation, ...args] = spoil;
      for (let round = 0; round < 20; round++) {
        cache.delete('k');
        const lease = await loader.call('lease', 'k');
        const fetching = round % 2 === 0 ? undefined : loader.fetch('k', { bytes: bytesOf('stale'), delayMs: 8 });
        if (fetching !== undefined) await loader.saw('loading');
        await spoiler.call(operation, ...args);
        expect(await loader.call('set', 'k', bytesOf('stale'), { lease })).to.equal(false);
        if (fetching !== undefined) expect(textOf((await fetching).bytes)).to.equal('stale');
        expect(textIn(cache, 'k')).to.equal(after);
        expect(textOf(await spoiler.call<Uint8Array>('get', 'k'))).to.equal(after);
      }
      const { node } = await loader.call<ReturnType<SharedCache['stats']>>('stats');
      // A fetch that was through before the spoiling published what was then good.
      expect(node.staleFillCount).to.be.within(20, 30);
    });
  }

  for (const spoil of [
    ['invalidate', 't', 1],
    ['invalidate', 't', 1, 5],
    ['invalidateRange', 't', 0, 4],
    ['drop', 't'],
    ['put', 't', 1, pattern(64, 2)],
  ] as const) {
    it(`is not published in a page space after ${spoil[0]}(${spoil.slice(2).map((arg) => (typeof arg === 'number' ? arg : 'bytes'))})`, async () => {
      const pool = await makePool();
      const space = new SharedCache(pool, { namespace: 'n' }).pages('t', { pageSize: 64 });
      const [loader, spoiler] = (await startPeers(pool.path, 2)) as [Peer, Peer];
      const [operation, ...args] = spoil;
      const after = operation === 'put' ? pattern(64, 2) : undefined;
      for (let round = 0; round < 10; round++) {
        space.invalidate(1);
        const lease = space.lease(1);
        const fetching = loader.call<Fetched>('fetchPage', 't', 1, { bytes: pattern(64, 9), delayMs: 8 });
        await loader.saw('loading');
        await spoiler.call(operation, ...args);
        expect(space.put(1, pattern(64, 9), { lease })).to.equal(false);
        // On a slow machine the load was through first: then the fetch may find what was put over its page.
        expect((await fetching).bytes).to.be.deep.oneOf([pattern(64, 9), after ?? pattern(64, 9)]);
        expect(space.borrow(1)?.slice()).to.deep.equal(after);
      }
    });
  }
});
