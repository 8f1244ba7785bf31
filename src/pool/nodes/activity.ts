/**
 * Which rows may hold hazards: a bit for each, so that who looks at the hazards of all nodes passes by those that do nothing,
 * however many are attached.
 *
 * (A1) a node sets its bit before it looks, with its first hazard, at a sequence or a state; by read-modify-write. Who hides a page and then finds
 *      the bit clear has hidden it before the node looks: so that one sees it.
 * (A2) the bit is cleared by its own node alone, between two runs and without a pin, after the private note that it is set was taken back. So
 *      whoever has something to show has his bit set, or sets it first.
 * (A3) a bit that is set says no more than that one has to look. Who dies leaves it, and the next one in the row may find it set.
 *
 * | the store  | made by | what a crash, or a cut, right after leaves                       |
 * |------------|---------|------------------------------------------------------------------|
 * | bit := 1   | show    | a row that is looked at, and has nothing                          |
 * | bit := 0   | hide    | a row that is not looked at, and has nothing                      |
 */
import { lowestBit } from '../../../lib/bits.js';
import type { Words } from '../../../lib/words.js';
import type { Geometry } from '../layout/index.js';

const ROWS_OF_WORD_BITS = 5;
const ROW_MASK = 31;

export class Activity {
  private readonly words: Words;
  private readonly base: number;
  private readonly rows: number;

  constructor(words: Words, geometry: Geometry) {
    this.words = words;
    this.base = geometry.regions.activeRows.word;
    this.rows = geometry.maxNodes;
  }

  show(row: number): void {
    this.change(row, true);
  }

  hide(row: number): void {
    this.change(row, false);
  }

  private change(row: number, isActive: boolean): void {
    const { words } = this;
    const word = this.base + (row >> ROWS_OF_WORD_BITS);
    const bit = 1 << (row & ROW_MASK);
    for (let known = words.load(word); ; ) {
      // ORDER active-1: the bit, then the sequence or the state, also where it was set already; pairs with next.
      const found = words.compareExchange(word, known, isActive ? known | bit : known & ~bit);
      if (found === known) return;
      known = found;
    }
  }

  /** The first row from this one on whose bit is set, below `high`; -1 where there is none. */
  next(row: number, high: number): number {
    const end = Math.min(high, this.rows);
    for (let from = row; from < end; from = (from | ROW_MASK) + 1) {
      // ORDER active-1: after what hides the page was stored; pairs with change.
      const bits = this.words.load(this.base + (from >> ROWS_OF_WORD_BITS)) >> (from & ROW_MASK);
      const found = from + lowestBit(bits);
      if (bits !== 0) return found < end ? found : -1;
    }
    return -1;
  }

  isActive(row: number): boolean {
    return this.next(row, row + 1) === row;
  }
}
