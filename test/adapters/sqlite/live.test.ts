/** One writer and readers in other processes, over one pool: who sees what, when, and who is let in. */

import { spawnSync } from 'node:child_process';
import { expect } from 'chai';
import { openReadOnly } from '../../../adapters/sqlite/index.js';
import type { PoolError } from '../../../src/index.js';
import { Engine, makeWorld, SCHEMA, STOCK, sumOf, transfer } from './world.js';

describe('a live database', () => {
  it('is followed by a reader in another process, from snapshot to snapshot, each of them whole', async () => {
    const { file, pool, writer } = await makeWorld();
    const { db } = await writer();
    db.exec(SCHEMA);
    const other = new Engine(pool.path, file);
    await other.call('reader');
    const sum = 'SELECT sum(balance), count(*), max(text) FROM account';
    const seen = new Set<number>();
    for (let round = 0; round < 30; round++) {
      const expected = db.selectArrays(sum);
      const before = await other.call('lsn');
      transfer(db, round);
      // The writer has gone on: the snapshot has not.
      expect(await other.call('rows', sum)).to.deep.equal(expected);
      expect(await other.call('lsn')).to.equal(before);
      expect(await other.call('refresh')).to.equal(true);
      expect(await other.call('rows', sum)).to.deep.equal(db.selectArrays(sum));
      seen.add((await other.call('lsn')) as number);
    }
    expect(seen.size).to.equal(30);
    expect(await other.call('refresh')).to.equal(false);
    expect(await other.call('rows', 'PRAGMA integrity_check')).to.deep.equal([['ok']]);
    await other.call('close');
  });

  it('is written by one process at a time: the second gets SQLITE_BUSY, until the first is killed', async () => {
    const { sqlite3, file, pool, writer } = await makeWorld();
    const other = new Engine(pool.path, file);
    await other.call('writer');
    await other.call('exec', SCHEMA);
    const refused = (await writer().catch((error) => error)) as PoolError & { resultCode: number };
    expect([refused.code, refused.resultCode]).to.deep.equal(['BUSY', sqlite3.capi.SQLITE_BUSY]);
    expect(refused.message).to.include('SQLITE_BUSY');
    await other.kill();
    const { db, lsn } = await writer();
    expect(sumOf(db)).to.equal(40_000);
    expect(db.selectValue('PRAGMA integrity_check')).to.equal('ok');
    expect(lsn).to.be.greaterThan(0);
  });

  it('has its role passed on while readers stay, and LSNs that go on growing', async () => {
    const { writer, reader } = await makeWorld();
    const first = await writer();
    first.db.exec(SCHEMA);
    const reading = await reader();
    const lsns = [reading.snapshot.lsn];
    first.close();
    for (let round = 0; round < 3; round++) {
      using next = await writer();
      expect(sumOf(reading.db)).to.equal(40_000);
      transfer(next.db, round);
      expect(reading.refresh()).to.equal(true);
      expect(reading.snapshot.lsn).to.equal(next.lsn);
      lsns.push(reading.snapshot.lsn);
    }
    expect(lsns).to.deep.equal([...new Set(lsns)].sort((one, other) => one - other));
    expect(sumOf(reading.db)).to.equal(40_000);
  });

  it('is read without a writer, by openReadOnly, and the pages are the same for who follows', async () => {
    const { sqlite3, file, pool, writer } = await makeWorld();
    const first = await writer();
    first.db.exec(SCHEMA);
    first.close();
    const db = openReadOnly(sqlite3, { file, pool });
    expect(sumOf(db)).to.equal(40_000);
    expect(() => db.exec('DELETE FROM account')).to.throw(/readonly/);
    db.close();
    expect(db.isOpen()).to.equal(false);
  });

  it('says which snapshot a reader is at, and how old; refresh in a transaction is refused', async () => {
    const { writer, reader } = await makeWorld();
    const { db } = await writer();
    db.exec(SCHEMA);
    const reading = await reader();
    const { lsn, ageMs } = reading.snapshot;
    expect(lsn).to.be.greaterThan(0);
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(reading.snapshot.ageMs).to.be.at.least(ageMs + 10);
    reading.db.exec('BEGIN; SELECT count(*) FROM account');
    expect(() => reading.refresh()).to.throw(/^BUSY/);
    reading.db.exec('COMMIT');
    expect(reading.refresh()).to.equal(false);
  });

  it('refuses what would change how it is kept safe, and leaves the header as it was', async () => {
    const { writer, reader } = await makeWorld();
    const { db } = await writer();
    db.exec(SCHEMA);
    const reading = await reader();
    const version = () =>
      db.selectArray(
        "SELECT hex(substr(data, 19, 2)), hex(substr(data, 25, 4)) FROM sqlite_dbpage('main') WHERE pgno = 1",
      );
    const before = version();
    for (const mode of ['wal', "'WAL'", 'off', 'memory']) {
      expect(() => db.exec(`PRAGMA journal_mode = ${mode}`), mode).to.throw(/journal_mode=.* is refused/);
      expect(() => db.exec(`PRAGMA main.journal_mode(${mode})`), mode).to.throw(/is refused/);
    }
    for (const one of [db, reading.db]) {
      expect(() => one.exec('PRAGMA locking_mode = EXCLUSIVE')).to.throw(/locking_mode=exclusive is refused/);
    }
    expect(db.selectValue('PRAGMA journal_mode')).to.equal('delete');
    expect(version()).to.deep.equal(before);
    for (const mode of ['truncate', 'persist', 'delete']) {
      expect(db.selectValue(`PRAGMA journal_mode = ${mode}`)).to.equal(mode);
      transfer(db, 3);
      expect(reading.refresh(), mode).to.equal(true);
      expect(sumOf(reading.db)).to.equal(40_000);
    }
  });

  if (STOCK !== undefined) {
    it('lets another build of SQLite read, and not write, while its writer lives', async () => {
      const { file, writer } = await makeWorld();
      const { db } = await writer();
      db.exec(SCHEMA);
      const ask = (sql: string) => spawnSync(STOCK as string, [file, sql], { encoding: 'utf8' });
      expect(ask('SELECT sum(balance) FROM account').stdout).to.equal('40000\n');
      expect(ask('DELETE FROM account').stderr).to.include('locked');
      transfer(db, 1);
      expect(ask('PRAGMA integrity_check').stdout).to.equal('ok\n');
    });
  }
});
