import { expect } from 'chai';
import { PoolError } from '../../lib/errors.js';
import { SharedCache } from '../../src/cache/index.js';
import { type AttachedPool, connect } from '../../src/pool/index.js';
import { Yard } from './review-pool.js';

function tick(pool: AttachedPool): void {
  (pool as unknown as { upkeep: { tick(): void } }).upkeep.tick();
}

interface Probing {
  lookUp(...rest: unknown[]): unknown;
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

  it('in the middle of superseding, every reader has the old page, and afterwards the new one', async () => {
    await yard.format();
    const [writer, near, far] = [await yard.connect(), await yard.connect(), await yard.connect()];
    const looking = await connect(yard.path, { readOnly: true });
    const readers = [near, far, looking];
    const cache = new SharedCache(writer);
    cache.set('key', new Uint8Array([1]));
    const key = [...writer.list()][0]?.keyBytes as Uint8Array;
    const see = () => readers.map((pool) => pool.get(key)?.bytes[0]);
    expect(near.get(key)?.bytes[0]).to.equal(1);
    const { log, table } = writer.session.parts;
    const { append } = log;
    const { replace } = table;
    const seen: unknown[] = [];
    log.append = (...record) => {
      // RETIRED, but not announced: the second reader asks the table, the first need not.
      seen.push(see());
      append.apply(log, record);
      seen.push(see());
    };
    table.replace = (...entry) => {
      seen.push(see());
      replace.apply(table, entry);
      seen.push(see());
    };
    cache.set('key', new Uint8Array([2]));
    const [before, after] = [
      [1, 1, 1],
      [2, 2, 2],
    ];
    expect(seen).to.deep.equal([before, before, before, after]);
    await looking.disconnect();
  });

  it('in the middle of a deletion, a page is there until the table says so, and its end is told after that', async () => {
    await yard.format();
    const [writer, reader] = [await yard.connect(), await yard.connect()];
    writer.put('key', new Uint8Array([1]));
    const { log, table, events } = writer.session.parts;
    const { append } = log;
    const { remove } = table;
    const { commit } = events;
    const seen: unknown[] = [];
    const see = (step: string) => seen.push([step, reader.get('key')?.bytes[0]]);
    log.append = (...record) => {
      see('retired');
      append.apply(log, record);
      see('announced');
    };
    table.remove = (...entry) => {
      remove.apply(table, entry);
      see('removed');
    };
    events.commit = (shard) => {
      commit.call(events, shard);
      see('told');
    };
    writer.delete('key');
    expect(seen).to.deep.equal([
      ['retired', 1],
      ['announced', 1],
      ['removed', undefined],
      ['told', undefined],
    ]);
  });

  it('a miss is believed only if nothing was published meanwhile', async () => {
    await yard.format();
    const [pool, other] = [await yard.connect(), await yard.connect()];
    const reader = pool.session.reader as unknown as Probing;
    const { lookUp } = reader;
    reader.decide = (...rest) => reader.decideBehind(...rest);
    let probes = 0;
    // Until the last look another node publishes something at every one, and at last the page itself.
    reader.lookUp = (...rest) => {
      const found = lookUp.apply(reader, rest);
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
