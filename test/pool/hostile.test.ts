/**
 * F5: whatever the metadata of a live pool say, its nodes throw PoolErrors or answer right: no other exception, no crash,
 * no hang, no byte of another page. A line of HOSTILE_SEED plays one round again, with each step told; HOSTILE_LIES sets
 * how many lies there are, HOSTILE_REGION confines them to one region of the layout.
 */
import { spawn } from 'node:child_process';
import { existsSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { makePage, pageFault } from '../support/pages.js';
import { LIES_PER_ROUND } from './hostile/stage.js';

const WORKER = fileURLToPath(new URL('./hostile/worker.js', import.meta.url));
const LIES = Number(process.env['HOSTILE_LIES'] ?? 20_000);
const SEED = process.env['HOSTILE_SEED'];
const SILENCE_MS = 20_000;

interface Outcome {
  readonly seed: number;
  readonly failure: string;
  readonly lies: number;
  readonly codes: Readonly<Record<string, number>>;
}

/** Plays rounds in a child process, so that a crash is an outcome too. */
function play(first: number, rounds: number, aloud: boolean): Promise<Outcome> {
  const folder = existsSync('/dev/shm') ? '/dev/shm' : tmpdir();
  const name = `sealpool-hostile-${process.pid}-${first}`;
  const how = aloud ? ['aloud'] : [];
  const child = spawn(process.execPath, [
    '--enable-source-maps',
    WORKER,
    join(folder, name),
    `${first}`,
    `${rounds}`,
    ...how,
  ]);
  let seed = first;
  let rest = '';
  let failure = '';
  let done: { lies: number; codes: Record<string, number> } = { lies: 0, codes: {} };
  const take = (line: string) => {
    if (aloud) console.log(line);
    if (line.startsWith('round ')) seed = Number(line.slice(6));
    else if (line.startsWith('done ')) done = JSON.parse(line.slice(5));
    else if (!aloud || line.startsWith('failed')) failure += `${line}\n`;
  };
  return new Promise((resolve) => {
    const bark = () => {
      failure += `no progress for ${SILENCE_MS} ms: a hang\n`;
      child.kill('SIGKILL');
    };
    let watchdog = setTimeout(bark, SILENCE_MS);
    child.stdout.on('data', (data: Buffer) => {
      clearTimeout(watchdog);
      watchdog = setTimeout(bark, SILENCE_MS);
      const lines = (rest + data.toString()).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) take(line);
    });
    child.stderr.on('data', (data: Buffer) => {
      failure += data.toString();
    });
    child.on('close', (code, signal) => {
      clearTimeout(watchdog);
      for (const file of readdirSync(folder))
        if (file.startsWith(`${name}-`)) rmSync(join(folder, file), { force: true });
      if (code !== 0) failure += `the process ended with ${signal ?? code}\n`;
      resolve({ seed, failure, ...done });
    });
  });
}

function expectNoFailure({ seed, failure }: Outcome): void {
  expect(failure, `replay: HOSTILE_SEED=${seed} npx mocha dist/test/pool/hostile.test.js\n`).to.equal('');
}

describe('a pool whose metadata lie', () => {
  it('is judged by pages that show a foreign, torn or shortened one', () => {
    const page = makePage('one', 7, 100);
    expect(pageFault(page, 'one')).to.equal(undefined);
    expect(pageFault(page, 'two')).to.equal('a page of another key');
    expect(pageFault(page.subarray(0, 90), 'one')).to.match(/shown as 90/);
    for (let i = 0; i < page.length; i++) {
      expect(
        pageFault(
          page.map((byte, at) => (at === i ? byte ^ 1 : byte)),
          'one',
        ),
      ).to.not.equal(undefined);
    }
  });

  if (SEED !== undefined) {
    it(`is told step by step for seed ${SEED}`, async () => {
      expectNoFailure(await play(Number(SEED), 1, true));
    }).timeout(0);
    return;
  }

  it(`gives right answers or PoolErrors through ${LIES} seeded lies`, async () => {
    const half = Math.ceil(LIES / LIES_PER_ROUND / 2);
    const outcomes = await Promise.all([play(1, half, false), play(1 + half, half, false)]);
    for (const outcome of outcomes) expectNoFailure(outcome);
    const lies = outcomes.reduce((sum, outcome) => sum + outcome.lies, 0);
    expect(lies).to.be.at.least(LIES);
    // The lies are met: damage is seen, and what cannot be opened is refused.
    for (const { codes } of outcomes) expect(codes).to.include.keys('POOL_CORRUPT', 'FORMAT_MISMATCH');
  }).timeout(0);
});
