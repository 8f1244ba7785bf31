/**
 * replay-protocol: what the driver and its node processes say to each other, and the files they share.
 *
 * A run: configure → ready (all) → start → finished (all) → measure → report (all) → exit. A node that cannot go on says
 * failed and exits with 1. The driver kills all nodes when one fails, dies or stands still; a node ends itself when its
 * driver is gone.
 */
import type { ArmName } from '../types.js';
import type { AccessFiles } from './accesses.js';
import type { Shared } from './replay-cache.js';
import type { PolicyName } from './simulate.js';

/** No node serves an access while another is more than this many accesses of the trace behind it. */
export const WINDOW_ACCESSES = 64;

/** In the run's own directory. */
export const runFiles = { board: 'board' } as const;

/**
 * What a position on the board counts: accesses, or where 31 bits do not hold their number as many of them at once. A
 * power of two.
 */
export function accessesPerPosition(accesses: number): number {
  let scale = 1;
  while (accesses / scale > 2 ** 31 - 1) scale *= 2;
  return scale;
}

export interface NodeConfig {
  readonly arm: ArmName;
  readonly node: number;
  readonly nodes: number;
  /** The run's directory, where runFiles are. */
  readonly directory: string;
  readonly files: AccessFiles;
  /** Distinct pages of the trace. */
  readonly unique: number;
  /** Routes the accesses; the same for every node. */
  readonly seed: number;
  readonly pageSize: number;
  /** Objects of this node's private cache; unused by the shared arm. */
  readonly capacity: number;
  readonly policy: PolicyName;
  readonly storage: string | undefined;
  /** Path of the pool of the shared arm. */
  readonly pool: string | undefined;
  /** Of the shared arm; absent: the pool's default. */
  readonly nearEntries?: number | undefined;
}

export interface NodeReport {
  readonly requests: number;
  readonly hits: number;
  readonly storageReads: number;
  readonly wrongPages: number;
  /** The id whose page was wrong first. */
  readonly firstWrongId: number | undefined;
  readonly bytesPrivate: number;
  readonly shared: Shared;
  /** Nanoseconds per access, of a long trace every n-th access of each node. */
  readonly latencies: Uint32Array;
}

export type ToNode = { type: 'configure'; config: NodeConfig } | { type: 'start' } | { type: 'measure' };

export type FromNode =
  | { type: 'ready' }
  | { type: 'finished' }
  | { type: 'report'; report: NodeReport }
  | { type: 'failed'; reason: string };
