/**
 * rows: the reader of every format that is rows of fields: which of them are the id, the offset and the size, the number
 * of repetitions, the operation.
 */
import { RUN_MAX } from '../access-spool.js';
import { isText, PageKey } from '../page-key.js';
import type { ColumnSpec } from './column-spec.js';
import { Fields } from './fields.js';
import type { LineReader, ReadingContext } from './format.js';
import { PageRange } from './page-range.js';
import type { Table } from './table.js';

/** Each line of an open record splits it anew, so a stray quote must not run to the end of the file. */
const RECORD_LINES_MAX = 64;
const DELETE = /^"?(delete|del|remove|unlink|invalidate|invd|trim|discard)/i;

export interface RowSpec extends ColumnSpec {
  /** Bytes of what offset and size count; default 1. */
  readonly unit?: number | undefined;
  /** A column of operations, of which those that delete are no accesses. */
  readonly operation?: number | undefined;
}

export class RowReader implements LineReader {
  private readonly context: ReadingContext;
  private readonly table: Table;
  private readonly spec: RowSpec;
  private readonly fields: Fields;
  private readonly range: PageRange;
  private readonly fieldsNeeded: number;
  private readonly header: string | undefined;
  private readonly id = new PageKey();
  private readonly outer = new PageKey();
  private readonly amount = new PageKey();
  private readonly part = new PageKey();
  private isFirst: boolean;
  private open: Buffer | undefined;
  private openLines = 0;

  constructor(context: ReadingContext, table: Table, spec: RowSpec) {
    this.context = context;
    this.table = table;
    this.spec = spec;
    this.fields = new Fields(table.separator);
    this.range = new PageRange(context, spec.unit ?? 1);
    this.fieldsNeeded = 1 + Math.max(...spec.ids, spec.size ?? 0, spec.times ?? 0, spec.operation ?? 0);
    this.header = table.headerIsRow ? table.names!.join() : undefined;
    this.isFirst = table.headerIsRow;
  }

  line(bytes: Uint8Array, start: number, end: number): void {
    if (this.open === undefined) {
      this.fields.split(bytes, start, end);
      if (!this.fields.isOpen) this.row(bytes);
      else {
        this.open = Buffer.from(bytes.subarray(start, end));
        this.openLines = 1;
      }
      return;
    }
    this.open = Buffer.concat([this.open, Buffer.from('\n'), bytes.subarray(start, end)]);
    this.openLines += 1;
    const record = this.open;
    this.fields.split(record, 0, record.length);
    if (!this.fields.isOpen) {
      this.open = undefined;
      this.row(record);
    } else if (this.openLines > RECORD_LINES_MAX) this.refuseOpen();
  }

  end(): void {
    if (this.open !== undefined) this.refuseOpen();
  }

  private refuseOpen(): never {
    return this.context.refuse(
      `is in a quoted field that began ${this.openLines - 1} lines before and does not end within ${RECORD_LINES_MAX}`,
    );
  }

  private row(bytes: Uint8Array): void {
    const { context, fields, spec } = this;
    if (this.isFirst) {
      this.isFirst = false;
      return;
    }
    if (fields.count < this.fieldsNeeded) {
      context.refuse(
        `has ${fields.count} fields, column ${this.nameOf(this.fieldsNeeded - 1)} is number ${this.fieldsNeeded}`,
      );
    }
    if (spec.operation !== undefined && this.isDelete(bytes, spec.operation)) context.leaveOut('deletes');
    else if (spec.size !== undefined) this.addRange(bytes, spec.size);
    else if (!this.take(bytes, spec.ids, this.id)) context.leaveOut('repeated headers');
    else if (spec.times === undefined) context.spool.add(this.id);
    else context.spool.repeat(this.id, this.amountOf(bytes, spec.times));
  }

  private addRange(bytes: Uint8Array, size: number): void {
    const { ids } = this.spec;
    this.setColumn(bytes, ids.at(-1)!, this.id);
    this.setColumn(bytes, size, this.amount);
    if (this.id.isText && this.isHeaderAgain(bytes)) this.context.leaveOut('repeated headers');
    else if (ids.length === 1) this.range.add(this.id, this.amount);
    else if (this.take(bytes, ids.slice(0, -1), this.outer)) this.range.add(this.id, this.amount, this.outer);
  }

  /** All of the columns as one key. False when the row is the header again. */
  private take(bytes: Uint8Array, columns: readonly number[], key: PageKey): boolean {
    this.setColumn(bytes, columns[0]!, key);
    if (key.isText && this.isHeaderAgain(bytes)) return false;
    for (let index = 1; index < columns.length; index += 1) {
      this.setColumn(bytes, columns[index]!, this.part);
      this.part.within(key);
      key.copy(this.part);
    }
    return true;
  }

  private setColumn(bytes: Uint8Array, column: number, key: PageKey): void {
    const start = this.fields.starts[column]!;
    const end = this.fields.ends[column]!;
    if (!key.setField(bytes, start, end)) this.context.refuse(`has an empty ${this.nameOf(column)}`);
    if (key.isText && !isText(bytes, start, end)) this.context.refuseBytes();
  }

  private amountOf(bytes: Uint8Array, column: number): number {
    this.setColumn(bytes, column, this.amount);
    const { isText: isWord, number } = this.amount;
    if (isWord || number > RUN_MAX) {
      this.context.refuse(`does not have a whole number of at most ${RUN_MAX} for its ${this.nameOf(column)}`);
    }
    if (number === 0) this.context.leaveOut('of count 0');
    return number;
  }

  private isDelete(bytes: Uint8Array, column: number): boolean {
    const start = this.fields.starts[column]!;
    const first = bytes[start]! | 32;
    // Most are gets and sets: no string is made of those.
    if (first === 103 || first === 115) return false;
    return DELETE.test(Buffer.from(bytes.subarray(start, this.fields.ends[column]!)).toString('latin1').trim());
  }

  /** Files that were joined have one in the middle. */
  private isHeaderAgain(bytes: Uint8Array): boolean {
    if (this.header === undefined || this.fields.count !== this.table.columns) return false;
    const texts = Array.from({ length: this.fields.count }, (_, index) =>
      Buffer.from(bytes.subarray(this.fields.starts[index], this.fields.ends[index]))
        .toString()
        .trim()
        .replace(/^"(.*)"$/, '$1'),
    );
    return texts.join() === this.header;
  }

  private nameOf(column: number): string {
    return this.table.names?.[column] ?? String(column + 1);
  }
}
