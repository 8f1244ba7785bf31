/** Caches of one namespace are one cache; namespaces, page spaces and the pool's own keys do not meet. */
import { expect } from 'chai';
import { SharedCache } from '../../src/index.js';
import { bytesOf, codeOf, join, makePool, textIn, textOf } from './pools.js';

const PAGE = { pageSize: 16 };
const page = (fill: number) => new Uint8Array(16).fill(fill);

describe('what is kept apart', () => {
  it('two caches of one namespace are one, in one node and over two', async () => {
    const pool = await makePool();
    const second = await join(pool.path);
    const caches = [pool, pool, second].map((node) => new SharedCache(node, { namespace: 'same' }));
    for (const [i, cache] of caches.entries()) {
      cache.set('k', bytesOf(`${i}`));
      for (const other of caches) expect(textIn(other, 'k')).to.equal(`${i}`);
      expect(caches[(i + 1) % 3]?.delete('k')).to.equal(true);
      for (const other of caches) expect(other.has('k')).to.equal(false);
      cache.pages('p', PAGE).put(1, page(i));
      for (const other of caches) expect(other.pages('p', PAGE).borrow(1)?.[0]).to.equal(i);
      cache.pages('p', PAGE).drop();
      for (const other of caches) expect(other.pages('p', PAGE).borrow(1)).to.equal(undefined);
    }
  });

  it('a key set, deleted or cleared in one namespace is not seen in another', async () => {
    const pool = await makePool();
    const names = ['', 'a', 'ab', 'b', 'ü', 'a '];
    const caches = names.map((namespace) => new SharedCache(pool, { namespace }));
    for (const [i, cache] of caches.entries())
      for (const key of ['k', 'b', 'bk']) cache.set(key, bytesOf(`${i}${key}`));
    for (const [i, cache] of caches.entries())
      for (const key of ['k', 'b', 'bk']) expect(textIn(cache, key)).to.equal(`${i}${key}`);
    caches[1]?.clear();
    caches[2]?.delete('k');
    expect(caches.map((cache) => [...cache.keys()].length)).to.deep.equal([3, 0, 2, 3, 3, 3]);
  });

  it('clear leaves the page spaces of its namespace alone, and drop the keys', async () => {
    const cache = new SharedCache(await makePool(), { namespace: 'n' });
    const [one, two] = [cache.pages('1', PAGE), cache.pages('2', PAGE)];
    cache.set('k', bytesOf('v'));
    one.put(1, page(1));
    two.put(1, page(2));
    cache.clear();
    expect([cache.has('k'), one.borrow(1)?.[0], two.borrow(1)?.[0]]).to.deep.equal([false, 1, 2]);
    cache.set('k', bytesOf('v'));
    one.drop();
    expect([cache.has('k'), one.borrow(1), two.borrow(1)?.[0]]).to.deep.equal([true, undefined, 2]);
    expect([...cache.keys()]).to.deep.equal(['k']);
  });

  it('no key of a cache is a page of a space, whatever bytes it holds', async () => {
    const pool = await makePool();
    for (const namespace of ['', 'n']) {
      const cache = new SharedCache(pool, { namespace });
      const space = cache.pages('p', PAGE);
      space.put(7, page(1));
      const listed = [...pool.list()].map((object) => object.keyBytes);
      expect(listed.length).to.equal(1);
      const keyBytes = listed[0] as Uint8Array;
      // Every tail of the page's key, as the key of every cache that could mean it.
      for (const other of ['', 'n', 'p', '\u00ff', '\ufffd']) {
        const attacker = new SharedCache(pool, { namespace: other });
        for (let from = 0; from < keyBytes.length; from++) {
          expect(attacker.has(keyBytes.slice(from)), `${JSON.stringify(other)} ${from}`).to.equal(false);
          attacker.set(keyBytes.slice(from), page(99));
          attacker.delete(keyBytes.slice(from));
        }
      }
      expect(space.borrow(7)?.[0]).to.equal(1);
      space.drop();
      space.put(8, page(1));
      space.invalidate(8);
    }
  });

  it('page spaces of other names, and equal numbers in them, are apart', async () => {
    const pool = await makePool();
    const names = ['a', 'b', 'ab', 'a\u0001', 'ü'];
    const spaces = ['', 'a', 'b'].flatMap((namespace) =>
      names.map((name) => new SharedCache(pool, { namespace }).pages(name, PAGE)),
    );
    const numbers = [0, 1, 255, 256, 2 ** 32, 2 ** 32 + 1, Number.MAX_SAFE_INTEGER];
    for (const [s, space] of spaces.entries()) {
      for (const [n, no] of numbers.entries()) expect(space.put(no, page(s * 8 + n))).to.equal(true);
    }
    for (const [s, space] of spaces.entries()) {
      for (const [n, no] of numbers.entries()) expect(space.borrow(no)?.[0]).to.equal((s * 8 + n) & 0xff);
    }
  });

  it('two namespaces that UTF-8 would make one are refused or kept apart', async () => {
    const pool = await makePool();
    const made: SharedCache[] = [];
    for (const namespace of ['\ufffd', '\ud800', '\ud801']) {
      const code = await codeOf(() => made.push(new SharedCache(pool, { namespace })));
      expect(['no error', 'OPTION_INVALID']).to.include(code);
    }
    for (const [i, cache] of made.entries()) cache.set('k', bytesOf(`${i}`));
    expect(made.map((cache) => textIn(cache, 'k'))).to.deep.equal(made.map((_, i) => `${i}`));
  });

  it('a namespaced key is in the pool namespace, zero byte, key', async () => {
    const pool = await makePool();
    new SharedCache(pool, { namespace: 'shop' }).set('k', bytesOf('v'));
    const found = pool.get('shop\0k');
    expect(textOf(found?.bytes)).to.equal('v');
    found?.release();
    expect(pool.get('k')).to.equal(undefined);
    expect([...pool.list({ prefix: 'shop\0' })].map((object) => object.key)).to.deep.equal(['shop\0k']);
    expect(pool.delete('shop\0k')).to.equal(true);
    expect(new SharedCache(pool, { namespace: 'shop' }).has('k')).to.equal(false);
  });

  it('opening the same cache or space again and again takes no further room in the pool', async () => {
    const pool = await makePool();
    for (let i = 0; i < 3000; i++) {
      const cache = new SharedCache(pool, { namespace: 'same' });
      cache.pages('p', PAGE).put(1, page(i));
    }
    expect(new SharedCache(pool, { namespace: 'same' }).pages('p', PAGE).borrow(1)?.[0]).to.equal(2999 & 0xff);
    expect(pool.session.parts.spaces.used()).to.equal(2);
  });
});
