export { SharedCache } from './cache.js';
export type { CacheOptions, FetchManyOptions, FetchOptions, InvalidateTagsOptions, PutOptions } from './options.js';
export * from './types.js';
export type { ValueCache } from './values.js';
