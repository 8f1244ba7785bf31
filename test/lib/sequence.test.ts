import { expect } from 'chai';
import { isLater, nextSequence, SEQUENCE_BOUND, sequenceAfter, stepsBetween } from '../../lib/sequence.js';

/** Where a word comes round, and elsewhere. */
const STARTS = [0, 1, -1, 5, 2 ** 31 - 1, 2 ** 31 - 2, -(2 ** 31), -(2 ** 31) + 1, 123_456_789];
const DISTANCES = [1, 2, 1000, SEQUENCE_BOUND / 2, SEQUENCE_BOUND - 2, SEQUENCE_BOUND - 1];

describe('a sequence', () => {
  it('stays a signed word however far it goes', () => {
    expect(nextSequence(2 ** 31 - 1)).to.equal(-(2 ** 31));
    expect(nextSequence(-1)).to.equal(0);
    for (const start of STARTS) {
      for (const distance of DISTANCES) {
        const after = sequenceAfter(start, distance);
        expect(after).to.equal(after | 0);
        expect(sequenceAfter(after, -distance)).to.equal(start);
      }
    }
  });

  it('knows how far it is from another of less than 2^31 steps, on either side, and which is later', () => {
    for (const start of STARTS) {
      expect(stepsBetween(start, start)).to.equal(0);
      expect(isLater(start, start)).to.equal(false);
      for (const distance of DISTANCES) {
        const after = sequenceAfter(start, distance);
        expect(stepsBetween(start, after)).to.equal(distance);
        expect(stepsBetween(after, start)).to.equal(-distance);
        expect([isLater(after, start), isLater(start, after)]).to.deep.equal([true, false]);
      }
    }
  });

  it('is taken for an earlier one at 2^31 steps and beyond: that is the bound', () => {
    for (const start of STARTS) {
      for (const beyond of [SEQUENCE_BOUND, SEQUENCE_BOUND + 1, 2 * SEQUENCE_BOUND - 1]) {
        expect(isLater(sequenceAfter(start, beyond), start)).to.equal(false);
      }
    }
  });
});
