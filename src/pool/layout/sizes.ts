/** Sizes as people give them, and how much of a pool is for what lies in it. Errors are OPTION_INVALID and name the option. */
import { PoolError } from '../../../lib/errors.js';
import { sizeFor } from './capacity.js';
import { geometryOf } from './geometry.js';
import { checkFormat, checkPoolSize, readSize, SIZE_FORMS } from './options.js';
import type { FormatOptions, PoolSizeOptions } from './types.js';

/** Bytes of a number or a string such as '512MiB', '64 KB', '4g'. All units are powers of two. Throws OPTION_INVALID. */
export function parseSize(value: number | string): number {
  const bytes = readSize(value);
  if (Number.isSafeInteger(bytes) && bytes >= 0) return bytes;
  const given = typeof value === 'bigint' ? `${value}n` : (JSON.stringify(value) ?? String(value));
  throw new PoolError('OPTION_INVALID', `size: ${given} is none. ${SIZE_FORMS}`, { option: 'size', value });
}

/**
 * The size in bytes of a pool for so many objects of pageSize bytes each, with room for retired ones to wait: give it to format
 * with the same options. Keys fall to the shards by chance, and each has its part of maxObjects: where none may be evicted, ask
 * for a tenth more. Throws OPTION_INVALID.
 */
export function poolSizeFor(options: PoolSizeOptions): number {
  return sizeFor(checkPoolSize(options));
}

/**
 * Bytes for objects in a pool of that size, formatted with those options: the size less its metadata. What poolSizeFor gives has
 * at least pageSize times maxObjects of them. Throws OPTION_INVALID, as format would.
 */
export function usableBytes(size: number | string, options: Omit<FormatOptions, 'size'> = {}): number {
  return geometryOf(checkFormat({ ...options, size }).plan).dataBytes;
}
