/**
 * PageKey: the identity of a page in four 32-bit words, before it is renumbered.
 *
 * (K1) A whole number below 2^64, in decimal or as 0x with hexadecimal digits of either case and any padding, is that
 *      number, exactly. Any other text is a fingerprint of 127 bits of its bytes; so are ids of several parts. Among a
 *      billion of them the chance that any two are taken for one is below 10^-10.
 * (K2) Numbers and texts never meet: the highest bit of the second word tells them apart.
 */
import { isUtf8 } from 'node:buffer';

const TEXT_BIT = 0x8000_0000 | 0;
const WORD = 0x1_0000_0000;
/** So many decimal digits fit a double exactly; one more may not. */
const EXACT_DIGITS_MAX = 15;
const DECIMAL_DIGITS_MAX = 20;
const HEXADECIMAL_DIGITS_MAX = 16;
const [SPACE, QUOTE, ZERO, NINE, UPPER_X, LOWER_X] = [32, 34, 48, 57, 88, 120];

function isBlank(byte: number): boolean {
  return byte === SPACE || (byte >= 9 && byte <= 13);
}

function hexadecimalDigit(byte: number): number {
  if (byte >= ZERO && byte <= NINE) return byte - ZERO;
  const letter = byte | 32;
  return letter >= 97 && letter <= 102 ? letter - 87 : -1;
}

function rotate(word: number, bits: number): number {
  return (word << bits) | (word >>> (32 - bits));
}

export class PageKey {
  first = 0;
  second = 0;
  /** Of a number: its upper and its lower 32 bits, signed. */
  high = 0;
  low = 0;

  get isText(): boolean {
    return this.second < 0;
  }

  /** The number this key is. Exact up to 2^53. */
  get number(): number {
    return (this.high >>> 0) * WORD + (this.low >>> 0);
  }

  get bigint(): bigint {
    return (BigInt(this.high >>> 0) << 32n) | BigInt(this.low >>> 0);
  }

  /** `high` and `low` are the halves of a 64-bit number. */
  setHalves(high: number, low: number): void {
    this.first = 0;
    this.second = 0;
    this.high = high | 0;
    this.low = low | 0;
  }

  /** A whole number of 0 to 2^53. */
  setNumber(value: number): void {
    this.setHalves(Math.floor(value / WORD), value);
  }

  setBigint(value: bigint): void {
    this.setHalves(Number((value >> 32n) & 0xffff_ffffn), Number(value & 0xffff_ffffn));
  }

  copy(other: PageKey): void {
    this.first = other.first;
    this.second = other.second;
    this.high = other.high;
    this.low = other.low;
  }

  /** The field between the two offsets, without blanks around it and without quotes. False when nothing is left. */
  setField(bytes: Uint8Array, from: number, to: number): boolean {
    let start = from;
    let end = to;
    while (start < end && isBlank(bytes[start]!)) start += 1;
    while (end > start && isBlank(bytes[end - 1]!)) end -= 1;
    if (end - start >= 2 && bytes[start] === QUOTE && bytes[end - 1] === QUOTE) {
      return this.setUnquoted(bytes.subarray(start + 1, end - 1));
    }
    if (start === end) return false;
    if (!this.setDecimal(bytes, start, end) && !this.setPrefixed(bytes, start, end)) this.setText(bytes, start, end);
    return true;
  }

  /** Hexadecimal digits without a prefix. False when they are none, or more than 64 bits. */
  setHexadecimal(bytes: Uint8Array, from: number, end: number): boolean {
    let start = from;
    while (start < end - 1 && bytes[start] === ZERO) start += 1;
    if (start >= end || end - start > HEXADECIMAL_DIGITS_MAX) return false;
    let high = 0;
    let low = 0;
    for (let index = start; index < end; index += 1) {
      const digit = hexadecimalDigit(bytes[index]!);
      if (digit < 0) return false;
      high = (high << 4) | (low >>> 28);
      low = (low << 4) | digit;
    }
    this.setHalves(high, low);
    return true;
  }

  setText(bytes: Uint8Array, start: number, end: number): void {
    this.first = 0x2545_f491;
    this.second = 0x4f6c_dd1d;
    this.high = 0x6a09_e667;
    this.low = 0x3c6e_f372;
    let index = start;
    for (; index + 4 <= end; index += 4) {
      this.absorb(bytes[index]! | (bytes[index + 1]! << 8) | (bytes[index + 2]! << 16) | (bytes[index + 3]! << 24));
    }
    let rest = 0;
    for (; index < end; index += 1) rest = (rest << 8) | bytes[index]!;
    this.absorb(rest);
    this.absorb(end - start);
    this.settle();
  }

  /** The page that this key names within another one: of a volume, of a namespace. */
  within(outer: PageKey): void {
    const { first, second, high, low } = this;
    this.copy(outer);
    this.absorb(first);
    this.absorb(second);
    this.absorb(high);
    this.absorb(low);
    this.settle();
  }

  private setUnquoted(inner: Uint8Array): boolean {
    const text = Buffer.from(inner.buffer, inner.byteOffset, inner.byteLength).toString('latin1');
    const plain = text.includes('""') ? Buffer.from(text.replaceAll('""', '"'), 'latin1') : inner;
    return this.setField(plain, 0, plain.length);
  }

  private setDecimal(bytes: Uint8Array, from: number, end: number): boolean {
    let start = from;
    while (start < end - 1 && bytes[start] === ZERO) start += 1;
    if (end - start > DECIMAL_DIGITS_MAX) return false;
    let value = 0;
    let high = 0;
    const isExact = end - start <= EXACT_DIGITS_MAX;
    for (let index = start; index < end; index += 1) {
      const digit = bytes[index]! - ZERO;
      if (digit < 0 || digit > 9) return false;
      value = value * 10 + digit;
      if (isExact) continue;
      // Long multiplication in two halves: `value` is the lower one, always below 2^36 here.
      const carry = Math.floor(value / WORD);
      value -= carry * WORD;
      high = high * 10 + carry;
    }
    if (isExact) this.setNumber(value);
    else if (high >= WORD) return false;
    else this.setHalves(high, value);
    return true;
  }

  private setPrefixed(bytes: Uint8Array, start: number, end: number): boolean {
    if (end - start < 3 || bytes[start] !== ZERO) return false;
    if (bytes[start + 1] !== LOWER_X && bytes[start + 1] !== UPPER_X) return false;
    return this.setHexadecimal(bytes, start + 2, end);
  }

  /**
   * One word into the first, then a permutation of all four in which each reaches each (the steps of ChaCha's quarter
   * round, twice): two texts can only be taken for one where the other three words, 96 bits, came to be equal by chance.
   */
  private absorb(word: number): void {
    let first = this.first ^ word;
    let second = this.second;
    let high = this.high;
    let low = (this.low + 0x9e37_79b9) | 0;
    for (let round = 0; round < 2; round += 1) {
      first = (first + second) | 0;
      low = rotate(low ^ first, 16);
      high = (high + low) | 0;
      second = rotate(second ^ high, 12);
      first = (first + second) | 0;
      low = rotate(low ^ first, 8);
      high = (high + low) | 0;
      second = rotate(second ^ high, 7);
    }
    this.first = first;
    this.second = second;
    this.high = high;
    this.low = low;
  }

  private settle(): void {
    this.second |= TEXT_BIT;
  }
}

/** False where the bytes are no UTF-8 text. */
export function isText(bytes: Uint8Array, start: number, end: number): boolean {
  for (let index = start; index < end; index += 1) {
    if (bytes[index]! >= 128) return isUtf8(bytes.subarray(start, end));
  }
  return true;
}
