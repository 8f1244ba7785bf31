/**
 * Question: what does a miss cost that makes room, and do more processes serve more of them?
 *
 * A full pool of 896 pages of 8 KiB, and processes that read random ones of 4,224 through it (readThrough); whoever misses
 * loads, and the loader only copies. Beside it, in the same rounds, each process does so with a private lru-cache of as many
 * pages, which stores a copy. So four of five reads are misses, and a figure is per miss, with the hits between them.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { connect } from './build.js';
import { type Benchmark, type Context, median } from './frame.js';
import type { Missed, Order } from './miss.node.js';
import { ARMS, PAGE } from './miss.pages.js';
import { countWords } from './miss.words.js';
import { scratchFolder } from './scratch.js';
import { inTurn } from './turns.js';

const SIZE = Math.floor(8.3 * 1024 * 1024);
const COUNTED = 'what a miss touches';
const CELLS = ['1 process', '2 processes', '4 processes', COUNTED] as const;
const MICROSECONDS_GOALS: Record<string, string> = { 1: '<= 2', 2: '<= 2.2', 4: '<= 4.4' };

async function round(nodes: readonly ChildProcess[], order: Order): Promise<Missed[]> {
  const answers = nodes.map((node) => once(node, 'message'));
  for (const node of nodes) node.send(order);
  return (await Promise.all(answers)).map(([answer]) => answer as Missed);
}

async function measure(context: Context, processes: number): Promise<void> {
  const path = join(scratchFolder(SIZE), 'pool');
  const pool = await connect(path, { create: { size: SIZE, pageSize: PAGE } });
  const program = fileURLToPath(new URL('miss.node.js', import.meta.url));
  const nodes = Array.from({ length: processes }, (_, i) => fork(program, [path, String(context.seed + i)]));
  await Promise.all(nodes.map((node) => once(node, 'message')));
  const ms = context.pick(60, 300);
  const rounds = new Map<string, { micros: number[]; perSecond: number[]; p99: number[] }>(
    ARMS.map((arm) => [arm, { micros: [], perSecond: [], p99: [] }]),
  );
  const warmup = context.pick(1, 4);
  for (let i = -warmup; i < context.pick(3, 21, 61); i++) {
    for (const arm of context.random.shuffle([...ARMS])) {
      const missed = await inTurn(() => round(nodes, { arm, ms }));
      if (i < 0) continue;
      const of = rounds.get(arm) as { micros: number[]; perSecond: number[]; p99: number[] };
      of.micros.push(median(missed.map(({ microseconds }) => microseconds)));
      of.perSecond.push(missed.reduce((sum, { microseconds }) => sum + 1000 / microseconds, 0));
      of.p99.push(Math.max(...missed.map(({ p99 }) => p99)));
    }
  }
  report(context, processes, rounds);
  for (const node of nodes) node.disconnect();
  await Promise.all(nodes.map((node) => once(node, 'exit')));
  context.checked('processes', processes);
  await pool.disconnect();
}

function report(
  context: Context,
  processes: number,
  rounds: ReadonlyMap<string, { micros: number[]; perSecond: number[]; p99: number[] }>,
): void {
  const [baseArm, arm] = ARMS;
  const base = rounds.get(baseArm) as { micros: number[]; perSecond: number[]; p99: number[] };
  const own = rounds.get(arm) as { micros: number[]; perSecond: number[]; p99: number[] };
  const named = (what: string, of: string) => `${processes}: ${what}, ${of}`;
  const goal = MICROSECONDS_GOALS[processes];
  context.add({ name: named('a miss', baseArm), unit: 'µs', series: base.micros });
  context.add({ name: named('a miss', arm), unit: 'µs', series: own.micros, ...(goal === undefined ? {} : { goal }) });
  context.add({
    name: named('a miss to a private one', arm),
    unit: 'µs',
    series: own.micros,
    baseline: { name: named('a miss', baseArm), series: base.micros },
  });
  context.add({ name: named('misses of all', baseArm), unit: 'thousand/s', series: base.perSecond });
  context.add({ name: named('misses of all', arm), unit: 'thousand/s', series: own.perSecond });
  context.add({ name: named('99 of 100 runs of 16 reads, each', baseArm), unit: 'µs', series: base.p99 });
  context.add({ name: named('99 of 100 runs of 16 reads, each', arm), unit: 'µs', series: own.p99 });
}

export const benchmark: Benchmark = {
  takesAgainst: true,
  question: 'What does a miss cost that makes room, and do more processes serve more of them?',
  cells: () => CELLS,
  run: (cell, context) =>
    cell === COUNTED
      ? countWords(context, join(scratchFolder(SIZE), 'pool'), SIZE)
      : measure(context, Number(cell.split(' ')[0])),
};
