import { expect } from 'chai';
import { connect } from '../../src/index.js';
import type { AttachedPool } from '../../src/pool/pool.js';
import { codeOf, KIB, MIB, usePools } from '../support/pools.js';

const LONG = `${'long'.repeat(20)}/`;

async function keysOf(objects: AsyncIterable<{ key: string }>): Promise<string[]> {
  const keys: string[] = [];
  for await (const { key } of objects) keys.push(key);
  return keys.toSorted();
}

/** As if each look at the clock came when the event loop has been held for long. */
function hurry(pool: AttachedPool): () => number {
  const { machine } = pool.session.parts;
  const { elapsedMs, sleep } = machine;
  let ahead = 0;
  let rests = 0;
  machine.elapsedMs = () => {
    ahead += 10;
    return elapsedMs.call(machine) + ahead;
  };
  machine.sleep = (durationMs) => {
    rests++;
    return sleep.call(machine, durationMs);
  };
  return () => rests;
}

describe('a listing', () => {
  const pools = usePools();

  async function filled(): Promise<AttachedPool> {
    const pool = await pools.create({ size: 8 * MIB, pageSize: KIB, maxObjects: 6000 });
    for (let i = 0; i < 500; i++) pool.put(`${i % 2 === 0 ? 'a' : LONG}${i}`, new Uint8Array(8));
    return pool;
  }

  it('that does not hold the event loop tells what the other does, of all and of a prefix, in the slot or beyond it', async () => {
    const pool = await filled();
    const reader = await connect(pool.path, { readOnly: true });
    const rests = hurry(pool);
    for (const prefix of [undefined, 'a', 'a1', LONG, `${LONG}1`, 'nobody', `${LONG}x`]) {
      const options = prefix === undefined ? {} : { prefix };
      const all = [...pool.list(options)].map(({ key }) => key).toSorted();
      const wanted = Array.from({ length: 500 }, (_, i) => `${i % 2 === 0 ? 'a' : LONG}${i}`);
      expect(all).to.deep.equal(wanted.filter((key) => key.startsWith(prefix ?? '')).toSorted());
      const before = rests();
      expect(await keysOf(pool.listAsync(options))).to.deep.equal(all);
      expect(rests() - before).to.be.at.least(5);
      expect(await keysOf(reader.listAsync(options))).to.deep.equal(all);
    }
    await reader.disconnect();
  });

  it('says so when the pool is disconnected in its midst', async () => {
    const pool = await filled();
    const listings = [pool.list(), pool.listAsync()] as const;
    listings[0].next();
    await listings[1].next();
    await pool.disconnect();
    expect(await codeOf(() => listings[0].next())).to.equal('DISCONNECTED');
    expect(await codeOf(async () => await listings[1].next())).to.equal('DISCONNECTED');
    expect(await codeOf(() => pool.listAsync())).to.equal('DISCONNECTED');
  });
});
