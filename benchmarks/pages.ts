/** Pages whose bytes follow from a seed, and sequences of random reads with the answer each batch must give. */
import type { Context } from './frame.js';
import { Random } from './random.js';

const NOISE_BYTES = 1 << 16;

export class PageMaker {
  private readonly noise = new Uint8Array(2 * NOISE_BYTES);
  readonly pageSize: number;

  constructor(seed: number, pageSize: number) {
    this.pageSize = pageSize;
    const random = new Random(seed);
    for (let i = 0; i < NOISE_BYTES; i++) this.noise[i] = random.next();
    this.noise.copyWithin(NOISE_BYTES, 0, NOISE_BYTES);
  }

  /** A new private page. */
  page(pageNo: number): Uint8Array {
    const page = new Uint8Array(this.pageSize);
    const start = Math.imul(pageNo, 0x9e3779b1) >>> 16;
    for (let at = 0; at < page.length; at += NOISE_BYTES) {
      page.set(this.noise.subarray(start, start + Math.min(NOISE_BYTES, page.length - at)), at);
    }
    return page;
  }

  pages(count: number): Uint8Array[] {
    return Array.from({ length: count }, (_, pageNo) => this.page(pageNo));
  }
}

/**
 * Random reads, in batches. Of each page always the same byte is read, but of each another one: at one offset for all,
 * pages of a power of two would meet in a few sets of the processor's caches.
 */
export class Reads {
  readonly batch: number;
  readonly pageNos: Uint32Array;
  readonly offsets: Uint32Array;
  private readonly sums: Int32Array;
  private next = 0;

  constructor(context: Context, pages: readonly Uint8Array[], options: { batches: number; batch: number }) {
    this.batch = options.batch;
    const count = options.batches * options.batch;
    this.pageNos = new Uint32Array(count);
    this.offsets = new Uint32Array(count);
    this.sums = new Int32Array(options.batches);
    for (let i = 0; i < count; i++) {
      const pageNo = context.random.below(pages.length);
      const page = pages[pageNo] as Uint8Array;
      const offset = Math.floor(((Math.imul(pageNo, 0x85ebca6b) >>> 0) / 2 ** 32) * page.length);
      this.pageNos[i] = pageNo;
      this.offsets[i] = offset;
      const batch = Math.floor(i / options.batch);
      this.sums[batch] = (this.sums[batch] as number) + (page[offset] as number);
    }
    context.checked(
      'sum of all reads',
      this.sums.reduce((sum, value) => sum + value, 0),
    );
  }

  /** The first read of the batch to do next, round and round. */
  take(): number {
    const from = this.next;
    this.next = (from + this.batch) % this.pageNos.length;
    return from;
  }

  /** The sum of the bytes that the batch reads. */
  sumFrom(from: number): number {
    return this.sums[from / this.batch] as number;
  }
}

export function missed(what: string): Error {
  return new Error(`${what}: a page is missing.`);
}
