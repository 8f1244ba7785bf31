/**
 * replay-node: one node of a replay. Walks the trace in order and serves the accesses routed to it.
 *
 * (N1) It serves access p only when every node has come to p - WINDOW_ACCESSES. The node furthest behind never waits,
 *      so the nodes always advance while they all live; whether they live is for the caller to watch.
 * (N2) A latency covers the cache and, on a miss, the filling of the page; not the wait for its turn, not the check.
 */
import type { ProgressBoard } from '../../../lib/linux/index.js';
import type { Accesses } from './accesses.js';
import type { PageSource } from './pages.js';
import type { ReplayCache } from './replay-cache.js';
import { accessesPerPosition, WINDOW_ACCESSES } from './replay-protocol.js';
import { RequestRouter } from './routing.js';

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

  glance(id: number, page: Uint8Array): boolean {
    return this.source.glance(id, page);
  }

  close(): void {
    this.source.close();
  }
}

/** Of all nodes together; a longer trace is sampled, each node at the same stride. */
const LATENCIES_MAX = 250_000;
const SPINS = 16;
const YIELDS_PER_WATCH = 1024;
const ACCESSES_PER_WATCH = 4096;
const NANOSECONDS_PER_MILLISECOND = 1e6;
const LATENCY_MAX = 2 ** 32 - 1;

export interface ReplayTurns {
  readonly board: ProgressBoard;
  readonly node: number;
  /** Lets other processes run while this one waits. */
  readonly yieldProcessor: () => void;
  /** Called now and then, waiting or not: throws or ends the process when the replay is pointless. */
  readonly watch: () => void;
}

/** `seed` routes the accesses, of which this node serves its own. */
export function replay(
  trace: { accesses: Accesses; nodes: number; seed: number },
  turns: ReplayTurns,
  cache: ReplayCache,
  source: CountedSource,
): ReplayTally {
  return new NodeReplay(trace, turns, cache, source).run();
}

class NodeReplay {
  private readonly trace: { accesses: Accesses; nodes: number; seed: number };
  private readonly turns: ReplayTurns;
  private readonly cache: ReplayCache;
  private readonly source: CountedSource;
  private readonly scale: number;
  private readonly latencies: Uint32Array;
  private readonly latencyStride: number;
  private latencyCount = 0;
  private minimum = 0;
  private requests = 0;
  private hits = 0;
  private wrongPages = 0;
  private firstWrongId: number | undefined;

  constructor(
    trace: { accesses: Accesses; nodes: number; seed: number },
    turns: ReplayTurns,
    cache: ReplayCache,
    source: CountedSource,
  ) {
    const { accesses } = trace.accesses;
    this.trace = trace;
    this.turns = turns;
    this.cache = cache;
    this.source = source;
    this.scale = accessesPerPosition(accesses);
    this.latencyStride = Math.max(1, Math.ceil(accesses / LATENCIES_MAX));
    this.latencies = new Uint32Array(Math.ceil(accesses / this.latencyStride));
  }

  run(): ReplayTally {
    const { accesses, nodes, seed } = this.trace;
    const { board, node } = this.turns;
    const router = new RequestRouter({ nodes, seed });
    let first = 0;
    for (const chunk of accesses.chunks()) {
      this.serve(chunk.ids, router.route(chunk), first);
      first += chunk.ids.length;
    }
    board.publish(node, Math.ceil(first / this.scale));
    return {
      requests: this.requests,
      hits: this.hits,
      storageReads: this.source.fills,
      wrongPages: this.wrongPages,
      firstWrongId: this.firstWrongId,
      latencies: this.latencies.slice(0, this.latencyCount),
    };
  }

  /** The accesses of this node in a chunk of which the first is number `first` of the trace. */
  private serve(ids: Uint32Array, nodeOf: Uint8Array, first: number): void {
    const { cache, source, scale, latencyStride } = this;
    const { board, node, watch } = this.turns;
    const { isShared } = cache;
    const isAlone = this.trace.nodes === 1;
    let { minimum, requests, hits } = this;
    for (let index = 0; index < ids.length; index += 1) {
      if (nodeOf[index] !== node) continue;
      const position = first + index;
      // One that is alone tells its driver alone, now and then.
      if (!isAlone || requests % ACCESSES_PER_WATCH === 0) {
        board.publish(node, scale === 1 ? position : Math.floor(position / scale));
      }
      if (!isAlone && position - minimum > WINDOW_ACCESSES) minimum = this.waitForOthers(position - WINDOW_ACCESSES);
      if (requests % ACCESSES_PER_WATCH === 0) watch();
      const id = ids[index]!;
      const hit = requests % latencyStride === 0 ? this.accessTimed(id) : cache.access(id);
      requests += 1;
      if (!hit) continue;
      hits += 1;
      if (!(isShared ? source.check(id, cache.page) : source.glance(id, cache.page))) {
        this.wrongPages += 1;
        this.firstWrongId ??= id;
      }
    }
    this.minimum = minimum;
    this.requests = requests;
    this.hits = hits;
  }

  private accessTimed(id: number): boolean {
    const before = performance.now();
    const hit = this.cache.access(id);
    const nanoseconds = Math.round((performance.now() - before) * NANOSECONDS_PER_MILLISECOND);
    this.latencies[this.latencyCount] = Math.min(nanoseconds, LATENCY_MAX);
    this.latencyCount += 1;
    return hit;
  }

  private waitForOthers(position: number): number {
    const { board, yieldProcessor, watch } = this.turns;
    // A position of a scaled board says that at least so much was done.
    const least = Math.floor(position / this.scale);
    for (let round = 1; ; round += 1) {
      const minimum = board.minimum();
      if (minimum >= least) return Math.max(position, minimum * this.scale);
      if (round > SPINS) yieldProcessor();
      if (round % YIELDS_PER_WATCH === 0) watch();
    }
  }
}
