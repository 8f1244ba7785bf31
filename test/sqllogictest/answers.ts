/** What a connection answers to a record: as the script shows it, and exactly. */
import { createHash } from 'node:crypto';
import type { Database, PreparedStatement, Sqlite3Static } from '@sqlite.org/sqlite-wasm';
import type { LogicRecord, Query, Sort } from './script.js';

export interface Answer {
  /** Empty for a statement. */
  readonly values: readonly string[];
  /** Of every value with its type, in the order of the rows. */
  readonly exact: string;
  /** The engine's message. */
  readonly error: string | undefined;
  /** What ended a query's rows before their end: not an error, as in SQLite's own runner. */
  readonly endedBy?: string | undefined;
}

const messageOf = (error: unknown) => (error instanceof Error ? error.message : String(error));

export class Asker {
  private readonly sqlite3: Sqlite3Static;
  /** Reals are shown by the engine's own printf. */
  private readonly reals: PreparedStatement;
  private readonly memory: Database;

  constructor(sqlite3: Sqlite3Static) {
    this.sqlite3 = sqlite3;
    this.memory = new sqlite3.oo1.DB(':memory:');
    this.reals = this.memory.prepare("SELECT printf('%.3f', ?)");
  }

  ask(db: Database, record: LogicRecord): Answer {
    try {
      if (record.kind === 'query') return this.query(db, record);
      db.exec(record.sql);
      return { values: [], exact: '', error: undefined };
    } catch (error) {
      return { values: [], exact: '', error: messageOf(error) };
    }
  }

  /** Whether the record changes nothing, so that a reader may be asked. */
  isReadOnly(db: Database, { sql }: Query): boolean {
    try {
      const statement = db.prepare(sql);
      const isReadOnly = this.sqlite3.capi.sqlite3_stmt_readonly(statement.pointer as never) !== 0;
      statement.finalize();
      return isReadOnly;
    } catch {
      // It is to fail in the same way there.
      return true;
    }
  }

  private query(db: Database, { sql, types }: Query): Answer {
    const statement = db.prepare(sql);
    try {
      if (statement.columnCount !== types.length) {
        throw new Error(`${statement.columnCount} columns, but ${types.length} types`);
      }
      const values: string[] = [];
      const exact = createHash('md5');
      const endedBy = this.step(statement, () => {
        for (let column = 0; column < types.length; column++) {
          // An integer and a real come as the same type.
          const storage = this.sqlite3.capi.sqlite3_column_type(statement.pointer as never, column);
          exact.update(`${storage} ${exactly(statement.get(column))}\n`);
          values.push(this.shown(statement, column, types[column] as string));
        }
      });
      return { values, exact: exact.update(endedBy ?? '').digest('hex'), error: undefined, endedBy };
    } finally {
      statement.finalize();
    }
  }

  /** What ended the rows before their end. */
  private step(statement: PreparedStatement, onRow: () => void): string | undefined {
    try {
      while (statement.step()) onRow();
      return undefined;
    } catch (error) {
      return messageOf(error);
    }
  }

  private shown(statement: PreparedStatement, column: number, type: string): string {
    const { capi } = this.sqlite3;
    const pointer = statement.pointer as never;
    if (capi.sqlite3_column_type(pointer, column) === capi.SQLITE_NULL) return 'NULL';
    if (type === 'I') return String(capi.sqlite3_column_int(pointer, column));
    if (type === 'R') return this.real(capi.sqlite3_column_double(pointer, column));
    const text = (capi.sqlite3_column_text(pointer, column) ?? '').replace(/\0.*$/s, '');
    return text === ''
      ? '(empty)'
      : Buffer.from(text)
          .toString('latin1')
          .replaceAll(/[^ -~]/g, '@');
  }

  private real(value: number): string {
    const { reals } = this;
    // Not by bind, which takes a whole number for an integer, however large.
    this.sqlite3.capi.sqlite3_bind_double(reals.pointer as never, 1, value);
    reals.step();
    const shown = String(reals.get(0));
    reals.reset();
    return shown;
  }

  close(): void {
    this.reals.finalize();
    this.memory.close();
  }
}

function exactly(value: unknown): string {
  if (value instanceof Uint8Array) return Buffer.from(value).toString('hex');
  return Object.is(value, -0) ? '-0' : String(value);
}

const byBytes = (one: string, other: string) => (one < other ? -1 : Number(one > other));

/** Shown values are in ASCII: their order is that of their bytes. */
export function sorted(values: readonly string[], columns: number, sort: Sort): readonly string[] {
  if (sort === 'nosort') return values;
  if (sort === 'valuesort') return values.toSorted(byBytes);
  const rows = Array.from({ length: values.length / columns }, (_, row) =>
    values.slice(row * columns, (row + 1) * columns),
  );
  const byValues = (one: string[], other: string[]) =>
    one.map((value, column) => byBytes(value, other[column] as string)).find((order) => order !== 0) ?? 0;
  return rows.sort(byValues).flat();
}

export function hashOf(values: readonly string[]): string {
  const hash = createHash('md5');
  for (const value of values) hash.update(`${value}\n`);
  return hash.digest('hex');
}
