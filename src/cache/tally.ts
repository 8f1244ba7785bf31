/**
 * What this node counts of one namespace, over all its caches and page spaces, since it connected. In private memory: with every
 * other node's, for each of thousands of namespaces, it would be much of a pool. A count may be one short for each cut call.
 */
import type { NodeSession } from '../pool/index.js';
import type { NamespaceStats } from './types.js';

/** Places of the counts. A hit adds to one and does no more. */
export const HITS = 0;
export const MISSES = 1;
const LOADS = 2;
const LOAD_FAILURES = 3;
const LOAD_MS = 4;
const TIMES = 5;
/** Each up to and including; a last one has what took longer. */
const BOUNDS_MS = [0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000] as const;

export class Tally {
  readonly counts = new Float64Array(TIMES + BOUNDS_MS.length + 1);

  add(place: number, amount = 1): void {
    this.counts[place] = (this.counts[place] as number) + amount;
  }

  /** A load, of whatever end, that took so long. */
  loaded(durationMs: number, failed: boolean): void {
    this.add(failed ? LOAD_FAILURES : LOADS);
    this.add(LOAD_MS, durationMs);
    const found = BOUNDS_MS.findIndex((bound) => durationMs <= bound);
    this.add(TIMES + (found < 0 ? BOUNDS_MS.length : found));
  }

  stats(): NamespaceStats {
    const at = (place: number) => this.counts[place] as number;
    const [hitCount, missCount] = [at(HITS), at(MISSES)];
    const requestCount = hitCount + missCount;
    return {
      requestCount,
      hitCount,
      missCount,
      hitRate: requestCount === 0 ? 0 : hitCount / requestCount,
      loadSuccessCount: at(LOADS),
      loadFailureCount: at(LOAD_FAILURES),
      totalLoadTimeMs: at(LOAD_MS),
      loadTimes: [...BOUNDS_MS, Number.POSITIVE_INFINITY].map((upToMs, i) => ({ upToMs, count: at(TIMES + i) })),
    };
  }
}

const known = new WeakMap<NodeSession, Map<string, Tally>>();

/** Of the namespace that a domain's name begins with, before U+0000. */
export function tallyOf(session: NodeSession, name: string): Tally {
  const namespace = name.slice(0, name.indexOf('\u0000'));
  let ofNode = known.get(session);
  if (ofNode === undefined) {
    ofNode = new Map();
    known.set(session, ofNode);
  }
  let tally = ofNode.get(namespace);
  if (tally === undefined) {
    tally = new Tally();
    ofNode.set(namespace, tally);
  }
  return tally;
}
