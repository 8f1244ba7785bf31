/**
 * Words: the only caller of Atomics. Shared metadata is an array of 32-bit words; a word index is a byte offset / 4.
 *
 * load, store, exchange, add and compareExchange are sequentially consistent across processes: the buffer is a plain
 * ArrayBuffer over an mmap, on which Atomics are atomic (only Atomics.wait is refused). `read` and `write` are plain:
 * for words that only the caller writes, or that a lock guards, or that are hints. The compiler may merge two plain
 * reads of one word, so every word whose change matters goes through `load`.
 */
const STORES_ARE_FENCES = process.arch === 'x64';

export class Words {
  readonly length: number;
  private readonly array: Int32Array;

  constructor(buffer: ArrayBuffer, byteOffset = 0, byteLength = buffer.byteLength - byteOffset) {
    this.array = new Int32Array(buffer, byteOffset, byteLength >>> 2);
    this.length = this.array.length;
  }

  /** Sequentially consistent load, as a signed 32-bit integer. */
  load(index: number): number {
    return Atomics.load(this.array, index);
  }

  /**
   * A load that must not pass this thread's store to these words just before it: the reader's half of Dekker's handshake,
   * on every hit. The compiler can neither move it up nor reuse an earlier value as long as it cannot tell the two
   * indexes of one array apart: they have to come from fields that change, never from constants. On x64 the processor keeps the order when that was a `store` (an exchange), or when it was a
   * `write` and the other side fences everybody (lib/linux/membarrier.ts). Elsewhere it is `load`, and wants a `store`.
   */
  loadAfterStore(index: number): number {
    return STORES_ARE_FENCES ? (this.array[index] as number) : Atomics.load(this.array, index);
  }

  /** A load that keeps its place among this thread's loads, of words that are each read once. Plain on x64. */
  loadInOrder(index: number): number {
    return STORES_ARE_FENCES ? (this.array[index] as number) : Atomics.load(this.array, index);
  }

  /** A store that keeps its place among this thread's stores and follows its earlier loads. Plain on x64, where all do. */
  storeInOrder(index: number, value: number): void {
    if (STORES_ARE_FENCES) this.array[index] = value;
    else Atomics.store(this.array, index, value);
  }

  /** Sequentially consistent store. */
  store(index: number, value: number): void {
    Atomics.store(this.array, index, value);
  }

  /** Returns the value before. */
  exchange(index: number, value: number): number {
    return Atomics.exchange(this.array, index, value);
  }

  /** Returns the value before. */
  add(index: number, value: number): number {
    return Atomics.add(this.array, index, value);
  }

  /** Returns the value before; the exchange took place when that equals `expected`. */
  compareExchange(index: number, expected: number, value: number): number {
    return Atomics.compareExchange(this.array, index, expected, value);
  }

  /** Plain read, as a signed 32-bit integer. */
  read(index: number): number {
    return this.array[index] as number;
  }

  /** Plain write. */
  write(index: number, value: number): void {
    this.array[index] = value;
  }

  /** Plain fill of `count` words. */
  fill(index: number, count: number, value: number): void {
    this.array.fill(value, index, index + count);
  }

  /** Plain reads of as many words as the target has: for words that a lock guards. */
  copyOut(index: number, target: Int32Array): void {
    target.set(this.array.subarray(index, index + target.length));
  }

  /** Plain writes of the words, in no order. */
  copyIn(index: number, source: Int32Array): void {
    this.array.set(source, index);
  }
}
