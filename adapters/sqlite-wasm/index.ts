/**
 * `sealpool/adapters/sqlite-wasm`: databases of `@sqlite.org/sqlite-wasm` (an optional peer, 3.54.1-build1) read through
 * the pool. Nothing of the engine is imported here; the caller passes its initialised module.
 */

export { openStorage, type Storage, type StorageOptions } from '../storage/index.js';
export * from './source.js';
export * from './vfs.js';
