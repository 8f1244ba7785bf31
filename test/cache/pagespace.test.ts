/** PageSpace, call by call, on two nodes. Versions have a file of their own. */
import { expect } from 'chai';
import { canDetach, detach } from '../../lib/linux/index.js';
import type { PageSpace } from '../../src/index.js';
import { SharedCache } from '../../src/index.js';
import { codeOf, join, makePool, makeTwo, pattern } from './pools.js';

const SIZE = 512;
const OTHERS = 3;

async function makeSpaces(): Promise<PageSpace[]> {
  const { caches } = await makeTwo();
  return caches.map((cache) => cache.pages('t', { pageSize: SIZE }));
}

/** A load that counts and fills in the pattern of the page. */
function counting(version = 0) {
  const loaded: number[] = [];
  const load = (pageNo: number, target: Uint8Array) => {
    loaded.push(pageNo);
    target.set(pattern(SIZE, pageNo, version));
  };
  return { loaded, load };
}

describe('a page space', () => {
  for (const pageNo of [0, 1, 2 ** 32 - 1, 2 ** 32, Number.MAX_SAFE_INTEGER]) {
    it(`every call of both nodes finds page ${pageNo} until it is invalidated`, async () => {
      const [one, two] = (await makeSpaces()) as [PageSpace, PageSpace];
      expect(one.pageSize).to.equal(SIZE);
      expect(one.put(pageNo, pattern(SIZE, 1))).to.equal(true);
      for (const space of [one, two, one]) {
        expect(space.borrow(pageNo)?.slice()).to.deep.equal(pattern(SIZE, 1));
        const page = space.get(pageNo);
        expect(page?.copy()).to.deep.equal(pattern(SIZE, 1));
        page?.release();
        const target = new Uint8Array(SIZE + 8);
        expect(space.read(pageNo, target, 8)).to.equal(true);
        expect(target.subarray(8)).to.deep.equal(pattern(SIZE, 1));
        expect(space.fetchSync(pageNo, counting().load).slice()).to.deep.equal(pattern(SIZE, 1));
        expect(space.readThrough(pageNo, target, counting().load)).to.equal(true);
      }
      two.invalidate(pageNo);
      for (const space of [one, two]) {
        expect(space.borrow(pageNo)).to.equal(undefined);
        expect(space.get(pageNo)).to.equal(undefined);
        expect(space.read(pageNo, new Uint8Array(SIZE))).to.equal(false);
      }
    });
  }

  it('borrowMany gives the pages in their order, what is missing as undefined, and all are good together', async () => {
    const [one, two] = (await makeSpaces()) as [PageSpace, PageSpace];
    const numbers = Array.from({ length: 600 }, (_, i) => (i * 7) % 600);
    for (let pageNo = 0; pageNo < 600; pageNo++) if (pageNo % 3 !== 0) one.put(pageNo, pattern(SIZE, pageNo));
    for (const space of [one, two, two]) {
      const into: (Uint8Array | undefined)[] = [];
      expect(space.borrowMany(numbers, into)).to.equal(400);
      for (const [i, pageNo] of numbers.entries()) {
        const expected = pageNo % 3 === 0 ? undefined : pattern(SIZE, pageNo);
        expect(into[i]?.slice(), `page ${pageNo}`).to.deep.equal(expected);
      }
    }
    expect(two.borrowMany(Uint32Array.of(1, 3), [])).to.equal(1);
    expect(two.borrowMany([], [])).to.equal(0);
    one.put(1, pattern(SIZE, 1, 1), { from: 20 });
    const versions: (Uint8Array | undefined)[] = [];
    expect(two.borrowMany([1, 2, 2], versions, 19)).to.equal(3);
    expect(two.borrowMany([1, 2, 3], versions, 20)).to.equal(2);
    expect(versions.map((bytes) => bytes?.slice())).to.deep.equal([pattern(SIZE, 1, 1), pattern(SIZE, 2), undefined]);
    expect(await codeOf(() => one.borrowMany(new Float64Array(1025), []))).to.equal('OPTION_INVALID');
    expect(await codeOf(() => one.borrowMany([-1], []))).to.equal('KEY_INVALID');
    expect(await codeOf(() => one.borrowMany(BigInt64Array.of(1n) as never, []))).to.equal('KEY_INVALID');
  });

  it('fetchSync, readThrough and fetch load a page once and share it with the other node', async () => {
    const [one, two] = (await makeSpaces()) as [PageSpace, PageSpace];
    const { loaded, load } = counting();
    expect(one.fetchSync(1, load).slice()).to.deep.equal(pattern(SIZE, 1));
    const target = new Uint8Array(SIZE);
    expect(one.readThrough(2, target, load)).to.equal(false);
    expect(target).to.deep.equal(pattern(SIZE, 2));
    const page = await one.fetch(3, async (pageNo, into) => load(pageNo, into));
    expect(page.copy()).to.deep.equal(pattern(SIZE, 3));
    page.release();
    for (const space of [two, one]) {
      for (const pageNo of [1, 2, 3]) {
        expect(space.fetchSync(pageNo, load).slice()).to.deep.equal(pattern(SIZE, pageNo));
        expect(space.readThrough(pageNo, target, load)).to.equal(true);
        expect(target).to.deep.equal(pattern(SIZE, pageNo));
        (await space.fetch(pageNo, load)).release();
      }
    }
    expect(loaded).to.deep.equal([1, 2, 3]);
  });

  it('a put supersedes what the page held, on both nodes, while a pin keeps its bytes', async () => {
    const [one, two] = (await makeSpaces()) as [PageSpace, PageSpace];
    one.put(1, pattern(SIZE, 1, 0));
    const held = two.get(1);
    two.put(1, pattern(SIZE, 1, 1));
    expect(one.borrow(1)?.slice()).to.deep.equal(pattern(SIZE, 1, 1));
    expect(held?.copy()).to.deep.equal(pattern(SIZE, 1, 0));
    held?.release();
  });

  it('invalidateRange hides its pages and no others; drop hides all', async () => {
    const [one, two] = (await makeSpaces()) as [PageSpace, PageSpace];
    const present = () => Array.from({ length: 20 }, (_, no) => no).filter((no) => two.borrow(no) !== undefined);
    for (let no = 0; no < 20; no++) one.put(no, pattern(SIZE, no));
    one.invalidateRange(5, 10);
    expect(present()).to.deep.equal([0, 1, 2, 3, 4, 15, 16, 17, 18, 19]);
    one.invalidateRange(0, 0);
    two.invalidateRange(19, 1);
    expect(present()).to.deep.equal([0, 1, 2, 3, 4, 15, 16, 17, 18]);
    one.drop();
    expect(present()).to.deep.equal([]);
    one.put(4, pattern(SIZE, 4));
    expect(present()).to.deep.equal([4]);
  });

  it('invalidateRange of whatever is cached or not holds no lock for longer than some slots take', async () => {
    const pool = await makePool({ maxObjects: 2048, size: '8MiB' });
    const space = new SharedCache(pool).pages('t', { pageSize: SIZE });
    for (let no = 0; no < 2000; no++) space.put(no, pattern(SIZE, no));
    const { locks, slots, geometry } = pool.session.parts;
    let looks = 0;
    let longest = 0;
    const spaceOf = slots.space.bind(slots);
    slots.space = (slot) => {
      looks++;
      return spaceOf(slot);
    };
    const within = locks.within.bind(locks);
    locks.within = (lock, work) => {
      // A chunk that becomes free is given back under a lock of its own, within.
      if (lock >= geometry.shards) return within(lock, work);
      looks = 0;
      const answer = within(lock, work);
      longest = Math.max(longest, looks);
      return answer;
    };
    space.invalidateRange(1000, 2 ** 52);
    expect(longest).to.be.within(1, 1024);
    const present = Array.from({ length: 2000 }, (_, no) => no).filter((no) => space.borrow(no) !== undefined);
    expect([present.length > 900, present.every((no) => no < 1000)]).to.deep.equal([true, true]);
  });

  it('refuses numbers, counts, versions and sizes that make no sense instead of doing nothing', async () => {
    const [space] = (await makeSpaces()) as [PageSpace];
    for (const pageNo of [-1, 0.5, Number.NaN, 2 ** 53, 3n as never]) {
      expect(await codeOf(() => space.borrow(pageNo))).to.equal('KEY_INVALID');
      expect(await codeOf(() => space.put(pageNo, new Uint8Array(SIZE)))).to.equal('KEY_INVALID');
      expect(await codeOf(() => space.invalidate(pageNo))).to.equal('KEY_INVALID');
    }
    for (const count of [-1, 0.5, Number.NaN, Number.POSITIVE_INFINITY]) {
      expect(await codeOf(() => space.invalidateRange(0, count)), `${count}`).to.equal('OPTION_INVALID');
    }
    for (const options of [{ from: -1 }, { from: 1.5 }, { from: 5, until: 5 }, { until: 0 }]) {
      expect(await codeOf(() => space.put(1, new Uint8Array(SIZE), options))).to.equal('OPTION_INVALID');
    }
    expect(await codeOf(() => space.put(1, new Uint8Array(SIZE - 1)))).to.equal('OPTION_INVALID');
    expect(await codeOf(() => space.invalidate(1, -1))).to.equal('OPTION_INVALID');
    expect(await codeOf(() => space.read(1, new Uint8Array(1)))).to.equal('no error');
    const { loaded, load } = counting();
    expect(await codeOf(() => space.readThrough(1, new Uint8Array(SIZE - 1), load))).to.equal('OPTION_INVALID');
    expect(loaded, 'nothing is loaded for a target that is too small').to.deep.equal([]);
  });

  it('a page larger than the pool is served privately by every loading call, counted as unshared', async () => {
    const pool = await makePool();
    const cache = new SharedCache(pool);
    const pageSize = 8 * 1024 * 1024;
    const space = cache.pages('huge', { pageSize });
    const load = (_: number, target: Uint8Array) => void target.fill(7);
    expect(space.fetchSync(1, load).every((byte) => byte === 7)).to.equal(true);
    const target = new Uint8Array(pageSize);
    expect(space.readThrough(1, target, load)).to.equal(false);
    expect(target[pageSize - 1]).to.equal(7);
    const page = await space.fetch(1, load);
    expect(page.bytes[pageSize - 1]).to.equal(7);
    page.release();
    expect(space.put(1, target)).to.equal(false);
    expect(cache.stats().node.unsharedCount).to.equal(OTHERS + 1);
    expect(cache.stats().node.loadSuccessCount).to.equal(OTHERS);
  });

  it('when every page is pinned, loading calls serve privately, each caller its own bytes', async () => {
    const pool = await makePool({ size: '2MiB', pageSize: SIZE, maxObjects: 1500, maxNodes: 4 });
    const cache = new SharedCache(pool);
    const space = cache.pages('t', { pageSize: SIZE });
    const held = [];
    for (let no = 0; no < 5000; no++) {
      if (!space.put(no, pattern(SIZE, no))) break;
      held.push(space.get(no));
    }
    const { loaded, load } = counting(9);
    const absent = Array.from({ length: 5 }, (_, i) => 10_000 + i);
    const borrowed = absent.map((no) => space.fetchSync(no, load));
    const before = cache.stats().node.unsharedCount;
    for (const [i, no] of absent.entries()) {
      const page = await space.fetch(no, load);
      expect(page.copy()).to.deep.equal(pattern(SIZE, no, 9));
      expect(borrowed[i]).to.deep.equal(pattern(SIZE, no, 9));
      page.release();
    }
    if (loaded.length === 2 * absent.length) expect(cache.stats().node.unsharedCount - before).to.equal(absent.length);
    expect(held.every((page, no) => Buffer.compare(page?.bytes as Uint8Array, pattern(SIZE, no)) === 0)).to.equal(true);
    for (const page of held) page?.release();
  });
});

describe('loaders that use the cache themselves', () => {
  it('nested fetchSync and readThrough of other pages give each page its own bytes', async () => {
    const [one] = (await makeSpaces()) as [PageSpace];
    const sum = (pageNo: number, target: Uint8Array) => {
      const left = pageNo === 0 ? undefined : one.fetchSync(pageNo - 1, sum);
      const copy = new Uint8Array(SIZE);
      if (pageNo > 1) one.readThrough(pageNo - 2, copy, sum);
      target.set(pattern(SIZE, pageNo));
      if (left !== undefined) expect(left.slice()).to.deep.equal(pattern(SIZE, pageNo - 1));
      if (pageNo > 1) expect(copy).to.deep.equal(pattern(SIZE, pageNo - 2));
    };
    expect(one.fetchSync(30, sum).slice()).to.deep.equal(pattern(SIZE, 30));
    for (let no = 0; no <= 30; no++) expect(one.borrow(no)?.slice()).to.deep.equal(pattern(SIZE, no));
  });

  it('a nested synchronous load of the same page does not wait for itself', async () => {
    const { caches } = await makeTwo();
    const one = caches[0].pages('t', { pageSize: SIZE });
    const inner = counting();
    const bytes = one.fetchSync(1, (pageNo, target) => {
      target.set(one.fetchSync(pageNo, inner.load));
      const again = new Uint8Array(SIZE);
      expect(one.readThrough(pageNo, again, inner.load)).to.equal(false);
    });
    expect(bytes.slice()).to.deep.equal(pattern(SIZE, 1));
    expect(inner.loaded).to.deep.equal([1, 1]);
    expect(caches[0].stats().node).to.include({ waitCount: 0, unsharedCount: 2 });
    expect(one.borrow(1)?.slice()).to.deep.equal(pattern(SIZE, 1));
  });

  it('a synchronous load does not wait for an asynchronous one of the same node', async () => {
    const [one] = (await makeSpaces()) as [PageSpace];
    let finish = () => {};
    const slow = one.fetch(
      1,
      (_, target) =>
        new Promise<void>((resolve) => {
          finish = () => resolve(void target.set(pattern(SIZE, 1)));
        }),
    );
    const { loaded, load } = counting();
    expect(one.fetchSync(1, load).slice()).to.deep.equal(pattern(SIZE, 1));
    expect(one.readThrough(1, new Uint8Array(SIZE), load)).to.equal(false);
    expect(loaded).to.deep.equal([1, 1]);
    finish();
    (await slow).release();
    expect(one.borrow(1)?.slice()).to.deep.equal(pattern(SIZE, 1));
  });

  for (const [what, spoil] of [
    ['puts the page itself', (space: PageSpace) => space.put(1, pattern(SIZE, 1, 5))],
    ['invalidates the page', (space: PageSpace) => space.invalidate(1)],
    ['invalidates the page as of a version', (space: PageSpace) => space.invalidate(1, 3)],
    ['drops the space', (space: PageSpace) => space.drop()],
  ] as const) {
    it(`a loader that ${what} gets its own bytes, and what it loaded is not published`, async () => {
      const spaces = (await makeSpaces()) as [PageSpace, PageSpace];
      const expected = what === 'puts the page itself' ? pattern(SIZE, 1, 5) : undefined;
      for (const other of spaces) {
        const load = (pageNo: number, target: Uint8Array) => {
          spoil(other);
          target.set(pattern(SIZE, pageNo, 1));
        };
        const target = new Uint8Array(SIZE);
        const calls = [
          () => spaces[0].fetchSync(1, load).slice(),
          () => spaces[0].readThrough(1, target, load) === false && target.slice(),
          async () => (await spaces[0].fetch(1, load)).copy(),
        ];
        for (const call of calls) {
          for (const space of spaces) space.invalidate(1);
          expect(await call()).to.deep.equal(pattern(SIZE, 1, 1));
          for (const space of spaces) expect(space.borrow(1)?.slice()).to.deep.equal(expected);
        }
      }
    });
  }

  it('a loader that empties the pool and fills it again does not harm its own load', async () => {
    const pool = await makePool({ size: '2MiB', pageSize: SIZE, maxObjects: 1500, maxNodes: 4 });
    const space = new SharedCache(pool).pages('t', { pageSize: SIZE });
    const bytes = space.fetchSync(1, (pageNo, target) => {
      pool.evict(2 ** 30);
      // Fills, not puts: a put refuses the loads of all keys of its stripe.
      for (let no = 100; no < 4000; no++) space.put(no, pattern(SIZE, no), { lease: space.lease(no) });
      pool.evict(2 ** 30);
      target.set(pattern(SIZE, pageNo));
    });
    expect(bytes.slice()).to.deep.equal(pattern(SIZE, 1));
    expect(space.borrow(1)?.slice()).to.deep.equal(pattern(SIZE, 1));
  });

  it('a loader that throws throws to its caller; the page can be loaded by the next one, on either node', async () => {
    const spaces = (await makeSpaces()) as [PageSpace, PageSpace];
    const fail = () => {
      throw new Error('mine');
    };
    const target = new Uint8Array(SIZE);
    for (const space of spaces) {
      expect(() => space.fetchSync(1, fail)).to.throw('mine');
      expect(() => space.readThrough(1, target, fail)).to.throw('mine');
      expect(await codeOf(() => space.fetch(1, fail))).to.equal('Error: mine');
      expect(await codeOf(() => space.fetch(1, async () => fail()))).to.equal('Error: mine');
    }
    const { loaded, load } = counting();
    for (const space of spaces) expect(space.fetchSync(1, load).slice()).to.deep.equal(pattern(SIZE, 1));
    expect(loaded).to.deep.equal([1]);
  });

  it('a leased put is refused once its page was invalidated, put or dropped; a lease of another page is an error', async () => {
    const spaces = (await makeSpaces()) as [PageSpace, PageSpace];
    for (const spoil of [
      () => spaces[1].invalidate(1),
      () => spaces[1].invalidateRange(0, 3),
      () => spaces[1].put(1, pattern(SIZE, 1, 2)),
      () => spaces[1].drop(),
    ]) {
      spaces[0].invalidate(1);
      const lease = spaces[0].lease(1);
      spoil();
      const before = spaces[0].borrow(1)?.slice();
      expect(spaces[0].put(1, pattern(SIZE, 1, 1), { lease })).to.equal(false);
      for (const space of spaces) expect(space.borrow(1)?.slice()).to.deep.equal(before);
    }
    spaces[0].invalidate(1);
    expect(spaces[0].put(1, pattern(SIZE, 1, 1), { lease: spaces[1].lease(1) })).to.equal(true);
    expect(await codeOf(() => spaces[0].put(2, pattern(SIZE, 1, 1), { lease: spaces[1].lease(1) }))).to.equal(
      'OPTION_INVALID',
    );
  });

  if (canDetach()) {
    it('a loader that gives its target away publishes nothing, and the next one loads', async () => {
      const [one, two] = (await makeSpaces()) as [PageSpace, PageSpace];
      const { load } = counting();
      // What lies where the next page will.
      one.put(9, pattern(SIZE, 9));
      one.invalidate(9);
      const giveAway = (pageNo: number, target: Uint8Array) => {
        load(pageNo, target);
        detach(target.buffer as ArrayBuffer);
      };
      expect(await codeOf(() => one.fetchSync(1, giveAway))).to.equal('OPTION_INVALID');
      expect(await codeOf(() => one.readThrough(1, new Uint8Array(SIZE), giveAway))).to.equal('OPTION_INVALID');
      expect(await codeOf(() => one.fetch(1, giveAway))).to.equal('OPTION_INVALID');
      expect(two.borrow(1)).to.equal(undefined);
      for (const space of [one, two]) expect(space.fetchSync(1, load).slice()).to.deep.equal(pattern(SIZE, 1));
    });
  }

  it('a node that disconnects in the middle of its own load gets DISCONNECTED, and the next node loads', async () => {
    const pool = await makePool();
    const node = await join(pool.path);
    const space = new SharedCache(pool).pages('t', { pageSize: SIZE });
    const gone = new SharedCache(node).pages('t', { pageSize: SIZE });
    const { load } = counting();
    const code = await codeOf(() =>
      gone.fetchSync(1, (pageNo, target) => {
        void node.disconnect();
        load(pageNo, target);
      }),
    );
    expect(code).to.equal('DISCONNECTED');
    expect(space.fetchSync(1, load).slice()).to.deep.equal(pattern(SIZE, 1));
    expect(space.borrow(1)?.slice()).to.deep.equal(pattern(SIZE, 1));
  });
});
