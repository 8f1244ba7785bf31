/**
 * Question: does an object of a gigabyte cost a remote node more to get and read than the node that made it, or than
 * private memory?
 *
 * Remote is another process. Both get the object and add up its 32-bit words. No byte is moved by get; what a remote's
 * first scan pays beyond a later one is the kernel entering pages into its page table. Every scan's sum is checked.
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { connect, type Pool } from '../src/index.js';
import type { Benchmark, Context } from './frame.js';
import { addFigures, interleave } from './interleave.js';
import { fillWords, KEY, type Scans, SMALL_OBJECTS, scanAll, smallKey } from './large.remote.js';
import { scratchFolder } from './scratch.js';

const MIB = 1024 * 1024;
const GET_GOAL = '<= 10';
const SCAN_GOAL = '>= 0.95';
const CELLS = ['local get and scan', 'remote get and scan', 'put'] as const;

function bytesOf(context: Context): number {
  return context.pick(16 * MIB, 1024 * MIB);
}

/** Room for the object, and for the odd chunk that is in the way. */
async function poolFor(context: Context): Promise<{ pool: Pool; path: string }> {
  const size = Math.ceil(bytesOf(context) * 1.25) + 64 * MIB;
  const path = join(scratchFolder(size), 'pool');
  return { path, pool: await connect(path, { create: { size, pageSize: MIB, maxObjects: 4096, maxNodes: 8 } }) };
}

function makeObject(context: Context, pool: Pool): void {
  const draft = pool.create(KEY, bytesOf(context));
  fillWords(draft.bytes, context.seed);
  draft.seal();
  for (let i = 0; i < SMALL_OBJECTS; i++) pool.put(smallKey(i), new Uint8Array(1024).fill(i));
}

async function scanRemotely(context: Context, path: string, rounds: number): Promise<Scans> {
  const child = fork(fileURLToPath(new URL('large.remote.js', import.meta.url)), [
    path,
    String(context.seed),
    String(rounds),
  ]);
  let scans: Scans | undefined;
  child.on('message', (message) => {
    scans = message as Scans;
  });
  const [code] = await once(child, 'exit');
  if (code !== 0 || scans === undefined) throw new Error(`The remote ended with exit code ${code}.`);
  return scans;
}

function addScans(context: Context, cell: string, bytes: number, all: readonly Scans[]): void {
  const perGiB = (series: (scans: Scans) => readonly number[]) =>
    all.flatMap(series).map((ms) => bytes / 2 ** 30 / (ms / 1000));
  const name = (what: string) => `${cell}: ${what}`;
  const privately = { name: name('scan of a private buffer'), series: perGiB((scans) => scans.privateMs) };
  context.add({
    name: name('first get'),
    unit: 'µs',
    series: all.map((scans) => scans.firstGetMs * 1e3),
    goal: GET_GOAL,
  });
  context.add({
    name: name('get'),
    unit: 'µs',
    series: all.flatMap((scans) => scans.getMs).map((ms) => ms * 1e3),
    goal: GET_GOAL,
  });
  context.add({ name: privately.name, unit: 'GiB/s', series: privately.series });
  context.add({
    name: name('scan of the page'),
    unit: 'GiB/s',
    series: perGiB((scans) => scans.sharedMs),
    baseline: privately,
    goal: SCAN_GOAL,
  });
  context.add({ name: name('first scan of the page'), unit: 'GiB/s', series: perGiB((scans) => [scans.firstScanMs]) });
  context.checked('sum of the words', all[0]?.sum ?? Number.NaN);
}

/** Which memory the machine hands out makes a difference of its own, so the object is made anew a few times. */
async function scanLocally(context: Context): Promise<Scans[]> {
  const all: Scans[] = [];
  for (let made = 0; made < context.pick(1, 3); made++) {
    const { pool } = await poolFor(context);
    makeObject(context, pool);
    all.push(scanAll(pool, context.seed, context.pick(2, 5, 15)));
    await pool.disconnect();
  }
  return all;
}

async function scanFromRemotes(context: Context): Promise<Scans[]> {
  const { pool, path } = await poolFor(context);
  makeObject(context, pool);
  const all: Scans[] = [];
  for (let node = 0; node < context.pick(1, 6, 18); node++) {
    all.push(await scanRemotely(context, path, context.pick(2, 3, 9)));
  }
  await pool.disconnect();
  return all;
}

async function measureGet(cell: string, context: Context): Promise<void> {
  const all = await (cell === CELLS[0] ? scanLocally(context) : scanFromRemotes(context));
  addScans(context, cell, bytesOf(context), all);
}

async function measurePut(cell: string, context: Context): Promise<void> {
  const { pool } = await poolFor(context);
  const bytes = bytesOf(context);
  const source = new Uint8Array(bytes);
  fillWords(source, context.seed);
  const target = new Uint8Array(bytes);
  const timed = (work: () => void) => {
    const start = performance.now();
    work();
    const elapsed = performance.now() - start;
    return { overriddenDuration: elapsed, overriddenIterationCost: elapsed };
  };
  const put = () => {
    if (!pool.put(KEY, source)) throw new Error('The key is still there.');
  };
  const arms = [
    { name: 'bare copy', batch: () => timed(() => target.set(source)) },
    {
      name: 'Pool.put',
      batch() {
        const sample = timed(put);
        const page = pool.get(KEY);
        const isWhole = page !== undefined && Buffer.compare(page.bytes.subarray(-MIB), source.subarray(-MIB)) === 0;
        page?.release();
        if (!isWhole || !pool.delete(KEY)) throw new Error('What was put is not there.');
        return sample;
      },
    },
  ];
  // The first of each pays for the kernel's page tables: a warm-up.
  const measured = await interleave(arms, { rounds: context.pick(3, 15, 45), sliceMs: 0, warmupRounds: 2 }, context);
  addFigures(context, measured, {
    prefix: `${cell}: `,
    unit: 'ms',
    from: (ms) => ms,
    baselineOf: () => 'bare copy',
  });
  context.checked('bytes put', bytes);
  await pool.disconnect();
}

export const benchmark: Benchmark = {
  question: 'does an object of a gigabyte cost a remote node more to get and read than private memory does?',
  cells: () => CELLS,
  run: (cell, context) => (cell === 'put' ? measurePut(cell, context) : measureGet(cell, context)),
};
