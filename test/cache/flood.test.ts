/** Keys made to collide: whoever can read the pool's seed can choose keys that all belong to one bucket. */
import { expect } from 'chai';
import { KeyHash } from '../../lib/hash.js';
import { SharedCache } from '../../src/index.js';
import type { AttachedPool } from '../../src/pool/index.js';
import { BUCKET_ENTRIES } from '../../src/pool/layout/layout.js';
import { bytesOf, join, makePool, sleep, textIn } from './pools.js';

/** What one probe may reach: 64 buckets. */
const REACH = 64 * BUCKET_ENTRIES;
const FLOOD = 1500;

/** Keys of the namespace that lie in the first key's shard and home bucket. */
function collidingKeys(pool: AttachedPool, namespace: string, count: number): string[] {
  const { seed, parts } = pool.session;
  const mask = parts.geometry.bucketsPerShard - 1;
  const hash = new KeyHash(seed);
  const bytes = new Uint8Array(64);
  const start = new TextEncoder().encodeInto(`${namespace}\0`, bytes).written;
  const found: string[] = [];
  let home = '';
  for (let i = 0; found.length < count; i++) {
    const key = i.toString(36);
    for (let at = 0; at < key.length; at++) bytes[start + at] = key.charCodeAt(at);
    hash.of(bytes, start + key.length);
    const place = `${parts.shards.ofHash(hash.low)} ${hash.low & mask}`;
    if (home === '') home = place;
    if (place === home) found.push(key);
  }
  return found;
}

describe('a flood of keys made to collide', () => {
  it('stays correct: every answer is the last value set, on both nodes, and the room is used to the reach of a probe', async () => {
    const pool = await makePool({ size: '8MiB', pageSize: 1024 });
    const caches = [
      new SharedCache(pool, { namespace: 'f' }),
      new SharedCache(await join(pool.path), { namespace: 'f' }),
    ];
    const keys = collidingKeys(pool, 'f', FLOOD);
    const wrong: string[] = [];
    for (let round = 0; round < 3; round++) {
      await sleep(0);
      for (const [i, key] of keys.entries()) {
        if (caches[i % 2]?.set(key, bytesOf(`${key} ${round}`)) !== true) wrong.push(`${key} was refused`);
        if (textIn(caches[(i + 1) % 2] as SharedCache, key) !== `${key} ${round}`) wrong.push(`${key} is not there`);
        // What was borrowed in this run is held, and a probe reaches fewer pages than may be borrowed.
        if (i % 50 === 0) await sleep(0);
      }
      await sleep(0);
      const present = keys.filter((key) => textIn(caches[0] as SharedCache, key) !== undefined);
      expect(present.length).to.be.within(REACH - BUCKET_ENTRIES, REACH);
      for (const cache of caches) {
        for (const key of keys) {
          const text = textIn(cache, key);
          if (text !== undefined && text !== `${key} ${round}`) wrong.push(`${key}: ${text}`);
        }
      }
    }
    expect(wrong).to.deep.equal([]);
  });

  it('leaves room for others: keys of other buckets are set and found while it goes on', async () => {
    const pool = await makePool({ size: '8MiB', pageSize: 1024 });
    const cache = new SharedCache(pool, { namespace: 'f' });
    const keys = collidingKeys(pool, 'f', FLOOD);
    let found = 0;
    for (const [i, key] of keys.entries()) {
      cache.set(key, bytesOf(key));
      expect(cache.set(`other${i}`, bytesOf('other'))).to.equal(true);
      if (textIn(cache, `other${i}`) === 'other') found++;
    }
    expect(found).to.equal(FLOOD);
    for (const key of keys) cache.delete(key);
    expect(keys.filter((key) => cache.has(key))).to.deep.equal([]);
    for (let i = 0; i < FLOOD; i++) cache.delete(`other${i}`);
    expect(pool.stats().objects).to.equal(0);
    const { table, geometry } = { table: pool.session.parts.table, geometry: pool.session.parts.geometry };
    for (let shard = 0; shard < geometry.shards; shard++) {
      for (let bucket = 0; bucket < geometry.bucketsPerShard; bucket++)
        expect(table.overflowOf(shard, bucket)).to.equal(0);
    }
  });

  it('does not fail fetches: where nothing may be evicted, what finds no bucket is served privately', async () => {
    const pool = await makePool({ size: '8MiB', pageSize: 1024, eviction: 'none' });
    const cache = new SharedCache(pool, { namespace: 'f' });
    const keys = collidingKeys(pool, 'f', REACH + 100);
    for (const key of keys) {
      const page = await cache.fetch(key, () => bytesOf(key));
      expect(new TextDecoder().decode(page.bytes)).to.equal(key);
      page.release();
    }
    expect([...cache.keys()].length).to.equal(REACH);
    expect(cache.stats().node.unsharedCount).to.equal(100);
    expect(cache.set(keys.at(-1) as string, bytesOf('v'))).to.equal(false);
    expect(cache.set(keys[0] as string, bytesOf('v'))).to.equal(true);
  });
});
