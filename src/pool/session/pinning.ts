/** Pins of a call that takes several. */
import type { Key, Page } from '../layout/index.js';
import type { NodeSession } from './node.js';

/**
 * What `get` gives for each of the keys, in their order, in hand (NodeSession.inHand): the caller empties the hand as he hands them
 * over. Throws what `get` throws: then none stays pinned.
 */
export function pinMany(
  session: NodeSession,
  keys: readonly Key[],
  get: (key: Key) => Page | undefined,
): (Page | undefined)[] {
  session.letGoInHand();
  const pages: (Page | undefined)[] = [];
  try {
    for (const key of keys) {
      const page = get(key);
      if (page !== undefined) session.inHand.push(page);
      pages.push(page);
    }
  } catch (error) {
    session.letGoInHand();
    throw error;
  }
  return pages;
}
