import { expect } from 'chai';
import type { AttachedPool } from '../../../src/pool/pool.js';
import { codeOf, MIB, usePools } from '../../support/pools.js';

describe('what is done under a lock', () => {
  const pools = usePools();
  const makePool = () => pools.create({ size: 4 * MIB, pageSize: 2048, maxNodes: 4 });

  const acts: Record<string, (pool: AttachedPool, shard: number) => unknown> = {
    'a reclaim': ({ session }, shard) => session.writer.reclaimer.reclaim(shard),
    'a sweep': ({ session }, shard) => session.writer.reclaimer.sweep(shard, 0),
    'an eviction': ({ session }, shard) => session.writer.evictor.evictBytes(shard, 1),
    'making room': ({ session }, shard) => session.writer.evictor.makeRoom(shard, 0, false),
    'a repair': ({ session }, shard) => session.repair.repair(shard),
  };
  for (const [name, act] of Object.entries(acts)) {
    it(`is refused without it, as a fault of ours: ${name}`, async () => {
      const pool = await makePool();
      expect(() => act(pool, 0)).to.throw('the caller holds none');
      const { locks } = pool.session.parts;
      locks.acquire(0);
      act(pool, 0);
      locks.release(0);
    });
  }

  it('is refused when the lock was taken over meanwhile: this node is fenced', async () => {
    const pool = await makePool();
    const { locks, words, geometry } = pool.session.parts;
    locks.acquire(0);
    const word = geometry.regions.locks.word;
    const held = words.load(word);
    // As another node's, which took this one for dead.
    words.store(word, held + 1);
    expect(await codeOf(() => pool.session.writer.reclaimer.reclaim(0))).to.equal('NODE_FENCED');
    words.store(word, held);
    locks.release(0);
  });
});
