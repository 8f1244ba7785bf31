/**
 * table: whether a sample is rows of fields, how they are separated, and what their columns are called.
 *
 * (T1) A first row of names over columns of numbers is a header, and so is a comment right before the first row that has
 *      as many fields as it.
 */
import { fieldTexts, type Separator } from './fields.js';
import { isNumeric, type TextSample } from './sample.js';

const SEPARATORS = ['\t', ';', '|', ',', ' '] as const satisfies readonly Separator[];
const ROWS_MAX = 500;
const RECORD_TEXT_MAX = 4096;
/** A few lines that a crash has cut are no argument against a separator. */
const REGULAR_SHARE = 0.7;

export interface Table {
  readonly separator: Separator;
  readonly columns: number;
  /** The header, as it stands in the file. */
  readonly names: readonly string[] | undefined;
  /** Whether the header is a row, to be left out, and no comment. */
  readonly headerIsRow: boolean;
  /** The first rows, without the header; only regular ones. */
  readonly rows: readonly (readonly string[])[];
}

/** For comparing: letters and digits alone, small. */
export function plainName(name: string): string {
  return name.toLowerCase().replace(/[^\p{L}\p{N}]/gu, '');
}

/** What columns are called that tell a page from another. */
const ID_NAMES = new Set(
  'id ids objid objectid obj object key keys keyid cachekey cacheid page pages pageid pageno pagenumber block blocks blockid blockids blockno blocknumber lbn lba blkno addr address hash hashid hashids itemid item url uri pagehash blockhash blockhashes fingerprint'.split(
    ' ',
  ),
);

/** What columns are called that tell none. */
const OTHER_NAMES = new Set(
  'time timestamp ts date datetime clock vtime when seq seqno sequence seqnum lineno row version size sizes length len bytes objsize op ops operation opcode optype cmd command type iotype rw method ttl nextaccess nextaccessvtime status hit hits cachehit cachehits latency duration response client clientid cpu pid tid thread process opcount'.split(
    ' ',
  ),
);
const OTHER_ENDINGS = /(size|length|len|time|timestamp|latency|ttl|bytes)$/;

export function isIdName(name: string): boolean {
  return ID_NAMES.has(plainName(name));
}

export function isOtherName(name: string): boolean {
  const plain = plainName(name);
  return OTHER_NAMES.has(plain) || OTHER_ENDINGS.test(plain);
}

/** The only name that tells pages apart, where all others are known to tell none. */
export function onlyIdName(names: readonly string[]): string | undefined {
  const candidates = names.filter((name) => !isOtherName(name));
  return candidates.length === 1 && isIdName(candidates[0]!) ? candidates[0] : undefined;
}

function commonCount(rows: readonly (readonly string[])[]): { count: number; share: number } {
  const times = new Map<number, number>();
  for (const { length } of rows) times.set(length, (times.get(length) ?? 0) + 1);
  let count = 0;
  for (const [length, seen] of times) if (seen > (times.get(count) ?? 0)) count = length;
  return { count, share: (times.get(count) ?? 0) / rows.length };
}

function isHeader(first: readonly string[], rest: readonly (readonly string[])[], named: string | undefined): boolean {
  if (first.some((field) => isNumeric(field)) || new Set(first).size !== first.length) return false;
  if (named !== undefined && first.some((field) => named.split(/[,+*]/).includes(field))) return true;
  if (first.some((field) => isIdName(field) || isOtherName(field))) return true;
  const isColumnOfNumbers = (column: number) => rest.every((row) => isNumeric(row[column]!));
  return rest.length > 0 && first.some((_, column) => isColumnOfNumbers(column));
}

/** Fields in quotes may run over several lines. */
function recordsOf(lines: readonly string[], separator: Separator): string[] {
  if (separator === ' ') return lines.slice(0, ROWS_MAX);
  const records: string[] = [];
  let open = '';
  for (const line of lines) {
    if (records.length === ROWS_MAX) break;
    const record = open === '' ? line : `${open}\n${line}`;
    const isOpen = (record.split('"').length - 1) % 2 === 1 && record.length < RECORD_TEXT_MAX;
    open = isOpen ? record : '';
    if (!isOpen) records.push(record);
  }
  return records;
}

/** Undefined where the lines are no rows of at least `least` fields. */
export function tableOf({ lines, comments, columns: named }: TextSample, least = 2): Table | undefined {
  if (lines.length === 0) return undefined;
  for (const separator of SEPARATORS) {
    const all = recordsOf(lines, separator).map((record) => fieldTexts(record, separator));
    const { count, share } = commonCount(all);
    if (count < 2 || share < REGULAR_SHARE) continue;
    return withHeader(separator, count, all, comments, named);
  }
  if (least > 1) return undefined;
  return withHeader(
    ',',
    1,
    lines.slice(0, ROWS_MAX).map((line) => fieldTexts(line, ',')),
    comments,
    named,
  );
}

function withHeader(
  separator: Separator,
  columns: number,
  all: readonly (readonly string[])[],
  comments: readonly string[],
  named: string | undefined,
): Table {
  const [first = [], ...rest] = all;
  const regular = all.filter((row) => row.length === columns);
  const regularRest = rest.filter((row) => row.length === columns);
  if (first.length === columns && isHeader(first, regularRest, named)) {
    return { separator, columns, names: first, headerIsRow: true, rows: regularRest };
  }
  const comment = fieldTexts(comments.at(-1) ?? '', separator);
  const isNamed = comment.length === columns && columns > 1 && isHeader(comment, regular, named);
  return { separator, columns, names: isNamed ? comment : undefined, headerIsRow: false, rows: regular };
}

/** Whether in so many rows each field matches the pattern of its column. */
export function matchShare({ rows }: Table, patterns: readonly RegExp[]): number {
  if (rows.length === 0) return 0;
  const matching = rows.filter((row) => patterns.every((pattern, column) => pattern.test(row[column]!)));
  return matching.length / rows.length;
}
