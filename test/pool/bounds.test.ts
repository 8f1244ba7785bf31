/** Upper bounds of versions in one word. */
import { expect } from 'chai';
import { boundOf, versionOfBound } from '../../src/pool/layout/index.js';

describe('the bound of a version', () => {
  const versions = [
    0,
    1,
    5,
    2 ** 26 - 1,
    2 ** 26,
    2 ** 26 + 1,
    2 ** 27 - 1,
    2 ** 32 + 1,
    1_700_000_000_001,
    2 ** 53 - 1,
  ];

  it('is never below it, exact below 2^26, and never above it by more than one in 2^25', () => {
    for (const version of versions) {
      const bound = versionOfBound(boundOf(version));
      expect(bound).to.be.within(version, version * (1 + 2 ** -25));
      if (version < 2 ** 26) expect(bound).to.equal(version);
    }
  });

  it('lies in a word that rises as the version does, and stays a positive 32-bit number', () => {
    const words = versions.map(boundOf);
    for (const [i, word] of words.entries()) {
      expect(word).to.be.within(0, 2 ** 31 - 2);
      if (i > 0) expect(word).to.be.at.least(words[i - 1] as number);
    }
  });

  it('of a word that cannot be one bounds nothing', () => {
    for (const word of [-1, -(2 ** 31), 2 ** 31 - 1]) expect(versionOfBound(word)).to.equal(Number.POSITIVE_INFINITY);
  });
});
