/** Pages whose holder forgot them, and how much one node may hold. */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect } from 'chai';
import { SharedCache } from '../../src/index.js';
import type { AttachedPool } from '../../src/pool/pool.js';
import { codeOf, eventually, pause, settle, usePools } from '../support/pools.js';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

const SMALL = { size: '1MiB', pageSize: 4096, maxNodes: 8 };
const PAGE_BYTES = 4096;
const CODE = 'SEALPOOL_PAGE_NOT_RELEASED';

/** Warnings of the code while `work` runs, and a little longer. */
async function warningsOf(work: () => Promise<void>): Promise<string[]> {
  const warnings: string[] = [];
  const listen = (warning: Error & { code?: string }) => {
    if (warning.code === CODE) warnings.push(warning.message);
  };
  process.on('warning', listen);
  try {
    await work();
    await pause(10);
  } finally {
    process.off('warning', listen);
  }
  return warnings;
}

describe('a forgotten page', () => {
  const pools = usePools();

  function forget(pool: AttachedPool, count: number): void {
    for (let i = 0; i < count; i++) pool.get(`k${i}`);
  }

  it('gives its pin back when it is collected, and is told of once, by its key', async () => {
    const pool = await pools.create(SMALL);
    for (let i = 0; i < 20; i++) pool.put(`k${i}`, new Uint8Array(PAGE_BYTES));
    const kept = pool.get('k7');
    const warnings = await warningsOf(async () => {
      forget(pool, 20);
      forget(pool, 20);
      expect(pool.stats().pins).to.equal(20);
      await eventually(() => {
        collect();
        expect(pool.stats().pins).to.equal(1);
      });
    });
    expect(warnings).to.have.length(1);
    expect(warnings[0]).to.match(/"k\d+"/);
    for (let i = 0; i < 20; i++) pool.delete(`k${i}`);
    await settle(pool);
    expect(pool.stats().limbo).to.equal(1);
    kept?.release();
    await settle(pool);
    expect([pool.stats().limbo, pool.stats().pins]).to.deep.equal([0, 0]);
  });

  it('that was released leaves no warning, and pins of others are not touched', async () => {
    const pool = await pools.create(SMALL);
    pool.put('k', new Uint8Array(PAGE_BYTES));
    const kept = pool.get('k');
    // Kept after its release: what it was counted by serves the next.
    const released: unknown[] = [];
    const warnings = await warningsOf(async () => {
      for (let i = 0; i < 3000; i++) {
        const page = pool.get('k');
        page?.release();
        if (i % 2 === 0) page?.release();
        released.push(page);
      }
      // More at a time than what is kept for the next ones.
      const many = Array.from({ length: 2000 }, () => pool.get('k'));
      for (const page of many) page?.release();
      for (let round = 0; round < 5; round++) {
        collect();
        await pause(5);
      }
      expect(pool.stats().pins).to.equal(1);
    });
    expect([warnings, released.length]).to.deep.equal([[], 3000]);
    expect(kept?.bytes.length).to.equal(PAGE_BYTES);
    const later = await warningsOf(async () => {
      pool.put('next', new Uint8Array(1));
      (() => pool.get('next'))();
      await eventually(() => {
        collect();
        expect(pool.stats().pins).to.equal(1);
      });
    });
    expect(later).to.have.length(1);
  });
});

describe('what one node may pin', () => {
  const pools = usePools();

  async function full(options: { maxPinShare?: number } = {}): Promise<AttachedPool> {
    const pool = await pools.create(SMALL, options);
    for (let i = 0; i < 400; i++) pool.put(`k${i}`, new Uint8Array(PAGE_BYTES));
    return pool;
  }

  /** Pins all there is, as far as it may; the share of the pool's bytes that it came to. */
  async function pinAll(pool: AttachedPool): Promise<number> {
    let bytes = 0;
    for (const { key, size } of [...pool.list()]) {
      try {
        if (pool.get(key) !== undefined) bytes += size;
      } catch (error) {
        expect((error as { code: string }).code).to.equal('TOO_MANY_PINS');
        break;
      }
    }
    return bytes / pool.stats().bytesData;
  }

  it('is half of the pool unless an option says otherwise, and others go on writing', async () => {
    const pool = await full();
    const other = await pools.connect(pool.path);
    expect(await pinAll(pool)).to.be.within(0.45, 0.5);
    for (let i = 0; i < 400; i++) expect(other.put(`other ${i}`, new Uint8Array(PAGE_BYTES))).to.equal(true);
    expect(other.get('other 399')?.size).to.equal(PAGE_BYTES);
    await pools.disconnect();
    expect(await pinAll(await full({ maxPinShare: 0.1 }))).to.be.within(0.05, 0.1);
    expect(await pinAll(await full({ maxPinShare: 1 }))).to.be.above(0.8);
    for (const maxPinShare of [0, -1, 1.5, Number.NaN]) {
      expect(await codeOf(() => full({ maxPinShare }))).to.equal('OPTION_INVALID');
    }
  });

  it('is free again after releases; further pins of one page cost nothing, and one page may be of any size', async () => {
    const pool = await pools.create(SMALL, { maxPinShare: 0.3 });
    const large = Math.floor(pool.stats().bytesData * 0.6);
    pool.put('large', new Uint8Array(large));
    pool.put('small', new Uint8Array(100));
    const [one, two] = [pool.get('large'), pool.get('large')];
    expect(await codeOf(() => pool.get('small'))).to.equal('TOO_MANY_PINS');
    one?.release();
    expect(await codeOf(() => pool.get('small'))).to.equal('TOO_MANY_PINS');
    two?.release();
    const small = pool.get('small');
    expect(await codeOf(() => pool.get('large'))).to.equal('TOO_MANY_PINS');
    small?.release();
    expect(pool.get('large')?.size).to.equal(large);
  });

  it('does not count what checkpoints hold: one of more than half of the pool is restored whole', async () => {
    const pool = await pools.create(SMALL);
    const part = Math.floor(pool.stats().bytesData * 0.15);
    const writer = pool.checkpoint('c');
    for (let i = 0; i < 5; i++) writer.put(`part ${i}`, new Uint8Array(part));
    writer.commit();
    const restored = pool.restore('c');
    expect(restored?.parts().map((name) => restored.get(name).size)).to.deep.equal(Array(5).fill(part));
  });

  it('nodes says who holds what', async () => {
    const pool = await pools.create(SMALL);
    const other = await pools.connect(pool.path);
    pool.put('a', new Uint8Array(1000));
    pool.put('b', new Uint8Array(3000));
    const pages = [other.get('a'), other.get('a'), other.get('b')];
    pool.create('draft', 10);
    let answer = () => {};
    const loading = new SharedCache(other).fetch('load', async () => {
      await new Promise<void>((resolve) => {
        answer = resolve;
      });
      return new Uint8Array(1);
    });
    const held = (from: AttachedPool) =>
      from.nodes().map(({ id, pins, pinnedBytes, drafts, claims }) => ({ id, pins, pinnedBytes, drafts, claims }));
    const expected = [
      { id: pool.node.id, pins: 0, pinnedBytes: 0, drafts: 1, claims: 0 },
      { id: other.node.id, pins: 2, pinnedBytes: 4000, drafts: 1, claims: 1 },
    ];
    const readOnly = await pools.connect(pool.path, { readOnly: true });
    for (const from of [pool, other, readOnly as AttachedPool]) expect(held(from)).to.deep.equal(expected);
    expect(other.node).to.include({ pinnedBytes: 4000, claims: 1 });
    answer();
    (await loading).release();
    for (const page of pages) page?.release();
    expect(held(pool)[1]).to.deep.equal({ id: other.node.id, pins: 0, pinnedBytes: 0, drafts: 0, claims: 0 });
  });
});
