/**
 * cache-rows: traces of caches as rows.
 *
 *   twitter           time, key, key size, value size, client, operation, ttl; no header (Twitter's cache clusters)
 *   cachelib-kvcache  a header with key, op and op_count: the line stands for op_count accesses (Meta's CacheLib)
 *   libcachesim-csv   time, id, size, next_access_vtime: the number of the next line of the same id, or -1
 *
 * What deletes a key is no access to it, and left out.
 */
import { columnsIndex } from './column-index.js';
import type { TextFormat } from './format.js';
import { RowReader } from './rows.js';
import { matchShare, type Table, tableOf } from './table.js';

const SURE = 0.95;
const WHOLE = /^\d+$/;
const OPERATION = /^(get|gets|set|add|replace|cas|append|prepend|delete|incr|decr)$/i;

export const twitter: TextFormat = {
  kind: 'text',
  name: 'twitter',

  score(sample) {
    const table = tableOf(sample);
    if (sample.columns !== undefined || table?.columns !== 7 || table.names !== undefined) return 0;
    return matchShare(table, [WHOLE, /./, WHOLE, WHOLE, WHOLE, OPERATION, /^-?\d+$/]) >= SURE ? 0.96 : 0;
  },

  reader(context, sample) {
    return new RowReader(context, tableOf(sample)!, { ids: [1], operation: 5 });
  },
};

export const kvcache: TextFormat = {
  kind: 'text',
  name: 'cachelib-kvcache',

  score(sample) {
    const table = tableOf(sample);
    if (sample.columns !== undefined || table === undefined) return 0;
    return columnsIndex(table, ['key', 'op', 'opcount']) === undefined ? 0 : 0.97;
  },

  reader(context, sample) {
    const table = tableOf(sample)!;
    const [key, operation, times] = columnsIndex(table, ['key', 'op', 'opcount']) as [number, number, number];
    context.tell('each line op_count times');
    return new RowReader(context, table, { ids: [key], operation, times });
  },
};

/** Whether what the last column says of next accesses is so. Lines are counted from 0 or from 1. */
function linksHold({ rows }: Table): boolean {
  let claimed = 0;
  const holding = [0, 0];
  for (const [index, row] of rows.entries()) {
    const next = Number(row[3]);
    if (next <= index && next !== -1) return false;
    if (next === -1 || next + 1 >= rows.length) continue;
    claimed += 1;
    for (const base of [0, 1]) if (rows[next - base]?.[1] === row[1]) holding[base]! += 1;
  }
  return claimed > 0 && Math.max(...holding) === claimed;
}

export const libcachesim: TextFormat = {
  kind: 'text',
  name: 'libcachesim-csv',

  score(sample) {
    const table = tableOf(sample);
    if (sample.columns !== undefined || table?.columns !== 4) return 0;
    if (columnsIndex(table, ['nextaccessvtime']) !== undefined) return /id|obj/i.test(table.names![1]!) ? 0.95 : 0;
    const isShaped = matchShare(table, [/^\d+(\.\d+)?$/, WHOLE, WHOLE, /^-?\d+$/]) === 1;
    return isShaped && linksHold(table) ? 0.97 : 0;
  },

  reader(context, sample) {
    return new RowReader(context, tableOf(sample)!, { ids: [1] });
  },
};
