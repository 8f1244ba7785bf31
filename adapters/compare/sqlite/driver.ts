/**
 * The sqlite workload of `sealpool compare`: N processes run the CH-benCHmark-derived queries over one database, once
 * per arm, in the same seeded orders, and every result is held against an uncached run.
 *
 * What a crash leaves: the pool file, removed by the next run; the database, kept on purpose.
 */
import { rmSync } from 'node:fs';
import { PoolError } from '../../../lib/errors.js';
import { dropCache, type GroupPlaces, openCacheLimit } from '../cgroup.js';
import { bytesText } from '../figures.js';
import type { ArmName, ArmResult, CompareResult, Progress } from '../types.js';
import {
  type Arm,
  armResult,
  ENGINE_CACHE_KIB,
  osCacheArm,
  privateArm,
  type SharedArm,
  sharedArm,
  warmUpSource,
} from './arms.js';
import { conclusions } from './conclusions.js';
import { type DatabaseFile, provideDatabase } from './database.js';
import { importEngine } from './engine.js';
import { PAGE_SIZE } from './generate.js';
import type { NodeResult, ReadTask } from './messages.js';
import { type RunResult, runNodes } from './nodes.js';
import { type Query, queries } from './queries.js';
import { cardinality } from './schema.js';
import { latencyDistribution, queryTimes, warming } from './series.js';
import { formatPool } from './shared-source.js';

export const DEFAULT_NODES = 4;
export const DEFAULT_MEMORY = '30%';
const DEFAULT_SCALE = 0.11;
const DEFAULT_ROUNDS = 1;
const sqliteArms: readonly ArmName[] = ['private-lru', 'shared', 'os-cache-limited', 'os-cache'];
const LATE_UNTIL = 0.125;
/** The uncached run is there to be right, not to be measured: SQLite's own cache may hold the whole file. */
const REFERENCE_CACHE_KIB = 256 * 1024;

export interface CompareSqliteOptions {
  readonly nodes: number;
  /** Total of each arm: bytes, '12MiB', or '30%' of the database file. */
  readonly memory: number | string;
  readonly eviction: 's3-fifo' | 'adaptive-2q' | 'sieve' | 'lru';
  /** A file or folder to keep the database in, on the device to be measured. */
  readonly storage?: string;
  readonly seed: number;
  readonly progress: Progress;
  /** Share of the specification's rows per warehouse. Default 0.11: a file of 18 MiB. */
  readonly scale?: number;
  /** How often each node runs the queries. Default 1. */
  readonly rounds?: number;
  /** Numbers of the specification's queries, 1 to 22. Default: all. */
  readonly queries?: readonly number[];
  /** The last node begins when the others have done an eighth of their work. Default false. */
  readonly lateJoiner?: boolean;
  /** In the order in which they run. Default: all. The limited OS cache is left out where none can be made. */
  readonly arms?: readonly ArmName[];
  /** Where memory cgroups are. Tests pass places without. */
  readonly groups?: GroupPlaces;
}

interface Plan {
  readonly options: CompareSqliteOptions;
  readonly database: DatabaseFile;
  readonly queries: readonly Query[];
  readonly rounds: number;
  readonly signal: AbortSignal;
}

/** Hashes of uncached results, by database and query; in memory only. */
const references = new Map<string, string>();

/** Throws EngineMissingError where the engine is not installed, OPTION_INVALID, and whatever failed a node. */
export async function compareSqlite(options: CompareSqliteOptions): Promise<CompareResult> {
  if (!Number.isSafeInteger(options.nodes) || options.nodes < 1) {
    throw new PoolError('OPTION_INVALID', `nodes is ${options.nodes}; it is a positive integer.`);
  }
  await importEngine();
  return interruptible((signal) => compare(options, signal));
}

/** Ctrl-C and a polite kill end the run as a failure does, with everything removed, and then take their usual effect. */
async function interruptible<Result>(work: (signal: AbortSignal) => Promise<Result>): Promise<Result> {
  const controller = new AbortController();
  let received: NodeJS.Signals | undefined;
  const interrupt = (name: NodeJS.Signals): void => {
    received = name;
    controller.abort(new PoolError('ABORTED', `The comparison was ended by ${name}.`));
  };
  const names: NodeJS.Signals[] = ['SIGINT', 'SIGTERM', 'SIGHUP'];
  for (const name of names) process.once(name, interrupt);
  try {
    return await work(controller.signal);
  } finally {
    for (const name of names) process.off(name, interrupt);
    if (received !== undefined && process.listenerCount(received) === 0) process.kill(process.pid, received);
  }
}

/** One that is alone cannot. */
function isLate({ lateJoiner, nodes }: CompareSqliteOptions): boolean {
  return lateJoiner === true && nodes > 1;
}

async function compare(options: CompareSqliteOptions, signal: AbortSignal): Promise<CompareResult> {
  const { nodes, seed, storage, progress } = options;
  const scale = options.scale ?? DEFAULT_SCALE;
  const database = await provideDatabase({
    seed,
    scale,
    ...(storage === undefined ? {} : { storage }),
    progress: (fraction, text) => progress({ arm: 'database', fraction, text }),
    signal,
  });
  const memory = bytesOf(options.memory, database.size);
  const all = queries(cardinality(scale));
  const chosen = all.filter(({ number }) => options.queries?.includes(number) ?? true);
  const plan: Plan = { options, database, queries: chosen, rounds: options.rounds ?? DEFAULT_ROUNDS, signal };
  const reference = await referenceHashes(plan);
  const results: ArmResult[] = [];
  const checks: { text: string; ok: boolean }[] = [];
  const byArm = new Map<ArmName, readonly NodeResult[]>();
  const leftOut: string[] = [];
  for (const name of options.arms ?? sqliteArms) {
    const ran = await runArm(plan, name, memory);
    if (typeof ran === 'string') {
      leftOut.push(`${name} is left out: ${ran}.`);
      continue;
    }
    const { arm, run } = ran;
    results.push(armResult(arm, run));
    checks.push(verify(plan, name, run, reference));
    byArm.set(name, run.results as readonly NodeResult[]);
  }
  return {
    nodes,
    memory,
    workload: workloadText(plan),
    seed,
    arms: results,
    checks,
    notes: [
      ...leftOut,
      ...conclusions(results, { nodes, memory, fileSize: database.size, engineCacheKiB: ENGINE_CACHE_KIB }),
      ...(isLate(options)
        ? [`The last of the nodes came late, when the others had done ${100 * LATE_UNTIL} % of their work.`]
        : []),
    ],
    series: [
      queryTimes(byArm, chosen, plan.rounds),
      latencyDistribution(byArm),
      ...(isLate(options) ? warming(byArm) : []),
    ],
  };
}

function workloadText({ queries: { length }, rounds, database }: Plan): string {
  const often = rounds === 1 ? '' : `${rounds} times `;
  return `sqlite: ${length} of the 22 CH-benCHmark-derived queries ${often}over ${bytesText(database.size)}`;
}

/** Why not, where it cannot be run here. */
async function runArm(plan: Plan, name: ArmName, memory: number): Promise<{ arm: Arm; run: RunResult } | string> {
  const { nodes } = plan.options;
  const { file, size } = plan.database;
  // As cold as those of the other arms.
  const ready = (): void => dropCache(file);
  switch (name) {
    case 'private-lru':
      return runReaders(plan, privateArm(nodes, memory, size), { ready });
    case 'shared':
      return runShared(plan, sharedArm(nodes, memory, size));
    case 'os-cache':
      return runReaders(plan, osCacheArm(size), { ready });
    case 'os-cache-limited':
      return runLimited(plan, memory);
    default:
      throw new PoolError('OPTION_INVALID', `The sqlite workload has no arm '${name}'.`);
  }
}

async function runLimited(plan: Plan, memory: number): Promise<{ arm: Arm; run: RunResult } | string> {
  const limit = openCacheLimit(plan.options.groups);
  if (typeof limit === 'string') return limit;
  using held = limit;
  const { file, size } = plan.database;
  const { arm, run } = await runReaders(plan, osCacheArm(size, memory), {
    started: (processId) => held.add(processId),
    ready: () => {
      dropCache(file);
      held.begin(memory);
    },
  });
  if (held.hasDropped) return { arm, run };
  const note = 'The limit had no effect: what these processes had the kernel cache never came up to it.';
  return { arm: { ...arm, notes: [...arm.notes, note] }, run };
}

async function runShared(plan: Plan, arm: SharedArm): Promise<{ arm: Arm; run: RunResult }> {
  const { nodes, eviction } = plan.options;
  const { poolPath, warmUpPath } = arm;
  const remove = (path: string): void => rmSync(path, { force: true });
  const removeBoth = (): void => [poolPath, warmUpPath].forEach(remove);
  process.on('exit', removeBoth);
  try {
    // One row more than readers: whoever looks in with the command line is a node, too.
    const format = { size: arm.poolSize, pageSize: PAGE_SIZE, maxNodes: nodes + 1, eviction };
    await formatPool(poolPath, format);
    await formatPool(warmUpPath, format);
    return await runReaders(plan, arm, { ready: () => remove(warmUpPath) });
  } finally {
    process.off('exit', removeBoth);
    removeBoth();
  }
}

/** What else is done when a node has started, and when all are ready to go. */
interface Moments {
  readonly started?: (processId: number) => void;
  readonly ready: () => void;
}

async function runReaders(plan: Plan, arm: Arm, { started, ready }: Moments): Promise<{ arm: Arm; run: RunResult }> {
  const { nodes, seed, progress } = plan.options;
  const { rounds, queries, database } = plan;
  const task = { task: 'read', file: database.file, source: arm.source, queries, rounds, seed } as const;
  const warmUp = { source: warmUpSource(arm), queries: queries.filter((_, index) => index % 2 === 0) };
  const tasks = Array.from(
    { length: nodes },
    (_, node): ReadTask => ({ ...task, node, engineCacheKiB: ENGINE_CACHE_KIB, warmUp }),
  );
  const report = (fraction: number, text: string): void => progress({ arm: arm.name, fraction, text });
  const lateUntil = isLate(plan.options) ? LATE_UNTIL : undefined;
  const run = await runNodes(tasks, {
    ...{ label: `arm ${arm.name}`, progress: report, signal: plan.signal, lateUntil },
    ...(started === undefined ? {} : { started }),
    ready,
  });
  return { arm, run };
}

/** Runs, without any cache of ours, the queries that have no reference yet. */
async function referenceHashes(plan: Plan): Promise<readonly string[]> {
  const { database, options, signal } = plan;
  const keyOf = (query: Query): string => `${database.file} ${database.fingerprint} ${query.sql}`;
  const missing = plan.queries.filter((query) => !references.has(keyOf(query)));
  if (missing.length > 0) {
    const task: ReadTask = {
      task: 'read',
      node: 0,
      file: database.file,
      source: { kind: 'uncached', direct: true },
      queries: missing,
      rounds: 1,
      seed: options.seed,
      engineCacheKiB: REFERENCE_CACHE_KIB,
    };
    const progress = (fraction: number, text: string): void => options.progress({ arm: 'uncached', fraction, text });
    const { results } = await runNodes([task], { label: 'the uncached run', progress, signal });
    const { hashes } = results[0] as NodeResult;
    for (const [index, query] of missing.entries()) references.set(keyOf(query), hashes[index]![0]!);
  }
  return plan.queries.map((query) => references.get(keyOf(query))!);
}

function verify(plan: Plan, name: ArmName, run: RunResult, reference: readonly string[]) {
  let compared = 0;
  const wrong = new Set<number>();
  for (const result of run.results as readonly NodeResult[]) {
    for (const [index, hashes] of result.hashes.entries()) {
      compared += hashes.length;
      if (hashes.some((hash) => hash !== reference[index])) wrong.add(plan.queries[index]!.number);
    }
  }
  const expected = plan.options.nodes * plan.rounds * plan.queries.length;
  const ok = wrong.size === 0 && compared === expected;
  const failure = wrong.size > 0 ? ` Not so: queries ${[...wrong].join(', ')}.` : ` Only ${compared} were compared.`;
  return { text: `${name}: all ${expected} query results equal an uncached run.${ok ? '' : failure}`, ok };
}

const units: Readonly<Record<string, number>> = { '': 1, B: 1, KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30 };

/** Bytes of '12MiB', '30%' of the file, or a number. Throws OPTION_INVALID. */
export function bytesOf(memory: number | string, fileSize: number): number {
  const [, amount, unit] = /^\s*(\d+(?:\.\d+)?)\s*(%|B|KiB|MiB|GiB|)\s*$/.exec(String(memory)) ?? [];
  const factor = unit === '%' ? fileSize / 100 : units[unit ?? 'none'];
  const bytes = Math.floor(Number(amount) * (factor ?? Number.NaN));
  if (!(bytes > 0)) {
    throw new PoolError('OPTION_INVALID', `memory is '${memory}'; it is bytes, '12MiB', or '30%' of the database.`);
  }
  return bytes;
}
