/**
 * Question: what is one shared cache worth against private ones of the same bytes, over workloads that differ?
 *
 * Four processes (`--set nodes=N`) over 32 MiB of pages, and half as many bytes of cache: a quarter of them in each process, or one
 * pool. What finds the pages, and SQLite's own cache of 16 pages a process, is of these bytes. Both arms have the same eviction
 * policy. A miss waits 1 ms and then reads the file: a page server is emulated (`--set source=direct`: no wait, past the OS page
 * cache). A time is what the processes spent at their work, on average; that one waits for another's round, or for its turn to
 * begin, does not count. Storage reads are the readers'.
 *
 * - htap: analytic queries on fresh snapshots beside a writer, from `bench -- htap`; its private caches are told what each commit
 *   changed, and its page server is a process.
 * - points: rows by Zipf's law, 0.99; a writer beside the readers updates one row for each 19 that are read, and commits between
 *   rounds. Private caches are told which pages changed, and read only those again.
 * - scans: each process reads the whole table, some times over, and begins a part of a scan later than the one before it.
 * - descents: keys anywhere in a tree of twice the cache's bytes.
 * - trace: a generated one, or the beginning of one by path (`--set trace=FILE`), without SQLite.
 */
import { availableParallelism } from 'node:os';
import { type ArmFigures, equalWork, runHtap } from '../adapters/compare/htap/index.js';
import { type Benchmark, type Context, type Figure, geometricMean, type Result } from './frame.js';
import { measureMemory } from './sharing.memory.js';
import { evictionOf, missOf, nodesOf, prepare, runArm } from './sharing.run.js';
import { ARMS, type ArmName, type Report, WORKLOADS, type WorkloadName } from './sharing.world.js';

const HTAP = 'htap';
/** Of the database: so many queries end within the time. */
const HTAP_SCALE = 0.08;
const QUERIES_MIN = 12;
const MEMORY = 'memory';
const READS_GOAL = '>= 3';
const TIME_GOAL = '>= 1.5';
const fewer = 'times fewer storage reads';
const less = 'times less time';

export interface Round {
  readonly reads: number;
  readonly ms: number;
  readonly hash: string;
}

/** Of all processes of an arm. */
export function roundOf(reports: readonly Report[]): Round {
  const sum = (of: (report: Report) => number) => reports.reduce((total, report) => total + of(report), 0);
  return {
    reads: sum(({ storageReads }) => storageReads),
    ms: sum(({ busyMs }) => busyMs) / reports.length,
    hash: reports.map(({ hash }) => hash).join(' '),
  };
}

/** Throws where a round had other answers than the rest. */
export function answersOf(workload: string, rounds: Record<ArmName, readonly Round[]>): string {
  const hashes = new Set(ARMS.flatMap((arm) => rounds[arm].map(({ hash }) => hash)));
  const [hash, ...others] = hashes;
  if (hash === undefined || others.length > 0) throw new Error(`${workload}: the answers of the arms differ.`);
  return hash;
}

async function compareArms(context: Context, workload: WorkloadName): Promise<void> {
  const prepared = await prepare(context, workload);
  const rounds: Record<ArmName, Round[]> = { private: [], shared: [] };
  for (let i = 0; i < context.pick(1, 2, 5); i++) {
    for (const arm of context.random.shuffle([...ARMS])) {
      rounds[arm].push(roundOf(await runArm(prepared, arm)));
    }
  }
  context.checked(workload, answersOf(workload, rounds));
  report(context, workload, rounds, prepared.notes);
}

/** One run an arm: the queries that both finished. */
async function compareHtap(context: Context): Promise<void> {
  const nodes = nodesOf(context, context.pick(2, 4));
  const { isDirect } = missOf(context);
  const seconds = context.pick(2, 40, 120);
  const { arms, fileSize } = await runHtap({
    arms: ['private-versioned', 'shared'],
    readers: nodes,
    rate: 50,
    memory: '50%',
    source: isDirect ? 'direct' : 'server',
    durationMs: seconds * 1_000,
    seed: context.seed,
    eviction: evictionOf(context),
    scale: context.pick(0.02, HTAP_SCALE),
    samplesMax: 22,
    judgeMs: context.pick(10_000, 20_000),
    lateJoiner: false,
    progress: () => {},
  });
  const [owned, shared] = arms as [ArmFigures, ArmFigures];
  const wrong = arms.flatMap((arm) => [...arm.wrong, ...arm.violations]);
  if (wrong.length > 0) throw new Error(`htap: ${wrong.join('; ')}`);
  context.checked('htap', wrong.length);
  const { queries, ms, storageReads } = equalWork(owned, shared);
  if (queries < context.pick(1, QUERIES_MIN)) {
    context.note(`htap: both arms finished ${queries} queries in ${seconds} s: too few to tell, so it is left out.`);
    return;
  }
  const roundOfArm = (index: 0 | 1): Round => ({ reads: storageReads[index], ms: ms[index] / nodes, hash: '' });
  const notes = [
    `${nodes} readers beside a writer of 50 transactions/s, ${(fileSize / 2 ** 20).toFixed(1)} MiB of database; ${seconds} s an arm, of which the ${queries} queries count that both finished; ${
      isDirect ? 'misses read the device (O_DIRECT)' : 'another process answers misses after 1 ms'
    }.`,
  ];
  report(context, 'htap', { private: [roundOfArm(0)], shared: [roundOfArm(1)] }, notes);
}

export function report(
  context: Context,
  workload: string,
  rounds: Record<ArmName, Round[]>,
  notes: readonly string[],
): void {
  const series = (arm: ArmName, of: (round: Round) => number) => rounds[arm].map(of);
  const figure = (what: string, unit: string, of: (round: Round) => number) => {
    for (const arm of ARMS) context.add({ name: `${workload}: ${what}, ${arm}`, unit, series: series(arm, of) });
  };
  const times = (what: string, of: (round: Round) => number, goal: string): Figure => {
    const shared = series('shared', of);
    return {
      name: `${workload}: ${what}`,
      unit: 'times',
      // Above 0, for the mean: who read nothing counts as one read.
      series: series('private', of).map((value, i) => Math.max(1, value) / Math.max(1, shared[i] as number)),
      goal,
    };
  };
  figure('storage reads', 'reads', ({ reads }) => reads);
  figure('time', 'ms', ({ ms }) => ms);
  context.add(times(fewer, ({ reads }) => reads, READS_GOAL));
  context.add(times(less, ({ ms }) => ms, TIME_GOAL));
  for (const note of notes) context.note(note);
}

/** One figure for each, over the workloads that ran. */
function summary(results: readonly Result[]): Figure[] {
  return [
    { what: fewer, goal: READS_GOAL },
    { what: less, goal: TIME_GOAL },
  ].flatMap(({ what, goal }) => {
    const values = results.filter(({ name }) => name.endsWith(`: ${what}`)).map(({ value }) => value);
    if (values.length === 0) return [];
    const name = `geometric mean of ${values.length}: ${what}`;
    return [{ name, unit: 'times', series: [geometricMean(values)], goal }];
  });
}

export const benchmark: Benchmark = {
  question: 'what is one shared cache worth against private ones of the same bytes, over workloads that differ?',
  settings: {
    nodes: `processes, 4 unless given (this machine has ${availableParallelism()} processors)`,
    source: 'server, which answers a miss after 1 ms (emulated), or direct',
    eviction: 'of both arms: s3-fifo unless given, adaptive-2q, sieve, lru',
    trace: 'a file of accesses of any format in docs/TRACES.md, in place of the generated one',
  },
  cells: () => [HTAP, ...WORKLOADS, MEMORY],
  run(cell, context) {
    if (cell === HTAP) return compareHtap(context);
    return cell === MEMORY ? measureMemory(context) : compareArms(context, cell as WorkloadName);
  },
  summary,
};
