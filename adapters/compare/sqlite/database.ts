/**
 * Owns the generated database file: where it is kept, and whether what lies there is the one asked for. It is kept
 * between runs, and appears under its name only when it is whole.
 */
import { lstatSync, mkdirSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { PoolError } from '../../../lib/errors.js';
import { destroyStale } from '../../../src/pool/index.js';
import { openStorage } from '../../sqlite-wasm/index.js';
import { APPLICATION_ID, GENERATOR_VERSION, PAGE_SIZE } from './generate.js';
import { ownPath } from './leftovers.js';
import { runNodes } from './nodes.js';

export interface DatabaseOptions {
  readonly seed: number;
  readonly scale: number;
  /** A file to keep the database in, or a folder; default a folder of this user in the system's temporary one. */
  readonly storage?: string;
  readonly progress: (fraction: number, text: string) => void;
  readonly signal: AbortSignal;
}

export interface DatabaseFile {
  readonly file: string;
  readonly size: number;
  readonly fingerprint: number;
  readonly reused: boolean;
}

/** Throws OPTION_INVALID rather than overwrite a file that is not ours. */
export async function provideDatabase(options: DatabaseOptions): Promise<DatabaseFile> {
  const { seed, scale } = options;
  const fingerprint = fingerprintOf(`${seed} ${scale} ${GENERATOR_VERSION}`);
  const file = place(options.storage, `ch-derived-${fingerprint.toString(16)}.db`);
  const found = examine(file);
  if (found === 'foreign') {
    const message = `${file} exists and is no database of this workload; it is not overwritten. Name another file.`;
    throw new PoolError('OPTION_INVALID', message, { file });
  }
  const reused = found === fingerprint;
  if (!reused) {
    const folder = dirname(file);
    destroyStale([folder]);
    const temporaryFile = ownPath(folder, 'db');
    const { progress, signal } = options;
    const task = { task: 'generate', file, temporaryFile, seed, scale, fingerprint } as const;
    await runNodes([task], { label: 'making the database', progress, signal });
  }
  return { file, size: statSync(file).size, fingerprint, reused };
}

function place(storage: string | undefined, name: string): string {
  if (storage !== undefined) {
    return statSync(storage, { throwIfNoEntry: false })?.isDirectory() ? join(storage, name) : storage;
  }
  const user = process.getuid?.() ?? 0;
  const folder = join(tmpdir(), `sealpool-compare-${user}`);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const status = lstatSync(folder);
  if (!status.isDirectory() || status.uid !== user) {
    throw new PoolError('ACCESS_DENIED', `${folder} is not a folder of this user.`, { folder });
  }
  return join(folder, name);
}

/** The fingerprint of a whole database of ours; 'absent', or 'foreign' for anything else. */
function examine(file: string): number | 'absent' | 'foreign' {
  if (statSync(file, { throwIfNoEntry: false }) === undefined) return 'absent';
  using storage = openStorage(file, { direct: false });
  const header = Buffer.alloc(100);
  if (storage.read(0, header) < header.length) return 'foreign';
  const ours = header.toString('latin1', 0, 15) === 'SQLite format 3' && header.readUInt32BE(68) === APPLICATION_ID;
  if (!ours) return 'foreign';
  // A file of ours that was cut short is made anew.
  return header.readUInt32BE(28) * PAGE_SIZE === storage.size ? header.readUInt32BE(60) : -1;
}

/** FNV-1a, cut to the 31 bits that the header's user version holds. */
function fingerprintOf(text: string): number {
  let hash = 0x811c9dc5;
  for (const character of text) hash = Math.imul(hash ^ character.charCodeAt(0), 0x01000193);
  return hash & 0x7fffffff;
}
