/** Makes what the benchmark `sharing` reads: databases, a trace, and the pages of the trace. */
import { closeSync, openSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import type { Database, Sqlite3Static } from '@sqlite.org/sqlite-wasm';
import type { AccessFiles } from '../adapters/compare/trace/accesses.js';
import { readTrace, recognisedText } from '../adapters/compare/trace/index.js';
import { PatternPages } from '../adapters/compare/trace/pages.js';
import { Random } from './random.js';
import {
  ENTRIES_A_PAGE,
  entryKey,
  entryValue,
  PAGE,
  payloadOf,
  ROWS_A_PAGE,
  type Scale,
  type WorkloadName,
  ZipfKeys,
} from './sharing.world.js';

function fillTable(db: Database, { pages }: Scale): void {
  db.exec('CREATE TABLE rows(key INTEGER PRIMARY KEY, payload TEXT)');
  const insert = db.prepare('INSERT INTO rows VALUES (?, ?)');
  for (let key = 0; key < pages * ROWS_A_PAGE; key++) insert.bind([key, payloadOf(key, 0)]).stepReset();
  insert.finalize();
}

function fillTree(db: Database, { pages }: Scale): void {
  db.exec('CREATE TABLE entries(key INTEGER PRIMARY KEY, value TEXT)');
  const count = pages * ENTRIES_A_PAGE;
  const order = new Uint32Array(count);
  for (let index = 0; index < count; index++) order[index] = index;
  // In the order of their keys, so that leaves are full.
  order.sort((one, other) => entryKey(one) - entryKey(other));
  const insert = db.prepare('INSERT INTO entries VALUES (?, ?)');
  for (const index of order) insert.bind([entryKey(index), entryValue(index)]).stepReset();
  insert.finalize();
}

/** Writes the database, and gives its bytes. */
export function makeDatabase(sqlite3: Sqlite3Static, file: string, workload: WorkloadName, scale: Scale): number {
  const db = new sqlite3.oo1.DB(':memory:');
  try {
    db.exec(`PRAGMA page_size = ${PAGE}; BEGIN`);
    if (workload === 'descents') fillTree(db, scale);
    else fillTable(db, scale);
    db.exec('COMMIT');
    const bytes = sqlite3.capi.sqlite3_js_db_export(db);
    writeFileSync(file, bytes);
    return bytes.length;
  } finally {
    db.close();
  }
}

export interface TraceData {
  readonly files: AccessFiles;
  /** Distinct pages. */
  readonly pages: number;
  readonly text: string;
}

/**
 * Half of the accesses by Zipf's law over all pages, a fifth in loops over a hundredth of them that moves on, a fifth in runs
 * as of scans, and the rest anywhere.
 */
export function makeTrace(folder: string, seed: number, { pages, accesses }: Scale): TraceData {
  const random = new Random(seed);
  const zipf = new ZipfKeys(seed, pages);
  const ids = new Uint32Array(accesses);
  const known = new Map<number, number>();
  const loop = Math.max(1, Math.floor(pages / 100));
  let [run, looped] = [0, 0];
  for (let i = 0; i < accesses; i++) {
    const kind = random.below(10);
    let id = zipf.next();
    if (kind === 5 || kind === 6) {
      id = (Math.floor(looped / (8 * loop)) * loop + (looped % loop)) % pages;
      looped++;
    } else if (kind === 7 || kind === 8) {
      run = random.below(64) === 0 ? random.below(pages) : (run + 1) % pages;
      id = run;
    } else if (kind === 9) id = random.below(pages);
    if (!known.has(id)) known.set(id, known.size);
    ids[i] = known.get(id) as number;
  }
  const path = join(folder, 'trace.u32');
  writeFileSync(path, ids);
  const text = `a generated trace: ${accesses} accesses to ${known.size} pages`;
  return { files: { accesses, ids: path }, pages: known.size, text };
}

/** The beginning of a trace by path, in any format of docs/TRACES.md. */
export async function givenTrace(source: string, folder: string, accessesMax: number): Promise<TraceData> {
  const trace = await readTrace(source, { directory: folder, pageSize: PAGE });
  const accesses = Math.min(accessesMax, trace.files.accesses);
  const files = { ...trace.files, accesses };
  const { FileAccesses } = await import('../adapters/compare/trace/accesses.js');
  // Numbered as they first appear.
  let last = 0;
  for (const { ids } of new FileAccesses(files).chunks()) for (const id of ids) last = Math.max(last, id);
  const text = `${recognisedText(trace)}; the first ${accesses} accesses, to ${last + 1} pages`;
  return { files, pages: last + 1, text };
}

/** A file of so many pages, whose bytes follow from their numbers. */
export function makePages(file: string, pages: number): void {
  const pattern = new PatternPages();
  const page = new Uint8Array(PAGE);
  const descriptor = openSync(file, 'w');
  try {
    for (let pageNo = 0; pageNo < pages; pageNo++) {
      pattern.fill(pageNo, page);
      writeSync(descriptor, page, 0, PAGE, pageNo * PAGE);
    }
  } finally {
    closeSync(descriptor);
  }
}
