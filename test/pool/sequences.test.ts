/** More seals in a shard than its sequence tells apart. */
import { expect } from 'chai';
import { inspect } from '../../src/index.js';
import { ShardHead } from '../../src/pool/layout/layout.js';
import type { AttachedPool } from '../../src/pool/pool.js';
import { usePools } from '../support/pools.js';

const OPTIONS = { size: '4MiB', pageSize: 4096, maxObjects: 64 };
const bytes = new Uint8Array(10);

/** What so many seals leave in the sequences: each shard's, and nothing else. */
function seal(pool: AttachedPool, count: number): void {
  const { words, geometry } = pool.session.parts;
  for (let shard = 0; shard < geometry.shards; shard++) {
    const word = geometry.regions.shardHeads.word + shard * ShardHead.words + ShardHead.word.publishSequence;
    words.store(word, (words.load(word) + count) | 0);
  }
}

async function replayed(pool: AttachedPool, count: number): Promise<string[]> {
  const found: string[] = [];
  for await (const event of pool.subscribe({ replay: true })) {
    if (event.type === 'sealed') found.push(event.key);
    if (found.length === count) break;
  }
  return found;
}

describe('pages that are very old', () => {
  const pools = usePools();

  for (const count of [2 ** 31 - 1, 2 ** 31, 2 ** 31 + 1000, 2 ** 32 - 2 ** 22]) {
    it(`are replayed, found sound, and newest of none after ${count} further seals`, async () => {
      const pool = await pools.create(OPTIONS);
      pool.put('old', bytes, { retain: true });
      pool.put('evictable', bytes);
      seal(pool, count);
      expect(await replayed(pool, 2)).to.have.members(['old', 'evictable']);
      pool.put('new', bytes);
      expect(await replayed(pool, 3)).to.have.members(['old', 'evictable', 'new']);
      expect((await inspect(pool.path)).problems).to.deep.equal([]);
      const { locks, geometry } = pool.session.parts;
      for (let shard = 0; shard < geometry.shards; shard++) {
        locks.acquire(shard);
        locks.releaseDirty(shard);
        locks.recover(shard);
      }
      expect((await inspect(pool.path)).problems).to.deep.equal([]);
      // The repair made the queue anew, by age.
      for (let i = 0; i < OPTIONS.maxObjects; i++) if (pool.has('evictable')) pool.put(`more ${i}`, bytes);
      expect([pool.has('evictable'), pool.has('old'), pool.has('new')]).to.deep.equal([false, true, true]);
    });
  }

  it('are told from what is sealed after the subscription began', async () => {
    const pool = await pools.create(OPTIONS);
    pool.put('old', bytes);
    seal(pool, 2 ** 31 + 5);
    const subscription = pool.subscribe({ replay: true });
    pool.put('late', bytes);
    pool.put('later', bytes);
    const found: string[] = [];
    for await (const event of subscription) {
      if (event.type === 'sealed') found.push(event.key);
      if (found.length === 3) break;
    }
    expect(found).to.deep.equal(['old', 'late', 'later']);
  });
});
