import { expect } from 'chai';
import { inspect } from '../../../src/index.js';
import type { AttachedPool } from '../../../src/pool/pool.js';
import { keysOf, markOf, twoOnPages } from '../../support/pins.js';
import { codeOf, KIB, MIB, usePools } from '../../support/pools.js';

const PAGES = 2000;
const OPTIONS = { size: 4 * MIB, pageSize: KIB, maxObjects: PAGES * 1.25 };
const names = Array.from({ length: PAGES }, (_, i) => `k${i}`);

const MUTATORS = ['store', 'storeInOrder', 'fill', 'compareExchange'] as const;

/** Runs what the caller likes before each store of the pool's node. */
function beforeStores<T>(pool: AttachedPool, between: () => void, work: () => T): T {
  const { words } = pool.session.parts;
  let isInside = false;
  for (const name of MUTATORS) {
    const original = words[name].bind(words) as (...args: number[]) => number;
    (words as unknown as Record<string, unknown>)[name] = (...args: number[]) => {
      if (!isInside) {
        isInside = true;
        between();
        isInside = false;
      }
      return original(...args);
    };
  }
  try {
    return work();
  } finally {
    for (const name of MUTATORS) Reflect.deleteProperty(words, name);
  }
}

function blocksTaken(pool: AttachedPool): number {
  const { words, geometry } = pool.session.parts;
  const { pinOwners, pinBlocks } = geometry.regions;
  let taken = 0;
  for (let block = 0; block < pinBlocks.count; block++) if (words.load(pinOwners.word + block) !== 0) taken++;
  return taken;
}

describe('blocks of pins', () => {
  const pools = usePools();

  const filled = () => twoOnPages(pools, OPTIONS, PAGES);

  it('are seen whole by a scan at every store of a node that pins and releases, while another takes and gives back', async () => {
    const [pool, other] = await filled();
    const third = await pools.connect(pool.path);
    const { scan } = other.session.parts;
    const held = new Map<number, { release(): void }>();
    const turns: { release(): void }[] = [];
    let looks = 0;
    const look = () => {
      if (looks++ % 7 !== 0) return;
      // Blocks change hands meanwhile: those of the third node grow and shrink.
      if (looks % 3 === 0) for (const page of turns.splice(0)) page.release();
      else turns.push(...third.getMany(names.slice(0, 400)).flatMap((page) => (page === undefined ? [] : [page])));
      scan.now();
      const missing = [...held.keys()].filter((slot) => !scan.isHeld(slot));
      expect(missing, `after ${looks} looks, with ${held.size} pins`).to.deep.equal([]);
    };
    await Promise.resolve();
    beforeStores(pool, look, () => {
      for (const name of names.slice(0, 900)) {
        const page = pool.get(name);
        if (page === undefined) throw new Error(`${name} is gone`);
        const { slot } = pool.session.glance(keysOf(pool), name) as { slot: number };
        held.set(slot, page);
      }
      const slots = [...held.keys()];
      // From the middle, so that the last pins move there.
      for (let i = 0; i < 880; i++) {
        const slot = slots[(i * 397 + 450) % slots.length] as number;
        const page = held.get(slot);
        held.delete(slot);
        page?.release();
      }
    });
    expect(looks).to.be.greaterThan(1500);
    for (const page of [...held.values(), ...turns]) page.release();
    expect([pool.node.pins, third.node.pins]).to.deep.equal([0, 0]);
  });

  it('go back to the stock when their pages are released, and are none for a few pins', async () => {
    const [pool] = await filled();
    const few = pool.getMany(names.slice(0, 40));
    expect(blocksTaken(pool)).to.equal(0);
    const pages = pool.getMany(names);
    expect(pool.node.pins).to.equal(PAGES);
    expect(blocksTaken(pool)).to.equal(Math.ceil((PAGES - 64) / 256));
    for (const page of pages) page?.release();
    expect(blocksTaken(pool)).to.equal(0);
    for (const page of few) page?.release();
    expect(markOf(pool)).to.be.at.most(64);
  });

  it('of nodes that left or died are taken by who needs them, and of living ones by nobody', async () => {
    const [pool, other] = await filled();
    const third = await pools.connect(pool.path);
    for (const node of [pool, other]) node.getMany(names);
    const { pinBlocks } = pool.session.parts.geometry.regions;
    const left = pinBlocks.count - blocksTaken(pool);
    expect(left).to.be.within(1, 3);
    const some = names.slice(0, 64 + left * 256).map((name) => third.get(name));
    expect(await codeOf(() => third.get(names[some.length] as string))).to.equal('TOO_MANY_PINS');
    expect(third.node.pins).to.equal(some.length);
    await other.disconnect();
    const more = third.getMany(names.slice(some.length));
    expect(third.node.pins).to.equal(PAGES);
    const { problems } = await inspect(pool.path);
    expect(problems).to.deep.equal([]);
    for (const page of [...some, ...more]) page?.release();
  });

  it('that a cut call took and never entered are taken again', async () => {
    const [pool] = await filled();
    const { words, geometry } = pool.session.parts;
    const few = pool.getMany(names.slice(0, 64));
    const original = words.fill.bind(words);
    words.fill = () => {
      throw new Error('cut');
    };
    for (let i = 0; i < 20; i++) expect(() => pool.get('k64')).to.throw('cut');
    words.fill = original;
    expect(blocksTaken(pool)).to.equal(1);
    const pages = pool.getMany(names);
    expect(pool.node.pins).to.equal(PAGES);
    expect(blocksTaken(pool)).to.equal(Math.ceil((PAGES - geometry.pinsOwn) / geometry.pinBlockEntries));
    for (const page of [...few, ...pages]) page?.release();
  });
});
