/** Deaths at every store. SEALPOOL_LONG=1 kills the repairer after every one of his stores too. */
import { expect } from 'chai';
import { CORNERS } from './crash/corners.js';
import { runCrash, worldOf } from './crash/exhaustive.js';
import { LONG_KEY_SCENARIOS } from './crash/longkeys.js';
import { SCENARIOS } from './crash/scenarios.js';
import { storeSites } from './crash/sites.js';
import { type Sweep, sweepOperation, sweepRepair } from './crash/sweep.js';
import { TAG_SCENARIOS } from './crash/tags.js';

const IS_LONG = process.env['SEALPOOL_LONG'] === '1';
const REPAIR_STRIDE = IS_LONG ? 1 : 211;
/** Some of what repair stores is rare: those scenarios are looked through more closely. */
const CLOSELY: Readonly<Record<string, number>> = { 'buckets that overflow': IS_LONG ? 1 : 71 };
const sites = new Set<string>();

function check(sweep: Sweep): void {
  for (const site of sweep.sites) sites.add(site);
  expect(sweep.faults, sweep.faults[0]).to.deep.equal([]);
  expect(sweep.deaths).to.be.greaterThan(0);
}

describe('a death after any store', function () {
  this.timeout(REPAIR_STRIDE === 1 ? 7_200_000 : 300_000);

  for (const scenario of [...SCENARIOS, ...CORNERS, ...TAG_SCENARIOS, ...LONG_KEY_SCENARIOS]) {
    it(`harms nothing: ${scenario.name}`, async () => {
      check(await sweepOperation(scenario, true));
    });

    it(`harms nothing when the repairer dies too: ${scenario.name}`, async () => {
      const sweep = await sweepRepair(scenario, CLOSELY[scenario.name] ?? REPAIR_STRIDE, true);
      check(sweep);
      expect(sweep.repairerDeaths).to.be.greaterThan(0);
    });
  }

  it('has been met right after every statement of the protocol that stores a shared word', () => {
    const known = [...storeSites()];
    const missed = known.filter(([site]) => !sites.has(site)).map(([site, text]) => `${site} ${text}`);
    expect(missed).to.deep.equal([]);
    expect(known.length).to.be.greaterThan(100);
  });

  it('is seen when what it leaves is wrong: the harness finds a page that should not be there', async () => {
    const scenario = SCENARIOS.find(({ name }) => name === 'put of a new key') as (typeof SCENARIOS)[number];
    const strict = { ...scenario, allows: {} };
    const run = { scenario: strict, killAfter: 1_000_000, way: 'upkeep', killRepairAfter: 1_000_000 } as const;
    let fault = '';
    await runCrash(worldOf(strict), run).catch((error: Error) => {
      fault = error.message;
    });
    expect(fault).to.equal('key b holds 2, and may hold 0');
  });
});
