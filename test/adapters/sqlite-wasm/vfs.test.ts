import { renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import initialise, { type Database, type Sqlite3Static } from '@sqlite.org/sqlite-wasm';
import { expect } from 'chai';
import { generate, PAGE_SIZE } from '../../../adapters/compare/sqlite/generate.js';
import { queries } from '../../../adapters/compare/sqlite/queries.js';
import { cardinality } from '../../../adapters/compare/sqlite/schema.js';
import {
  lruPageSource,
  openReadOnly,
  openStorage,
  type PageSource,
  poolPageSource,
  type Storage,
  uncachedPageSource,
} from '../../../adapters/sqlite-wasm/index.js';
import { ownFolder } from '../../../lib/linux/index.js';
import type { PageSpace } from '../../../src/cache/index.js';
import { PoolError } from '../../../src/index.js';

const SCALE = 0.004;

/** As much of a page space as a page source uses: remembers everything. */
function spaceInMemory(pageSize: number): PageSpace {
  const pages = new Map<number, Uint8Array>();
  const readThrough: PageSpace['readThrough'] = (pageNo, target, load) => {
    const known = pages.get(pageNo);
    if (known === undefined) load(pageNo, target, { asOf: undefined });
    else target.set(known);
    pages.set(pageNo, target.slice());
    return known !== undefined;
  };
  return { pageSize, readThrough } as PageSpace;
}

type MakeSource = (storage: Storage) => PageSource;
const sources: Record<string, MakeSource> = {
  'no cache': (storage) => uncachedPageSource(storage, { pageSize: PAGE_SIZE }),
  'no cache, half pages': (storage) => uncachedPageSource(storage, { pageSize: PAGE_SIZE / 2 }),
  'no cache, pages of an odd size': (storage) => uncachedPageSource(storage, { pageSize: 10_007 }),
  'a private cache of 3 pages': (storage) => lruPageSource(storage, { pageSize: PAGE_SIZE, pagesMax: 3 }),
  'a private cache of all pages': (storage) => lruPageSource(storage, { pageSize: PAGE_SIZE, pagesMax: 1000 }),
  'a page space': (storage) => poolPageSource(spaceInMemory(PAGE_SIZE), storage),
};

/** Calls the file system's own xRead on the database's open file. */
function readRaw(sqlite3: Sqlite3Static, database: Database, count: number, offset: number) {
  const { capi, wasm } = sqlite3;
  const target = wasm.alloc(count);
  const slot = wasm.alloc(8);
  wasm.heap8u().fill(0xee, target, target + count);
  capi.sqlite3_file_control(database.pointer!, 'main', capi.SQLITE_FCNTL_FILE_POINTER, slot);
  const file = wasm.peekPtr(slot) as number;
  const { $pMethods } = new capi.sqlite3_file(file);
  const methods = new capi.sqlite3_io_methods($pMethods) as unknown as { $xRead: number };
  const read = wasm.functionEntry(methods.$xRead) as (file: number, target: number, n: number, at: bigint) => number;
  const code = read(file, target, count, BigInt(offset));
  const bytes = wasm.heap8u().slice(target, target + count);
  wasm.dealloc(target);
  wasm.dealloc(slot);
  return { code, bytes };
}

describe('the read-only file system', () => {
  let sqlite3: Sqlite3Static;
  let folder: string;
  let file: string;
  let bytes: Uint8Array;
  const all = queries(cardinality(SCALE));

  before(async () => {
    sqlite3 = await initialise();
    folder = ownFolder(tmpdir(), 'test');
    file = join(folder, 'ch?.db');
    bytes = generate(sqlite3, { seed: 7, scale: SCALE });
    writeFileSync(file, bytes);
  });
  after(() => rmSync(folder, { recursive: true }));

  /** The same file deserialised into the engine's memory: no file system of ours in the way. */
  function openPlain(): Database {
    const { capi, wasm } = sqlite3;
    const database = new sqlite3.oo1.DB(':memory:');
    const image = wasm.allocFromTypedArray(bytes);
    const flags = capi.SQLITE_DESERIALIZE_FREEONCLOSE;
    expect(capi.sqlite3_deserialize(database.pointer!, 'main', image, bytes.length, bytes.length, flags)).to.equal(0);
    return database;
  }

  for (const [name, makeSource] of Object.entries(sources)) {
    it(`answers all 22 queries as a plain read does, over ${name}`, () => {
      using storage = openStorage(file, { direct: true });
      const plain = openPlain();
      const served = openReadOnly(sqlite3, { file, pageSource: makeSource(storage) });
      served.exec('PRAGMA cache_size = 10');
      let rowCount = 0;
      for (const { number, sql } of all) {
        const expected = plain.selectArrays(sql);
        expect(served.selectArrays(sql), `query ${number}`).to.deep.equal(expected);
        rowCount += expected.length;
      }
      expect(rowCount).to.be.greaterThan(200);
      expect(served.selectValue('PRAGMA integrity_check')).to.equal('ok');
      served.close();
      plain.close();
    });
  }

  it('a read of any part of the file gives just those bytes', () => {
    using storage = openStorage(file, { direct: true });
    const database = openReadOnly(sqlite3, { file, pageSource: sources['a private cache of 3 pages']!(storage) });
    const ranges = [
      [16, 24],
      [100, 0],
      [PAGE_SIZE, PAGE_SIZE],
      [PAGE_SIZE, PAGE_SIZE + 1],
      [3 * PAGE_SIZE, 5],
      [1, bytes.length - 1],
    ] as const;
    for (const [count, offset] of ranges) {
      const read = readRaw(sqlite3, database, count, offset);
      expect(read.code).to.equal(0);
      expect(Buffer.compare(read.bytes, bytes.subarray(offset, offset + count)), `${count} at ${offset}`).to.equal(0);
    }
    database.close();
  });

  it('a read past the end gives what there is, then zeroes, and says that it is short', () => {
    using storage = openStorage(file, { direct: true });
    const database = openReadOnly(sqlite3, { file, pageSource: sources['no cache']!(storage) });
    const short = sqlite3.capi.SQLITE_IOERR_SHORT_READ;
    const half = readRaw(sqlite3, database, 100, bytes.length - 40);
    expect(half.code).to.equal(short);
    expect([...half.bytes]).to.deep.equal([...bytes.subarray(-40), ...new Uint8Array(60)]);
    for (const offset of [bytes.length, bytes.length + 3 * PAGE_SIZE]) {
      const past = readRaw(sqlite3, database, PAGE_SIZE, offset);
      expect(past.code).to.equal(short);
      expect(past.bytes.every((byte) => byte === 0)).to.equal(true);
    }
    database.close();
  });

  it('a heap that grows between two reads is written where it is now', () => {
    using storage = openStorage(file, { direct: true });
    const database = openReadOnly(sqlite3, { file, pageSource: sources['no cache']!(storage) });
    database.exec('PRAGMA cache_size = 10');
    const { sql } = all[0]!;
    const before = database.selectArrays(sql);
    const heap = sqlite3.wasm.heap8u();
    sqlite3.wasm.dealloc(sqlite3.wasm.alloc(heap.length + 1));
    expect(heap.length, 'the old heap is detached').to.equal(0);
    expect(database.selectArrays(sql)).to.deep.equal(before);
    database.close();
  });

  it("tells the engine's own time, and has shared memory for nobody", () => {
    using storage = openStorage(file, { direct: true });
    const database = openReadOnly(sqlite3, { file, pageSource: sources['no cache']!(storage) });
    const before = Math.floor(Date.now() / 1_000);
    expect(database.selectValue("SELECT unixepoch('now')")).to.be.within(before, Date.now() / 1_000);
    const { capi, wasm } = sqlite3;
    const slot = wasm.alloc(8);
    capi.sqlite3_file_control(database.pointer!, 'main', capi.SQLITE_FCNTL_FILE_POINTER, slot);
    const { $pMethods } = new capi.sqlite3_file(wasm.peekPtr(slot) as number);
    expect(new capi.sqlite3_io_methods($pMethods)).to.have.property('$iVersion', 1);
    wasm.dealloc(slot);
    database.close();
  });

  it('writing is refused', () => {
    using storage = openStorage(file, { direct: true });
    const database = openReadOnly(sqlite3, { file, pageSource: sources['no cache']!(storage) });
    expect(() => database.exec('DELETE FROM region')).to.throw(/readonly/);
    database.close();
  });

  it('two connections with the same name read their own files', () => {
    const other = join(folder, 'other.db');
    writeFileSync(other, generate(sqlite3, { seed: 8, scale: SCALE }));
    using storage = openStorage(file, { direct: true });
    using otherStorage = openStorage(other, { direct: true });
    const make = sources['no cache']!;
    const first = openReadOnly(sqlite3, { file, pageSource: make(storage), name: 'db' });
    const second = openReadOnly(sqlite3, { file: other, pageSource: make(otherStorage), name: 'db' });
    const sql = 'SELECT r_comment FROM region';
    expect(first.selectArrays(sql)).to.not.deep.equal(second.selectArrays(sql));
    const expected = second.selectArrays(sql);
    first.close();
    const again = new sqlite3.oo1.DB({ filename: second.filename, flags: 'r', vfs: 'sealpool-readonly' });
    expect(again.selectArrays(sql)).to.deep.equal(expected);
    again.close();
    second.close();
  });

  it('a file that takes the place of another, or was written to, is not served from the pages of the one before', () => {
    const path = join(folder, 'daily.db');
    const space = spaceInMemory(PAGE_SIZE);
    const comments = () => {
      using storage = openStorage(path, { direct: false });
      const database = openReadOnly(sqlite3, { file: path, pageSource: poolPageSource(space, storage) });
      try {
        return { rows: database.selectArrays('SELECT r_comment FROM region'), reads: storage.readCount };
      } finally {
        database.close();
      }
    };
    writeFileSync(path, bytes);
    const first = comments();
    expect(first.reads).to.be.greaterThan(0);
    expect(comments()).to.deep.equal({ rows: first.rows, reads: 0 });
    const other = generate(sqlite3, { seed: 9, scale: SCALE });
    writeFileSync(`${path}.new`, other);
    renameSync(`${path}.new`, path);
    const second = comments();
    expect(second.rows).to.not.deep.equal(first.rows);
    writeFileSync(path, generate(sqlite3, { seed: 10, scale: SCALE }));
    expect(comments().rows).to.not.deep.equal(second.rows);
  });

  for (const [suffix, content, isRefused] of [
    ['-wal', new Uint8Array(32 + 24 + PAGE_SIZE).fill(1), true],
    ['-wal', new Uint8Array(32).fill(1), false],
    ['-wal', new Uint8Array(0), false],
    ['-journal', new Uint8Array(600).fill(0xd9), true],
    ['-journal', new Uint8Array(600), false],
    ['-journal', new Uint8Array(0), false],
  ] as const) {
    const named = `${content.length} bytes that begin with ${content[0]} in a ${suffix}`;
    it(`${isRefused ? 'refuses' : 'serves'} a file with ${named} beside it`, () => {
      const path = join(folder, `beside${suffix}${content.length}${content[0]}.db`);
      writeFileSync(path, bytes);
      writeFileSync(`${path}${suffix}`, content);
      using storage = openStorage(path, { direct: false });
      const open = () => openReadOnly(sqlite3, { file: path, pageSource: sources['no cache']!(storage) }).close();
      if (isRefused) expect(open).to.throw(PoolError, `${path}${suffix} has`).with.property('code', 'UNSUPPORTED');
      else open();
    });
  }

  it('a closed connection cannot be opened again by its name', () => {
    using storage = openStorage(file, { direct: true });
    const database = openReadOnly(sqlite3, { file, pageSource: sources['no cache']!(storage) });
    const { filename } = database;
    database.close();
    expect(() => new sqlite3.oo1.DB({ filename, flags: 'r', vfs: 'sealpool-readonly' })).to.throw(/unable to open/);
  });

  it('an error of the source is an I/O error of the query, and the cause of a failed open', () => {
    using storage = openStorage(file, { direct: true });
    const inner = sources['no cache']!(storage);
    let broken = true;
    const source: PageSource = {
      ...inner,
      read: (pageNo, target) => {
        if (broken) throw new Error('the cable is out');
        return inner.read(pageNo, target);
      },
    };
    expect(() => openReadOnly(sqlite3, { file, pageSource: source })).to.throw('the cable is out');
    broken = false;
    const database = openReadOnly(sqlite3, { file, pageSource: source });
    database.exec('PRAGMA cache_size = 10');
    broken = true;
    expect(() => database.selectArrays('SELECT * FROM stock')).to.throw(/IOERR|disk I\/O/);
    broken = false;
    expect(database.selectValue('SELECT count(*) FROM region')).to.equal(5);
    database.close();
  });

  it('a source of another length is refused', () => {
    using storage = openStorage(file, { direct: true });
    const pageSource = { ...sources['no cache']!(storage), fileSize: storage.size - PAGE_SIZE };
    expect(() => openReadOnly(sqlite3, { file, pageSource }))
      .to.throw()
      .with.property('code', 'OPTION_INVALID');
  });
});

describe('page sources', () => {
  const pageCount = 10;
  let loads: number[];
  const storage = {
    size: pageCount * 512 + 100,
    read(offset: number, target: Uint8Array) {
      loads.push(offset / 512);
      const count = Math.min(target.length, this.size - offset);
      target.fill(offset / 512 + 1, 0, count);
      return count;
    },
  } as Storage;
  beforeEach(() => {
    loads = [];
  });

  it('a private cache keeps the pages used last, and only as many as it may', () => {
    const source = lruPageSource(storage, { pageSize: 512, pagesMax: 3 });
    const target = new Uint8Array(512);
    const hits = [0, 1, 2, 0, 3, 1, 0].map((pageNo) => {
      const hit = source.read(pageNo, target);
      expect(
        target.every((byte) => byte === pageNo + 1),
        `page ${pageNo}`,
      ).to.equal(true);
      return hit;
    });
    expect(hits).to.deep.equal([false, false, false, true, false, false, true]);
    expect(loads).to.deep.equal([0, 1, 2, 3, 1]);
  });

  it('what lies past the end of the file in its last page is zero, cached or not', () => {
    for (const source of [
      uncachedPageSource(storage, { pageSize: 512 }),
      lruPageSource(storage, { pageSize: 512, pagesMax: 1 }),
    ]) {
      for (let time = 0; time < 2; time += 1) {
        const target = new Uint8Array(512).fill(0xee);
        source.read(pageCount, target);
        expect(target.subarray(0, 100).every((byte) => byte === pageCount + 1)).to.equal(true);
        expect(target.subarray(100).every((byte) => byte === 0)).to.equal(true);
      }
    }
  });
});
