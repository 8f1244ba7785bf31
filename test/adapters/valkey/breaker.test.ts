import { expect } from 'chai';
import { Breaker } from '../../../adapters/valkey/breaker.js';

function make() {
  const clock = { ms: 0 };
  return { clock, breaker: new Breaker({ failures: 3, pauseMs: 100 }, () => clock.ms) };
}

describe('a circuit breaker', () => {
  it('opens after so many failures in a row, and not when one between them was none', () => {
    const { breaker } = make();
    breaker.failed();
    breaker.failed();
    breaker.succeeded();
    expect([breaker.failed(), breaker.failed(), breaker.isOpen]).to.deep.equal([false, false, false]);
    expect([breaker.failed(), breaker.isOpen, breaker.allows()]).to.deep.equal([true, true, false]);
  });

  it('lets one through each time the pause is over, and all once that one succeeded', () => {
    const { breaker, clock } = make();
    for (let i = 0; i < 3; i++) breaker.failed();
    clock.ms = 99;
    expect(breaker.allows()).to.equal(false);
    clock.ms = 100;
    expect([breaker.allows(), breaker.allows()]).to.deep.equal([true, false]);
    breaker.failed();
    clock.ms = 200;
    expect([breaker.allows(), breaker.allows()]).to.deep.equal([true, false]);
    breaker.succeeded();
    expect([breaker.allows(), breaker.allows(), breaker.openings]).to.deep.equal([true, true, 1]);
  });
});
