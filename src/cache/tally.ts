/**
 * What this node counts of one name, over all its caches or page spaces of that name, since it connected. In private memory: with every
 * other node's, for each of thousands of names, it would be much of a pool. A count may be one short for each cut call.
 *
 * Hits are told to the pool once a second, and at the node's end (`Tally.tell`), for `pool.spaces()`. They count as told before
 * they are: a call that is cut there loses some, and none is told twice.
 */
import type { Held, NodeSession } from '../pool/index.js';
import type { NamespaceStats } from './types.js';

/** Places of the counts. A hit adds to one and does no more. */
export const HITS = 0;
export const MISSES = 1;
const LOADS = 2;
const LOAD_FAILURES = 3;
const LOAD_MS = 4;
/** Of the misses, those that were answered with a stale page, or with that the source has nothing. */
export const STALE = 5;
export const NEGATIVE = 6;
const TIMES = 7;
/** Each up to and including; a last one has what took longer. */
const BOUNDS_MS = [0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000] as const;
const PLACES = TIMES + BOUNDS_MS.length + 1;

export class Tally {
  readonly counts = new Float64Array(PLACES);
  /** Where the name is found. */
  held: Held | undefined;
  private told = 0;

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

  /** The name was dropped, or got another space: hits of before are no longer counted there. */
  moveTo(held: Held): void {
    this.told = this.counts[HITS] as number;
    this.held = held;
  }

  tell({ spaces }: NodeSession['parts']): void {
    const { held, told } = this;
    const hits = this.counts[HITS] as number;
    if (hits === told || held === undefined || !spaces.isHeld(held)) return;
    this.told = hits;
    spaces.hits.add(held.space, hits - told);
  }
}

const known = new WeakMap<NodeSession, Map<string, Tally>>();

function talliesOf(session: NodeSession): Map<string, Tally> {
  let ofNode = known.get(session);
  if (ofNode !== undefined) return ofNode;
  ofNode = new Map();
  known.set(session, ofNode);
  const tallies = ofNode;
  session.tellers.push(() => {
    for (const tally of tallies.values()) tally.tell(session.parts);
  });
  return ofNode;
}

/** Of a domain's name. */
export function tallyOf(session: NodeSession, name: string): Tally {
  const ofNode = talliesOf(session);
  let tally = ofNode.get(name);
  if (tally === undefined) {
    tally = new Tally();
    ofNode.set(name, tally);
  }
  return tally;
}

/** Of the namespace that a domain's name begins with, before U+0000, its page spaces included. */
export function statsOfNamespace(session: NodeSession, name: string): NamespaceStats {
  const namespace = name.slice(0, name.indexOf('\u0000') + 1);
  const sums = new Float64Array(PLACES);
  for (const [other, { counts }] of talliesOf(session)) {
    if (other.startsWith(namespace))
      for (let i = 0; i < PLACES; i++) sums[i] = (sums[i] as number) + (counts[i] as number);
  }
  const at = (place: number) => sums[place] as number;
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
    staleCount: at(STALE),
    negativeCount: at(NEGATIVE),
    loadTimes: [...BOUNDS_MS, Number.POSITIVE_INFINITY].map((upToMs, i) => ({ upToMs, count: at(TIMES + i) })),
  };
}
