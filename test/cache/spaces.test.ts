/** What a page space is opened with: a page size that is its only one, and how long its pages live. */
import { expect } from 'chai';
import { PoolError, SharedCache } from '../../src/index.js';
import type { AttachedPool } from '../../src/pool/index.js';
import { Peer } from './peer.js';
import { bytesOf, codeOf, join, makePool, makeTwo, pattern, sleep } from './pools.js';

const PAGE_BYTES = 64;
type Parts = AttachedPool['session']['parts'];

describe('the page size of a space', () => {
  it('is the one it was first opened with: another is refused, by name and size, on every node, also while it is empty', async () => {
    const { caches } = await makeTwo();
    caches[0].pages('t', { pageSize: 4096 });
    for (const cache of caches) {
      let thrown: unknown;
      try {
        cache.pages('t', { pageSize: 8192 });
      } catch (error) {
        thrown = error;
      }
      const { code, message, details } = thrown as PoolError;
      expect([code, details]).to.deep.equal(['OPTION_INVALID', { option: 'pageSize', pageSize: 4096 }]);
      expect(message).to.match(/4096/);
      expect(cache.pages('t', { pageSize: 4096 }).pageSize).to.equal(4096);
      expect(cache.pages('other', { pageSize: 8192 }).pageSize).to.equal(8192);
    }
  });

  it('holds against another process, and after every node that knew it has left', async () => {
    const pool = await makePool();
    const peer = await Peer.start(pool.path);
    await peer.call('put', 't', 1, pattern(PAGE_BYTES, 1));
    const cache = new SharedCache(pool, { namespace: 'n' });
    expect(await codeOf(() => cache.pages('t', { pageSize: 128 }))).to.equal('OPTION_INVALID');
    await peer.kill();
    expect(await codeOf(() => cache.pages('t', { pageSize: 128 }))).to.equal('OPTION_INVALID');
    expect(cache.pages('t', { pageSize: PAGE_BYTES }).borrow(1)?.length).to.equal(PAGE_BYTES);
  });

  it('may be another one after a drop; who had it open with the old one is told, and gets no page of the new size', async () => {
    const { caches } = await makeTwo();
    const old = caches.map((cache) => cache.pages('t', { pageSize: 64 }));
    for (const space of old) space.put(1, new Uint8Array(64));
    old[0]?.drop();
    const large = caches[0].pages('t', { pageSize: 128 });
    large.put(1, new Uint8Array(128).fill(1));
    expect(large.borrow(1)?.length).to.equal(128);
    const load = (_: number, target: Uint8Array) => target.fill(2);
    for (const space of old) {
      for (const call of [
        () => space.borrow(1),
        () => space.get(1),
        () => space.read(1, new Uint8Array(256)),
        () => space.put(2, new Uint8Array(64)),
        () => space.fetchSync(2, load),
        () => space.readThrough(1, new Uint8Array(256), load),
        () => space.fetch(2, load),
        () => space.fetchCopy(1, load),
      ]) {
        expect(await codeOf(call), String(call)).to.equal('OPTION_INVALID');
      }
      expect(space.borrow(2)).to.equal(undefined);
    }
    expect(await codeOf(() => caches[1].pages('t', { pageSize: 64 }))).to.equal('OPTION_INVALID');
    expect(caches[1].pages('t', { pageSize: 128 }).borrow(1)?.[0]).to.equal(1);
  });

  it('stays to who goes on with it after a drop', async () => {
    const { caches } = await makeTwo();
    const spaces = caches.map((cache) => cache.pages('t', { pageSize: 64 }));
    spaces[0]?.drop();
    expect(spaces[1]?.put(1, pattern(64, 3))).to.equal(true);
    expect(spaces[0]?.borrow(1)?.slice()).to.deep.equal(pattern(64, 3));
    expect(await codeOf(() => caches[0].pages('t', { pageSize: 128 }))).to.equal('OPTION_INVALID');
  });

  it('of a page put, or loaded, before a drop is not mixed with that of after it', async () => {
    const { caches } = await makeTwo();
    const old = caches[1].pages('t', { pageSize: 64 });
    const lease = old.lease(2);
    const loading = old.fetch(1, async (_, target) => {
      await sleep(5);
      target.fill(1);
    });
    caches[0].pages('t', { pageSize: 64 }).drop();
    const large = caches[0].pages('t', { pageSize: 128 });
    expect(await codeOf(() => old.put(2, new Uint8Array(64), { lease }))).to.equal('OPTION_INVALID');
    await codeOf(async () => (await loading).release());
    expect([large.borrow(1), large.borrow(2)]).to.deep.equal([undefined, undefined]);
  });
});

describe('a page stored while its space is dropped and opened with another size', () => {
  it('is not there afterwards, whenever in the call that happens', async () => {
    const { pools, caches } = await makeTwo();
    const { spaces } = pools[1].session.parts;
    for (const name of ['generation', 'isHeld', 'isVersioned'] as const) {
      for (const isBefore of [true, false]) {
        const space = caches[1].pages(`${name} ${isBefore}`, { pageSize: 64 });
        let opened = 0;
        const change = () => {
          if (opened++ > 0) return;
          caches[0].pages(`${name} ${isBefore}`, { pageSize: 64 }).drop();
          caches[0].pages(`${name} ${isBefore}`, { pageSize: 128 });
        };
        const original = spaces[name].bind(spaces) as (asked: unknown) => never;
        spaces[name] = (asked: unknown) => {
          if (isBefore) change();
          const answer = original(asked);
          change();
          return answer;
        };
        const code = await codeOf(() => expect(space.put(1, new Uint8Array(64))).to.equal(false));
        spaces[name] = original;
        expect(code).to.be.oneOf(['OPTION_INVALID', 'no error']);
        expect(opened).to.be.above(0);
        const large = caches[0].pages(`${name} ${isBefore}`, { pageSize: 128 });
        expect([large.borrow(1), pools[1].stats().drafts]).to.deep.equal([undefined, 0]);
      }
    }
  });
});

describe('a drop', () => {
  it('takes the page size away before anybody may store under the new generation', async () => {
    const { pools, caches } = await makeTwo();
    const [mine, theirs] = caches.map((cache) => cache.pages('t', { pageSize: 64 }));
    const [{ words, spaces }, { locks }] = pools.map(({ session }) => session.parts) as [Parts, Parts];
    const space = [1, 2, 3].find((number) => spaces.pageSize(number) === 64) as number;
    const generation = spaces.generation(space);
    const codes: string[] = [];
    const [store, acquire] = [words.store.bind(words), locks.acquire.bind(locks)];
    words.store = (index, value) => {
      store(index, value);
      if (codes.length > 0 || spaces.generation(space) === generation) return;
      codes.push('storing');
      // The lock of the spaces is held by who drops.
      locks.acquire = (lock) => {
        if (lock === pools[0].session.parts.geometry.shards + 1) throw new PoolError('BUSY', 'held');
        acquire(lock);
      };
      try {
        codes.push(String(theirs?.put(1, new Uint8Array(64))));
      } catch (error) {
        codes.push((error as PoolError).code);
      }
    };
    mine?.drop();
    [words.store, locks.acquire] = [store, acquire];
    expect(codes).to.deep.equal(['storing', 'BUSY']);
    expect(caches[0].pages('t', { pageSize: 128 }).borrow(1)).to.equal(undefined);
  });
});

describe('the time that pages live', () => {
  it('is that of their cache, or of their space, or of the put or load that brought them', async () => {
    const pool = await makePool();
    const now = { ms: Date.now() };
    pool.session.machine.nowMs = () => now.ms;
    const cache = new SharedCache(pool, { ttlMs: 1000 });
    const load = (_: number, target: Uint8Array) => target.fill(1);
    const spaces = [cache.pages('as the cache', { pageSize: 64 }), cache.pages('own', { pageSize: 64, ttlMs: 5000 })];
    const last = [1000, 5000];
    for (const [i, space] of spaces.entries()) {
      space.put(1, new Uint8Array(64));
      space.fetchSync(2, load);
      space.readThrough(3, new Uint8Array(64), load);
      (await space.fetch(4, load)).release();
      await space.fetchCopy(5, load);
      space.put(6, new Uint8Array(64), { ttlMs: 9000 });
      space.fetchSync(7, load, { ttlMs: 9000 });
      (await space.fetch(8, load, { ttlMs: 9000 })).release();
      const there = () => [1, 2, 3, 4, 5, 6, 7, 8].filter((pageNo) => space.borrow(pageNo) !== undefined);
      const started = now.ms;
      now.ms = started + (last[i] as number) - 1;
      expect(there()).to.deep.equal([1, 2, 3, 4, 5, 6, 7, 8]);
      now.ms = started + (last[i] as number) + 1;
      expect(there()).to.deep.equal([6, 7, 8]);
      now.ms = started + 9001;
      expect(there()).to.deep.equal([]);
    }
  });

  it('has no end when it ends later than any date, and is refused where it is no time', async () => {
    const pool = await makePool();
    const cache = new SharedCache(pool);
    const space = cache.pages('t', { pageSize: 8 });
    for (const ttlMs of [Number.MAX_SAFE_INTEGER, 2 ** 60, 2 ** 64, 1e25, Number.MAX_VALUE]) {
      cache.set('k', bytesOf('v'), { ttlMs });
      space.put(1, new Uint8Array(8), { ttlMs });
      pool.put(`o${ttlMs}`, bytesOf('v'), { ttlMs });
      expect([cache.has('k'), space.borrow(1)?.length, pool.has(`o${ttlMs}`)]).to.deep.equal([true, 8, true]);
    }
    for (const { key, expiresAt } of pool.list()) expect(expiresAt, key).to.equal(undefined);
    pool.put('long', bytesOf('v'), { ttlMs: 8e15 - Date.now() });
    expect([...pool.list({ prefix: 'long' })][0]?.expiresAt?.getTime()).to.be.within(8e15 - 1000, 8e15 + 100_000);
    for (const ttlMs of [0, -1, Number.NaN, Number.POSITIVE_INFINITY, '5' as unknown as number]) {
      expect(await codeOf(() => space.put(1, new Uint8Array(8), { ttlMs }))).to.equal('OPTION_INVALID');
      expect(await codeOf(() => cache.pages('u', { pageSize: 8, ttlMs }))).to.equal('OPTION_INVALID');
    }
  });

  for (const [what, create, options] of [
    ['nothing is ever evicted', { eviction: 'none' as const }, {}],
    ['it is retained', {}, { retain: true }],
  ] as const) {
    for (const bytes of [2000, 100_000]) {
      it(`over, leaves its room to objects of ${bytes} bytes at once, though ${what}`, async () => {
        const pool = await makePool(create);
        const now = { ms: Date.now() };
        pool.session.machine.nowMs = () => now.ms;
        let objects = 0;
        const fill = async () =>
          codeOf(() => {
            for (;;) pool.put(`k${objects++}`, pattern(bytes, 1), { ttlMs: 1000, ...options });
          });
        expect(await fill()).to.equal('POOL_FULL');
        const first = objects;
        const refused = `k${objects - 1}`;
        expect(await codeOf(() => pool.put(refused, pattern(bytes, 1)))).to.equal('POOL_FULL');
        now.ms += 1001;
        expect(pool.put(refused, pattern(bytes, 1))).to.equal(true);
        await fill();
        expect(objects - first).to.be.above(first / 2);
      });
    }
  }
});

describe('a range of pages', () => {
  it('of any length is invalidated, and no page beside it', async () => {
    const { pools, caches } = await makeTwo();
    const [mine, theirs] = caches.map((cache) => cache.pages('t', { pageSize: 64 }));
    const other = caches[0].pages('other', { pageSize: 64 });
    const numbers = [0, 9, 10, 11, 300, 4000, 2 ** 32, 2 ** 40 + 9, 2 ** 40 + 10, Number.MAX_SAFE_INTEGER];
    for (const count of [1, 200, 1000, 2 ** 32, 2 ** 40, Number.MAX_SAFE_INTEGER]) {
      for (const pageNo of numbers) {
        mine?.put(pageNo, new Uint8Array(64).fill(1));
        other.put(pageNo, new Uint8Array(64));
      }
      caches[0].set('key', bytesOf('stays'));
      theirs?.invalidateRange(10, count);
      const left = numbers.filter((pageNo) => mine?.borrow(pageNo) !== undefined);
      expect(left).to.deep.equal(numbers.filter((pageNo) => pageNo < 10 || pageNo >= 10 + count));
      expect(numbers.filter((pageNo) => other.borrow(pageNo) === undefined)).to.deep.equal([]);
      expect(caches[1].has('key')).to.equal(true);
    }
    expect(pools[0].stats().drafts).to.equal(0);
  });

  it('to the end takes as many looks as the pool has slots, not as the range has pages', async () => {
    const pool = await makePool();
    const space = new SharedCache(pool).pages('t', { pageSize: 64 });
    for (let pageNo = 0; pageNo < 20; pageNo++) space.put(pageNo, new Uint8Array(64));
    const { locks, geometry } = pool.session.parts;
    const { shards, slotsPerShard } = geometry;
    let taken = 0;
    const { acquire } = locks;
    locks.acquire = (lock) => {
      // Chunks that become free are given back under a lock of their own.
      if (lock < shards) taken++;
      acquire.call(locks, lock);
    };
    space.invalidateRange(10, 2 ** 50);
    expect(taken).to.be.at.most(shards * Math.ceil(slotsPerShard / 512));
    expect([space.borrow(9)?.length, space.borrow(10)]).to.deep.equal([64, undefined]);
  });

  it('refuses the fills that began before it, of pages that were not there as well', async () => {
    const pool = await makePool();
    const node = await join(pool.path);
    const [space, other] = [pool, node].map((one) => new SharedCache(one).pages('t', { pageSize: 64 }));
    for (const count of [5, 2 ** 40]) {
      const lease = space?.lease(3);
      other?.invalidateRange(0, count);
      expect(space?.put(3, new Uint8Array(64), lease === undefined ? {} : { lease })).to.equal(false);
    }
  });
});
