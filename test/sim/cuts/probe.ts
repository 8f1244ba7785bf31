/**
 * What code made to be cut runs on. Every function of the product, and every turn of its loops, asks `probe` first; these
 * are the places where the engine itself cuts a call: it looks for an overflowing stack, and for a request to terminate,
 * at the entry of a function, and for the request also where a loop goes round.
 */

/**
 * throw: once, and whoever catches it goes on. overflow: from then on at every place, until the caller has it back, as what
 * catches at the end of the stack has no more of it. terminate: the same, and nothing is caught and no `finally` runs.
 */
export type CutKind = 'throw' | 'overflow' | 'terminate';

export const CUT_KINDS: readonly CutKind[] = ['throw', 'overflow', 'terminate'];

export interface CutSweep {
  readonly cuts: number;
  readonly faults: readonly string[];
}

let kind: CutKind = 'throw';
let left = Number.POSITIVE_INFINITY;
let isEnded = false;
let isCut = false;

export function probe(): void {
  if (--left < 0) fire();
}

function fire(): never {
  isCut = true;
  if (kind === 'throw') left = Number.POSITIVE_INFINITY;
  if (kind === 'terminate') isEnded = true;
  throw new RangeError('Maximum call stack size exceeded');
}

/** Whether the call is being terminated: whatever would catch or clean up has to let it pass. */
export function ended(): boolean {
  return isEnded;
}

/** Does the work and cuts it at its k-th place; false when it was through before. Other errors are thrown on. */
export function cutShort(how: CutKind, k: number, work: () => void): boolean {
  kind = how;
  left = k;
  isCut = false;
  try {
    work();
  } catch (error) {
    if (!isCut) throw error;
  } finally {
    left = Number.POSITIVE_INFINITY;
    isEnded = false;
  }
  return isCut;
}
