/** Loads the optional engine, or says how to install it. */
import type { Sqlite3Static } from '@sqlite.org/sqlite-wasm';

export const INSTALL_LINE = 'npm install @sqlite.org/sqlite-wasm@3.54.1-build1';

/** The workload's engine is not installed. The command line prints the install line and exits with 2. */
export class EngineMissingError extends Error {
  override readonly name = 'EngineMissingError';
  readonly installLine = INSTALL_LINE;

  constructor(cause: unknown) {
    super(`The sqlite workload needs @sqlite.org/sqlite-wasm. Install it: ${INSTALL_LINE}`, { cause });
  }
}

export async function importEngine(): Promise<() => Promise<Sqlite3Static>> {
  try {
    return (await import('@sqlite.org/sqlite-wasm')).default;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ERR_MODULE_NOT_FOUND') throw error;
    throw new EngineMissingError(error);
  }
}

export async function loadEngine(): Promise<Sqlite3Static> {
  const initialise = await importEngine();
  return initialise();
}
