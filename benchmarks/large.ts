/**
 * Question: does an object of a gigabyte cost a remote node more to get and read than the node that made it, or than
 * private memory?
 *
 * Remote is another process. Both get the object and read all of it, by a loop that adds up its 32-bit words and by a
 * search for a byte that is not there; every answer is checked. No byte is moved by get; what a remote's first scan pays
 * beyond a later one is the kernel entering pages into its page table, which `prefault` does at connect. The object is made
 * anew for every process: which memory the machine hands out makes a difference of its own.
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { connect, format } from '../src/index.js';
import type { Benchmark, Context } from './frame.js';
import { addFigures, interleave } from './interleave.js';
import { fillWords, KEY, type Scans, type Target, type Task, WAYS } from './large.node.js';
import { measureRival } from './large.rival.js';
import { scratchFolder } from './scratch.js';

const MIB = 1024 * 1024;
const GET_GOAL = '<= 10';
const SCAN_GOAL = '>= 0.95';
const CELLS = [
  'local get and scan',
  'remote get and scan',
  'remote, prefaulted',
  'remote, against TCP',
  'put',
] as const;
const [, , PREFAULTED, AGAINST_TCP] = CELLS;

function bytesOf(context: Context): number {
  return context.size ?? context.pick(16 * MIB, 1024 * MIB);
}

/** Room for the object, and for the odd chunk that is in the way. */
function optionsFor(context: Context) {
  const size = Math.ceil(bytesOf(context) * 1.25) + 64 * MIB;
  return { size, pageSize: MIB, maxObjects: 4096, maxNodes: 8 };
}

async function runNode(task: Task): Promise<Scans | undefined> {
  const child = fork(fileURLToPath(new URL('large.node.js', import.meta.url)), [JSON.stringify(task)]);
  let found: Scans | null = null;
  child.on('message', (message) => {
    found = message as Scans | null;
  });
  const [code] = await once(child, 'exit');
  if (code !== 0) throw new Error(`The node ended with exit code ${code}.`);
  return found ?? undefined;
}

function addGets(context: Context, cell: string, all: readonly Scans[]): void {
  const add = (what: string, series: readonly number[], goal?: string) =>
    context.add({
      name: `${cell}: ${what}`,
      unit: 'µs',
      series: series.map((ms) => ms * 1e3),
      ...(goal === undefined ? {} : { goal }),
    });
  add(
    'connect',
    all.map((scans) => scans.connectMs),
  );
  add(
    'first get of the process',
    all.map((scans) => scans.coldGetMs),
  );
  add(
    'first get',
    all.map((scans) => scans.firstGetMs),
    GET_GOAL,
  );
  add(
    'get',
    all.flatMap((scans) => scans.getMs),
    GET_GOAL,
  );
}

/** Against a private copy, and that one against another: a ratio within the second one's spread shows nothing. */
function addScans(context: Context, cell: string, bytes: number, all: readonly Scans[]): void {
  const add = (what: string, msOf: (scans: Scans, target: Target) => readonly number[], goal?: string) => {
    const seriesOf = (target: Target) =>
      all.flatMap((scans) => msOf(scans, target)).map((ms) => bytes / 2 ** 30 / (ms / 1000));
    const name = (target: Target) => `${cell}: ${what}, ${target}`;
    const baseline = { name: name('private'), series: seriesOf('private') };
    const unit = 'GiB/s';
    context.add({ name: name('private'), unit, series: baseline.series });
    context.add({ name: name('other private'), unit, series: seriesOf('other private'), baseline });
    const goals = goal === undefined ? {} : { goal };
    context.add({ name: name('page'), unit, series: seriesOf('page'), baseline, ...goals });
  };
  for (const way of WAYS) add(way, (scans, target) => scans.scanMs[way][target], SCAN_GOAL);
  add('first loop', (scans, target) => [scans.firstScanMs[target]]);
  context.checked('sum of the words', all[0]?.sum ?? Number.NaN);
}

async function measureGet(cell: string, context: Context): Promise<void> {
  const all: Scans[] = [];
  const isLocal = cell === CELLS[0];
  const options = optionsFor(context);
  const path = join(scratchFolder(options.size), 'pool');
  for (let made = 0; made < context.pick(1, 7, 21); made++) {
    await format(path, options);
    const task: Task = {
      path,
      bytes: bytesOf(context),
      seed: context.seed,
      rounds: context.pick(1, 2, 6),
      prefault: cell === PREFAULTED ? 'sync' : 'none',
      makes: true,
      scans: isLocal,
    };
    const local = await runNode(task);
    const scans = isLocal ? local : await runNode({ ...task, makes: false, scans: true });
    if (scans !== undefined) all.push(scans);
    rmSync(path);
  }
  addGets(context, cell, all);
  addScans(context, cell, bytesOf(context), all);
}

async function measurePut(cell: string, context: Context): Promise<void> {
  const create = optionsFor(context);
  const pool = await connect(join(scratchFolder(create.size), 'pool'), { create });
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
  takesSize: true,
  cells: () => CELLS,
  run(cell, context) {
    if (cell === 'put') return measurePut(cell, context);
    if (cell === AGAINST_TCP) return measureRival(cell, context, optionsFor(context), bytesOf(context));
    return measureGet(cell, context);
  },
};
