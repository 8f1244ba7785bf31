/** BUSY: a lock that was not to be had within the time its caller may wait, behind an owner that lives (L4). */
import { PoolError } from '../../../lib/errors.js';

export function busy(lock: number, owner: number, waitedMs: number, isStuck: boolean): PoolError {
  const how = isStuck ? 'is held still by' : `has been held for ${Math.round(waitedMs)} ms by`;
  return new PoolError('BUSY', `Lock ${lock} ${how} node ${owner}.`, { lock, owner });
}

/** Whether a lock was not to be had, for which nothing was done. */
export function isBusy(error: unknown): error is PoolError {
  return error instanceof PoolError && error.code === 'BUSY';
}

/** The lock that was not to be had; undefined for other errors. */
export function lockOf(error: unknown): number | undefined {
  if (!isBusy(error) || error.details === undefined || !('lock' in error.details)) return undefined;
  return error.details.lock as number;
}
