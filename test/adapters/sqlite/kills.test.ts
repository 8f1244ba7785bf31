/**
 * The writer dies before every call of the file system and of the pool that a transaction makes. What it leaves is judged by another
 * build of SQLite where there is one, by a reader that was there all the time, and by the next writer.
 *
 * A death is a call that throws, as do all calls after it, of files and pool; then the descriptor is closed, and its locks go.
 */
import { copyFileSync, readFileSync, rmSync } from 'node:fs';
import { expect } from 'chai';
import { openReader, openWriter, type Reader, type Writer } from '../../../adapters/sqlite/index.js';
import { PoolError, SharedCache } from '../../../src/index.js';
import { join, makePool } from '../../cache/pools.js';
import { Engine, judgeByStock, makeWorld, SCHEMA, STOCK, sumOf, transfer, type World, watchedFiles } from './world.js';

interface Script {
  readonly prepare?: string;
  readonly later?: string;
  readonly settings?: string;
  run(writer: Writer): void;
  readonly overlayBytesMax?: number;
  /** Every which call the writer dies at. */
  readonly stride?: number;
}

const EVERYTHING = 'SELECT id, balance, text FROM account ORDER BY id';
const grow = (db: Writer['db']) =>
  db.exec(`INSERT INTO account SELECT id + 1000, 0, printf('%.300c', 'b') FROM account;
    UPDATE account SET text = text || 'c'`);

const scripts: Record<string, Script> = {
  'a journal that is deleted': { run: ({ db }) => transfer(db, 1) },
  'a journal that is truncated': {
    stride: 3,
    settings: 'PRAGMA journal_mode = TRUNCATE',
    run: ({ db }) => transfer(db, 2),
  },
  'a journal that is zeroed': {
    stride: 3,
    settings: 'PRAGMA journal_mode = PERSIST',
    run: ({ db }) => transfer(db, 3),
  },
  'a spill in the middle': {
    settings: 'PRAGMA cache_size = 5',
    overlayBytesMax: 40_000,
    stride: 30,
    run: ({ db }) => db.exec('BEGIN') && grow(db) && db.exec('COMMIT'),
  },
  'a rollback after a spill': {
    settings: 'PRAGMA cache_size = 5',
    overlayBytesMax: 40_000,
    stride: 40,
    run: ({ db }) => db.exec('BEGIN') && grow(db) && db.exec('ROLLBACK'),
  },
  'a file that gets shorter': {
    prepare: 'PRAGMA auto_vacuum = FULL',
    stride: 3,
    run: ({ db }) => db.exec('BEGIN; DELETE FROM account WHERE id > 200; UPDATE account SET balance = 200; COMMIT'),
  },
  VACUUM: {
    later: 'DELETE FROM account WHERE id > 200; UPDATE account SET balance = 200',
    stride: 9,
    run: ({ db }) => db.exec('VACUUM'),
  },
  'full-text and spatial tables': {
    prepare: 'CREATE VIRTUAL TABLE words USING fts5(t); CREATE VIRTUAL TABLE boxes USING rtree(id, x0, x1)',
    stride: 7,
    run: ({ db }) => {
      db.exec(`BEGIN; INSERT INTO words SELECT 'word' || id || ' of ' || balance FROM account;
        INSERT INTO boxes SELECT id, id, id + 1 FROM account; COMMIT`);
    },
  },
};

interface Images {
  readonly path: string;
  readonly before: unknown;
  readonly after: unknown;
}

class Killed extends Error {}

/** Called before each call of the pool that changes something; undefined where nobody dies. */
let beforePoolCall: (() => void) | undefined;

/** Has calls of the prototype's methods go by beforePoolCall, until the claims are through. */
function watch(prototype: object, names: readonly string[]): void {
  const methods = prototype as Record<string, (...parameters: unknown[]) => unknown>;
  for (const name of names) {
    const original = methods[name] as (...parameters: unknown[]) => unknown;
    methods[name] = function (this: unknown, ...parameters) {
      beforePoolCall?.();
      return original.apply(this, parameters);
    };
    after(() => {
      methods[name] = original;
    });
  }
}

/** Runs the script and dies at the call of that number; false when it ended before. */
async function runAndDie(world: World, script: Script, at: number): Promise<boolean> {
  const node = await join(world.pool.path);
  let calls = 0;
  let isArmed = false;
  let isDead = false;
  const look = () => {
    if (isDead) throw new Killed();
    if (!isArmed || calls++ !== at) return;
    isDead = true;
    void node.disconnect();
    throw new Killed();
  };
  const { overlayBytesMax = 1 << 20 } = script;
  const files = watchedFiles(look);
  const writer = openWriter(world.sqlite3, { file: world.file, pool: node, files, overlayBytesMax });
  beforePoolCall = look;
  try {
    writer.db.exec(script.settings ?? 'SELECT 1');
    isArmed = true;
    script.run(writer);
  } catch (error) {
    if (!isDead) throw error;
  }
  isArmed = false;
  // What the engine does at its end meets a file system and a pool that do nothing any more.
  writer.db.close();
  beforePoolCall = undefined;
  await node.disconnect();
  return isDead;
}

/** What the query gives at the reader's snapshot, or that it is lost. */
function ask<T>(reader: Reader, query: () => T): T | 'lost' {
  try {
    return query();
  } catch (error) {
    expect((error as { resultCode: number }).resultCode).to.equal(517);
    expect(reader.lastError).to.be.instanceOf(PoolError).with.property('code', 'SNAPSHOT_LOST');
    return 'lost';
  }
}

const rowsOf = (reader: Reader) => ask<unknown>(reader, () => reader.db.selectArrays(EVERYTHING));
const expectSum = (reader: Reader) => expect([40_000, 'lost']).to.include(ask(reader, () => sumOf(reader.db)));

/** Of the file alone, which no pool and no file system of ours is in the way of. */
function rowsInFile({ sqlite3, file }: World): unknown {
  const { capi, wasm } = sqlite3;
  const bytes = Uint8Array.from(readFileSync(file));
  const db = new sqlite3.oo1.DB(':memory:');
  const image = wasm.allocFromTypedArray(bytes);
  capi.sqlite3_deserialize(db.pointer!, 'main', image, bytes.length, bytes.length, capi.SQLITE_DESERIALIZE_FREEONCLOSE);
  try {
    return db.selectArrays(EVERYTHING);
  } finally {
    db.close();
  }
}

async function judge(world: World, reader: Reader, expected: Images): Promise<string> {
  const { file, folder } = world;
  if (STOCK !== undefined) {
    expect(judgeByStock(file, folder, 'SELECT sum(balance) FROM account')).to.equal('ok\n40000');
  }
  const seen = rowsOf(reader);
  if (seen !== 'lost') expect(seen).to.deep.equal(expected.before);
  // Who comes now, with no writer, sees one of the two states, or is told of the journal.
  try {
    const late = openReader(world.sqlite3, world);
    const rows = rowsOf(late);
    if (rows !== 'lost') expect([expected.before, expected.after]).to.deep.include(rows);
    late.close();
  } catch (error) {
    expect(error).to.have.property('code', 'UNSUPPORTED');
  }
  const next = openWriter(world.sqlite3, world);
  expect(next.db.selectValue('PRAGMA integrity_check')).to.equal('ok');
  const rows = next.db.selectArrays(EVERYTHING);
  expect([expected.before, expected.after]).to.deep.include(rows);
  expect(rows).to.deep.equal(rowsInFile(world));
  const stayed = rowsOf(reader);
  if (stayed !== 'lost') expect(stayed).to.deep.equal(expected.before);
  reader.refresh();
  expect(reader.snapshot.lsn).to.equal(next.lsn);
  expect(reader.db.selectArrays(EVERYTHING)).to.deep.equal(rows);
  transfer(next.db, 2);
  expect(reader.refresh()).to.equal(true);
  expect(reader.db.selectArrays(EVERYTHING)).to.deep.equal(next.db.selectArrays(EVERYTHING));
  expect(reader.db.selectValue('PRAGMA integrity_check')).to.equal('ok');
  expect(sumOf(reader.db)).to.equal(40_000);
  next.close();
  return `${seen === 'lost' ? 'lost' : 'kept'} ${stayed === 'lost' ? 'lost' : 'kept'}`;
}

describe('a writer that dies', () => {
  before(async () => {
    const cache = new SharedCache(await makePool());
    watch(SharedCache.prototype, ['set']);
    watch(Object.getPrototypeOf(cache.pages('any', { pageSize: 512 })), ['put', 'invalidate']);
  });

  for (const [name, script] of Object.entries(scripts)) {
    it(`at any call of the file system or the pool, with ${name}, leaves a database, readers as they are, and a next writer`, async () => {
      const { stride = 1 } = script;
      const world = await makeWorld({}, '/dev/shm');
      const images = await imagesOf(script, world);
      const outcomes = new Map<string, number>();
      for (let at = 0, deaths = 0; ; at += stride) {
        copyFileSync(images.path, world.file);
        const reader = openReader(world.sqlite3, world);
        // Half of the pages are known to the pool by now.
        reader.db.selectArrays('SELECT * FROM account WHERE id < 200');
        const isDead = await runAndDie(world, script, at);
        if (isDead) {
          deaths++;
          const outcome = await judge(world, reader, images);
          outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
        }
        reader.close();
        if (isDead) continue;
        expect(deaths).to.be.greaterThan(5);
        // Nothing of these sizes has to be given up.
        expect([...outcomes.keys()]).to.deep.equal(['kept kept']);
        return;
      }
    });
  }
});

describe('a writer that is killed at work', () => {
  it('by kill -9, some times, leaves a database, a reader that goes on, and its role', async () => {
    const { file, folder, pool, reader, sqlite3 } = await makeWorld({}, '/dev/shm');
    {
      using first = openWriter(sqlite3, { file, pool });
      first.db.exec(SCHEMA);
    }
    const reading = await reader();
    reading.db.exec('PRAGMA cache_size = 3');
    for (let round = 0; round < 3; round++) {
      const other = new Engine(pool.path, file);
      await other.call('writer');
      const before = await other.call('lsn');
      void other.call('transfers', '100000').catch(() => {});
      for (let looks = 0; looks < 5 + round; ) {
        await new Promise((resolve) => setTimeout(resolve, 3));
        if (reading.refresh()) looks++;
        expect(reading.snapshot.lsn).to.be.at.least(before as number);
        expectSum(reading);
      }
      await other.kill();
      if (STOCK !== undefined) {
        expect(judgeByStock(file, folder, 'SELECT sum(balance) FROM account')).to.equal('ok\n40000');
      }
      const { lsn } = reading.snapshot;
      expectSum(reading);
      using next = openWriter(sqlite3, { file, pool });
      expect(sumOf(next.db)).to.equal(40_000);
      expect(next.lsn).to.be.at.least(lsn);
      reading.refresh();
      expect(reading.db.selectArrays(EVERYTHING)).to.deep.equal(next.db.selectArrays(EVERYTHING));
    }
    expect(reading.db.selectValue('PRAGMA integrity_check')).to.equal('ok');
  });
});

/** The file before the script, and the rows before and after one that nothing happens to. */
async function imagesOf(script: Script, world: World): Promise<Images> {
  const writer = await world.writer();
  writer.db.exec(`${script.prepare ?? ''}; ${SCHEMA} ${script.later ?? ''}`);
  const before = writer.db.selectArrays(EVERYTHING);
  const path = `${world.file}.before`;
  copyFileSync(world.file, path);
  writer.db.exec(script.settings ?? 'SELECT 1');
  script.run(writer);
  const after = writer.db.selectArrays(EVERYTHING);
  writer.close();
  rmSync(`${world.file}-journal`, { force: true });
  return { path, before, after };
}
