import { expect } from 'chai';
import { checksumOfBytes } from '../../lib/hash.js';

describe('the checksum of bytes', () => {
  it('is CRC-32 as everybody computes it, and goes on from where it stood', () => {
    const bytes = new TextEncoder().encode('123456789');
    expect(checksumOfBytes(bytes, 0) >>> 0).to.equal(0xcbf43926);
    const first = checksumOfBytes(bytes.subarray(0, 4), 0);
    expect(checksumOfBytes(bytes.subarray(4), first) >>> 0).to.equal(0xcbf43926);
    expect(checksumOfBytes(new Uint8Array(0), 0)).to.equal(0);
  });
});
