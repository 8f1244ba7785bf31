/**
 * Question: a primary with a gigabyte of window state dies. How long until a standby gives its first correct answer, and
 * what did it cost the primary to make that possible?
 *
 * A real primary aggregates a stream and commits a checkpoint after each pane; it is killed with kill -9 at a random
 * moment; a standby that was attached all along sees the kernel's death mark, restores and answers. All are processes of
 * one machine. Beside it, in the same round and of the same state: loading it from a file into private memory (with the
 * file's pages dropped from the page cache, and with them there), pulling it over a TCP socket on the loopback from a
 * process that has it in memory, and making it again from the stream. Those begin when they are told to, without the
 * time to detect the death, and their processes run already.
 *
 * Every answer, and a sum over every word of every state, is compared with those of the replay: an uninterrupted run.
 */
import { type ChildProcess, fork, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, fsyncSync, openSync, rmSync, statfsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ownFolder } from '../lib/linux/index.js';
import { format } from '../src/index.js';
import type { Committed } from './failover.primary.js';
import type { Order, Rival, Rivalled } from './failover.rivals.js';
import type { TakenOver } from './failover.standby.js';
import { aggregate, type How, nowMs, paneBytes, type Shape, stateBytes, sumOf, type Task } from './failover.stream.js';
import { type Benchmark, type Context, median, quantile } from './frame.js';
import { scratchFolder } from './scratch.js';

const MIB = 1024 * 1024;
const TMPFS_MAGIC = 0x01021994;
const CELLS = ['in drafts', 'copied at commit'] as const satisfies readonly How[];

/** One fail-over, with its rivals. Milliseconds. */
interface Round {
  readonly detection: number;
  readonly restore: number;
  readonly query: number;
  readonly first: number;
  readonly whole: number;
  readonly lost: number;
  /** Of the first checkpoint, which has no part to carry over. */
  readonly firstPause: number;
  readonly pauses: readonly number[];
  readonly rivals: Readonly<Record<RivalArm, number>>;
}

type RivalArm = 'cold file' | 'hot file' | 'socket' | 'replay';

function shapeOf(context: Context): Shape {
  const bytes = context.pick(16 * 1024, MIB);
  const panes = context.pick(64, 1024);
  return { seed: context.seed, symbols: bytes / 32, panes, tradesPerPane: context.pick(2000, 50_000) };
}

class Processes {
  private readonly all: ChildProcess[] = [];
  private readonly argument: string;

  constructor(task: Task) {
    this.argument = JSON.stringify(task);
  }

  start(name: 'primary' | 'standby' | 'rivals'): ChildProcess {
    const child = fork(fileURLToPath(new URL(`failover.${name}.js`, import.meta.url)), [this.argument], {
      serialization: 'advanced',
    });
    this.all.push(child);
    return child;
  }

  killAll(): void {
    for (const child of this.all) child.kill('SIGKILL');
  }
}

/** The next message; fails when the process ends without one. */
async function said<T>(child: ChildProcess, what: string): Promise<T> {
  const ended = once(child, 'exit').then(([code, signal]) => {
    throw new Error(`The process of ${what} ended with ${signal ?? code} without a word.`);
  });
  const [message] = await Promise.race([once(child, 'message'), ended]);
  return message as T;
}

/** Has the kernel forget the file's pages: dd asks for it by posix_fadvise. */
function dropFromCache(file: string): void {
  const descriptor = openSync(file, 'r+');
  fsyncSync(descriptor);
  closeSync(descriptor);
  const { status, stderr } = spawnSync('dd', [`if=${file}`, 'iflag=nocache', 'count=0'], { encoding: 'utf8' });
  if (status !== 0) throw new Error(`dd could not drop the file from the page cache: ${stderr}`);
}

async function rival(processes: Processes, name: Rival, window: Omit<Order, 'rival'>): Promise<Rivalled> {
  const child = processes.start('rivals');
  await said(child, name);
  child.send({ ...window, rival: name } satisfies Order);
  return said<Rivalled>(child, name);
}

async function keeperPort(processes: Processes, window: Omit<Order, 'rival'>): Promise<number> {
  const child = processes.start('rivals');
  await said(child, 'the keeper');
  child.send({ ...window, rival: 'keeper' } satisfies Order);
  return said<number>(child, 'the keeper');
}

async function runRivals(task: Task, taken: TakenOver): Promise<Round['rivals']> {
  const processes = new Processes(task);
  try {
    const { firstPane, lastPane } = taken.position;
    const window = { firstPane, lastPane, port: 0 };
    const replayed = await rival(processes, 'replay', window);
    dropFromCache(task.file);
    const cold = await rival(processes, 'file', window);
    const hot = await rival(processes, 'file', window);
    const port = await keeperPort(processes, window);
    const socket = await rival(processes, 'socket', { ...window, port });
    for (const [name, other] of Object.entries({ 'the standby': taken, cold, hot, socket })) {
      if (other.text !== replayed.text || other.sum !== replayed.sum)
        throw new Error(`${name} answers\n${other.text}\nthe uninterrupted run\n${replayed.text}`);
    }
    const time = (one: Rivalled) => one.answeredAtMs - one.startedAtMs;
    return { 'cold file': time(cold), 'hot file': time(hot), socket: time(socket), replay: time(replayed) };
  } finally {
    processes.killAll();
  }
}

/** Runs a primary until it has committed often enough, kills it at some moment after, and has the standby take over. */
async function failOver(context: Context, task: Task): Promise<Omit<Round, 'rivals'> & { taken: TakenOver }> {
  const processes = new Processes(task);
  try {
    const primary = processes.start('primary');
    const commits: Committed[] = [await said<Committed>(primary, 'the primary')];
    primary.on('message', (committed) => commits.push(committed as Committed));
    const standby = processes.start('standby');
    await said(standby, 'the standby');
    standby.send((commits[0] as Committed).node);
    await said(standby, 'the standby');
    const enough = commits.length + context.pick(5, 8);
    while (commits.length < enough) await said(primary, 'the primary');
    await new Promise((resolve) => setTimeout(resolve, context.random.below(task.intervalMs)));
    const takenOver = said<TakenOver>(standby, 'the standby');
    const killedAtMs = nowMs();
    primary.kill('SIGKILL');
    const taken = await takenOver;
    const last = commits.at(-1) as Committed;
    if (taken.sequence < last.sequence)
      throw new Error(`Commit ${last.sequence} had returned, and ${taken.sequence} was restored.`);
    return {
      taken,
      detection: taken.detectedAtMs - killedAtMs,
      restore: taken.restoredAtMs - taken.detectedAtMs,
      query: taken.answeredAtMs - taken.restoredAtMs,
      first: taken.answeredAtMs - killedAtMs,
      whole: taken.summedAtMs - killedAtMs,
      lost: killedAtMs - taken.position.atMs,
      firstPause: (commits[0] as Committed).pauseMs,
      pauses: commits.slice(1).map(({ pauseMs }) => pauseMs),
    };
  } finally {
    processes.killAll();
  }
}

async function runRound(context: Context, how: How): Promise<Round> {
  const shape = shapeOf(context);
  const size = Math.ceil(stateBytes(shape) * 1.4) + 64 * MIB;
  const folder = scratchFolder(size);
  const disk = ownFolder(tmpdir(), 'failover');
  const path = join(folder, 'pool');
  const task = { path, file: join(disk, 'state'), shape, how, intervalMs: context.pick(100, 1000) };
  try {
    await format(path, { size, pageSize: Math.min(paneBytes(shape), 256 * 1024), maxObjects: 8192, maxNodes: 8 });
    const { taken, ...round } = await failOver(context, task);
    rmSync(path);
    return { ...round, rivals: await runRivals(task, taken) };
  } finally {
    rmSync(folder, { recursive: true, force: true });
    rmSync(disk, { recursive: true, force: true });
  }
}

function addFigures(context: Context, how: How, rounds: readonly Round[]): void {
  const name = (what: string) => `${how}: ${what}`;
  const series = (of: (round: Round) => number) => rounds.map(of);
  const ms = (what: string, of: (round: Round) => number, goal?: string) =>
    context.add({ name: name(what), unit: 'ms', series: series(of), ...(goal === undefined ? {} : { goal }) });
  ms('kill to detection', (round) => round.detection);
  ms('detection to restored', (round) => round.restore);
  ms('restored to first answer', (round) => round.query);
  ms('kill to first answer', (round) => round.first, '<= 50');
  ms('kill to every word of the state read', (round) => round.whole);
  ms('stream lost: last checkpoint to kill', (round) => round.lost);
  ms("primary's pause for a checkpoint, median", (round) => median(round.pauses));
  ms("primary's pause for a checkpoint, 99th of 100", (round) => quantile(round.pauses, 0.99));
  ms("primary's pause for the first checkpoint, all of the state", (round) => round.firstPause);
  const baseline = { name: name('kill to first answer'), series: series((round) => round.first) };
  for (const arm of ['cold file', 'hot file', 'socket', 'replay'] as const) {
    const goal = arm === 'cold file' ? { goal: '>= 40' } : {};
    const what = name(`first answer by ${arm}, without detection`);
    context.add({ name: what, unit: 'ms', series: series((round) => round.rivals[arm]), baseline, ...goal });
  }
}

export const benchmark: Benchmark = {
  question: 'a primary with a gigabyte of state dies: how long to the first correct answer of a standby?',
  cells: () => CELLS,
  async run(cell, context) {
    const shape = shapeOf(context);
    const first = new Float64Array(paneBytes(shape) / 8);
    aggregate(shape, 0, first);
    context.checked('pane 0', sumOf(new Map([[0, first]])));
    const rounds: Round[] = [];
    for (let i = 0; i < context.pick(1, 4, 12); i++) rounds.push(await runRound(context, cell as How));
    addFigures(context, cell as How, rounds);
    context.note(`State: ${stateBytes(shape) / MIB} MiB in ${shape.panes} parts; one part is new in each checkpoint.`);
    if (statfsSync(tmpdir()).type === TMPFS_MAGIC)
      context.note(`The file lies in ${tmpdir()}, which is memory: the cold file is not cold.`);
  },
};
