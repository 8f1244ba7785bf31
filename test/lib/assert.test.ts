import { expect } from 'chai';
import { AssertionError, assert, unreachable } from '../../lib/assert.js';

describe('assert', () => {
  it('returns when the condition holds', () => {
    expect(assert(true, 'not thrown')).to.equal(undefined);
  });

  it('throws an AssertionError with the message when it does not', () => {
    expect(() => assert(false, 'slot 3 is free')).to.throw(AssertionError, /^slot 3 is free$/);
  });

  it('throws an error of its own name, so that no handler of operating errors takes it', () => {
    const error = new AssertionError('broken');
    expect(error).to.be.instanceOf(Error);
    expect(error.name).to.equal('AssertionError');
    expect(error).to.not.have.property('code');
  });
});

describe('unreachable', () => {
  it('throws an AssertionError that names the value', () => {
    expect(() => unreachable('lost' as never, 'no such state')).to.throw(AssertionError, 'no such state: lost');
  });
});
