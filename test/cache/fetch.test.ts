/** fetch on one node and on two of one process: who loads, who waits, who gets the error, and what it counts. */
import { expect } from 'chai';
import type { Page } from '../../src/index.js';
import { SharedCache } from '../../src/index.js';
import { Peer } from './peer.js';
import { bytesOf, codeOf, join, makePool, makeTwo, pattern, sleep, textIn, textOf } from './pools.js';

/** A loader that waits for the test, and counts. */
function gated(text: string) {
  const gate = { loads: 0, open: () => {}, fail: (_: Error) => {}, load: async () => bytesOf(text) };
  const opened = new Promise<void>((resolve, reject) => {
    gate.open = resolve;
    gate.fail = reject;
  });
  opened.catch(() => {});
  gate.load = async () => {
    gate.loads++;
    await opened;
    return bytesOf(text);
  };
  return gate;
}

async function textsOf(pages: readonly Promise<Page>[]): Promise<(string | undefined)[]> {
  const all = await Promise.all(pages);
  return all.map((page) => {
    const text = textOf(page.bytes);
    page.release();
    return text;
  });
}

describe('fetch', () => {
  it('many at once, on both nodes, load once; all get the page', async () => {
    const { caches } = await makeTwo();
    const gate = gated('v');
    const pages = Array.from({ length: 100 }, (_, i) => (caches[i % 2] as SharedCache).fetch('k', gate.load));
    await sleep(30);
    gate.open();
    expect(await textsOf(pages)).to.deep.equal(Array.from({ length: 100 }, () => 'v'));
    expect(gate.loads).to.equal(1);
    const [one, two] = caches.map((cache) => cache.stats().node);
    expect([one?.loadSuccessCount, two?.loadSuccessCount]).to.deep.equal([1, 0]);
    expect([one?.waitCount, two?.waitCount]).to.deep.equal([49, 50]);
  });

  it('a page that is there is handed out without a load, and a synchronous loader will do', async () => {
    const { caches } = await makeTwo();
    caches[0].set('k', bytesOf('there'));
    const never = () => {
      throw new Error('called');
    };
    expect(await textsOf([caches[0].fetch('k', never), caches[1].fetch('k', never)])).to.deep.equal(['there', 'there']);
    expect(await textsOf([caches[1].fetch('other', () => bytesOf('now'))])).to.deep.equal(['now']);
    expect(textIn(caches[0], 'other')).to.equal('now');
  });

  it('the page is pinned until release, whatever happens to its key', async () => {
    const { caches } = await makeTwo();
    const page = await caches[0].fetch('k', () => bytesOf('pinned'));
    caches[1].set('k', bytesOf('newer'));
    caches[1].clear();
    for (let i = 0; i < 3000; i++) caches[1].set(`k${i}`, pattern(4000, i));
    expect(textOf(page.bytes)).to.equal('pinned');
    page.release();
    expect(() => page.bytes).to.throw('released');
  });

  it('an error goes to all who wait in the node of the loader that threw; in another node the next in line loads', async () => {
    const { caches } = await makeTwo();
    const bad = gated('');
    const good = gated('v');
    good.open();
    const first = caches[0].fetch('k', bad.load);
    const same = codeOf(() => caches[0].fetch('k', good.load));
    const other = caches[1].fetch('k', good.load);
    const failed = codeOf(() => first);
    await sleep(20);
    bad.fail(new Error('mine'));
    expect([await failed, await same]).to.deep.equal(['Error: mine', 'Error: mine']);
    expect(await textsOf([other])).to.deep.equal(['v']);
    expect([bad.loads, good.loads]).to.deep.equal([1, 1]);
    const counts = caches.map((cache) => cache.stats().node);
    expect(counts.reduce((sum, { loadFailureCount }) => sum + loadFailureCount, 0)).to.equal(1);
    expect(counts.reduce((sum, { loadSuccessCount }) => sum + loadSuccessCount, 0)).to.equal(1);
  });

  it('a loader that throws at once, or gives no bytes, leaves no trace', async () => {
    const { caches, pools } = await makeTwo();
    expect(
      await codeOf(() =>
        caches[0].fetch('k', () => {
          throw new Error('at once');
        }),
      ),
    ).to.equal('Error: at once');
    const wrong = async () => 'text' as unknown as Uint8Array;
    expect(await codeOf(() => caches[0].fetch('k', wrong))).to.equal('OPTION_INVALID');
    expect(pools[0].stats().drafts).to.equal(0);
    expect(await textsOf([caches[1].fetch('k', () => bytesOf('v'))])).to.deep.equal(['v']);
  });

  it('a value that does not fit is loaded once a node and private to each caller, never an error, and counted as unshared', async () => {
    const { caches } = await makeTwo();
    const huge = pattern(8 * 1024 * 1024, 1);
    const pages = await Promise.all([0, 1, 0].map((i) => (caches[i] as SharedCache).fetch('huge', async () => huge)));
    for (const page of pages) {
      expect(Buffer.compare(page.bytes, huge)).to.equal(0);
      page.release();
      expect(() => page.bytes).to.throw('released');
    }
    for (const cache of caches) expect(cache.has('huge')).to.equal(false);
    const { total } = caches[0].stats();
    expect([total.unsharedCount, total.loadSuccessCount]).to.deep.equal([2, 2]);
  });

  it('without a slot to claim, a fetch is served privately too', async () => {
    const pool = await makePool({ maxObjects: 64, eviction: 'none' });
    const cache = new SharedCache(pool);
    let stored = 0;
    while (stored < 1000 && cache.set(`k${stored}`, bytesOf('v'))) stored++;
    const pages = Array.from({ length: 20 }, (_, i) => cache.fetch(`new${i}`, async () => bytesOf(`${i}`)));
    expect(await textsOf(pages)).to.deep.equal(Array.from({ length: 20 }, (_, i) => `${i}`));
    expect(cache.stats().node.unsharedCount).to.be.above(0);
  });

  it('an aborted fetch rejects with ABORTED, its loader sees the signal, and a waiter takes the load over', async () => {
    const { caches } = await makeTwo();
    const controller = new AbortController();
    let seen = new AbortController().signal;
    const first = caches[0].fetch(
      'k',
      (_, { signal }) => {
        seen = signal;
        return new Promise<Uint8Array>(() => {});
      },
      { signal: controller.signal },
    );
    const waiting = caches[1].fetch('k', async () => bytesOf('theirs'));
    const code = codeOf(() => first);
    await sleep(10);
    controller.abort(new Error('enough'));
    expect(await code).to.equal('ABORTED');
    expect([seen.aborted, (seen.reason as Error).message]).to.deep.equal([true, 'enough']);
    expect(await textsOf([waiting])).to.deep.equal(['theirs']);
  });

  it('an aborted waiter goes without harm to the load it waited for; one aborted before it began calls no loader', async () => {
    const { caches } = await makeTwo();
    const gate = gated('v');
    const first = caches[0].fetch('k', gate.load);
    const controller = new AbortController();
    const waiter = codeOf(() => caches[1].fetch('k', gate.load, { signal: controller.signal }));
    await sleep(10);
    controller.abort();
    expect(await waiter).to.equal('ABORTED');
    expect(await codeOf(() => caches[1].fetch('other', gate.load, { signal: AbortSignal.abort() }))).to.equal(
      'ABORTED',
    );
    gate.open();
    expect(await textsOf([first])).to.deep.equal(['v']);
    expect(gate.loads).to.equal(1);
  });

  it('a signal used for many fetches keeps no listener of those that ended', async () => {
    const { caches } = await makeTwo();
    const controller = new AbortController();
    let added = 0;
    const { signal } = controller;
    const add = signal.addEventListener.bind(signal);
    const remove = signal.removeEventListener.bind(signal);
    const live = new Set<unknown>();
    signal.addEventListener = (type: string, listener: never) => {
      added++;
      live.add(listener);
      add(type, listener);
    };
    signal.removeEventListener = (type: string, listener: never) => {
      live.delete(listener);
      remove(type, listener);
    };
    for (let i = 0; i < 20; i++) (await caches[0].fetch(`k${i}`, () => bytesOf('v'), { signal })).release();
    await codeOf(() => caches[0].fetch('bad', () => Promise.reject(new Error('x')), { signal }));
    expect(added).to.be.above(0);
    expect(live.size).to.equal(0);
  });
});

describe('a loader that uses the cache itself', () => {
  it('may fetch other keys, nested and crosswise on two nodes, and each gets its own bytes', async () => {
    const { caches } = await makeTwo();
    const fetchChain = async (cache: SharedCache, n: number): Promise<Uint8Array> => {
      if (n === 0) return bytesOf('0');
      const page = await cache.fetch(`chain${n - 1}`, () => fetchChain(cache, n - 1));
      const text = `${n},${textOf(page.bytes)}`;
      page.release();
      return bytesOf(text);
    };
    const expected = Array.from({ length: 21 }, (_, i) => 20 - i).join();
    const pages = caches.map((cache) => cache.fetch('chain20', () => fetchChain(cache, 20)));
    expect(await textsOf(pages)).to.deep.equal([expected, expected]);
  });

  for (const [what, spoil] of [
    ['sets its key', (cache: SharedCache) => cache.set('k', bytesOf('newer'))],
    ['deletes its key', (cache: SharedCache) => cache.delete('k')],
    ['clears the cache', (cache: SharedCache) => cache.clear()],
  ] as const) {
    it(`and ${what}, on either node, gets what it loaded without publishing it`, async () => {
      const { caches } = await makeTwo();
      const after = what === 'sets its key' ? 'newer' : undefined;
      for (const other of caches) {
        caches[0].delete('k');
        const page = await caches[0].fetch('k', async () => {
          spoil(other);
          return bytesOf('stale');
        });
        expect(textOf(page.bytes)).to.equal('stale');
        page.release();
        for (const cache of caches) expect(textIn(cache, 'k')).to.equal(after);
      }
      expect(caches[0].stats().node.staleFillCount).to.equal(2);
    });
  }

  it('and evicts everything, or fills the pool, still publishes what it loaded', async () => {
    const { caches, pools } = await makeTwo();
    const page = await caches[0].fetch('k', async () => {
      // Fills, not sets: a set refuses the loads of all keys of its stripe.
      for (let i = 0; i < 3000; i++) caches[1].set(`k${i}`, pattern(4000, i), { lease: caches[1].lease(`k${i}`)! });
      pools[1].evict(2 ** 30);
      await sleep(0);
      return bytesOf('v');
    });
    page.release();
    for (const cache of caches) expect(textIn(cache, 'k')).to.equal('v');
  });

  it('and disconnects its node ends with DISCONNECTED; the other node loads', async () => {
    const pool = await makePool();
    const node = await join(pool.path);
    const [cache, gone] = [new SharedCache(pool), new SharedCache(node)];
    const ended = codeOf(() =>
      gone.fetch('k', async () => {
        await node.disconnect();
        return bytesOf('late');
      }),
    );
    expect(await ended).to.equal('DISCONNECTED');
    expect(await textsOf([cache.fetch('k', () => bytesOf('v'))])).to.deep.equal(['v']);
    expect(cache.stats().total.loadSuccessCount).to.equal(1);
  });
});

describe('readThrough', () => {
  it('says false after its own load, though the loader met a page that another node had just loaded', async () => {
    const pool = await makePool();
    const space = new SharedCache(pool, { namespace: 'n' }).pages('t', { pageSize: 64 });
    // The peer has 5 s for its load, however busy the machine is.
    const { machine } = pool.session;
    const elapsedMs = machine.elapsedMs.bind(machine);
    machine.elapsedMs = () => elapsedMs() / 100;
    const peer = await Peer.start(pool.path);
    const theirs = peer.call('fetchPage', 't', 2, { bytes: new Uint8Array(64).fill(2), delayMs: 25 });
    await peer.saw('loading');
    const target = new Uint8Array(64);
    const hit = space.readThrough(1, target, (_, into) => {
      const other = new Uint8Array(64);
      expect(
        space.readThrough(2, other, (__, bytes) => void bytes.fill(3)),
        'waited for the peer',
      ).to.equal(true);
      into.fill(1);
    });
    expect([hit, target[0]]).to.deep.equal([false, 1]);
    await theirs;
  });
});
