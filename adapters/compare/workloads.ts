/**
 * The workloads of `sealpool compare`, each loaded only when it is asked for: their engines are optional, and one that is
 * missing has an install line.
 */
import { installLine, peerInstalled } from './peers.js';
import type { CompareResult, Progress } from './types.js';

export const policies = ['adaptive-2q', 's3-fifo', 'sieve', 'lru'] as const;
export type Policy = (typeof policies)[number];

/** Bytes given to each arm in total, or a share of the distinct pages of a trace, or of the file of a database. */
export type Memory = number | `${number}%`;

export interface WorkloadOptions {
  readonly nodes: number;
  /** Absent: what the workload takes for a fair size. */
  readonly memory?: Memory;
  readonly eviction: Policy;
  /** File whose pages a miss reads; absent: made-up pages whose contents can be verified. */
  readonly storage?: string;
  readonly seed: number;
  readonly progress: Progress;
  /** Of the sqlite workload: the last node comes late, to be seen becoming warm. */
  readonly lateJoiner?: boolean;
  /** Bytes of a page of a trace; absent: 4096. */
  readonly pageSize?: number;
  /** The name of a trace's format; absent: its content says it. */
  readonly format?: string;
  /** Called once a trace is read, with the line that says as what. */
  readonly recognised?: (text: string) => void;
}

export type CompareTrace = (file: string, options: WorkloadOptions) => Promise<CompareResult>;
export type CompareSqlite = (options: WorkloadOptions) => Promise<CompareResult>;

/** Each throws WorkloadMissing. */
export interface Workloads {
  trace(): Promise<CompareTrace>;
  sqlite(): Promise<CompareSqlite>;
  htap(): Promise<CompareSqlite>;
}

/** The workload cannot run here; the message says what to do. */
export class WorkloadMissing extends Error {
  override readonly name = 'WorkloadMissing';
}

const TRACE_MEMORY = '10%';

/** What the product runs. Tests pass workloads of their own. */
export const installedWorkloads: Workloads = {
  async trace() {
    const { compareTrace } = await import('./trace/index.js');
    return (file, options) => compareTrace(file, { ...options, memory: options.memory ?? TRACE_MEMORY });
  },
  async sqlite() {
    needEngine('sqlite');
    const { compareSqlite, DEFAULT_MEMORY } = await import('./sqlite/index.js');
    return (options) => compareSqlite({ ...options, memory: options.memory ?? DEFAULT_MEMORY });
  },
  async htap() {
    needEngine('htap');
    return (await import('./htap/index.js')).compareHtap;
  },
};

function needEngine(workload: string): void {
  const engine = '@sqlite.org/sqlite-wasm';
  if (peerInstalled(engine)) return;
  throw new WorkloadMissing(
    `the ${workload} workload needs ${engine}, which is not installed. Install it with:\n  ${installLine(engine)}`,
  );
}
