/**
 * Which answers are right. All bounds are such that a right answer is never refused, however long a process does not run: a load is taken
 * to have begun when its loader was called, which is later than the cache counts from; an answer to have been given when the call
 * began; an invalidation to hold from when it has returned on, for what its caller knew when it began.
 *
 * (O1) a page is of the key that was asked for, whole, and of a load that began after every invalidation of the key that had returned.
 * (O2) fresh: its time is not over, and none of its tags was invalidated since its load began.
 * (O3) stale: none of its tags was so for good, nor for a time that is over. Where its own time is over, it is so for less than it was kept for, and
 *      than who asks wants: up to `staleMs`, or `staleOnErrorMs` where a load has failed. Where it is not over, a tag has ended it.
 * (O4) nothing: a load said so, of this key, after its last invalidation and that of its tags, and no longer ago than it said.
 */
import type { AnswerLedger, Floors, Nothing } from './ledger.js';
import { type PageRecord, readRecord, UNKNOWN } from './record.js';

/** Moments are rounded, by the cache and here. */
const ROUND_MS = 2;

/** How long it is remembered at most that there is nothing. */
export const NOTHING_MS_MAX = 100;

/** What was asked for. */
export interface Asked {
  readonly key: number;
  readonly staleMs: number;
  readonly staleOnErrorMs: number;
  readonly errorMs: number;
  readonly loadTimeoutMs: number;
}

export const PLAINLY: Omit<Asked, 'key'> = {
  staleMs: 0,
  staleOnErrorMs: 0,
  errorMs: 0,
  loadTimeoutMs: Number.POSITIVE_INFINITY,
};

export type Verdict = 'fresh' | 'stale' | 'stale after an error' | 'stale by a tag' | 'nothing' | 'not judged';

function has(tags: number, tag: number): boolean {
  return (tags & (1 << tag)) !== 0;
}

export class AnswerJudge {
  private readonly ledger: AnswerLedger;
  /** Whether a load of this process was under way at that moment: whoever joins it gets what it gives, however long it takes. */
  private readonly wasLoading: (began: number, atMs: number) => boolean;

  constructor(ledger: AnswerLedger, wasLoading: (began: number, atMs: number) => boolean = () => false) {
    this.ledger = ledger;
    this.wasLoading = wasLoading;
  }

  /** A page that was found, or fetched, by a call before which the floors were read. */
  meet(bytes: Uint8Array, freshness: string, asked: Asked, floors: Floors): Verdict {
    const page = readRecord(bytes, asked.key);
    const wrong = (what: string) => {
      const told = JSON.stringify({ page, asked, atMs: floors.atMs, nowMs: this.ledger.nowMs() });
      return new Error(`key ${asked.key}, ${freshness}: ${what}. ${told}`);
    };
    if (page.began < floors.key) throw wrong(`from before the invalidation of ${floors.key}`);
    if (freshness === 'fresh') {
      const why = this.whyNotFresh(page, floors);
      if (why !== undefined) throw wrong(why);
      return 'fresh';
    }
    if (freshness !== 'stale') throw wrong('a page with bytes is fresh or stale');
    const why = this.whyNotStale(page, asked, floors);
    if (why !== undefined) throw wrong(why);
    if (!this.isPast(page, floors)) return 'stale by a tag';
    return this.isPastFor(page, asked.staleMs, floors) ? 'stale after an error' : 'stale';
  }

  private isPast(page: PageRecord, floors: Floors): boolean {
    return this.isPastFor(page, 0, floors);
  }
  /** Whether its time was over for so long when the call began. */
  private isPastFor({ expiresMs }: PageRecord, ms: number, { atMs }: Floors): boolean {
    return expiresMs !== UNKNOWN && atMs >= expiresMs + ms + ROUND_MS;
  }

  /** (O2) */
  private whyNotFresh(page: PageRecord, floors: Floors): string | undefined {
    for (const [tag, floor] of floors.any.entries()) {
      if (has(page.tags, tag) && page.began < floor) return `tag ${tag} was invalidated at ${floor}`;
    }
    if (!this.isPast(page, floors) || this.wasLoading(page.began, floors.atMs)) return undefined;
    return 'its time was over';
  }

  /** (O3) */
  private whyNotStale(page: PageRecord, asked: Asked, floors: Floors): string | undefined {
    for (const [tag, floor] of floors.hard.entries()) {
      if (has(page.tags, tag) && page.began < floor) return `tag ${tag} was invalidated for good at ${floor}`;
    }
    for (const { tag, began, untilMs } of floors.softs) {
      if (!has(page.tags, tag) || page.began >= began || floors.atMs < untilMs + ROUND_MS) continue;
      return `tag ${tag} was invalidated at ${began}, and that was allowed until ${untilMs}`;
    }
    if (!this.isPast(page, floors)) return this.whyNotOver(page);
    if (this.isPastFor(page, page.keptMs, floors)) return 'kept for longer than it was said to be';
    if (!this.isPastFor(page, asked.staleMs, floors)) return undefined;
    if (this.isPastFor(page, asked.staleOnErrorMs, floors)) return 'older than was asked for';
    return this.hasFailed(asked, floors) ? undefined : 'no load has failed';
  }

  /** Of a page called stale whose time was not over when it was asked for. Any of its tags may have been invalidated since its lease. */
  private whyNotOver(page: PageRecord): string | undefined {
    const isOver = !page.isExact || this.ledger.nowMs() >= page.expiresMs - ROUND_MS;
    return isOver || page.tags !== 0 ? undefined : 'its time is not over, and it has no tags';
  }

  /** Since the call began, or so long before it as errors are remembered. */
  private hasFailed({ key, errorMs, loadTimeoutMs }: Asked, { atMs }: Floors): boolean {
    if (this.ledger.failedMs(key) >= atMs - errorMs - ROUND_MS) return true;
    return this.ledger.nowMs() - atMs >= loadTimeoutMs - ROUND_MS;
  }

  /** (O4) */
  meetNothing(key: number, floors: Floors): Verdict {
    const nothings = this.ledger.nothings(key);
    if (nothings.some((nothing) => this.isGood(nothing, floors))) return 'nothing';
    // A load that the ring has forgotten may have been it, unless one after it is over for as long as any lasts.
    const isKnown =
      !this.ledger.hasForgotten(key) || nothings.some((one) => one.untilMs + NOTHING_MS_MAX < floors.atMs);
    if (!isKnown) return 'not judged';
    const told = JSON.stringify({ floors, nothings: nothings.filter(({ began }) => began > 0) });
    throw new Error(`key ${key}: nothing, but no load that holds said so. ${told}`);
  }

  private isGood({ began, untilMs, tags }: Nothing, floors: Floors): boolean {
    if (began === 0 || began < floors.key) return false;
    if (floors.any.some((floor, tag) => has(tags, tag) && began < floor)) return false;
    return floors.atMs < untilMs + ROUND_MS || this.wasLoading(began, floors.atMs);
  }
}
