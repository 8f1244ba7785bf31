/** How many fences of everybody it takes to store into a full pool: counted, as a lost batch costs time and nothing else. */
import { expect } from 'chai';
import { SharedCache } from '../../../src/index.js';
import { usePools } from '../../support/pools.js';

const PAGE = 8192;
const MISSES = 1500;

describe('fences for what is evicted', () => {
  const pools = usePools();

  for (const { size, missesToOne } of [
    { size: '9MiB', missesToOne: 2.5 },
    { size: '32MiB', missesToOne: 6 },
    { size: '64MiB', missesToOne: 20 },
  ] as const) {
    it(`serve ${missesToOne} misses and more each, in a pool of ${size}`, async () => {
      const pool = await pools.create({ size, pageSize: PAGE });
      const pages = new SharedCache(pool, { namespace: 'fences' }).pages('pages', { pageSize: PAGE });
      const target = new Uint8Array(PAGE);
      const { fences } = pool.session.parts;
      const load = (_page: number, into: Uint8Array) => void into.fill(1);
      let page = 0;
      while (pool.stats().evictions === 0) pages.readThrough(page++, target, load);
      const [before, evicted] = [fences.last(), pool.stats().evictions];
      for (let i = 0; i < MISSES; i++) pages.readThrough(page++, target, load);
      expect(pool.stats().evictions - evicted, 'evictions').to.be.at.least(MISSES / 2);
      expect(fences.last() - before, 'fences').to.be.at.most(MISSES / missesToOne);
    });
  }
});
