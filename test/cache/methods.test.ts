/** SharedCache, call by call, on one node and as a second node of the pool sees it. */
import { expect } from 'chai';
import { connect, SharedCache } from '../../src/index.js';
import { bytesOf, codeOf, join, makePool, makeTwo, pattern, sleep, textIn, textOf } from './pools.js';

const LONG_KEY = 'k'.repeat(500);
const BINARY_KEY = Uint8Array.of(0, 255, 128, 0);

describe('the calls of a cache', () => {
  for (const [name, key] of [
    ['a short key', 'k'],
    ['a key beyond ASCII', 'schlüssel/鍵'],
    ['a key too long for the slot', LONG_KEY],
    ['a binary key', BINARY_KEY],
    ['a key too long for an event', 'k'.repeat(5000)],
    ['bytes too long for an event', new Uint8Array(5000)],
    ['an empty namespace and one zero byte', Uint8Array.of(0)],
  ] as const) {
    it(`every call finds on both nodes what set stored under ${name}`, async () => {
      const { caches } = await makeTwo();
      expect(caches[0].set(key, bytesOf('value'))).to.equal(true);
      for (const cache of [...caches, ...caches]) {
        expect(textOf(cache.borrow(key))).to.equal('value');
        expect(textOf(cache.peek(key))).to.equal('value');
        expect(cache.has(key)).to.equal(true);
        expect(cache.lease(key)).to.equal(undefined);
        const target = new Uint8Array(7);
        expect(cache.read(key, target, 1)).to.equal(5);
        expect(textOf(target)).to.equal('\0value\0');
        const page = cache.get(key);
        expect([textOf(page?.bytes), page?.size, page?.metadata.length]).to.deep.equal(['value', 5, 0]);
        page?.release();
      }
      expect(caches[1].delete(key)).to.equal(true);
      expect(caches[1].delete(key)).to.equal(false);
      for (const cache of caches) {
        expect(cache.borrow(key)).to.equal(undefined);
        expect(cache.peek(key)).to.equal(undefined);
        expect(cache.get(key)).to.equal(undefined);
        expect(cache.has(key)).to.equal(false);
        expect(cache.read(key, new Uint8Array(9))).to.equal(-1);
        expect(cache.lease(key)).to.not.equal(undefined);
      }
    });
  }

  it('a string and its UTF-8 bytes are one key', async () => {
    const { caches } = await makeTwo();
    caches[0].set('ü', bytesOf('1'));
    expect(textIn(caches[1], bytesOf('ü'))).to.equal('1');
    expect(textIn(caches[1], 'ü')).to.equal('1');
    caches[1].set(bytesOf('ü'), bytesOf('2'));
    for (const cache of caches) expect([textIn(cache, 'ü'), textIn(cache, bytesOf('ü'))]).to.deep.equal(['2', '2']);
    caches[0].delete(bytesOf('ü'));
    for (const cache of caches) expect([cache.has('ü'), cache.has(bytesOf('ü'))]).to.deep.equal([false, false]);
  });

  it('set supersedes, in any size, and a pin keeps the old bytes', async () => {
    const { caches, pools } = await makeTwo();
    const pages = [0, 1, 63, 64, 65, 4095, 4096, 4097, 100_000, 3].map((size, version) => {
      expect(caches[version % 2]?.set('k', pattern(size, 1, version))).to.equal(true);
      const page = caches[(version + 1) % 2]?.get('k');
      return { page, expected: pattern(size, 1, version) };
    });
    for (const { page, expected } of pages) {
      expect(page?.copy()).to.deep.equal(expected);
      page?.release();
    }
    expect(pools[0].stats().objects).to.equal(1);
    expect([...caches[0].keys()]).to.deep.equal(['k']);
  });

  it('a value keeps its metadata, and superseding it takes the metadata along', async () => {
    const { caches } = await makeTwo();
    for (const length of [1, 100, 65_535]) {
      for (const key of ['short', LONG_KEY]) {
        expect(caches[0].set(key, bytesOf('v'), { metadata: pattern(length, 2) })).to.equal(true);
        const page = caches[1].get(key);
        expect(page?.metadata.slice()).to.deep.equal(pattern(length, 2));
        expect(textOf(page?.bytes)).to.equal('v');
        page?.release();
      }
    }
    caches[1].set('short', bytesOf('w'));
    const page = caches[0].get('short');
    expect([textOf(page?.bytes), page?.metadata.length]).to.deep.equal(['w', 0]);
    page?.release();
  });

  it('metadata beyond what a slot can say is refused as an option, and the pool stays readable', async () => {
    const { caches } = await makeTwo();
    caches[0].set('k', bytesOf('old'));
    expect(await codeOf(() => caches[0].set('k', bytesOf('new'), { metadata: new Uint8Array(65_536) }))).to.equal(
      'OPTION_INVALID',
    );
    expect(textIn(caches[1], 'k')).to.equal('old');
  });

  it('set says false when the value does not fit, and the old page is hidden on every node all the same', async () => {
    const { caches, pools } = await makeTwo();
    caches[0].set('k', bytesOf('old'));
    expect(textIn(caches[1], 'k')).to.equal('old');
    expect(caches[0].set('k', new Uint8Array(8 * 1024 * 1024))).to.equal(false);
    for (const cache of caches) expect(cache.has('k')).to.equal(false);
    const pinner = await join(pools[0].path, { maxPinShare: 1 });
    const held = fillWithPins(new SharedCache(pinner, { namespace: 'n' }), pools[0].info.maxObjects);
    const key = held[5]?.key as string;
    expect(caches[0].set(key, new Uint8Array(16_000)), 'all is pinned').to.equal(false);
    for (const cache of caches) expect(cache.has(key)).to.equal(false);
    expect(held[5]?.copy()).to.deep.equal(pattern(4096, 5));
    for (const page of held) page.release();
  });

  it('a set with a lease is refused after the key was set, deleted or cleared, or is stored already', async () => {
    const { caches } = await makeTwo();
    const spoilers = [
      () => caches[1].set('k', bytesOf('theirs')),
      () => caches[1].delete('k'),
      () => caches[1].clear(),
      () => caches[0].set('k', bytesOf('theirs')) && caches[0].delete('k'),
    ];
    for (const spoil of spoilers) {
      caches[0].delete('k');
      const lease = caches[0].lease('k');
      expect(lease).to.not.equal(undefined);
      spoil();
      const before = textIn(caches[0], 'k');
      expect(caches[0].set('k', bytesOf('stale'), { lease: lease! })).to.equal(false);
      for (const cache of caches) expect(textIn(cache, 'k')).to.equal(before);
    }
    caches[0].delete('k');
    const lease = caches[0].lease('k');
    expect(caches[0].set('k', bytesOf('fresh'), { lease: lease! })).to.equal(true);
    expect(textIn(caches[1], 'k')).to.equal('fresh');
  });

  it('a lease serves another node, and no other key', async () => {
    const { caches } = await makeTwo();
    const lease = caches[0].lease('k');
    // So many that some are of the same stripe.
    for (let i = 0; i < 200; i++) {
      const set = () => caches[0].set(`another ${i}`, bytesOf('v'), { lease: lease! });
      expect(await codeOf(set), `another ${i}`).to.equal('OPTION_INVALID');
    }
    expect(caches[1].set('k', bytesOf('v'), { lease: lease! })).to.equal(true);
  });

  it('keys lists what a get would find: no superseded, deleted, expired or cleared key, none of drafts', async () => {
    const { caches, pools } = await makeTwo();
    for (const key of ['a', 'b', 'c', LONG_KEY]) caches[0].set(key, bytesOf(key));
    caches[1].set('b', bytesOf('again'));
    caches[1].delete('c');
    caches[1].set('brief', bytesOf('x'), { ttlMs: 5 });
    caches[1].set(BINARY_KEY, bytesOf('x'));
    pools[0].create('n\0draft', 10);
    await sleep(10);
    const binary = Buffer.from(BINARY_KEY).toString('base64url');
    for (const cache of caches) expect([...cache.keys()].sort()).to.deep.equal([binary, 'a', 'b', LONG_KEY].sort());
    caches[0].clear();
    for (const cache of caches) expect([...cache.keys()]).to.deep.equal([]);
  });

  it('clear hides everything on both nodes, pins keep their bytes, and the room comes back', async () => {
    const { caches, pools } = await makeTwo({ eviction: 'none' });
    for (let round = 0; round < 5; round++) {
      for (let i = 0; i < 400; i++)
        expect(caches[i % 2]?.set(`k${i}`, pattern(4096, i)), `${round} ${i}`).to.equal(true);
      const held = caches[1].get('k7');
      caches[round % 2]?.clear();
      for (let i = 0; i < 400; i++) for (const cache of caches) expect(cache.has(`k${i}`)).to.equal(false);
      expect(held?.copy()).to.deep.equal(pattern(4096, 7));
      held?.release();
      // The scratch hazard of `has` counts until this run ends; what was cleared is swept once a second, here by the test.
      await sleep(0);
      for (let shard = 0; shard < pools[0].session.parts.geometry.shards; shard++) sweep(pools[0], shard);
    }
    expect(pools[0].stats().objects).to.equal(0);
    expect(pools[0].stats().bytesUsed).to.equal(0);
  });

  it('clear takes no longer with more entries: it touches no slot', async () => {
    const { caches, pools } = await makeTwo();
    for (let i = 0; i < 300; i++) caches[0].set(`k${i}`, pattern(100, i));
    const { shards, slots } = pools[0].session.parts;
    const states = () => Array.from({ length: slots.total }, (_, slot) => slots.stateWord(slot));
    const before = states();
    const sequence = shards.retireSequence(0);
    caches[0].clear();
    expect(states()).to.deep.equal(before);
    expect(shards.retireSequence(0)).to.equal(sequence);
  });

  it('refuses keys, options and targets that make no sense, and says which', async () => {
    const pool = await makePool();
    const cache = new SharedCache(pool);
    for (const key of [
      '',
      new Uint8Array(0),
      'k'.repeat(65_535),
      'ü'.repeat(33_000),
      '\ud800',
      7 as unknown as string,
    ]) {
      expect(await codeOf(() => cache.set(key, bytesOf('v')))).to.equal('KEY_INVALID');
      expect(await codeOf(() => cache.borrow(key))).to.equal('KEY_INVALID');
      expect(await codeOf(() => cache.fetch(key, () => bytesOf('v')))).to.equal('KEY_INVALID');
    }
    for (const ttlMs of [0, -1, Number.NaN, Number.POSITIVE_INFINITY]) {
      expect(await codeOf(() => cache.set('k', bytesOf('v'), { ttlMs }))).to.equal('OPTION_INVALID');
    }
    cache.set('k', bytesOf('value'));
    expect(await codeOf(() => cache.read('k', new Uint8Array(4)))).to.equal('OPTION_INVALID');
    expect(await codeOf(() => cache.read('k', new Uint8Array(9), 5))).to.equal('OPTION_INVALID');
    expect(await codeOf(() => cache.read('k', new Uint8Array(9), -1))).to.equal('OPTION_INVALID');
    expect(await codeOf(() => new SharedCache(pool, { namespace: 'a\0b' }))).to.equal('OPTION_INVALID');
    expect(await codeOf(() => cache.set('k', 'text' as unknown as Uint8Array))).to.equal('OPTION_INVALID');
  });

  it('a read-only node gets no cache, and every call after disconnect says DISCONNECTED', async () => {
    const pool = await makePool();
    const reader = await connect(pool.path, { readOnly: true });
    expect(await codeOf(() => new SharedCache(reader))).to.equal('READ_ONLY');
    await reader.disconnect();
    const node = await join(pool.path);
    const cache = new SharedCache(node);
    const pages = cache.pages('p', { pageSize: 16 });
    cache.set('k', bytesOf('v'));
    pages.put(1, new Uint8Array(16));
    cache.borrow('k');
    await node.disconnect();
    const bytes = new Uint8Array(16);
    const calls: (() => unknown)[] = [
      () => cache.borrow('k'),
      () => cache.get('k'),
      () => cache.read('k', bytes),
      () => cache.peek('k'),
      () => cache.has('k'),
      () => cache.lease('k'),
      () => cache.set('k', bytes),
      () => cache.delete('k'),
      () => cache.clear(),
      () => [...cache.keys()],
      () => cache.stats(),
      () => cache.fetch('k', () => bytes),
      () => cache.pages('q', { pageSize: 16 }),
      () => pages.borrow(1),
      () => pages.get(1),
      () => pages.read(1, bytes),
      () => pages.lease(1),
      () => pages.put(1, bytes),
      () => pages.fetchSync(1, () => {}),
      () => pages.readThrough(1, bytes, () => {}),
      () => pages.fetch(1, () => {}),
      () => pages.invalidate(1),
      () => pages.invalidateRange(1, 2),
      () => pages.drop(),
    ];
    for (const call of calls) expect(await codeOf(call), String(call)).to.equal('DISCONNECTED');
  });
});

describe('time to live', () => {
  it('an expired page is a miss on every node, by every call, and can be set again', async () => {
    const { caches } = await makeTwo();
    caches[0].set('k', bytesOf('v'), { ttlMs: 40 });
    caches[0].set('stays', bytesOf('v'));
    for (const cache of caches) expect([cache.has('k'), cache.borrow('k')?.length]).to.deep.equal([true, 1]);
    await sleep(50);
    for (const cache of caches) {
      expect(cache.borrow('k')).to.equal(undefined);
      expect(cache.get('k')).to.equal(undefined);
      expect(cache.peek('k')).to.equal(undefined);
      expect(cache.has('k')).to.equal(false);
      expect(cache.read('k', new Uint8Array(4))).to.equal(-1);
      expect(cache.has('stays')).to.equal(true);
    }
    expect(caches[1].delete('k')).to.equal(false);
    expect(caches[1].set('k', bytesOf('w'))).to.equal(true);
    await sleep(50);
    for (const cache of caches) expect(textIn(cache, 'k')).to.equal('w');
  });

  it("the cache's own ttl holds for set and fetch, and an option of the call goes before it", async () => {
    const pool = await makePool();
    const cache = new SharedCache(pool, { ttlMs: 30 });
    cache.set('default', bytesOf('v'));
    cache.set('longer', bytesOf('v'), { ttlMs: 60_000 });
    (await cache.fetch('fetched', () => bytesOf('v'))).release();
    (await cache.fetch('fetched longer', () => bytesOf('v'), { ttlMs: 60_000 })).release();
    await sleep(40);
    expect([...cache.keys()].sort()).to.deep.equal(['fetched longer', 'longer']);
  });
});

function fillWithPins(cache: SharedCache, count: number) {
  const pages = [];
  let refused = 0;
  // Some shards are full before others.
  for (let i = 0; i < count * 2 && refused < 50; i++) {
    if (!cache.set(`pin${i}`, pattern(4096, i))) {
      refused++;
      continue;
    }
    const page = cache.get(`pin${i}`);
    if (page !== undefined) pages.push(page);
  }
  return pages;
}

function sweep(pool: Awaited<ReturnType<typeof makePool>>, shard: number): void {
  const { locks } = pool.session.parts;
  locks.acquire(shard);
  pool.session.writer.reclaimer.sweep(shard, Date.now());
  locks.release(shard);
}
