/**
 * A scan: the pages of a range, each borrowed when its turn comes. So whoever leaves early has borrowed no more than he saw, and
 * one who lets the event loop turn between two pages gets each of them fresh.
 */
import type { PageSpace } from './types.js';

export class PageScan implements IterableIterator<Uint8Array | undefined> {
  private readonly space: Pick<PageSpace, 'borrow'>;
  private readonly asOf: number | undefined;
  private pageNo: number;
  private left: number;

  constructor(space: Pick<PageSpace, 'borrow'>, first: number, count: number, asOf: number | undefined) {
    this.space = space;
    this.asOf = asOf;
    this.pageNo = first;
    this.left = count;
  }

  /** Throws what `borrow` does; the scan then stays where it was. */
  next(): IteratorResult<Uint8Array | undefined, undefined> {
    if (this.left === 0) return { done: true, value: undefined };
    const value = this.space.borrow(this.pageNo, this.asOf);
    this.pageNo++;
    this.left--;
    return { done: false, value };
  }

  /** The caller has seen enough. */
  return(): IteratorResult<Uint8Array | undefined, undefined> {
    this.left = 0;
    return { done: true, value: undefined };
  }

  [Symbol.iterator](): this {
    return this;
  }
}
