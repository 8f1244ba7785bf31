/** A child process that plays rounds of lies, so that a crash or a hang is an outcome too. */
import { spawn } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ownName } from '../../../lib/linux/index.js';

const WORKER = fileURLToPath(new URL('./worker.js', import.meta.url));

export interface Outcome {
  /** Of the last round that was begun. */
  readonly seed: number;
  readonly failure: string;
  readonly lies: number;
  /** Of those, told by another thread. */
  readonly threaded: number;
  readonly codes: Readonly<Record<string, number>>;
}

export interface Play {
  readonly first: number;
  readonly rounds: number;
  readonly how: 'usual' | 'aloud' | 'dense' | 'dense-aloud';
  /** Without a line for so long it hangs. */
  readonly silenceMs: number;
  readonly onRound?: (seed: number) => void;
}

export function play({ first, rounds, how, silenceMs, onRound }: Play): Promise<Outcome> {
  const folder = existsSync('/dev/shm') ? '/dev/shm' : tmpdir();
  const name = `${ownName('hostile')}-${first}`;
  const path = join(folder, name);
  const isAloud = how.endsWith('aloud');
  const child = spawn(process.execPath, ['--enable-source-maps', WORKER, path, `${first}`, `${rounds}`, how]);
  let seed = first;
  let rest = '';
  let failure = '';
  let done = { lies: 0, threaded: 0, codes: {} };
  const take = (line: string) => {
    if (isAloud) console.log(line);
    if (line.startsWith('round ')) {
      seed = Number(line.slice(6));
      onRound?.(seed);
    } else if (line.startsWith('done ')) done = JSON.parse(line.slice(5));
    else if (!isAloud || line.startsWith('failed')) failure += `${line}\n`;
  };
  return new Promise((resolve) => {
    const bark = () => {
      failure += `no progress for ${silenceMs} ms: a hang\n`;
      child.kill('SIGKILL');
    };
    let watchdog = setTimeout(bark, silenceMs);
    child.stdout.on('data', (data: Buffer) => {
      clearTimeout(watchdog);
      watchdog = setTimeout(bark, silenceMs);
      const lines = (rest + data.toString()).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) take(line);
    });
    child.stderr.on('data', (data: Buffer) => {
      failure += data.toString();
    });
    child.on('close', (code, signal) => {
      clearTimeout(watchdog);
      if (code !== 0) failure += `the process ended with ${signal ?? code}\n`;
      const log = `${path}-lies`;
      if (signal !== null && seed % 4 === 0 && existsSync(log)) failure += `lies: ${readFileSync(log, 'utf8')}`;
      for (const file of readdirSync(folder))
        if (file.startsWith(`${name}-`)) rmSync(join(folder, file), { force: true });
      resolve({ seed, failure, ...done });
    });
  });
}
