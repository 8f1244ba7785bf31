/** Versions that have ended and that nobody asks for any more are given back, and no others. */
import { expect } from 'chai';
import fc from 'fast-check';
import type { PageSpace } from '../../src/index.js';
import { codeOf } from './pools.js';
import { makeSpaces, page } from './twospaces.js';

const at = (space: PageSpace, pageNo: number, versions: readonly number[]) =>
  versions.map((asOf) => space.borrow(pageNo, asOf)?.[0]);

describe('retire of versions', () => {
  it('takes as many versions in use as there are, also more than a call has room for as arguments', async () => {
    const { spaces } = await makeSpaces();
    for (const from of [10, 20, 30]) spaces[0].put(1, page(from), { from });
    const inUse = Array.from({ length: 300_000 }, (_, i) => 20 + (i % 11));
    expect(spaces[0].retire(1, inUse)).to.equal(1);
    expect(at(spaces[1], 1, [15, 25, 30])).to.deep.equal([undefined, 20, 30]);
  });

  it('gives back those that have ended and that no version in use asks for, on every node', async () => {
    const { pool, spaces } = await makeSpaces();
    const [one, other] = spaces;
    for (const from of [10, 20, 30, 40]) one.put(1, page(from), { from });
    one.put(2, page(10), { from: 10, until: 15 });
    const asked = [10, 19, 20, 29, 30, 39, 40, 99];
    expect(at(other, 1, asked)).to.deep.equal([10, 10, 20, 20, 30, 30, 40, 40]);
    expect(other.retire(1, [25, 40])).to.equal(2);
    const left = [undefined, undefined, 20, 20, undefined, undefined, 40, 40];
    for (const space of spaces) expect(at(space, 1, asked)).to.deep.equal(left);
    expect(pool.stats().objects).to.equal(3);
    expect(other.retire(1, [25, 40])).to.equal(0);
    expect(other.retire(2, [12])).to.equal(0);
    expect(at(one, 2, [12])).to.deep.equal([10]);
    expect(other.retire(2, [15])).to.equal(1);
    expect(at(one, 2, [12])).to.deep.equal([undefined]);
    await new Promise((resolve) => setImmediate(resolve));
    // Borrowed until now.
    expect([one.retire(1, [40]), one.retire(2, [40])]).to.deep.equal([1, 0]);
    expect(pool.stats()).to.include({ objects: 1, limbo: 0 });
  });

  it('leaves what ended after the newest in use, and what has no end, and all where nothing is in use', async () => {
    const { spaces } = await makeSpaces();
    const [one] = spaces;
    for (const from of [10, 20, 30]) one.put(1, page(from), { from });
    expect([one.retire(1, []), one.retire(1, [5]), one.retire(1, [19])]).to.deep.equal([0, 0, 0]);
    expect(one.retire(1, [20])).to.equal(1);
    expect(at(one, 1, [15, 20, 30])).to.deep.equal([undefined, 20, 30]);
    expect(one.retire(1, [9999])).to.equal(1);
    expect(at(one, 1, [20, 30])).to.deep.equal([undefined, 30]);
  });

  it('leaves a page that is held as it is, and its memory is free when it was let go', async () => {
    const { pool, spaces } = await makeSpaces();
    const [one, other] = spaces;
    one.put(1, page(10), { from: 10 });
    one.put(1, page(20), { from: 20 });
    const held = other.get(1, 15);
    expect(one.retire(1, [20])).to.equal(1);
    expect(held?.bytes).to.deep.equal(page(10));
    expect(other.borrow(1, 15)).to.equal(undefined);
    expect(pool.stats()).to.include({ objects: 1, limbo: 1 });
    held?.release();
    one.retire(1, [20]);
    expect(pool.stats()).to.include({ objects: 1, limbo: 0 });
  });

  it('refuses no fill that is under way, and an older page without an end stays refused', async () => {
    const { spaces } = await makeSpaces();
    const [one, other] = spaces;
    one.put(1, page(10), { from: 10 });
    one.put(1, page(20), { from: 20 });
    const lease = other.lease(1);
    expect(one.retire(1, [20])).to.equal(1);
    expect(one.put(1, page(10), { from: 10 })).to.equal(false);
    expect(other.put(1, page(10), { from: 10, until: 20, lease: other.lease(1) })).to.equal(true);
    expect(one.retire(1, [20])).to.equal(1);
    one.invalidate(1, 20);
    expect(one.put(1, page(15), { from: 15 })).to.equal(false);
    expect(other.put(1, page(10), { from: 10, until: 20, lease })).to.equal(false);
  });

  it('refuses what is no list of versions, and a page that is none', async () => {
    const { spaces } = await makeSpaces();
    const [space] = spaces;
    for (const bad of [[-1], [0.5], ['1'], 7, undefined, [Number.NaN]]) {
      expect(await codeOf(() => space.retire(1, bad as number[]))).to.equal('OPTION_INVALID');
    }
    expect(await codeOf(() => space.retire(-1, [1]))).to.equal('KEY_INVALID');
  });

  it('changes no answer at a version in use, or after the newest of them, whatever was stored before', async () => {
    const { pool, spaces } = await makeSpaces();
    const version = fc.integer({ min: 1, max: 20 });
    const step = fc.oneof(
      fc.record({ kind: fc.constant('put'), from: version, length: fc.integer({ min: 1, max: 30 }) }),
      fc.record({ kind: fc.constant('end'), from: version, length: fc.constant(0) }),
    );
    let pageNo = 0;
    let seen = 0;
    fc.assert(
      fc.property(
        fc.array(step, { minLength: 1, maxLength: 8 }),
        fc.array(version, { minLength: 1, maxLength: 3 }),
        (steps, inUse) => {
          const no = pageNo++;
          for (const { kind, from, length } of steps) {
            if (kind === 'end') spaces[0].invalidate(no, from);
            else spaces[0].put(no, page(from), { from, ...(length < 20 ? { until: from + length } : {}) });
          }
          const all = Array.from({ length: 60 }, (_, asOf) => asOf);
          const before = at(spaces[1], no, all);
          const objects = pool.stats().objects;
          const retired = spaces[1].retire(no, inUse);
          expect(pool.stats().objects).to.equal(objects - retired);
          const newest = Math.max(...inUse);
          const after = at(spaces[0], no, all);
          for (const asOf of all) {
            const mayGo = asOf < newest && !inUse.some((used) => before[used] === before[asOf]);
            // A version is told by its number, and none that is left covers a version in use and one that is not to answer.
            if (after[asOf] !== before[asOf]) expect([asOf, after[asOf], mayGo]).to.deep.equal([asOf, undefined, true]);
          }
          // What is left and has ended answers at least one of those in use.
          for (const asOf of all.filter((one) => one < newest && after[one] !== undefined)) {
            const until = all.find((one) => one > asOf && after[one] !== after[asOf]) ?? 60;
            const isUsed = inUse.some((used) => after[used] === after[asOf]);
            expect(isUsed || until > newest).to.equal(true);
          }
          seen += retired;
          spaces[0].invalidate(no);
        },
      ),
      { numRuns: 500, seed: 13 },
    );
    expect(seen).to.be.greaterThan(100);
  });
});
