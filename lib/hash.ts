/**
 * Key hashes and line checks: MurmurHash3's mixing (Appleby, public domain description), two 32-bit lanes, seeded per
 * pool so that keys made to collide in one pool do not in another. A hash is never trusted: whole keys are compared.
 */
import { createHash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import type { Words } from './words.js';

const DIGESTED_ABOVE = 1024;
const DIGEST_BYTES = 32;

function finalize(hash: number): number {
  let h = hash ^ (hash >>> 16);
  h = Math.imul(h, 0x85ebca6b);
  h ^= h >>> 13;
  h = Math.imul(h, 0xc2b2ae35);
  return h ^ (h >>> 16);
}

/** The two lanes of one key hash, reused from call to call: 32-bit signed integers. */
export class KeyHash {
  low = 0;
  high = 0;
  private readonly seed: number;

  constructor(seed: number) {
    this.seed = seed | 0;
  }

  /** Hashes bytes[0..length): of many the digest, which is computed natively. */
  of(bytes: Uint8Array, length: number): void {
    if (length > DIGESTED_ABOVE) this.mix(digestOfBytes(bytes.subarray(0, length)), DIGEST_BYTES);
    else this.mix(bytes, length);
  }

  private mix(bytes: Uint8Array, length: number): void {
    let low = this.seed ^ length;
    let high = Math.imul(this.seed, 0x9e3779b1) + length;
    const whole = length & ~3;
    let i = 0;
    for (; i < whole; i += 4) {
      const k =
        (bytes[i] as number) |
        ((bytes[i + 1] as number) << 8) |
        ((bytes[i + 2] as number) << 16) |
        ((bytes[i + 3] as number) << 24);
      low = step(low ^ Math.imul(rotate(Math.imul(k, 0xcc9e2d51), 15), 0x1b873593));
      high = step(high ^ Math.imul(rotate(Math.imul(k, 0x239b961b), 16), 0xab0e9789));
    }
    let tail = 0;
    for (let shift = 0; i < length; i++, shift += 8) tail |= (bytes[i] as number) << shift;
    low ^= Math.imul(rotate(Math.imul(tail, 0xcc9e2d51), 15), 0x1b873593);
    high ^= Math.imul(rotate(Math.imul(tail, 0x239b961b), 16), 0xab0e9789);
    this.low = finalize(low + high);
    this.high = finalize(high + this.low);
  }
}

function rotate(value: number, bits: number): number {
  return (value << bits) | (value >>> (32 - bits));
}

function step(value: number): number {
  return (Math.imul(rotate(value, 13), 5) + 0xe6546b64) | 0;
}

/** `checkOfWords` of words in private memory, without calls: for many at a time, by code that has not been compiled yet. */
export function checkOfArray(words: Int32Array, start: number, count: number, seed: number): number {
  let hash = seed | 0;
  for (let i = start; i < start + count; i++) {
    hash ^= Math.imul(words[i] as number, 0xcc9e2d51);
    hash = (Math.imul((hash << 13) | (hash >>> 19), 5) + 0xe6546b64) | 0;
  }
  return finalize(hash ^ count);
}

/** A 32-bit check over `count` words, read plainly. */
export function checkOfWords(words: Words, start: number, count: number, seed: number): number {
  let hash = seed | 0;
  for (let i = 0; i < count; i++) hash = step(hash ^ Math.imul(words.read(start + i), 0xcc9e2d51));
  return finalize(hash ^ count);
}

/** CRC-32 of the bytes, going on from that of what came before (0 for nothing), as a signed integer. */
export function checksumOfBytes(bytes: Uint8Array, before: number): number {
  // Of no bytes Node gives 0 or `before`, by where their buffer lies: findings/node-crc32-empty.sh.
  return (bytes.length === 0 ? before : crc32(bytes, before >>> 0)) | 0;
}

/** SHA-256 of the bytes. */
export function digestOfBytes(bytes: Uint8Array): Uint8Array {
  return createHash('sha256').update(bytes).digest();
}
