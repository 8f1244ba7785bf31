/** The traces of the benchmark `policy` that are made here: ids of pages, in the order in which they were asked for. */
import { rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Database, Sqlite3Static } from '@sqlite.org/sqlite-wasm';
import { loadEngine } from '../adapters/compare/sqlite/engine.js';
import { openReadOnly, openStorage, type PageSource, uncachedPageSource } from '../adapters/sqlite-wasm/index.js';
import { ownFolder } from '../lib/linux/index.js';
import { Random } from './random.js';

export interface MadeTrace {
  readonly name: string;
  readonly ids: Uint32Array;
}

const PAGE_SIZE = 1024;
const NAMES = 4096;

/** Notes which pages the engine asks for. */
class RecordingSource implements PageSource {
  readonly pageSize: number;
  readonly fileSize: number;
  readonly pages: number[] = [];
  private readonly source: PageSource;

  constructor(source: PageSource) {
    this.source = source;
    this.pageSize = source.pageSize;
    this.fileSize = source.fileSize;
  }

  read(pageNo: number, target: Uint8Array): boolean {
    this.pages.push(pageNo);
    return this.source.read(pageNo, target);
  }
}

/** Small numbers much more often than large ones. */
function skewed(random: Random, limit: number): number {
  return Math.floor((random.next() / 2 ** 32) ** 3 * limit);
}

function makeDatabase(sqlite3: Sqlite3Static, rows: number, random: Random): Uint8Array {
  const database = new sqlite3.oo1.DB(':memory:');
  try {
    database.exec(
      `PRAGMA page_size = ${PAGE_SIZE}; CREATE TABLE item (id INTEGER PRIMARY KEY, name TEXT, at INTEGER);`,
    );
    database.exec('BEGIN');
    const statement = database.prepare('INSERT INTO item VALUES (?, ?, ?)');
    for (let id = 0; id < rows; id++) {
      const name = `name ${String(random.below(NAMES)).padStart(24, '0')} ${id % 97}`;
      statement.bind([id, name, random.below(2 ** 30)]).stepReset();
    }
    statement.finalize();
    database.exec('COMMIT; CREATE INDEX by_name ON item (name, at); CREATE INDEX by_time ON item (at, name);');
    return sqlite3.capi.sqlite3_js_db_export(database);
  } finally {
    database.close();
  }
}

/** Descents and short ranges, all within the two indexes. */
function ask(database: Database, queries: number, rows: number, random: Random): void {
  const byName = database.prepare('SELECT at FROM item INDEXED BY by_name WHERE name >= ? LIMIT 8');
  const byTime = database.prepare('SELECT name FROM item INDEXED BY by_time WHERE at >= ? LIMIT 40');
  try {
    for (let query = 0; query < queries; query++) {
      const isByName = random.below(8) !== 0;
      // Names are hot by their place in the index; times are those after one that moves on.
      const name = `name ${String((skewed(random, NAMES) * 1021) % NAMES).padStart(24, '0')} ${random.below(97)}`;
      const time = ((query / queries) * 0.8 + (random.next() / 2 ** 32) * 0.1) * 2 ** 30;
      const statement = isByName ? byName.bind([name]) : byTime.bind([Math.floor(time)]);
      while (statement.step());
      statement.reset();
      if (query % 4096 === 4095)
        database.selectValue(`SELECT count(*) FROM item INDEXED BY by_time WHERE at < ${2 ** 27}`);
    }
  } finally {
    byName.finalize();
    byTime.finalize();
  }
  if (rows < 1) throw new Error('There is no row.');
}

/** What SQLite asks of its pages of two indexes, by the adapter's page numbers; of its own it keeps 8 pages. */
export async function btreeTrace(seed: number, rows: number, queries: number): Promise<MadeTrace> {
  const sqlite3 = await loadEngine();
  const folder = ownFolder(tmpdir(), 'policy');
  try {
    const file = join(folder, 'indexes.db');
    writeFileSync(file, makeDatabase(sqlite3, rows, new Random(seed)));
    using storage = openStorage(file, { direct: false });
    const source = new RecordingSource(uncachedPageSource(storage, { pageSize: PAGE_SIZE }));
    const database = openReadOnly(sqlite3, { file, pageSource: source });
    database.exec('PRAGMA cache_size = 8');
    source.pages.length = 0;
    ask(database, queries, rows, new Random(seed + 1));
    database.close();
    return { name: 'sqlite-indexes', ids: dense(source.pages) };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function dense(pages: readonly number[]): Uint32Array {
  const ids = new Map<number, number>();
  return Uint32Array.from(pages, (page) => {
    const id = ids.get(page) ?? ids.size;
    ids.set(page, id);
    return id;
  });
}

/** A third of the requests are for new pages, the others for one of the last 4,000, most of them of the latest. */
export function recencyTrace(seed: number, requests: number): MadeTrace {
  const random = new Random(seed);
  const ids = new Uint32Array(requests);
  let pages = 0;
  for (let request = 0; request < requests; request++) {
    const isNew = request < 100 || random.below(3) === 0;
    const back = Math.floor(Math.min(request - 1, 4000) * (random.next() / 2 ** 32) ** 2);
    ids[request] = isNew ? pages++ : ids[request - 1 - back]!;
  }
  return { name: 'recency', ids };
}
