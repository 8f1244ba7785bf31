/** What drafts refuse, of whatever kind their pool is. */
import { filledOf } from '../../../lib/bytes.js';
import { PoolError } from '../../../lib/errors.js';
import type { Key } from '../layout/index.js';
import { describeKey } from './names.js';

export type DraftState = 'open' | 'sealed' | 'aborted';

/** Throws ALREADY_SEALED, NOT_OWNER. */
export function refuseEnded(key: Key, state: DraftState): void {
  if (state === 'sealed') throw new PoolError('ALREADY_SEALED', `The draft ${describeKey(key)} is sealed already.`);
  if (state === 'aborted') throw new PoolError('NOT_OWNER', `The draft ${describeKey(key)} was aborted.`);
}

/** Throws NOT_FILLED. */
export function refuseFilling(key: Key, isFilling: boolean): void {
  if (isFilling) throw new PoolError('NOT_FILLED', `The draft ${describeKey(key)} is being filled.`);
}

/** A filler that says how much it filled, as reads of files do, has to have filled all. Throws SHORT_LOAD. */
export function refuseShortFill(key: Key, size: number, answer: unknown): void {
  const told = filledOf(answer);
  if (typeof told !== 'number' || told >= size) return;
  const what = `The draft ${describeKey(key)} has ${size} bytes, of which ${told} were filled`;
  throw new PoolError('SHORT_LOAD', `${what}: it is aborted.`, { key, bytes: told, size });
}

export function bytesTransferred(key: Key): PoolError {
  return new PoolError('NOT_OWNER', `The bytes of the draft ${describeKey(key)} were transferred: it is aborted.`);
}
