/** Negative entries: what a source has nothing for, on two nodes; who ends them, and how much room they take. */
import { expect } from 'chai';
import { type Key, type Loader, notFound, type Page, type SharedCache } from '../../src/index.js';
import { Peer } from './peer.js';
import { bytesOf, codeOf, join, makePool, makeTwo, pattern, sleep, textIn, textOf } from './pools.js';

const LONG = { negativeTtlMs: 600_000 };
const never: Loader = () => {
  throw new Error('called');
};

function told(page: Page): [string | undefined, string] {
  const answer: [string | undefined, string] = [textOf(page.bytes), page.freshness];
  page.release();
  return answer;
}

const NOTHING: [string, string] = ['', 'negative'];

/** A source that has nothing, and says so when it is told to. */
class Source {
  loads = 0;
  private readonly waiting: ((answer: typeof notFound) => void)[] = [];

  readonly load: Loader = () => {
    this.loads++;
    return new Promise((resolve) => this.waiting.push(resolve));
  };

  async answer(): Promise<void> {
    for (const resolve of this.waiting.splice(0)) resolve(notFound);
    await sleep(5);
  }
}

const keys: Key[] = ['k', 'k'.repeat(700), Uint8Array.of(0, 255)];

describe('a source that has nothing', () => {
  for (const key of keys) {
    it(`is asked once by all nodes, and that is the answer for its time: key of ${key.length}`, async () => {
      const { caches, pools } = await makeTwo();
      const source = new Source();
      const pages = Array.from({ length: 20 }, (_, i) => (caches[i % 2] as SharedCache).fetch(key, source.load, LONG));
      await sleep(20);
      await source.answer();
      for (const page of await Promise.all(pages)) expect(told(page)).to.deep.equal(NOTHING);
      for (const cache of caches) {
        expect(told(await cache.fetch(key, never))).to.deep.equal(NOTHING);
        expect([cache.borrow(key), cache.get(key), cache.has(key), cache.read(key, new Uint8Array(1))]).to.deep.equal([
          undefined,
          undefined,
          false,
          -1,
        ]);
        expect([...cache.keys()]).to.deep.equal([]);
      }
      expect([source.loads, pools[0].stats().drafts, pools[0].stats().pins]).to.deep.equal([1, 0, 0]);
      expect([...pools[0].list()]).to.deep.equal([]);
      expect(caches[0].stats().total.loadSuccessCount).to.equal(1);
    });
  }

  it('is asked again when the time is over, which begins with its load, and each time without one', async () => {
    const { caches } = await makeTwo();
    const source = new Source();
    const slow = caches[0].fetch('k', source.load, { negativeTtlMs: 30 });
    await sleep(60);
    await source.answer();
    expect(told(await slow)).to.deep.equal(NOTHING);
    let asked = 0;
    const load = () => {
      asked++;
      return notFound;
    };
    expect(told(await caches[1].fetch('k', load, { ttlMs: 30 }))).to.deep.equal(NOTHING);
    expect(asked).to.equal(1);
    expect(told(await caches[0].fetch('k', never))).to.deep.equal(NOTHING);
    await sleep(50);
    expect(told(await caches[0].fetch('k', () => bytesOf('v')))).to.deep.equal(['v', 'fresh']);
    expect(told(await caches[0].fetch('other', () => notFound))).to.deep.equal(NOTHING);
    expect(told(await caches[1].fetch('other', () => bytesOf('v')))).to.deep.equal(['v', 'fresh']);
  });

  it('is KEY_NOT_FOUND to fetchCopy, with and values, which have nothing to give', async () => {
    const { caches } = await makeTwo();
    const load = () => notFound;
    expect(await codeOf(() => caches[0].fetchCopy('k', load, LONG))).to.equal('KEY_NOT_FOUND');
    expect(await codeOf(() => caches[1].with('k', never, () => 1))).to.equal('KEY_NOT_FOUND');
    const values = caches[1].values<{ a: number }>('json');
    expect(await codeOf(() => values.fetch('k', never as never))).to.equal('KEY_NOT_FOUND');
    expect(await codeOf(() => values.fetch('v', () => notFound, LONG))).to.equal('KEY_NOT_FOUND');
    expect(told(await caches[0].fetch('v', never))).to.deep.equal(NOTHING);
  });

  it('is not asked for such keys by fetchMany, which remembers them as well', async () => {
    const { caches } = await makeTwo();
    const asked: Key[][] = [];
    const load = (wanted: readonly Key[]) => {
      asked.push([...wanted]);
      return wanted.map((key) => (key === 'a' ? bytesOf('1') : key === 'b' ? notFound : undefined));
    };
    const pages = await caches[0].fetchMany(['a', 'b', 'c'], load, LONG);
    expect([...pages.keys()]).to.deep.equal(['a']);
    for (const page of pages.values()) page.release();
    expect(told(await caches[1].fetch('b', never))).to.deep.equal(NOTHING);
    for (const page of (await caches[1].fetchMany(['a', 'b', 'c'], load)).values()) page.release();
    expect(asked).to.deep.equal([['a', 'b', 'c'], ['c']]);
  });
});

describe('setNegative', () => {
  it('hides the page on every node and answers without a load; its load under way publishes nothing', async () => {
    const { caches } = await makeTwo();
    caches[0].set('k', bytesOf('v'));
    expect(textIn(caches[1], 'k')).to.equal('v');
    expect(caches[0].setNegative('k', { ttlMs: 600_000 })).to.equal(true);
    for (const cache of caches) {
      expect(cache.has('k')).to.equal(false);
      expect(told(await cache.fetch('k', never))).to.deep.equal(NOTHING);
    }
    let open = (_: Uint8Array) => {};
    const loading = caches[0].fetch('other', () => new Promise((resolve) => (open = resolve)));
    await sleep(5);
    expect(caches[1].setNegative('other', { ttlMs: 600_000 })).to.equal(true);
    open(bytesOf('old'));
    expect(told(await loading)).to.deep.equal(['old', 'fresh']);
    expect(told(await caches[0].fetch('other', never))).to.deep.equal(NOTHING);
    for (const options of [{}, { ttlMs: 0 }, { ttlMs: 1, tags: [] }, undefined] as never[])
      expect(await codeOf(() => caches[0].setNegative('k', options))).to.equal('OPTION_INVALID');
    expect(await codeOf(() => caches[0].setNegative('', { ttlMs: 1 }))).to.equal('KEY_INVALID');
  });

  for (const [how, end] of [
    ['set, also when its page has gone again', (cache: SharedCache) => cache.set('k', bytesOf('new'), { ttlMs: 1 })],
    ['delete', (cache: SharedCache) => cache.delete('k')],
    ['clear', (cache: SharedCache) => cache.clear()],
  ] as [string, (cache: SharedCache) => void][]) {
    it(`is ended by ${how}`, async () => {
      const { caches } = await makeTwo();
      caches[0].setNegative('k', { ttlMs: 600_000 });
      expect(told(await caches[1].fetch('k', never))).to.deep.equal(NOTHING);
      end(caches[1]);
      await sleep(5);
      for (const cache of caches) {
        expect(told(await cache.fetch('k', () => bytesOf('loaded'), { ttlMs: 1 }))).to.deep.equal(['loaded', 'fresh']);
        await sleep(5);
      }
    });

    it(`what a source said before a ${how} is not remembered, nor told to who asks after it`, async () => {
      const { caches } = await makeTwo();
      const source = new Source();
      const before = caches[0].fetch('k', source.load, LONG);
      const joined = caches.map((cache) => cache.fetch('k', () => bytesOf('loaded')));
      await sleep(5);
      end(caches[1]);
      await sleep(5);
      const after = caches.map((cache) => cache.fetch('k', () => bytesOf('loaded')));
      await sleep(5);
      await source.answer();
      expect(told(await before)).to.deep.equal(NOTHING);
      for (const page of await Promise.all([...joined, ...after])) expect(told(page)[1]).to.equal('fresh');
      expect(textIn(caches[0], 'k')).to.equal('loaded');
    });
  }
});

describe('negative entries and pages', () => {
  it('a page that is kept for stale answers ends where its source has nothing more, and one that is fresh does not', async () => {
    const { caches } = await makeTwo();
    const stale = { ttlMs: 20, staleMs: 600_000 };
    caches[0].set('k', bytesOf('old'), stale);
    await sleep(40);
    expect(told(await caches[1].fetch('k', () => notFound, { negativeTtlMs: 20 }))).to.deep.equal(NOTHING);
    await sleep(40);
    expect(await codeOf(() => caches[0].fetch('k', never, { ...stale, staleOnErrorMs: 600_000 }))).to.equal(
      'Error: called',
    );
    const source = new Source();
    const slow = caches[0].fetch('k', source.load, LONG);
    await sleep(5);
    const lease = caches[1].lease('k');
    caches[1].set('k', bytesOf('fresh'), lease === undefined ? {} : { lease });
    await source.answer();
    expect(told(await slow)).to.deep.equal(NOTHING);
    expect(textIn(caches[0], 'k')).to.equal('fresh');
  });

  it('take a room of their own: a flood of them displaces no more pages than it has places', async () => {
    const pool = await makePool({ size: '8MiB', pageSize: 512 });
    const other = await join(pool.path);
    const { SharedCache: Cache } = await import('../../src/index.js');
    const [cache, flooded] = [new Cache(pool, { namespace: 'n' }), new Cache(other, { namespace: 'n' })];
    for (let i = 0; i < 1000; i++) cache.set(`page ${i}`, pattern(400, i));
    const before = pool.stats().objects;
    for (let i = 0; i < 5000; i++) expect(flooded.setNegative(`none ${i}`, { ttlMs: 600_000 })).to.be.a('boolean');
    const { objects } = pool.stats();
    expect(objects - before).to.be.within(1, Math.ceil(pool.info.maxObjects / 64) + 64);
    for (let i = 0; i < 1000; i++) expect(cache.has(`page ${i}`)).to.equal(true);
    let known = 0;
    for (let i = 0; i < 5000; i++)
      known += told(await cache.fetch(`none ${i}`, () => bytesOf('v')))[1] === 'negative' ? 1 : 0;
    expect(known).to.be.within(1, objects - before);
  });

  it('keys that share a place are told apart, and the later one has it', async () => {
    const { caches } = await makeTwo();
    const stored: string[] = [];
    for (let i = 0; i < 400; i++) {
      caches[0].setNegative(`k${i}`, { ttlMs: 600_000 });
      stored.push(`k${i}`);
      await new Promise((resolve) => setImmediate(resolve));
    }
    for (let i = 0; i < 400; i++)
      expect(told(await caches[1].fetch(`other${i}`, () => bytesOf('v')))[1]).to.equal('fresh');
    await sleep(2);
    expect(caches[0].setNegative('k0', { ttlMs: 600_000 })).to.equal(true);
    expect(told(await caches[1].fetch('k0', never))).to.deep.equal(NOTHING);
  });

  it('of a process that was killed stay, and its load that had not answered is begun by another', async () => {
    const pool = await makePool();
    const { SharedCache: Cache } = await import('../../src/index.js');
    const cache = new Cache(pool, { namespace: 'n' });
    const peer = await Peer.start(pool.path);
    await peer.call('run', "cache.setNegative('k', { ttlMs: 600000 })");
    const hung = peer.call(
      'run',
      "await cache.fetch('hung', () => { process.send({ event: 'loading' }); return new Promise(() => {}); })",
    );
    hung.catch(() => {});
    await peer.saw('loading');
    await peer.kill();
    expect(told(await cache.fetch('k', never))).to.deep.equal(NOTHING);
    expect(told(await cache.fetch('hung', () => notFound, LONG))).to.deep.equal(NOTHING);
    expect(pool.stats().drafts).to.equal(0);
  });
});
