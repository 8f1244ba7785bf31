/**
 * replay-node: one node of a replay. Walks the trace in order and serves the accesses routed to it.
 *
 * (N1) It serves access p only when every node has come to p - WINDOW_ACCESSES. The node furthest behind never waits,
 *      so the nodes always advance while they all live; whether they live is for the caller to watch.
 * (N2) A latency covers the cache and, on a miss, the filling of the page; not the wait for its turn, not the check.
 */
import type { ProgressBoard } from '../../../lib/linux/index.js';
import type { PageSource } from './pages.js';
import type { ReplayCache } from './replay-cache.js';
import { WINDOW_ACCESSES } from './replay-protocol.js';

export interface ReplayTally {
  readonly requests: number;
  readonly hits: number;
  readonly storageReads: number;
  readonly wrongPages: number;
  readonly firstWrongId: number | undefined;
  /** Nanoseconds per access. */
  readonly latencies: Uint32Array;
}

/** Counts what a cache asks of its source. */
export class CountedSource implements PageSource {
  fills = 0;
  private readonly source: PageSource;

  constructor(source: PageSource) {
    this.source = source;
  }

  fill(id: number, target: Uint8Array): void {
    this.fills += 1;
    this.source.fill(id, target);
  }

  check(id: number, page: Uint8Array): boolean {
    return this.source.check(id, page);
  }

  close(): void {
    this.source.close();
  }
}

/** Of all nodes together; a longer trace is sampled, each node at the same stride. */
const LATENCIES_MAX = 4_000_000;
const SPINS = 16;
const YIELDS_PER_WATCH = 1024;
const ACCESSES_PER_WATCH = 4096;
const NANOSECONDS_PER_MILLISECOND = 1e6;
const LATENCY_MAX = 2 ** 32 - 1;

/** The positions in the trace that `node` serves, in order. */
export function positionsOf(node: number, nodeOf: Uint8Array): Uint32Array {
  let count = 0;
  for (const owner of nodeOf) if (owner === node) count += 1;
  const positions = new Uint32Array(count);
  let next = 0;
  for (let position = 0; position < nodeOf.length; position += 1) {
    if (nodeOf[position] === node) positions[next++] = position;
  }
  return positions;
}

export interface ReplayTurns {
  readonly board: ProgressBoard;
  readonly node: number;
  /** Lets other processes run while this one waits. */
  readonly yieldProcessor: () => void;
  /** Called now and then, waiting or not: throws or ends the process when the replay is pointless. */
  readonly watch: () => void;
}

export function replay(
  trace: { ids: Uint32Array; positions: Uint32Array },
  turns: ReplayTurns,
  cache: ReplayCache,
  source: CountedSource,
): ReplayTally {
  const { ids, positions } = trace;
  const { board, node, watch } = turns;
  const latencyStride = Math.max(1, Math.ceil(ids.length / LATENCIES_MAX));
  const latencies = new Uint32Array(Math.ceil(positions.length / latencyStride));
  let minimum = 0;
  let hits = 0;
  let wrongPages = 0;
  let firstWrongId: number | undefined;
  for (let index = 0; index < positions.length; index += 1) {
    const position = positions[index]!;
    board.publish(node, position);
    if (position - minimum > WINDOW_ACCESSES) minimum = waitForOthers(position - WINDOW_ACCESSES, turns);
    if (index % ACCESSES_PER_WATCH === 0) watch();
    const id = ids[position]!;
    const before = performance.now();
    const hit = cache.access(id);
    const after = performance.now();
    if (index % latencyStride === 0) {
      const nanoseconds = Math.round((after - before) * NANOSECONDS_PER_MILLISECOND);
      latencies[index / latencyStride] = Math.min(nanoseconds, LATENCY_MAX);
    }
    if (!hit) continue;
    hits += 1;
    if (!source.check(id, cache.page)) {
      wrongPages += 1;
      firstWrongId ??= id;
    }
  }
  board.publish(node, ids.length);
  return {
    requests: positions.length,
    hits,
    storageReads: source.fills,
    wrongPages,
    firstWrongId,
    latencies,
  };
}

function waitForOthers(position: number, turns: ReplayTurns): number {
  for (let round = 1; ; round += 1) {
    const minimum = turns.board.minimum();
    if (minimum >= position) return minimum;
    if (round > SPINS) turns.yieldProcessor();
    if (round % YIELDS_PER_WATCH === 0) turns.watch();
  }
}
