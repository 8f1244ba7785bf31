import { expect } from 'chai';
import { inspect } from '../../src/index.js';
import { FRESH_CHUNKS } from '../../src/pool/space/roomhints.js';
import { codeOf, KIB, MIB, usePools } from '../support/pools.js';

const PAGE = 4 * KIB;

describe('where a shard has room', () => {
  const pools = usePools();

  it('is found in every chunk in which something was freed, by any node, also in those that are not the newest', async () => {
    const pool = await pools.create({ size: 4 * MIB, pageSize: PAGE, maxObjects: 200, eviction: 'none' });
    const other = await pools.connect(pool.path);
    const { geometry, slots, extents } = pool.session.parts;
    expect(geometry.shards).to.equal(1);
    const filled = geometry.maxObjects < (geometry.chunks * geometry.chunkBytes) / PAGE ? geometry.maxObjects : 0;
    const names = Array.from({ length: filled }, (_, i) => `k${i}`);
    for (const name of names) pool.put(name, new Uint8Array(PAGE));
    // Bytes and not slots have to be what is short.
    let blocks = 0;
    while ((await codeOf(() => other.create(`draft${blocks}`, 64 * KIB))) !== 'POOL_FULL') blocks++;
    const firstIn = new Map<number, string>();
    for (let slot = 0; slot < slots.total; slot++) {
      const key = Buffer.from(slots.keyBytes(slot)).toString();
      if (key.startsWith('k') && slots.size(slot) === PAGE) firstIn.set(extents.chunkOf(slots.extent(slot)), key);
    }
    const gone = [...firstIn.values()];
    expect(gone.length).to.be.greaterThan(FRESH_CHUNKS + 2);
    for (const name of gone) expect(other.delete(name)).to.equal(true);
    expect((await inspect(pool.path)).problems).to.deep.equal([]);
    for (const name of gone) expect(pool.put(name, new Uint8Array(PAGE))).to.equal(true);
    expect((await inspect(pool.path)).problems).to.deep.equal([]);
  });
});
