/** The options of the cache layer, checked at the border. Errors are OPTION_INVALID and name the option. */
import { z } from 'zod';
import { PoolError } from '../../lib/errors.js';
import { bytesSchema, checkOptions, type Key, METADATA_BYTES_MAX } from '../pool/index.js';
import type {
  Life,
  PageFetchOptions,
  PageLoadSyncOptions,
  PagesOptions,
  PiecesOptions,
  SetOptions,
  StaleOptions,
} from './types.js';

/** Of one page. */
const TAGS_MAX = 128;
const TAG_LENGTH_MAX = 1024;

/** A load of which nobody has said how long it may take. */
export const LOAD_TIMEOUT_MS = 10_000;

export interface CacheOptions {
  /** Keeps the keys of several caches apart. Default ''. Without the character U+0000. */
  namespace?: string;
  /** How long entries live unless set says otherwise. Default: until they are evicted. */
  ttlMs?: number;
  /**
   * How long a load may block its key: then its own caller gets LOAD_TIMEOUT, and others load for themselves. Default 10,000;
   * Infinity for no limit.
   */
  loadTimeoutMs?: number;
}

/**
 * The tags of what is loaded, as of `set`; an invalidation since the load began counts. Or a function that gives them, called once the load has
 * answered with a page. Nothing for a key that is there: its page has the tags it has. Names hold for `notFound` as well.
 */
export type FetchTags = readonly string[] | ((key: Key) => readonly string[] | undefined);

export interface InvalidateTagsOptions {
  /** For how long `fetch` may hand out what is no longer fresh, in milliseconds. Default 0: not at all. */
  staleFor?: number;
}

export interface FetchOptions extends StaleOptions {
  ttlMs?: number;
  /**
   * For how long it is remembered that the source has nothing for the key (`notFound`), from when the load began, up to 24.8 days. Default:
   * `ttlMs`. Without either it is not remembered.
   */
  negativeTtlMs?: number;
  /**
   * Stored with what is loaded, up to 65,535 bytes; or a function that gives it, called once the load has answered: for what is known
   * only then, such as an ETag. Nothing for a key that is there: its page has the metadata it has.
   */
  metadata?: Uint8Array | (() => Uint8Array | undefined);
  tags?: FetchTags;
  loadTimeoutMs?: number;
  /**
   * For so long after a load of the key has failed in this node its error is the answer without another load, or a stale page where
   * `staleOnErrorMs` allows one; in milliseconds. Default 0: the next one who asks tries again at once.
   */
  errorMs?: number;
  signal?: AbortSignal;
}

/** As of fetch, for each of the keys. */
export interface FetchManyOptions {
  ttlMs?: number;
  negativeTtlMs?: number;
  tags?: FetchTags;
  loadTimeoutMs?: number;
  errorMs?: number;
  signal?: AbortSignal;
}

export interface PutOptions {
  /** First version the page is valid for; a safe integer, default 0. */
  from?: number;
  /** First version it is no longer valid for; default open-ended. */
  until?: number;
  lease?: import('./types.js').Lease;
  ttlMs?: number;
}

const ttl = z.number().positive().finite().optional();
const name = z
  .string()
  .refine((value) => !value.includes('\u0000'), 'must not hold the character U+0000')
  .refine((value) => value.isWellFormed(), 'holds half of a surrogate pair');
const version = z.number().int().min(0).max(Number.MAX_SAFE_INTEGER).optional();
const lease = z
  .object({
    hashLow: z.number(),
    hashHigh: z.number(),
    count: z.number(),
    space: z.number(),
    spaceGeneration: z.number(),
    tagMoment: z.number(),
  })
  .optional();

const loadTimeout = z
  .custom<number>((value) => typeof value === 'number' && value > 0, 'expected milliseconds above 0, or Infinity')
  .optional();

const cacheSchema = z.strictObject({ namespace: name.optional(), ttlMs: ttl, loadTimeoutMs: loadTimeout });
const metadata = bytesSchema('metadata')
  .refine((bytes) => bytes.length <= METADATA_BYTES_MAX, `at most ${METADATA_BYTES_MAX} bytes are kept`)
  .optional();
const stale = z.number().min(0).finite().optional();
const invalidatedTags = z.array(
  z
    .string()
    .min(1)
    .max(TAG_LENGTH_MAX)
    .refine((value) => value.isWellFormed(), 'holds half of a surrogate pair'),
);
const tags = invalidatedTags.max(TAGS_MAX).optional();
const lifeSchema = z.strictObject({
  expiresAtMs: z.number().min(0).finite().optional(),
  keptMs: stale,
  metadata,
  isShared: z.boolean().optional(),
  tags,
});
const setSchema = z.strictObject({ ttlMs: ttl, metadata, lease, tags, staleMs: stale, staleOnErrorMs: stale });
const piecesSchema = setSchema.extend({ size: z.number().int().min(0).optional() });
const signal = z.custom<AbortSignal>((value) => value instanceof AbortSignal, 'expected an AbortSignal').optional();
const laterMetadata = z.custom<() => Uint8Array | undefined>((value) => typeof value === 'function');
const laterTags = z.custom<Exclude<FetchTags, readonly string[]>>((value) => typeof value === 'function');
const fetchTags = z.union([laterTags, tags], {
  error: 'expected up to 128 names of 1 to 1,024 characters, or a function',
});
const fetchSchema = z.strictObject({
  ttlMs: ttl,
  tags: fetchTags,
  metadata: z.union([laterMetadata, metadata], {
    error: 'expected a Uint8Array of at most 65,535 bytes, or a function',
  }),
  signal,
  loadTimeoutMs: loadTimeout,
  staleMs: stale,
  staleOnErrorMs: stale,
  negativeTtlMs: ttl,
  errorMs: stale,
});
const negativeSchema = z.strictObject({ ttlMs: z.number().positive().finite() });
const fetchManySchema = z.strictObject({
  ttlMs: ttl,
  negativeTtlMs: ttl,
  tags: fetchTags,
  signal,
  loadTimeoutMs: loadTimeout,
  errorMs: stale,
});
const invalidateSchema = z.strictObject({ staleFor: stale });
const zeroFill = z.boolean().optional();
const joins = z.enum(['version', 'page']).optional();
const onWait = z.custom<() => void>((value) => typeof value === 'function', 'expected a function').optional();
const pageLoadSchema = z.strictObject({ asOf: version, zeroFill, ttlMs: ttl, joins, onWait });
const pageFetchSchema = z.strictObject({ asOf: version, zeroFill, ttlMs: ttl, signal, loadTimeoutMs: loadTimeout });
const putSchema = z.strictObject({ from: version, until: version, lease, ttlMs: ttl });
const inUseSchema = z.array(z.number().int().min(0).max(Number.MAX_SAFE_INTEGER));
const pagesSchema = z.strictObject({
  pageSize: z
    .number()
    .int()
    .min(1)
    .max(2 ** 30),
  zeroFill,
  ttlMs: ttl,
  loadTimeoutMs: loadTimeout,
});

export function checkPool(pool: unknown): void {
  if (typeof pool === 'object' && pool !== null && 'disconnect' in pool) return;
  const found = pool === null || typeof pool !== 'object' ? String(pool) : 'something else';
  throw new PoolError('OPTION_INVALID', `pool: expected what connect() resolves to, not ${found}.`);
}
export function checkCache(options: CacheOptions | undefined): CacheOptions {
  return options === undefined ? {} : checkOptions(cacheSchema, options, 'cache');
}
/** Of what a loader has told with `loadedFor`. */
export function checkLife(life: Life): Life {
  return checkOptions<Life>(lifeSchema, life, 'loadedFor');
}
export function checkSet(options: SetOptions | undefined): SetOptions {
  return options === undefined ? {} : checkOptions(setSchema, options, 'set');
}
export function checkFetch(options: FetchOptions | undefined): FetchOptions {
  return options === undefined ? {} : checkOptions(fetchSchema, options, 'fetch');
}
export function checkPieces(options: PiecesOptions | undefined): PiecesOptions {
  return options === undefined ? {} : checkOptions(piecesSchema, options, 'set');
}
export function checkNegative(options: { ttlMs: number }): { ttlMs: number } {
  return checkOptions(negativeSchema, options, 'setNegative');
}
export function checkFetchMany(options: FetchManyOptions | undefined): FetchManyOptions {
  return options === undefined ? {} : checkOptions(fetchManySchema, options, 'fetchMany');
}
/** What the metadata of a fetch comes to once its load has answered. Throws OPTION_INVALID. */
export function loadedMetadata(given: FetchOptions['metadata']): Uint8Array | undefined {
  if (typeof given !== 'function') return given;
  const made = given();
  return made === undefined ? undefined : checkSet({ metadata: made }).metadata;
}
/** As loadedMetadata. */
export function loadedTags(key: Key, given: FetchTags | undefined): readonly string[] | undefined {
  if (typeof given !== 'function') return given;
  const made = given(key);
  return made === undefined ? undefined : checkSet({ tags: made }).tags;
}
/** As many as are given. */
export function checkTags(
  given: readonly string[],
  options: InvalidateTagsOptions | undefined,
): { names: readonly string[]; staleFor: number } {
  const names = checkOptions<string[]>(invalidatedTags, given, 'tags');
  const { staleFor = 0 } =
    options === undefined ? {} : checkOptions<InvalidateTagsOptions>(invalidateSchema, options, 'invalidateTags');
  return { names, staleFor };
}
export function checkPut(options: PutOptions | undefined): PutOptions {
  if (options === undefined) return {};
  const checked = checkOptions<PutOptions>(putSchema, options, 'put');
  if (checked.until !== undefined && checked.until <= (checked.from ?? 0)) {
    throw new PoolError('OPTION_INVALID', `put.until: ${checked.until} is not after from (${checked.from ?? 0}).`);
  }
  return checked;
}
/** A copy: what a caller's array does must not be done under a lock. */
export function checkInUse(inUse: readonly number[]): number[] {
  return checkOptions(inUseSchema, inUse, 'inUse');
}
export function checkPageLoadSync(options: PageLoadSyncOptions | undefined): PageLoadSyncOptions {
  return options === undefined ? {} : checkOptions(pageLoadSchema, options, 'options');
}
export function checkPageFetch(options: PageFetchOptions | undefined): PageFetchOptions {
  return options === undefined ? {} : checkOptions(pageFetchSchema, options, 'fetch');
}
export function checkLoader(load: unknown, what = 'load'): void {
  checkFunction(load, what);
}
export function checkKeys(keys: unknown): void {
  if (!Array.isArray(keys)) throw new PoolError('OPTION_INVALID', 'keys: expected an array.', { option: 'keys' });
}
export function checkUse(use: unknown): void {
  checkFunction(use, 'use');
}
function checkFunction(value: unknown, what: string): void {
  if (typeof value !== 'function') throw new PoolError('OPTION_INVALID', `${what}: expected a function.`);
}
export function checkPages(space: string, options: PagesOptions): PagesOptions {
  checkOptions(name.min(1), space, 'space');
  return checkOptions(pagesSchema, options, 'pages');
}
export function checkCount(count: number): void {
  if (Number.isSafeInteger(count) && count >= 0) return;
  throw new PoolError(
    'OPTION_INVALID',
    `count: ${typeof count === 'number' ? count : typeof count} is no number of pages.`,
  );
}
