/** What the processes of the benchmark `scale` do, and what they tell. */
import { Context, type Mode } from './frame.js';
import { PageMaker, Reads } from './pages.js';

export const PAGE_BYTES = 8192;

/** What a cell is about. */
export const LOADS = [
  'borrow by page number',
  'borrow by string',
  'pin',
  'read',
  'set over live keys',
  'put with eviction',
  'readers beside a writer',
] as const;
export type Load = (typeof LOADS)[number];

export const isWriting = (load: Load) => load === 'set over live keys' || load === 'put with eviction';

/** Where a process works: in the pool that so many processes share, or in its private cache. */
export type Side = 'pool' | 'private';
export const SIDES: readonly Side[] = ['pool', 'private'];

/** Of 'readers beside a writer': whether the writer's pages are those that are read. */
export type Beside = 'alone' | 'other pages' | 'same pages';
export const BESIDES: readonly Beside[] = ['alone', 'other pages', 'same pages'];

export interface Order {
  readonly side: Side;
  /** Of the pools that this process has joined. */
  readonly pool: number;
  /** What it does, of 'readers beside a writer'. */
  readonly role: 'read' | 'write other pages' | 'write same pages';
  readonly ms: number;
}

/** What a process did in its slice. */
export interface Slice {
  readonly operations: number;
  readonly ms: number;
  /** Of single operations, where they are writes; else 0. */
  readonly p99Us: number;
  readonly p9999Us: number;
  readonly longestUs: number;
}

export interface Size {
  readonly pages: number;
  /** Reads in a run of the event loop. */
  readonly batch: number;
}

export function sizeOf(mode: Mode): Size {
  return mode === 'smoke' ? { pages: 200, batch: 100 } : { pages: 20_000, batch: 1000 };
}

/** Page n has the bytes of source n modulo these: a copy reads what lies in the processor's caches, in every arm alike. */
const SOURCES = 16;

export function sourcesOf(seed: number): Uint8Array[] {
  return new PageMaker(seed, PAGE_BYTES).pages(SOURCES);
}

export function sourceOf(sources: readonly Uint8Array[], pageNo: number): Uint8Array {
  return sources[pageNo % SOURCES] as Uint8Array;
}

export const keyOf = (pageNo: number) => `page:${pageNo}`;

/** The reads of one process: of the first `pages` pages. */
export function readsOf(mode: Mode, seed: number, sources: readonly Uint8Array[], pages: number): Reads {
  const all = Array.from({ length: pages }, (_, pageNo) => sourceOf(sources, pageNo));
  return new Reads(new Context(mode, seed), all, { batches: mode === 'smoke' ? 8 : 64, batch: sizeOf(mode).batch });
}
