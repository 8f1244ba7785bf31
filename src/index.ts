/** sealpool: a shared-memory cache for databases that scale out over several nodes. */
export { PoolError, type PoolErrorCode } from '../lib/errors.js';
export * from './cache/index.js';
export { connect, destroy, format, inspect, parseSize, poolSizeFor } from './pool/index.js';
export type * from './pool/types.js';
