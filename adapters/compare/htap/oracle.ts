/**
 * What the queries should have answered: the database of before in the engine's memory, without any file system or cache of
 * ours, brought from transaction to transaction (T1) to where each sample was taken.
 */
import { readFileSync } from 'node:fs';
import type { Sqlite3Static } from '@sqlite.org/sqlite-wasm';
import { loadEngine } from '../sqlite/engine.js';
import { hashOf } from '../sqlite/hash.js';
import { cardinality } from '../sqlite/schema.js';
import { send } from '../sqlite/task.js';
import type { HtapArm } from './arms.js';
import type { OracleResult, OracleTask } from './messages.js';
import { Transactions } from './transactions.js';

/** The file's database in memory, to be changed. */
export function openCopy(sqlite3: Sqlite3Static, file: string) {
  const { capi, wasm } = sqlite3;
  // Not a Buffer: the engine refuses those.
  const bytes = new Uint8Array(readFileSync(file));
  const db = new sqlite3.oo1.DB(':memory:');
  const address = wasm.allocFromTypedArray(bytes);
  const flags = capi.SQLITE_DESERIALIZE_FREEONCLOSE | capi.SQLITE_DESERIALIZE_RESIZEABLE;
  const code = capi.sqlite3_deserialize(db.pointer as never, 'main', address, bytes.length, bytes.length, flags);
  if (code !== 0) throw new Error(`${file} cannot be had in memory: result code ${code}`);
  return db;
}

export async function judge({ file, seed, scale, queries, samples, limitMs }: OracleTask): Promise<OracleResult> {
  const sqlite3 = await loadEngine();
  const db = openCopy(sqlite3, file);
  const transactions = new Transactions(db, seed, cardinality(scale));
  const sqlOf = new Map(queries.map(({ number, sql }) => [number, sql]));
  const wrong: string[] = [];
  const compared: Partial<Record<HtapArm, number>> = {};
  let done = 0;
  let known: { readonly key: string; readonly hash: string } | undefined;
  await send({ type: 'ready' });
  const started = performance.now();
  for (const { count, query, hash, arm } of [...samples].sort((a, b) => a.count - b.count || a.query - b.query)) {
    if (performance.now() - started > limitMs) break;
    while (transactions.count < count) transactions.next();
    const key = `${count} ${query}`;
    if (known?.key !== key) known = { key, hash: hashOf(db.selectArrays(sqlOf.get(query) as string)) };
    compared[arm] = (compared[arm] ?? 0) + 1;
    done += 1;
    if (hash !== known.hash) wrong.push(`${arm}: query ${query} after ${count} transactions`);
    await send({
      type: 'progress',
      fraction: done / samples.length,
      text: `query ${query} after ${count} transactions`,
    });
  }
  transactions.close();
  db.close();
  return { compared, wrong };
}
