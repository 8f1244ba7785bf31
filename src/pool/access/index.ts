/**
 * Reading and writing under the protocol: the way to a page, into the pool, and out of it.
 * Entered by session and all above.
 * Invariants: (F) reader.ts, the table in writer.ts, (A) reclaim.ts.
 */
export {
  type CreateOutcome,
  type DraftName,
  type DraftPlace,
  draftUnder,
  fieldsOf,
  type SealOutcome,
} from './drafts.js';
export { fillAndSeal } from './filling.js';
export { withHoldings } from './holders.js';
export {
  bytesOfPrefix,
  displayKey,
  displayToldKey,
  KeySpace,
  keyOfBytes,
  pageNumberOf,
  RESERVED_PREFIX,
  startsWith,
} from './keys.js';
export { type Listing, listObjects, listObjectsAsync, pageListedAt, statsOf, totalOf } from './listing.js';
export { entryPrefix, type KeyName, nameOfKey, nameOfSpace, pagePrefix } from './naming.js';
export { PassOver } from './passing.js';
export { nearAt, Reader } from './reader.js';
export type { Reclaimer } from './reclaim.js';
export { poolFull } from './runs.js';
export { listSpaces, removeSpace } from './spacelist.js';
export { Writer } from './writer.js';
