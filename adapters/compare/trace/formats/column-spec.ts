/**
 * column-spec: what a user says of the columns after a file's name.
 *
 *   FILE:id            a column, by its name or by its number from 1
 *   FILE:volume,block  several columns are one id
 *   FILE:disk,lba+size an offset and a size in bytes, of the disk: the pages they touch
 *   FILE:key*count     as many accesses as the column count says
 */
import type { Table } from './table.js';

export interface ColumnSpec {
  /** Indexes from 0; of a range the last one is the offset. */
  readonly ids: readonly number[];
  readonly size?: number | undefined;
  readonly times?: number | undefined;
}

function indexOf(word: string, { names, columns }: Table): number {
  const exact = names?.indexOf(word) ?? -1;
  if (exact >= 0) return exact;
  const alike = names?.findIndex((name) => name.toLowerCase() === word.toLowerCase()) ?? -1;
  if (alike >= 0) return alike;
  const number = /^\d+$/.test(word) ? Number(word) : 0;
  return number >= 1 && number <= columns ? number - 1 : -1;
}

/** `refuse` throws. */
export function parseColumns(text: string, table: Table, refuse: (what: string) => never): ColumnSpec {
  const column = (word: string): number => {
    const index = indexOf(word.trim(), table);
    if (index >= 0) return index;
    return refuse(
      table.names === undefined
        ? `no column ${word}: line 1 is no header (its fields are ${table.rows[0]?.join(', ')}); name columns by number, 1 to ${table.columns}`
        : `no column ${word} in line 1, which has ${table.names.join(', ')}`,
    );
  };
  if (indexOf(text.trim(), table) >= 0) return { ids: [column(text)] };
  const [, ids = text, size, times] = /^([^+*]+)(?:\+([^+*]+))?(?:\*([^+*]+))?$/.exec(text) ?? [];
  return {
    ids: ids.split(',').map(column),
    size: size === undefined ? undefined : column(size),
    times: times === undefined ? undefined : column(times),
  };
}
