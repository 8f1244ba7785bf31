import { expect } from 'chai';
import { lowestBit } from '../../lib/bits.js';

describe('the lowest bit that is set', () => {
  it('is found at each place, whatever is set above it, and is 32 where none is', () => {
    for (let place = 0; place < 32; place++) {
      const above = [-1, 0, 0x5555_5555, 0x4000_0000 | 0];
      for (const bits of above) expect(lowestBit((1 << place) | ((bits << 1) << place))).to.equal(place);
    }
    expect(lowestBit(0)).to.equal(32);
  });
});
