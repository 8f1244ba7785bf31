/** What the processes of the benchmark `tier` are told, and what they answer. */

export const PAGE = 4096;
export const LOAD_MS = 2;
/** Each way. */
export const RELAY_MS = 1;

export const ARMS = ['tier alone', 'private LRU and tier', 'cache of the client and tier', 'pool and tier'] as const;
export type Arm = (typeof ARMS)[number];

export interface Task {
  readonly arm: Arm;
  /** The server's socket. */
  readonly socket: string;
  /** This host's pool. */
  readonly pool: string;
  /** Of this arm in the server. */
  readonly prefix: string;
  readonly seed: number;
  readonly process: number;
  readonly keys: number;
  /** Pages that this process may hold for itself. */
  readonly held: number;
}

export interface Order {
  readonly reads: number;
}

export interface Answer {
  readonly reads: number;
  readonly hits: number;
  /** Requests to the tier. */
  readonly requests: number;
  readonly loads: number;
  /** Different ones. */
  readonly keys: readonly number[];
  /** Microseconds of one read by its rank, and of one that was a hit. */
  readonly p50: number;
  readonly p99: number;
  readonly hitP99: number;
  /** Of what was read. */
  readonly sum: number;
}

/** Each page begins with its key. */
export function pageOf(key: number): Buffer {
  const page = Buffer.alloc(PAGE, key & 255);
  page.writeUInt32LE(key);
  return page;
}
