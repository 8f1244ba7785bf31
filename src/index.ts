/** sealpool: a shared-memory cache for databases that scale out over several nodes. */
export { PoolError, type PoolErrorCode } from '../lib/errors.js';
export * from './cache/index.js';
export {
  type Checkpoint,
  type CheckpointInfo,
  type CheckpointWriter,
  type ConnectOptions,
  type CreateOptions,
  connect,
  type Draft,
  destroy,
  type FormatOptions,
  format,
  inspect,
  type Key,
  type NodeInfo,
  type ObjectInfo,
  type Page,
  type Pool,
  type PoolInfo,
  type PoolProblem,
  type PoolReport,
  type PoolStats,
  parseSize,
  poolSizeFor,
  type WaitOptions,
} from './pool/index.js';
