/** Calls cut anywhere. SEALPOOL_LONG=1 cuts at every place. */
import { pathToFileURL } from 'node:url';
import { expect } from 'chai';
import { buildCuts } from './cuts/build.js';
import { ODD_NAMES } from './cuts/odd.js';
import { CUT_SCENARIOS } from './cuts/scenarios.js';

const STRIDE = process.env['SEALPOOL_LONG'] === '1' ? 1 : 499;

describe('a call cut short at any place, by an error or with nothing that cleans up', function () {
  this.timeout(STRIDE === 1 ? 7_200_000 : 300_000);
  let sweep: typeof import('./cuts/sweep.js');

  before(async () => {
    sweep = (await import(pathToFileURL(`${buildCuts()}/test/sim/cuts/sweep.js`).href)) as typeof sweep;
  });

  it('leaves no event out of a feed, and tells none twice', () => {
    const { cuts, faults } = sweep.sweepFeeds(STRIDE);
    expect(faults, faults[0]).to.deep.equal([]);
    expect(cuts).to.be.greaterThan(500);
  });

  for (const name of ODD_NAMES) {
    it(`answers whoever waits, and leaves nothing that nobody has: ${name}`, async () => {
      const { cuts, faults } = await sweep.sweepOdd(name, Math.min(STRIDE, 61));
      expect(faults, faults[0]).to.deep.equal([]);
      expect(cuts).to.be.greaterThan(20);
    });
  }

  for (const { name } of CUT_SCENARIOS) {
    it(`leaves nothing that its node does not take back: ${name}`, async () => {
      const scenario = sweep.CUT_SCENARIOS.find((one) => one.name === name);
      expect(scenario).not.to.equal(undefined);
      const { cuts, faults } = await sweep.sweepCuts(scenario as NonNullable<typeof scenario>, STRIDE);
      expect(faults, faults[0]).to.deep.equal([]);
      expect(cuts).to.be.greaterThan(4);
    });
  }
});
