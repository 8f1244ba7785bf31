/** How many fences of everybody it takes to store into a full pool: counted, as a lost batch costs time and nothing else. */
import { expect } from 'chai';
import { registerForFences } from '../../../lib/linux/index.js';
import { SharedCache } from '../../../src/index.js';
import { FenceChoice } from '../../../src/pool/near/fencechoice.js';
import type { Fences } from '../../../src/pool/nodes/index.js';
import type { AttachedPool } from '../../../src/pool/pool.js';
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

/** How often the node asks the kernel to fence everybody during the work. */
function asked(pool: AttachedPool, work: () => void): number {
  const { machine } = pool.session.parts;
  let times = 0;
  machine.fenceEverybody = () => {
    times++;
    return Object.getPrototypeOf(machine).fenceEverybody.call(machine);
  };
  work();
  Reflect.deleteProperty(machine, 'fenceEverybody');
  return times;
}

describe('the kernel is asked for a fence', () => {
  const pools = usePools();
  const canShare = process.arch === 'x64' && registerForFences();
  const storeMany = (pool: AttachedPool) => () => {
    for (let i = 0; i < 2000; i++) pool.put(`key-${i}`, new Uint8Array(PAGE));
  };

  it('never for the node that wants one itself, nor for one that borrows nothing', async () => {
    const pool = await pools.create({ size: '8MiB' });
    const other = await pools.connect(pool.path);
    other.session.reader.hazards.expose(0);
    await new Promise((resolve) => setImmediate(resolve));
    pool.session.reader.hazards.expose(0);
    expect(asked(pool, storeMany(pool))).to.equal(0);
    expect(pool.session.parts.fences.made).to.be.greaterThan(10);
  });

  it('where another borrows and leaves its fence to others, until that one has seen how many there are', async () => {
    const pool = await pools.create({ size: '8MiB' });
    const other = await pools.connect(pool.path);
    const { hazards } = other.session.reader;
    hazards.expose(0);
    const store = storeMany(pool);
    expect(hazards.isLight).to.equal(canShare);
    expect(asked(pool, store)).to.equal(canShare ? pool.session.parts.fences.made : 0);
    hazards.choose();
    expect(hazards.isLight).to.equal(false);
    expect(asked(pool, store)).to.equal(0);
  });
});

describe('a node stores its borrows plainly', () => {
  const fences = { made: 0, begun: 0, last: () => fences.begun };
  const choose = (borrows: number, others: number, own = 0) => {
    choice.borrowed(borrows);
    fences.begun = (fences.begun + others + own) | 0;
    fences.made += own;
    return choice.isLight();
  };
  let choice: FenceChoice;
  beforeEach(() => {
    fences.begun = 0x7fffffff;
    choice = new FenceChoice(fences as unknown as Fences, true);
  });

  it('from the start, and as long as it borrows more than others fence, whatever it fences itself', () => {
    expect(choice.isLight()).to.equal(true);
    expect(choose(100_000, 10, 5000)).to.equal(true);
    expect(choose(0, 0, 5000)).to.equal(true);
  });

  it('no more once others fence often, and again when they do not', () => {
    expect(choose(100, 7), 'too few to tell').to.equal(true);
    expect(choose(100, 7)).to.equal(false);
    expect(choose(1000, 0), 'too few to tell').to.equal(false);
    expect(choose(4000, 0)).to.equal(true);
    expect(choose(4000, 100)).to.equal(false);
  });

  it('never where a node is attached that may not ask the kernel', () => {
    const own = new FenceChoice(fences as unknown as Fences, false);
    own.borrowed(1_000_000);
    expect(own.isLight()).to.equal(false);
  });
});
