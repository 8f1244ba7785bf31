/** Interleavings, in short; `npm run sim` has as many as one likes. */
import { expect } from 'chai';
import { buildCoroutines } from './coroutines/build.js';
import { huntMutant } from './mutants/hunt.js';
import { MUTANTS } from './mutants/list.js';
import { runHunt } from './run.js';

/** Broken so that few schedules suffice to see it. */
const CANARIES = ['limbo is freed whoever holds it', 'a retirement is not logged', 'a lease is not compared'];

describe('any order of accesses', function () {
  this.timeout(300_000);
  let root = '';
  before(() => {
    root = buildCoroutines();
  });

  it('gives histories that a plain variable explains, whole pages, and a sound pool', async () => {
    const found = await runHunt(root, { from: 1, count: 900 });
    expect(found.faults, found.faults[0]).to.deep.equal([]);
    expect(found.schedules).to.equal(900);
    expect(found.steps).to.be.greaterThan(300_000);
    expect(found.turns).to.be.greaterThan(12_000);
  });

  it('does so for each pair of operations with two changes of turn', async () => {
    const found = await runHunt(root, { caseStride: 499 });
    expect(found.faults, found.faults[0]).to.deep.equal([]);
    expect(found.schedules).to.be.greaterThan(300);
  });

  for (const name of CANARIES) {
    it(`is told from one that is not right: ${name}`, async () => {
      const mutant = MUTANTS.find((one) => one.name === name) as (typeof MUTANTS)[number];
      const { by, fault } = await huntMutant(root, mutant);
      expect(by, fault).to.not.equal(undefined);
    });
  }

  it('is run again by its seed alone', async () => {
    const [one, other] = [await runHunt(root, { from: 41, count: 40 }), await runHunt(root, { from: 41, count: 40 })];
    expect(one).to.deep.equal(other);
  });
});
