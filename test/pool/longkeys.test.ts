/** Keys beyond what an event holds: whole in the pool, compared as a whole, told by a digest. */
import { createHash } from 'node:crypto';
import { expect } from 'chai';
import { keysNamed, wordsFor } from '../../adapters/cli/names.js';
import { KeyHash } from '../../lib/hash.js';
import { notFound, type PoolEvent, SharedCache } from '../../src/index.js';
import { Slot } from '../../src/pool/layout/layout.js';
import { expectCleanCensus } from '../support/census.js';
import { codeOf, MIB, pause, settle, usePools } from '../support/pools.js';

const FORMAT = { size: 4 * MIB, pageSize: 4096, maxNodes: 4 } as const;
const LENGTHS = [1024, 1025, 2000, 65_535];
const text = (bytes: Uint8Array | undefined) => (bytes === undefined ? undefined : Buffer.from(bytes).toString());
const bytesOf = (value: string) => new TextEncoder().encode(value);
/** Keys that are alike but for their last byte. */
const keyOf = (length: number, last: string) => `${'k'.repeat(length - 1)}${last}`;
const digestOf = (key: string) => createHash('sha256').update(key).digest('hex');

describe('a key of any length', () => {
  const pools = usePools();

  for (const length of LENGTHS) {
    it(`of ${length} bytes is found by every call on every node, and none that ends otherwise is`, async () => {
      const pool = await pools.create(FORMAT);
      const other = await pools.connect(pool.path);
      const readOnly = await pools.connect(pool.path, { readOnly: true });
      const [key, twin] = [keyOf(length, 'a'), keyOf(length, 'b')];
      const draft = pool.create(key, 3, { metadata: bytesOf('meta') });
      draft.bytes.set(bytesOf('one'));
      draft.seal();
      expect(await codeOf(() => other.create(key, 3))).to.equal('KEY_EXISTS');
      for (const node of [pool, other, readOnly]) {
        for (const name of [key, bytesOf(key), key]) {
          using page = node.get(name);
          expect([text(page?.bytes), text(page?.metadata)]).to.deep.equal(['one', 'meta']);
          expect([node.has(name), node.get(twin)]).to.deep.equal([true, undefined]);
        }
        const [info] = [...node.list({ prefix: 'kkk' })];
        expect([info?.key, info?.keyBytes.length]).to.deep.equal([key, length]);
      }
      expect([other.put(twin, bytesOf('two')), other.put(key, bytesOf('no'))]).to.deep.equal([true, false]);
      expect(other.delete(key)).to.equal(true);
      expect([pool.get(key), text(pool.get(twin)?.bytes)]).to.deep.equal([undefined, 'two']);
      await expectCleanCensus(pool.path);
    });
  }

  it('shares its bytes with the namespace, and one byte too many is refused', async () => {
    const pool = await pools.create(FORMAT);
    const cache = new SharedCache(pool, { namespace: 'ns' });
    expect(cache.set('k'.repeat(65_532), bytesOf('1'))).to.equal(true);
    for (const key of ['k'.repeat(65_533), '\u20ac'.repeat(21_845), new Uint8Array(65_533)])
      expect(await codeOf(() => cache.set(key, bytesOf('1')))).to.equal('KEY_INVALID');
    expect(() => cache.borrow('k'.repeat(65_533))).to.throw('65,535 bytes, of which 3');
    expect(text(cache.borrow('k'.repeat(65_532)))).to.equal('1');
    // What a refused key has left behind is nobody's.
    cache.set('short', bytesOf('2'));
    expect([text(cache.borrow('short')), text(pool.get('ns\u0000short')?.bytes)]).to.deep.equal(['2', '2']);
  });

  it('works in every call of a cache: loads, bulk, tags, negative entries, stale answers', async () => {
    const pool = await pools.create(FORMAT);
    const caches = [pool, await pools.connect(pool.path)].map((node) => new SharedCache(node, { namespace: 'n' }));
    const [one, two] = caches as [SharedCache, SharedCache];
    const keys = ['a', 'b', 'c'].map((last) => keyOf(3000, last));
    let loads = 0;
    const load = async (key: unknown) => {
      loads++;
      await Promise.resolve();
      return bytesOf(String(key).slice(-1));
    };
    const [first] = keys as [string];
    const pages = await Promise.all(caches.flatMap((cache) => [cache.fetch(first, load), cache.fetch(first, load)]));
    expect([loads, ...pages.map(({ bytes }) => text(bytes))]).to.deep.equal([1, 'a', 'a', 'a', 'a']);
    for (const page of pages) page.release();
    const many = await two.fetchMany(keys, (missing) => missing.map((key) => bytesOf(String(key).slice(-1))), {
      tags: ['t'],
    });
    expect([...many].map(([key, page]) => [key, text(page.bytes)])).to.deep.equal(keys.map((k) => [k, k.slice(-1)]));
    for (const page of many.values()) page.release();
    one.invalidateTags(['t']);
    expect(keys.map((key) => two.has(key))).to.deep.equal([true, false, false]);
    const negative = keyOf(3000, 'n');
    const none = { negativeTtlMs: 60_000 };
    expect((await one.fetch(negative, () => notFound, none)).freshness).to.equal('negative');
    expect((await two.fetch(negative, load, none)).freshness).to.equal('negative');
    two.delete(negative);
    expect(text((await one.fetch(negative, load, none)).bytes)).to.equal('n');
    expect([...one.keys()].sort()).to.deep.equal([first, negative]);
    expect(one.set(first, bytesOf('new'))).to.equal(true);
    expect([text(two.borrow(first)), one.delete(first), two.has(first)]).to.deep.equal(['new', true, false]);
  });

  it('is told in events by its beginning and its digest, live and replayed alike', async () => {
    const pool = await pools.create(FORMAT);
    const keys = [`${'ü'.repeat(495)}x${'ü'.repeat(495)}`, keyOf(1024, 'z'), keyOf(65_535, 'z')];
    const live = pool.subscribe();
    for (const key of keys) pool.put(key, bytesOf('v'));
    const replayed = pool.subscribe({ replay: true });
    for (const subscription of [live, replayed]) {
      const events: PoolEvent[] = [];
      for await (const event of subscription) if (events.push(event) === keys.length) break;
      events.sort((a, b) => ('keyLength' in a && 'keyLength' in b ? a.keyLength - b.keyLength : 0));
      const sorted = [keys[1], keys[0], keys[2]] as [string, string, string];
      for (const [i, event] of events.entries()) {
        if (event.type === 'missed') throw new Error('missed');
        const key = sorted[i] as string;
        const whole = bytesOf(key);
        expect(event.keyLength).to.equal(whole.length);
        if (whole.length <= 1024) expect([event.key, text(event.keyBytes)]).to.deep.equal([key, key]);
        else {
          expect(event.keyBytes.length).to.equal(1024);
          expect(Buffer.from(event.keyBytes.subarray(992)).toString('hex')).to.equal(digestOf(key));
          expect(Buffer.compare(event.keyBytes.subarray(0, 992), whole.subarray(0, 992))).to.equal(0);
          expect(event.key.endsWith(`…sha256:${digestOf(key)}`)).to.equal(true);
          expect(key.startsWith(event.key.slice(0, event.key.indexOf('…')))).to.equal(true);
        }
      }
      await subscription[Symbol.asyncIterator]().return?.();
    }
    const some = pool.subscribe({ prefix: 'k'.repeat(1000) });
    for (const key of keys) pool.delete(key);
    const told: string[] = [];
    for await (const event of some) {
      if (event.type === 'deleted') told.push(String(event.keyLength));
      if (told.length === 2) break;
    }
    expect(told).to.deep.equal(['1024', '65535']);
    await expectCleanCensus(pool.path);
  });

  it('is waited for, also among so many that the log tells whom to look at', async () => {
    const pool = await pools.create({ ...FORMAT, maxObjects: 64 });
    const other = await pools.connect(pool.path);
    // So many in each shard.
    const count = 200 * pool.session.parts.geometry.shards;
    const idle = Array.from({ length: count }, (_, i) => pool.waitFor(`idle/${i}`).catch(() => undefined));
    // Its turn among the waits does not come by itself.
    pool.session.waits['watches'].lookAtSome = () => {};
    // Nor does the end of its time, with a last look, before that of the test.
    const page = pool.waitFor(keyOf(5000, 'w'), { timeoutMs: 600_000 });
    await pause(100);
    other.put(keyOf(5000, 'w'), bytesOf('w'));
    expect(text((await page).bytes)).to.equal('w');
    await pool.disconnect();
    await Promise.all(idle);
  });

  it('of the hash of another is another key all the same', async () => {
    const original = KeyHash.prototype.of;
    KeyHash.prototype.of = function forged(this: KeyHash, bytes, length) {
      if (length > 1024) Object.assign(this, { low: 77, high: 99 });
      else original.call(this, bytes, length);
    };
    try {
      const pool = await pools.create(FORMAT);
      const cache = new SharedCache(await pools.connect(pool.path), { namespace: 'n' });
      const keys = ['a', 'b', 'c', 'd'].map((last) => keyOf(2000, last));
      for (const key of keys) expect(cache.set(key, bytesOf(key.slice(-1)))).to.equal(true);
      const again = new SharedCache(pool, { namespace: 'n' });
      expect(keys.map((key) => text(again.borrow(key)))).to.deep.equal(['a', 'b', 'c', 'd']);
      again.delete(keys[1] as string);
      expect(keys.map((key) => text(cache.borrow(key)))).to.deep.equal(['a', undefined, 'c', 'd']);
      expect((await cache.fetch(keyOf(2000, 'e'), () => notFound, { negativeTtlMs: 9000 })).freshness).to.equal(
        'negative',
      );
      const other = await again.fetch(keyOf(2000, 'f'), () => bytesOf('f'), { negativeTtlMs: 9000 });
      expect(text(other.bytes)).to.equal('f');
    } finally {
      KeyHash.prototype.of = original;
    }
  });

  it('is remembered by no node: as many as an index takes would be gigabytes', async () => {
    const pool = await pools.create(FORMAT);
    for (const length of LENGTHS) {
      pool.put(keyOf(length, 'r'), bytesOf('r'));
      for (let i = 0; i < 3; i++) pool.get(keyOf(length, 'r'))?.release();
      for (let i = 0; i < 3; i++) pool.get(bytesOf(keyOf(length, 'r')))?.release();
    }
    // That of 1,024 bytes, as a string and as bytes.
    expect(pool.session.reader.near.size).to.equal(2);
    expect(pool.stats().hits).to.equal(LENGTHS.length * 6);
  });

  it('is named on the command line by what ls shows', async () => {
    const pool = await pools.create(FORMAT);
    const key = keyOf(4000, 'ü');
    pool.put(key, bytesOf('v'));
    const [info] = [...pool.list()];
    if (info === undefined) throw new Error('nothing there');
    expect(wordsFor(info)).to.equal(key);
    expect(keysNamed(wordsFor(info), {}).some((name) => pool.has(name))).to.equal(true);
    const message = await Promise.resolve()
      .then(() => pool.create(key, 1))
      .catch((error: Error) => error.message);
    expect(String(message).length).to.be.below(300);
  });

  it('is given back with its page, in the extent and in the bitmap', async () => {
    const pool = await pools.create(FORMAT);
    const before = pool.stats().bytesUsed;
    pool.put(keyOf(65_535, 'x'), bytesOf('v'));
    expect(pool.stats().bytesUsed - before).to.be.at.least(65_535);
    pool.delete(keyOf(65_535, 'x'));
    await settle(pool);
    expect(pool.stats().bytesUsed).to.equal(before);
  });

  for (const [name, lie] of Object.entries({
    'longer than the object': () => 60_000,
    'as long as a key may be': () => 65_535,
    'beyond what a key may have': () => 2 ** 31 - 1,
    negative: () => -1,
    shorter: (word: number) => word - 1,
  })) {
    for (const isForged of [false, true]) {
      it(`whose length is said to be ${name}, ${isForged ? 'with a right check' : 'without one'}, is damage or a miss`, async () => {
        const pool = await pools.create({ ...FORMAT, size: MIB });
        const keys = ['a', 'b', 'c'].map((last) => keyOf(3000, last));
        for (const key of keys) pool.put(key, bytesOf('secret'));
        const { slots, words } = pool.session.parts;
        const key = keys[2] as string;
        const slot = Array.from({ length: slots.total }, (_, i) => i).find((i) => text(slots.keyBytes(i)) === key);
        if (slot === undefined) throw new Error('no slot');
        const word = slots['wordOf'](slot) + Slot.word.keyLength;
        words.write(word, lie(words.read(word)));
        if (isForged) slots.stampCheck(slot);
        const calls = [
          () => pool.get(key),
          () => pool.has(key),
          () => [...pool.list()].map(({ keyBytes }) => keyBytes.length),
          () => pool.delete(key),
          () => pool.put(key, bytesOf('new')),
          () => pool.evict(100_000),
        ];
        for (const call of calls) expect(['nothing thrown', 'POOL_CORRUPT']).to.include(await codeOf(call));
        for (const other of keys.slice(0, 2)) expect(['secret', undefined]).to.include(text(pool.get(other)?.bytes));
      });
    }
  }
});
