/** Real lines: a device as it is mapped, and the processor's own instructions for writing back and dropping. */
import { LINE_BYTES } from '../../lib/struct.js';
import { Words } from '../../lib/words.js';
import type { Lines } from './lines.js';

/** `lib/linux/cachelines.ts` on x86-64. */
export type LineMover = Pick<Lines, 'writeback' | 'invalidate' | 'order'>;

export class MappedLines implements Lines {
  readonly lineCount: number;
  private readonly words: Words;
  private readonly bytes: Uint8Array;
  private readonly mover: LineMover;

  constructor(buffer: ArrayBuffer, mover: LineMover) {
    this.words = new Words(buffer);
    this.bytes = new Uint8Array(buffer);
    this.lineCount = Math.floor(buffer.byteLength / LINE_BYTES);
    this.mover = mover;
  }

  load(word: number): number {
    return this.words.load(word);
  }

  store(word: number, value: number): void {
    this.words.store(word, value);
  }

  copyOut(line: number, target: Uint8Array): void {
    target.set(this.bytes.subarray(line * LINE_BYTES, line * LINE_BYTES + target.length));
  }

  copyIn(line: number, bytes: Uint8Array): void {
    const end = Math.ceil(bytes.length / LINE_BYTES) * LINE_BYTES;
    this.bytes.set(bytes, line * LINE_BYTES);
    this.bytes.fill(0, line * LINE_BYTES + bytes.length, line * LINE_BYTES + end);
  }

  /** The bytes of a page in place, for as long as it is pinned. */
  bytesAt(line: number, byteLength: number): Uint8Array {
    return this.bytes.subarray(line * LINE_BYTES, line * LINE_BYTES + byteLength);
  }

  writeback(line: number, count: number): void {
    this.mover.writeback(line, count);
  }

  invalidate(line: number, count: number): void {
    this.mover.invalidate(line, count);
  }

  order(): void {
    this.mover.order();
  }
}
