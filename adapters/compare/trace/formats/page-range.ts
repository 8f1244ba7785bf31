/**
 * PageRange: an offset and a size to the pages that they touch.
 *
 * (R1) Every page of which a byte is touched is one access; all of one line are one request. A size of 0 touches none.
 * (R2) Offsets are exact to 64 bits of units.
 */
import { RUN_MAX } from '../access-spool.js';
import { PageKey } from '../page-key.js';
import type { ReadingContext } from './format.js';

export class PageRange {
  private readonly context: ReadingContext;
  private readonly unit: number;
  private readonly first = new PageKey();

  /** `unit`: bytes of what offsets and sizes count, 1 or 512. */
  constructor(context: ReadingContext, unit: number) {
    this.context = context;
    this.unit = unit;
  }

  /** The pages of `offset` and `size`, of the device or volume `outer` where there is one. */
  add(offset: PageKey, size: PageKey, outer?: PageKey): void {
    const { context, unit } = this;
    const { pageSize, spool } = context;
    if (offset.isText || size.isText) context.refuse('has an offset or a size that is no whole number');
    if (size.number === 0) {
      context.leaveOut('of size 0');
      return;
    }
    const end = (offset.number + size.number) * unit;
    let pages: number;
    if (end <= Number.MAX_SAFE_INTEGER) {
      const page = Math.floor((offset.number * unit) / pageSize);
      pages = Math.floor((end - 1) / pageSize) - page + 1;
      this.first.setNumber(page);
    } else {
      const page = (offset.bigint * BigInt(unit)) / BigInt(pageSize);
      const last = ((offset.bigint + size.bigint) * BigInt(unit) - 1n) / BigInt(pageSize);
      pages = Number(last - page + 1n);
      this.first.setBigint(page);
    }
    if (pages > RUN_MAX) context.refuse(`asks for ${pages} pages of ${pageSize} bytes at once`);
    spool.run(this.first, pages, outer);
  }
}
