/** A node that stands still under a lock, and what that costs others. Both are of this process, so waiting can be counted. */
import { expect } from 'chai';
import { SharedCache } from '../../../src/index.js';
import type { AttachedPool } from '../../../src/pool/pool.js';
import { usePools } from '../../support/pools.js';
import { codeOf } from '../review-pool.js';

const OPTIONS = { size: '64MiB', pageSize: 4096, maxObjects: 16_384 };
const KEYS = 20;
const bytes = new Uint8Array(100);

/** How often the node has blocked its thread from now on. */
function countParks(pool: AttachedPool): () => number {
  const { machine } = pool.session;
  const park = machine.park.bind(machine);
  let parks = 0;
  machine.park = (...parameters) => {
    parks++;
    park(...parameters);
  };
  return () => parks;
}

/** The node takes locks and is not heard of any more. Gives them back. */
function standUnder(pool: AttachedPool, from: number, to: number): () => void {
  const { locks, calls } = pool.session.parts;
  calls.settle = undefined;
  for (let lock = from; lock < to; lock++) locks.acquire(lock);
  return () => {
    for (let lock = from; lock < to; lock++) locks.release(lock);
  };
}

function tick(pool: AttachedPool): void {
  (pool as unknown as { upkeep: { tick(): void } }).upkeep.tick();
}

describe('nodes that stand still', () => {
  const pools = usePools();

  async function two(): Promise<[AttachedPool, AttachedPool]> {
    const pool = await pools.create(OPTIONS);
    return [pool, await pools.connect(pool.path)];
  }

  it('are waited for once by a node that writes without pause; when they go on it writes again', async () => {
    const [pool, other] = await two();
    const goOn = standUnder(other, 0, pool.session.parts.geometry.shards);
    const cache = new SharedCache(pool);
    const parks = countParks(pool);
    expect(codeOf(() => cache.set('k0', bytes))).to.equal('BUSY');
    const once = parks();
    expect(once).to.be.above(0);
    for (let i = 0; i < KEYS; i++) expect(codeOf(() => cache.set(`k${i}`, bytes))).to.equal('BUSY');
    expect(parks()).to.equal(once);
    goOn();
    for (let i = 0; i < KEYS; i++) expect(cache.set(`k${i}`, bytes)).to.equal(true);
  });

  it('wait as long as the node was told to when it connected', async () => {
    const pool = await pools.create(OPTIONS);
    const [patient, not] = [
      await pools.connect(pool.path, { syncWaitMs: 400 }),
      await pools.connect(pool.path, { syncWaitMs: 0 }),
    ];
    standUnder(pool, 0, pool.session.parts.geometry.shards);
    const [long, none] = [countParks(patient), countParks(not)];
    expect(codeOf(() => patient.put('key', bytes))).to.equal('BUSY');
    expect(codeOf(() => not.put('key', bytes))).to.equal('BUSY');
    expect(long()).to.be.above(5 * (none() + 1));
  });

  it('do not hold the event loop of those who fetch: they load for themselves, and their pages are right', async () => {
    const [pool, other] = await two();
    const cache = new SharedCache(pool);
    const pages = cache.pages('table', { pageSize: 64 });
    standUnder(other, 0, pool.session.parts.geometry.shards);
    const parks = countParks(pool);
    const values = Array.from({ length: KEYS }, (_, i) => i);
    const fetched = await Promise.all([
      ...values.map((i) => cache.fetch(`k${i}`, () => Uint8Array.of(i))),
      ...values.map((i) => pages.fetch(i, (_, target) => void target.fill(i))),
    ]);
    expect(fetched.map((page) => page.bytes[0])).to.deep.equal([...values, ...values]);
    expect(parks(), 'a moment in the first call, none in later ones').to.be.below(KEYS / 4);
  });

  it('that go on while others fetch cost no load: each page is shared', async () => {
    const [pool, other] = await two();
    const cache = new SharedCache(pool);
    const goOn = standUnder(other, 0, pool.session.parts.geometry.shards);
    const loading = Array.from({ length: KEYS }, (_, i) => cache.fetch(`k${i}`, async () => Uint8Array.of(i)));
    goOn();
    for (const page of await Promise.all(loading)) page.release();
    expect(cache.stats().node).to.include({ loadSuccessCount: KEYS, unsharedCount: 0 });
    for (let i = 0; i < KEYS; i++) expect(cache.borrow(`k${i}`)?.[0]).to.equal(i);
  });

  it('under a lock when a load ends leave it private, and its key free once they have gone on', async () => {
    const [pool, other] = await two();
    const cache = new SharedCache(pool);
    const pages = cache.pages('table', { pageSize: 64 });
    let goOn = () => {};
    const load = async () => {
      goOn = standUnder(other, 0, pool.session.parts.geometry.shards);
      return Uint8Array.of(7);
    };
    expect((await cache.fetch('key', load)).bytes[0]).to.equal(7);
    goOn();
    const fill = async (_: number, target: Uint8Array) => {
      goOn = standUnder(other, 0, pool.session.parts.geometry.shards);
      target.fill(8);
    };
    expect((await pages.fetch(1, fill)).bytes[0]).to.equal(8);
    goOn();
    tick(pool);
    expect([pool.stats().drafts, pool.session.parts.calls.open]).to.deep.equal([0, 0]);
    expect([cache.set('key', bytes), pages.put(1, new Uint8Array(64))]).to.deep.equal([true, true]);
  });

  it('are never waited for by upkeep, also with remains of a dead node to be cleaned away behind them', async () => {
    const [pool, other] = await two();
    const dying = await pools.connect(pool.path);
    const { nodes, geometry, locks } = pool.session.parts;
    for (let i = 0; i < KEYS; i++) dying.create(`draft ${i}`, 100);
    const dead = dying.session.parts.nodes.self;
    const isDead = nodes.isDead.bind(nodes);
    nodes.isDead = (row, thorough) => row === dead || isDead(row, thorough);
    const goOn = standUnder(other, 0, 1);
    const parks = countParks(pool);
    let looks = 0;
    const owner = pool.session.parts.slots.ownerRow.bind(pool.session.parts.slots);
    pool.session.parts.slots.ownerRow = (slot) => {
      looks++;
      return owner(slot);
    };
    tick(pool);
    const first = looks;
    expect(pool.stats().drafts, 'in the shards that can be had').to.be.below(KEYS);
    for (let i = 0; i < 5; i++) tick(pool);
    expect([parks(), locks.isDirty(0)]).to.deep.equal([0, false]);
    expect(looks, 'every slot is not looked at in vain again').to.equal(first);
    goOn();
    tick(pool);
    expect([pool.stats().drafts, nodes.isTaken(dead), geometry.shards > 1]).to.deep.equal([0, false, true]);
  });

  it('under the chunk lock keep nobody from storing where there is room, and leave nothing to be repaired', async () => {
    const [pool, other] = await two();
    const { geometry, locks } = pool.session.parts;
    const cache = new SharedCache(pool);
    for (let i = 0; i < 200; i++) cache.set(`k${i}`, new Uint8Array(4000));
    standUnder(other, geometry.shards, geometry.shards + 1);
    const parks = countParks(pool);
    // The first to want a chunk waits for the lock; the others do with what their shards have.
    codeOf(() => {
      for (let i = 0; i < 20_000; i++) cache.set(`n${i}`, new Uint8Array(4000));
    });
    const once = parks();
    let stored = 0;
    for (let i = 0; i < 400; i++) if (codeOf(() => cache.set(`m${i}`, new Uint8Array(1000))) === undefined) stored++;
    expect(stored).to.be.above(200);
    expect(parks()).to.equal(once);
    for (let shard = 0; shard < geometry.shards; shard++) expect(locks.isDirty(shard)).to.equal(false);
  });

  it('do not stop a node from settling for long: what a cut call left is tried again when they have gone on', async () => {
    const [pool, other] = await two();
    const { calls } = pool.session.parts;
    const goOn = standUnder(other, 0, pool.session.parts.geometry.shards);
    const parks = countParks(pool);
    // As of a call that was cut: counted, and in nobody's books.
    goOn();
    const place = pool.session.writer.create(
      pool.session.createKeySpace(new Uint8Array(0), 0).encode('cut').fields({ size: 10 }),
    );
    expect(place).to.be.an('object');
    const standAgain = standUnder(other, 0, pool.session.parts.geometry.shards);
    await new Promise((resolve) => setImmediate(resolve));
    expect([calls.open, parks(), pool.stats().drafts]).to.deep.equal([1, 0, 1]);
    standAgain();
    tick(pool);
    expect([calls.open, pool.stats().drafts]).to.deep.equal([0, 0]);
  });
});
