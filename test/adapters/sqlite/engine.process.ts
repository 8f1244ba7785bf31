/** The other end of Engine: a writer or a reader in a process of its own. */
import initialise from '@sqlite.org/sqlite-wasm';
import { openReader, openWriter, type Reader, type Writer } from '../../../adapters/sqlite/index.js';
import { connect } from '../../../src/index.js';

const [poolPath, file] = process.argv.slice(2) as [string, string];
const pool = await connect(poolPath);
const sqlite3 = await initialise();
let opened: Reader | Writer | undefined;

function answer(name: string, parameter: string): unknown {
  if (name === 'writer') opened = openWriter(sqlite3, { file, pool });
  if (name === 'reader') opened = openReader(sqlite3, { file, pool });
  if (name === 'close') opened?.close();
  if (name === 'exec') opened?.db.exec(parameter);
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
