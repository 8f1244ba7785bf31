/**
 * One script asked of three connections: the engine alone, in memory; the writer of a live database over a pool; and a reader of
 * it, on another node, which goes to the newest snapshot before each query.
 *
 * (A1) the reader is asked whatever its connection can know: not within a transaction of the writer, not of temporary tables, not
 *      what a query would change, nor what is of a connection (`changes()`, pragmas).
 * (A2) the reader has to be at the writer's LSN by a refresh: else a reader that stays behind would be taken for right wherever
 *      nothing changed.
 */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Database, Sqlite3Static } from '@sqlite.org/sqlite-wasm';
import { openReader, openWriter, type Reader, type Writer } from '../../adapters/sqlite/index.js';
import { ownFolder, ownName } from '../../lib/linux/index.js';
import { connect, type Pool } from '../../src/index.js';
import { type Answer, Asker } from './answers.js';
import type { LogicRecord, Query } from './script.js';

const FOLDER = '/dev/shm';
const POOL_SIZE = '32MiB';
/** Both small, so that pages come through the adapter again and again, and transactions reach the file before their commit. */
const CACHE_PAGES = 10;
const OVERLAY_BYTES_MAX = 50_000;
const OF_A_CONNECTION = /\b(?:changes|total_changes|last_insert_rowid|random|randomblob|pragma)\b/i;

export interface Answers {
  readonly plain: Answer;
  /** What differs from it, in words. */
  readonly differences: readonly string[];
  readonly isReaderAsked: boolean;
}

export class Arms {
  readonly plain: Database;
  readonly writer: Writer;
  readonly reader: Reader;
  private readonly sqlite3: Sqlite3Static;
  private readonly asker: Asker;
  private readonly nodes: readonly Pool[];
  private readonly folder: string;

  private constructor(sqlite3: Sqlite3Static, nodes: readonly [Pool, Pool], folder: string) {
    const file = join(folder, 'logic.db');
    this.sqlite3 = sqlite3;
    this.nodes = nodes;
    this.folder = folder;
    this.plain = new sqlite3.oo1.DB(':memory:');
    this.writer = openWriter(sqlite3, { file, pool: nodes[0], overlayBytesMax: OVERLAY_BYTES_MAX });
    this.reader = openReader(sqlite3, { file, pool: nodes[1] });
    this.asker = new Asker(sqlite3);
    for (const db of [this.writer.db, this.reader.db]) db.exec(`PRAGMA cache_size = ${CACHE_PAGES}`);
  }

  static async open(sqlite3: Sqlite3Static): Promise<Arms> {
    const folder = ownFolder(FOLDER, 'logic');
    const pool = join(FOLDER, ownName('logic-pool'));
    const first = await connect(pool, { create: { size: POOL_SIZE, pageSize: 4096 } });
    return new Arms(sqlite3, [first, await connect(pool)], folder);
  }

  ask(record: LogicRecord): Answers {
    const { asker, writer, reader } = this;
    const plain = asker.ask(this.plain, record);
    const differences: string[] = [];
    const compare = (who: string, answer: Answer, cause: unknown) => {
      if (answer.error === plain.error && answer.exact === plain.exact) return;
      const told = (one: Answer) =>
        one.error ??
        `[${one.values.slice(0, 20).join(' ')}]${one.endedBy === undefined ? '' : `, then ${one.endedBy}`}`;
      const hasFailed = (answer.error ?? answer.endedBy) !== undefined && cause !== undefined;
      const why = hasFailed ? ` (${String(cause)})` : '';
      differences.push(`${who}: ${told(answer)}${why}, but the engine alone: ${told(plain)}`);
    };
    const isReaderAsked = record.kind === 'query' && this.isForReader(record);
    compare('the writer', asker.ask(writer.db, record), writer.lastError);
    if (isReaderAsked) {
      reader.refresh();
      if (reader.snapshot.lsn !== writer.lsn) {
        differences.push(`the reader is at ${reader.snapshot.lsn} after a refresh, the writer at ${writer.lsn}`);
      }
      compare('the reader', asker.ask(reader.db, record), reader.lastError);
    }
    return { plain, differences, isReaderAsked };
  }

  /** (A1) */
  private isForReader(query: Query): boolean {
    const { capi } = this.sqlite3;
    const { db } = this.writer;
    if (capi.sqlite3_get_autocommit(db.pointer as never) === 0 || OF_A_CONNECTION.test(query.sql)) return false;
    return db.selectValue('SELECT count(*) FROM temp.sqlite_schema') === 0 && this.asker.isReadOnly(db, query);
  }

  /** Tables whose rows are not what the engine alone has, and what integrity_check has to say; empty where all is well. */
  compareAll(): string[] {
    const wrong: string[] = [];
    const { plain, writer, reader } = this;
    for (const db of [plain, writer.db]) if (this.isInTransaction(db)) db.exec('ROLLBACK');
    reader.refresh();
    const tables = plain.selectValues("SELECT name FROM sqlite_schema WHERE type = 'table'") as string[];
    for (const [who, db] of Object.entries({ writer: writer.db, reader: reader.db })) {
      const verdict = db.selectValue('PRAGMA integrity_check');
      if (verdict !== 'ok') wrong.push(`integrity_check of the ${who}: ${verdict}`);
      for (const name of ['sqlite_schema', ...tables]) {
        const sql = `SELECT * FROM main."${name.replaceAll('"', '""')}"`;
        if (JSON.stringify(rowsOf(db, sql)) === JSON.stringify(rowsOf(plain, sql))) continue;
        wrong.push(`${name} of the ${who} has other rows than the engine alone`);
      }
    }
    return wrong;
  }

  private isInTransaction(db: Database): boolean {
    return this.sqlite3.capi.sqlite3_get_autocommit(db.pointer as never) === 0;
  }

  async close(): Promise<void> {
    const { path } = this.nodes[0] as Pool;
    this.asker.close();
    this.reader.close();
    this.writer.close();
    this.plain.close();
    for (const node of this.nodes) await node.disconnect();
    rmSync(path, { force: true });
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** Values as text and type, as a row may have long integers and bytes; or why there are none. */
function rowsOf(db: Database, sql: string): unknown {
  try {
    return db.selectArrays(sql).map((row) => row.map((value) => [typeof value, String(value)]));
  } catch (error) {
    return String(error);
  }
}
