export {
  type CreateOutcome,
  type DraftName,
  type DraftPlace,
  displayKey,
  draftUnder,
  entryPrefix,
  fillAndSeal,
  type KeySpace,
  type Listing,
  listObjects,
  listObjectsAsync,
  nameOfKey,
  nameOfSpace,
  pageNumberOf,
  pagePrefix,
  type Reader,
  type SealOutcome,
  totalOf,
} from './access/index.js';
export { waitUntil } from './events/index.js';
export { inspect } from './inspection.js';
export {
  bytesSchema,
  type Checkpoint,
  type CheckpointInfo,
  type CheckpointWriter,
  type ConnectOptions,
  type CreateOptions,
  checkOptions,
  type Draft,
  type Eviction,
  expiryAfter,
  type Filler,
  FLAG_DETACHED,
  FLAG_LEASED,
  FLAG_VERSIONED,
  type FormatOptions,
  type Key,
  LAYOUT,
  METADATA_BYTES_MAX,
  type NodeInfo,
  type ObjectInfo,
  type Page,
  type Pool,
  type PoolEvent,
  type PoolInfo,
  type PoolProblem,
  type PoolReport,
  type PoolSizeOptions,
  type PoolStats,
  parseSize,
  poolSizeFor,
  SIZES_MIXED,
  type SpaceInfo,
  type SpaceName,
  type SubscribeOptions,
  type Subscription,
  usableBytes,
  type WaitOptions,
} from './layout/index.js';
export type { NearEntry, NearKey, NearMap } from './near/index.js';
export { isBusy, lockOf } from './nodes/index.js';
export type { DraftFields, Held } from './objects/index.js';
export { connect, destroy, format } from './open.js';
export { AttachedPool } from './pool.js';
export { type NodeSession, PinnedPage, PrivatePage, pinMany } from './session/index.js';
export { destroyStale } from './stale.js';
