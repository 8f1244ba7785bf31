/** Waiting for pages to be sealed: what waitFor and waitForMany do. */
import { PoolError } from '../../lib/errors.js';
import type { KeySpace } from './keys.js';
import type { NodeSession } from './node.js';
import { PinnedPage } from './page.js';
import type { Key, Page, WaitOptions } from './types.js';
import { type Place, waitUntil } from './waits.js';

/** The pages of the keys, pinned, as soon as all of them are sealed. None stays pinned when the wait fails. */
export async function pagesWhenSealed(
  session: NodeSession,
  space: KeySpace,
  keys: readonly Key[],
  options: WaitOptions,
): Promise<Page[]> {
  const { timeoutMs, signal } = options;
  if (signal?.aborted === true) throw new PoolError('ABORTED', 'Waiting was aborted.', undefined, signal.reason);
  session.check();
  const pages: (Page | undefined)[] = keys.map(() => undefined);
  const lookFor = (i: number) => {
    if (pages[i] === undefined) {
      const key = keys[i] as Key;
      const entry = session.glance(space, key);
      if (entry !== undefined) pages[i] = new PinnedPage(session, key, entry);
    }
    return pages[i] !== undefined;
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
      places.push({ shard: session.parts.shards.ofHash(space.hashLow), tag: space.hashHigh, look: () => lookFor(i) });
    });
    if (places.length > 0 && timeoutMs === 0) throw onTimeout();
    if (places.length > 0) await waitUntil(session.parts, session.waits, places, { onTimeout, timeoutMs, signal });
    return pages as Page[];
  } catch (error) {
    for (const page of pages) page?.release();
    throw error;
  }
}
