/**
 * Ids from bytes: little-endian u32, text with one id a line, and one named column of CSV (RFC 4180 quoting, comma).
 *
 * Every error is OPTION_INVALID and names the file and the line or byte. Lines count from 1, bytes from 0.
 */
import { isUtf8 } from 'node:buffer';
import { PoolError } from '../../../lib/errors.js';
import { DenseIds } from './dense-ids.js';

const LINE_FEED = 10;
const WORD_SIZE = 4;
/** Each line of an open record parses it anew, so a stray quote must not run to the end of the file. */
const RECORD_LINES_MAX = 64;

export interface TraceIds {
  readonly ids: Uint32Array;
  readonly unique: number;
}

export function traceError(file: string, what: string, cause?: unknown): PoolError {
  return new PoolError('OPTION_INVALID', `Trace ${file}: ${what}.`, { file }, cause);
}

export function idsOfWords(file: string, bytes: Uint8Array): TraceIds {
  const stray = bytes.length % WORD_SIZE;
  if (stray !== 0) {
    throw traceError(
      file,
      `${stray} stray bytes at byte ${bytes.length - stray}; it should hold little-endian 32-bit ids`,
    );
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const dense = new DenseIds();
  for (let offset = 0; offset < bytes.length; offset += WORD_SIZE) dense.add(view.getUint32(offset, true));
  return finish(file, dense);
}

export function idsOfLines(file: string, bytes: Buffer): TraceIds {
  const dense = new DenseIds();
  for (const { text, line } of linesOf(file, bytes)) {
    const id = text.trim();
    if (id === '') throw traceError(file, `line ${line} is empty; it should hold one page id`);
    dense.addText(id);
  }
  return finish(file, dense);
}

/** Without a column name the file must have exactly one column. */
export function idsOfColumn(file: string, bytes: Buffer, column: string | undefined): TraceIds {
  const dense = new DenseIds();
  let index = -1;
  let header: string[] | undefined;
  for (const { fields, line } of recordsOf(file, bytes)) {
    if (header === undefined) {
      header = fields.map((field) => field.trim());
      index = columnIndex(file, header, column);
      continue;
    }
    const id = fields[index]?.trim();
    if (id === undefined) {
      throw traceError(
        file,
        `line ${line} has ${fields.length} fields, column ${header[index]} is number ${index + 1}`,
      );
    }
    if (id === '') throw traceError(file, `line ${line} has an empty ${header[index]}`);
    dense.addText(id);
  }
  return finish(file, dense);
}

function finish(file: string, dense: DenseIds): TraceIds {
  const trace = dense.finish();
  if (trace.ids.length === 0) throw traceError(file, 'it holds no page ids, its data end at byte 0 of them');
  return trace;
}

function columnIndex(file: string, header: readonly string[], column: string | undefined): number {
  const columns = header.join(', ');
  if (column === undefined) {
    if (header.length === 1) return 0;
    throw traceError(file, `name its column, as in ${file}:${header[0]}; line 1 has ${columns}`);
  }
  const index = header.indexOf(column);
  if (index < 0) throw traceError(file, `no column ${column} in line 1, which has ${columns}`);
  return index;
}

/** The lines of a UTF-8 text without their line feeds, the last of which ends the text. Who takes one trims it. */
function* linesOf(file: string, bytes: Buffer): Generator<{ text: string; line: number }> {
  let line = 1;
  for (let start = 0; start < bytes.length; line += 1) {
    const feed = bytes.indexOf(LINE_FEED, start);
    const next = feed < 0 ? bytes.length : feed + 1;
    const part = bytes.subarray(start, feed < 0 ? bytes.length : feed);
    const zero = part.indexOf(0);
    if (zero >= 0) throw traceError(file, `line ${line} holds a zero byte at byte ${start + zero}; it is no text`);
    if (!isUtf8(part)) throw traceError(file, `line ${line} is no UTF-8 text, beginning at byte ${start}`);
    yield { text: part.toString('utf8'), line };
    start = next;
  }
}

/** `line` is where the record begins; a quoted field may run over several. */
function* recordsOf(file: string, bytes: Buffer): Generator<{ fields: string[]; line: number }> {
  let open: { text: string; line: number } | undefined;
  for (const { text, line } of linesOf(file, bytes)) {
    const record: { text: string; line: number } =
      open === undefined ? { text, line } : { text: `${open.text}\n${text}`, line: open.line };
    const fields = fieldsOf(record.text);
    if (fields === undefined) {
      if (line - record.line >= RECORD_LINES_MAX) break;
      open = record;
      continue;
    }
    open = undefined;
    if (record.text.trim() === '') throw traceError(file, `line ${record.line} is empty`);
    yield { fields, line: record.line };
  }
  if (open !== undefined)
    throw traceError(file, `line ${open.line} opens a quoted field that does not end within ${RECORD_LINES_MAX} lines`);
}

/** Undefined when the text ends inside quotes. */
function fieldsOf(text: string): string[] | undefined {
  if (!text.includes('"')) return text.split(',');
  const fields: string[] = [];
  let field = '';
  let quoted = false;
  for (let index = 0; index < text.length; index += 1) {
    const character = text[index]!;
    if (quoted) {
      if (character !== '"') field += character;
      else if (text[index + 1] === '"') {
        field += '"';
        index += 1;
      } else quoted = false;
    } else if (character === '"') quoted = true;
    else if (character === ',') {
      fields.push(field);
      field = '';
    } else field += character;
  }
  if (quoted) return undefined;
  fields.push(field);
  return fields;
}
