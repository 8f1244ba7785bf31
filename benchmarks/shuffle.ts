/**
 * Question: how much sooner is a dataset sorted by four nodes when the pieces they exchange lie in one shared pool, rather
 * than in a store per node from which the others fetch them?
 *
 * The nodes are processes of one machine, and its loopback interface is their network: what is compared is software, not a
 * memory fabric with a network. Every arm has the same memory for its objects, the pool all of it and each store a
 * quarter, and the same code maps, sorts and verifies. All nodes end one phase before any begins the next. Making the input,
 * the pool and the processes, and verifying the result is not counted. Nor is what it takes the pool's nodes to map it page
 * by page beforehand (`prefault`), as nodes do that stay with a pool: the line `start` has it.
 *
 * `shared pool`: pieces are written into the pool and sorted from there. `raw buffers`: pieces lie in their node's store and
 * are fetched over TCP as they are. `v8, typed arrays`: the same, each piece through v8.serialize as one typed array.
 * `v8, records`: as an array of records with key and value.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { format } from '../src/index.js';
import type { Benchmark, Context } from './frame.js';
import { diskFolder, scratchFolder } from './scratch.js';
import { type ArmName, NODES, type Setting } from './shuffle.media.js';
import type { Answer, Order, Spent } from './shuffle.node.js';
import { makeRecords, PARTITIONS, RECORD_BYTES, sharesOf, type Totals } from './shuffle.records.js';

const MIB = 2 ** 20;
const GIB = 2 ** 30;
const SPLIT_BYTES_MAX = 64 * MIB;
const TASKS_MIN = 16;
/** Objects may take so many times the dataset: in a store per node, most pieces are there twice. */
const MEMORY_FACTOR = 2;
const SKEW = 1.2;
const CELLS = ['equal partitions', 'skewed partitions'] as const;
const ARMS: readonly ArmName[] = ['shared pool', 'raw buffers', 'v8, typed arrays', 'v8, records'];
const END_TO_END_GOAL = '>= 2.8';
const EXCHANGE_GOAL = '>= 5';

interface Input {
  readonly path: string;
  readonly folder: string;
  readonly tasks: number;
  readonly splitBytes: number;
  readonly totals: Totals;
}

interface Outcome {
  /** Until all processes were there, and the pool's had mapped it. */
  readonly startMs: number;
  readonly mapMs: number;
  readonly exchangeMs: number;
  readonly reduceMs: number;
  readonly cpuMs: number;
  readonly spilledBytes: readonly number[];
  readonly peakBytes: readonly number[];
}

function makeInput(context: Context, exponent: number): Input {
  const wanted = context.size ?? context.pick(8 * MIB, GIB, 4 * GIB);
  const splitBytes = Math.floor(Math.min(SPLIT_BYTES_MAX, wanted / TASKS_MIN) / RECORD_BYTES) * RECORD_BYTES;
  if (splitBytes === 0) throw new Error(`${wanted} bytes are too few to shuffle.`);
  const tasks = Math.ceil(Math.round(wanted / splitBytes) / NODES) * NODES;
  const folder = scratchFolder(tasks * splitBytes * (1 + MEMORY_FACTOR));
  const path = join(folder, 'input');
  const file = openSync(path, 'wx');
  const words = new Int32Array(splitBytes / 4);
  const shares = sharesOf(exponent);
  let count = 0;
  let sum = 0;
  for (let task = 0; task < tasks; task++) {
    const totals = makeRecords(words, context.random, shares);
    if (writeSync(file, words) !== splitBytes) throw new Error('The input could not be written whole.');
    count += totals.count;
    sum = (sum + totals.sum) | 0;
  }
  closeSync(file);
  return { path, folder, tasks, splitBytes, totals: { count, sum } };
}

interface Done<P extends Answer['phase']> {
  readonly answers: (Extract<Answer, { phase: P }> & Spent)[];
  /** From the order to the last answer. */
  readonly ms: number;
  readonly cpuMs: number;
}

function sumOf(spent: readonly Spent[]): number {
  return spent.reduce((sum, { cpuMs }) => sum + cpuMs, 0);
}

/** The four nodes of one run. */
class Cluster {
  private readonly nodes: readonly ChildProcess[];

  constructor(settings: readonly Setting[]) {
    const path = fileURLToPath(new URL('shuffle.node.js', import.meta.url));
    this.nodes = settings.map((setting) => fork(path, [JSON.stringify(setting)]));
  }

  /** Once all nodes have answered: what they said, in order. */
  answers<P extends Answer['phase']>(phase: P): Promise<Done<P>['answers']> {
    return Promise.all(
      this.nodes.map(async (node, number) => {
        const stop = new AbortController();
        const { signal } = stop;
        const ended = once(node, 'exit', { signal }).then(([code]) => {
          throw new Error(`Node ${number} ended with exit code ${code} during ${phase}.`);
        });
        ended.catch(() => undefined);
        const [answer] = (await Promise.race([once(node, 'message', { signal }), ended])) as [Answer];
        stop.abort();
        if (answer.phase !== phase) throw new Error(`Node ${number} answered ${answer.phase}, not ${phase}.`);
        return answer as Extract<Answer, { phase: P }> & Spent;
      }),
    );
  }

  /** All nodes do the phase. */
  async order<O extends Order>(order: O): Promise<Done<O['phase']>> {
    const start = performance.now();
    const answered = this.answers<O['phase']>(order.phase);
    for (const node of this.nodes) node.send(order);
    const answers = await answered;
    const ms = performance.now() - start;
    return { answers, ms, cpuMs: sumOf(answers) };
  }

  kill(): void {
    for (const node of this.nodes) node.kill('SIGKILL');
  }
}

async function runPhases(cluster: Cluster, input: Input): Promise<Outcome> {
  const begun = performance.now();
  const ready = await cluster.answers('ready');
  const startMs = performance.now() - begun;
  const map = await cluster.order({ phase: 'map' });
  const sizes = Object.assign({}, ...map.answers.map((answer) => answer.sizes)) as Record<number, number>;
  const exchange = await cluster.order({ phase: 'exchange', sizes, ports: ready.map(({ port }) => port) });
  const reduce = await cluster.order({ phase: 'reduce' });
  const verify = await cluster.order({ phase: 'verify' });
  const count = verify.answers.reduce((total, answer) => total + answer.count, 0);
  const sum = verify.answers.reduce((total, answer) => (total + answer.sum) | 0, 0);
  if (count !== input.totals.count || sum !== input.totals.sum) {
    throw new Error(`Sorted were ${count} records of sum ${sum}, not ${input.totals.count} of ${input.totals.sum}.`);
  }
  await cluster.order({ phase: 'end' });
  return {
    startMs,
    mapMs: map.ms,
    exchangeMs: exchange.ms,
    reduceMs: reduce.ms,
    cpuMs: map.cpuMs + exchange.cpuMs + reduce.cpuMs,
    spilledBytes: reduce.answers.map((answer) => answer.spilledBytes),
    peakBytes: reduce.answers.map((answer) => answer.peakBytes),
  };
}

async function runArm(arm: ArmName, input: Input): Promise<Outcome> {
  const { tasks, splitBytes } = input;
  const memory = tasks * splitBytes * MEMORY_FACTOR;
  const poolPath = join(input.folder, 'pool');
  const spillFolder = diskFolder();
  if (arm === 'shared pool') {
    // This process is no node of it: on Node 20 it would keep each round's pool mapped, and so its memory taken.
    await format(poolPath, {
      size: memory,
      // Chunks of a few pieces: a large chunk takes long to search for room.
      pageSize: Math.max(512, Math.floor(splitBytes / PARTITIONS / 8)),
      // Every shard takes its part of them, and keys fall to the shards by chance.
      maxObjects: tasks * PARTITIONS * 2,
      maxNodes: NODES,
      eviction: 'none',
    });
  }
  const settings = Array.from({ length: NODES }, (_, node) => {
    const spillPath = join(spillFolder, `spill-${node}`);
    return { arm, node, tasks, splitBytes, inputPath: input.path, poolPath, spillPath, storeBytes: memory / NODES };
  });
  const cluster = new Cluster(settings);
  try {
    return await runPhases(cluster, input);
  } finally {
    cluster.kill();
    rmSync(poolPath, { force: true });
    rmSync(spillFolder, { recursive: true });
  }
}

type Outcomes = ReadonlyMap<ArmName, readonly Outcome[]>;

function addPhase(
  context: Context,
  cell: string,
  outcomes: Outcomes,
  phase: string,
  msOf: (outcome: Outcome) => number,
  goalOf: (arm: ArmName) => string | undefined = () => undefined,
): void {
  const name = (arm: ArmName) => `${cell}: ${phase}, ${arm}`;
  const seriesOf = (arm: ArmName) => (outcomes.get(arm) ?? []).map((outcome) => msOf(outcome) / 1000);
  const baseline = { name: name('shared pool'), series: seriesOf('shared pool') };
  for (const arm of ARMS) {
    const goal = goalOf(arm);
    context.add({
      name: name(arm),
      unit: 's',
      series: seriesOf(arm),
      ...(arm === 'shared pool' ? {} : { baseline }),
      ...(goal === undefined ? {} : { goal }),
    });
  }
}

function addUsage(context: Context, cell: string, outcomes: Outcomes): void {
  const add = (what: string, arm: ArmName, bytesOf: (outcome: Outcome) => number) =>
    context.add({
      name: `${cell}: ${what}`,
      unit: 'MiB',
      series: (outcomes.get(arm) ?? []).map((outcome) => bytesOf(outcome) / MIB),
    });
  for (const arm of ARMS) {
    const where = arm === 'shared pool' ? arm : `fullest store of ${arm}`;
    add(`in use, ${where}`, arm, ({ peakBytes }) => Math.max(...peakBytes));
  }
  for (const arm of ARMS) {
    for (let node = 0; node < NODES; node++) {
      add(`spilled, ${arm}, node ${node}`, arm, ({ spilledBytes }) => spilledBytes[node] as number);
    }
  }
}

async function measure(cell: string, context: Context): Promise<void> {
  const isSkewed = cell === CELLS[1];
  const input = makeInput(context, isSkewed ? SKEW : 0);
  const outcomes = new Map(ARMS.map((arm): [ArmName, Outcome[]] => [arm, []]));
  const rounds = isSkewed ? context.pick(1, 2, 3) : context.pick(1, 3, 5);
  for (let round = 0; round < rounds; round++) {
    for (const arm of context.random.shuffle([...ARMS])) outcomes.get(arm)?.push(await runArm(arm, input));
  }
  const isSerialized = (arm: ArmName) => arm.startsWith('v8');
  const total = ({ mapMs, exchangeMs, reduceMs }: Outcome) => mapMs + exchangeMs + reduceMs;
  addPhase(context, cell, outcomes, 'end to end', total, (arm) => (isSerialized(arm) ? END_TO_END_GOAL : undefined));
  addPhase(context, cell, outcomes, 'processor time', ({ cpuMs }) => cpuMs);
  addPhase(context, cell, outcomes, 'map', ({ mapMs }) => mapMs);
  const exchange = ({ exchangeMs }: Outcome) => exchangeMs;
  addPhase(context, cell, outcomes, 'exchange', exchange, (arm) => (arm === 'raw buffers' ? EXCHANGE_GOAL : undefined));
  addPhase(context, cell, outcomes, 'reduce', ({ reduceMs }) => reduceMs);
  addPhase(context, cell, outcomes, 'start, not counted', ({ startMs }) => startMs);
  addUsage(context, cell, outcomes);
  const bytes = input.tasks * input.splitBytes;
  const size = (value: number) => `${(value / MIB).toFixed(0)} MiB`;
  context.note(
    `${size(bytes)} in ${input.tasks} map tasks and ${PARTITIONS} partitions on ${NODES} processes of one machine. Memory for ` +
      `objects: the pool ${size(bytes * MEMORY_FACTOR)}, each store ${size((bytes * MEMORY_FACTOR) / NODES)}.`,
  );
  context.note(
    'The pool moves no byte in the exchange: its pages are entered into page tables and caches during reduce.',
  );
  context.checked('records', input.totals.count);
  context.checked('sum of the records', input.totals.sum);
}

export const benchmark: Benchmark = {
  question: 'how much sooner is a dataset sorted when the nodes exchange it through a pool, not by fetching?',
  takesSize: true,
  cells: () => CELLS,
  run: measure,
};
