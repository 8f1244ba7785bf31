/** Starts a cell in a process of its own, and gives what it found. */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { BUILD_VARIABLE } from './build.js';
import type { CellReport } from './cell.js';
import type { Mode } from './frame.js';
import { TURNS_VARIABLE } from './turns.js';

export interface CellOptions {
  readonly name: string;
  readonly cell: string;
  readonly mode: Mode;
  readonly seed: number;
  readonly size?: number | undefined;
  readonly settings?: Readonly<Record<string, string>>;
  /** The folder of another build; undefined is this one. */
  readonly build?: string | undefined;
  /** It shares the machine, and waits for its turns. */
  readonly takesTurns?: boolean;
}

export interface StartedCell {
  readonly child: ChildProcess;
  /** Rejects where it ended without a report. */
  readonly report: Promise<CellReport>;
}

export function startCell({
  name,
  cell,
  mode,
  seed,
  size,
  settings = {},
  build,
  takesTurns = false,
}: CellOptions): StartedCell {
  const path = fileURLToPath(new URL('cell.js', import.meta.url));
  const child = fork(path, [name, cell, mode, String(seed), String(size ?? ''), JSON.stringify(settings)], {
    stdio: ['ignore', 2, 2, 'ipc'],
    env: {
      ...process.env,
      ...(build === undefined ? {} : { [BUILD_VARIABLE]: build }),
      ...(takesTurns ? { [TURNS_VARIABLE]: '1' } : {}),
    },
  });
  return { child, report: reportOf(child, `${name}, cell '${cell}'${build === undefined ? '' : ` of ${build}`}`) };
}

async function reportOf(child: ChildProcess, what: string): Promise<CellReport> {
  const stop = () => child.kill('SIGTERM');
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, stop);
  let report: CellReport | undefined;
  child.on('message', (message: CellReport | object) => {
    if ('results' in message) report = message;
  });
  const [code, signal] = await once(child, 'exit');
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.off(name, stop);
  if (code === 0 && report !== undefined) return report;
  throw new Error(`${what}: it ended with ${signal ?? `exit code ${code}`}.`);
}
