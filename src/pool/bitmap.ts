/**
 * Bitmaps of granules in shared words: which of a chunk's granules are taken. Plain reads and writes, guarded by the lock
 * of the shard that owns the chunk. Every scan is bounded by the number of bits.
 */
import type { Words } from '../../lib/words.js';

/** The lowest set bit's place; 32 for zero. */
function lowestBit(word: number): number {
  return word === 0 ? 32 : 31 - Math.clz32(word & -word);
}

/** Bits from `from` up to before `to`, within one word; both 0..32. */
function maskOf(from: number, to: number): number {
  const above = to === 32 ? -1 : (1 << to) - 1;
  return above & (-1 << from);
}

export class Bitmap {
  private readonly words: Words;
  private readonly bits: number;
  private base = 0;
  /** The longest free run that the last `find` met without taking it. */
  longest = 0;

  constructor(words: Words, bits: number) {
    this.words = words;
    this.bits = bits;
  }

  /** Looks at the bitmap whose first word is `word`. */
  at(word: number): this {
    this.base = word;
    return this;
  }

  /** The next bit from `bit` on that is taken (or free, when `flip` is -1); `bits` when there is none. */
  private next(bit: number, flip: number): number {
    if (bit >= this.bits) return this.bits;
    let index = bit >>> 5;
    let word = (this.words.read(this.base + index) ^ flip) & (-1 << (bit & 31));
    const last = (this.bits - 1) >>> 5;
    while (word === 0 && index < last) word = this.words.read(this.base + ++index) ^ flip;
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
    const end = this.next(first + count, 0);
    let start = first;
    while (start > 0 && this.isFree(start - 1)) start--;
    return end - start;
  }

  private isFree(bit: number): boolean {
    return (this.words.read(this.base + (bit >>> 5)) & (1 << (bit & 31))) === 0;
  }

  /** Whether all of the bits are free (`taken` false), or all are taken. */
  isAll(first: number, count: number, taken: boolean): boolean {
    return first >= 0 && first + count <= this.bits && this.next(first, taken ? -1 : 0) >= first + count;
  }

  set(first: number, count: number, taken: boolean): void {
    for (let bit = first; bit < first + count; ) {
      const end = Math.min(first + count, (bit | 31) + 1);
      const word = this.base + (bit >>> 5);
      const mask = maskOf(bit & 31, ((end - 1) & 31) + 1);
      const before = this.words.read(word);
      this.words.write(word, taken ? before | mask : before & ~mask);
      bit = end;
    }
  }

  /** Number of taken bits. */
  count(): number {
    let taken = 0;
    for (let bit = this.next(0, 0); bit < this.bits; ) {
      const end = this.next(bit, -1);
      taken += end - bit;
      bit = this.next(end, 0);
    }
    return taken;
  }
}
