import { expect } from 'chai';
import { limitOf } from '../../src/pool/access/limits.js';
import type { Page } from '../../src/pool/layout/types.js';
import { codeOf, MIB, usePools } from '../support/pools.js';

describe('what limits a pool, by its stats', () => {
  const pools = usePools();
  const SIZE = 8 * MIB;

  it('is nothing while there is room', async () => {
    const pool = await pools.create({ size: SIZE, pageSize: 4096 });
    expect(pool.stats()).not.to.have.property('limitedBy');
    for (let i = 0; i < 100; i++) pool.put(`k${i}`, new Uint8Array(4096));
    expect(pool.stats()).not.to.have.property('limitedBy');
  });

  it('is its slots where small objects are evicted while most of its bytes are free', async () => {
    const pool = await pools.create({ size: SIZE, pageSize: 8192 });
    for (let i = 0; i < pool.info.maxObjects * 2; i++) pool.put(`k${i}`, new Uint8Array(100));
    const { limitedBy, bytesUsed, bytesData, evictions } = pool.stats();
    expect(evictions).to.be.above(0);
    expect(bytesUsed / bytesData).to.be.below(0.1);
    expect(limitedBy).to.equal('slots');
  });

  it('is its extents where the bytes are used up', async () => {
    const pool = await pools.create({ size: SIZE, pageSize: 4096 });
    for (let i = 0; i < 3000; i++) pool.put(`k${i}`, new Uint8Array(8000));
    expect(pool.stats().limitedBy).to.equal('extents');
    pool.evict(SIZE / 2);
    expect(pool.stats()).not.to.have.property('limitedBy');
  });

  it('is the pins where most of what could go is pinned', async () => {
    const pool = await pools.create({ size: SIZE, pageSize: 4096 }, { maxPinShare: 1 });
    const pages: (Page | undefined)[] = [];
    const fill = () => {
      for (let i = 0; ; i++) {
        pool.put(`k${i}`, new Uint8Array(8000));
        pages.push(pool.get(`k${i}`));
      }
    };
    expect(await codeOf(fill)).to.equal('POOL_FULL');
    expect(pool.stats().limitedBy).to.equal('pins');
    for (const page of pages) page?.release();
    expect(pool.stats().limitedBy).to.equal('extents');
  });

  it('is told by each measure alone', () => {
    const free = { shards: 4, shardsOutOfSlots: 1, bytesData: 100, bytesUsed: 69, chunksFree: 0, objects: 10, pins: 4 };
    expect(limitOf(free)).to.equal(undefined);
    expect(limitOf({ ...free, shardsOutOfSlots: 2 })).to.equal('slots');
    expect(limitOf({ ...free, bytesUsed: 70 })).to.equal('extents');
    expect(limitOf({ ...free, bytesUsed: 70, chunksFree: 1 })).to.equal(undefined);
    expect(limitOf({ ...free, bytesUsed: 70, pins: 5 })).to.equal('pins');
  });
});
