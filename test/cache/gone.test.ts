/** Versions of pages that are gone, dropped, or lost with their slot: what they refuse, and what they do not. */
import { expect } from 'chai';
import type { PageSpace } from '../../src/index.js';
import { Slot } from '../../src/pool/layout/layout.js';
import { expectCleanCensus } from '../support/census.js';
import { sleep } from './pools.js';
import { makeSpaces, page } from './twospaces.js';

/** What both nodes answer for the page at the versions. */
function answers(spaces: readonly PageSpace[], pageNo: number, versions: readonly (number | undefined)[]) {
  const [one = [], two] = spaces.map((space) => versions.map((asOf) => space.borrow(pageNo, asOf)?.[0]));
  expect(one).to.deep.equal(two);
  return one;
}

describe('versions', () => {
  it('of pages that are there decide nothing about other pages of their space, nor do those of a few that are gone', async () => {
    const { pool, spaces } = await makeSpaces();
    const [changed] = spaces;
    for (let no = 0; no < 1000; no++) expect(changed.put(no, page(no), { from: 1_000_000 + no })).to.equal(true);
    for (let no = 0; no < 20; no++) changed.invalidate(no);
    for (let no = 1000; no < 1500; no++) {
      changed.fetchSync(no, (_, target) => void target.fill(no));
      expect(changed.borrow(no)?.[0], `page ${no}`).to.equal(no & 0xff);
    }
    await sleep(0);
    pool.evict(2 ** 30);
    for (let no = 0; no < 1000; no++)
      expect(changed.put(no, page(no), { from: 999_999 }), `page ${no}`).to.equal(false);
  });

  it('that drop made void neither refuse a new page nor cut one, nor those that were gone by then', async () => {
    const { pool, spaces } = await makeSpaces();
    for (let no = 0; no < 2000; no++) spaces[0].put(no, page(no), { from: 1_000_000 + no });
    for (let no = 0; no < 1000; no++) spaces[0].invalidate(no);
    spaces[0].drop();
    for (let no = 0; no < 1000; no++) expect(spaces[1].put(no, page(no), { from: 7 }), `page ${no}`).to.equal(true);
    expect(answers(spaces, 1999, [2_000_000, undefined])).to.deep.equal([undefined, undefined]);
    expect(spaces[0].put(1999, page(9), { from: 9 })).to.equal(true);
    expect(answers(spaces, 1999, [8, 9, 2_000_000, undefined])).to.deep.equal([undefined, 9, 9, 9]);
    await sleep(0);
    pool.evict(2 ** 30);
    expect(spaces[0].put(1999, page(8), { from: 8 })).to.equal(false);
    await expectCleanCensus(pool.path);
  });

  it('of a page whose slot was damaged are not forgotten with it', async () => {
    const { pool, spaces } = await makeSpaces();
    const { slots, words, locks, shards } = pool.session.parts;
    for (const no of [1, 2]) spaces[0].put(no, page(no), { from: 20 });
    spaces[0].put(3, page(3), { from: 25 });
    spaces[0].invalidate(3);
    const damaged = [...Array(slots.total).keys()].find((slot) => slots.from(slot) === 20) as number;
    words.write(slots.wordOf(damaged) + Slot.word.from, 3);
    locks.acquire(shards.of(damaged));
    locks.releaseDirty(shards.of(damaged));
    locks.within(shards.of(damaged), () => {});
    for (const no of [1, 2]) expect(spaces[1].put(no, page(no), { from: 19 }), `page ${no}`).to.equal(false);
    expect(spaces[1].put(3, page(3), { from: 24 })).to.equal(false);
    for (const no of [1, 2, 3]) expect(spaces[1].put(no, page(no), { from: 26 }), `page ${no}`).to.equal(true);
  });
});
