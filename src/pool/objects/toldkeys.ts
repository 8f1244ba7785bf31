/**
 * Keys as events have them. A record of the log holds keys up to 1,024 bytes; of a longer one the first 992, and the SHA-256 of all
 * of it, by which a subscriber tells a key that he knows. The page itself has the whole key, and that is compared (F1).
 */
import { digestOfBytes } from '../../../lib/hash.js';
import { TOLD_DIGEST_BYTES, TOLD_KEY_BYTES } from '../layout/index.js';

/** Bytes that a long key begins with, as they are told. */
export const TOLD_HEAD_BYTES = TOLD_KEY_BYTES - TOLD_DIGEST_BYTES;

/** What is told of the key: itself, unless it is longer than a record holds. */
export function toldKey(key: Uint8Array): Uint8Array {
  if (key.length <= TOLD_KEY_BYTES) return key;
  const told = new Uint8Array(TOLD_KEY_BYTES);
  told.set(key.subarray(0, TOLD_HEAD_BYTES));
  told.set(digestOfBytes(key), TOLD_HEAD_BYTES);
  return told;
}

/** How many bytes are told of a key of that length. */
export function toldLength(keyLength: number): number {
  return Math.min(keyLength, TOLD_KEY_BYTES);
}
