/** What the writer keeps of the past for readers, and that it keeps no more. */
import type { Database } from '@sqlite.org/sqlite-wasm';
import { expect } from 'chai';
import { type Files, nodeFiles } from '../../../adapters/sqlite/files.js';
import { openReader, openWriter, type Reader } from '../../../adapters/sqlite/index.js';
import { SharedCache } from '../../../src/index.js';
import { atEnd, join as joinPool } from '../../cache/pools.js';
import { makeWorld, SCHEMA, sumOf, transfer } from './world.js';

const PAGE = 4096;
const contents = (db: Database): string => JSON.stringify(db.selectArrays('SELECT * FROM account ORDER BY id'));

/** Calls it after each `set` of a cache whose key is so, until the end. */
function atEach(keys: RegExp, step: () => void): { count: number; end(): void } {
  const { set } = SharedCache.prototype;
  const steps = {
    count: 0,
    end: () => {
      SharedCache.prototype.set = set;
    },
  };
  atEnd(steps.end);
  let isWithin = false;
  SharedCache.prototype.set = function (this: SharedCache, ...call: Parameters<typeof set>) {
    const done = set.apply(this, call);
    if (isWithin || !keys.test(String(call[0]))) return done;
    steps.count += 1;
    isWithin = true;
    step();
    isWithin = false;
    return done;
  } as unknown as typeof set;
  return steps;
}

/** Pages that nobody asks for again, more than the pool has room for. */
function flood(space: ReturnType<SharedCache['pages']>, round: number): void {
  const page = new Uint8Array(PAGE);
  for (let pageNo = 0; pageNo < 1_500; pageNo++) space.put(round * 1_500 + pageNo, page);
}

describe('the past of a live database', () => {
  it('is kept for the snapshot of a reader while others fill the pool, and let go when the reader has gone on', async () => {
    const { pool, writer, reader } = await makeWorld({ size: '4MiB' }, '/dev/shm');
    const others = new SharedCache(await joinPool(pool.path)).pages('others', { pageSize: PAGE });
    const writing = await writer();
    const { db } = writing;
    db.exec(`PRAGMA cache_size = 5; ${SCHEMA}`);
    const reading = await reader();
    reading.db.exec('PRAGMA cache_size = 5');
    const pinned = () => Math.max(...pool.nodes().map(({ pins }) => pins));
    const logs = pinned();
    const then = contents(db);
    const { lsn } = reading.snapshot;
    for (let round = 0; round < 8; round++) {
      transfer(db, round);
      flood(others, round);
    }
    expect(contents(reading.db)).to.equal(then);
    expect(reading.snapshot.lsn).to.equal(lsn);
    const kept = pinned();
    expect(kept).to.be.greaterThan(logs + 8 + 5);
    expect(reading.refresh()).to.equal(true);
    transfer(db, 8);
    // The logs of nine commits, and what the last one changed.
    expect(pinned()).to.be.lessThan(kept - 3);
    reading.close();
    transfer(db, 9);
    expect(pinned()).to.equal(logs + 10);
    expect(sumOf(db)).to.equal(40_000);
  });

  it('is there at every step of a commit: for the reader there is, and for one that comes in the middle of it', async () => {
    const { sqlite3, file, pool, writer, reader } = await makeWorld();
    const { db } = await writer();
    db.exec(SCHEMA);
    const reading = await reader();
    reading.db.exec('PRAGMA cache_size = 0');
    const other = await joinPool(pool.path);
    const then = contents(reading.db);
    db.exec("UPDATE account SET text = printf('%.200c', 'b')");
    const now = contents(db);
    const came: Reader[] = [];
    const steps = atEach(/^(?:head|log)\//, () => {
      expect(contents(reading.db)).to.equal(then);
      if (came.length === 0 && steps.count === 2) {
        const late = openReader(sqlite3, { file, pool: other });
        atEnd(() => late.close());
        late.db.exec('PRAGMA cache_size = 0');
        came.push(late);
      }
    });
    pool.evict(2 ** 30);
    db.exec("UPDATE account SET text = 'new'");
    steps.end();
    expect(steps.count).to.equal(4);
    expect(contents(reading.db)).to.equal(then);
    expect(came.map((late) => contents(late.db))).to.deep.equal([now]);
  });

  it('costs the writer no read of the file: the journal has had it', async () => {
    const { pool, writer, reader } = await makeWorld();
    let reads = 0;
    const files: Files = {
      ...nodeFiles,
      read(descriptor, target, offset) {
        if (target.length === PAGE && offset > 0) reads += 1;
        return nodeFiles.read(descriptor, target, offset);
      },
    };
    const { db } = await writer({ files });
    db.exec(SCHEMA);
    const reading = await reader();
    const then = contents(reading.db);
    expect(contents(db)).to.equal(then);
    pool.evict(2 ** 30);
    reads = 0;
    db.exec("UPDATE account SET text = printf('%.200c', 'b')");
    expect(reads).to.equal(0);
    expect(contents(reading.db)).to.equal(then);
  });

  it('has at most a share of the pool, of 0 to 0.8', async () => {
    const { sqlite3, file, pool, writer, reader } = await makeWorld({ size: '4MiB' }, '/dev/shm');
    const open = (snapshotShare: number) => openWriter(sqlite3, { file, pool, snapshotShare });
    for (const share of [-0.1, 0.9, Number.NaN])
      expect(() => open(share))
        .to.throw('snapshotShare')
        .with.property('code', 'OPTION_INVALID');
    const writing = await writer({ snapshotShare: 0 });
    writing.db.exec(SCHEMA);
    await reader();
    const before = pool.stats().pins;
    for (let round = 0; round < 10; round++) transfer(writing.db, round);
    expect(pool.stats().pins - before).to.equal(10);
  });

  it('is not kept for nobody', async () => {
    const { pool, writer } = await makeWorld({ size: '4MiB' }, '/dev/shm');
    const writing = await writer();
    writing.db.exec(SCHEMA);
    const before = pool.stats();
    for (let round = 0; round < 30; round++) transfer(writing.db, round);
    const after = pool.stats();
    // A log each, and no page that was not there: what it changes is superseded.
    expect(after.pins - before.pins).to.equal(30);
    expect(after.objects - before.objects).to.be.at.most(30 + 40);
  });

  it('is given back when no reader has it any more: one version of a page is left, and one for each snapshot of it', async () => {
    const { pool, writer, reader } = await makeWorld();
    const { db } = await writer();
    db.exec(SCHEMA);
    // Of pages of the database: heads are larger, logs smaller.
    const versions = () => [...pool.list()].filter(({ size }) => size === PAGE).length;
    const pages = () => db.selectValue('PRAGMA page_count') as number;
    const readers = [await reader(), await reader()];
    const then = contents(db);
    for (let round = 0; round < 30; round++) {
      transfer(db, round);
      readers[1]?.refresh();
      expect(contents((readers[1] as (typeof readers)[0]).db)).to.equal(contents(db));
    }
    expect(contents((readers[0] as (typeof readers)[0]).db)).to.equal(then);
    expect(versions())
      .to.be.greaterThan(pages() + 10)
      .and.at.most(3 * pages());
    for (const one of readers) one.close();
    transfer(db, 0);
    expect(versions()).to.be.at.most(pages());
  });
});
