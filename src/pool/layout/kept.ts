/**
 * The expiry of a page that is kept past it (FLAG_KEPT): both in its 64 bits. The low 42 are when it expires, in milliseconds of the wall
 * clock; the 22 above say for how long it is kept after that: 21 bits of milliseconds, or with the highest bit of 1,024
 * milliseconds each.
 */
import type { WallMs } from '../../../lib/clock.js';
import type { Words } from '../../../lib/words.js';

const HIGH = 2 ** 32;
const EXPIRY_HIGH_BITS = 10;
const EXPIRY_HIGH_MASK = (1 << EXPIRY_HIGH_BITS) - 1;
const AMOUNT_MAX = 2 ** 21 - 1;
const COARSE = 2 ** 21;
const COARSE_MS = 1024;
/** The latest expiry of a page that can be kept past it: in the year 2109. */
const EXPIRY_MAX = 2 ** 42 - 1;

/** Whether a page with that expiry, 0 for never, can be kept past it. */
export function isKeepable(expiry: WallMs): boolean {
  return expiry > 0 && expiry <= EXPIRY_MAX;
}

/** `keptMs` is rounded up; more than 24.8 days count as that. */
export function writeKept(words: Words, word: number, expiry: WallMs, keptMs: number): void {
  const isCoarse = keptMs > AMOUNT_MAX;
  const amount = Math.min(AMOUNT_MAX, Math.ceil(isCoarse ? keptMs / COARSE_MS : keptMs));
  const code = isCoarse ? COARSE + amount : amount;
  words.write(word, expiry | 0);
  words.write(word + 1, Math.floor(expiry / HIGH) | (code << EXPIRY_HIGH_BITS));
}

export function keptExpiry(words: Words, word: number): WallMs {
  return (words.read(word + 1) & EXPIRY_HIGH_MASK) * HIGH + (words.read(word) >>> 0);
}

/** For how long it is kept after its expiry, in milliseconds. */
export function keptMs(words: Words, word: number): number {
  const code = words.read(word + 1) >>> EXPIRY_HIGH_BITS;
  return code < COARSE ? code : (code - COARSE) * COARSE_MS;
}
