import { expect } from 'chai';
import { HazardHead } from '../../../src/pool/layout/index.js';
import type { AttachedPool } from '../../../src/pool/pool.js';
import { Chance } from '../../support/chance.js';
import { keysOf, markOf, twoOnPages } from '../../support/pins.js';
import { codeOf, KIB, MIB, usePools } from '../../support/pools.js';

const PAGES = 3000;
const OPTIONS = { size: 8 * MIB, pageSize: KIB, maxObjects: 2 * PAGES };
const SLACK = 64;

/** How many words of pins a scan of another node's reads. */
function wordsScanned(scanner: AttachedPool, owner: AttachedPool, at: (count: number) => void = () => {}): number {
  const { words, scan, geometry } = scanner.session.parts;
  const { pins, pinBlocks } = geometry.regions;
  const first = pins.word + owner.session.parts.nodes.self * pins.stride;
  const isOfPins = (index: number) =>
    (index >= first && index < first + pins.stride) ||
    (index >= pinBlocks.word && index < pinBlocks.word + pinBlocks.stride * pinBlocks.count);
  const original = words.loadInOrder.bind(words);
  let count = 0;
  words.loadInOrder = (index) => {
    if (isOfPins(index)) at(count++);
    return original(index);
  };
  try {
    scan.now();
  } finally {
    Reflect.deleteProperty(words, 'loadInOrder');
  }
  return count;
}

describe('pins', () => {
  const pools = usePools();

  const filled = () => twoOnPages(pools, OPTIONS, PAGES);

  const names = Array.from({ length: PAGES }, (_, i) => `k${i}`);
  const orders: Record<string, (pages: number[]) => number[]> = {
    'as they were taken': (pages) => pages,
    'the last first': (pages) => [...pages].reverse(),
    'in any order': (pages) => {
      const chance = new Chance(3);
      return pages
        .map((page) => [chance.word(), page] as const)
        .sort(([a], [b]) => a - b)
        .map(([, page]) => page);
    },
  };
  for (const [name, order] of Object.entries(orders)) {
    it(`are scanned by others as many as there are, after thousands were released ${name}`, async () => {
      const [pool, other] = await filled();
      const before = wordsScanned(other, pool);
      expect(before).to.be.at.most(SLACK);
      const pages = pool.getMany(names);
      expect(wordsScanned(other, pool)).to.be.within(PAGES, PAGES + SLACK);
      const kept = [7, 1234, PAGES - 1];
      for (const index of order(pages.map((_, i) => i))) if (!kept.includes(index)) pages[index]!.release();
      expect(wordsScanned(other, pool)).to.be.at.most(kept.length + SLACK);
      expect([pool.stats().pins, pool.node.pins]).to.deep.equal([3, 3]);
      // What is pinned still is held: bytes of it are never used again.
      for (const key of names) other.delete(key);
      for (let i = 0; i < PAGES; i++) other.put(`l${i}`, new Uint8Array(8).fill(255));
      for (const index of kept) expect(new Set(pages[index]!.bytes)).to.deep.equal(new Set([index & 0xff]));
      for (const index of kept) pages[index]!.release();
      expect([pool.stats().pins, pool.node.pins]).to.deep.equal([0, 0]);
    });
  }

  it('that move to another entry while a scan is under way are met by it, wherever it is', async () => {
    const pool = await pools.create({ size: MIB, pageSize: KIB, maxObjects: 64 });
    const other = await pools.connect(pool.path);
    const keys = Array.from({ length: 12 }, (_, i) => `k${i}`);
    for (const key of keys) other.put(key, new Uint8Array(8));
    const { scan, geometry, shards } = other.session.parts;
    expect(geometry.shards).to.equal(1);
    for (let at = 0; at < 16; at++) {
      for (const released of [0, 5, 10]) {
        const pages = pool.getMany(keys);
        // What was looked at last stands in the ring as well until the run ends.
        await Promise.resolve();
        wordsScanned(other, pool, (count) => {
          if (count === at) pages[released]!.release();
        });
        const slots = [...keys.keys()]
          .filter((i) => i !== released)
          .map((i) => pool.session.glance(keysOf(pool), keys[i]!)!.slot);
        expect(slots.map((slot) => scan.isHeld(slot - shards.of(slot) * geometry.slotsPerShard))).to.not.include(false);
        for (const page of pages) page!.release();
        await Promise.resolve();
      }
    }
  });

  it('taken and released in turn do not move the mark that others read', async () => {
    const [pool] = await filled();
    pool.get('k1')!.release();
    const { words, geometry, nodes } = pool.session.parts;
    const mark = geometry.regions.hazardHeads.word + nodes.self * HazardHead.words + HazardHead.word.pinHigh;
    const original = words.store.bind(words);
    let stores = 0;
    words.store = (index, value) => {
      if (index === mark) stores++;
      original(index, value);
    };
    for (let i = 0; i < 100; i++) {
      const pages = [pool.get('k1'), pool.get('k2'), pool.get('k3')];
      for (const page of pages) page!.release();
    }
    expect(stores).to.equal(0);
    expect(markOf(pool)).to.be.at.most(SLACK);
  });

  it('cost two stores that are ordered and none that is fenced, and make no map grow', async () => {
    const [pool] = await filled();
    const { words, geometry } = pool.session.parts;
    const { pins } = geometry.regions;
    const first = pins.word + pool.session.parts.nodes.self * pins.stride;
    for (const key of ['k1', 'k2', 'k1']) pool.get(key)!.release();
    const ofPins: number[] = [];
    let others = 0;
    const original = words.storeInOrder.bind(words);
    words.storeInOrder = (index, value) => {
      if (index >= first && index < first + pins.stride) ofPins.push(value);
      else others++;
      original(index, value);
    };
    const { store } = words;
    words.store = (index, value) => {
      if (index >= first && index < first + pins.stride) others++;
      store.call(words, index, value);
    };
    const keptSlot = pool.session.glance(keysOf(pool), 'k2')!.slot;
    const slot = pool.session.glance(keysOf(pool), 'k1')!.slot;
    const kept = pool.get('k2')!;
    for (let i = 0; i < 10; i++) pool.get('k1')!.release();
    pool.get('k2')!.release();
    kept.release();
    expect(ofPins).to.deep.equal([keptSlot + 1, ...Array.from({ length: 10 }, () => [slot + 1, 0]).flat(), 0]);
    expect(others).to.equal(0);
  });

  it('of pages released long ago are not let go again, whoever has their records by now', async () => {
    const [pool, other] = await filled();
    const [one, two] = [pool.get('k1')!, pool.get('k2')!];
    one.release();
    two.release();
    const later = pool.getMany(['k3', 'k4', 'k3']);
    for (const page of [one, two, one]) page.release();
    expect(await codeOf(() => one.bytes)).to.equal('RELEASED');
    expect(pool.node.pins).to.equal(2);
    expect(later.map((page) => page!.bytes[0])).to.deep.equal([3, 4, 3]);
    later[0]!.release();
    expect(pool.node.pins).to.equal(2);
    const { scan } = other.session.parts;
    const slot = pool.session.glance(keysOf(pool), 'k3')!.slot;
    await Promise.resolve();
    scan.now();
    expect(scan.isHeld(slot)).to.equal(true);
    for (const page of later) page!.release();
    expect(pool.node.pins).to.equal(0);
  });

  it('are as many as the list has entries, whatever was released before', async () => {
    const [pool, other] = await filled();
    const { pinsPerNode } = pool.session.parts.geometry;
    const taken = Math.min(pinsPerNode, PAGES);
    const pages = pool.getMany(names.slice(0, taken));
    for (let i = 0; i < taken; i += 3) pages[i]!.release();
    const again = pool.getMany(names.filter((_, i) => i < taken && i % 3 === 0));
    expect(pool.node.pins).to.equal(taken);
    if (pinsPerNode <= PAGES) expect(await codeOf(() => pool.get(names[taken]!))).to.equal('TOO_MANY_PINS');
    for (const page of [...pages, ...again]) page!.release();
    expect(pool.node.pins).to.equal(0);
    expect(wordsScanned(other, pool)).to.be.at.most(SLACK);
  });
});
