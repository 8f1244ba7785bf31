/**
 * Whether a node's borrows are stored plainly. A plain store spares each borrow a fence of some ten nanoseconds, more where the
 * processor could have run ahead; but each fence that another node makes meanwhile asks the kernel, which interrupts this
 * node, and the other waits for that. So it depends on how many borrows there are to a fence of others: a pool that is read
 * is light, one whose readers miss is not. What is counted is made whichever way was chosen, so the choice can come back.
 */
import { BORROW_ENTRIES } from '../layout/index.js';
import type { Fences } from '../nodes/index.js';

/** A fence of others costs as much as so many borrows' own. */
const BORROWS_A_FENCE = 512;
/** So many fences, or so many borrows, are enough to choose by. */
const FENCES_ENOUGH = 8;
const BORROWS_ENOUGH = 4 * BORROW_ENTRIES;

export class FenceChoice {
  private readonly fences: Fences;
  private readonly isAllowed: boolean;
  private light: boolean;
  private borrows = 0;
  /** Fences there were, and of this node's own, when the count began. */
  private since: number;
  private own: number;

  constructor(fences: Fences, isAllowed: boolean) {
    this.fences = fences;
    this.isAllowed = isAllowed;
    this.light = isAllowed;
    this.since = fences.last();
    this.own = fences.made;
  }

  /** There were so many borrows more. */
  borrowed(count: number): void {
    this.borrows += count;
  }

  /** What to do from now on. */
  isLight(): boolean {
    if (!this.isAllowed) return false;
    const last = this.fences.last();
    const others = ((last - this.since) | 0) - (this.fences.made - this.own);
    const { borrows } = this;
    if (others < FENCES_ENOUGH && borrows < BORROWS_ENOUGH) return this.light;
    this.light = others * BORROWS_A_FENCE < borrows;
    this.borrows = 0;
    this.since = last;
    this.own = this.fences.made;
    return this.light;
  }
}
