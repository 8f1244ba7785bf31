import { expect } from 'chai';
import { SharedCache } from '../../src/cache/index.js';
import type { Page } from '../../src/pool/layout/types.js';
import { useProcesses } from '../process/child.js';
import { checkContent, contentOf } from '../support/content.js';
import { codeOf, eventually, KIB, MIB, settle, usePools } from '../support/pools.js';

const SMALL = { size: 4 * MIB, pageSize: 4 * KIB, maxNodes: 8 } as const;

function usesOf(page: Page): (() => unknown)[] {
  return [() => page.bytes, () => page.metadata, () => page.size, () => page.generation, () => page.copy()];
}

describe('conformance: pins', () => {
  const pools = usePools();
  const processes = useProcesses();

  it('a page deleted while another process pins it is invisible at once, and intact until the release', async () => {
    const pool = await pools.create(SMALL);
    const [one, two] = await processes.connect(pool.path, 2);
    pool.put('k', contentOf('k', 1, 3000));
    expect(await one?.call('pin', 'k')).to.equal(true);
    expect(pool.delete('k')).to.equal(true);
    expect([await one?.call('has', 'k'), await two?.call('has', 'k'), pool.has('k')]).to.deep.equal([
      false,
      false,
      false,
    ]);
    // Twice the pool's size goes through it.
    for (let i = 0; i < 2000; i++) expect(pool.put(`other-${i}`, new Uint8Array(4000).fill(0xee))).to.equal(true);
    expect(await one?.call('checkPinned', 'k')).to.equal(1);
    expect(pool.stats().pins).to.equal(1);
    await one?.call('release', 'k');
    await settle(pool);
    expect([pool.stats().pins, pool.stats().limbo]).to.deep.equal([0, 0]);
  });

  for (const order of [
    [0, 1],
    [1, 0],
  ]) {
    it(`two processes pin one page and node ${order[0]} releases first: the space comes back with the second`, async () => {
      const pool = await pools.create(SMALL);
      const nodes = await processes.connect(pool.path, 2);
      pool.put('k', contentOf('k', 1, 3000));
      for (const node of nodes) await node.call('pin', 'k');
      pool.delete('k');
      await nodes[order[0] as number]?.call('release', 'k');
      await settle(pool);
      expect(pool.stats().limbo).to.equal(1);
      const last = nodes[order[1] as number];
      expect(await last?.call('checkPinned', 'k')).to.equal(1);
      await last?.call('release', 'k');
      await settle(pool);
      expect([pool.stats().limbo, pool.stats().bytesUsed]).to.deep.equal([0, 0]);
    });
  }

  it('one node pins a page many times: each release counts once, and the last one gives the page up', async () => {
    const pool = await pools.create(SMALL);
    pool.put('k', contentOf('k', 1, 3000));
    const pages = Array.from({ length: 10 }, () => pool.get('k') as Page);
    pool.delete('k');
    for (const page of pages) {
      await settle(pool);
      expect(pool.stats().limbo).to.equal(1);
      expect(checkContent(page.bytes, 'k')).to.equal(1);
      page.release();
      page.release();
      page[Symbol.dispose]();
      expect(await codeOf(() => page.bytes)).to.equal('RELEASED');
    }
    await settle(pool);
    expect([pool.stats().limbo, pool.stats().bytesUsed]).to.deep.equal([0, 0]);
  });

  it('after release every use of the page says RELEASED, and of other pages none does', async () => {
    const pool = await pools.create(SMALL);
    pool.put('k', contentOf('k', 1, 300));
    const [page, other] = [pool.get('k') as Page, pool.get('k') as Page];
    page.release();
    // Private to its caller, as there is no room for it.
    const copy = await new SharedCache(pool).fetch('large', () => new Uint8Array(64 * MIB));
    copy.release();
    for (const use of [...usesOf(page), ...usesOf(copy)]) expect(await codeOf(use)).to.equal('RELEASED');
    expect(checkContent(other.bytes, 'k')).to.equal(1);
    other.release();
  });

  it('whatever one process misuses, the pool goes on for the others', async () => {
    const pool = await pools.create(SMALL);
    const [one] = await processes.connect(pool.path, 1);
    pool.put('k', contentOf('k', 1, 300));
    await one?.call('pin', 'k');
    const misuses = [
      () => one?.call('release', 'k'),
      () => one?.call('release', 'k'),
      () => one?.call('create', 'k', 1),
      () => one?.call('create', 'other', -1),
      () => one?.call('create', 'other', Number.NaN),
      () => one?.call('create', 'other', 2 ** 40),
      () => one?.call('create', 'other', 10, { metadata: new Uint8Array(100_000) }),
      () => one?.call('create', 'other', 10, { ttlMs: -1 }),
      () => one?.call('evict', -1),
      () => one?.call('evict', Number.NaN),
      () => one?.call('put', '', new Uint8Array(1)),
      () => one?.call('disconnect'),
      () => one?.call('disconnect'),
      () => one?.call('release', 'k'),
    ];
    const codes: string[] = [];
    for (const misuse of misuses) codes.push(await codeOf(misuse));
    expect(codes).to.deep.equal([
      'nothing thrown',
      'nothing thrown',
      'KEY_EXISTS',
      ...['OPTION_INVALID', 'OPTION_INVALID', 'OBJECT_TOO_LARGE'],
      ...['OPTION_INVALID', 'OPTION_INVALID', 'OPTION_INVALID', 'OPTION_INVALID'],
      'KEY_INVALID',
      ...['nothing thrown', 'nothing thrown', 'nothing thrown'],
    ]);
    expect(checkContent(pool.get('k')?.bytes as Uint8Array, 'k')).to.equal(1);
    expect(pool.put('l', contentOf('l', 1, 300))).to.equal(true);
    expect(pool.nodes().length).to.equal(1);
  });

  it('a page that another process pins is never evicted, by pressure or by evict', async () => {
    const pool = await pools.create(SMALL);
    const [one] = await processes.connect(pool.path, 1);
    for (let i = 0; i < 20; i++) {
      pool.put(`pinned-${i}`, contentOf(`pinned-${i}`, i, 3000));
      await one?.call('pin', `pinned-${i}`);
    }
    for (let i = 0; i < 3000; i++) pool.put(`other-${i}`, new Uint8Array(4000).fill(0xee));
    expect(pool.stats().evictions).to.be.above(500);
    pool.evict(pool.info.size);
    for (let i = 0; i < 20; i++) {
      expect(pool.has(`pinned-${i}`)).to.equal(true);
      expect(await one?.call('checkPinned', `pinned-${i}`)).to.equal(i);
    }
    expect(pool.stats().objects).to.equal(20);
  });

  it('a key deleted and created again has a new generation, while old holders still see old bytes', async () => {
    const pool = await pools.create(SMALL);
    const [one, two] = await processes.connect(pool.path, 2);
    const old: Page[] = [];
    for (let generation = 1; generation <= 5; generation++) {
      expect(pool.put('k', contentOf('k', generation, 2000 + generation))).to.equal(true);
      old.push(pool.get('k') as Page);
      if (generation === 1) await one?.call('pin', 'k');
      expect(await two?.call('check', 'k')).to.equal(generation);
      expect(pool.delete('k')).to.equal(true);
    }
    expect(old.map((page) => checkContent(page.bytes, 'k'))).to.deep.equal([1, 2, 3, 4, 5]);
    expect(await one?.call('checkPinned', 'k')).to.equal(1);
    expect(pool.stats().limbo).to.equal(5);
    for (const page of old) page.release();
    await one?.call('release', 'k');
    await eventually(() => expect(pool.stats().bytesUsed).to.equal(0));
  });

  it('the generation of a key that always gets the same slot rises with every page', async () => {
    const pool = await pools.create({ ...SMALL, maxObjects: 1 });
    const seen = new Map<number, number>();
    for (let i = 0; i < 50; i++) {
      pool.put('k', contentOf('k', i, 64));
      const page = pool.get('k') as Page;
      const [info] = [...pool.list()];
      expect(info?.generation).to.equal(page.generation);
      const address = page.bytes.byteOffset;
      expect(page.generation).to.be.above(seen.get(address) ?? 0);
      seen.set(address, page.generation);
      page.release();
      pool.delete('k');
      await settle(pool);
    }
  });

  it('one node may pin 65,536 pages, and one more says TOO_MANY_PINS', async function () {
    this.timeout(120_000);
    const pool = await pools.create({ size: 64 * MIB, pageSize: 64, maxObjects: 80_000, maxNodes: 2 });
    const pages: Page[] = [];
    for (let i = 0; i < 65_537; i++) pool.put(`k${i}`, new Uint8Array(8));
    for (let i = 0; i < 65_536; i++) pages.push(pool.get(`k${i}`) as Page);
    expect(await codeOf(() => pool.get('k65536'))).to.equal('TOO_MANY_PINS');
    expect(pool.stats().pins).to.equal(65_536);
    for (const page of pages) page.release();
    expect(pool.stats().pins).to.equal(0);
    const page = pool.get('k65536');
    expect(page?.size).to.equal(8);
  });
});
