import { expect } from 'chai';
import type { MonotonicMs } from '../../lib/clock.js';
import { Patience } from '../../src/cache/fetching.js';

describe('the patience of a fetch', () => {
  let nowMs = 0;
  const at = (ms: number) => {
    nowMs = ms;
  };
  const machine = { elapsedMs: () => nowMs as MonotonicMs };
  beforeEach(() => at(1000));

  it('is its limit for the load that it met first', () => {
    const patience = new Patience(machine, 500);
    expect(patience.isLeftFor('first')).to.equal(true);
    at(1499);
    expect(patience.isLeftFor('first')).to.equal(true);
    at(1501);
    expect(patience.isLeftFor('first')).to.equal(false);
  });

  it('is the limit once more for a load that began meanwhile, also where the first wait had some time left for it', () => {
    const patience = new Patience(machine, 500);
    patience.isLeftFor('first');
    at(1497);
    expect(patience.isLeftFor('second'), 'within the first wait').to.equal(true);
    at(1501);
    expect(patience.isLeftFor('second'), 'once more').to.equal(true);
    expect(patience.leftMs()).to.equal(500);
    at(2002);
    expect(patience.isLeftFor('second')).to.equal(false);
    expect(patience.isLeftFor('third'), 'not for ever').to.equal(false);
  });
});
