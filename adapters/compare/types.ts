/**
 * What `sealpool compare` measures: the same work over the same total bytes, once per arm.
 */

/** One way to spend the memory. `private-POLICY` is named after the policy, as in private-s3-fifo. */
export type ArmName =
  | 'private-lru'
  | 'private-adaptive-2q'
  | 'private-s3-fifo'
  | 'private-sieve'
  | 'private-engine'
  | 'private-versioned'
  | 'shared'
  | 'os-cache'
  | 'os-cache-limited';

/** Nothing tells such an arm's hits: they are the requests for which nothing was fetched from the device. */
export const isOsCache = (name: ArmName): boolean => name.startsWith('os-cache');

/** The figures of one arm, summed over its nodes. Byte counts are bytes, latencies microseconds per page request. */
export interface ArmResult {
  readonly name: ArmName;
  readonly requests: number;
  readonly hits: number;
  /** 0..1 */
  readonly hitRatio: number;
  readonly storageReads: number;
  /** Bytes that each node holds for itself, summed: pages plus the overhead of the index that finds them. */
  readonly bytesPrivate: number;
  /** Bytes of the pool that all nodes share, counted once. */
  readonly bytesShared: number;
  /** Pages that the arm may hold in all; of a pool that bytes limit, those it held at the end. */
  readonly objects?: number;
  /**
   * Of a private arm that was given as many pages as the shared arm and took fewer bytes: what the bytes that the shared
   * arm took would buy it, by exact simulation.
   */
  readonly atSharedBytes?: { readonly objects: number; readonly hits: number; readonly hitRatio: number };
  readonly p50Us: number;
  readonly p99Us: number;
  /** Wall time of the arm, milliseconds. */
  readonly elapsedMs: number;
  /** Things worth knowing about this arm, one sentence each. */
  readonly notes: readonly string[];
}

export interface CompareResult {
  readonly nodes: number;
  /** Total bytes given to each arm. */
  readonly memory: number;
  /** What `memory` counts: all bytes that an arm takes (default), or those of its pages alone. */
  readonly equalIn?: 'bytes' | 'pages';
  readonly workload: string;
  /** Where the arms did not do the same work: what they did, one sentence, in place of the general one. */
  readonly done?: string;
  /** Processes that divide the memory in private arms. Default: the nodes. */
  readonly shares?: number;
  readonly seed: number;
  /** Of a trace: what its file was recognised as, such as 'arc-lis'. */
  readonly format?: string;
  /** Of a trace: the line that says what was recognised. */
  readonly recognised?: string;
  readonly accesses?: number;
  /** Distinct pages. */
  readonly pages?: number;
  /** Bytes of all distinct pages together. */
  readonly workingSet?: number;
  readonly arms: readonly ArmResult[];
  /** What else was seen of the arms, a row each, the arm's name first. */
  readonly beside?: {
    readonly title: string;
    readonly heads: readonly string[];
    readonly rows: readonly (readonly string[])[];
  };
  /** What was checked (for example: every query equals an uncached run), one sentence each. */
  readonly checks: readonly { readonly text: string; readonly ok: boolean }[];
  /** What was seen and what it does not mean, one sentence each. */
  readonly notes: readonly string[];
  /** Free-form extra series for the report, e.g. milliseconds per query and arm. */
  readonly series?: readonly {
    readonly title: string;
    readonly unit: string;
    readonly labels: readonly string[];
    readonly values: Readonly<Partial<Record<ArmName, readonly number[]>>>;
  }[];
}

/** Called while an arm runs. `fraction` is 0..1 of that arm. */
export type Progress = (update: { arm: string; fraction: number; text: string }) => void;
