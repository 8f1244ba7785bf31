/**
 * block-rows: traces of block devices as rows, from offsets and sizes to pages.
 *
 *   msr-cambridge  time in 100 ns, host, disk, Read or Write, offset, bytes, response time
 *   alibaba-block  device, R or W, offset, bytes, time in µs
 *   tencent-block  time in s, offset and size in sectors of 512 bytes, 0 (read) or 1 (write), volume
 *
 * With or without a header. Reads and writes are accesses alike.
 */
import type { TextFormat } from './format.js';
import { RowReader, type RowSpec } from './rows.js';
import { matchShare, type Table, tableOf } from './table.js';

const WHOLE = /^\d+$/;
const SURE = 0.95;

function blockRows(
  name: string,
  patterns: readonly RegExp[],
  spec: RowSpec,
  isLikely: (table: Table) => boolean = () => true,
): TextFormat {
  return {
    kind: 'text',
    name,

    score(sample) {
      const table = tableOf(sample);
      if (sample.columns !== undefined || table?.columns !== patterns.length) return 0;
      return matchShare(table, patterns) >= SURE && isLikely(table) ? 0.96 : 0;
    },

    reader(context, sample) {
      context.tell(`pages of ${context.pageSize} bytes`);
      return new RowReader(context, tableOf(sample)!, spec);
    },
  };
}

/** Times never run far back. */
function isInOrder({ rows }: Table): boolean {
  return rows.every((row, index) => index === 0 || Number(row[0]) >= Number(rows[index - 1]![0]) - 60);
}

/** Sectors, not bytes: half of the requests are of 512 KiB at most. */
function areSectors({ rows }: Table, column: number): boolean {
  const sizes = rows.map((row) => Number(row[column])).sort((left, right) => left - right);
  return sizes[sizes.length >>> 1]! <= 1024;
}

/** Where there is a header, it must not say something else. */
function isNamed(table: Table, ...names: readonly RegExp[]): boolean {
  return table.names === undefined || names.every((name) => table.names!.some((column) => name.test(column)));
}

export const msr = blockRows('msr-cambridge', [/^\d{17,19}$/, /^\S+$/, WHOLE, /^(read|write)$/i, WHOLE, WHOLE, WHOLE], {
  ids: [1, 2, 4],
  size: 5,
});

export const alibaba = blockRows(
  'alibaba-block',
  [WHOLE, /^[RW]$/i, WHOLE, WHOLE, /^\d{13,17}$/],
  { ids: [0, 2], size: 3 },
  (table) => isNamed(table, /offset/i, /length|size/i),
);

export const tencent = blockRows(
  'tencent-block',
  [/^1\d{9}$/, WHOLE, /^[1-9]\d{0,5}$/, /^[01]$/, WHOLE],
  { ids: [4, 1], size: 2, unit: 512 },
  (table) => isInOrder(table) && areSectors(table, 2) && isNamed(table, /offset/i, /size/i),
);
