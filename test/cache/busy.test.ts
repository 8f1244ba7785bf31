/** A node that stands still, or dies, while it holds the locks of the pool's shards. */
import { expect } from 'chai';
import { SharedCache } from '../../src/index.js';
import { Peer } from './peer.js';
import { bytesOf, codeOf, makePool, textIn } from './pools.js';

/** The peer takes every shard's lock and stops at once, as a descheduled writer would. */
async function stopUnderLocks(peer: Peer): Promise<void> {
  void codeOf(() =>
    peer.call(
      'run',
      `const { locks, geometry, calls } = pool.session.parts;
       // Locks held over the end of a run are a cut call's, and given back.
       calls.settle = undefined;
       for (let shard = 0; shard < geometry.shards; shard++) locks.acquire(shard);
       await new Promise((resolve) => process.send({ event: 'locked' }, resolve));
       process.kill(process.pid, 'SIGSTOP');
       for (let shard = 0; shard < geometry.shards; shard++) locks.release(shard);
       process.send({ event: 'released' });`,
    ),
  );
  await peer.saw('locked');
}

describe('a writer that stands still under the locks', () => {
  it('makes set, delete and invalidate throw BUSY; readers notice nothing, and clear goes through', async () => {
    const pool = await makePool();
    const cache = new SharedCache(pool, { namespace: 'n' });
    const space = cache.pages('t', { pageSize: 16 });
    cache.set('k', bytesOf('v'));
    space.put(1, new Uint8Array(16).fill(1));
    const peer = await Peer.start(pool.path);
    await stopUnderLocks(peer);
    expect(await codeOf(() => cache.set('k', bytesOf('w')))).to.equal('BUSY');
    expect(await codeOf(() => cache.delete('k'))).to.equal('BUSY');
    expect(await codeOf(() => space.invalidate(1))).to.equal('BUSY');
    expect([textIn(cache, 'k'), space.borrow(1)?.[0], cache.has('absent')]).to.deep.equal(['v', 1, false]);
    cache.clear();
    expect([cache.has('k'), space.borrow(1)?.[0]]).to.deep.equal([false, 1]);
    peer.process.kill('SIGCONT');
    await peer.saw('released');
    expect(cache.set('k', bytesOf('w'))).to.equal(true);
    space.invalidate(1);
    expect([textIn(cache, 'k'), space.borrow(1)]).to.deep.equal(['w', undefined]);
  });

  it('and is killed there is no hindrance to the next set, delete, invalidate or fetch', async () => {
    const pool = await makePool();
    const cache = new SharedCache(pool, { namespace: 'n' });
    const space = cache.pages('t', { pageSize: 16 });
    cache.set('k', bytesOf('v'));
    cache.set('stays', bytesOf('v'));
    space.put(1, new Uint8Array(16).fill(1));
    const lease = cache.lease('leased');
    const peer = await Peer.start(pool.path);
    await stopUnderLocks(peer);
    await peer.kill();
    expect(cache.set('k', bytesOf('w'))).to.equal(true);
    expect([textIn(cache, 'k'), textIn(cache, 'stays')]).to.deep.equal(['w', 'v']);
    expect(cache.delete('stays')).to.equal(true);
    space.invalidate(1);
    expect([cache.has('stays'), space.borrow(1)]).to.deep.equal([false, undefined]);
    expect(cache.set('leased', bytesOf('v'), { lease: lease! }), 'repair refuses fills under way').to.equal(false);
    cache.clear();
    expect([...cache.keys()]).to.deep.equal([]);
  });

  it('and is killed there does not spoil the loads that begin after: the first one in each shard is published', async () => {
    const pool = await makePool();
    const cache = new SharedCache(pool, { namespace: 'n' });
    const space = cache.pages('t', { pageSize: 16 });
    for (const load of [
      (i: number) => cache.fetch(`k${i}`, () => bytesOf('v')).then((page) => page.release()),
      (i: number) => space.fetchSync(i, (_, target) => void target.fill(i)),
    ]) {
      const peer = await Peer.start(pool.path);
      await stopUnderLocks(peer);
      await peer.kill();
      for (let i = 0; i < 20; i++) await load(i);
    }
    expect(cache.stats().node).to.include({ loadSuccessCount: 40, staleFillCount: 0 });
    for (let i = 0; i < 20; i++) expect([textIn(cache, `k${i}`), space.borrow(i)?.[0]]).to.deep.equal(['v', i]);
  });
});
