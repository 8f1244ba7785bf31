/**
 * What one node remembers, and what keeps that true: near index, hazards, retire log, touches.
 * Entered by access, session and recovery; only a node's own thread writes here.
 * Invariants: (H) hazards.ts, (R) retirelog.ts, (P) near.ts.
 */
export { Hazards, type Pin } from './hazards.js';
export { HazardScan } from './hazardscan.js';
export { copyOfEntry, NearEntry, NearIndex, type NearKey, NearMap, poison } from './near.js';
export { Resting } from './resting.js';
export {
  REASON_DELETED,
  REASON_EVICTED,
  REASON_EXPIRED,
  REASON_SHORTENED,
  REASON_SUPERSEDED,
  RetireLog,
} from './retirelog.js';
export { TouchDrain, Touches } from './touches.js';
