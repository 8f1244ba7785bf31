/** What the driver of the htap workload and its processes tell each other: one task down, then reports up (../sqlite/messages.ts). */
import type { Query } from '../sqlite/queries.js';
import type { HtapArm, MediumKind, StoreKind } from './arms.js';

interface NodeTask {
  /** The database, a copy of this arm's own. */
  readonly file: string;
  /** Of the writer's pool, which every process of the arm connects to. */
  readonly poolPath: string;
  /** Of the index of that pool. */
  readonly nearEntries: number;
  readonly medium: MediumKind;
  readonly seed: number;
  readonly scale: number;
  readonly durationMs: number;
  /** SQLite's own page cache of this connection, KiB. */
  readonly engineCacheKiB: number;
}

export interface WriterTask extends NodeTask {
  readonly task: 'writer';
  /** Transactions a second. */
  readonly rate: number;
  /** Of its pool, for the past. */
  readonly snapshotShare: number;
}

export interface ReaderTask extends NodeTask {
  readonly task: 'reader';
  readonly node: number;
  readonly store: StoreKind;
  /** Of a private store. */
  readonly privatePath?: string;
  readonly privateNearEntries?: number;
  readonly queries: readonly Query[];
  /** From the start of the run until it opens the database. */
  readonly delayMs: number;
}

/** One query's result, to be held against the engine's without any of this. */
export interface Sample {
  /** Transactions that its snapshot has. */
  readonly count: number;
  readonly query: number;
  readonly hash: string;
  readonly arm: HtapArm;
}

export interface OracleTask {
  readonly task: 'oracle';
  /** The database as it was before the first transaction. */
  readonly file: string;
  readonly seed: number;
  readonly scale: number;
  readonly queries: readonly Query[];
  readonly samples: readonly Sample[];
  readonly limitMs: number;
}

export type HtapTask = WriterTask | ReaderTask | OracleTask;

export interface WriterResult {
  /** Before the first transaction. */
  readonly lsn: number;
  /** Milliseconds from BEGIN to the end of COMMIT, one a transaction. */
  readonly commitMs: readonly number[];
  /** Milliseconds by which the last one was later than the rate asked for. */
  readonly behindMs: number;
  readonly storageReads: number;
}

/** One query that was answered. */
export interface QueryRun {
  /** As numbered in the specification. */
  readonly query: number;
  /** Of its snapshot. */
  readonly lsn: number;
  /** Milliseconds from the start of the run, before the refresh. */
  readonly startMs: number;
  readonly ms: number;
  /** Milliseconds from the commit of its snapshot to the refresh that found it. */
  readonly ageMs: number;
  readonly requests: number;
  /** Of the requests, those that a cache answered: the store's, or the operating system's. */
  readonly hits: number;
  readonly storageReads: number;
  readonly hash: string;
  /** How often the pool had given up its snapshot: each time it began anew. */
  readonly snapshotsLost: number;
}

export interface ReaderResult {
  readonly runs: readonly QueryRun[];
  /** Pages asked for and read, those of the query that the end cut off included. */
  readonly requests: number;
  readonly storageReads: number;
  /** Mean of a read of the storage, milliseconds. */
  readonly storageMs: number;
  readonly latencyCounts: readonly number[];
  /** Conditions that did not hold, and in which query. */
  readonly violations: readonly string[];
  /** Snapshots of which conditions were looked at. */
  readonly checked: number;
}

export interface OracleResult {
  readonly compared: Readonly<Partial<Record<HtapArm, number>>>;
  /** What differed, one sentence each. */
  readonly wrong: readonly string[];
}
