/** Loads that fail, hang, are stopped, or need each other: nobody waits for ever, and nobody twice for the same failure. */
import { expect } from 'chai';
import { PoolError } from '../../lib/errors.js';
import type { Page } from '../../src/index.js';
import { inspect, SharedCache } from '../../src/index.js';
import type { AttachedPool } from '../../src/pool/index.js';
import { Peer } from './peer.js';
import { bytesOf, codeOf, join, makePool, makeTwo, sleep, textOf } from './pools.js';

const never = () => new Promise<Uint8Array>(() => {});

async function textFrom(page: Promise<Page>): Promise<string | undefined> {
  using got = await page;
  return textOf(got.bytes);
}

/** What there is of drafts once no load is under way. */
async function draftsOf(pool: AttachedPool): Promise<number> {
  await sleep(0);
  return pool.stats().drafts;
}

describe('a load that fails', () => {
  it('fails once for all who wait for it in its node, whatever cache object they came by; in another node it is done again', async () => {
    const { pools, caches } = await makeTwo();
    const same = new SharedCache(pools[0], { namespace: 'n' });
    let loads = 0;
    const fail = async () => {
      loads++;
      await sleep(10);
      throw new Error('down');
    };
    const codes = await Promise.all(
      Array.from({ length: 60 }, (_, i) =>
        codeOf(() => ([caches[0], same, caches[1]][i % 3] as SharedCache).fetch('k', fail)),
      ),
    );
    expect(codes).to.deep.equal(Array.from({ length: 60 }, () => 'Error: down'));
    expect(loads).to.equal(2);
    expect(await draftsOf(pools[0])).to.equal(0);
    expect(await textFrom(caches[0].fetch('k', () => bytesOf('v')))).to.equal('v');
  });

  it('so of pages by number, and of what finds no room: one load, and each has bytes of his own', async () => {
    const pool = await makePool({ maxObjects: 64, eviction: 'none' });
    const space = new SharedCache(pool).pages('t', { pageSize: 64 });
    for (let i = 0; space.put(i + 10, new Uint8Array(64)); i++);
    let loads = 0;
    const load = async (_: number, target: Uint8Array) => {
      loads++;
      await sleep(10);
      target.fill(9);
    };
    const pages = await Promise.all(Array.from({ length: 5 }, () => space.fetch(1, load)));
    pages[0]?.bytes.fill(0);
    expect(pages.map(({ bytes }) => bytes[0])).to.deep.equal([0, 9, 9, 9, 9]);
    const bad = async () => {
      loads++;
      await sleep(5);
      throw new Error('down');
    };
    const codes = await Promise.all(Array.from({ length: 5 }, () => codeOf(() => space.fetch(2, bad))));
    expect(new Set(codes)).to.deep.equal(new Set(['Error: down']));
    expect(loads).to.equal(2);
  });

  it('called where the stack has no room left is no failure of the source: only its caller is told', async () => {
    const { caches } = await makeTwo();
    const [cache] = caches;
    let depth = 0;
    const deep = (): never => {
      depth++;
      return deep();
    };
    const first = cache.fetch('k', deep).then(String, (error: Error) => error.name);
    const second = textFrom(cache.fetch('k', async () => bytesOf('v')));
    expect(await Promise.all([first, second])).to.deep.equal(['RangeError', 'v']);
    expect(depth).to.be.greaterThan(100);
  });

  for (const thrown of [undefined, null, 7, Object.freeze(new Error('frozen'))]) {
    it(`with ${String(thrown)}, at once or later, gives that to all and leaves no claim`, async () => {
      const { caches, pools } = await makeTwo();
      for (const load of [
        () => {
          throw thrown;
        },
        () => Promise.reject(thrown),
        () => sleep(2).then(() => Promise.reject(thrown)),
      ]) {
        const results = await Promise.allSettled([caches[0].fetch('k', load), caches[0].fetch('k', load)]);
        for (const result of results) expect(result).to.deep.equal({ status: 'rejected', reason: thrown });
        expect(await draftsOf(pools[0])).to.equal(0);
      }
    });
  }
});

describe('a caller who aborts', () => {
  it('leaves the load to the others who wait for it, also when it was his own loader', async () => {
    const { caches } = await makeTwo();
    const controller = new AbortController();
    let seen: AbortSignal | undefined;
    let finish = () => {};
    const first = codeOf(() =>
      caches[0].fetch(
        'k',
        async (_, { signal }) => {
          seen = signal;
          await new Promise<void>((resolve) => (finish = resolve));
          return bytesOf('v');
        },
        { signal: controller.signal },
      ),
    );
    const second = textFrom(caches[0].fetch('k', never));
    const third = textFrom(caches[1].fetch('k', never));
    controller.abort();
    expect(await first).to.equal('ABORTED');
    expect(seen?.aborted).to.equal(false);
    finish();
    expect([await second, await third]).to.deep.equal(['v', 'v']);
  });

  it('as the last of them ends the load, and its claim with it', async () => {
    const { caches, pools } = await makeTwo();
    const controllers = [new AbortController(), new AbortController()];
    let seen: AbortSignal | undefined;
    const load = (_: unknown, { signal }: { signal: AbortSignal }) => {
      seen = signal;
      return never();
    };
    const codes = controllers.map(({ signal }) => codeOf(() => caches[0].fetch('k', load, { signal })));
    controllers[0]?.abort();
    expect([await codes[0], seen?.aborted]).to.deep.equal(['ABORTED', false]);
    controllers[1]?.abort('enough');
    expect([await codes[1], seen?.aborted, seen?.reason]).to.deep.equal(['ABORTED', true, 'enough']);
    expect(await draftsOf(pools[0])).to.equal(0);
  });
});

describe('a load that does not end', () => {
  it('is no wait for a lock that is never to be had: whoever has waited his time for it loads for himself', async () => {
    const pool = await makePool();
    const { turns } = pool.session;
    let tries = 0;
    turns.attempt = () => {
      tries++;
      throw new PoolError('BUSY', 'The lock is held.', { lock: 0 });
    };
    // Released, whenever one asks, and taken again at once.
    turns.of = () => sleep(1).then(() => true);
    const cache = new SharedCache(pool);
    expect(await textFrom(cache.fetch('k', () => bytesOf('v'), { loadTimeoutMs: 30 }))).to.equal('v');
    expect([tries > 2, cache.stats().node.unsharedCount, cache.has('k')]).to.deep.equal([true, 1, false]);
  });

  it('is given up after loadTimeoutMs: its caller is told, its signal aborted; who waits loads for himself', async () => {
    const { caches, pools } = await makeTwo();
    let seen: AbortSignal | undefined;
    const hung = codeOf(() =>
      caches[0].fetch(
        'k',
        (_, { signal }) => {
          seen = signal;
          return never();
        },
        { loadTimeoutMs: 60 },
      ),
    );
    const here = textFrom(caches[0].fetch('k', () => bytesOf('v'), { loadTimeoutMs: 5000 }));
    const there = textFrom(caches[1].fetch('k', () => bytesOf('v'), { loadTimeoutMs: 5000 }));
    expect(await hung).to.equal('LOAD_TIMEOUT');
    expect([seen?.aborted, seen?.reason?.code]).to.deep.equal([true, 'LOAD_TIMEOUT']);
    expect([await here, await there]).to.deep.equal(['v', 'v']);
    expect(await draftsOf(pools[0])).to.equal(0);
  });

  it('blocks nobody longer than his own loadTimeoutMs, and what it gives after all is still shared', async () => {
    const { caches } = await makeTwo();
    let finish = () => {};
    const slow = textFrom(
      caches[0].fetch('k', async () => {
        await new Promise<void>((resolve) => (finish = resolve));
        return bytesOf('slow');
      }),
    );
    const quick = () => Promise.reject(new Error('mine'));
    expect(await codeOf(() => caches[0].fetch('k', quick, { loadTimeoutMs: 20 }))).to.equal('Error: mine');
    expect(await codeOf(() => caches[1].fetch('k', quick, { loadTimeoutMs: 20 }))).to.equal('Error: mine');
    finish();
    expect(await slow).to.equal('slow');
    expect(textOf(caches[1].borrow('k'))).to.equal('slow');
  });

  it('so with pages by number: the claim is ended, its bytes stay its own, and it is shared when it is through', async () => {
    const { caches, pools } = await makeTwo();
    const [mine, theirs] = caches.map((cache) => cache.pages('t', { pageSize: 64 }));
    let finish = () => {};
    const slow = mine?.fetch(1, async (_, target) => {
      await new Promise<void>((resolve) => (finish = resolve));
      target.fill(1);
    });
    const quick = () => Promise.reject(new Error('mine'));
    expect(await codeOf(() => theirs?.fetch(1, quick, { loadTimeoutMs: 20 }))).to.equal('Error: mine');
    expect([pools[0].stats().drafts, theirs?.borrow(1)]).to.deep.equal([1, undefined]);
    finish();
    (await slow)?.release();
    expect([pools[0].stats().drafts, theirs?.borrow(1)?.[0]]).to.deep.equal([0, 1]);
    expect((await inspect(pools[0].path)).problems).to.deep.equal([]);
  });

  it('of many who have waited for it in vain one loads, and the others take that', async () => {
    const { caches } = await makeTwo();
    const hung = codeOf(() => caches[0].fetch('k', never, { loadTimeoutMs: 4000 }));
    let loads = 0;
    const load = async () => {
      loads++;
      await sleep(20);
      return bytesOf('v');
    };
    const texts = Array.from({ length: 40 }, (_, i) =>
      textFrom((caches[i % 2] as SharedCache).fetch('k', load, { loadTimeoutMs: 500 })),
    );
    expect(await Promise.all(texts)).to.deep.equal(Array.from({ length: 40 }, () => 'v'));
    expect(loads).to.be.at.most(2);
    await caches[0].fetch('k', never).then((page) => page.release());
    void hung;
  });

  for (const [how, end] of [
    ['delete', (cache: SharedCache) => cache.delete('k')],
    ['clear', (cache: SharedCache) => cache.clear()],
    ['set', (cache: SharedCache) => void cache.set('k', bytesOf('v'))],
  ] as const) {
    it(`no longer has its key after ${how}, from whatever node`, async () => {
      const { caches, pools } = await makeTwo();
      for (const cache of caches) {
        const controller = new AbortController();
        const hung = codeOf(() => caches[0].fetch('k', never, { signal: controller.signal }));
        const waiting = caches.map((one) => textFrom(one.fetch('k', () => bytesOf('v'))));
        await sleep(1);
        end(cache);
        const after = caches.map((one) => textFrom(one.fetch('k', () => bytesOf('v'))));
        expect(await Promise.all(after)).to.deep.equal(['v', 'v']);
        controller.abort();
        expect(await hung).to.equal('ABORTED');
        expect(await Promise.all(waiting)).to.deep.equal(['v', 'v']);
        for (const one of caches) one.delete('k');
        expect(await draftsOf(pools[0])).to.equal(0);
      }
    });
  }

  for (const [how, end] of [
    ['invalidate', 'invalidate(1)'],
    ['invalidate with a version', 'invalidate(1, 5)'],
    ['invalidateRange', 'invalidateRange(0, 4)'],
    ['invalidateRange of very many', 'invalidateRange(0, 2 ** 40)'],
    ['drop', 'drop()'],
  ] as const) {
    it(`no longer has its page after ${how} in another process`, async () => {
      const pool = await makePool();
      const space = new SharedCache(pool, { namespace: 'n' }).pages('t', { pageSize: 64 });
      const peer = await Peer.start(pool.path);
      const controller = new AbortController();
      const hung = codeOf(() => space.fetch(1, () => new Promise(() => {}), { signal: controller.signal }));
      await peer.call('run', `pages('t').${end}`);
      const load = (_: number, target: Uint8Array) => target.fill(how === 'drop' ? 4 : 3);
      using page = await space.fetch(1, load);
      expect(page.bytes[0]).to.equal(how === 'drop' ? 4 : 3);
      controller.abort();
      expect(await hung).to.equal('ABORTED');
      expect(pool.stats().drafts).to.equal(0);
    });
  }

  it('in a process that was stopped does not block its keys for others, neither fetch nor fetchSync, and they share again', async () => {
    const pool = await makePool();
    const cache = new SharedCache(pool, { namespace: 'n' });
    const space = cache.pages('t', { pageSize: 64 });
    const peer = await Peer.start(pool.path);
    const hung = [codeOf(() => peer.fetch('k', { hang: true }))];
    for (let page = 0; page < 3; page++) hung.push(codeOf(() => peer.call('fetchPage', 't', page, { hang: true })));
    for (let i = 0; i < 4; i++) await peer.saw('loading');
    peer.process.kill('SIGSTOP');
    await sleep(50);
    expect(await textFrom(cache.fetch('k', () => bytesOf('v')))).to.equal('v');
    expect(textOf(cache.borrow('k'))).to.equal('v');
    for (let page = 0; page < 3; page++) {
      expect(space.fetchSync(page, (_, target) => target.fill(5))[0]).to.equal(5);
      expect(space.borrow(page)?.[0]).to.equal(5);
    }
    expect(cache.stats().node.unsharedCount).to.equal(0);
    await peer.kill();
    await Promise.all(hung);
  });

  it('is waited for by synchronous loads once, not once a page', async () => {
    const pool = await makePool();
    const space = new SharedCache(pool, { namespace: 'n' }).pages('t', { pageSize: 64 });
    const peer = await Peer.start(pool.path);
    const hung = [];
    for (let page = 0; page < 12; page++) hung.push(codeOf(() => peer.call('fetchPage', 't', page, { hang: true })));
    for (let page = 0; page < 12; page++) await peer.saw('loading');
    const { machine } = pool.session;
    let parked = 0;
    const { park } = machine;
    machine.park = (...args) => {
      parked++;
      park.apply(machine, args);
    };
    const parks: number[] = [];
    for (let page = 0; page < 12; page++) {
      parked = 0;
      space.fetchSync(page, (_, target) => target.fill(1));
      parks.push(parked);
    }
    expect(parks.filter((count) => count > 0).length).to.be.within(1, 2);
    await peer.kill();
    await Promise.all(hung);
  });
});

describe('loaders that need each other', () => {
  it('and their own key load it privately the first time, and are refused the second', async () => {
    const { caches, pools } = await makeTwo();
    const inner = caches[0].fetch('a', async () => {
      using page = await caches[0].fetch('a', () => bytesOf('inner'));
      return bytesOf(`${textOf(page.bytes)} and outer`);
    });
    expect(await textFrom(inner)).to.equal('inner and outer');
    caches[0].delete('a');
    const again = (): Promise<Uint8Array> => caches[0].fetchCopy('a', again);
    expect(await codeOf(again)).to.equal('LOAD_CYCLE');
    expect(await draftsOf(pools[0])).to.equal(0);
  });

  it('crosswise, in one node, end with an error or a load of their own', async () => {
    const { caches, pools } = await makeTwo();
    const [cache] = caches;
    const a = (): Promise<Uint8Array> => cache.fetchCopy('b', b);
    const b = (): Promise<Uint8Array> => cache.fetchCopy('a', a);
    expect(await Promise.all([codeOf(a), codeOf(b)])).to.deep.equal(['LOAD_CYCLE', 'LOAD_CYCLE']);
    expect(await draftsOf(pools[0])).to.equal(0);
  });

  it('after a pause, or in two nodes, end with their time', async () => {
    const { caches, pools } = await makeTwo();
    const limits = { loadTimeoutMs: 40 };
    const later = async (cache: SharedCache, key: string, signal: AbortSignal) => {
      await sleep(2);
      return cache.fetchCopy(key, () => bytesOf(`${key} by itself`), { ...limits, signal });
    };
    for (const other of caches) {
      const ends = await Promise.all([
        codeOf(() => caches[0].fetchCopy('a', (_, { signal }) => later(caches[0], 'b', signal), limits)),
        codeOf(() => other.fetchCopy('b', (_, { signal }) => later(other, 'a', signal), limits)),
      ]);
      for (const end of ends) expect(end).to.be.oneOf(['LOAD_TIMEOUT', 'no error']);
      for (const cache of caches) cache.clear();
      expect(await draftsOf(pools[0])).to.equal(0);
    }
  });
});

describe('a node that leaves', () => {
  it('tells all who wait for its loads, and its drafts go with it', async () => {
    const pool = await makePool();
    const node = await join(pool.path);
    const cache = new SharedCache(node);
    const codes = Array.from({ length: 3 }, () => codeOf(() => cache.fetch('k', never)));
    await node.disconnect();
    expect(await Promise.all(codes)).to.deep.equal(['DISCONNECTED', 'DISCONNECTED', 'DISCONNECTED']);
    expect(pool.stats().drafts).to.equal(0);
  });
});
