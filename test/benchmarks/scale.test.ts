import { expect } from 'chai';
import { exponentOf } from '../../benchmarks/fit.js';
import { poolReads, poolWrites, privateReads, privateWrites } from '../../benchmarks/scale.loads.js';
import {
  isWriting,
  keyOf,
  LOADS,
  type Load,
  PAGE_BYTES,
  readsOf,
  sourceOf,
  sourcesOf,
} from '../../benchmarks/scale.shape.js';
import { connect, SharedCache } from '../../src/index.js';
import { MIB, usePools } from '../support/pools.js';

describe('the loads of the benchmark scale', () => {
  const PAGES = 100;
  const sources = sourcesOf(3);
  const reads = readsOf('smoke', 3, sources, PAGES);
  const work = { sources, pages: PAGES, reads, seed: 3, index: 0 };
  const pools = usePools();

  async function joined(isFilled: boolean) {
    const pool = await connect(pools.path(), { create: { size: 8 * MIB, pageSize: PAGE_BYTES } });
    const cache = new SharedCache(pool);
    const space = cache.pages('table', { pageSize: PAGE_BYTES });
    for (let pageNo = 0; isFilled && pageNo < PAGES; pageNo++) {
      cache.set(keyOf(pageNo), sourceOf(sources, pageNo));
      space.put(pageNo, sourceOf(sources, pageNo));
    }
    return { pool, cache, space };
  }

  it('read the same bytes in the pool and privately, and refuse a pool that lacks a page', async () => {
    const filled = await joined(true);
    const empty = await joined(false);
    for (const load of LOADS.filter((load) => !isWriting(load))) {
      const batches = [poolReads(load, work, filled), privateReads(load, work)];
      for (let i = 0; i < 8; i++) {
        const from = reads.take();
        for (const batch of batches) expect(batch(from, from + reads.batch), load).to.equal(reads.sumFrom(from));
      }
      expect(() => poolReads(load, work, empty)(0, reads.batch), load).to.throw('missing');
    }
    await filled.pool.disconnect();
    await empty.pool.disconnect();
  });

  it('write what readers expect, into the half they are told, or new pages without end', async () => {
    const of = async (load: Load) => {
      const { pool, cache, space } = await joined(false);
      const write = poolWrites(load, work, { cache, space }, 50, 50);
      for (let i = 0; i < 500; i++) expect(write()).to.equal(true);
      const stored = Array.from({ length: PAGES }, (_, pageNo) => {
        const bytes = load === 'set over live keys' ? cache.peek(keyOf(pageNo)) : space.borrow(pageNo);
        if (bytes !== undefined) expect(Buffer.compare(bytes, sourceOf(sources, pageNo)), load).to.equal(0);
        return bytes !== undefined;
      });
      const { objects } = pool.stats();
      await pool.disconnect();
      return { objects, stored };
    };
    for (const load of ['set over live keys', 'readers beside a writer'] as const) {
      const { objects, stored } = await of(load);
      expect(stored, load).to.deep.equal(stored.map((_, pageNo) => pageNo >= 50));
      expect(objects, load).to.equal(50);
    }
    expect((await of('put with eviction')).objects).to.equal(500);
    for (const load of LOADS.filter(isWriting)) expect(privateWrites(load, work, 0, PAGES)()).to.equal(true);
  });
});

describe('the exponent of growth', () => {
  it('is that of the power, whatever stands before it', () => {
    const points = [1, 2, 4, 8].map((x) => [x, 7 * x ** 1.5] as const);
    expect(exponentOf(points)).to.be.closeTo(1.5, 1e-9);
    expect(exponentOf([1, 10, 100].map((x) => [x, 3] as const))).to.be.closeTo(0, 1e-9);
    expect(exponentOf([1, 2, 4].map((x) => [x, 1 / x] as const))).to.be.closeTo(-1, 1e-9);
  });

  it('is not made up where there is none', () => {
    expect(() => exponentOf([[2, 5]])).to.throw('No exponent');
    expect(() => exponentOf([])).to.throw('No exponent');
    expect(() =>
      exponentOf([
        [1, 0],
        [2, 5],
      ]),
    ).to.throw('No exponent');
  });
});
