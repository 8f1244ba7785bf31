/** Many keys in one call: getMany and fetchMany, on one node, on two, and beside a process that dies. */
import { expect } from 'chai';
import { type BulkAnswer, type Key, type Page, SharedCache } from '../../src/index.js';
import { Peer } from './peer.js';
import { bytesOf, codeOf, makePool, makeTwo, pattern, sleep, textIn, textOf } from './pools.js';

function told(pages: ReadonlyMap<Key, Page>): [Key, string | undefined][] {
  return [...pages].map(([key, page]) => {
    const text = textOf(page.bytes);
    page.release();
    return [key, text];
  });
}

/** A source of many keys that counts its calls, and answers when it is told to. */
class Source {
  readonly calls: Key[][] = [];
  readonly signals: AbortSignal[] = [];
  private readonly gate: Promise<void>;
  open = () => {};
  fail = (_: Error) => {};

  constructor(isOpen = true) {
    this.gate = new Promise((resolve, reject) => {
      this.open = resolve;
      this.fail = reject;
    });
    this.gate.catch(() => {});
    if (isOpen) this.open();
  }

  readonly load = async (keys: readonly Key[], { signal }: { signal: AbortSignal }): Promise<BulkAnswer> => {
    this.calls.push([...keys]);
    this.signals.push(signal);
    await this.gate;
    return new Map(keys.map((key) => [key, bytesOf(`value of ${key}`)]));
  };
}

const KEYS = ['a', 'b', 'c', 'd'];
const VALUES = KEYS.map((key) => [key, `value of ${key}`]);

function pinsOf(cache: SharedCache): number {
  const { session } = (cache as unknown as { domain: { session: { parts: { nodes: never } } } }).domain;
  const nodes = session.parts.nodes as { self: number; info(row: number, of: boolean): { pins: number } };
  return nodes.info(nodes.self, false).pins;
}

describe('getMany of a cache', () => {
  it('gives a pinned page for each key, in the order asked for, one each for a key named twice; undefined for a miss', async () => {
    const { caches } = await makeTwo();
    caches[0].set('a', bytesOf('1'));
    caches[0].set('b', bytesOf('2'));
    const pages = caches[1].getMany(['b', 'none', 'a', 'b', bytesOf('a')]);
    expect(pages.map((page) => textOf(page?.bytes))).to.deep.equal(['2', undefined, '1', '2', '1']);
    pages[0]?.release();
    caches[0].clear();
    expect(textOf(pages[3]?.bytes)).to.equal('2');
    for (const page of pages) page?.release();
    expect(pinsOf(caches[1])).to.equal(0);
    expect([caches[1].stats().node.hitCount, caches[1].stats().node.missCount]).to.deep.equal([4, 1]);
  });

  it('that fails at one key leaves none pinned', async () => {
    const { caches } = await makeTwo();
    caches[0].set('a', bytesOf('1'));
    expect(await codeOf(() => caches[0].getMany(['a', '']))).to.equal('KEY_INVALID');
    expect(await codeOf(() => caches[0].getMany('a' as never))).to.equal('OPTION_INVALID');
    expect(pinsOf(caches[0])).to.equal(0);
  });
});

describe('fetchMany', () => {
  it('loads all that is missing by one call, in the order of the keys, and hands out what is there without', async () => {
    const { caches } = await makeTwo();
    const source = new Source();
    caches[1].set('b', bytesOf('there'));
    const pages = await caches[0].fetchMany(['d', 'b', 'a', 'd'], source.load);
    expect(told(pages)).to.deep.equal([
      ['d', 'value of d'],
      ['b', 'there'],
      ['a', 'value of a'],
    ]);
    expect(source.calls).to.deep.equal([['d', 'a']]);
    expect(textIn(caches[1], 'a')).to.equal('value of a');
    expect(told(await caches[1].fetchMany(['a', 'd'], source.load))).to.have.length(2);
    expect(await caches[1].fetchMany([], source.load)).to.have.property('size', 0);
    expect(source.calls).to.have.length(1);
    const { loadSuccessCount, missCount, hitCount } = caches[0].stats().node;
    expect([loadSuccessCount, missCount, hitCount]).to.deep.equal([2, 2, 1]);
    expect([pinsOf(caches[0]), pinsOf(caches[1])]).to.deep.equal([0, 0]);
  });

  it('every key is loaded once by two nodes whose keys overlap, however they are asked for', async () => {
    const { caches } = await makeTwo();
    const [one, two, single] = [new Source(false), new Source(false), new Source(false)];
    const calls = [
      caches[0].fetchMany(['a', 'b', 'c'], one.load),
      caches[1].fetchMany(['c', 'd', 'a'], two.load),
      caches[1].fetchMany(['b', 'd'], two.load),
    ];
    const other = caches[1].fetch('d', async () => single.load(['d'], { signal: AbortSignal.abort() }) as never);
    await sleep(20);
    for (const source of [one, two, single]) source.open();
    const texts = (await Promise.all(calls)).map((pages) => told(pages).map(([key, text]) => `${key}: ${text}`));
    expect(texts.flat()).to.have.members(
      ['a', 'b', 'c', 'c', 'd', 'a', 'b', 'd'].map((key) => `${key}: value of ${key}`),
    );
    (await other).release();
    expect([one.calls, two.calls, single.calls]).to.deep.equal([[['a', 'b', 'c']], [['d']], []]);
  });

  it('two calls that wait for each other, each for a key of the other, both end', async () => {
    const { caches } = await makeTwo();
    const source = new Source(false);
    const calls = [caches[0].fetchMany(['a', 'b'], source.load), caches[1].fetchMany(['b', 'a', 'c'], source.load)];
    await sleep(10);
    source.open();
    for (const pages of await Promise.all(calls)) expect(told(pages).length).to.be.above(1);
    expect(source.calls.flat().sort()).to.deep.equal(['a', 'b', 'c']);
  });

  it('what the source has nothing for is not in the answer, and not remembered: of it others are told nothing', async () => {
    const { caches } = await makeTwo();
    const gate = new Source(false);
    const some = async () => {
      await gate.load([], { signal: new AbortController().signal });
      return new Map([['a', bytesOf('1')]]);
    };
    const pages = caches[0].fetchMany(['none', 'a', 'other'], some);
    const joins = caches.map((cache) => cache.fetch('none', () => bytesOf('mine')));
    await sleep(10);
    gate.open();
    expect(told(await pages)).to.deep.equal([['a', '1']]);
    for (const page of await Promise.all(joins)) {
      expect(textOf(page.bytes)).to.equal('mine');
      page.release();
    }
    expect(caches[1].has('other')).to.equal(false);
    expect(caches[0].stats().node.loadFailureCount).to.equal(2);
  });

  it('keys that the answer has besides are neither given nor stored; keys that are bytes are known by them', async () => {
    const { caches } = await makeTwo();
    const key = Uint8Array.of(255, 0);
    const load = async () =>
      new Map<Key, Uint8Array>([
        [Uint8Array.of(255, 0), bytesOf('1')],
        ['other', bytesOf('2')],
      ]);
    expect(told(await caches[0].fetchMany([key, Uint8Array.of(255, 0)], load)).map(([, text]) => text)).to.deep.equal([
      '1',
      '1',
    ]);
    expect(caches[1].has('other')).to.equal(false);
  });

  it('an array answers in the order of the keys that the loader was given', async () => {
    const { caches } = await makeTwo();
    const load = (keys: readonly Key[]) => keys.map((key) => (key === 'b' ? undefined : bytesOf(`value of ${key}`)));
    expect(told(await caches[0].fetchMany(KEYS, load))).to.deep.equal(VALUES.filter(([key]) => key !== 'b'));
  });

  for (const [name, answer] of [
    ['an array of another length', () => [bytesOf('1')]],
    [
      'a Map with something else than bytes',
      () =>
        new Map<Key, never>([
          ['a', bytesOf('1')],
          ['b', 'text'],
        ] as never),
    ],
    ['an object', () => ({ a: bytesOf('1') }) as never],
    ['nothing', () => undefined as never],
  ] as [string, () => BulkAnswer][]) {
    it(`${name} is OPTION_INVALID, and nothing of it is published`, async () => {
      const { caches, pools } = await makeTwo();
      caches[0].set('there', bytesOf('there'));
      expect(await codeOf(() => caches[0].fetchMany(['there', 'a', 'b'], answer))).to.equal('OPTION_INVALID');
      expect([caches[0].has('a'), caches[0].has('b'), pools[0].stats().drafts]).to.deep.equal([false, false, 0]);
      expect([pinsOf(caches[0]), caches[0].stats().node.loadFailureCount]).to.deep.equal([0, 2]);
      expect(told(await caches[1].fetchMany(KEYS, new Source().load))).to.deep.equal(VALUES);
    });
  }

  it('a loader that throws, at once or later, fails the call, and leaves neither pages, pins nor claims', async () => {
    const { caches, pools } = await makeTwo();
    caches[0].set('d', bytesOf('there'));
    const atOnce = () => {
      throw new Error('at once');
    };
    for (const load of [atOnce, async () => atOnce()]) {
      expect(await codeOf(() => caches[0].fetchMany(KEYS, load))).to.equal('Error: at once');
      expect([pinsOf(caches[0]), pools[0].stats().drafts, caches[0].has('a')]).to.deep.equal([0, 0, false]);
    }
    expect(told(await caches[1].fetchMany(['a', 'b'], new Source().load))).to.deep.equal(VALUES.slice(0, 2));
  });

  it('a page that comes for a call that has failed meanwhile is released', async () => {
    const { caches } = await makeTwo();
    const [other, source] = [new Source(false), new Source(false)];
    const theirs = caches[1].fetchMany(['a'], other.load);
    const failed = codeOf(() => caches[0].fetchMany(['a', 'b'], source.load));
    await sleep(5);
    source.fail(new Error('mine'));
    expect(await failed).to.equal('Error: mine');
    other.open();
    expect(told(await theirs)).to.deep.equal(VALUES.slice(0, 1));
    (await caches[0].fetch('a', () => bytesOf('never'))).release();
    await sleep(20);
    expect(pinsOf(caches[0])).to.equal(0);
  });

  it('a key that is none calls no loader and pins nothing', async () => {
    const { caches, pools } = await makeTwo();
    const source = new Source();
    caches[0].set('a', bytesOf('there'));
    expect(await codeOf(() => caches[0].fetchMany(['a', 'b', ''], source.load))).to.equal('KEY_INVALID');
    expect(await codeOf(() => caches[0].fetchMany('ab' as never, source.load))).to.equal('OPTION_INVALID');
    expect(await codeOf(() => caches[0].fetchMany(['a'], undefined as never))).to.equal('OPTION_INVALID');
    expect(await codeOf(() => caches[0].fetchMany(['a'], source.load, { staleMs: 1 } as never))).to.equal(
      'OPTION_INVALID',
    );
    expect([source.calls.length, pinsOf(caches[0]), pools[0].stats().drafts]).to.deep.equal([0, 0, 0]);
  });

  it('aborted, it rejects and pins nothing; its loader sees it once nobody waits for any of its keys', async () => {
    const { caches, pools } = await makeTwo();
    const controller = new AbortController();
    const source = new Source(false);
    const call = codeOf(() => caches[0].fetchMany(['a', 'b'], source.load, { signal: controller.signal }));
    const other = new AbortController();
    const joined = codeOf(() => caches[0].fetch('b', () => bytesOf('mine'), { signal: other.signal }));
    await sleep(10);
    controller.abort(new Error('enough'));
    expect(await call).to.equal('ABORTED');
    expect([source.calls, source.signals[0]?.aborted]).to.deep.equal([[['a', 'b']], false]);
    other.abort();
    expect(await joined).to.equal('ABORTED');
    expect(source.signals[0]?.aborted).to.equal(true);
    source.open();
    await sleep(10);
    expect([pinsOf(caches[0]), pools[0].stats().drafts, caches[0].has('a')]).to.deep.equal([0, 0, false]);
    const aborted = { signal: AbortSignal.abort() };
    expect(await codeOf(() => caches[0].fetchMany(['a'], source.load, aborted))).to.equal('ABORTED');
    expect(source.calls).to.have.length(1);
  });

  it('an invalidation in the middle of a load wins for its key alone; who loads gets what he loaded', async () => {
    const { caches } = await makeTwo();
    const source = new Source(false);
    const pages = caches[0].fetchMany(['a', 'b', 'c'], source.load);
    await sleep(5);
    caches[1].delete('b');
    caches[1].set('c', bytesOf('newer'));
    source.open();
    expect(told(await pages).map(([, text]) => text)).to.deep.equal(['value of a', 'value of b', 'value of c']);
    expect([caches[1].has('a'), textIn(caches[0], 'c')]).to.deep.equal([true, 'newer']);
    expect(caches[0].has('b')).to.equal(false);
    expect(caches[0].stats().node.staleFillCount).to.be.above(0);
  });

  it('its ttlMs counts for each page', async () => {
    const { caches } = await makeTwo();
    told(await caches[0].fetchMany(KEYS, new Source().load, { ttlMs: 30 }));
    expect(caches[1].has('a')).to.equal(true);
    await sleep(60);
    for (const key of KEYS) expect(caches[1].has(key)).to.equal(false);
  });

  it('a loader that fetches what it is to load is no end without end', async () => {
    const { caches } = await makeTwo();
    let depth = 0;
    const load = async (keys: readonly Key[]): Promise<BulkAnswer> => {
      depth++;
      if (depth === 1)
        return new Map([...(await caches[0].fetchMany(keys, load))].map(([key, page]) => [key, page.copy()]));
      return keys.map(() => bytesOf('v'));
    };
    expect(told(await caches[0].fetchMany(['a', 'b'], load))).to.deep.equal([
      ['a', 'v'],
      ['b', 'v'],
    ]);
    expect(depth).to.equal(2);
    const forEver = (keys: readonly Key[]) => caches[0].fetchMany(keys, forEver) as never;
    expect(await codeOf(() => caches[0].fetchMany(['c'], forEver, { loadTimeoutMs: 2000 }))).to.equal('LOAD_CYCLE');
  });

  it('many keys, some too large for the pool: each comes, those private, and all pins are given back', async () => {
    const cache = new SharedCache(await makePool({ size: '8MiB' }));
    const keys = Array.from({ length: 500 }, (_, i) => `key ${i}`);
    let calls = 0;
    const load = (asked: readonly Key[]) => {
      calls++;
      return asked.map((_, i) => pattern(i % 100 === 0 ? 2 ** 24 : 100, i));
    };
    const pages = await cache.fetchMany(keys, load);
    expect([...pages.keys()]).to.deep.equal(keys);
    [...pages.values()].forEach((page, i) => {
      expect(Buffer.compare(page.bytes, pattern(i % 100 === 0 ? 2 ** 24 : 100, i))).to.equal(0);
      page.release();
    });
    expect([calls, cache.stats().node.unsharedCount, pinsOf(cache)]).to.deep.equal([1, 5, 0]);
  });

  it('keys of a process that is killed while it loads them are loaded by who waits for them', async () => {
    const pool = await makePool();
    const cache = new SharedCache(pool, { namespace: 'n' });
    const peer = await Peer.start(pool.path);
    const hung = peer.call(
      'run',
      "await cache.fetchMany(['a', 'b'], () => { process.send({ event: 'loading' }); return new Promise(() => {}); })",
    );
    hung.catch(() => {});
    await peer.saw('loading');
    const source = new Source();
    const pages = cache.fetchMany(KEYS, source.load);
    await sleep(20);
    expect(source.calls).to.deep.equal([['c', 'd']]);
    await peer.kill();
    expect(told(await pages)).to.deep.equal(VALUES);
    expect(source.calls.flat().sort()).to.deep.equal(KEYS);
  });
});
