/** The other end of Engine: a writer or a reader in a process of its own. */
import { appendFileSync } from 'node:fs';
import initialise from '@sqlite.org/sqlite-wasm';
import { type Files, nodeFiles } from '../../../adapters/sqlite/files.js';
import { openReader, openWriter, type Reader, type Writer } from '../../../adapters/sqlite/index.js';
import { connect } from '../../../src/index.js';

/** As in world.ts, which belongs to a test runner. */
function transfer(db: Writer['db'], round: number): void {
  const first = (round * 50) % 350;
  db.exec(`BEGIN;
    UPDATE account SET balance = balance - 5 WHERE id BETWEEN ${first + 1} AND ${first + 10};
    UPDATE account SET balance = balance + 5 WHERE id BETWEEN ${first + 21} AND ${first + 30};
    COMMIT;`);
}

const [poolPath, file] = process.argv.slice(2) as [string, string];
const pool = await connect(poolPath);
const sqlite3 = await initialise();
let opened: Reader | Writer | undefined;

/**
 * Notes each whole page that is read in the log, and by whom; dies at the third, `before` or `after` it is read, or in its `proof`, after
 * a while. `hang`: takes a while for the twentieth.
 */
function watched(log: string, killAt: string): Files {
  let [reads, isRead] = [0, false];
  const spin = (ms: number) => {
    for (const end = performance.now() + ms; performance.now() < end; );
  };
  const die = (step: string) => {
    if (reads !== 3 || killAt !== step) return;
    spin(30);
    process.kill(process.pid, 'SIGKILL');
  };
  return {
    ...nodeFiles,
    read(descriptor, target, offset) {
      if (offset === 0 || target.length !== 4096) return nodeFiles.read(descriptor, target, offset);
      reads += 1;
      appendFileSync(log, `${offset / target.length + 1} ${process.pid}\n`);
      if (reads === 20 && killAt === 'hang') spin(200);
      die('before');
      spin(0.5);
      const count = nodeFiles.read(descriptor, target, offset);
      die('after');
      isRead = true;
      return count;
    },
    status(descriptor) {
      if (isRead) die('proof');
      return nodeFiles.status(descriptor);
    },
  };
}

function answer(name: string, parameter: string): unknown {
  if (name === 'watchedReader') {
    const [log, killAt] = parameter.split(' ') as [string, string];
    opened = openReader(sqlite3, { file, pool, files: watched(log, killAt) });
    // Each query asks the file system again.
    opened.db.exec('PRAGMA cache_size = 1');
  }
  if (name === 'writer') opened = openWriter(sqlite3, { file, pool });
  if (name === 'reader') opened = openReader(sqlite3, { file, pool });
  if (name === 'close') opened?.close();
  if (name === 'exec') opened?.db.exec(parameter);
  if (name === 'transfers') for (let i = 0; i < Number(parameter); i++) transfer(opened!.db, i);
  if (name === 'rows') return opened?.db.selectArrays(parameter);
  if (name === 'refresh') return (opened as Reader).refresh();
  if (name === 'lsn') return 'lsn' in opened! ? opened.lsn : (opened as Reader).snapshot.lsn;
  return undefined;
}

process.on('message', ({ id, name, parameter }: { id: number; name: string; parameter: string }) => {
  try {
    process.send?.({ id, value: answer(name, parameter) });
  } catch (error) {
    process.send?.({ id, error: `${(error as { resultCode?: number }).resultCode} ${String(error)}` });
  }
});
process.on('disconnect', () => process.exit());
