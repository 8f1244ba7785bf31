/** Stale answers: pages that have expired and are kept, for who says so, on two nodes, beside a source that is slow or down. */
import { expect } from 'chai';
import type { FetchOptions, Page, SharedCache } from '../../src/index.js';
import { Peer } from './peer.js';
import { bytesOf, codeOf, makePool, makeTwo, sleep, textIn, textOf } from './pools.js';

/** Fresh for so long is what is to be stale; what is loaded then is fresh, and kept, for longer than any test takes. */
const TTL_MS = 40;
const STALE = { ttlMs: 600_000, staleMs: 600_000 };
const ON_ERROR = { ttlMs: 600_000, staleOnErrorMs: 600_000 };

function told(page: Page): [string | undefined, string] {
  const answer: [string | undefined, string] = [textOf(page.bytes), page.freshness];
  page.release();
  return answer;
}

/** A source whose answers are numbered, and wait for the test. */
class Source {
  loads = 0;
  private readonly waiting: { resolve: (bytes: Uint8Array) => void; reject: (error: Error) => void; n: number }[] = [];

  readonly load = (): Promise<Uint8Array> => {
    const n = ++this.loads;
    return new Promise((resolve, reject) => this.waiting.push({ resolve, reject, n }));
  };

  async answer(error?: Error): Promise<void> {
    for (const { resolve, reject, n } of this.waiting.splice(0)) {
      if (error === undefined) resolve(bytesOf(`v${n}`));
      else reject(error);
    }
    await sleep(5);
  }
}

const never = () => {
  throw new Error('called');
};

/** A page that has expired and is kept. */
async function makeStale(cache: SharedCache, key = 'k', text = 'old', options: FetchOptions = STALE): Promise<void> {
  expect(cache.set(key, bytesOf(text), { ...options, ttlMs: TTL_MS } as never)).to.equal(true);
  await sleep(TTL_MS + 10);
}

function pins(pools: readonly { stats(): { pins: number } }[]): number {
  return pools[0]?.stats().pins ?? -1;
}

describe('a page that has expired and is kept', () => {
  it('is fresh before, and a miss after for all calls that were not told it may be stale', async () => {
    const { caches, pools } = await makeTwo();
    caches[0].set('k', bytesOf('old'), { ttlMs: 200, staleMs: 600_000 });
    expect(told(await caches[1].fetch('k', never, STALE))).to.deep.equal(['old', 'fresh']);
    expect(textIn(caches[1], 'k')).to.equal('old');
    await sleep(220);
    for (const cache of caches) {
      expect([cache.borrow('k'), cache.get('k'), cache.peek('k'), cache.has('k')]).to.deep.equal([
        undefined,
        undefined,
        undefined,
        false,
      ]);
      expect([cache.read('k', new Uint8Array(9)), [...cache.keys()]]).to.deep.equal([-1, []]);
      expect(cache.lease('k')).to.not.equal(undefined);
    }
    expect([...pools[0].list()]).to.deep.equal([]);
    expect(caches[0].delete('k')).to.equal(false);
    expect(told(await caches[1].fetch('k', () => bytesOf('new'), STALE))).to.deep.equal(['new', 'fresh']);
  });

  it('is handed out at once within staleMs, on every node, while one loads it again; then all get the new one', async () => {
    const { caches, pools } = await makeTwo();
    await makeStale(caches[0]);
    const source = new Source();
    for (let i = 0; i < 20; i++)
      expect(told(await (caches[i % 2] as SharedCache).fetch('k', source.load, STALE))).to.deep.equal(['old', 'stale']);
    expect(source.loads).to.equal(1);
    await source.answer();
    for (const cache of caches) {
      expect(told(await cache.fetch('k', never, { ...STALE, ttlMs: 1 }))).to.deep.equal(['v1', 'fresh']);
      expect(textIn(cache, 'k')).to.equal('v1');
    }
    expect([pins(pools), pools[0].stats().drafts]).to.deep.equal([0, 0]);
  });

  it('comes as a copy, and to `with`, too', async () => {
    const { caches } = await makeTwo();
    await makeStale(caches[0]);
    const source = new Source();
    expect(textOf(await caches[1].fetchCopy('k', source.load, STALE))).to.equal('old');
    expect(await caches[0].with('k', source.load, (bytes) => textOf(bytes), STALE)).to.equal('old');
    expect(source.loads).to.equal(1);
    await source.answer();
  });

  it('is not handed out to who says less than it has been stale for: he waits for the load under way', async () => {
    const { caches } = await makeTwo();
    await makeStale(caches[0]);
    await sleep(30);
    const source = new Source();
    expect(told(await caches[0].fetch('k', source.load, STALE))).to.deep.equal(['old', 'stale']);
    const waiting = [
      caches[1].fetch('k', never, { ...STALE, staleMs: 5 }),
      caches[1].fetch('k', never),
      caches[0].fetch('k', never),
      caches[1].fetchMany(['k'], never).then((pages) => pages.get('k') as Page),
    ];
    await sleep(20);
    await source.answer();
    for (const page of await Promise.all(waiting)) expect(told(page)).to.deep.equal(['v1', 'fresh']);
    expect(source.loads).to.equal(1);
  });

  it('is loaded once by many who will not have it stale, on both nodes', async () => {
    const { caches } = await makeTwo();
    await makeStale(caches[0]);
    const source = new Source();
    const pages = Array.from({ length: 20 }, (_, i) => (caches[i % 2] as SharedCache).fetch('k', source.load));
    await sleep(20);
    await source.answer();
    for (const page of await Promise.all(pages)) expect(told(page)).to.deep.equal(['v1', 'fresh']);
    expect(source.loads).to.equal(1);
  });

  it('is given back by upkeep when the time is over for which it is kept, and not before', async () => {
    const { caches, pools } = await makeTwo();
    const { upkeep } = pools[0] as unknown as { upkeep: { tick(): void } };
    await makeStale(caches[0]);
    caches[0].set('short', bytesOf('old'), { ttlMs: 10, staleMs: 30 });
    const { objects } = pools[0].stats();
    await sleep(80);
    upkeep.tick();
    expect(pools[0].stats().objects).to.equal(objects - 1);
  });

  it('ends when the time is over for which it is kept, and its memory is given back', async () => {
    const { caches, pools } = await makeTwo();
    caches[0].set('k', bytesOf('old'), { ttlMs: 10, staleMs: 30 });
    const { objects } = pools[0].stats();
    await sleep(80);
    const source = new Source();
    const page = caches[1].fetch('k', source.load, STALE);
    await sleep(5);
    await source.answer();
    expect(told(await page)).to.deep.equal(['v1', 'fresh']);
    expect(pools[0].stats().objects).to.equal(objects);
  });

  it('a load anew that fails is told nobody; the next who asks begins another, and the page stays', async () => {
    const { caches } = await makeTwo();
    await makeStale(caches[0]);
    const source = new Source();
    for (let i = 1; i <= 3; i++) {
      expect(told(await (caches[i % 2] as SharedCache).fetch('k', source.load, STALE))).to.deep.equal(['old', 'stale']);
      await source.answer(new Error('down'));
      expect(source.loads).to.equal(i);
    }
    expect(told(await caches[0].fetch('k', never, STALE))).to.deep.equal(['old', 'stale']);
    await sleep(5);
  });

  it('whoever asked for it may abort, and what he began goes on', async () => {
    const { caches } = await makeTwo();
    await makeStale(caches[0]);
    const source = new Source();
    const controller = new AbortController();
    told(await caches[0].fetch('k', source.load, { ...STALE, signal: controller.signal }));
    controller.abort();
    await source.answer();
    expect(textIn(caches[1], 'k')).to.equal('v1');
  });
});

describe('a page that has expired, and a source that is down', () => {
  it('is handed out within staleOnErrorMs once the load has failed, to all who would get its error', async () => {
    const { caches, pools } = await makeTwo();
    await makeStale(caches[0], 'k', 'old', ON_ERROR);
    const source = new Source();
    const calls = [0, 0, 1].map((i) => (caches[i] as SharedCache).fetch('k', source.load, ON_ERROR));
    const plain = codeOf(() => caches[0].fetch('k', source.load));
    await sleep(10);
    expect(source.loads).to.equal(1);
    await source.answer(new Error('down'));
    expect(await plain).to.equal('Error: down');
    await sleep(600);
    await source.answer(new Error('down'));
    for (const page of await Promise.all(calls)) expect(told(page)).to.deep.equal(['old', 'stale']);
    expect(pins(pools)).to.equal(0);
    // It waits for the load where it can.
    const page = caches[1].fetch('k', source.load, ON_ERROR);
    await sleep(5);
    await source.answer();
    expect(told(await page)[1]).to.equal('fresh');
  });

  it('is handed out for a load that takes too long, and not for an abort or an answer that is none', async () => {
    const { caches } = await makeTwo();
    await makeStale(caches[0], 'k', 'old', ON_ERROR);
    const source = new Source();
    expect(told(await caches[0].fetch('k', source.load, { ...ON_ERROR, loadTimeoutMs: 20 }))[1]).to.equal('stale');
    const controller = new AbortController();
    const aborted = codeOf(() => caches[0].fetch('k', source.load, { ...ON_ERROR, signal: controller.signal }));
    await sleep(5);
    controller.abort();
    expect(await aborted).to.equal('ABORTED');
    expect(await codeOf(() => caches[0].fetch('k', () => 'text' as never, ON_ERROR))).to.equal('OPTION_INVALID');
    expect(await codeOf(() => caches[0].fetch('k', never, { ttlMs: TTL_MS, staleOnErrorMs: 1 }))).to.equal(
      'Error: called',
    );
  });

  it('with both windows it is handed out at once in the first, and after a failure in the second', async () => {
    const { caches } = await makeTwo();
    const both = { ttlMs: TTL_MS, staleMs: 60, staleOnErrorMs: 600_000 };
    await makeStale(caches[0], 'k', 'old', both);
    const source = new Source();
    expect(told(await caches[1].fetch('k', source.load, { ...both, staleMs: 30_000 }))[1]).to.equal('stale');
    await source.answer(new Error('down'));
    await sleep(100);
    expect(told(await caches[1].fetch('k', never, both))).to.deep.equal(['old', 'stale']);
  });
});

describe('an invalidation, and what is stale', () => {
  for (const [how, invalidate] of [
    ['deleted', (cache: SharedCache) => cache.delete('k')],
    ['cleared', (cache: SharedCache) => cache.clear()],
  ] as [string, (cache: SharedCache) => void][]) {
    it(`a page that was ${how} is no stale answer, also where the source is down`, async () => {
      const { caches } = await makeTwo();
      await makeStale(caches[0]);
      invalidate(caches[1]);
      expect(await codeOf(() => caches[0].fetch('k', never, { ...STALE, staleOnErrorMs: 600_000 }))).to.equal(
        'Error: called',
      );
    });

    it(`a load anew of a page that is ${how} meanwhile publishes nothing`, async () => {
      const { caches, pools } = await makeTwo();
      await makeStale(caches[0]);
      const source = new Source();
      expect(told(await caches[0].fetch('k', source.load, STALE))[1]).to.equal('stale');
      invalidate(caches[1]);
      const next = caches[1].fetch('k', source.load, STALE);
      await sleep(5);
      expect(source.loads).to.equal(2);
      await source.answer();
      expect(told(await next)).to.deep.equal(['v2', 'fresh']);
      expect([textIn(caches[0], 'k'), pools[0].stats().drafts]).to.deep.equal(['v2', 0]);
    });
  }

  it('a set during a load anew wins, whatever its life', async () => {
    const { caches } = await makeTwo();
    await makeStale(caches[0]);
    const source = new Source();
    expect(told(await caches[0].fetch('k', source.load, STALE))[1]).to.equal('stale');
    caches[1].set('k', bytesOf('set'), { ttlMs: 1, staleMs: 600_000 });
    await sleep(5);
    await source.answer();
    expect(textIn(caches[0], 'k')).to.equal(undefined);
    expect(told(await caches[1].fetch('k', source.load, STALE))).to.deep.equal(['set', 'stale']);
    await source.answer();
  });

  it('a load that began earlier does not hide the page of one that began later, though that has expired by now', async () => {
    const { caches } = await makeTwo();
    const source = new Source();
    const slow = caches[0].fetch('k', source.load, { ...STALE, ttlMs: 5 });
    await sleep(10);
    const lease = caches[1].lease('k');
    expect(caches[1].set('k', bytesOf('later'), { ...STALE, ttlMs: 20, ...(lease && { lease }) })).to.equal(true);
    await sleep(40);
    await source.answer();
    // Who loaded it gets it.
    expect(told(await slow)[0]).to.equal('v1');
    for (const cache of caches)
      expect(told(await cache.fetch('k', source.load, STALE))).to.deep.equal(['later', 'stale']);
    await source.answer();
  });

  it('the life of what is loaded begins with its load', async () => {
    const { caches } = await makeTwo();
    const source = new Source();
    const page = caches[0].fetch('k', source.load, { ...STALE, ttlMs: 30 });
    await sleep(60);
    await source.answer();
    expect(told(await page)[0]).to.equal('v1');
    expect(caches[1].has('k')).to.equal(false);
    expect(told(await caches[1].fetch('k', source.load, STALE))).to.deep.equal(['v1', 'stale']);
    await source.answer();
  });
});

describe('a process that loads anew', () => {
  it('and is killed keeps nobody from stale answers, nor the next one from loading', async () => {
    const pool = await makePool();
    const peer = await Peer.start(pool.path);
    const { SharedCache } = await import('../../src/index.js');
    const cache = new SharedCache(pool, { namespace: 'n' });
    await makeStale(cache);
    const asked = await peer.call(
      'run',
      "const page = await cache.fetch('k', () => { process.send({ event: 'loading' }); return new Promise(() => {}); }, { ttlMs: 1, staleMs: 600000 }); return page.freshness;",
    );
    await peer.saw('loading');
    expect(asked).to.equal('stale');
    const source = new Source();
    expect(told(await cache.fetch('k', source.load, STALE))).to.deep.equal(['old', 'stale']);
    expect(source.loads).to.equal(0);
    await peer.kill();
    expect(told(await cache.fetch('k', source.load, STALE))).to.deep.equal(['old', 'stale']);
    expect(source.loads).to.equal(1);
    await source.answer();
    expect(textIn(cache, 'k')).to.equal('v1');
  });
});

describe('how long a page is kept', () => {
  it('is told to the millisecond up to half an hour, then to the second, and up to 24.8 days', async () => {
    const { pools, caches } = await makeTwo();
    const { slots } = pools[0].session.parts;
    for (const [staleMs, staleOnErrorMs, kept] of [
      [1, 0, 1],
      [0, 7, 7],
      [2 ** 21 - 1, 5, 2 ** 21 - 1],
      [2 ** 21, 0, 2 ** 21],
      [10_000_000, 0, 10_000_384],
      [1e15, 0, (2 ** 21 - 1) * 1024],
    ] as const) {
      caches[0].set('k', bytesOf('v'), { ttlMs: 100_000, staleMs, staleOnErrorMs });
      const entry = pools[0].session.glance((caches[0] as unknown as { domain: { keys: never } }).domain.keys, 'k');
      const { slot, expiry } = entry as unknown as { slot: number; expiry: number };
      expect([slots.expiry(slot) - Date.now() > 90_000, slots.end(slot) - slots.expiry(slot)]).to.deep.equal([
        true,
        kept,
      ]);
      expect(expiry).to.equal(slots.expiry(slot));
    }
    caches[0].set('k', bytesOf('v'), { staleMs: 5 });
    expect(pools[0].list().next().value).to.not.have.property('expiresAt');
    for (const options of [{ staleMs: -1 }, { staleOnErrorMs: Number.NaN }, { staleMs: '1' }] as never[]) {
      expect(await codeOf(() => caches[0].set('k', bytesOf('v'), options))).to.equal('OPTION_INVALID');
      expect(await codeOf(() => caches[0].fetch('k', never, options))).to.equal('OPTION_INVALID');
    }
  });
});
