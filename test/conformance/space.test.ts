import { expect } from 'chai';
import type { Draft, Page } from '../../src/pool/layout/types.js';
import type { AttachedPool } from '../../src/pool/pool.js';
import { type Reference, ReferenceLru, ReferenceS3Fifo, ReferenceSieve } from '../pool/policy/reference.js';
import { contentOf, random } from '../support/content.js';
import { codeOf, KIB, LONG, MIB, settle, usePools } from '../support/pools.js';

function liveBytes(pool: AttachedPool): number {
  let sum = 0;
  for (const { size } of pool.list()) sum += size;
  return sum;
}

describe('conformance: space', () => {
  const pools = usePools();

  for (const size of [1, 1000, 4096, 60_000, 300_000, 1_200_000]) {
    it(`a pool filled to the last object of ${size} bytes says POOL_FULL, and freeing all gives all back`, async () => {
      const pool = await pools.create({ size: 8 * MIB, pageSize: 4 * KIB, eviction: 'none', maxNodes: 4 });
      const capacities: number[] = [];
      for (let round = 0; round < 3; round++) {
        let count = 0;
        while ((await codeOf(() => pool.put(`k${count}`, new Uint8Array(size).fill(count)))) === 'nothing thrown')
          count++;
        expect(await codeOf(() => pool.create(`k${count}`, size))).to.equal('POOL_FULL');
        expect(count).to.be.at.least(
          0.85 * Math.min(pool.info.maxObjects, Math.floor(pool.stats().bytesData / (size * 1.125))),
        );
        capacities.push(count);
        for (let i = 0; i < count; i++) {
          using page = pool.get(`k${i}`) as Page;
          expect([page.size, page.bytes[0], page.bytes[size - 1]]).to.deep.equal([size, i & 0xff, i & 0xff]);
        }
        for (let i = 0; i < count; i++) expect(pool.delete(`k${i}`)).to.equal(true);
        await settle(pool);
        const { bytesUsed, bytesFree, bytesData, objects, limbo } = pool.stats();
        expect([bytesUsed, bytesFree, objects, limbo]).to.deep.equal([0, bytesData, 0, 0]);
      }
      expect(new Set(capacities).size).to.equal(1);
      expect(capacities[0]).to.be.above(0);
    });
  }

  it('a pool full of drafts says POOL_FULL, and aborting them gives all back', async () => {
    const pool = await pools.create({ size: 4 * MIB, pageSize: 4 * KIB });
    const drafts: Draft[] = [];
    const fill = () => {
      for (let i = 0; ; i++) drafts.push(pool.create(`d${i}`, 4 * KIB));
    };
    expect(await codeOf(fill)).to.equal('POOL_FULL');
    expect(pool.stats().drafts).to.equal(drafts.length);
    for (const draft of drafts) draft.abort();
    expect(pool.stats().bytesUsed).to.equal(0);
    expect(pool.put('k', new Uint8Array(4 * KIB))).to.equal(true);
  });

  it('the largest object fits an empty pool, and one byte more than it ever could is OBJECT_TOO_LARGE', async () => {
    const pool = await pools.create({ size: 8 * MIB, pageSize: 4 * KIB });
    const { bytesData } = pool.stats();
    expect(await codeOf(() => pool.create('k', bytesData + 1))).to.equal('OBJECT_TOO_LARGE');
    expect(await codeOf(() => pool.create('k', 2 ** 53 - 1))).to.equal('OBJECT_TOO_LARGE');
    const draft = pool.create('k', bytesData);
    draft.bytes.fill(9);
    draft.seal();
    expect(pool.stats().bytesFree).to.equal(0);
    pool.delete('k');
    expect(pool.stats().bytesUsed).to.equal(0);
  });

  it('an object as large as the pool evicts everything else', async () => {
    const pool = await pools.create({ size: 8 * MIB, pageSize: 4 * KIB });
    for (let i = 0; i < 3000; i++) pool.put(`k${i}`, new Uint8Array(1 + ((i * 7919) % 9000)));
    await Promise.resolve();
    expect(pool.put('large', new Uint8Array(pool.stats().bytesData))).to.equal(true);
    expect(pool.stats().objects).to.equal(1);
    expect(pool.put('small', new Uint8Array(10))).to.equal(true);
    expect([pool.has('large'), pool.has('small')]).to.deep.equal([false, true]);
  });

  it('evict frees at least what it was asked for, and says how much', async () => {
    const pool = await pools.create({ size: 16 * MIB, pageSize: 4 * KIB });
    for (let i = 0; i < 3000; i++) pool.put(`k${i}`, contentOf(`k${i}`, i, 3000 + (i % 5)));
    await Promise.resolve();
    for (const bytes of [1, 4096, 100_000, 1_000_000]) {
      const before = pool.stats().bytesUsed;
      const freed = pool.evict(bytes);
      expect(freed).to.be.at.least(bytes);
      expect(before - pool.stats().bytesUsed).to.equal(freed);
    }
    const left = pool.stats().bytesUsed;
    expect(pool.evict(pool.info.size)).to.equal(left);
    expect([pool.stats().bytesUsed, pool.stats().objects, pool.evict(1)]).to.deep.equal([0, 0, 0]);
  });

  it('evict passes over what is pinned, retained or a draft, and frees all the rest', async () => {
    const pool = await pools.create({ size: 8 * MIB, pageSize: 4 * KIB });
    for (let i = 0; i < 300; i++) pool.put(`k${i}`, new Uint8Array(4096), { retain: i % 3 === 0 });
    const pages = Array.from({ length: 100 }, (_, i) => pool.get(`k${i}`) as Page);
    const draft = pool.create('draft', 4096);
    await Promise.resolve();
    pool.evict(pool.info.size);
    const left = [...pool.list()].map(({ key }) => key);
    const expected = Array.from({ length: 300 }, (_, i) => i).filter((i) => i < 100 || i % 3 === 0);
    expect(left.sort()).to.deep.equal([...expected.map((i) => `k${i}`), 'draft'].sort());
    for (const page of pages) page.release();
    draft.abort();
  });

  for (const eviction of ['adaptive-2q', 's3-fifo', 'sieve', 'lru'] as const) {
    it(`retained objects outlive any pressure under ${eviction}, and a pool full of them says POOL_FULL`, async () => {
      const pool = await pools.create({ size: 4 * MIB, pageSize: 4 * KIB, eviction });
      for (let i = 0; i < 50; i++) pool.put(`kept-${i}`, contentOf(`kept-${i}`, i, 4000), { retain: true });
      for (let i = 0; i < 3000; i++) expect(pool.put(`k${i}`, new Uint8Array(4000))).to.equal(true);
      for (let i = 0; i < 50; i++) expect(pool.has(`kept-${i}`)).to.equal(true);
      let count = 50;
      const fill = () => {
        for (; ; count++) pool.put(`kept-${count}`, new Uint8Array(4000), { retain: true });
      };
      // Behind chunks that are blocked a put may be refused where a later one finds room.
      for (let refused = 0, filled = count; refused < 64; refused = count > filled ? 0 : refused + 1) {
        filled = count;
        expect(await codeOf(fill)).to.equal('POOL_FULL');
      }
      expect(count * 4096).to.be.above(pool.stats().bytesData * 0.8);
      expect(await codeOf(() => pool.put(`kept-${count}`, new Uint8Array(4000)))).to.equal('POOL_FULL');
      for (let i = 0; i < count; i++) expect(pool.has(`kept-${i}`)).to.equal(true);
      // One shard is full; those of its pages that go make room in it.
      for (let i = 0; i < count; i += 2) expect(pool.delete(`kept-${i}`)).to.equal(true);
      expect(pool.put(`kept-${count}`, new Uint8Array(4000))).to.equal(true);
    });
  }

  it('maxObjects is kept to the object, whatever the sizes', async () => {
    const pool = await pools.create({ size: 8 * MIB, maxObjects: 100, eviction: 'none', maxNodes: 4 });
    for (let i = 0; i < 100; i++) expect(pool.put(`k${i}`, new Uint8Array(i % 3))).to.equal(true);
    expect(await codeOf(() => pool.put('k100', new Uint8Array(0)))).to.equal('POOL_FULL');
    pool.delete('k7');
    expect(pool.put('k100', new Uint8Array(0))).to.equal(true);
  });
});

/** Puts twice the data region's bytes in objects of one size through the pool. */
function pour(pool: AttachedPool, name: string, size: number): void {
  const count = Math.ceil((2 * pool.stats().bytesData) / size);
  const bytes = new Uint8Array(size);
  for (let i = 0; i < count; i++) {
    if (!pool.put(`${name}-${i}`, bytes)) throw new Error('a new key was refused');
  }
}

describe('conformance: mixed sizes over time', () => {
  const pools = usePools();
  const sizes = [4 * KIB, 64 * KIB, MIB, 64 * KIB, 4 * KIB, MIB, 4 * KIB];

  it(`do not strand memory: ${sizes.map((size) => size / KIB).join(', ')} KiB keep 90 % of the data region in use`, async function () {
    this.timeout(120_000);
    const pool = await pools.create({ size: LONG ? '1GiB' : '64MiB' });
    const { bytesData } = pool.stats();
    const shares: number[] = [];
    for (const [phase, size] of sizes.entries()) {
      pour(pool, `phase-${phase}`, size);
      await Promise.resolve();
      shares.push(Math.floor((100 * liveBytes(pool)) / bytesData));
    }
    expect(Math.min(...shares), `percent after each phase: ${shares.join()}`).to.be.at.least(90);
  });

  it('do not strand memory when every size from 16 bytes to 16 KB comes, as rows of a database do', async () => {
    const pool = await pools.create({ size: '64MiB' });
    const { bytesData } = pool.stats();
    let poured = 0;
    for (let i = 0; poured < 2 * bytesData; i++) {
      const size = 16 + ((i * 7919) % 16_000);
      pool.put(`k${i}`, new Uint8Array(size));
      poured += size;
    }
    await Promise.resolve();
    const percent = Math.floor((100 * liveBytes(pool)) / bytesData);
    expect(percent, 'percent of the data region that holds live bytes').to.be.at.least(50);
  });

  it('do not strand memory when all sizes come mixed', async () => {
    const pool = await pools.create({ size: '32MiB' });
    const { bytesData } = pool.stats();
    const below = random(5);
    const shares: number[] = [];
    for (let phase = 0; phase < 3; phase++) {
      let poured = 0;
      for (let i = 0; poured < 2 * bytesData; i++) {
        const size = [4 * KIB, 64 * KIB, MIB][below(8) < 5 ? 0 : 1 + below(2)] as number;
        pool.put(`phase-${phase}-${i}`, new Uint8Array(size));
        poured += size;
      }
      await Promise.resolve();
      shares.push(Math.floor((100 * liveBytes(pool)) / bytesData));
    }
    expect(Math.min(...shares), `percent after each phase: ${shares.join()}`).to.be.at.least(70);
  });
});

describe('conformance: the order of eviction', () => {
  const pools = usePools();
  const references: Record<'lru' | 'sieve' | 's3-fifo', () => Reference> = {
    lru: () => new ReferenceLru(),
    sieve: () => new ReferenceSieve(),
    's3-fifo': () => new ReferenceS3Fifo(),
  };

  for (const eviction of ['lru', 'sieve', 's3-fifo'] as const) {
    it(`of a pool under ${eviction} is that of the paper's algorithm`, async () => {
      const capacity = 200;
      const pool = await pools.create({ size: 4 * MIB, pageSize: KIB, maxObjects: capacity, maxNodes: 4, eviction });
      expect(pool.session.parts.geometry.shards).to.equal(1);
      const reference = references[eviction]();
      const below = random(11);
      const live: number[] = [];
      let next = 0;
      for (let round = 0; round < 400; round++) {
        for (let i = below(6); i > 0 && live.length < capacity; i--) {
          // A key that was evicted a while ago comes back now and then.
          const key = next > 40 && below(4) === 0 ? next - 1 - below(40) : next++;
          if (live.includes(key)) continue;
          pool.put(`k${key}`, new Uint8Array(64));
          reference.insert(key);
          live.push(key);
        }
        for (let i = below(20); i > 0 && live.length > 0; i--) {
          const key = live[below(live.length)] as number;
          pool.get(`k${key}`)?.release();
          reference.touch(key);
        }
        await Promise.resolve();
        for (let i = 1 + below(4); i > 0 && live.length > 0; i--) {
          const victim = reference.evict(() => false);
          pool.evict(1);
          const left = live.filter((key) => pool.has(`k${key}`));
          await Promise.resolve();
          expect(live.filter((key) => !left.includes(key))).to.deep.equal([victim]);
          live.splice(live.indexOf(victim), 1);
        }
      }
    });
  }
});
