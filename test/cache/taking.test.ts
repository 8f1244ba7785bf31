import { expect } from 'chai';
import { loadedFor, notFound } from '../../src/index.js';
import { codeOf, makeTwo } from './pools.js';

const BYTES = Uint8Array.of(1, 2, 3);

describe('what a loader gives with a life of its own', () => {
  it('lives as long as the loader says, on every node, whatever the options of the fetch say', async () => {
    const { caches } = await makeTwo();
    const expiresAtMs = Date.now() + 60_000;
    (await caches[0].fetch('long', () => loadedFor(BYTES, { expiresAtMs }), { ttlMs: 1 })).release();
    (await caches[0].fetch('short', () => loadedFor(BYTES, { expiresAtMs: Date.now() + 2 }), { ttlMs: 1e6 })).release();
    (await caches[0].fetch('ever', () => loadedFor(BYTES, {}), { ttlMs: 1 })).release();
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(['long', 'short', 'ever'].map((key) => caches[1].has(key))).to.deep.equal([true, false, true]);
  });

  it('has the metadata it came with, and none of the options', async () => {
    const { caches } = await makeTwo();
    const options = { metadata: Uint8Array.of(9) };
    using own = await caches[0].fetch('own', () => loadedFor(BYTES, { metadata: Uint8Array.of(7) }), options);
    using none = await caches[0].fetch('none', () => loadedFor(BYTES, {}), options);
    expect([[...own.metadata], [...none.metadata]]).to.deep.equal([[7], []]);
  });

  it('is kept for stale answers as long as it says', async () => {
    const { caches } = await makeTwo();
    const life = { expiresAtMs: Date.now() + 1, keptMs: 60_000 };
    (await caches[0].fetch('key', () => loadedFor(BYTES, life))).release();
    await new Promise((resolve) => setTimeout(resolve, 10));
    using page = await caches[1].fetch('key', () => new Promise<never>(() => {}), { ttlMs: 1, staleMs: 30_000 });
    expect([page.freshness, [...page.bytes]]).to.deep.equal(['stale', [1, 2, 3]]);
  });

  it("that is not shared is its caller's alone", async () => {
    const { caches } = await makeTwo();
    using page = await caches[0].fetch('key', () => loadedFor(BYTES, { isShared: false }));
    expect([...page.bytes]).to.deep.equal([1, 2, 3]);
    expect(caches.map((cache) => cache.has('key'))).to.deep.equal([false, false]);
  });

  it('of another shape is refused, and nothing is stored', async () => {
    const { caches } = await makeTwo();
    const wrong = [{ expiresAtMs: Number.NaN }, { expiresAtMs: -1 }, { keptMs: 'long' }, { ttlMs: 5 }, 7, undefined];
    for (const life of wrong) {
      const fetched = caches[0].fetch('key', () => loadedFor(BYTES, life as never));
      expect(await codeOf(() => fetched), JSON.stringify(life)).to.equal('OPTION_INVALID');
    }
    expect(caches.map((cache) => cache.has('key'))).to.deep.equal([false, false]);
  });

  it('and is nothing is remembered so long', async () => {
    const { caches } = await makeTwo();
    const never = () => {
      throw new Error('asked');
    };
    const long = { expiresAtMs: Date.now() + 60_000 };
    (await caches[0].fetch('long', () => loadedFor(notFound, long), { negativeTtlMs: 1 })).release();
    (
      await caches[0].fetch('gone', () => loadedFor(notFound, { expiresAtMs: Date.now() }), { negativeTtlMs: 1e6 })
    ).release();
    await new Promise((resolve) => setTimeout(resolve, 10));
    expect((await caches[1].fetch('long', never)).freshness).to.equal('negative');
    using page = await caches[1].fetch('gone', () => BYTES);
    expect(page.freshness).to.equal('fresh');
  });
});
