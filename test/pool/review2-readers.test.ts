import { expect } from 'chai';
import { PoolError } from '../../lib/errors.js';
import { SharedCache } from '../../src/cache/index.js';
import type { AttachedPool } from '../../src/pool/index.js';
import { Yard } from './review-pool.js';

function tick(pool: AttachedPool): void {
  (pool as unknown as { upkeep: { tick(): void } }).upkeep.tick();
}

interface Probing {
  probe(...rest: unknown[]): unknown;
  decide(...rest: unknown[]): unknown;
  decideBehind(...rest: unknown[]): unknown;
}

describe('behind a node that is stopped', () => {
  let yard: Yard;
  beforeEach(() => {
    yard = new Yard();
  });
  afterEach(() => yard.clear());

  it('a load whose claim could not be given up leaves its key to others', async () => {
    await yard.format();
    const pool = await yard.connect();
    const pages = new SharedCache(pool).pages('file', { pageSize: 4096 });
    const { writer } = pool.session;
    const { create, abort } = writer;
    // A repair between the lease and the claim ends the lease; then the shard's lock is held by a stopped node.
    writer.create = (fields) => {
      const place = create.call(writer, fields);
      pool.session.parts.stripes.advanceAll(pool.session.parts.shards.ofHash(fields.hashLow));
      return place;
    };
    writer.abort = () => {
      throw new PoolError('BUSY', 'a stopped node');
    };
    expect(pages.fetchSync(1, (_, target) => target.fill(1))[0]).to.equal(1);
    Object.assign(writer, { create, abort });
    tick(pool);
    expect(pool.stats().drafts).to.equal(0);
  });

  it('a miss is believed only if nothing was published meanwhile', async () => {
    await yard.format();
    const [pool, other] = [await yard.connect(), await yard.connect()];
    const reader = pool.session.reader as unknown as Probing;
    const { probe } = reader;
    reader.decide = (...rest) => reader.decideBehind(...rest);
    let probes = 0;
    // Until the last look another node publishes something at every one, and at last the page itself.
    reader.probe = (...rest) => {
      const found = probe.apply(reader, rest);
      probes++;
      if (probes < 9) other.session.parts.shards.advancePublish(other.session.parts.shards.ofHash(hashOf(pool, 'key')));
      if (probes === 9) other.put('key', new Uint8Array([7]));
      return found;
    };
    expect(pool.get('key')?.bytes[0]).to.equal(7);
  });
});

function hashOf(pool: AttachedPool, key: string): number {
  return pool.session.createKeySpace(new Uint8Array(0), 0).encode(key).hashLow;
}
