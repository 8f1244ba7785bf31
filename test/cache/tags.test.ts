/** Tags: pages that are invalidated together, on two nodes that know them already, beside loads and stale answers. */
import { expect } from 'chai';
import type { FetchOptions, Page } from '../../src/index.js';
import { connect, notFound, SharedCache } from '../../src/index.js';
import { atEnd, bytesOf, codeOf, join, makePool, makeTwo, sleep, textIn, textOf } from './pools.js';

function told(page: Page): [string | undefined, string] {
  const answer: [string | undefined, string] = [textOf(page.bytes), page.freshness];
  page.release();
  return answer;
}

const never = () => {
  throw new Error('called');
};

/** A source whose answers are numbered, and wait for the test. */
class Source {
  loads = 0;
  private readonly waiting: ((bytes: Uint8Array) => void)[] = [];

  readonly load = (): Promise<Uint8Array> => {
    const n = ++this.loads;
    return new Promise((resolve) => this.waiting.push(() => resolve(bytesOf(`v${n}`))));
  };

  async answer(): Promise<void> {
    for (const resolve of this.waiting.splice(0)) resolve(bytesOf(''));
    await sleep(10);
  }
}

describe('invalidateTags', () => {
  it('makes the pages of its tags a miss for every call on every node, and no other page', async () => {
    const { caches, pools } = await makeTwo();
    const [first, second] = caches;
    first.set('a', bytesOf('A'), { tags: ['x', 'y'], metadata: Uint8Array.of(1, 2, 3) });
    first.set('long'.repeat(30), bytesOf('L'), { tags: ['y'], ttlMs: 60_000 });
    first.set('b', bytesOf('B'), { tags: ['z'] });
    first.set('c', bytesOf('C'));
    const reader = await connect(pools[0].path, { readOnly: true });
    atEnd(() => reader.disconnect());
    const page = second.get('a') as Page;
    const descriptor = page.descriptor() as string;
    expect([[...page.metadata], textOf(page.bytes)]).to.deep.equal([[1, 2, 3], 'A']);
    for (const cache of caches) expect([...cache.keys()].sort()).to.deep.equal(['a', 'b', 'c', 'long'.repeat(30)]);
    expect(textOf(reader.get('n\u0000a')?.bytes)).to.equal('A');
    first.invalidateTags(['y']);
    for (const cache of caches) {
      for (const key of ['a', 'long'.repeat(30)]) {
        expect([cache.borrow(key), cache.get(key), cache.peek(key), cache.has(key)]).to.deep.equal([
          ...[undefined, undefined, undefined],
          false,
        ]);
        expect([cache.read(key, new Uint8Array(8)), cache.getMany([key])]).to.deep.equal([-1, [undefined]]);
      }
      expect([textIn(cache, 'b'), textIn(cache, 'c'), [...cache.keys()].sort()]).to.deep.equal(['B', 'C', ['b', 'c']]);
    }
    // What was held is still good, and cannot be opened anew.
    expect([textOf(page.bytes), pools[0].open(descriptor)]).to.deep.equal(['A', undefined]);
    page.release();
    expect([reader.get('n\u0000a'), reader.open(descriptor), [...reader.list()].length]).to.deep.equal([
      undefined,
      undefined,
      2,
    ]);
    expect(pools[0].spaces().find(({ namespace }) => namespace === 'n')?.objects).to.equal(2);
    expect(first.delete('a')).to.equal(false);
  });

  it('ends what is stored anew only when it is called anew, and what supersedes a page has the tags it says', async () => {
    const { caches } = await makeTwo();
    const [first, second] = caches;
    for (const tags of [['t'], ['t'], undefined]) {
      first.set('k', bytesOf('v'), tags === undefined ? {} : { tags });
      expect(textIn(second, 'k')).to.equal('v');
      second.invalidateTags(['t']);
      expect(textIn(second, 'k')).to.equal(tags === undefined ? 'v' : undefined);
    }
  });

  it('is of one namespace, and of what began before it', async () => {
    const pool = await makePool();
    const [one, other] = ['one', 'other'].map((namespace) => new SharedCache(pool, { namespace })) as [
      SharedCache,
      SharedCache,
    ];
    one.set('k', bytesOf('1'), { tags: ['t'] });
    other.set('k', bytesOf('2'), { tags: ['t'] });
    one.invalidateTags(['t']);
    expect([textIn(one, 'k'), textIn(other, 'k')]).to.deep.equal([undefined, '2']);
  });

  it('gives the room of its pages back, by upkeep and by whoever needs it', async () => {
    const { caches, pools } = await makeTwo();
    for (let i = 0; i < 50; i++) caches[0].set(`k${i}`, new Uint8Array(2000), { tags: ['t'] });
    const before = pools[0].stats();
    caches[0].invalidateTags(['t']);
    expect(pools[0].stats().objects).to.equal(50);
    for (let tries = 0; tries < 200 && pools[0].stats().objects > 0; tries++) await sleep(50);
    const { objects, bytesUsed, bytesMetadata } = pools[0].stats();
    expect([objects, bytesUsed, bytesMetadata]).to.deep.equal([0, 0, before.bytesMetadata]);
  });

  it('survives that all processes leave before the next load', async () => {
    const pool = await makePool();
    const cache = new SharedCache(pool);
    cache.set('k', bytesOf('old'), { tags: ['t'] });
    cache.set('kept', bytesOf('kept'), { tags: ['u'] });
    cache.invalidateTags(['t']);
    await pool.disconnect();
    const again = new SharedCache(await join(pool.path));
    expect([textIn(again, 'k'), textIn(again, 'kept')]).to.deep.equal([undefined, 'kept']);
  });

  it('lets a page expire that has a life as well, and ends one that is kept for stale answers', async () => {
    const { caches } = await makeTwo();
    caches[0].set('short', bytesOf('s'), { tags: ['t'], ttlMs: 40 });
    caches[0].set('kept', bytesOf('k'), { tags: ['t'], ttlMs: 40, staleMs: 600_000 });
    expect(textIn(caches[1], 'short')).to.equal('s');
    await sleep(60);
    expect([textIn(caches[1], 'short'), textIn(caches[1], 'kept')]).to.deep.equal([undefined, undefined]);
    const source = new Source();
    const stale = { ttlMs: 600_000, staleMs: 600_000, tags: ['t'] };
    expect(told(await caches[1].fetch('kept', source.load, stale))).to.deep.equal(['k', 'stale']);
    caches[0].invalidateTags(['t']);
    const loading = caches[1].fetch('kept', source.load, stale);
    await source.answer();
    expect(told(await loading)[1]).to.equal('fresh');
  });

  it('refuses what are no tags, and a node that has left', async () => {
    const { caches, pools } = await makeTwo();
    const [cache] = caches;
    const refused = [
      () => cache.invalidateTags('t' as never),
      () => cache.invalidateTags(['']),
      () => cache.invalidateTags([1 as never]),
      () => cache.invalidateTags(['\ud800']),
      () => cache.invalidateTags(['t'], { staleFor: -1 }),
      () => cache.set('k', bytesOf('v'), { tags: ['x'.repeat(1025)] }),
      () => cache.set('k', bytesOf('v'), { tags: Array.from({ length: 129 }, (_, i) => `${i}`) }),
      () => cache.fetch('k', never, { tags: 'x' as never }),
      () => cache.fetch('k', () => bytesOf('v'), { tags: () => 'x' as never }),
      () => cache.fetchMany(['k'], never, { tags: [''] }),
    ];
    for (const [i, call] of refused.entries()) expect(await codeOf(call), `${i}`).to.equal('OPTION_INVALID');
    expect([cache.has('k'), pools[0].stats().drafts]).to.deep.equal([false, 0]);
    cache.set('k', bytesOf('v'), { tags: Array.from({ length: 128 }, (_, i) => `${i}`) });
    expect(textIn(cache, 'k')).to.equal('v');
    caches[1].invalidateTags(['127']);
    expect(textIn(cache, 'k')).to.equal(undefined);
    await pools[0].disconnect();
    expect(await codeOf(() => cache.invalidateTags(['t']))).to.equal('DISCONNECTED');
  });
});

describe('a load of a page with tags', () => {
  const ways: Readonly<Record<string, FetchOptions>> = {
    'given before': { tags: ['t'] },
    'given by a function': { tags: (key) => [`${key}`, 't'] },
    'given with a life and a time to be stale': { tags: ['t'], ttlMs: 600_000, staleMs: 600_000 },
  };
  for (const [way, options] of Object.entries(ways)) {
    it(`that is overtaken by an invalidation is for those who had asked before it; tags ${way}`, async () => {
      const { caches } = await makeTwo();
      const source = new Source();
      const before = [caches[0], caches[0]].map((cache) => cache.fetch('k', source.load, options));
      await sleep(5);
      caches[1].invalidateTags(['t']);
      const after = caches.map((cache) => cache.fetch('k', source.load, options));
      await sleep(30);
      for (let tries = 0; tries < 100 && source.loads < 2; tries++) await source.answer();
      await source.answer();
      await source.answer();
      const answers = (await Promise.all(after)).map(told);
      expect(answers.map(([text]) => text)).to.not.include('v1');
      for (const page of await Promise.all(before)) page.release();
      expect(caches.map((cache) => textIn(cache, 'k'))).to.deep.equal(answers.map(([text]) => text));
      expect(source.loads).to.equal(2);
      caches[0].invalidateTags(['t']);
      expect(caches.map((cache) => textIn(cache, 'k'))).to.deep.equal([undefined, undefined]);
    });
  }

  it('that is overtaken by an invalidation of another tag is joined, and stored', async () => {
    const { caches } = await makeTwo();
    const source = new Source();
    const fetches = [caches[0].fetch('k', source.load, { tags: ['t'] })];
    await sleep(5);
    caches[1].invalidateTags(['other']);
    fetches.push(...caches.map((cache) => cache.fetch('k', source.load, { tags: ['t'] })));
    await sleep(20);
    await source.answer();
    for (const page of await Promise.all(fetches)) page.release();
    expect([source.loads, textIn(caches[1], 'k')]).to.deep.equal([1, 'v1']);
  });

  it('calls a function for its tags once the load has answered, with the key, once, and not for a page that is there', async () => {
    const { caches } = await makeTwo();
    const calls: string[] = [];
    const tags = (key: unknown) => {
      calls.push(`tags of ${key}`);
      return ['t'];
    };
    const load = () => {
      calls.push('load');
      return bytesOf('v');
    };
    (await caches[0].fetch('k', load, { tags })).release();
    (await caches[1].fetch('k', load, { tags })).release();
    expect(calls).to.deep.equal(['load', 'tags of k']);
    (await caches[0].fetch('none', load, { tags: () => undefined })).release();
    caches[0].invalidateTags(['t']);
    expect([textIn(caches[1], 'k'), textIn(caches[1], 'none')]).to.deep.equal([undefined, 'v']);
  });

  it('under a lease is refused after an invalidation since the lease, and what was there stays as it was', async () => {
    const { caches } = await makeTwo();
    const leases = ['k', 'other'].map((key) => caches[0].lease(key));
    caches[1].invalidateTags(['t']);
    expect(caches[0].set('k', bytesOf('v'), { tags: ['t'], lease: leases[0] as never })).to.equal(false);
    expect(caches[0].set('other', bytesOf('v'), { tags: ['u'], lease: leases[1] as never })).to.equal(true);
    expect([textIn(caches[1], 'k'), textIn(caches[1], 'other')]).to.deep.equal([undefined, 'v']);
    expect(caches[0].stats().node.staleFillCount).to.equal(1);
  });

  it('of bytes that come in pieces counts from when they began to come', async () => {
    const { caches } = await makeTwo();
    const pieces = async function* () {
      yield bytesOf('one');
      caches[1].invalidateTags(['t']);
      yield bytesOf('two');
    };
    await caches[0].set('k', pieces(), { tags: ['t'] });
    expect(textIn(caches[0], 'k')).to.equal(undefined);
  });

  it('of many keys has the tags of each', async () => {
    const { caches } = await makeTwo();
    const load = (keys: readonly unknown[]) => keys.map((key) => bytesOf(`${key}`));
    const pages = await caches[0].fetchMany(['a', 'b'], load, { tags: (key) => [`of ${key}`, 'all'] });
    for (const page of pages.values()) page.release();
    for (const page of (await caches[0].fetchMany(['c'], load, { tags: ['all'] })).values()) page.release();
    caches[1].invalidateTags(['of a']);
    expect(['a', 'b', 'c'].map((key) => textIn(caches[0], key))).to.deep.equal([undefined, 'b', 'c']);
    caches[1].invalidateTags(['all']);
    expect(['a', 'b', 'c'].map((key) => textIn(caches[0], key))).to.deep.equal([undefined, undefined, undefined]);
  });

  it('whose source has nothing is remembered until one of its tags is invalidated, and not in the midst of the load', async () => {
    const { caches } = await makeTwo();
    let loads = 0;
    const options = { tags: ['t'], negativeTtlMs: 600_000 };
    const load = () => {
      loads++;
      return notFound;
    };
    for (const cache of [...caches, ...caches]) (await cache.fetch('k', load, options)).release();
    expect(loads).to.equal(1);
    caches[0].invalidateTags(['t'], { staleFor: 60_000 });
    for (const cache of caches) (await cache.fetch('k', load, options)).release();
    expect(loads).to.equal(2);
    const overtaken = () => {
      caches[1].invalidateTags(['t']);
      return load();
    };
    (await caches[0].fetch('m', overtaken, options)).release();
    (await caches[0].fetch('m', load, options)).release();
    expect(loads).to.equal(4);
  });
});

describe('a page of a tag that was invalidated with staleFor', () => {
  it('is handed out as stale while one node loads it anew, and is a miss for all but fetch', async () => {
    const { caches } = await makeTwo();
    const source = new Source();
    caches[0].set('k', bytesOf('old'), { tags: ['t'] });
    expect(textIn(caches[1], 'k')).to.equal('old');
    caches[0].invalidateTags(['t'], { staleFor: 600_000 });
    for (const cache of caches)
      expect([cache.get('k'), cache.borrow('k'), cache.has('k')]).to.deep.equal([undefined, undefined, false]);
    for (const cache of [...caches, ...caches])
      expect(told(await cache.fetch('k', source.load, { tags: ['t'] }))).to.deep.equal(['old', 'stale']);
    expect(source.loads).to.equal(1);
    await source.answer();
    for (const cache of caches)
      expect(told(await cache.fetch('k', never, { tags: ['t'] }))).to.deep.equal(['v1', 'fresh']);
    expect(caches.map((cache) => textIn(cache, 'k'))).to.deep.equal(['v1', 'v1']);
  });

  it('is a miss once that time is over, or another invalidation gives it none', async () => {
    const { caches } = await makeTwo();
    for (const key of ['a', 'b']) caches[0].set(key, bytesOf('old'), { tags: [key] });
    caches[0].invalidateTags(['a'], { staleFor: 40 });
    caches[0].invalidateTags(['b'], { staleFor: 600_000 });
    caches[1].invalidateTags(['b']);
    await sleep(60);
    for (const key of ['a', 'b'])
      expect(told(await caches[1].fetch(key, () => bytesOf('new')))).to.deep.equal(['new', 'fresh']);
  });

  it('is loaded anew although its old load is still under way', async () => {
    const { caches } = await makeTwo();
    const source = new Source();
    caches[0].set('k', bytesOf('old'), { tags: ['t'] });
    caches[0].invalidateTags(['t'], { staleFor: 600_000 });
    expect(told(await caches[0].fetch('k', source.load, { tags: ['t'] }))).to.deep.equal(['old', 'stale']);
    caches[0].invalidateTags(['t'], { staleFor: 600_000 });
    expect(told(await caches[0].fetch('k', source.load, { tags: ['t'] }))).to.deep.equal(['old', 'stale']);
    expect(source.loads).to.equal(2);
    await source.answer();
    expect(textIn(caches[1], 'k')).to.equal('v2');
  });

  it('that has expired as well is stale only for who says so', async () => {
    const { caches } = await makeTwo();
    caches[0].set('k', bytesOf('old'), { tags: ['t'], ttlMs: 30, staleMs: 600_000 });
    caches[0].invalidateTags(['t'], { staleFor: 600_000 });
    await sleep(50);
    const source = new Source();
    expect(told(await caches[1].fetch('k', source.load, { staleMs: 600_000 }))).to.deep.equal(['old', 'stale']);
    await source.answer();
    expect(textIn(caches[1], 'k')).to.equal('v1');
    caches[0].set('k', bytesOf('old'), { tags: ['t'], ttlMs: 30, staleMs: 600_000 });
    caches[0].invalidateTags(['t'], { staleFor: 600_000 });
    await sleep(50);
    expect(told(await caches[1].fetch('k', () => bytesOf('new')))).to.deep.equal(['new', 'fresh']);
  });
});
