/**
 * Who is attached, who holds a lock, how sleepers are woken, what each counts.
 * Entered by every room above.
 * Invariants: (L) locks.ts, (N) nodes.ts, (B) bells.ts, (Q) calls.ts, (C) fences.ts, (U) pinblocks.ts,
 * (F) strangers.ts, (A) activity.ts.
 */
export type { Activity } from './activity.js';
export { Bells } from './bells.js';
export { isBusy, lockOf } from './busy.js';
export { Calls } from './calls.js';
export { COUNTER_NAMES, type CounterName, counterIndex } from './counters.js';
export { Fences } from './fences.js';
export { assertHeld } from './holding.js';
export { Locks } from './locks.js';
export { Nodes } from './nodes.js';
export { PinBlocks } from './pinblocks.js';
export { PinPlaces } from './pinplaces.js';
export { Strangers } from './strangers.js';
