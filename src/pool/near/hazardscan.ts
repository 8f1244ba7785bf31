/**
 * The reclaimer's side of hazards.ts: which slots any counted node holds.
 *
 * (H10) a look is of one moment, after a fence of a number. It is right about whatever was hidden before that fence (C3),
 *       however late it is asked; about what may still be got it is a hint. While a look is being taken there is none.
 */
import { isLater } from '../../../lib/sequence.js';
import type { Words } from '../../../lib/words.js';
import { borrowsIn, type Geometry, HazardHead } from '../layout/index.js';
import { type Fences, type Nodes, PinPlaces } from '../nodes/index.js';
import type { Hazards } from './hazards.js';
import { HeldSlots } from './heldslots.js';

const { borrowCount: BORROW_COUNT, pinHigh: PIN_HIGH } = HazardHead.word;

export class HazardScan {
  private readonly words: Words;
  private readonly geometry: Geometry;
  private readonly nodes: Nodes;
  private readonly fences: Fences;
  private readonly places: PinPlaces;
  private readonly held = new HeldSlots();
  /** The fence that was over when the last look began, and whether there is one. */
  private fence = 0;
  private isKnown = false;
  /** This node's own, once it has some. */
  own: Hazards | undefined;

  constructor(words: Words, geometry: Geometry, nodes: Nodes, fences: Fences) {
    this.words = words;
    this.geometry = geometry;
    this.nodes = nodes;
    this.fences = fences;
    this.places = new PinPlaces(words, geometry);
  }

  /**
   * From now on `isHeld` is right about what was hidden before the fence of the number. False where an earlier look is: what
   * was held then may have been let go since. Throws UNSUPPORTED.
   */
  after(number: number): boolean {
    if (this.isKnown && !isLater(number, this.fence)) return false;
    const last = this.fences.last();
    this.lookAfter(isLater(number, last) ? this.make() : last);
    return true;
  }

  /** From now on it is right about everything that is hidden by now. Throws UNSUPPORTED. */
  now(): void {
    this.lookAfter(this.make());
  }

  private make(): number {
    const number = this.fences.make();
    this.own?.choose();
    return number;
  }

  /** Looks again, without a fence: for what has been let go, and as a hint. */
  glance(): void {
    this.lookAfter(this.fences.last());
  }

  /** Looks at every hazard of every counted node. */
  private lookAfter(fence: number): void {
    this.isKnown = false;
    this.own?.clearSpare();
    this.held.clear();
    const high = this.nodes.high();
    const { nodes } = this;
    for (let row = nodes.nextActive(0, high); row >= 0; row = nodes.nextActive(row + 1, high)) this.lookAt(row);
    this.fence = fence;
    this.isKnown = true;
  }

  private lookAt(row: number): void {
    const { words } = this;
    const { hazardHeads, borrows } = this.geometry.regions;
    const head = hazardHeads.word + row * HazardHead.words;
    // ORDER hazard-1: after the retire sequence was stored, rings before pins (H3); pairs with expose.
    const borrowed = borrowsIn(words.load(head + BORROW_COUNT));
    // Most have nothing, and are asked no more.
    if (borrowed === 0 && words.load(head + PIN_HIGH) === 0) return;
    // ORDER join-1: a row whose incarnation is not yet seen looks at the sequences later than this; pairs with join.
    if (!this.nodes.isCounted(row)) return;
    this.addRange(borrows.word + row * borrows.stride, borrowed);
    const pinned = Math.min(words.load(head + PIN_HIGH) >>> 0, this.geometry.pinsPerNode);
    this.addPins(row, pinned);
  }

  /** From the last block to the row (H9). */
  private addPins(row: number, count: number): void {
    const { places } = this;
    let left = count;
    // ORDER pinblock-1: the directory after the mark; pairs with grow.
    for (let index = places.blocksFor(count) - 1; index >= 0; index--) {
      const first = places.firstOf(index);
      const word = places.ofBlock(row, index);
      if (word >= 0) this.addRange(word, left - first);
      left = first;
    }
    this.addRange(places.ofRow(row), left);
  }

  /** From the end to the start (H9). */
  private addRange(word: number, count: number): void {
    const { words, held } = this;
    for (let i = count - 1; i >= 0; i--) {
      const hazard = words.loadInOrder(word + i);
      if (hazard !== 0) held.add(hazard - 1);
    }
  }

  isHeld(slot: number): boolean {
    return this.held.has(slot);
  }
}
