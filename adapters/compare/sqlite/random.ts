/**
 * Owns the seeded chance of the workload: the same seed gives the same rows and the same query orders on every machine.
 * The generator is sfc32 (C. Doty-Humphrey, PractRand), integers only.
 */
const LETTERS = 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789';
const TEXT_SIZE = 1 << 16;

export class Random {
  private a: number;
  private b: number;
  private c = 0x2545f491;
  private counter = 1;
  private readonly text: string;

  /** `stream` separates users of one seed. */
  constructor(seed: number, stream = 0) {
    this.a = seed | 0;
    this.b = (seed / 2 ** 32) ^ Math.imul(stream + 1, 0x9e3779b1);
    for (let round = 0; round < 16; round += 1) this.next();
    let text = '';
    for (let index = 0; index < TEXT_SIZE; index += 1) text += LETTERS[this.below(LETTERS.length)];
    this.text = text;
  }

  /** An unsigned 32-bit integer. */
  next(): number {
    const sum = (((this.a + this.b) | 0) + this.counter) | 0;
    this.counter = (this.counter + 1) | 0;
    this.a = this.b ^ (this.b >>> 9);
    this.b = (this.c + (this.c << 3)) | 0;
    this.c = (((this.c << 21) | (this.c >>> 11)) + sum) | 0;
    return sum >>> 0;
  }

  /** An integer from 0 to limit-1. */
  below(limit: number): number {
    return Math.floor((this.next() / 2 ** 32) * limit);
  }

  /** An integer from first to last, both included. */
  between(first: number, last: number): number {
    return first + this.below(last - first + 1);
  }

  /** Letters and digits, from lengthMin to lengthMax of them. */
  letters(lengthMin: number, lengthMax = lengthMin): string {
    const length = this.between(lengthMin, lengthMax);
    const start = this.below(TEXT_SIZE - length);
    return this.text.slice(start, start + length);
  }

  digits(length: number): string {
    let text = '';
    for (let index = 0; index < length; index += 1) text += this.below(10);
    return text;
  }

  /** The order of `count` things, each once. */
  permutation(count: number): number[] {
    const order = Array.from({ length: count }, (_, index) => index);
    for (let index = count - 1; index > 0; index -= 1) {
      const other = this.below(index + 1);
      [order[index], order[other]] = [order[other]!, order[index]!];
    }
    return order;
  }
}
