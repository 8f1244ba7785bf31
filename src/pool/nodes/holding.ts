/** What only the holder of a lock may do says so where it begins. */
import { assert } from '../../../lib/assert.js';
import { PoolError } from '../../../lib/errors.js';
import type { Calls } from './calls.js';
import type { Locks } from './locks.js';
import type { Nodes } from './nodes.js';

/**
 * Nothing where this node holds the lock. A hold is counted before it is taken (Q1), so where nothing is counted the lock
 * was forgotten: that is a fault of ours. Else it was taken over: throws NODE_FENCED.
 */
export function assertHeld(
  { locks, nodes, calls }: { readonly locks: Locks; readonly nodes: Nodes; readonly calls: Calls },
  lock: number,
): void {
  if (locks.ownerOf(lock) === nodes.self) return;
  assert(calls.open > 0, 'This is done under a lock, and the caller holds none.');
  throw new PoolError('NODE_FENCED', `Lock ${lock}, under which this node works, is not its own any more.`, { lock });
}
