import { expect } from 'chai';
import { Words } from '../../lib/words.js';
import { Bitmap } from '../../src/pool/space/bitmap.js';

const BITS = 32 * 64;

/** Two copies, as in a pool. */
function makeBitmap(): { bitmap: Bitmap; words: Words } {
  const words = new Words(new ArrayBuffer((BITS / 32) * 2 * 4));
  return { bitmap: new Bitmap(words, BITS, BITS / 32).at(0), words };
}

describe('a bitmap of granules', () => {
  it('tells whether a range is all free or all taken, across words and at the edges of each', () => {
    for (const [first, count] of [
      [0, 1],
      [31, 1],
      [31, 2],
      [5, 90],
      [32, 32],
      [BITS - 40, 40],
    ] as const) {
      const { bitmap } = makeBitmap();
      expect([bitmap.isAll(first, count, false), bitmap.isAll(first, count, true)]).to.deep.equal([true, false]);
      bitmap.set(first, count, true);
      expect([bitmap.isAll(first, count, false), bitmap.isAll(first, count, true)]).to.deep.equal([false, true]);
      for (const odd of [first, first + count - 1]) {
        bitmap.set(odd, 1, false);
        expect(bitmap.isAll(first, count, true)).to.equal(false);
        bitmap.set(odd, 1, true);
      }
      // Neighbours say nothing about it.
      if (first > 0) expect(bitmap.isAll(first - 1, count + 1, true)).to.equal(false);
      if (first + count < BITS) expect(bitmap.isAll(first, count + 1, true)).to.equal(false);
    }
    const { bitmap } = makeBitmap();
    expect([bitmap.isAll(-1, 2, false), bitmap.isAll(BITS - 1, 2, false)]).to.deep.equal([false, false]);
  });

  it('looks at no other words for that: a repair asks it for every slot of a shard', () => {
    const { bitmap, words } = makeBitmap();
    // One copy only: whoever looks there throws.
    words.write(1, -1);
    expect(bitmap.isAll(0, 32, false)).to.equal(true);
    expect(() => bitmap.isAll(0, 33, false)).to.throw('POOL_CORRUPT');
  });
});
