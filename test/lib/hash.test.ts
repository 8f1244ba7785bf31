import { expect } from 'chai';
import fc from 'fast-check';
import { checkOfArray, checkOfWords, checksumOfBytes } from '../../lib/hash.js';
import { Words } from '../../lib/words.js';

describe('the check of words', () => {
  it('is the same of words in private memory', () => {
    const values = fc.array(fc.integer(), { minLength: 1, maxLength: 40 });
    fc.assert(
      fc.property(values, fc.nat(39), fc.integer(), (all, first, seed) => {
        const array = Int32Array.from(all);
        const start = Math.min(first, array.length);
        const words = new Words(array.buffer);
        const count = array.length - start;
        expect(checkOfArray(array, start, count, seed)).to.equal(checkOfWords(words, start, count, seed));
      }),
    );
  });
});

describe('the checksum of bytes', () => {
  it('is CRC-32 as everybody computes it, and goes on from where it stood', () => {
    const bytes = new TextEncoder().encode('123456789');
    expect(checksumOfBytes(bytes, 0) >>> 0).to.equal(0xcbf43926);
    const first = checksumOfBytes(bytes.subarray(0, 4), 0);
    expect(checksumOfBytes(bytes.subarray(4), first) >>> 0).to.equal(0xcbf43926);
    expect(checksumOfBytes(new Uint8Array(0), 0)).to.equal(0);
  });
});
