/** Unsigned 64-bit numbers as two words, low first, exact up to 2^53; all ones stands for 'open', no upper end. */
import type { Words } from '../../../lib/words.js';

const HIGH = 2 ** 32;
const TRIES_MAX = 8;

export function readUnsigned64(words: Words, word: number): number {
  const high = words.read(word + 1);
  if (high === -1) return Number.POSITIVE_INFINITY;
  return (high >>> 0) * HIGH + (words.read(word) >>> 0);
}

export function writeUnsigned64(words: Words, word: number, value: number): void {
  if (value === Number.POSITIVE_INFINITY) {
    words.write(word, -1);
    words.write(word + 1, -1);
    return;
  }
  // By floats, whatever the value: compiled for small integers this would be compiled anew when a larger one comes.
  const high = Math.floor(value / HIGH);
  words.write(word, (value - high * HIGH) | 0);
  words.write(word + 1, high | 0);
}

/** Raises a bound: a crash between the two stores leaves it no lower than it was. */
export function raiseUnsigned64(words: Words, word: number, value: number): void {
  words.store(word + 1, Math.floor(value / HIGH) | 0);
  words.store(word, value | 0);
}

/** Reads a bound that others lower meanwhile: never above what it was before. */
export function readLowered64(words: Words, word: number): number {
  for (let tries = 0; ; tries++) {
    const high = words.load(word + 1);
    const low = words.load(word);
    // ORDER until-1: the high word once more, so that an old one is not taken with a new low one; pairs with lowerUnsigned64.
    if (words.load(word + 1) !== high && tries < TRIES_MAX) continue;
    return high === -1 ? Number.POSITIVE_INFINITY : (high >>> 0) * HIGH + (low >>> 0);
  }
}

/** Lowers a bound that others read meanwhile: whatever mixture of old and new they see is never above the old one. */
export function lowerUnsigned64(words: Words, word: number, value: number): void {
  // ORDER until-1: high before low; pairs with readLowered64.
  words.store(word + 1, Math.floor(value / HIGH) | 0);
  words.store(word, value | 0);
}

/** The latest moment that a Date can name, in milliseconds. */
const DATE_MS_MAX = 8.64e15;

/** When something ends that lives so long, in whole milliseconds; 0, for never, where no date is that late. */
export function expiryAfter(nowMs: number, ttlMs: number | undefined): number {
  if (ttlMs === undefined) return 0;
  const expiry = Math.ceil(nowMs + ttlMs);
  return expiry > DATE_MS_MAX ? 0 : expiry;
}
