/**
 * Runs the arms of the htap workload: for each a copy of the database, its pools, one writer at a fixed rate and readers that loop
 * over the 22 queries; then holds results against the engine alone.
 *
 * What a crash leaves: the copy and the pools, in folders that the next run removes; the generated database, kept on purpose.
 */
import { closeSync, copyFileSync, fsyncSync, openSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Duplex } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { PoolError } from '../../../lib/errors.js';
import { ownFolder } from '../../../lib/linux/index.js';
import { destroyStale, type Eviction } from '../../../src/pool/index.js';
import { type CacheLimit, dropCache, openCacheLimit } from '../cgroup.js';
import { poolFolder } from '../pool-folder.js';
import { type DatabaseFile, provideDatabase } from '../sqlite/database.js';
import { bytesOf } from '../sqlite/driver.js';
import { importEngine } from '../sqlite/engine.js';
import { PAGE_SIZE } from '../sqlite/generate.js';
import { runNodes } from '../sqlite/nodes.js';
import { type Query, queries } from '../sqlite/queries.js';
import { cardinality } from '../sqlite/schema.js';
import { formatPool } from '../sqlite/shared-source.js';
import type { Progress } from '../types.js';
import { type ArmPlan, ENGINE_CACHE_KIB, type HtapArm, type MissSource, planArm } from './arms.js';
import { type ArmFigures, figuresOf } from './figures.js';
import type {
  OracleResult,
  OracleTask,
  ReaderResult,
  ReaderTask,
  Sample,
  WriterResult,
  WriterTask,
} from './messages.js';
import { openPageServer } from './server.js';

const PROGRAM = fileURLToPath(new URL('./node.js', import.meta.url));
const DEFAULT_SCALE = 0.17;
/** When the last reader comes, as a share of the run. */
export const LATE = 0.4;

export interface HtapOptions {
  /** In the order in which they run. */
  readonly arms: readonly HtapArm[];
  readonly readers: number;
  /** Transactions a second. */
  readonly rate: number;
  /** Total of each arm: bytes, '12MiB', or '50%' of the database. */
  readonly memory: number | string;
  /** Of the memory, what the past may have. Default 0.25, as of openWriter. */
  readonly snapshotShare?: number;
  readonly source: MissSource;
  /** Of each arm. */
  readonly durationMs: number;
  readonly seed: number;
  readonly progress: Progress;
  readonly eviction?: Eviction;
  /** Share of the specification's rows per warehouse. Default 0.17: a file of 28 MiB. */
  readonly scale?: number;
  /** A file or folder to keep the database in, on the device to be measured. */
  readonly storage?: string;
  /** The last reader comes when the others are warm. Default true where there are several. */
  readonly lateJoiner?: boolean;
  /** Of the results, how many are held against the engine alone, per arm. Default 66. */
  readonly samplesMax?: number;
  /** Milliseconds that this may take. Default 90,000. */
  readonly judgeMs?: number;
  readonly signal?: AbortSignal;
}

interface Run {
  readonly options: HtapOptions;
  readonly scale: number;
  readonly database: DatabaseFile;
  readonly queries: readonly Query[];
  readonly signal: AbortSignal;
}

export interface HtapRun {
  readonly arms: readonly ArmFigures[];
  /** Bytes of the database before the first transaction, and given to each arm. */
  readonly fileSize: number;
  readonly memory: number;
  /** Arms that could not be run here, and why. */
  readonly leftOut: readonly string[];
}

/** Throws EngineMissingError where the engine is not installed, OPTION_INVALID, and whatever failed a process. */
export async function runHtap(options: HtapOptions): Promise<HtapRun> {
  if (!Number.isSafeInteger(options.readers) || options.readers < 1) {
    throw new PoolError('OPTION_INVALID', `readers is ${options.readers}; it is a positive integer.`);
  }
  await importEngine();
  const { seed, storage, progress, scale = DEFAULT_SCALE } = options;
  const signal = options.signal ?? new AbortController().signal;
  const database = await provideDatabase({
    ...{ seed, scale, signal },
    ...(storage === undefined ? {} : { storage }),
    progress: (fraction, text) => progress({ arm: 'database', fraction, text }),
  });
  const memory = bytesOf(options.memory, database.size);
  const { readers, source, snapshotShare } = options;
  const given = {
    readers,
    memory,
    fileSize: database.size,
    source,
    ...(snapshotShare !== undefined && { snapshotShare }),
  };
  const run: Run = { options, scale, database, queries: queries(cardinality(scale)), signal };
  const arms: ArmFigures[] = [];
  const leftOut: string[] = [];
  for (const name of options.arms) {
    const plan = planArm(name, given);
    if (plan.cacheLimit === undefined) {
      arms.push(await runArm(run, plan));
      continue;
    }
    const limit = openCacheLimit();
    if (typeof limit === 'string') {
      leftOut.push(`${name} is left out: ${limit}.`);
      continue;
    }
    using held = limit;
    arms.push(await runArm(run, plan, held));
  }
  const judged = await judge(run, arms);
  return { arms: arms.map((arm) => ({ ...arm, ...judged(arm.name) })), fileSize: database.size, memory, leftOut };
}

/** Folders that are gone when the process is. */
class Folders implements Disposable {
  private readonly paths: string[] = [];
  private readonly removeAll = (): void => {
    for (const path of this.paths.splice(0)) rmSync(path, { recursive: true, force: true });
  };

  constructor() {
    process.on('exit', this.removeAll);
  }

  make(parent: string): string {
    destroyStale([parent]);
    const path = ownFolder(parent, 'compare');
    this.paths.push(path);
    return path;
  }

  [Symbol.dispose](): void {
    process.off('exit', this.removeAll);
    this.removeAll();
  }
}

/** A copy on the device, of which the OS page cache has nothing. */
function copyCold(from: string, to: string): void {
  copyFileSync(from, to);
  const descriptor = openSync(to, 'r+');
  fsyncSync(descriptor);
  closeSync(descriptor);
  dropCache(to);
}

async function runArm(run: Run, plan: ArmPlan, limit?: CacheLimit): Promise<ArmFigures> {
  const { options, database } = run;
  using folders = new Folders();
  const file = join(folders.make(dirname(database.file)), 'database.db');
  copyCold(database.file, file);
  const pools = poolFolder(plan.poolSize + plan.readers * plan.privateSize);
  const folder = folders.make(pools.folder);
  const eviction = options.eviction ?? 's3-fifo';
  const format = async (name: string, size: number, maxNodes: number): Promise<string> => {
    const path = join(folder, name);
    await formatPool(path, { size, pageSize: PAGE_SIZE, maxNodes, eviction });
    return path;
  };
  const tasks = await tasksOf(run, plan, { file, format });
  using server = plan.medium === 'server' ? openPageServer(file) : undefined;
  const started = (processId: number, socket: Duplex): void => {
    limit?.add(processId);
    server?.serve(socket);
  };
  const ready = (): void => limit?.begin(plan.cacheLimit as number);
  const progress = (fraction: number, text: string): void => options.progress({ arm: plan.name, fraction, text });
  const how = { label: `arm ${plan.name}`, program: PROGRAM, progress, signal: run.signal, started, ready };
  const { results, elapsedMs } = await runNodes<WriterResult | ReaderResult>(tasks, how);
  const [writer, ...readers] = results as [WriterResult, ...ReaderResult[]];
  const { durationMs } = options;
  const joinedMs = tasks.findLast((task) => task.task === 'reader')?.delayMs;
  const figures = figuresOf(plan, { writer, readers, durationMs, elapsedMs, joinedMs: joinedMs || undefined });
  return pools.note === undefined ? figures : { ...figures, notes: [...figures.notes, pools.note] };
}

async function tasksOf(
  run: Run,
  plan: ArmPlan,
  { file, format }: { file: string; format: (name: string, size: number, maxNodes: number) => Promise<string> },
): Promise<(WriterTask | ReaderTask)[]> {
  const { rate, durationMs, seed, lateJoiner = true } = run.options;
  const { nearEntries, sharedNearEntries, medium, engineCacheKiB, readers, snapshotShare } = plan;
  // One row more than processes: whoever looks in with the command line is a node, too.
  const poolPath = await format('pool', plan.poolSize, readers + 2);
  const common = { file, poolPath, medium, seed, scale: run.scale, durationMs };
  const writer = { task: 'writer', rate, nearEntries, snapshotShare, engineCacheKiB: ENGINE_CACHE_KIB } as const;
  const tasks: (WriterTask | ReaderTask)[] = [{ ...common, ...writer }];
  for (let node = 0; node < readers; node += 1) {
    const privatePath = plan.privateSize === 0 ? undefined : await format(`private-${node}`, plan.privateSize, 2);
    const own = privatePath === undefined ? {} : { privatePath, privateNearEntries: nearEntries };
    const isLate = lateJoiner && readers > 1 && node === readers - 1;
    const delayMs = isLate ? LATE * durationMs : 0;
    tasks.push({
      ...common,
      ...own,
      task: 'reader',
      nearEntries: sharedNearEntries,
      node,
      store: plan.store,
      queries: run.queries,
      engineCacheKiB,
      delayMs,
    });
  }
  return tasks;
}

/** All results, or as many of them evenly. */
export function samplesOf(arm: ArmFigures, samplesMax: number): Sample[] {
  const runs = arm.readers.flatMap((reader) => reader.runs);
  const step = Math.max(1, runs.length / samplesMax);
  const chosen = Array.from(
    { length: Math.min(runs.length, samplesMax) },
    (_, index) => runs[Math.floor(index * step)],
  );
  return chosen.flatMap((run) =>
    run === undefined ? [] : [{ count: run.lsn - arm.writer.lsn, query: run.query, hash: run.hash, arm: arm.name }],
  );
}

async function judge(run: Run, arms: readonly ArmFigures[]) {
  const { samplesMax = 66, judgeMs = 90_000, seed, progress } = run.options;
  const { database, scale, signal } = run;
  const samples = arms.flatMap((arm) => samplesOf(arm, samplesMax));
  const task: OracleTask = {
    task: 'oracle',
    file: database.file,
    seed,
    scale,
    queries: run.queries,
    samples,
    limitMs: judgeMs,
  };
  const how = {
    ...{ label: 'the engine alone', program: PROGRAM, signal },
    progress: (fraction: number, text: string): void => progress({ arm: 'uncached', fraction, text }),
  };
  const { results } = await runNodes<OracleResult>([task], how);
  const { compared, wrong } = results[0] as OracleResult;
  return (name: HtapArm) => ({
    compared: compared[name] ?? 0,
    wrong: wrong.filter((text) => text.startsWith(`${name}: `)),
  });
}
