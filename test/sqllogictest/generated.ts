/**
 * Records by chance, from a seed: schemas that change, rows of all kinds and sizes, transactions, searches, joins. What they answer is
 * not known; that it is what the engine alone answers is what is asked. Every query is right by itself; a statement may fail.
 */
import { Chance } from '../support/chance.js';
import type { LogicRecord, Query, Statement } from './script.js';

interface Table {
  readonly name: string;
  readonly columns: readonly string[];
  readonly indexes: readonly string[];
}

const TABLES_MAX = 6;
const COLUMNS_MAX = 8;
const WORDS = ['pool', 'page', 'seal', 'commit', 'reader', 'snapshot', 'journal', 'Ärger', 'naïve', 'x'];

type Made = Omit<Statement, 'line'> | Omit<Query, 'line'>;

export function* generatedRecords(seed: number, count: number): Generator<LogicRecord> {
  const generator = new RecordGenerator(new Chance(seed));
  for (let line = 1; line <= count; line++) yield { ...generator.next(line), line };
}

class RecordGenerator {
  private readonly chance: Chance;
  private tables: Table[] = [];
  /** As they were when the transaction that is open began. */
  private before: Table[] | undefined;
  private made = 0;

  constructor(chance: Chance) {
    this.chance = chance;
  }

  next(line: number): Made {
    if (line === 1) return this.statement('CREATE VIRTUAL TABLE texts USING fts5(body)');
    if (line === 2) return this.statement('CREATE VIRTUAL TABLE boxes USING rtree(id, x0, x1, y0, y1)');
    if (this.tables.length === 0) return this.createTable();
    if (this.before !== undefined && this.chance.below(8) === 0) return this.endTransaction();
    return this.chance.below(5) < 2 ? this.statementByChance() : this.queryByChance();
  }

  private statement(sql: string): Made {
    return { kind: 'statement', sql, expects: 'either' };
  }

  private query(types: string, sql: string, sort: Query['sort'] = 'rowsort'): Made {
    return { kind: 'query', sql, types, sort, label: undefined, expected: undefined, hashThreshold: 0 };
  }

  private table(): Table {
    return this.chance.pick(this.tables);
  }

  private column(table: Table): string {
    return this.chance.pick(table.columns);
  }

  private replace(table: Table, changes: Partial<Table>): void {
    this.tables = this.tables.map((other) => (other === table ? { ...table, ...changes } : other));
  }

  private name(kind: string): string {
    return `${kind}${this.made++}`;
  }

  private value(): string {
    const { chance } = this;
    const word = chance.pick(WORDS);
    const kinds = [
      'NULL',
      String(chance.below(50)),
      String(chance.below(50)),
      String(chance.word() * 4_000_000_000),
      (chance.fraction() * 1000 - 500).toFixed(3),
      `'${word}'`,
      `'${word} ${chance.below(30)}'`,
      "''",
      `x'${chance
        .below(2 ** 30)
        .toString(16)
        .padStart(8, '0')}'`,
      `printf('%.*c', ${chance.below(300)}, '${word[0]}')`,
    ];
    // Now and then one that lies in pages of its own.
    return chance.below(40) === 0 ? `printf('%.*c', ${chance.below(20_000)}, 'z')` : chance.pick(kinds);
  }

  private condition(table: Table, prefix = ''): string {
    const column = prefix + this.column(table);
    const kinds = [
      `${column} < ${this.value()}`,
      `${column} = ${this.value()}`,
      `${column} IS NOT NULL`,
      `${column} BETWEEN 5 AND ${5 + this.chance.below(30)}`,
      `${column} LIKE '%a%'`,
      `typeof(${column}) = 'text'`,
      `length(${column}) > ${this.chance.below(100)}`,
    ];
    return this.chance.pick(kinds);
  }

  private createTable(): Made {
    const { chance } = this;
    const name = this.name('t');
    const columns = Array.from({ length: 2 + chance.below(4) }, (_, index) => `c${index}`);
    this.tables = [...this.tables, { name, columns, indexes: [] }];
    const types = ['INTEGER', 'TEXT', 'REAL', 'BLOB', '', 'NUMERIC', 'TEXT COLLATE NOCASE'];
    const declared = columns.map((column) => `${column} ${chance.pick(types)}`);
    const kinds = ['id INTEGER PRIMARY KEY, ', 'id INTEGER PRIMARY KEY AUTOINCREMENT, ', ''];
    if (chance.below(4) > 0) return this.statement(`CREATE TABLE ${name}(${chance.pick(kinds)}${declared})`);
    return this.statement(`CREATE TABLE ${name}(id INTEGER PRIMARY KEY, ${declared}) WITHOUT ROWID`);
  }

  private rows(table: Table, count: number): string {
    const row = () => `(${table.columns.map(() => this.value())})`;
    return `INTO ${table.name}(${table.columns}) VALUES ${Array.from({ length: count }, row)}`;
  }

  private endTransaction(): Made {
    const isKept = this.chance.below(3) > 0;
    if (!isKept) this.tables = this.before as Table[];
    this.before = undefined;
    return this.statement(isKept ? 'COMMIT' : 'ROLLBACK');
  }

  private statementByChance(): Made {
    const kind = this.chance.below(20);
    if (kind < 8) return this.changeRows(this.table());
    if (kind < 11) return this.changeMany(this.table());
    if (kind < 14) return this.changeSchema(this.table());
    if (kind < 16) return this.changeSearch();
    return this.changeState();
  }

  private changeRows(table: Table): Made {
    const { chance } = this;
    const { name } = table;
    const kinds = [
      () => `INSERT ${this.rows(table, 1 + chance.below(8))}`,
      () => `INSERT ${this.rows(table, 1 + chance.below(40))}`,
      () => `INSERT OR IGNORE ${this.rows(table, 2)}`,
      () => `REPLACE ${this.rows(table, 2)}`,
      () => `UPDATE ${name} SET ${this.column(table)} = ${this.value()} WHERE ${this.condition(table)}`,
      () => `DELETE FROM ${name} WHERE ${this.condition(table)} AND ${this.condition(table)}`,
    ];
    return this.statement(chance.pick(kinds)());
  }

  private changeMany(table: Table): Made {
    const { name, columns } = table;
    const column = this.column(table);
    const other = this.table();
    const kinds = [
      `UPDATE ${name} SET ${column} = coalesce(${column}, '') || '.' WHERE length(${column}) < 200`,
      `INSERT INTO ${name}(${columns[0]}) SELECT ${this.column(other)} FROM ${other.name} LIMIT 50`,
      `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${this.chance.below(100)})
        INSERT INTO ${name}(${column}) SELECT i * 7 % 31 FROM n`,
      `DELETE FROM ${name} WHERE rowid IN (SELECT rowid FROM ${name} ORDER BY rowid LIMIT -1 OFFSET 300)`,
      `DELETE FROM ${name} WHERE ${column} IN (SELECT ${this.column(other)} FROM ${other.name} WHERE ${this.condition(other)})`,
    ];
    return this.statement(this.chance.pick(kinds));
  }

  private changeSchema(table: Table): Made {
    const { name, columns, indexes } = table;
    const kind = this.chance.below(8);
    if (kind < 2 && this.tables.length < TABLES_MAX) return this.createTable();
    if (kind === 2 && this.tables.length > 3) {
      this.tables = this.tables.filter((other) => other !== table);
      return this.statement(`DROP TABLE ${name}`);
    }
    if (kind === 3 && columns.length < COLUMNS_MAX) {
      const added = this.name('a');
      this.replace(table, { columns: [...columns, added] });
      return this.statement(`ALTER TABLE ${name} ADD COLUMN ${added} DEFAULT ${this.chance.below(9)}`);
    }
    if (kind === 4 && columns.length > 1) {
      const [renamed, to] = [this.column(table), this.name('r')];
      this.replace(table, { columns: columns.map((column) => (column === renamed ? to : column)) });
      return this.statement(`ALTER TABLE ${name} RENAME COLUMN ${renamed} TO ${to}`);
    }
    const [dropped] = indexes;
    if (kind === 5 && dropped !== undefined) {
      this.replace(table, { indexes: indexes.slice(1) });
      return this.statement(`DROP INDEX ${dropped}`);
    }
    const index = this.name('i');
    this.replace(table, { indexes: [...indexes, index] });
    return this.statement(`CREATE INDEX ${index} ON ${name}(${this.column(table)}, ${this.column(table)} DESC)`);
  }

  private changeSearch(): Made {
    const { chance } = this;
    const corner = () => chance.below(100);
    const [x, y] = [corner(), corner()];
    const kinds = [
      `INSERT INTO texts VALUES ('${chance.pick(WORDS)} ${chance.pick(WORDS)} ${chance.pick(WORDS)}')`,
      `DELETE FROM texts WHERE rowid % 7 = ${chance.below(7)}`,
      `INSERT INTO texts(texts) VALUES ('optimize')`,
      `REPLACE INTO boxes VALUES (${chance.below(80)}, ${x}, ${x + 9}, ${y}, ${y + 9})`,
      `DELETE FROM boxes WHERE x0 < ${chance.below(20)}`,
    ];
    return this.statement(chance.pick(kinds));
  }

  private changeState(): Made {
    if (this.before === undefined && this.chance.below(3) > 0) {
      this.before = this.tables;
      return this.statement('BEGIN');
    }
    const kinds = ['VACUUM', 'ANALYZE', 'REINDEX', 'SAVEPOINT s', 'RELEASE s', 'PRAGMA incremental_vacuum(3)'];
    // A savepoint outside a transaction begins one.
    return this.statement(this.before === undefined ? this.chance.pick(kinds.slice(0, 3)) : this.chance.pick(kinds));
  }

  private queryByChance(): Made {
    const [table, other] = [this.table(), this.table()];
    const [column, second] = [this.column(table), this.column(other)];
    const { name } = table;
    const number = this.chance.below(10);
    const kinds: (() => Made)[] = [
      () => this.query('T'.repeat(table.columns.length), `SELECT ${table.columns} FROM ${name}`),
      () => this.query('T', `SELECT ${column} FROM ${name} WHERE ${this.condition(table)} ORDER BY ${column}, 1`),
      () => this.query('TI', `SELECT ${column}, count(*) FROM ${name} GROUP BY ${column} HAVING count(*) > 1`),
      () =>
        this.query('IRRT', `SELECT count(*), total(${column}), avg(${column}), max(${column}) FROM ${name}`, 'nosort'),
      () => this.query('I', `SELECT count(*) FROM ${name} AS a JOIN ${other.name} AS b ON a.${column} = b.${second}`),
      () =>
        this.query(
          'TT',
          `SELECT a.${column}, b.${second} FROM ${name} AS a LEFT JOIN ${other.name} AS b
            ON a.${column} = b.${second} AND ${this.condition(other, 'b.')} ORDER BY 1, 2 LIMIT 40`,
        ),
      () => this.query('T', `SELECT ${column} FROM ${name} EXCEPT SELECT ${second} FROM ${other.name}`, 'valuesort'),
      () =>
        this.query('T', `SELECT ${column} FROM ${name} UNION SELECT ${second} FROM ${other.name} ORDER BY 1`, 'nosort'),
      () =>
        this.query(
          'TI',
          `SELECT ${column}, row_number() OVER (PARTITION BY typeof(${column}) ORDER BY ${column}) FROM ${name}
            WHERE ${this.condition(table)}`,
        ),
      () =>
        this.query(
          'T',
          `SELECT ${column} FROM ${name} AS a WHERE EXISTS (SELECT 1 FROM ${other.name} AS b
            WHERE b.${second} = a.${column} AND ${this.condition(other, 'b.')})`,
        ),
      () => this.query('TT', 'SELECT name, sql FROM sqlite_schema'),
      () =>
        this.query('IT', `SELECT rowid, body FROM texts('${this.chance.pick(WORDS)} OR pag*') ORDER BY rank, rowid`),
      () => this.query('IRR', `SELECT id, x0, y1 FROM boxes WHERE x0 >= ${number * 9} AND y1 < ${50 + number * 5}`),
      () => this.query('I', `SELECT sum(length(${column})) FROM ${name}`),
    ];
    return this.chance.pick(kinds)();
  }
}
