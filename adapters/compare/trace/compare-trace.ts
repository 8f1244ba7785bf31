/**
 * compare-trace: one trace, N nodes, the same memory: private caches against the shared pool, in real processes.
 *
 * (T1) The work is exact: private arms must equal their simulation to the request, the shared arm must come within
 *      SHARED_POINTS_MAX of the exact single cache of its policy, and no page served may be another page's.
 * (T2) Memory is counted in objects of one page size, P % of the distinct pages or floor(bytes / page size).
 */
import { statfsSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PoolError } from '../../../lib/errors.js';
import type { ArmName, ArmResult, CompareResult, Progress } from '../types.js';
import { PAGE_SIZE_MIN } from './pages.js';
import { type ReplayHooks, type ReplayOutcome, refuseWrongPages, runReplay } from './replay-driver.js';
import { type NodeConfig, runFiles } from './replay-protocol.js';
import { capacityOfNode, NODES_MAX, routeRequests, simulatePrivate } from './routing.js';
import { RunScope } from './run-scope.js';
import { formatSharedPool, sharedPoolSize } from './shared-cache.js';
import { type PolicyName, simulateShared } from './simulate.js';
import { readTrace, type Trace } from './trace-file.js';

export interface CompareTraceOptions {
  readonly nodes: number;
  /** Of all nodes together: bytes, '64MiB', or 'P%' of the distinct pages of the trace. */
  readonly memory: string | number;
  readonly eviction: PolicyName;
  /** A file whose pages the misses read; without it misses make verifiable page contents. */
  readonly storage?: string | undefined;
  readonly seed: number;
  /** Bytes, default 4096. */
  readonly pageSize?: number | undefined;
  readonly progress: Progress;
  /** Default: all. */
  readonly arms?: readonly ArmName[] | undefined;
  readonly started?: ReplayHooks['started'];
  readonly stallMs?: number | undefined;
}

const PAGE_SIZE = 4096;
/** Percentage points between the shared arm and the exact single cache of its policy. */
const SHARED_POINTS_MAX = 0.5;
const SHARED_MEMORY = '/dev/shm';
const UNITS: Readonly<Record<string, number>> = { '': 1, B: 1, KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30 };

/** Throws OPTION_INVALID for a bad trace or option, UNSUPPORTED without a pool, ReplayError when a node fails. */
export async function compareTrace(file: string, options: CompareTraceOptions): Promise<CompareResult> {
  checkOptions(options);
  const trace = await readTrace(file);
  const run = new TraceRun(trace, options);
  try {
    return await run.compare();
  } finally {
    run.close();
  }
}

/** The capacity in objects that `memory` buys. Throws OPTION_INVALID. */
export function objectsOf(memory: string | number, pageSize: number, unique: number): number {
  const match = /^(\d+(?:\.\d+)?)\s*(%|[KMG]iB|B)?$/.exec(String(memory).trim());
  if (match === null) throw invalid(`memory ${memory} is neither bytes, such as 64MiB, nor a share, such as 10%`);
  const amount = Number(match[1]);
  const unit = match[2] ?? '';
  if (unit === '%') return Math.round((amount / 100) * unique);
  return Math.floor((amount * UNITS[unit]!) / pageSize);
}

function invalid(what: string): PoolError {
  return new PoolError('OPTION_INVALID', `Option ${what}.`);
}

function checkOptions(options: CompareTraceOptions): void {
  const { nodes, pageSize = PAGE_SIZE, seed, eviction } = options;
  if (!Number.isInteger(nodes) || nodes < 1 || nodes > NODES_MAX) {
    throw invalid(`nodes is ${nodes}, it must be a whole number of 1 to ${NODES_MAX}`);
  }
  if (!Number.isInteger(pageSize) || pageSize < PAGE_SIZE_MIN) {
    throw invalid(`pageSize is ${pageSize}, it must be a whole number of at least ${PAGE_SIZE_MIN} bytes`);
  }
  if (!Number.isSafeInteger(seed)) throw invalid(`seed is ${seed}, it must be a whole number`);
  if (!['lru', 'sieve', 's3-fifo'].includes(eviction)) throw invalid(`eviction ${eviction} is no policy of the pool`);
}

/** In shared memory when it has room, else in the temporary directory, where the system still keeps it in memory. */
function poolParent(size: number): string {
  try {
    const { bavail, bsize } = statfsSync(SHARED_MEMORY);
    if (bavail * bsize > size) return SHARED_MEMORY;
  } catch {
    // A system without it.
  }
  return tmpdir();
}

class TraceRun {
  private readonly trace: Trace;
  private readonly options: CompareTraceOptions;
  private readonly pageSize: number;
  private readonly objects: number;
  private readonly nodeOf: Uint8Array;
  private readonly scope: RunScope;
  private readonly directory: string;

  constructor(trace: Trace, options: CompareTraceOptions) {
    const { nodes, memory, seed } = options;
    const { ids, starts, unique } = trace;
    this.trace = trace;
    this.options = options;
    this.pageSize = options.pageSize ?? PAGE_SIZE;
    this.objects = objectsOf(memory, this.pageSize, unique);
    if (this.objects < nodes) {
      throw invalid(
        `memory ${memory} holds ${this.objects} pages of ${this.pageSize} bytes, fewer than ${nodes} nodes`,
      );
    }
    this.nodeOf = routeRequests({ requests: ids.length, nodes, seed, starts });
    this.scope = new RunScope();
    this.directory = this.scope.directory(tmpdir());
    writeFileSync(join(this.directory, runFiles.ids), ids);
    writeFileSync(join(this.directory, runFiles.nodes), this.nodeOf);
  }

  close(): void {
    this.scope.close();
  }

  async compare(): Promise<CompareResult> {
    const { nodes, eviction, seed } = this.options;
    const privatePolicy: ArmName = `private-${eviction}`;
    const all: ArmName[] = [...new Set<ArmName>(['private-lru', privatePolicy, 'shared'])];
    const wanted = this.options.arms ?? all;
    const arms: ArmResult[] = [];
    for (const arm of all) if (wanted.includes(arm)) arms.push(await this.runArm(arm));
    const { ids, unique, name, starts } = this.trace;
    return {
      nodes,
      memory: this.objects * this.pageSize,
      workload: name,
      seed,
      arms,
      checks: arms.flatMap((arm) => this.checksOf(arm)),
      notes: [
        `${ids.length} accesses to ${unique} pages; ${this.objects} pages of ${this.pageSize} bytes in memory.`,
        starts === undefined
          ? 'Every access goes to a node of its own choice.'
          : 'All pages of a request go to one node.',
        'A latency includes filling the page on a miss; with more nodes than cores it includes waiting for a core.',
        ...(this.options.storage === undefined
          ? ['Misses make page contents, so a miss costs less than any storage.']
          : []),
      ],
    };
  }

  private async runArm(arm: ArmName): Promise<ArmResult> {
    const { nodes, progress, started, stallMs } = this.options;
    const pool = arm === 'shared' ? await this.formatPool() : undefined;
    const configs = Array.from({ length: nodes }, (_, node) => this.nodeConfig(arm, node, pool));
    const report = (fraction: number): void =>
      progress({ arm, fraction, text: `${this.trace.name} on ${nodes} nodes` });
    report(0);
    const outcome = await runReplay(configs, this.trace.ids.length, this.scope, { progress: report, started, stallMs });
    report(1);
    refuseWrongPages(arm, outcome.reports);
    return this.resultOf(arm, outcome);
  }

  private async formatPool(): Promise<string> {
    const { pageSize, objects, options } = this;
    const { nodes, eviction } = options;
    const size = await sharedPoolSize({ objects, pageSize, nodes, eviction });
    const path = join(this.scope.directory(poolParent(size)), 'pool');
    await formatSharedPool({ path, pageSize, objects, nodes, eviction });
    return path;
  }

  private nodeConfig(arm: ArmName, node: number, pool: string | undefined): NodeConfig {
    const { nodes, eviction, storage } = this.options;
    const capacity = capacityOfNode(this.objects, nodes, node);
    const { directory, pageSize, trace } = this;
    const policy = arm === 'private-lru' ? 'lru' : eviction;
    return { arm, node, nodes, directory, unique: trace.unique, pageSize, capacity, policy, storage, pool };
  }

  private resultOf(arm: ArmName, { reports, elapsedMs }: ReplayOutcome): ArmResult {
    const sum = (field: 'requests' | 'hits' | 'storageReads' | 'bytesPrivate'): number =>
      reports.reduce((total, report) => total + report[field], 0);
    const requests = sum('requests');
    const hits = sum('hits');
    const latencies = sorted(reports.map((report) => report.latencies));
    return {
      name: arm,
      requests,
      hits,
      hitRatio: hits / requests,
      storageReads: sum('storageReads'),
      bytesPrivate: sum('bytesPrivate'),
      bytesShared: Math.max(...reports.map((report) => report.bytesShared)),
      p50Us: percentile(latencies, 0.5),
      p99Us: percentile(latencies, 0.99),
      elapsedMs,
      notes: [],
    };
  }

  private checksOf(arm: ArmResult): { text: string; ok: boolean }[] {
    const { nodes, eviction } = this.options;
    const { trace, objects, nodeOf } = this;
    const served = { text: `${arm.name}: every page that a hit served was the page asked for.`, ok: true };
    if (arm.name === 'shared') {
      const exact = (100 * simulateShared(eviction, objects, trace)) / arm.requests;
      const points = 100 * arm.hitRatio - exact;
      const text = `shared: ${(100 * arm.hitRatio).toFixed(2)} % of hits, one exact ${eviction} cache ${exact.toFixed(2)} %: within ${SHARED_POINTS_MAX} points.`;
      return [{ text, ok: Math.abs(points) <= SHARED_POINTS_MAX }, served];
    }
    const policy = arm.name === 'private-lru' ? 'lru' : eviction;
    const exact = simulatePrivate(policy, trace, { objects, nodes, nodeOf }).reduce((total, hits) => total + hits, 0);
    const text = `${arm.name}: ${arm.hits} hits in ${nodes} processes, ${exact} in the exact simulation.`;
    return [{ text, ok: arm.hits === exact }, served];
  }
}

function sorted(parts: readonly Uint32Array[]): Uint32Array {
  const all = new Uint32Array(parts.reduce((total, part) => total + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    all.set(part, offset);
    offset += part.length;
  }
  return all.sort();
}

/** Microseconds of sorted nanoseconds. */
function percentile(nanoseconds: Uint32Array, fraction: number): number {
  return nanoseconds[Math.min(nanoseconds.length - 1, Math.floor(nanoseconds.length * fraction))]! / 1000;
}
