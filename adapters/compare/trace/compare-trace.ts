/**
 * compare-trace: one trace, N nodes, the same memory: private caches against the shared pool, in real processes.
 *
 * (T1) The work is exact: private arms must equal their simulation to the request, the shared arm must come within
 *      SHARED_POINTS_MAX of the exact single cache of its policy, and no page served may be another page's.
 * (T2) A share of the pages is equally many pages in every arm, bytes are equally many bytes in every arm (budget.ts).
 */
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PoolError } from '../../../lib/errors.js';
import { destroyStale } from '../../../src/pool/index.js';
import { bytesText, countText, mebibytesText, PERFECT_PARTITIONING, percentText } from '../figures.js';
import { poolFolder } from '../pool-folder.js';
import type { ArmName, ArmResult, CompareResult, Progress } from '../types.js';
import { type ArmBudget, budgetOf, type Memory, parseTraceMemory } from './budget.js';
import { PAGE_SIZE_MIN } from './pages.js';
import { type ReplayHooks, type ReplayOutcome, refuseWrongPages, runReplay } from './replay-driver.js';
import type { NodeConfig } from './replay-protocol.js';
import { capacityOfNode, NODES_MAX, simulatePrivate } from './routing.js';
import { RunScope } from './run-scope.js';
import { formatSharedPool, sharedPoolSize } from './shared-cache.js';
import { type PolicyName, simulateShared } from './simulate.js';
import { readTrace, recognisedText, type Trace } from './trace-file.js';

export interface CompareTraceOptions {
  readonly nodes: number;
  /** Of all nodes together: bytes of each arm, '64MiB', or pages of each arm, 'P%' of the distinct ones of the trace. */
  readonly memory: string | number;
  readonly eviction: PolicyName;
  /** A file whose pages the misses read; without it misses make verifiable page contents. */
  readonly storage?: string | undefined;
  readonly seed: number;
  /** Bytes, default 4096. */
  readonly pageSize?: number | undefined;
  readonly progress: Progress;
  /** The name of the trace's format, where its content leaves that open. */
  readonly format?: string | undefined;
  /** Called once the trace is read, with the line that says as what. */
  readonly recognised?: ((text: string) => void) | undefined;
  /** Default: all. */
  readonly arms?: readonly ArmName[] | undefined;
  readonly started?: ReplayHooks['started'];
  readonly stallMs?: number | undefined;
}

const PAGE_SIZE = 4096;
const READING_SILENT_MS = 5000;
/** Percentage points between the shared arm and the exact single cache of its policy. */
const SHARED_POINTS_MAX = 0.5;
/** What measuring with the collector leaves uncertain, of bytes and of each node. */
const MEASURED_SHARE = 0.02;
const MEASURED_OF_NODE = 256 * 1024;

/** Throws OPTION_INVALID for a bad trace or option, UNSUPPORTED without a pool, ReplayError when a node fails. */
export async function compareTrace(file: string, options: CompareTraceOptions): Promise<CompareResult> {
  checkOptions(options);
  const scope = new RunScope();
  try {
    const directory = scope.directory(tmpdir());
    const { pageSize, format } = options;
    const trace = await readTrace(file, { directory, pageSize, format, progress: readingProgress(options.progress) });
    options.recognised?.(recognisedText(trace));
    return await new TraceRun(trace, options, scope, directory).compare();
  } finally {
    scope.close();
  }
}

/** Says how far the reading is, once it takes long: what comes first otherwise is what was recognised. */
function readingProgress(progress: Progress): (accesses: number) => void {
  const since = performance.now();
  return (accesses) => {
    if (performance.now() - since < READING_SILENT_MS) return;
    progress({ arm: 'reading', fraction: 0, text: `${countText(accesses)} accesses` });
  };
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
  if (!['lru', 'sieve', 's3-fifo', 'adaptive-2q'].includes(eviction))
    throw invalid(`eviction ${eviction} is no policy of the pool`);
}

class TraceRun {
  private readonly trace: Trace;
  private readonly options: CompareTraceOptions;
  private readonly pageSize: number;
  private readonly memory: Memory;
  private readonly scope: RunScope;
  private readonly directory: string;
  /** Where the pool had to be put, if not in memory. */
  private poolNote: string | undefined;

  constructor(trace: Trace, options: CompareTraceOptions, scope: RunScope, directory: string) {
    this.trace = trace;
    this.options = options;
    this.scope = scope;
    this.directory = directory;
    this.pageSize = options.pageSize ?? PAGE_SIZE;
    this.memory = parseTraceMemory(options.memory, trace.pages);
    // Refused before anything runs.
    for (const arm of this.armNames()) this.budget(arm);
  }

  async compare(): Promise<CompareResult> {
    const { nodes, seed } = this.options;
    const arms: ArmResult[] = [];
    for (const arm of this.armNames()) arms.push(await this.runArm(arm));
    const { memory, pageSize, trace } = this;
    const { equalIn, amount } = memory;
    const judged = equalIn === 'pages' ? this.atSharedBytes(arms) : arms;
    return {
      nodes,
      memory: equalIn === 'pages' ? amount * pageSize : amount,
      equalIn,
      workload: trace.name,
      format: trace.format,
      recognised: recognisedText(trace),
      accesses: trace.accesses.accesses,
      pages: trace.pages,
      workingSet: trace.pages * pageSize,
      seed,
      arms: judged,
      checks: judged.flatMap((arm) => this.checksOf(arm)),
      notes: this.notes(),
    };
  }

  private notes(): string[] {
    const { memory, pageSize, options } = this;
    const { accesses, pages, files } = this.trace;
    const equal =
      memory.equalIn === 'pages'
        ? `every arm may hold ${countText(memory.amount)} of them`
        : 'every arm has the same bytes, what finds the pages included';
    return [
      `${countText(accesses.accesses)} accesses to ${countText(pages)} pages of ${pageSize} bytes, a working set of ${bytesText(pages * pageSize)}; ${equal}.`,
      files.starts === undefined
        ? 'Every access goes to a node of its own choice.'
        : 'All pages of a request go to one node.',
      'A latency includes filling the page on a miss; with more nodes than cores it includes waiting for a core.',
      options.storage === undefined
        ? 'Misses make page contents, so a miss costs less than any storage; the time an arm takes says little.'
        : 'Misses read their pages from the file in storage, perhaps from what the OS page cache holds of it.',
      `Requests are routed at random. ${PERFECT_PARTITIONING}`,
      ...(this.poolNote === undefined ? [] : [this.poolNote]),
    ];
  }

  /** Equally many pages take unequal bytes: what those of the shared arm would have bought each private arm. */
  private atSharedBytes(arms: readonly ArmResult[]): ArmResult[] {
    const shared = arms.find(({ name }) => name === 'shared');
    if (shared === undefined) return [...arms];
    const bytes = totalBytes(shared);
    return arms.map((arm) => {
      if (arm === shared || totalBytes(arm) === 0) return arm;
      const objects = Math.floor((bytes / totalBytes(arm)) * arm.objects!);
      const hits = this.simulateArm(arm.name, objects);
      const hitRatio = hits / arm.requests;
      const note = `in the ${bytesText(bytes)} that the shared arm took it would hold ${countText(objects)} pages and hit ${percentText(hitRatio)} (simulated).`;
      return { ...arm, atSharedBytes: { objects, hits, hitRatio }, notes: [...arm.notes, note] };
    });
  }

  private simulateArm(arm: ArmName, objects: number): number {
    const { nodes, seed } = this.options;
    const hits = simulatePrivate(this.policyOf(arm), this.trace.accesses, { objects, nodes, seed });
    return hits.reduce((total, count) => total + count, 0);
  }

  private policyOf(arm: ArmName): PolicyName {
    return arm === 'private-lru' ? 'lru' : this.options.eviction;
  }

  private armNames(): ArmName[] {
    const { eviction, arms } = this.options;
    const all = [...new Set<ArmName>(['private-lru', `private-${eviction}`, 'shared'])];
    return all.filter((arm) => arms === undefined || arms.includes(arm));
  }

  private budget(arm: ArmName): ArmBudget {
    return budgetOf(arm, this.memory, this.pageSize, this.options.nodes);
  }

  private async runArm(arm: ArmName): Promise<ArmResult> {
    const { nodes, progress, started, stallMs } = this.options;
    const budget = this.budget(arm);
    const pool = arm === 'shared' ? await this.formatPool(budget) : undefined;
    const configs = Array.from({ length: nodes }, (_, node) => this.nodeConfig(arm, budget, node, pool));
    const report = (fraction: number): void =>
      progress({ arm, fraction, text: `${this.trace.name} on ${nodes} nodes` });
    report(0);
    const outcome = await runReplay(configs, this.trace.accesses.accesses, this.scope, {
      progress: report,
      started,
      stallMs,
    });
    report(1);
    refuseWrongPages(arm, outcome.reports);
    return this.resultOf(arm, outcome);
  }

  private async formatPool({ objects, poolSize }: ArmBudget): Promise<string> {
    const { nodes, eviction } = this.options;
    const pool = { maxObjects: objects, pageSize: this.pageSize, nodes, eviction };
    const size = poolSize ?? (await sharedPoolSize(pool));
    destroyStale();
    const { folder, note } = poolFolder(size);
    this.poolNote = note;
    const path = join(this.scope.directory(folder), 'pool');
    await formatSharedPool(path, size, pool);
    return path;
  }

  private nodeConfig(arm: ArmName, budget: ArmBudget, node: number, pool: string | undefined): NodeConfig {
    const { nodes, seed, storage } = this.options;
    const { objects, nearEntries } = budget;
    const capacity = capacityOfNode(objects, nodes, node);
    const { directory, pageSize, trace } = this;
    const policy = this.policyOf(arm);
    return {
      arm,
      node,
      nodes,
      directory,
      seed,
      files: trace.files,
      unique: trace.pages,
      pageSize,
      capacity,
      policy,
      storage,
      pool,
      nearEntries,
    };
  }

  private resultOf(arm: ArmName, { reports, elapsedMs }: ReplayOutcome): ArmResult {
    const sum = (field: 'requests' | 'hits' | 'storageReads' | 'bytesPrivate'): number =>
      reports.reduce((total, report) => total + report[field], 0);
    const requests = sum('requests');
    const hits = sum('hits');
    const latencies = sorted(reports.map((report) => report.latencies));
    const { objects, poolSize, notes } = this.budget(arm);
    return {
      name: arm,
      requests,
      hits,
      hitRatio: hits / requests,
      storageReads: sum('storageReads'),
      bytesPrivate: sum('bytesPrivate'),
      bytesShared: Math.max(...reports.map(({ shared }) => shared.bytes)),
      objects: poolSize === undefined ? objects : Math.max(...reports.map(({ shared }) => shared.objects)),
      p50Us: percentile(latencies, 0.5),
      p99Us: percentile(latencies, 0.99),
      elapsedMs,
      notes,
    };
  }

  private checksOf(arm: ArmResult): { text: string; ok: boolean }[] {
    const { eviction, nodes } = this.options;
    const { trace, memory } = this;
    const checks = [{ text: `${arm.name}: every page that a hit served was the page asked for.`, ok: true }];
    if (memory.equalIn === 'bytes') checks.unshift(this.bytesCheck(arm));
    if (arm.name === 'shared') {
      const exact = (100 * simulateShared(eviction, arm.objects!, trace.accesses)) / arm.requests;
      const points = 100 * arm.hitRatio - exact;
      const text = `shared: ${(100 * arm.hitRatio).toFixed(2)} % of hits, one exact ${eviction} cache of ${countText(arm.objects!)} pages ${exact.toFixed(2)} %: within ${SHARED_POINTS_MAX} points.`;
      return [{ text, ok: Math.abs(points) <= SHARED_POINTS_MAX }, ...checks];
    }
    const exact = this.simulateArm(arm.name, arm.objects!);
    const text = `${arm.name}: ${arm.hits} hits in ${nodes} processes, ${exact} in the exact simulation.`;
    return [{ text, ok: arm.hits === exact }, ...checks];
  }

  private bytesCheck(arm: ArmResult): { text: string; ok: boolean } {
    const { amount } = this.memory;
    const most = amount * (1 + MEASURED_SHARE) + this.options.nodes * MEASURED_OF_NODE;
    const text = `${arm.name}: took ${mebibytesText(totalBytes(arm))} MiB, as measured, of ${mebibytesText(amount)} given.`;
    return { text, ok: totalBytes(arm) <= most };
  }
}

function totalBytes({ bytesPrivate, bytesShared }: ArmResult): number {
  return bytesPrivate + bytesShared;
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
