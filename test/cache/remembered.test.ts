/** Pages of a page space that this node remembers: by their keys, and many at a time. */
import { expect } from 'chai';
import type { PageSpace } from '../../src/index.js';
import { makeTwo, pattern } from './pools.js';

const SIZE = 512;
const NUMBERS = [0, 1, 2 ** 32 - 1, 2 ** 32, Number.MAX_SAFE_INTEGER];

describe('a page space whose pages are remembered', () => {
  it('gives pages whose key is that by which the pool has them, also after their release', async () => {
    const { pools, caches } = await makeTwo();
    const [one, two] = caches.map((cache) => cache.pages('t', { pageSize: SIZE })) as [PageSpace, PageSpace];
    for (const pageNo of NUMBERS) one.put(pageNo, pattern(SIZE, pageNo));
    // Looked up, and remembered.
    for (const space of [two, two]) {
      const pages = NUMBERS.map((pageNo) => space.get(pageNo)!);
      for (const [i, page] of pages.entries()) {
        const whole = pools[0].get(page.key);
        expect(whole?.copy()).to.deep.equal(pattern(SIZE, NUMBERS[i]!));
        expect(whole?.key).to.equal(page.key);
        whole?.release();
        page.release();
        expect(page.key).to.deep.equal(whole?.key);
      }
    }
  });

  it('borrowMany of pages that were remembered gives those that took their place since', async () => {
    const { caches } = await makeTwo();
    const [one, two] = caches.map((cache) => cache.pages('t', { pageSize: SIZE })) as [PageSpace, PageSpace];
    const numbers = Array.from({ length: 70 }, (_, i) => i);
    const into: (Uint8Array | undefined)[] = [];
    for (const pageNo of numbers) one.put(pageNo, pattern(SIZE, pageNo));
    for (let round = 0; round < 2; round++) expect(two.borrowMany(numbers, into)).to.equal(70);
    for (const pageNo of numbers) if (pageNo % 5 !== 0) one.put(pageNo, pattern(SIZE, pageNo, 1));
    for (const pageNo of numbers) if (pageNo % 10 === 0) one.invalidate(pageNo);
    expect(two.borrowMany(numbers, into)).to.equal(63);
    for (const pageNo of numbers) {
      const expected = pageNo % 10 === 0 ? undefined : pattern(SIZE, pageNo, pageNo % 5 === 0 ? undefined : 1);
      expect(into[pageNo]?.slice(), `page ${pageNo}`).to.deep.equal(expected);
    }
  });
});
