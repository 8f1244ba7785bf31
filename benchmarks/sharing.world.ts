/** What the benchmark `sharing` reads, and what its processes tell each other. */
import type { PolicyName } from '../adapters/compare/trace/simulate.js';
import { Random } from './random.js';

export const PAGE = 8192;
/** SQLite's own cache of a connection, in pages: the same in both arms, and of their bytes. */
export const ENGINE_PAGES = 16;
export const ARMS = ['private', 'shared'] as const;
export type ArmName = (typeof ARMS)[number];
/** Without HTAP, which has a program of its own. */
export const WORKLOADS = ['points', 'scans', 'descents', 'trace'] as const;
export type WorkloadName = (typeof WORKLOADS)[number];

/** How much of each is done. Pages are those of the table or tree; the rest is of one process. */
export interface Scale {
  readonly pages: number;
  readonly rounds: number;
  readonly readsARound: number;
  readonly laps: number;
  readonly descents: number;
  /** Of all processes together. */
  readonly accesses: number;
}

export const SCALES = {
  smoke: { pages: 1_024, rounds: 3, readsARound: 100, laps: 1, descents: 300, accesses: 2_000 },
  usual: { pages: 4_096, rounds: 20, readsARound: 600, laps: 2, descents: 8_000, accesses: 48_000 },
  full: { pages: 4_096, rounds: 40, readsARound: 1_200, laps: 4, descents: 20_000, accesses: 160_000 },
} as const satisfies Record<string, Scale>;

/** Where pages come from on a miss. */
export interface MissSource {
  /** Slept before each read, in milliseconds: the page server that is emulated. 0: none. */
  readonly latencyMs: number;
  /** Past the OS page cache. */
  readonly isDirect: boolean;
}

export interface ReadTask {
  readonly task: 'read';
  readonly workload: WorkloadName;
  readonly arm: ArmName;
  readonly node: number;
  readonly nodes: number;
  readonly seed: number;
  readonly scale: Scale;
  readonly file: string;
  readonly miss: MissSource;
  /** Of the private arm; the shared one's is the pool's. */
  readonly eviction: PolicyName;
  /** Pages of this process's private cache. */
  readonly capacity: number;
  /** Of the shared arm. */
  readonly pool: string;
  readonly nearEntries: number;
  /** Of the trace: its numbers, and which accesses begin a request. */
  readonly accesses?: { readonly accesses: number; readonly ids: string; readonly starts?: string | undefined };
}

export interface WriteTask {
  readonly task: 'write';
  readonly file: string;
  readonly pool: string;
  readonly seed: number;
  readonly scale: Scale;
  readonly nodes: number;
}

export type Order =
  | ReadTask
  | WriteTask
  /** One round; `stale` are the pages that the file has anew since the last. */
  | { readonly task: 'round'; readonly round: number; readonly stale: readonly number[] }
  | { readonly task: 'commit' }
  | { readonly task: 'end' };

export interface Report {
  /** Milliseconds that the process spent at its work, without waiting for others to finish theirs. */
  readonly busyMs: number;
  readonly requests: number;
  readonly storageReads: number;
  /** Of all answers, in their order. */
  readonly hash: string;
}

export type Answer =
  | { readonly type: 'ready' }
  | { readonly type: 'done' }
  | { readonly type: 'committed'; readonly pages: readonly number[] }
  | { readonly type: 'report'; readonly report: Report }
  | { readonly type: 'failed'; readonly reason: string };

// The table of point reads and scans: some seven rows of YCSB's kilobyte a page.

export const ROWS_A_PAGE = 7;
const PAYLOAD_BYTES = 1_000;
const STAMP_DIGITS = 8;

/** What the row has after its last update in that round; 0: never. Always as long, so that no row moves. */
export function payloadOf(key: number, round: number): string {
  const stamp = `${String(key).padStart(STAMP_DIGITS, '0')}/${String(round).padStart(STAMP_DIGITS, '0')} `;
  return stamp.repeat(Math.ceil(PAYLOAD_BYTES / stamp.length)).slice(0, PAYLOAD_BYTES);
}

/** Keys by Zipf's law with exponent 0.99, as YCSB has it, scattered over the table. */
export class ZipfKeys {
  private readonly random: Random;
  private readonly sums: Float64Array;

  constructor(seed: number, count: number) {
    this.random = new Random(seed);
    this.sums = new Float64Array(count);
    let sum = 0;
    for (let rank = 0; rank < count; rank++) {
      sum += (rank + 1) ** -0.99;
      this.sums[rank] = sum;
    }
  }

  next(): number {
    const { length } = this.sums;
    const sought = (this.random.next() / 2 ** 32) * (this.sums[length - 1] as number);
    let [low, high] = [0, length - 1];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.sums[middle] as number) < sought) low = middle + 1;
      else high = middle;
    }
    return scattered(low, length);
  }
}

/** A bijection of 0 to count - 1, so that what is often read lies anywhere. */
function scattered(rank: number, count: number): number {
  // A prime that divides no count here.
  return (rank * 1_000_003 + 12_345) % count;
}

/** Updates are one of twenty operations of all processes together, as in YCSB-B. */
export function updatesOf(seed: number, round: number, { nodes, scale }: { nodes: number; scale: Scale }): number[] {
  const keys = new ZipfKeys(seed * 1_000 + round, scale.pages * ROWS_A_PAGE);
  const count = Math.ceil((nodes * scale.readsARound) / 19);
  return [...new Set(Array.from({ length: count }, () => keys.next()))];
}

// The tree of index descents.

export const ENTRIES_A_PAGE = 38;
export const ENTRY_BYTES = 180;

/** Scattered, so that neighbours in time are none in the tree. */
export function entryKey(index: number): number {
  return Math.imul(index, 0x9e3779b1) >>> 0;
}

export function entryValue(index: number): string {
  return `${index}/`.repeat(Math.ceil(ENTRY_BYTES / `${index}/`.length)).slice(0, ENTRY_BYTES);
}
