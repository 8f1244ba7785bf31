/** The other end of Engine: a writer or a reader in a process of its own. */
import initialise from '@sqlite.org/sqlite-wasm';
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

function answer(name: string, parameter: string): unknown {
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
