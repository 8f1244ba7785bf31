/** Orders of events that the model of the protocol (test/model) found, played against the code. */
import { expect } from 'chai';
import { PoolError } from '../../lib/errors.js';
import { SharedCache } from '../../src/cache/index.js';
import type { AttachedPool } from '../../src/pool/index.js';
import { codeOf, Yard } from './review-pool.js';

const page = (byte: number) => new Uint8Array(4096).fill(byte);

function cutOff(): never {
  throw new PoolError('ABORTED', 'cut off');
}

/** Repairs whatever shard was left half-done. */
function repairAll(pool: AttachedPool): void {
  const { locks, geometry } = pool.session.parts;
  for (let lock = 0; lock < geometry.shards; lock++) locks.recover(lock);
}

describe('readers beside a set that was cut off', () => {
  let yard: Yard;
  let writer: AttachedPool;
  let repairer: AttachedPool;
  let reader: AttachedPool;
  const cacheOf = (pool: AttachedPool) => new SharedCache(pool);

  beforeEach(async () => {
    yard = new Yard();
    await yard.format();
    [writer, repairer, reader] = [await yard.connect(), await yard.connect(), await yard.connect()];
  });
  afterEach(() => yard.clear());

  it('a key does not vanish while its shard is repaired', () => {
    const cache = cacheOf(writer);
    cache.set('key', page(1));
    const { table } = writer.session.parts;
    table.replace = cutOff;
    expect(codeOf(() => cache.set('key', page(2)))).to.equal('ABORTED');
    const seen: (number | undefined)[] = [];
    const { table: repaired } = repairer.session.parts;
    const apply = repaired.apply.bind(repaired);
    repaired.apply = (changes) => {
      apply(changes);
      seen.push(cacheOf(reader).borrow('key')?.[0]);
    };
    repairAll(repairer);
    expect(seen).to.deep.equal([2]);
  });

  it('once a reader has seen the page that repair chose, none sees the other', async () => {
    const late = await yard.connect();
    const cache = cacheOf(writer);
    cache.set('key', page(1));
    writer.session.writer.reclaimer.announceEnd = cutOff;
    expect(codeOf(() => cache.set('key', page(2)))).to.equal('ABORTED');
    const { log, table } = repairer.session.parts;
    const early = cacheOf(reader);
    const overrun = log.overrun.bind(log);
    let seen: (number | undefined)[] = [];
    log.overrun = (shard) => {
      overrun(shard);
      if (seen.length === 0) seen = [early.borrow('key')?.[0]];
    };
    const recount = table.recount.bind(table);
    table.recount = (shard, lows) => {
      recount(shard, lows);
      seen.push(cacheOf(late).borrow('key')?.[0], early.borrow('key')?.[0]);
    };
    repairAll(repairer);
    expect(seen).to.deep.equal([1, 2, 2]);
  });

  it('a slot met by an old entry answers no more, though the key has come back to it', () => {
    const cache = cacheOf(writer);
    cache.set('key', page(1));
    const { table } = reader.session.parts;
    const next = table.next.bind(table);
    let isFirst = true;
    table.next = (probe) => {
      const local = next(probe);
      if (isFirst) {
        isFirst = false;
        cache.set('key', page(2));
        // Frees the first page's slot, and gives it to the next page.
        for (let shard = 0; shard < writer.session.parts.geometry.shards; shard++) {
          const { parts } = writer.session;
          parts.locks.acquire(shard);
          writer.session.writer.reclaimer.reclaim(shard);
          parts.locks.release(shard);
        }
        writer.session.writer.reclaimer.announceEnd = cutOff;
        expect(codeOf(() => cache.set('key', page(3)))).to.equal('ABORTED');
      }
      return local;
    };
    const own = cacheOf(reader);
    const first = own.borrow('key')?.[0] as number;
    const second = own.borrow('key')?.[0] as number;
    expect([first, second]).to.deep.equal([2, 2]);
  });
});
