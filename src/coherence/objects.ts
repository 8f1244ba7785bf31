/** Objects as a host's callers name and hold them, and what their checksum covers. */
import { isBytes, lengthOfBytes, takeBytes } from '../../lib/bytes.js';
import { PoolError } from '../../lib/errors.js';
import { checksumOfBytes } from '../../lib/hash.js';
import { bytesOf, type Entry, nameOf } from './directory.js';
import { KEY_BYTES_MAX } from './layout.js';

/** A key that this host has alone, and room for its bytes. */
export interface Draft {
  readonly key: string;
  readonly id: number;
  readonly extent: number;
  readonly byteLength: number;
  readonly metadata: Uint8Array;
}

/** What an object may have besides its bytes. */
export interface DraftOptions {
  readonly metadata?: Uint8Array | undefined;
  readonly ttlMs?: number | undefined;
  readonly retain?: boolean | undefined;
}

/** A sealed page; it stays until it is released. */
export interface HeldPage {
  readonly entry: Entry;
  readonly byteLength: number;
}

/** Of such a string the UTF-8 bytes are its characters. */
const PLAIN = /^[\0-\x7f]+$/;

/** The key as its bytes, one a character. Throws KEY_INVALID. */
export function checkKey(key: string | Uint8Array): string {
  if (typeof key === 'string' && key.length <= KEY_BYTES_MAX && PLAIN.test(key)) return key;
  const invalid = (why: string) => new PoolError('KEY_INVALID', `The key ${why}.`);
  if (typeof key !== 'string' && !isBytes(key)) throw invalid('is neither a string nor a Uint8Array');
  if (typeof key === 'string' && !key.isWellFormed()) throw invalid('holds half of a surrogate pair');
  // One whose buffer was transferred has no bytes either.
  if (typeof key !== 'string' && lengthOfBytes(key) === 0) throw invalid('has no bytes');
  const bytes = typeof key === 'string' ? Buffer.from(key, 'utf8') : takeBytes(key, 'key');
  if (bytes.length >= 1 && bytes.length <= KEY_BYTES_MAX) return nameOf(bytes);
  throw new PoolError('KEY_INVALID', `A key of ${bytes.length} bytes: 1 to ${KEY_BYTES_MAX}.`);
}

export function dataCheckOf(key: string, bytes: Uint8Array, metadata: Uint8Array): number {
  return checksumOfBytes(metadata, checksumOfBytes(bytes, checksumOfBytes(bytesOf(key), 0)));
}
