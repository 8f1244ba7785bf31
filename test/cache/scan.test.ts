/** Scans of a page space. */
import { expect } from 'chai';
import type { PageSpace, SharedCache } from '../../src/index.js';
import { codeOf, makeTwo, pattern } from './pools.js';

const SIZE = 512;

async function makeSpaces(): Promise<PageSpace[]> {
  const { caches } = await makeTwo();
  return caches.map((cache) => cache.pages('t', { pageSize: SIZE }));
}

describe('a scan of a page space', () => {
  it('gives the pages in order, what is missing as undefined, and borrows no more than is looked at', async () => {
    const [one, two] = (await makeSpaces()) as [PageSpace, PageSpace];
    const first = 2 ** 32 - 100;
    for (let i = 0; i < 300; i++) if (i % 5 !== 0) one.put(first + i, pattern(SIZE, i));
    for (const space of [one, two, two]) {
      let i = 0;
      for (const bytes of space.scan(first, 300)) {
        expect(bytes?.slice(), `page ${i}`).to.deep.equal(i % 5 === 0 ? undefined : pattern(SIZE, i));
        i++;
      }
      expect(i).to.equal(300);
    }
    const { caches, pools } = await makeTwo();
    const space = (caches[0] as SharedCache).pages('t', { pageSize: SIZE });
    const misses = () => pools[0].stats().misses;
    const before = misses();
    const scan = space.scan(0, 2 ** 40);
    expect(misses()).to.equal(before);
    for (const _ of scan) if (misses() === before + 3) break;
    expect([misses() - before, scan.next().done]).to.deep.equal([3, true]);
    expect([...space.scan(7, 0)]).to.deep.equal([]);
    space.put(1, pattern(SIZE, 1), { from: 10, until: 20 });
    expect([...space.scan(0, 3, 15)].map((bytes) => bytes?.slice())).to.deep.equal([
      undefined,
      pattern(SIZE, 1),
      undefined,
    ]);
    for (const [start, count, code] of [
      [-1, 1, 'KEY_INVALID'],
      [5, Number.MAX_SAFE_INTEGER, 'KEY_INVALID'],
      [0, -1, 'OPTION_INVALID'],
      [0, 0.5, 'OPTION_INVALID'],
    ] as const) {
      expect(await codeOf(() => space.scan(start, count)), `${start} ${count}`).to.equal(code);
    }
    const open = two.scan(0, 10);
    await pools[0].disconnect();
    expect(await codeOf(() => space.scan(0, 1))).to.equal('DISCONNECTED');
    expect(open.next().done).to.equal(false);
  });

  it('longer than 1,024 pages leaves the last 1,024 good until its run of the event loop ends, whatever leaves meanwhile', async () => {
    const { caches, pools } = await makeTwo();
    const [one, two] = caches.map((cache) => cache.pages('t', { pageSize: SIZE })) as [PageSpace, PageSpace];
    const count = 1500;
    for (let pageNo = 0; pageNo < count; pageNo++) one.put(pageNo, pattern(SIZE, pageNo));
    await Promise.resolve();
    const seen = [...two.scan(0, count)];
    one.drop();
    pools[0].evict(2 ** 30);
    for (let pageNo = count; pageNo < 20_000; pageNo++) one.put(pageNo, pattern(SIZE, pageNo));
    for (let pageNo = count - 1024; pageNo < count; pageNo++) {
      expect(seen[pageNo]?.slice(), `page ${pageNo}`).to.deep.equal(pattern(SIZE, pageNo));
    }
    const isOther = seen.some((bytes, pageNo) => bytes?.some((byte, i) => byte !== pattern(SIZE, pageNo)[i]));
    expect(isOther).to.equal(true);
  });
});
