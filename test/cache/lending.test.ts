/** Bytes that outlive the call that asked for them. */
import { expect } from 'chai';
import { SharedCache } from '../../src/index.js';
import { bytesOf, codeOf, makePool, pattern, sleep, textOf } from './pools.js';

async function make() {
  const pool = await makePool();
  const cache = new SharedCache(pool, { namespace: 'n' });
  const space = cache.pages('t', { pageSize: 64 });
  const ways = {
    cache: {
      fetchCopy: (load: () => Uint8Array) => cache.fetchCopy('k', load),
      with: <T>(load: () => Uint8Array, use: (bytes: Uint8Array) => T | Promise<T>) => cache.with('k', load, use),
      forget: () => cache.delete('k'),
    },
    pages: {
      fetchCopy: (load: () => Uint8Array) => space.fetchCopy(1, (_, target) => target.set(load())),
      with: <T>(load: () => Uint8Array, use: (bytes: Uint8Array) => T | Promise<T>) =>
        space.with(1, (_, target) => target.set(load()), use),
      forget: () => space.invalidate(1),
    },
  };
  return { pool, cache, ways: Object.entries(ways) };
}

describe('fetchCopy', () => {
  it('gives bytes of the caller’s own, on a miss and on a hit, and leaves nothing pinned', async () => {
    const { pool, ways } = await make();
    for (const [name, way] of ways) {
      const first = await way.fetchCopy(() => pattern(64, 1));
      first.fill(0);
      const second = await way.fetchCopy(() => expect.fail('loaded twice'));
      expect(second, name).to.deep.equal(pattern(64, 1));
      expect(second.buffer.byteLength).to.equal(64);
      way.forget();
      expect(second).to.deep.equal(pattern(64, 1));
      expect(pool.stats().pins).to.equal(0);
    }
  });

  it('gives them also where there is no room, apart from what the loader gave', async () => {
    const pool = await makePool({ maxObjects: 64, eviction: 'none' });
    const cache = new SharedCache(pool);
    for (let i = 0; cache.set(`k${i}`, pattern(8, i)); i++);
    const own = Buffer.from('first');
    const copy = await cache.fetchCopy('no room', () => own);
    own.write('other');
    expect(textOf(copy)).to.equal('first');
  });
});

describe('with', () => {
  it('holds the page until what is made of it has settled, however that ends, and gives what it gave', async () => {
    const { pool, ways } = await make();
    for (const [, way] of ways) {
      const load = () => pattern(64, 2);
      const sum = await way.with(load, async (bytes) => {
        way.forget();
        await sleep(5);
        expect(pool.stats().pins).to.equal(1);
        return bytes.slice();
      });
      expect(sum).to.deep.equal(pattern(64, 2));
      expect(await way.with(load, (bytes) => bytes.length)).to.equal(64);
      const failing = [
        () => {
          throw new Error('at once');
        },
        () => Promise.reject(new Error('later')),
      ];
      for (const use of failing) expect(await codeOf(() => way.with(load, use))).to.match(/at once|later/);
      expect(pool.stats().pins).to.equal(0);
    }
  });

  it('refuses what is no function before it loads, and a failed load calls it not', async () => {
    const { ways } = await make();
    const never = () => expect.fail('called');
    for (const [, way] of ways) {
      expect(await codeOf(() => way.with(never, 5 as never))).to.equal('OPTION_INVALID');
      const failing = () => {
        throw new Error('load');
      };
      expect(await codeOf(() => way.with(failing, never))).to.equal('Error: load');
    }
  });

  it('may be given the bytes of a string key as well as of bytes', async () => {
    const { cache } = await make();
    expect(await cache.with(bytesOf('k'), () => bytesOf('v'), textOf)).to.equal('v');
    expect(await cache.fetchCopy('k', () => expect.fail('loaded twice'))).to.deep.equal(bytesOf('v'));
  });
});
