/**
 * Bitmaps of granules in shared words: which of a chunk's granules are taken. Plain reads and writes, guarded by the lock
 * of the shard that owns the chunk. Every scan is bounded by the number of bits.
 *
 * (X5) each word stands twice: where the two differ nothing is allocated or freed by it. A cleared bit would otherwise
 *      give one extent to two pages, and nobody would notice before a reader does.
 */
import { lowestBit } from '../../../lib/bits.js';
import { PoolError } from '../../../lib/errors.js';
import type { Words } from '../../../lib/words.js';

/** Bits from `from` up to before `to`, within one word; both 0..32. */
export function maskOf(from: number, to: number): number {
  const above = to === 32 ? -1 : (1 << to) - 1;
  return above & (-1 << from);
}

export class Bitmap {
  private readonly words: Words;
  private readonly bits: number;
  /** Distance of the second copy, in words. */
  private readonly copy: number;
  private base = 0;
  /** The longest free run that the last `find` met without taking it. */
  longest = 0;

  constructor(words: Words, bits: number, copy: number) {
    this.words = words;
    this.bits = bits;
    this.copy = copy;
  }

  /** Looks at the bitmap whose first word is `word`. */
  at(word: number): this {
    this.base = word;
    return this;
  }

  /** Throws POOL_CORRUPT where the copies differ. */
  private read(index: number): number {
    const word = this.words.read(this.base + index);
    if (word === this.words.read(this.base + index + this.copy)) return word;
    throw new PoolError('POOL_CORRUPT', 'A bitmap of extents is damaged.', { word: this.base + index });
  }

  /** The next bit from `bit` on that is taken (or free, when `flip` is -1); `bits` when there is none. */
  private next(bit: number, flip: number): number {
    if (bit >= this.bits) return this.bits;
    let index = bit >>> 5;
    let word = (this.read(index) ^ flip) & (-1 << (bit & 31));
    const last = (this.bits - 1) >>> 5;
    while (word === 0 && index < last) word = this.read(++index) ^ flip;
    return Math.min(this.bits, word === 0 ? this.bits : index * 32 + lowestBit(word));
  }

  /** The first free run of `count` bits that begins at a multiple of `alignment`, from bit `from` on; -1 where none is. */
  find(count: number, alignment: number, from: number): number {
    this.longest = 0;
    let start = this.next(from, -1);
    while (start < this.bits) {
      const end = this.next(start, 0);
      const aligned = Math.ceil(start / alignment) * alignment;
      if (end - aligned >= count) return aligned;
      this.longest = Math.max(this.longest, end - start);
      start = this.next(end, -1);
    }
    return -1;
  }

  /** Length of the free run around the bits [first, first + count), which are free. */
  runAround(first: number, count: number): number {
    return this.next(first + count, 0) - this.afterTaken(first);
  }

  /** The bit after the last taken one before `bit`; 0 when there is none. */
  private afterTaken(bit: number): number {
    if (bit === 0) return 0;
    let index = (bit - 1) >>> 5;
    let word = this.read(index) & maskOf(0, ((bit - 1) & 31) + 1);
    while (word === 0 && index > 0) word = this.read(--index);
    return word === 0 ? 0 : index * 32 + 32 - Math.clz32(word);
  }

  /** Whether all of the bits are free (`taken` false), or all are taken. Looks at no others. */
  isAll(first: number, count: number, taken: boolean): boolean {
    if (first < 0 || first + count > this.bits) return false;
    const flip = taken ? -1 : 0;
    for (let bit = first; bit < first + count; ) {
      const end = Math.min(first + count, (bit | 31) + 1);
      if (((this.read(bit >>> 5) ^ flip) & maskOf(bit & 31, ((end - 1) & 31) + 1)) !== 0) return false;
      bit = end;
    }
    return true;
  }

  set(first: number, count: number, taken: boolean): void {
    for (let bit = first; bit < first + count; ) {
      const end = Math.min(first + count, (bit | 31) + 1);
      const index = bit >>> 5;
      const mask = maskOf(bit & 31, ((end - 1) & 31) + 1);
      const before = this.read(index);
      // Both are reckoned each time: a branch that is met late costs compiled code.
      const after = (before & ~mask) | (taken ? mask : 0);
      this.words.write(this.base + index, after);
      this.words.write(this.base + index + this.copy, after);
      bit = end;
    }
  }
}
