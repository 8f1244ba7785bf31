/** What a storm is made of, and what one node of it is told. */
import type { BoardShape } from './board.js';

export interface Scene {
  /** What its nodes do: see actors.ts. */
  readonly does: 'pages' | 'answers';
  readonly poolPath: string;
  readonly boardPath: string;
  readonly shape: BoardShape;
  /** Keys that everybody writes, and those of them that are larger than a chunk. */
  readonly sharedKeys: number;
  readonly largeKeys: number;
  readonly largeBytesMax: number;
  readonly pageBytesMax: number;
}

/** How a life ends, if it does not end by the supervisor's hand before. */
export type Fuse =
  /** By its own hand after so many stores under a lock. */
  | { readonly where: 'lock'; readonly stores: number }
  /** The same inside a repair. */
  | { readonly where: 'repair'; readonly stores: number };

export interface LifePlan {
  readonly scene: Scene;
  readonly seat: number;
  readonly seats: number;
  readonly seed: number;
  readonly fuse?: Fuse | undefined;
  /** The node lives on a worker thread of its process, which ends it by `terminate` again and again. */
  readonly onWorker?: boolean;
  /** Does nothing but fill the pool, and leaves. */
  readonly fill?: boolean;
  /** Every page of the data is mapped before work begins. */
  readonly prefault?: boolean;
}

export type Order = { readonly go: LifePlan } | { readonly leave: true };
export type Notice = { readonly ready: true } | { readonly row: number } | { readonly filled: true };

const MIB = 1024 * 1024;
const PAGE_BYTES_MEAN = 3300;

/** So many keys that the pool is full with fewer than all of them. */
export function sceneFor(
  poolPath: string,
  boardPath: string,
  poolBytes: number,
  seats: number,
  does: Scene['does'] = 'pages',
): Scene {
  const pages = Math.floor(poolBytes / PAGE_BYTES_MEAN);
  return {
    does,
    poolPath,
    boardPath,
    shape: {
      ownKeys: Math.max(50, Math.floor(pages / seats)),
      ownPages: Math.max(20, Math.floor(pages / seats / 16)),
      sources: Math.max(50, Math.floor(pages / 32)),
    },
    sharedKeys: Math.max(100, Math.floor(pages / 2)),
    largeKeys: 12,
    largeBytesMax: Math.max(MIB / 4, Math.min(6 * MIB, Math.floor(poolBytes / 48))),
    pageBytesMax: 10_000,
  };
}
