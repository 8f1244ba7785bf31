/** Hits by name, of all nodes. */
import { expect } from 'chai';
import { SharedCache } from '../../src/index.js';
import type { AttachedPool } from '../../src/pool/index.js';
import { bytesOf, join, makePool, sleep } from './pools.js';

const SIZE = 64;
const page = new Uint8Array(SIZE).fill(7);

function hitsOf(pool: AttachedPool, name: string): number | undefined {
  return pool.spaces().find((space) => space.name === name)?.hits;
}

describe('hits of spaces', () => {
  it('are of each name apart, however it was asked, and misses are none', async () => {
    const pool = await makePool();
    const cache = new SharedCache(pool, { namespace: 'shop' });
    const again = new SharedCache(pool, { namespace: 'shop' });
    const orders = cache.pages('orders', { pageSize: SIZE });
    const items = cache.pages('items', { pageSize: SIZE });
    cache.set('key', bytesOf('value'));
    orders.put(1, page);
    cache.borrow('key');
    again.borrow('key');
    cache.get('key')?.release();
    cache.read('key', new Uint8Array(8));
    cache.borrow('nobody');
    for (let i = 0; i < 5; i++) orders.borrow(1);
    orders.readThrough(1, new Uint8Array(SIZE), () => SIZE);
    orders.borrow(2);
    items.borrow(1);
    expect([hitsOf(pool, 'shop'), hitsOf(pool, 'orders'), hitsOf(pool, 'items')]).to.deep.equal([4, 6, 0]);
    expect(cache.stats().namespace).to.deep.include({ hitCount: 10, missCount: 3 });
    expect(await pool.spacesAsync()).to.deep.equal(pool.spaces());
  });

  it('are told of other nodes within a second or so, and at their end', async () => {
    const pool = await makePool();
    const [one, other] = [await join(pool.path), await join(pool.path)];
    new SharedCache(pool, { namespace: 'n' }).set('key', bytesOf('value'));
    new SharedCache(one, { namespace: 'n' }).borrow('key');
    for (let waited = 0; hitsOf(pool, 'n') === 0 && waited < 200; waited++) await sleep(50);
    expect(hitsOf(pool, 'n')).to.equal(1);
    const cache = new SharedCache(other, { namespace: 'n' });
    for (let i = 0; i < 3; i++) cache.borrow('key');
    await other.disconnect();
    expect(hitsOf(pool, 'n')).to.equal(4);
    await one.disconnect();
    expect(hitsOf(pool, 'n')).to.equal(4);
  });

  it('begin anew when the space is dropped, or its place has another name, also for hits not yet told', async () => {
    const pool = await makePool();
    const other = await join(pool.path);
    const cacheOn = (node: AttachedPool, namespace: string) => new SharedCache(node, { namespace });
    const [mine, theirs] = [cacheOn(pool, 'n'), cacheOn(other, 'n')];
    mine.set('key', bytesOf('value'));
    mine.borrow('key');
    expect(hitsOf(pool, 'n')).to.equal(1);
    theirs.borrow('key');
    pool.removeSpace('n');
    // Nothing is under the name, and who had it open tells nothing of before.
    other.session.tell();
    theirs.set('key', bytesOf('value'));
    expect(hitsOf(other, 'n')).to.equal(0);
    theirs.borrow('key');
    expect(hitsOf(other, 'n')).to.equal(1);
    theirs.borrow('key');
    pool.removeSpace('n');
    // Who was about to tell when the space was dropped may come late.
    for (let space = 1; space <= 255; space++) pool.session.parts.spaces.hits.add(space, 9);
    for (let i = 0; i < 255; i++) cacheOn(pool, `name ${i}`).set('key', bytesOf('value'));
    expect(hitsOf(other, 'n')).to.equal(undefined);
    other.session.tell();
    expect(pool.spaces().map(({ hits }) => hits)).to.deep.equal(new Array(255).fill(0));
  });

  it('count on beyond 32 bits', async () => {
    const pool = await makePool();
    const { hits } = pool.session.parts.spaces;
    for (const amount of [2 ** 32 - 2, 1, 5, 2 ** 33 + 7]) hits.add(3, amount);
    expect(hits.of(3)).to.equal(2 ** 32 + 4 + 2 ** 33 + 7);
    expect([hits.of(2), hits.of(4)]).to.deep.equal([0, 0]);
    for (const space of [0, -1, 2 ** 20]) hits.add(space, 1);
    hits.clear(3);
    expect(hits.of(3)).to.equal(0);
  });
});
