/** For those below who know their callers; src/index.ts says what of it is public. */
export { completePage } from './answers.js';
export { SharedCache } from './cache.js';
export type { CacheOptions, FetchManyOptions, FetchOptions, InvalidateTagsOptions, PutOptions } from './options.js';
export * from './types.js';
export { validityOf } from './validity.js';
export { codecOf, ValueCache } from './values.js';
