/** Borrowed pages: how long their bytes stay, what ends them, and what counts. */
import { expect } from 'chai';
import { SharedCache } from '../../src/index.js';
import { Peer } from './peer.js';
import { bytesOf, makePool, makeTwo, pattern, poolPath, SMALL, sleep, textOf } from './pools.js';

const BORROWS = 1024;

/** The pages with a wrong byte, by index. */
function wrongOnes(pages: readonly Uint8Array[], expected: (index: number) => Uint8Array): number[] {
  return pages.flatMap((bytes, i) => (Buffer.compare(bytes, expected(i)) === 0 ? [] : [i]));
}

describe('borrowed pages', () => {
  for (const eviction of ['adaptive-2q', 's3-fifo', 'sieve', 'lru'] as const) {
    it(`keep their bytes through 1,024 further borrows while others are evicted from a full pool (${eviction})`, async () => {
      const { caches, pools } = await makeTwo({ size: '6MiB', pageSize: 1024, eviction });
      const [own, other] = caches;
      for (let i = 0; i < 8000; i++) own.set(`k${i}`, pattern(1000, i));
      const before = pools[0].stats().evictions;
      expect(before, 'the pool is full').to.be.above(0);
      const present = [...own.keys()].map((key) => Number(key.slice(1))).slice(0, BORROWS + 1);
      expect(present.length).to.equal(BORROWS + 1);
      const borrowed = present.map((i) => own.borrow(`k${i}`) as Uint8Array);
      for (let i = 0; i < 12_000; i++) (i % 2 === 0 ? own : other).set(`new${i}`, pattern(1000, i, 1));
      for (const i of present.slice(0, 200)) other.set(`k${i}`, pattern(1000, i, 2));
      for (const i of present.slice(200, 400)) own.delete(`k${i}`);
      expect(wrongOnes(borrowed, (i) => pattern(1000, present[i] as number))).to.deep.equal([]);
      expect(pools[0].stats().evictions - before).to.be.above(5000);
    });
  }

  it('in one long run the pool goes on reusing memory: no set fails however many pages were borrowed on the way', async () => {
    const pool = await makePool({ size: '6MiB', pageSize: 1024 });
    const cache = new SharedCache(pool);
    let refused = 0;
    const last: Uint8Array[] = [];
    for (let i = 0; i < 30_000; i++) {
      if (!cache.set(`k${i}`, pattern(1000, i))) refused++;
      const bytes = cache.borrow(`k${i}`);
      if (bytes === undefined) continue;
      last.push(bytes);
      if (last.length > BORROWS) last.shift();
    }
    expect(refused).to.equal(0);
    expect(last.length).to.equal(BORROWS);
    const newest = 30_000 - BORROWS;
    expect(wrongOnes(last, (i) => pattern(1000, newest + i))).to.deep.equal([]);
  });

  it('are not ended by failed borrows, by read, has, peek of others or by sets', async () => {
    const pool = await makePool({ size: '3MiB', pageSize: 1024, eviction: 'lru' });
    const cache = new SharedCache(pool);
    cache.set('borrowed', pattern(1000, 1));
    cache.set('other', pattern(1000, 2));
    const bytes = cache.borrow('borrowed') as Uint8Array;
    const target = new Uint8Array(1000);
    for (let i = 0; i < 3000; i++) {
      cache.borrow(`absent${i}`);
      cache.has('other');
      cache.read('other', target);
      cache.lease('other');
    }
    cache.delete('borrowed');
    for (let i = 0; i < 6000; i++) cache.set(`k${i}`, pattern(1000, i, 5));
    expect(Buffer.compare(bytes, pattern(1000, 1))).to.equal(0);
  });

  it('of the run before no longer hold memory back', async () => {
    const pool = await makePool({ size: '3MiB', pageSize: 1024, eviction: 'none' });
    const cache = new SharedCache(pool);
    let stored = 0;
    while (stored < 5000 && cache.set(`k${stored}`, pattern(1000, stored))) stored++;
    for (let i = 0; i < Math.min(stored, BORROWS); i++) cache.borrow(`k${i}`);
    await sleep(0);
    for (let i = 0; i < stored; i++) cache.delete(`k${i}`);
    await sleep(0);
    let again = 0;
    while (again < 5000 && cache.set(`k${again}`, pattern(1000, again))) again++;
    expect(again).to.equal(stored);
  });

  it('peek and has count nothing and touch nothing: what was only peeked at is evicted first', async () => {
    const pool = await makePool({ size: '3MiB', pageSize: 1024, eviction: 'lru' });
    const cache = new SharedCache(pool);
    for (let i = 0; i < 50; i++) cache.set(`peeked${i}`, pattern(1000, i));
    for (let i = 0; i < 50; i++) cache.set(`borrowed${i}`, pattern(1000, i));
    const before = cache.stats().node.requestCount;
    for (let i = 0; i < 5000 && cache.stats().node.evictionCount === 0; i++) {
      cache.set(`k${i}`, pattern(1000, i));
      for (let j = 0; j < 50; j++) cache.borrow(`borrowed${j}`);
      for (let j = 0; j < 50; j++) textOf(cache.peek(`peeked${j}`));
      await sleep(0);
    }
    const counted = cache.stats().node.requestCount - before;
    for (let i = 0; i < 500; i++) cache.set(`more${i}`, pattern(1000, i));
    const left = (kind: string) =>
      Array.from({ length: 50 }, (_, i) => cache.has(`${kind}${i}`)).filter(Boolean).length;
    expect(counted % 50).to.equal(0);
    expect(left('borrowed')).to.be.above(left('peeked'));
    expect(left('peeked')).to.be.below(10);
  });
});

describe('SEALPOOL_DEBUG=copy', () => {
  it('hands out private copies: writing into one neither ends the process nor shows in the pool or in a later get', async () => {
    const path = poolPath();
    const pool = await makeAt(path);
    const cache = new SharedCache(pool, { namespace: 'n' });
    cache.set('k', bytesOf('value'), { metadata: bytesOf('meta') });
    const peer = await Peer.start(path, { env: { SEALPOOL_DEBUG: 'copy' } });
    const seen = await peer.call<string[]>(
      'run',
      `const text = (bytes) => new TextDecoder().decode(bytes);
       const page = cache.get('k');
       page.bytes.fill(65);
       page.metadata.fill(65);
       page.release();
       cache.borrow('k').fill(66);
       const again = cache.get('k');
       const seen = [text(again.bytes), text(again.metadata), text(cache.borrow('k'))];
       again.release();
       return seen;`,
    );
    expect(textOf(cache.borrow('k'))).to.equal('value');
    expect(seen).to.deep.equal(['value', 'meta', 'value']);
  });
});

async function makeAt(path: string) {
  const { join } = await import('./pools.js');
  return join(path, { create: SMALL });
}
