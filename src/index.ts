export { PoolError, type PoolErrorCode } from '../lib/errors.js';
export * from './pool/index.js';
