/** What the driver and its child processes tell each other over IPC: one task down, then reports up. */
import type { Query } from './queries.js';

/** Where a reader's pages come from. */
export type SourceSpec =
  | { readonly kind: 'uncached'; readonly direct: boolean }
  | { readonly kind: 'private-lru'; readonly direct: boolean; readonly pagesMax: number }
  | { readonly kind: 'shared'; readonly direct: boolean; readonly poolPath: string; readonly nearEntries: number };

export interface ReadTask {
  readonly task: 'read';
  readonly node: number;
  readonly file: string;
  readonly source: SourceSpec;
  readonly queries: readonly Query[];
  readonly rounds: number;
  readonly seed: number;
  /** SQLite's own page cache of this connection, KiB. */
  readonly engineCacheKiB: number;
  readonly warmUp?: WarmUp | undefined;
}

/** Done before a reader reports ready, over a cache that is thrown away: what is measured is compiled by then. */
export interface WarmUp {
  readonly source: SourceSpec;
  readonly queries: readonly Query[];
}

export interface GenerateTask {
  readonly task: 'generate';
  /** Written under another name and renamed. */
  readonly file: string;
  readonly temporaryFile: string;
  readonly seed: number;
  readonly scale: number;
  readonly fingerprint: number;
}

export type Task = ReadTask | GenerateTask;

export interface NodeResult {
  readonly requests: number;
  readonly hits: number;
  readonly storageReads: number;
  /** Bytes the kernel fetched from the device for this process while it ran; undefined where /proc/self/io is closed. */
  readonly deviceBytes: number | undefined;
  readonly latencyCounts: readonly number[];
  /** Milliseconds per query, in the task's order of queries, summed over the rounds. */
  readonly queryMs: readonly number[];
  /** Hash per query, in the task's order of queries, one for each round. */
  readonly hashes: readonly (readonly string[])[];
  /** After each query, in the order in which they ran: the counts up to there. */
  readonly warming: readonly { readonly requests: number; readonly hits: number }[];
  readonly note: string | undefined;
  /** What warming up took. */
  readonly warmUpMs: number;
}

export type Report =
  | { readonly type: 'ready' }
  | { readonly type: 'progress'; readonly fraction: number; readonly text: string }
  | { readonly type: 'done'; readonly result: unknown }
  | { readonly type: 'failed'; readonly message: string };

/** Sent to every reader once all are ready. */
export interface Go {
  readonly go: true;
}
