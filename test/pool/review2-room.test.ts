import { expect } from 'chai';
import { Words } from '../../lib/words.js';
import type { AttachedPool } from '../../src/pool/index.js';
import { Bitmap } from '../../src/pool/space/bitmap.js';
import { codeOf, Yard } from './review-pool.js';

const KIB = 1024;
const evictions = (pool: AttachedPool) => pool.session.counted('evictions');

/** A key of the shard that was not used before. */
function keyOf(pool: AttachedPool, shard: number, name: string): string {
  const keys = pool.session.createKeySpace(new Uint8Array(0), 0);
  for (let i = 0; ; i++) {
    const key = `${name}.${i}`;
    if (pool.session.parts.shards.ofHash(keys.encode(key).hashLow) === shard && !pool.has(key)) return key;
  }
}

describe('room that cannot be had', () => {
  let yard: Yard;
  beforeEach(() => {
    yard = new Yard();
  });
  afterEach(() => yard.clear());

  it('a put for which no room can be made evicts next to nothing', async () => {
    await yard.format({ size: '32MiB', maxObjects: 50_000 });
    const pool = await yard.connect();
    // Chunks of 256 KiB, each with several pages that cannot be moved.
    for (let i = 0; i < 45_000; i++) pool.put(`${i}`, new Uint8Array(512), { retain: i % 30 === 0 });
    expect(evictions(pool)).to.be.above(0);
    const before = evictions(pool);
    expect(codeOf(() => pool.put('large', new Uint8Array(250 * KIB)))).to.equal('POOL_FULL');
    expect(evictions(pool) - before).to.be.at.most(32);
  });

  it('room is made wherever in the shard it can be, when not where the victim lay', async () => {
    await yard.format({ size: '32MiB', maxObjects: 50_000 });
    const pool = await yard.connect();
    const { shards } = pool.session.parts.geometry;
    for (let shard = 0; shard < shards; shard++) {
      for (let i = 0; i < 300; i++) {
        pool.put(keyOf(pool, shard, `old${i}`), new Uint8Array(512), { retain: i % 100 === 0 });
      }
    }
    for (let i = 0; evictions(pool) < 10; i++) pool.put(`${i}`, new Uint8Array(64 * KIB));
    const before = evictions(pool);
    expect(pool.put(keyOf(pool, 0, 'large'), new Uint8Array(250 * KIB))).to.equal(true);
    expect(evictions(pool) - before).to.be.at.most(64);
  });

  it('empty pages are not evicted for bytes that they do not have', async () => {
    await yard.format({ maxObjects: 10_000 });
    const pool = await yard.connect();
    for (let i = 0; i < 2000; i++) pool.put(`empty${i}`, new Uint8Array(0));
    for (let i = 0; evictions(pool) < 300; i++) pool.put(`${i}`, new Uint8Array(4096));
    pool.evict(64 * KIB);
    let left = 0;
    for (let i = 0; i < 2000; i++) if (pool.has(`empty${i}`)) left++;
    expect(left).to.equal(2000);
  });

  it('nothing is evicted from a place that cannot be emptied', async () => {
    await yard.format({ size: '8MiB', maxObjects: 5000 });
    const pool = await yard.connect();
    const { geometry } = pool.session.parts;
    for (let i = 0; evictions(pool) < 20; i++) pool.put(`${i}`, new Uint8Array(4096), { retain: i % 8 !== 0 });
    const before = evictions(pool);
    const bytes = new Uint8Array(4 * geometry.chunkBytes);
    expect(codeOf(() => pool.put('run', bytes))).to.equal('POOL_FULL');
    expect(evictions(pool) - before).to.equal(0);
  });

  it('a put that met only chunks it could not empty leaves the others to the next', async () => {
    await yard.format({ size: '16MiB', maxObjects: 16_000 });
    const pool = await yard.connect();
    const { geometry, chunks } = pool.session.parts;
    const last = geometry.shards - 1;
    expect(last).to.be.greaterThan(0);
    const most = Math.floor(geometry.chunkBytes * 0.8);
    for (let i = 0; i < 9; i++) pool.put(keyOf(pool, 0, `r${i}`), new Uint8Array(most), { retain: true });
    for (let i = 0; chunks.freeCount() > 0 || evictions(pool) < 50; i++) {
      pool.put(keyOf(pool, i % last, `f${i}`), new Uint8Array(geometry.chunkBytes / 4));
    }
    const outcomes: unknown[] = [];
    const key = keyOf(pool, last, 'new');
    for (let i = 0; i < 3; i++) outcomes.push(codeOf(() => pool.put(key, new Uint8Array(4096))));
    expect(outcomes.at(-1)).to.equal(undefined);
    expect(pool.has(key)).to.equal(true);
  });

  it('a free chunk that another node has claimed is no room', async () => {
    await yard.format();
    const [pool, other] = [await yard.connect(), await yard.connect()];
    const { geometry, extents } = pool.session.parts;
    expect(other.session.parts.chunks.claim(0, geometry.chunks)).to.equal(true);
    expect(extents.hasRoom(0, 4096)).to.equal(false);
    other.session.parts.chunks.unclaim(0, geometry.chunks);
    expect(extents.hasRoom(0, 4096)).to.equal(true);
  });

  it('the run around freed granules is as long as one counted bit by bit', () => {
    const bits = 512;
    const bitmap = new Bitmap(new Words(new ArrayBuffer(256)), bits, 16).at(0);
    const taken = new Set<number>();
    for (let i = 0, at = 7; i < 400; i++, at = (at * 131 + 17) % 509) {
      const isTaken = taken.has(at);
      bitmap.set(at, 1, !isTaken);
      if (!isTaken) taken.add(at);
      else {
        taken.delete(at);
        let [start, end] = [at, at + 1];
        while (start > 0 && !taken.has(start - 1)) start--;
        while (end < bits && !taken.has(end)) end++;
        expect(bitmap.runAround(at, 1), `at ${at}`).to.equal(end - start);
      }
    }
    for (const at of taken) bitmap.set(at, 1, false);
    expect(bitmap.runAround(300, 5)).to.equal(bits);
  });
});
