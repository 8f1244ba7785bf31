/**
 * IdTable: renumbers page keys to 0, 1, 2, … in order of first appearance.
 *
 * (I1) Each key is kept once, in 16 bytes. An open table of 32-bit numbers finds it, and beside it one of tags, a byte of
 *      the hash for each place: a search reads tags that lie side by side, and hardly ever a key that is another. With at
 *      most 3/4 of the places taken, and while both double, that is less than 40 bytes for each distinct key, and no
 *      limit of 2^24 as a Map has.
 */
import { PoolError } from '../../../lib/errors.js';
import type { PageKey } from './page-key.js';

const WORDS_PER_KEY = 4;
const CHUNK_BITS = 14;
const CHUNK_KEYS = 2 ** CHUNK_BITS;
const CHUNK_MASK = CHUNK_KEYS - 1;
const PLACES_INITIAL = 2048;
/** The last two numbers of 32 bits say nothing; a table of more places is beyond what an array can be. */
const PLACES_MAX = 2 ** 31;

function hashOf(first: number, second: number, high: number, low: number): number {
  let hash = Math.imul(low, 0x9e37_79b1) ^ Math.imul(high, 0x85eb_ca6b);
  hash ^= Math.imul(first, 0xc2b2_ae35) ^ Math.imul(second, 0x27d4_eb2f);
  hash = Math.imul(hash ^ (hash >>> 15), 0x2c1b_3c6d);
  hash = Math.imul(hash ^ (hash >>> 12), 0x297a_2d39);
  return hash ^ (hash >>> 15);
}

/** Of the upper bits, where the place is of the lower ones. */
function tagOf(hash: number): number {
  return ((hash >>> 24) % 255) + 1;
}

export class IdTable {
  /** Distinct keys so far. */
  count = 0;
  private readonly chunks: Int32Array[] = [];
  /** Of each place: 0 where it is free, else 1 to 255. */
  private tags = new Uint8Array(PLACES_INITIAL);
  private numbers = new Uint32Array(PLACES_INITIAL);

  /** The number of a key, a new one where it was not seen before. Throws OPTION_INVALID beyond 1.6 billion keys. */
  numberOf({ first, second, high, low }: PageKey): number {
    const mask = this.tags.length - 1;
    const hash = hashOf(first, second, high, low);
    const tag = tagOf(hash);
    let place = hash & mask;
    for (;;) {
      const seen = this.tags[place]!;
      if (seen === 0) return this.add(place, tag, first, second, high, low);
      if (seen === tag) {
        const number = this.numbers[place]!;
        const chunk = this.chunks[number >>> CHUNK_BITS]!;
        const at = (number & CHUNK_MASK) * WORDS_PER_KEY;
        const isSame = chunk[at + 3] === low && chunk[at + 2] === high;
        if (isSame && chunk[at + 1] === second && chunk[at] === first) return number;
      }
      place = (place + 1) & mask;
    }
  }

  private add(place: number, tag: number, first: number, second: number, high: number, low: number): number {
    const number = this.count;
    const at = (number & CHUNK_MASK) * WORDS_PER_KEY;
    if (at === 0) this.chunks.push(new Int32Array(CHUNK_KEYS * WORDS_PER_KEY));
    const chunk = this.chunks[number >>> CHUNK_BITS]!;
    chunk[at] = first;
    chunk[at + 1] = second;
    chunk[at + 2] = high;
    chunk[at + 3] = low;
    this.count += 1;
    this.tags[place] = tag;
    this.numbers[place] = number;
    if (this.count > this.tags.length * 0.75) this.grow();
    return number;
  }

  private grow(): void {
    const size = this.tags.length * 2;
    if (size > PLACES_MAX) {
      const what = `it has more than ${this.count.toLocaleString('en-US')} distinct pages, which is what compare can tell apart`;
      throw new PoolError('OPTION_INVALID', `The trace is too wide: ${what}. Take a part of it.`);
    }
    const tags = new Uint8Array(size);
    const numbers = new Uint32Array(size);
    const mask = size - 1;
    for (let number = 0; number < this.count; number += 1) {
      const chunk = this.chunks[number >>> CHUNK_BITS]!;
      const at = (number & CHUNK_MASK) * WORDS_PER_KEY;
      const hash = hashOf(chunk[at]!, chunk[at + 1]!, chunk[at + 2]!, chunk[at + 3]!);
      let place = hash & mask;
      while (tags[place] !== 0) place = (place + 1) & mask;
      tags[place] = tagOf(hash);
      numbers[place] = number;
    }
    this.tags = tags;
    this.numbers = numbers;
  }
}
