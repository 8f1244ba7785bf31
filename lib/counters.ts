/**
 * Statistics in shared memory: 64-bit floats, each written by one node only and read by all. A reader may see a count
 * that is a moment old; an aligned 64-bit store is never torn on the machines we run on. What is no count reads as zero.
 */
export class Counters {
  private readonly array: Float64Array;

  constructor(buffer: ArrayBuffer, byteLength = buffer.byteLength) {
    this.array = new Float64Array(buffer, 0, byteLength >>> 3);
  }

  /** `index` counts 64-bit places from the start of the buffer: a word index / 2. */
  get(index: number): number {
    const count = this.array[index] as number;
    return count >= 0 && count <= Number.MAX_SAFE_INTEGER ? count : 0;
  }

  add(index: number, amount: number): void {
    this.array[index] = (this.array[index] as number) + amount;
  }
}
