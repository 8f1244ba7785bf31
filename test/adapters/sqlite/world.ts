/** What the claims about live databases stand on: a folder, a pool, nodes of it, the engine, processes beside this one. */
import { type ChildProcess, execFileSync, fork, spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import initialise, { type Database, type Sqlite3Static } from '@sqlite.org/sqlite-wasm';
import { type Files, nodeFiles } from '../../../adapters/sqlite/files.js';
import {
  openReader,
  openWriter,
  type Reader,
  type Writer,
  type WriterOptions,
} from '../../../adapters/sqlite/index.js';
import { ownFolder } from '../../../lib/linux/index.js';
import type { FormatOptions, Pool } from '../../../src/index.js';
import { atEnd, join as joinPool, makePool } from '../../cache/pools.js';

const PROGRAM = fileURLToPath(new URL('./engine.process.js', import.meta.url));

/** Of a system, if there is one: another build than the one under test. */
export const STOCK = spawnSync('sqlite3', ['--version']).status === 0 ? 'sqlite3' : undefined;

let engine: Promise<Sqlite3Static> | undefined;
export function theEngine(): Promise<Sqlite3Static> {
  engine ??= initialise().then((sqlite3) => {
    // It warns of every statement that fails, on purpose or not.
    (sqlite3 as unknown as { config: { warn(): void } }).config.warn = () => {};
    return sqlite3;
  });
  return engine;
}

export interface World {
  readonly sqlite3: Sqlite3Static;
  readonly folder: string;
  readonly file: string;
  readonly pool: Pool;
  /** Each over a node of its own. */
  writer(options?: Partial<WriterOptions>): Promise<Writer>;
  reader(options?: { file?: string; files?: Files }): Promise<Reader>;
}

export async function makeWorld(format: Partial<FormatOptions> = {}, parent = tmpdir()): Promise<World> {
  const sqlite3 = await theEngine();
  const folder = ownFolder(parent, 'live');
  atEnd(() => rmSync(folder, { recursive: true, force: true }));
  const file = join(folder, 'orders.db');
  const pool = await makePool({ size: '16MiB', ...format });
  const closing = <T extends { close(): void }>(opened: T): T => {
    atEnd(() => opened.close());
    return opened;
  };
  return {
    sqlite3,
    folder,
    file,
    pool,
    writer: async (options) => closing(openWriter(sqlite3, { file, pool: await joinPool(pool.path), ...options })),
    reader: async (options) => closing(openReader(sqlite3, { file, pool: await joinPool(pool.path), ...options })),
  };
}

/** Rows enough for some pages of 4 KiB: `text` of 200 bytes each, and a sum that every transaction keeps. */
export const SCHEMA = `PRAGMA page_size = 4096;
  CREATE TABLE account(id INTEGER PRIMARY KEY, balance INTEGER, text TEXT);
  CREATE INDEX balances ON account(balance);
  WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 400)
    INSERT INTO account SELECT i, 100, printf('%.200c', 'a') FROM n;`;

export const sumOf = (db: Database): unknown => db.selectValue('SELECT sum(balance) FROM account');

/** Moves money between accounts that lie together: some pages of the table, more of the index. */
export function transfer(db: Database, round: number): void {
  const first = (round * 50) % 350;
  db.exec(`BEGIN;
    UPDATE account SET balance = balance - 5, text = text || ${round} WHERE id BETWEEN ${first + 1} AND ${first + 10};
    UPDATE account SET balance = balance + 5 WHERE id BETWEEN ${first + 21} AND ${first + 30};
    COMMIT;`);
}

/** What the other build says of the database at the path, in a copy of it with its journal; 'ok' where all is well. */
export function judgeByStock(file: string, folder: string, query = 'SELECT 1'): string {
  const copy = join(folder, 'judged.db');
  for (const suffix of ['', '-journal']) {
    rmSync(copy + suffix, { force: true });
    if (existsSync(file + suffix)) copyFileSync(file + suffix, copy + suffix);
  }
  return execFileSync(STOCK as string, [copy, `PRAGMA integrity_check; ${query}`], { encoding: 'utf8' }).trim();
}

/** Files whose changing calls go by `before`, with the name of the call. */
export function watchedFiles(before: (call: string, descriptorOrPath: number | string) => void): Files {
  return {
    ...nodeFiles,
    write(descriptor, bytes, offset) {
      before('write', descriptor);
      nodeFiles.write(descriptor, bytes, offset);
    },
    truncate(descriptor, size) {
      before('truncate', descriptor);
      nodeFiles.truncate(descriptor, size);
    },
    sync(descriptor) {
      before('sync', descriptor);
      nodeFiles.sync(descriptor);
    },
    remove(path) {
      before('remove', path);
      nodeFiles.remove(path);
    },
    syncFolder(path) {
      before('syncFolder', path);
      nodeFiles.syncFolder(path);
    },
  };
}

/** Another process with a writer or a reader. Killed when the claim is through. */
export class Engine {
  private readonly process: ChildProcess;
  private calls = 0;

  constructor(poolPath: string, file: string) {
    this.process = fork(PROGRAM, [poolPath, file], { stdio: 'inherit', serialization: 'advanced' });
    atEnd(() => this.kill());
  }

  /** What the process says to it; rejects with the message of its error, or when it dies. */
  call(
    name: 'writer' | 'reader' | 'watchedReader' | 'exec' | 'rows' | 'refresh' | 'lsn' | 'transfers' | 'close',
    parameter = '',
  ): Promise<unknown> {
    const id = ++this.calls;
    return new Promise((resolve, reject) => {
      const onExit = () => reject(new Error(`the process died at ${name}`));
      this.process.once('exit', onExit);
      const onMessage = (answer: { id: number; value?: unknown; error?: string }) => {
        if (answer.id !== id) return;
        this.process.off('message', onMessage).off('exit', onExit);
        if (answer.error === undefined) resolve(answer.value);
        else reject(new Error(answer.error));
      };
      this.process.on('message', onMessage);
      this.process.send({ id, name, parameter });
    });
  }

  signal(name: 'SIGSTOP' | 'SIGCONT'): void {
    this.process.kill(name);
  }

  kill(): Promise<void> {
    if (this.process.exitCode !== null || this.process.signalCode !== null) return Promise.resolve();
    return new Promise((resolve) => {
      this.process.once('exit', () => resolve());
      this.process.kill('SIGKILL');
    });
  }
}
