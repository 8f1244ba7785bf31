/**
 * The workloads of `sealpool compare`, each loaded only when it is asked for: their engines are optional.
 *
 * (W1) a missing engine is told apart from a missing part of this package: the first has an install line.
 */
import { installLine, peerInstalled } from './peers.js';
import type { CompareResult, Progress } from './types.js';

export const policies = ['s3-fifo', 'sieve', 'lru'] as const;
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
}

export type CompareTrace = (file: string, options: WorkloadOptions) => Promise<CompareResult>;
export type CompareSqlite = (options: WorkloadOptions) => Promise<CompareResult>;

/** Each throws WorkloadMissing. */
export interface Workloads {
  trace(): Promise<CompareTrace>;
  sqlite(): Promise<CompareSqlite>;
}

/** The workload cannot run here; the message says what to do. */
export class WorkloadMissing extends Error {
  override readonly name = 'WorkloadMissing';
}

const TRACE_MEMORY = '10%';

type Complete = WorkloadOptions & { readonly memory: Memory };

interface Parts {
  trace: { compareTrace(file: string, options: Complete): Promise<CompareResult> };
  sqlite: { compareSqlite(options: Complete): Promise<CompareResult>; DEFAULT_MEMORY: Memory };
}

async function loadPart<Name extends keyof Parts>(workload: Name): Promise<Parts[Name]> {
  const { href } = new URL(`./${workload}/index.js`, import.meta.url);
  try {
    return (await import(href)) as Parts[Name];
  } catch (cause) {
    const { code, url } = cause as { code?: string; url?: string };
    if (code !== 'ERR_MODULE_NOT_FOUND' || url !== href) throw cause;
    throw new WorkloadMissing(`the ${workload} workload is not in this version`, { cause });
  }
}

/** What the product runs. Tests pass workloads of their own. */
export const installedWorkloads: Workloads = {
  async trace() {
    const { compareTrace } = await loadPart('trace');
    return (file, options) => compareTrace(file, { ...options, memory: options.memory ?? TRACE_MEMORY });
  },
  async sqlite() {
    const engine = '@sqlite.org/sqlite-wasm';
    if (!peerInstalled(engine)) {
      throw new WorkloadMissing(
        `the sqlite workload needs ${engine}, which is not installed. Install it with:\n  ${installLine(engine)}`,
      );
    }
    const { compareSqlite, DEFAULT_MEMORY } = await loadPart('sqlite');
    return (options) => compareSqlite({ ...options, memory: options.memory ?? DEFAULT_MEMORY });
  },
};
