/** One arm of one workload of the benchmark `sharing`: its bytes, its processes, its rounds. */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, rmSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import sqlite3InitModule from '@sqlite.org/sqlite-wasm';
import { budgetOf } from '../adapters/compare/trace/budget.js';
import { capacityOfNode } from '../adapters/compare/trace/routing.js';
import type { PolicyName } from '../adapters/compare/trace/simulate.js';
import { format } from '../src/index.js';
import type { Context } from './frame.js';
import { diskFolder, scratchFolder } from './scratch.js';
import { givenTrace, makeDatabase, makePages, makeTrace, type TraceData } from './sharing.data.js';
import {
  type Answer,
  type ArmName,
  ENGINE_PAGES,
  type MissSource,
  type Order,
  PAGE,
  type ReadTask,
  type Report,
  SCALES,
  type Scale,
  type WorkloadName,
} from './sharing.world.js';

const LATENCY_MS = 1;
const EVICTIONS: readonly PolicyName[] = ['s3-fifo', 'adaptive-2q', 'sieve', 'lru'];
/** The writer has a pool in the private arm as well: of its own, and not of the arm's bytes. */
const WRITER_POOL = '4MiB';
/** Nodes of a pool besides the readers: the writer, and who looks in. */
const NODES_SPARE = 2;

export interface Prepared {
  readonly workload: WorkloadName;
  readonly seed: number;
  readonly nodes: number;
  readonly scale: Scale;
  readonly miss: MissSource;
  readonly eviction: PolicyName;
  readonly folder: string;
  /** As it was made: an arm that writes works on a copy. */
  readonly original: string;
  /** Of all distinct pages. */
  readonly bytes: number;
  readonly trace: TraceData | undefined;
  readonly notes: readonly string[];
}

export function nodesOf(context: Context, fallback: number): number {
  const nodes = Number(context.settings.nodes ?? fallback);
  if (Number.isSafeInteger(nodes) && nodes >= 1 && nodes <= 64) return nodes;
  throw new Error(`nodes is ${context.settings.nodes}; it is a number from 1 to 64.`);
}

export function missOf(context: Context): MissSource {
  const { source = 'server' } = context.settings;
  if (source === 'server') return { latencyMs: LATENCY_MS, isDirect: false };
  if (source === 'direct') return { latencyMs: 0, isDirect: true };
  throw new Error(`source is ${source}; it is server or direct.`);
}

export function evictionOf({ settings: { eviction = 's3-fifo' } }: Context): PolicyName {
  const known = EVICTIONS.find((policy) => policy === eviction);
  if (known !== undefined) return known;
  throw new Error(`eviction is ${eviction}; it is one of ${EVICTIONS.join(', ')}.`);
}

async function traceOf(context: Context, folder: string, scale: Scale): Promise<TraceData> {
  const { trace } = context.settings;
  return trace === undefined ? makeTrace(folder, context.seed, scale) : await givenTrace(trace, folder, scale.accesses);
}

export async function prepare(context: Context, workload: WorkloadName): Promise<Prepared> {
  const scale = SCALES[context.mode];
  const nodes = nodesOf(context, context.pick(2, 4));
  const miss = missOf(context);
  const folder = diskFolder();
  const original = join(folder, 'original');
  let bytes: number;
  let trace: TraceData | undefined;
  if (workload === 'trace') {
    trace = await traceOf(context, folder, scale);
    bytes = trace.pages * PAGE;
    makePages(original, trace.pages);
  } else {
    bytes = makeDatabase(await sqlite3InitModule(), original, workload, scale);
  }
  const notes = [
    `${nodes} processes on ${availableParallelism()} processors, ${(bytes / 2 ** 20).toFixed(1)} MiB of pages, half as many bytes of cache; ${
      miss.isDirect ? 'misses read the device (O_DIRECT)' : `misses wait ${miss.latencyMs} ms: a page server, emulated`
    }.`,
    ...(trace === undefined ? [] : [`${trace.text}.`]),
  ];
  return {
    workload,
    seed: context.seed,
    nodes,
    scale,
    miss,
    eviction: evictionOf(context),
    folder,
    original,
    bytes,
    trace,
    notes,
  };
}

class Member {
  private readonly child: ChildProcess;
  private readonly name: string;

  constructor(name: string) {
    this.name = name;
    const program = fileURLToPath(new URL('sharing.node.js', import.meta.url));
    this.child = fork(program, [], { stdio: ['ignore', 2, 2, 'ipc'], execArgv: [] });
  }

  async ask(order: Order): Promise<Answer> {
    const { child } = this;
    const controller = new AbortController();
    const { signal } = controller;
    try {
      const answered = once(child, 'message', { signal }).then(([answer]) => answer as Answer);
      const ended = once(child, 'exit', { signal }).then(([code]): never => {
        throw new Error(`${this.name} ended with ${code}.`);
      });
      child.send(order);
      const answer = await Promise.race([answered, ended]);
      if (answer.type === 'failed') throw new Error(`${this.name}: ${answer.reason}`);
      return answer;
    } finally {
      controller.abort();
    }
  }

  async end(): Promise<Report> {
    const answer = await this.ask({ task: 'end' });
    if (answer.type !== 'report') throw new Error(`${this.name} gave no report.`);
    return answer.report;
  }

  async close(): Promise<void> {
    const { child } = this;
    if (child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, 'exit');
    child.kill('SIGKILL');
    await exited;
  }
}

interface ArmFiles {
  readonly file: string;
  readonly pool: string;
  readonly writerPool: string;
}

export async function runArm(prepared: Prepared, arm: ArmName): Promise<Report[]> {
  const { workload, nodes, scale, seed, bytes, folder, original, eviction } = prepared;
  const engineBytes = workload === 'trace' ? 0 : nodes * ENGINE_PAGES * PAGE;
  const memory = { equalIn: 'bytes', amount: Math.floor(bytes / 2) - engineBytes } as const;
  const poolFolder = scratchFolder(bytes);
  const files: ArmFiles = {
    file: join(folder, `${arm}.db`),
    pool: join(poolFolder, 'pool'),
    writerPool: join(poolFolder, arm === 'shared' ? 'pool' : 'writer'),
  };
  copyFileSync(original, files.file);
  const shared = budgetOf('shared', memory, PAGE, nodes);
  const owned = budgetOf(`private-${eviction}`, memory, PAGE, nodes);
  const hasWriter = workload === 'points';
  if (arm === 'shared') {
    const { poolSize: size = 0, objects: maxObjects } = shared;
    await format(files.pool, { size, maxObjects, pageSize: PAGE, maxNodes: nodes + NODES_SPARE, eviction });
  } else if (hasWriter) {
    await format(files.writerPool, { size: WRITER_POOL, pageSize: PAGE });
  }
  const tasks = Array.from({ length: nodes }, (_, node): ReadTask => {
    const { miss, trace } = prepared;
    const own = {
      task: 'read',
      workload,
      arm,
      node,
      nodes,
      seed,
      scale,
      miss,
      eviction,
      file: files.file,
      pool: files.pool,
    } as const;
    const capacity = capacityOfNode(owned.objects, nodes, node);
    const nearEntries = shared.nearEntries ?? 0;
    return { ...own, capacity, nearEntries, ...(trace === undefined ? {} : { accesses: trace.files }) };
  });
  const readers = tasks.map(({ node }) => new Member(`${workload}, ${arm}, process ${node}`));
  const writer = hasWriter ? new Member(`${workload}, ${arm}, the writer`) : undefined;
  try {
    if (writer) await writer.ask({ task: 'write', file: files.file, pool: files.writerPool, seed, scale, nodes });
    await Promise.all(readers.map((reader, node) => reader.ask(tasks[node] as ReadTask)));
    await runRounds(readers, writer, hasWriter ? scale.rounds : 1);
    const reports = await Promise.all(readers.map((reader) => reader.end()));
    await writer?.end();
    return reports;
  } finally {
    await Promise.all([...readers, ...(writer ? [writer] : [])].map((member) => member.close()));
    for (const file of [files.file, files.pool, files.writerPool]) rmSync(file, { force: true });
  }
}

/** The writer prepares the next round's updates while the readers read this one's, and commits when they have. */
async function runRounds(readers: readonly Member[], writer: Member | undefined, rounds: number): Promise<void> {
  let stale: readonly number[] = [];
  for (let round = 0; round < rounds; round++) {
    const order: Order = { task: 'round', round, stale };
    const isLast = round === rounds - 1;
    await Promise.all([...readers, ...(writer && !isLast ? [writer] : [])].map((member) => member.ask(order)));
    if (writer === undefined || isLast) continue;
    const committed = await writer.ask({ task: 'commit' });
    stale = committed.type === 'committed' ? committed.pages : [];
  }
}
