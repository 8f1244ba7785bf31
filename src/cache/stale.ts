/**
 * Stale answers: pages that have expired and are kept (lifetimes.ts), for who says how stale a page may be. Nothing else sees them: to
 * get, borrow, has and keys they are misses.
 *
 * (A1) within `staleMs` after its expiry a page is handed out at once, while one node in the cluster loads the key again: who wins the
 *      claim beside the page (F3 of fetching.ts). That load is nobody's who asked: no signal of theirs ends it, and of its failure they
 *      are told nothing.
 * (A2) within `staleOnErrorMs` after its expiry a page is handed out where the load has failed, to who would get its error: of the
 *      loader, or LOAD_TIMEOUT. What has been invalidated meanwhile is no more, so the error is told.
 * (A3) how long a page is kept says who stores it; how stale it may be, who asks.
 * (A4) a page of a tag that was invalidated with `staleFor` is handed out as in (A1), also to who has named no time: how stale it may be said
 *      who invalidated. Of one that has expired as well both have to say so.
 */
import { isOver } from '../../lib/clock.js';
import { PoolError } from '../../lib/errors.js';
import { type Key, type NearEntry, type Page, PinnedPage, StalePage } from '../pool/index.js';
import type { Domain } from './domain.js';
import type { Fetching, Sought } from './fetching.js';
import type { Limits } from './runs.js';
import { STALE } from './tally.js';

/** How long after its expiry a page may be handed out, in milliseconds. */
export interface Windows {
  readonly staleMs: number;
  readonly staleOnErrorMs: number;
}

export const NO_WINDOWS: Windows = { staleMs: 0, staleOnErrorMs: 0 };

/** Undefined where nothing stale is wanted. */
export function windowsOf(staleMs = 0, staleOnErrorMs = 0): Windows | undefined {
  return staleMs > 0 || staleOnErrorMs > 0 ? { staleMs, staleOnErrorMs } : undefined;
}

/** For how long after its expiry a page is kept that may be handed out so. */
export function keptFor(windows: Windows | undefined): number {
  return windows === undefined ? 0 : Math.max(windows.staleMs, windows.staleOnErrorMs);
}

/** The page of the key, exposed, if it expired no longer ago than that. Neither counted nor touched. */
function lookKept(domain: Domain, key: Key, windowMs: number): NearEntry | undefined {
  const { session, keys } = domain;
  session.check();
  const entry = session.reader.searchKept(keys.encode(key));
  if (entry === undefined || !isOver(entry.expiry, session.machine.nowMs())) return entry;
  return session.machine.nowMs() < entry.expiry + windowMs ? entry : undefined;
}

/** Fresh or stale, as it is now. */
function pin({ session, tally }: Domain, key: Key, entry: NearEntry): Page {
  session.reader.touch(entry);
  const { tags } = session.parts;
  const isOfTag = entry.tags !== undefined && !tags.isFresh(entry.tags);
  const isStale = isOfTag || isOver(entry.expiry, session.machine.nowMs());
  if (!isStale) return new PinnedPage(session, key, entry);
  const page = new StalePage(session, key, entry);
  tally.add(STALE);
  return page;
}

/** Of the source, and not of the pool, of how it is used, or of who asks. */
function isOfSource(error: unknown): boolean {
  return !(error instanceof PoolError) || error.code === 'LOAD_TIMEOUT';
}

/** The page, pinned, after a miss of fresh ones. Rejects as fetch does. */
export async function fetchStale(
  fetching: Fetching,
  domain: Domain,
  sought: Sought,
  limits: Limits,
  windows: Windows,
): Promise<Page> {
  const { session } = domain;
  const { key } = sought;
  if ((windows.staleMs > 0 || domain.mayBeStale()) && lookKept(domain, key, windows.staleMs) !== undefined) {
    // (A1) Before the page is pinned: whoever is cut here holds nothing.
    fetching.refresh(sought, limits);
    const entry = lookKept(domain, key, windows.staleMs);
    if (entry !== undefined) return pin(domain, key, entry);
  }
  try {
    return await fetching.fetch(sought, limits);
  } catch (error) {
    // (A2)
    if (windows.staleOnErrorMs === 0 || !isOfSource(error) || !session.isOpen) throw error;
    const entry = lookKept(domain, key, windows.staleOnErrorMs);
    if (entry === undefined) throw error;
    return pin(domain, key, entry);
  }
}
