/** Freshness between processes: what has returned is seen by every get that begins later, on any node. */
import { expect } from 'chai';
import { SharedCache } from '../../src/index.js';
import type { AttachedPool } from '../../src/pool/index.js';
import { Peer } from './peer.js';
import { bytesOf, makePool, sleep, textIn, textOf } from './pools.js';

const ROUNDS = 400;
const KEYS = 8;
const PAGE = 64;

interface Duo {
  pool: AttachedPool;
  cache: SharedCache;
  peer: Peer;
}

async function makeDuo(): Promise<Duo> {
  const pool = await makePool();
  const peer = await Peer.start(pool.path);
  return { pool, cache: new SharedCache(pool, { namespace: 'n' }), peer };
}

/** A small repeatable source of chance. */
function chanceOf(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    return (state >>> 8) % below;
  };
}

/** All keys hold this version in all words but the second, which is the key's number. */
function stamped(words: number, key: number, version: number): Uint8Array {
  const array = new Uint32Array(words).fill(version);
  array[1] = key;
  return new Uint8Array(array.buffer);
}

describe('freshness over two processes', () => {
  it('after set, delete or clear has returned here or there, no later get of either sees the old value', async () => {
    const { cache, peer } = await makeDuo();
    const truth = new Map<string, string>();
    const chance = chanceOf(1);
    for (let round = 0; round < ROUNDS; round++) {
      const key = `k${chance(KEYS)}`;
      const kind = chance(20);
      const here = chance(2) === 0;
      if (kind === 0) {
        await (here ? cache.clear() : peer.call('clear'));
        truth.clear();
      } else if (kind < 5) {
        await (here ? cache.delete(key) : peer.call('delete', key));
        truth.delete(key);
      } else {
        const text = `${round}`;
        expect(await (here ? cache.set(key, bytesOf(text)) : peer.call('set', key, bytesOf(text)))).to.equal(true);
        truth.set(key, text);
      }
      for (const one of [key, `k${chance(KEYS)}`]) {
        expect(textIn(cache, one), `${one} here, round ${round}`).to.equal(truth.get(one));
        expect(textOf(await peer.call<Uint8Array>('get', one)), `${one} there, round ${round}`).to.equal(
          truth.get(one),
        );
      }
    }
  });

  it('after put, invalidate, invalidateRange or drop has returned here or there, no later read sees the old page', async () => {
    const { cache, peer } = await makeDuo();
    const space = cache.pages('t', { pageSize: PAGE });
    const truth = new Map<number, number>();
    const chance = chanceOf(2);
    for (let round = 0; round < ROUNDS; round++) {
      const no = chance(KEYS);
      const kind = chance(20);
      const here = chance(2) === 0;
      if (kind === 0) {
        await (here ? space.drop() : peer.call('drop', 't'));
        truth.clear();
      } else if (kind < 3) {
        await (here ? space.invalidateRange(no, 3) : peer.call('invalidateRange', 't', no, 3));
        for (let gone = no; gone < no + 3; gone++) truth.delete(gone);
      } else if (kind < 7) {
        await (here ? space.invalidate(no) : peer.call('invalidate', 't', no));
        truth.delete(no);
      } else {
        const bytes = new Uint8Array(PAGE).fill(round);
        expect(await (here ? space.put(no, bytes) : peer.call('put', 't', no, bytes))).to.equal(true);
        truth.set(no, round & 0xff);
      }
      for (const one of [no, chance(KEYS)]) {
        expect(space.borrow(one)?.[0], `${one} here, round ${round}`).to.equal(truth.get(one));
        const there = await peer.call<Uint8Array | undefined>('readPage', 't', one);
        expect(there?.[0], `${one} there, round ${round}`).to.equal(truth.get(one));
      }
    }
  });

  it('readers of another process see whole values only, never going back, while sets, evictions and deletes go on', async () => {
    const { pool, cache, peer } = await makeDuo();
    const keys = Array.from({ length: KEYS }, (_, i) => `key${i}`);
    for (const [i, key] of keys.entries()) cache.set(key, stamped(1000, i, 0));
    const watched = peer.call<{ reads: number; misses: number; wrong: string[] }>('watch', keys, 3000);
    const end = Date.now() + 2900;
    let version = 0;
    while (Date.now() < end) {
      version++;
      for (const [i, key] of keys.entries()) cache.set(key, stamped(200 + (version % 7) * 150, i, version));
      if (version % 50 === 0) pool.evict(20_000);
      if (version % 31 === 0) cache.delete(keys[version % KEYS] as string);
      if (version % 200 === 0) cache.clear();
      for (let i = 0; i < 20; i++) cache.set(`filler${version * 20 + i}`, stamped(900, 77, 0));
      if (version % 10 === 0) await sleep(0);
    }
    const { reads, wrong } = await watched;
    expect(wrong).to.deep.equal([]);
    expect(reads).to.be.above(10_000);
    expect(version).to.be.above(20);
  });

  it('a key that is only superseded is there for the readers of another process, but for a writer that was stopped', async () => {
    const { cache, peer } = await makeDuo();
    const keys = ['one', 'two'];
    for (const [i, key] of keys.entries()) cache.set(key, stamped(100, i, 0));
    const watched = peer.call<{ reads: number; misses: number; wrong: string[] }>('watch', keys, 2000);
    const end = Date.now() + 1900;
    for (let version = 1; Date.now() < end; version++) {
      for (const [i, key] of keys.entries()) cache.set(key, stamped(100, i, version));
      if (version % 100 === 0) await sleep(0);
    }
    const { reads, misses, wrong } = await watched;
    expect(wrong).to.deep.equal([]);
    // A reader does not wait for a writer that is not running: then, and only then, it may call a page a miss.
    expect(misses / reads).to.be.below(0.05);
  });

  it('what expires here expires there: after the time no read of either process finds it', async () => {
    const { cache, peer } = await makeDuo();
    for (let round = 0; round < 5; round++) {
      const storedMs = Date.now();
      await (round % 2 === 0
        ? cache.set('k', bytesOf('v'), { ttlMs: 60 })
        : peer.call('set', 'k', bytesOf('v'), { ttlMs: 60 }));
      const theirs = textOf(await peer.call<Uint8Array>('get', 'k'));
      const ours = textIn(cache, 'k');
      // On a busy machine the time may be over between the two.
      if (Date.now() < storedMs + 60) expect([theirs, ours]).to.deep.equal(['v', 'v']);
      await sleep(61);
      expect(cache.has('k')).to.equal(false);
      expect(await peer.call('get', 'k')).to.equal(undefined);
      expect(await peer.call('has', 'k')).to.equal(false);
    }
  });
});
