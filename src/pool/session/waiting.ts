/** Waiting for pages to be sealed: what waitFor and waitForMany do. */
import { PoolError } from '../../../lib/errors.js';
import type { KeySpace } from '../access/index.js';
import { type Place, type Waits, waitUntil } from '../events/index.js';
import type { Key, Page, WaitOptions } from '../layout/index.js';
import type { NodeSession } from './node.js';
import { PinnedPage } from './page.js';
import type { NodeParts } from './parts.js';

/** Who waits: an attached node, or one that only reads. */
export interface WaitingHost {
  readonly parts: NodeParts;
  readonly waits: Waits;
  /** Throws DISCONNECTED. */
  check(): void;
  /** The page, held, if it is there. */
  hold(key: Key): Page | undefined;
  /** Where pages stand until their caller has a promise of them (see NodeSession), empty. Undefined: they pin nothing. */
  emptyHand?(): { release(): void }[];
}

/** An attached node, which pins what it waited for. */
export function pinningHost(session: NodeSession, space: KeySpace): WaitingHost {
  const hold = (key: Key) => {
    const entry = session.glance(space, key);
    return entry === undefined ? undefined : new PinnedPage(session, key, entry);
  };
  const emptyHand = () => {
    session.letGoInHand();
    return session.inHand;
  };
  return { parts: session.parts, waits: session.waits, check: () => session.check(), hold, emptyHand };
}

/** The pages of the keys, held, as soon as all of them are sealed. None stays held when the wait fails. */
export async function pagesWhenSealed(
  host: WaitingHost,
  space: KeySpace,
  keys: readonly Key[],
  options: WaitOptions,
): Promise<Page[]> {
  const { timeoutMs, signal } = options;
  if (signal?.aborted === true) throw new PoolError('ABORTED', 'Waiting was aborted.', undefined, signal.reason);
  host.check();
  const pages: (Page | undefined)[] = keys.map(() => undefined);
  const hand = host.emptyHand?.();
  let inHand = hand;
  const lookFor = (i: number) => {
    const page = pages[i] ?? host.hold(keys[i] as Key);
    if (page === undefined) return false;
    if (page !== pages[i]) inHand?.push(page);
    pages[i] = page;
    return true;
  };
  const onTimeout = () => {
    const missing = pages.filter((page) => page === undefined).length;
    return new PoolError('TIMEOUT', `${missing} of ${keys.length} keys did not appear within ${timeoutMs} ms.`);
  };
  try {
    const places: Place[] = [];
    keys.forEach((key, i) => {
      if (lookFor(i)) return;
      space.encode(key);
      const shard = host.parts.shards.ofHash(space.hashLow);
      places.push({ shard, tag: space.hashHigh, wantsPage: true, look: () => lookFor(i) });
    });
    if (places.length > 0 && timeoutMs === 0) throw onTimeout();
    const limits = { onTimeout, timeoutMs, signal };
    const waiting = places.length === 0 ? undefined : waitUntil(host.parts, host.waits, places, limits);
    // Whoever called has the promise when this run goes on.
    inHand = undefined;
    if (hand !== undefined) hand.length = 0;
    await waiting;
    return pages as Page[];
  } catch (error) {
    for (const page of pages) page?.release();
    throw error;
  }
}
