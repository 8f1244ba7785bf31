/**
 * The workloads of `sealpool compare`, each loaded only when it is asked for: their engines are optional.
 *
 * (W1) a missing engine is told apart from a missing part of this package: the first has an install line.
 */
import { installLine, peerInstalled } from './peers.js';
import type { CompareResult, Progress } from './types.js';

export const policies = ['s3-fifo', 'sieve', 'lru'] as const;
export type Policy = (typeof policies)[number];

/** Bytes given to each arm in total, or a share of the pages that the workload touches. */
export type Memory = number | { readonly percent: number };

export interface WorkloadOptions {
  readonly nodes: number;
  readonly memory: Memory;
  readonly eviction: Policy;
  /** File whose pages a miss reads; absent: made-up pages whose contents can be verified. */
  readonly storage?: string;
  readonly seed: number;
  readonly progress: Progress;
}

export type CompareTrace = (file: string, options: WorkloadOptions) => Promise<CompareResult>;
export type CompareSqlite = (options: WorkloadOptions) => Promise<CompareResult>;

export interface Workloads {
  trace(): Promise<CompareTrace>;
  /** Throws WorkloadMissing. */
  sqlite(): Promise<CompareSqlite>;
}

/** The workload cannot run here; the message says what to do. */
export class WorkloadMissing extends Error {
  override readonly name = 'WorkloadMissing';
}

const parts = {
  trace: ['./trace/index.js', 'compareTrace'],
  sqlite: ['./sqlite/driver.js', 'compareSqlite'],
} as const;

async function loadPart<T>(workload: keyof typeof parts): Promise<T> {
  const [path, name] = parts[workload];
  const { href } = new URL(path, import.meta.url);
  let part: Record<string, unknown>;
  try {
    part = (await import(href)) as Record<string, unknown>;
  } catch (cause) {
    const { code, url } = cause as { code?: string; url?: string };
    if (code !== 'ERR_MODULE_NOT_FOUND' || url !== href) throw cause;
    throw new WorkloadMissing(`the ${workload} workload is not in this version`, { cause });
  }
  return part[name] as T;
}

/** What the product runs. Tests pass workloads of their own. */
export const installedWorkloads: Workloads = {
  trace: () => loadPart<CompareTrace>('trace'),
  async sqlite() {
    const engine = '@sqlite.org/sqlite-wasm';
    if (!peerInstalled(engine)) {
      throw new WorkloadMissing(
        `the sqlite workload needs ${engine}, which is not installed. Install it with:\n  ${installLine(engine)}`,
      );
    }
    return await loadPart<CompareSqlite>('sqlite');
  },
};
