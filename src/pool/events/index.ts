/**
 * Being told, and waiting: the event logs, a follower's position, everything that sleeps.
 * Entered by access, session, recovery and census.
 * Invariants: (E) eventlog.ts, (U1) feed.ts, (W) waits.ts.
 */
export { EventLog, type EventRecord, formatEvents, resetEvents } from './eventlog.js';
export { type Fed, Feed } from './feed.js';
export { type Wait, Waits } from './waits.js';
export { waitUntil } from './waituntil.js';
export type { Place } from './watches.js';
