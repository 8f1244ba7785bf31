/** What many waits for keys that do not come cost, counted in looks at keys. */
import { expect } from 'chai';
import { SharedCache } from '../../../src/index.js';
import type { AttachedPool } from '../../../src/pool/pool.js';
import { pause, usePools } from '../../support/pools.js';

const OPTIONS = { size: '64MiB', pageSize: 4096, maxObjects: 16_384 };
const MANY = 20_000;
const TICKS = 10;
const bytes = new Uint8Array(10);
const keys = Array.from({ length: MANY }, (_, i) => `job/${i}`);

/** From now on the node's clock stands still; its waits look when they are told to. */
function tickerOf(pool: AttachedPool): () => void {
  const waits = pool.session.waits as unknown as { tick(): void };
  pool.session.machine.every = () => ({ stop() {} });
  return () => waits.tick();
}

function countLooks(pool: AttachedPool): () => number {
  const { session } = pool;
  const glance = session.glance.bind(session);
  let looks = 0;
  session.glance = (...parameters) => {
    looks++;
    return glance(...parameters);
  };
  return () => looks;
}

describe('waiting for many keys', () => {
  const pools = usePools();

  async function begin(): Promise<{
    pool: AttachedPool;
    other: AttachedPool;
    tick: () => void;
    stop: AbortController;
  }> {
    const pool = await pools.create(OPTIONS);
    const other = await pools.connect(pool.path);
    return { pool, other, tick: tickerOf(pool), stop: new AbortController() };
  }

  it('that do not come costs no more looks than waiting for a few hundred, whatever else is published', async () => {
    const { pool, other, tick, stop } = await begin();
    const waiting = pool.waitForMany(keys, { signal: stop.signal }).catch((error) => error.code);
    const looks = countLooks(pool);
    for (let i = 0; i < TICKS; i++) tick();
    const idle = looks();
    expect(idle).to.be.below(MANY / 10);
    for (let i = 0; i < 500; i++) {
      other.put(`other/${i}`, bytes);
      pool.put(`own/${i}`, bytes);
      if (i % 50 === 0) await pause(1);
    }
    await pause(5);
    expect(looks() - idle).to.be.below(MANY / 10);
    stop.abort();
    expect(await waiting).to.equal('ABORTED');
  });

  it('finds each of them as it comes, from this node and from others', async () => {
    const { pool, other, tick } = await begin();
    const few = keys.slice(0, 2000);
    const waiting = pool.waitForMany(few);
    for (const [i, key] of few.toReversed().entries()) (i % 2 === 0 ? pool : other).put(key, bytes);
    tick();
    expect((await waiting).map(({ key }) => key)).to.deep.equal(few);
  });

  it('finds those that came while the event log was overtaken', async () => {
    const { pool, other, tick } = await begin();
    const few = keys.slice(0, 2000);
    const waiting = pool.waitForMany(few);
    for (const key of few.slice(1)) other.put(key, bytes, { retain: true });
    for (let i = 0; i < 40_000; i++) {
      other.put('noise', bytes);
      other.delete('noise');
    }
    other.put(few[0] as string, bytes);
    tick();
    expect(await waiting).to.have.length(few.length);
  });

  it('comes round to all of them after a death, and in time without one: what is published may have been told to nobody', async () => {
    for (const isDeath of [true, false]) {
      const { pool, other, tick } = await begin();
      const few = keys.slice(0, 300);
      const waiting = pool.waitForMany(few);
      const { events, shards, nodes } = pool.session.parts;
      // As if the writer were stopped, or dead, before it told what it published.
      const [end, sequence] = [events.end.bind(events), shards.publishSequence.bind(shards)];
      const before = Array.from({ length: pool.session.parts.geometry.shards }, (_, shard) => [
        end(shard),
        sequence(shard),
      ]);
      events.end = (shard) => before[shard]?.[0] as number;
      for (const key of few) other.put(key, bytes);
      if (isDeath) {
        nodes.hasLost = () => true;
        tick();
      } else for (let i = 0; i < 10; i++) tick();
      expect(await waiting).to.have.length(few.length);
    }
  });

  it('a load that ends without a page is noticed in a shard where many wait for pages', async () => {
    const { pool, other, stop } = await begin();
    const waiting = pool.waitForMany(keys.slice(0, 2000), { signal: stop.signal }).catch(() => {});
    const [loading, losing] = [new SharedCache(other), new SharedCache(pool)];
    let fail = (_: Error) => {};
    const failing = loading
      .fetch(
        'k',
        () =>
          new Promise<Uint8Array>((_, reject) => {
            fail = reject;
          }),
      )
      .catch(() => {});
    const second = losing.fetch('k', () => Uint8Array.of(2));
    await pause(1);
    fail(new Error('no'));
    await failing;
    expect((await second).bytes[0]).to.equal(2);
    stop.abort();
    await waiting;
  });
});
