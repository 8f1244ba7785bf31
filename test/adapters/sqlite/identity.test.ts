/** Which database a file is: what was changed, replaced or left behind by others is noticed before a row of it is served. */
import { execFileSync, spawnSync } from 'node:child_process';
import { appendFileSync, copyFileSync, existsSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { openReader, openReadOnly, openWriter, type Writer } from '../../../adapters/sqlite/index.js';
import type { PoolError } from '../../../src/index.js';
import { Engine, makeWorld, SCHEMA, STOCK, sumOf, transfer, type World } from './world.js';

const stock = (file: string, sql: string) => execFileSync(STOCK as string, [file, sql], { encoding: 'utf8' }).trim();

function refusal(open: () => { close(): void }): string {
  try {
    open().close();
    return 'opened';
  } catch (error) {
    return String((error as PoolError).message);
  }
}

async function withTwoDatabases(): Promise<World> {
  const world = await makeWorld();
  const { sqlite3, file, pool } = world;
  for (const [path, balance] of [
    [file, 100],
    [`${file}.other`, 7],
  ] as const) {
    using writing = openWriter(sqlite3, { file: path, pool });
    writing.db.exec(`${SCHEMA} UPDATE account SET balance = ${balance}`);
  }
  return world;
}

describe('the identity of a database', () => {
  for (const [how, change] of [
    ['renamed over', (file: string) => renameSync(`${file}.other`, file)],
    ['copied over', (file: string) => copyFileSync(`${file}.other`, file)],
  ] as const) {
    it(`is told by a reader of a file that another of the same shape and counters was ${how}`, async () => {
      const { sqlite3, file, pool, reader } = await withTwoDatabases();
      const reading = await reader();
      reading.db.exec('PRAGMA cache_size = 0');
      expect(sumOf(reading.db)).to.equal(40_000);
      change(file);
      try {
        expect(sumOf(reading.db)).to.equal(40_000);
      } catch (error) {
        expect((error as { resultCode: number }).resultCode).to.equal(sqlite3.capi.SQLITE_BUSY_SNAPSHOT);
      }
      expect(() => reading.refresh()).to.throw(/^DATABASE_CHANGED/);
      const db = openReadOnly(sqlite3, { file, pool });
      expect(sumOf(db)).to.equal(2800);
      db.close();
    });
  }

  it('goes on where a copy is put back that has older change counters', async () => {
    const { sqlite3, file, pool } = await makeWorld();
    const open = () => openWriter(sqlite3, { file, pool });
    {
      using writing = open();
      writing.db.exec(SCHEMA);
    }
    copyFileSync(file, `${file}.backup`);
    for (let round = 0; round < 3; round++) {
      {
        using writing = open();
        writing.db.exec("UPDATE account SET balance = balance + 1; UPDATE account SET text = 'x' WHERE id < 100");
        using reading = openReader(sqlite3, { file, pool });
        expect(sumOf(reading.db)).to.equal(40_400);
      }
      copyFileSync(`${file}.backup`, file);
      using reading = openReader(sqlite3, { file, pool });
      expect(sumOf(reading.db)).to.equal(40_000);
      expect(reading.db.selectValue("SELECT count(*) FROM account WHERE text = 'x'")).to.equal(0);
    }
  });

  it('is not a name: no file, an empty file, a text, a database cut short', async () => {
    const { sqlite3, file, pool } = await makeWorld();
    expect(refusal(() => openReader(sqlite3, { file, pool }))).to.match(
      /^OPTION_INVALID: file: .*orders.db cannot be opened/,
    );
    expect(existsSync(file)).to.equal(false);
    writeFileSync(file, '');
    {
      using reading = openReader(sqlite3, { file, pool });
      expect(reading.db.selectValue('SELECT count(*) FROM sqlite_schema')).to.equal(0);
      using writing = openWriter(sqlite3, { file, pool });
      expect(reading.refresh()).to.equal(false);
      writing.db.exec(SCHEMA);
      expect(reading.refresh()).to.equal(true);
      expect(sumOf(reading.db)).to.equal(40_000);
    }
    writeFileSync(file, 'some text that is no database'.repeat(200));
    for (const open of [openReader, openWriter]) {
      expect(refusal(() => open(sqlite3, { file, pool }))).to.match(/^OPTION_INVALID: .* is no SQLite database/);
    }
    writeFileSync(file, Buffer.from('SQLite format 3\u0000'));
    expect(refusal(() => openReader(sqlite3, { file, pool }))).to.match(/^OPTION_INVALID/);
  });

  it('is of one connection: neither ATTACH nor a second open by its inner name leads to it', async () => {
    const { file, writer, reader } = await makeWorld();
    const writing = await writer();
    writing.db.exec(SCHEMA);
    const reading = await reader();
    for (const { db } of [writing, reading]) {
      const inner = String(db.selectValue('SELECT file FROM pragma_database_list'));
      for (const name of [file, `${file}.new`, inner, `file:${inner}?vfs=sealpool`, `${inner}-journal`]) {
        expect(() => db.exec(`ATTACH '${name}' AS other`), name).to.throw(/CANTOPEN/);
      }
      expect(sumOf(db)).to.equal(40_000);
    }
    writing.db.exec("ATTACH ':memory:' AS m; CREATE TABLE m.t(a); INSERT INTO m.t SELECT id FROM account; DETACH m");
    transfer(writing.db, 1);
    expect(reading.refresh()).to.equal(true);
    expect(existsSync(`${file}.new`)).to.equal(false);
  });

  it('is of one connection: a second database of the pool is not attached to it, under any name, and serves its own', async () => {
    const { sqlite3, folder, pool, writer, reader } = await makeWorld();
    const writing = await writer();
    writing.db.exec(SCHEMA);
    const reading = await reader();
    const file = join(folder, 'other.db');
    using second = openWriter(sqlite3, { file, pool });
    second.db.exec('CREATE TABLE t(a); INSERT INTO t VALUES (7)');
    using follower = openReader(sqlite3, { file, pool });
    const innerOf = (db: Writer['db']) => String(db.selectValue('SELECT file FROM pragma_database_list'));
    for (const db of [writing.db, reading.db]) {
      for (const inner of [innerOf(second.db), innerOf(follower.db)]) {
        for (const name of [
          file,
          inner,
          `file:${inner}?vfs=sealpool`,
          `file:${inner}?vfs=sealpool&mode=ro&immutable=1`,
        ]) {
          expect(() => db.exec(`ATTACH '${name}' AS other`), name).to.throw(/CANTOPEN/);
        }
      }
      expect(db.selectValues('SELECT name FROM pragma_database_list')).to.deep.equal(['main']);
      expect(sumOf(db)).to.equal(40_000);
    }
    second.db.exec('INSERT INTO t VALUES (8)');
    expect(follower.refresh()).to.equal(true);
    expect(follower.db.selectValues('SELECT a FROM t')).to.deep.equal([7, 8]);
  });

  it('is left to another SQLite where a journal is of a transaction over several databases', async () => {
    const { sqlite3, file, pool } = await makeWorld();
    {
      using writing = openWriter(sqlite3, { file, pool });
      writing.db.exec(SCHEMA);
    }
    const magic = Buffer.from('d9d505f920a163d7', 'hex');
    writeFileSync(`${file}-journal`, Buffer.concat([magic, Buffer.alloc(504), magic]));
    expect(refusal(() => openWriter(sqlite3, { file, pool }))).to.match(
      /-journal has a transaction over several databases/,
    );
    expect(existsSync(`${file}-journal`)).to.equal(true);
  });

  it('and who reads it are told by name and age, and a reader that has died is not', async () => {
    const { sqlite3, file, pool, writer } = await makeWorld();
    const writing = await writer();
    writing.db.exec(SCHEMA);
    const other = new Engine(pool.path, file);
    await other.call('reader');
    using forgotten = openReader(sqlite3, { file, pool, name: 'a report' });
    forgotten.db.exec('BEGIN; SELECT count(*) FROM account');
    await new Promise((resolve) => setTimeout(resolve, 30));
    transfer(writing.db, 1);
    using fresh = openReader(sqlite3, { file, pool, name: 'a query' });
    const names = () => writing.readers().map(({ name }) => name);
    expect(names()).to.have.length(3);
    expect(names().slice(1)).to.deep.equal(['a report', 'a query']);
    const [, report, query] = writing.readers();
    expect(report?.heldMs).to.be.at.least(30);
    expect(query?.lsn).to.equal(writing.lsn);
    expect(report?.lsn).to.be.lessThan(writing.lsn);
    await other.kill();
    // Of a death one is told within moments.
    for (let tries = 0; tries < 100 && names().length > 2; tries++)
      await new Promise((resolve) => setTimeout(resolve, 20));
    expect(names()).to.deep.equal(['a report', 'a query']);
    fresh.close();
    expect(names()).to.deep.equal(['a report']);
  });

  if (STOCK !== undefined) {
    it('is another after another SQLite wrote, while no writer lived: readers are told, the next writer goes on from there', async () => {
      const { sqlite3, file, pool, writer, reader } = await makeWorld();
      {
        using first = openWriter(sqlite3, { file, pool });
        first.db.exec(SCHEMA);
      }
      const reading = await reader();
      reading.db.exec('PRAGMA cache_size = 0');
      const all = () => reading.db.selectValue('SELECT sum(balance + length(text)) FROM account');
      expect(all()).to.equal(120_000);
      stock(file, "UPDATE account SET balance = 3, text = 'other'");
      // The pool has the snapshot still.
      expect(all()).to.equal(120_000);
      pool.evict(2 ** 30);
      expect(() => all()).to.throw(/SQLITE_BUSY_SNAPSHOT/);
      expect(() => reading.refresh()).to.throw(/^DATABASE_CHANGED/);
      const { db } = await writer();
      expect(sumOf(db)).to.equal(1200);
      using late = openReader(sqlite3, { file, pool });
      expect(sumOf(late.db)).to.equal(1200);
      expect(db.selectValue('PRAGMA integrity_check')).to.equal('ok');
    });

    it('is refused by name in UTF-16, with rows in a -wal, with a journal that is hot; WAL mode without rows is read', async () => {
      const { sqlite3, file, pool } = await makeWorld();
      const both = () => [openReader, openWriter].map((open) => refusal(() => open(sqlite3, { file, pool })));
      stock(file, "PRAGMA encoding = 'UTF-16le'; CREATE TABLE t(a); INSERT INTO t VALUES ('x')");
      for (const message of both()) expect(message).to.match(/^UNSUPPORTED: .* UTF-16/);
      rmSync(file);
      stock(file, 'PRAGMA journal_mode = WAL; CREATE TABLE t(a); INSERT INTO t VALUES (1)');
      using reading = openReader(sqlite3, { file, pool });
      expect(reading.db.selectValue('SELECT sum(a) FROM t')).to.equal(1);
      expect(refusal(() => openWriter(sqlite3, { file, pool }))).to.match(/^UNSUPPORTED: .* WAL mode/);
      // A process that ends without a checkpoint.
      const sql = '.dbconfig no_ckpt_on_close on\nINSERT INTO t VALUES (2);\n';
      spawnSync(STOCK as string, [file], { input: sql });
      expect(existsSync(`${file}-wal`)).to.equal(true);
      for (const message of both()) expect(message).to.match(/^UNSUPPORTED: .*-wal has rows that were committed/);
      stock(file, 'PRAGMA journal_mode = DELETE');
      appendFileSync(`${file}-journal`, Buffer.from('d9d505f920a163d7', 'hex'));
      appendFileSync(`${file}-journal`, Buffer.alloc(600, 1));
      expect(refusal(() => openReader(sqlite3, { file, pool }))).to.match(/^UNSUPPORTED: .*-journal has a transaction/);
    });

    it('keeps what the file says of itself: reserved bytes, auto_vacuum, user_version', async () => {
      const { sqlite3, file, pool, writer, reader } = await makeWorld();
      const input = `.filectrl reserve_bytes 32\nPRAGMA user_version = 77; PRAGMA auto_vacuum = FULL;\n${SCHEMA}\n`;
      spawnSync(STOCK as string, [file], { input });
      const before = openReadOnly(sqlite3, { file, pool });
      expect(before.selectArrays('PRAGMA user_version')).to.deep.equal([[77]]);
      before.close();
      const writing = await writer();
      const reading = await reader();
      transfer(writing.db, 1);
      reading.refresh();
      expect(sumOf(reading.db)).to.equal(40_000);
      const reserved = "SELECT hex(substr(data, 21, 1)) FROM sqlite_dbpage('main') WHERE pgno = 1";
      expect([reading.db.selectValue(reserved), readFileSync(file)[20]]).to.deep.equal(['20', 32]);
      expect(stock(file, 'PRAGMA integrity_check; PRAGMA user_version')).to.equal('ok\n77');
    });
  }
});
