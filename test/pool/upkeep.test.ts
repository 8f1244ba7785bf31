import { expect } from 'chai';
import { KIB, MIB, usePools } from '../support/pools.js';

const PAGES = 1500;

describe('upkeep', () => {
  const pools = usePools();

  it('looks at a shard without its lock, and holds it for few of the pages that it retires', async () => {
    const pool = await pools.create({ size: 4 * MIB, pageSize: KIB, maxObjects: 2 * PAGES });
    const { locks, slots, shards, geometry } = pool.session.parts;
    for (let i = 0; i < PAGES; i++) pool.put(`k${i}`, new Uint8Array(8), i % 3 === 0 ? {} : { ttlMs: 1 });
    await new Promise((resolve) => setTimeout(resolve, 5));
    const { upkeep } = pool as unknown as { upkeep: { tick(): void } };
    const holds: { looks: number; retired: number }[] = [];
    const { tryWithin } = locks;
    const { stateWord } = slots;
    let hold: { looks: number; retired: number } | undefined;
    locks.tryWithin = (lock, work) =>
      tryWithin.call(locks, lock, () => {
        if (lock >= geometry.shards) return work();
        hold = { looks: 0, retired: shards.live(lock) };
        work();
        hold.retired -= shards.live(lock);
        holds.push(hold);
        hold = undefined;
      });
    slots.stateWord = (slot) => {
      if (hold !== undefined) hold.looks++;
      return stateWord.call(slots, slot);
    };
    for (let tick = 0; tick < 3; tick++) upkeep.tick();
    const retired = holds.reduce((sum, { retired: some }) => sum + some, 0);
    expect(retired).to.equal(PAGES - Math.ceil(PAGES / 3));
    expect(Math.max(...holds.map((one) => one.retired))).to.be.within(20, 64);
    // Each page that is retired is looked at a few times, and no other.
    expect(Math.max(...holds.map(({ looks }) => looks))).to.be.below(64 * 6);
    holds.length = 0;
    upkeep.tick();
    expect(holds).to.deep.equal([]);
    for (let i = 0; i < PAGES; i++) expect(pool.has(`k${i}`)).to.equal(i % 3 === 0);
  });
});
