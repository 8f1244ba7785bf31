/** What readers are served while the writer goes on, in pools that are too small: their snapshot, or nothing. */
import { createHash } from 'node:crypto';
import { closeSync, ftruncateSync, openSync, writeSync } from 'node:fs';
import type { Database } from '@sqlite.org/sqlite-wasm';
import { expect } from 'chai';
import { openReader, openWriter, type Reader, type Writer } from '../../../adapters/sqlite/index.js';
import { PoolError } from '../../../src/index.js';
import { Chance } from '../../support/chance.js';
import { Engine, makeWorld, SCHEMA, sumOf, transfer } from './world.js';

const digest = (db: Database) =>
  createHash('sha1')
    .update(JSON.stringify(db.selectArrays('SELECT * FROM account ORDER BY id')))
    .digest('hex');

function isLost(reader: Reader, error: unknown): true {
  expect((error as { resultCode: number }).resultCode).to.equal(517);
  expect(reader.lastError).to.be.instanceOf(PoolError).with.property('code', 'SNAPSHOT_LOST');
  return true;
}

/** One change of any kind. */
function change({ db }: Writer, chance: Chance): void {
  const first = chance.below(900);
  const kinds = [
    () => db.exec(`UPDATE account SET text = text || 'x' WHERE id BETWEEN ${first} AND ${first + 5}`),
    () => db.exec(`DELETE FROM account WHERE id BETWEEN ${first} AND ${first + 30}`),
    () =>
      db.exec(`INSERT OR REPLACE INTO account
        SELECT ${first} + value, value, printf('%.*c', ${200 + chance.below(3000)}, 'y') FROM numbers`),
    () => db.exec('VACUUM'),
    () => {
      db.exec('BEGIN; UPDATE account SET balance = balance + 1');
      db.exec(chance.below(2) === 0 ? 'ROLLBACK' : 'COMMIT');
    },
    () => {
      db.exec(`BEGIN; UPDATE account SET balance = 7 WHERE id < ${first}; SAVEPOINT one;
        DELETE FROM account WHERE id % 3 = 0; ROLLBACK TO one; COMMIT`);
    },
  ];
  (kinds[chance.below(12)] ?? (kinds[0] as () => void))();
}

describe('snapshots of a live database', () => {
  for (const autoVacuum of ['NONE', 'FULL', 'INCREMENTAL']) {
    it(`are what the writer had at their LSN or are lost, whatever it does in a pool too small (auto_vacuum ${autoVacuum})`, async () => {
      const { pool, writer, reader } = await makeWorld({ size: '4MiB' }, '/dev/shm');
      const chance = new Chance(autoVacuum.length);
      const writing = await writer({ overlayBytesMax: 100_000, snapshotShare: 0 });
      const { db } = writing;
      db.exec(`PRAGMA auto_vacuum = ${autoVacuum}; PRAGMA cache_size = 20; ${SCHEMA}
        CREATE VIEW numbers AS WITH RECURSIVE n(value) AS (SELECT 1 UNION ALL SELECT value + 1 FROM n WHERE value < 20)
          SELECT value FROM n`);
      const readers = await Promise.all([reader(), reader(), reader()]);
      for (const one of readers) one.db.exec('PRAGMA cache_size = 5');
      const expected = new Map<number, string>([[writing.lsn, digest(db)]]);
      const seen = { right: 0, lost: 0 };
      for (let round = 0; round < 70; round++) {
        change(writing, chance);
        expected.set(writing.lsn, digest(db));
        const one = readers[chance.below(3)] as Reader;
        if (chance.below(3) === 0) one.refresh();
        if (chance.below(3) === 0) pool.evict(chance.below(2 ** 21));
        try {
          expect(digest(one.db)).to.equal(expected.get(one.snapshot.lsn));
          seen.right++;
        } catch (error) {
          if ((error as Error).name === 'AssertionError') throw error;
          if (isLost(one, error)) seen.lost++;
          one.refresh();
          expect(digest(one.db)).to.equal(expected.get(writing.lsn));
        }
      }
      expect(seen.right).to.be.greaterThan(20);
      expect(db.selectValue('PRAGMA integrity_check')).to.equal('ok');
      expect(seen.lost).to.be.greaterThan(5);
    });
  }

  it('are whole in processes that read while another writes, as fast as both can', async () => {
    const { file, pool, reader } = await makeWorld({ size: '4MiB' }, '/dev/shm');
    const other = new Engine(pool.path, file);
    await other.call('writer');
    await other.call('exec', SCHEMA);
    const reading = await reader();
    reading.db.exec('PRAGMA cache_size = 2');
    const writing = other.call('transfers', '150');
    let isOver = false;
    void writing.finally(() => {
      isOver = true;
    });
    const lsns = new Set<number>();
    for (let round = 0; !isOver; round++) {
      try {
        if (round % 3 === 0) reading.refresh();
        expect(sumOf(reading.db)).to.equal(40_000);
        expect(
          reading.db.selectValue('SELECT count(*) FROM account INDEXED BY balances WHERE balance > -9999'),
        ).to.equal(400);
        lsns.add(reading.snapshot.lsn);
      } catch (error) {
        if ((error as Error).name === 'AssertionError') throw error;
        isLost(reading, error);
        reading.refresh();
      }
      await new Promise((resolve) => setImmediate(resolve));
    }
    await writing;
    reading.refresh();
    expect(await other.call('lsn')).to.equal(reading.snapshot.lsn);
    expect(reading.db.selectValue('PRAGMA integrity_check')).to.equal('ok');
    expect(lsns.size).to.be.greaterThan(3);
  });

  it('hold a page that a spill wrote over in the file, and the file as long as it was', async () => {
    // (a), (c): uncommitted pages are in the file, then the file is shorter.
    const { writer, reader } = await makeWorld();
    const { db } = await writer({ overlayBytesMax: 20_000 });
    db.exec(`PRAGMA auto_vacuum = FULL; PRAGMA cache_size = 5; ${SCHEMA}`);
    const [warm, cold] = [await reader(), await reader()];
    const before = digest(warm.db);
    const pages = warm.db.selectValue('PRAGMA page_count');
    db.exec("BEGIN; UPDATE account SET text = printf('%.200c', 'z')");
    expect(db.selectValue("SELECT count(*) FROM account WHERE text LIKE 'z%'")).to.equal(400);
    expect(digest(cold.db)).to.equal(before);
    db.exec('ROLLBACK');
    expect(db.selectValue("SELECT count(*) FROM account WHERE text LIKE 'a%'")).to.equal(400);
    for (const one of [warm, cold]) expect(digest(one.db)).to.equal(before);
    db.exec('DELETE FROM account WHERE id > 20');
    for (const one of [warm, cold]) {
      expect(digest(one.db)).to.equal(before);
      expect(one.db.selectValue('PRAGMA page_count')).to.equal(pages);
      expect(one.refresh()).to.equal(true);
      expect(one.db.selectValue('SELECT count(*) FROM account')).to.equal(20);
      expect(one.db.selectValue('PRAGMA page_count')).to.be.lessThan(pages as number);
    }
  });

  it('are never mixed with what a transaction under way has spilled to the file, where the pool has nothing any more', async () => {
    const { pool, writer, reader } = await makeWorld();
    const { db } = await writer({ overlayBytesMax: 20_000, snapshotShare: 0 });
    db.exec(`PRAGMA cache_size = 5; ${SCHEMA}`);
    const reading = await reader();
    reading.db.exec('PRAGMA cache_size = 0');
    db.exec("BEGIN; UPDATE account SET text = printf('%.200c', 'z')");
    pool.evict(2 ** 30);
    expect(() => digest(reading.db)).to.throw(/SQLITE_BUSY_SNAPSHOT/);
    db.exec('ROLLBACK');
    expect(reading.refresh()).to.equal(true);
    expect(reading.db.selectValue("SELECT count(*) FROM account WHERE text LIKE 'a%'")).to.equal(400);
  });

  it('have the pages that the pool had nothing of when the writer changed them', async () => {
    const { pool, writer, reader } = await makeWorld();
    const { db } = await writer();
    db.exec(SCHEMA);
    const before = digest(db);
    const reading = await reader();
    // The writer has all of them in its engine's cache, and reads none.
    pool.evict(2 ** 30);
    db.exec("UPDATE account SET text = 'new'");
    expect(digest(reading.db)).to.equal(before);
  });

  it('are not served from a file that has a newer page, where the pool has given the old one up', async () => {
    const { pool, writer, reader } = await makeWorld();
    const { db } = await writer({ snapshotShare: 0 });
    db.exec(SCHEMA);
    const reading = await reader();
    reading.db.exec('PRAGMA cache_size = 0');
    db.exec("UPDATE account SET text = 'new'");
    pool.evict(2 ** 30);
    expect(() => digest(reading.db)).to.throw(/SQLITE_BUSY_SNAPSHOT/);
    expect(String(reading.lastError)).to.match(/^PoolError: SNAPSHOT_LOST: Page \d+ of .*orders.db as of LSN \d+/);
    expect(reading.refresh()).to.equal(true);
    expect(reading.db.selectValue("SELECT count(*) FROM account WHERE text = 'new'")).to.equal(400);
  });

  it('are not served of a page that a younger reader has read from the file', async () => {
    const { pool, writer, reader } = await makeWorld();
    const { db } = await writer();
    db.exec(SCHEMA);
    const old = await reader();
    old.db.exec('PRAGMA cache_size = 0');
    const before = digest(old.db);
    db.exec("UPDATE account SET text = 'new'");
    pool.evict(2 ** 30);
    const young = await reader();
    expect(digest(young.db)).to.equal(digest(db));
    try {
      expect(digest(old.db)).to.equal(before);
    } catch (error) {
      if ((error as Error).name === 'AssertionError') throw error;
      isLost(old, error);
    }
  });

  it('take pages that have not changed from the file, also when the pool has nothing any more', async () => {
    const { pool, writer, reader } = await makeWorld();
    const { db } = await writer();
    db.exec(SCHEMA);
    const reading = await reader();
    reading.db.exec('PRAGMA cache_size = 0');
    transfer(db, 1);
    pool.evict(2 ** 30);
    // Accounts that the transfer did not touch, in pages of their own.
    expect(reading.db.selectValue('SELECT sum(balance) FROM account WHERE id > 200')).to.equal(20_000);
  });

  it('are followed by statements that were prepared before the schema changed', async () => {
    const { writer, reader } = await makeWorld();
    const { db } = await writer();
    db.exec(SCHEMA);
    const reading = await reader();
    const prepared = reading.db.prepare('SELECT * FROM account WHERE id = 7');
    const row = () => {
      expect(prepared.step()).to.equal(true);
      const columns = prepared.get([]);
      prepared.reset();
      return columns;
    };
    expect(row()).to.deep.equal([7, 100, 'a'.repeat(200)]);
    db.exec("ALTER TABLE account DROP COLUMN text; ALTER TABLE account ADD COLUMN kind TEXT DEFAULT 'k'");
    expect(row()).to.deep.equal([7, 100, 'a'.repeat(200)]);
    expect(reading.refresh()).to.equal(true);
    expect(row()).to.deep.equal([7, 100, 'k']);
    db.exec('DROP TABLE account; CREATE TABLE account(id, other); INSERT INTO account VALUES (7, 8)');
    expect(reading.refresh()).to.equal(true);
    expect(row()).to.deep.equal([7, 8]);
    prepared.finalize();
  });

  for (const pageSize of [512, 1024, 65_536]) {
    it(`are of pages of ${pageSize} bytes, and of another size after a VACUUM, up or down`, async () => {
      const { file, sqlite3, pool, writer, reader } = await makeWorld();
      const { db } = await writer();
      db.exec(SCHEMA.replace('4096', String(pageSize)));
      const reading = await reader();
      expect(reading.db.selectValue('PRAGMA page_size')).to.equal(pageSize);
      const before = digest(db);
      for (const next of [8192, 512, 65_536, 4096]) {
        expect(digest(reading.db)).to.equal(before);
        db.exec(`PRAGMA page_size = ${next}; VACUUM`);
        expect(reading.refresh()).to.equal(true);
        expect(reading.db.selectValue('PRAGMA integrity_check')).to.equal('ok');
        expect(reading.db.selectValue('PRAGMA page_size')).to.equal(next);
        expect(digest(reading.db)).to.equal(before);
      }
      const late = openReader(sqlite3, { file, pool });
      expect(digest(late.db)).to.equal(before);
      late.close();
    });
  }

  it('are right around the page that holds byte 2^30, which SQLite leaves out', async () => {
    const { sqlite3, file, pool, reader } = await makeWorld({}, '/dev/shm');
    const size = 65_536;
    {
      using writing = openWriter(sqlite3, { file, pool });
      writing.db.exec(`PRAGMA page_size = ${size}; CREATE TABLE t(a); INSERT INTO t VALUES ('first')`);
    }
    // A database of 1 GiB but two pages, nearly all of it holes that no table has.
    const descriptor = openSync(file, 'r+');
    const pages = 2 ** 30 / size - 1;
    ftruncateSync(descriptor, pages * size);
    const count = Buffer.alloc(4);
    count.writeUInt32BE(pages);
    writeSync(descriptor, count, 0, 4, 28);
    closeSync(descriptor);
    using writing = openWriter(sqlite3, { file, pool });
    const reading = await reader();
    for (let round = 0; round < 6; round++) {
      writing.db.exec("INSERT INTO t VALUES (printf('%.60000c', 'x'))");
      expect(reading.refresh()).to.equal(true);
      expect(reading.db.selectArrays('SELECT count(*), sum(length(a)) FROM t')).to.deep.equal([
        [round + 2, 60_000 * (round + 1) + 5],
      ]);
    }
    expect(reading.db.selectValue('PRAGMA page_count')).to.be.greaterThan(2 ** 30 / size + 2);
  });
});
