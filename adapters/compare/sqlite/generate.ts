/**
 * Makes the CH-benCHmark-derived database inside the engine's memory and hands out the bytes of its file. The same
 * seed, scale and engine version give the same bytes.
 */
import type { Database, Sqlite3Static } from '@sqlite.org/sqlite-wasm';
import { Random } from './random.js';
import { type Table, tables } from './rows.js';
import { cardinality, indexes, schema } from './schema.js';

/** Changes whenever the rows or the schema do: it is part of the key under which files are kept. */
export const GENERATOR_VERSION = 2;
export const PAGE_SIZE = 8192;
/** 'chbd' in the header's application id: a file of ours. */
export const APPLICATION_ID = 0x63686264;

export interface GenerateOptions {
  readonly seed: number;
  readonly scale: number;
  /** Kept in the header's user version, a positive 31-bit integer. Default 0. */
  readonly fingerprint?: number;
  readonly progress?: (fraction: number, text: string) => void;
}

const TABLE_COUNT = 12;

export function generate(sqlite3: Sqlite3Static, options: GenerateOptions): Uint8Array {
  const database = new sqlite3.oo1.DB(':memory:');
  try {
    database.exec(`PRAGMA page_size = ${PAGE_SIZE}; PRAGMA application_id = ${APPLICATION_ID};`);
    database.exec(`PRAGMA user_version = ${options.fingerprint ?? 0}; ${schema}`);
    database.exec('BEGIN');
    let done = 0;
    for (const table of tables(new Random(options.seed), cardinality(options.scale))) {
      options.progress?.(done / TABLE_COUNT, `rows of ${table.name}`);
      insert(database, table);
      done += 1;
    }
    database.exec(`COMMIT; ${indexes} ANALYZE;`);
    return sqlite3.capi.sqlite3_js_db_export(database);
  } finally {
    database.close();
  }
}

function insert(database: Database, table: Table): void {
  const marks = Array.from({ length: table.columnCount }, () => '?').join(', ');
  const statement = database.prepare(`INSERT INTO ${table.name} VALUES (${marks})`);
  try {
    for (const row of table.rows) statement.bind(row as (string | number | null)[]).stepReset();
  } finally {
    statement.finalize();
  }
}
