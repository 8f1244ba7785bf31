/**
 * Fences that one node makes and every node lives on. A full fence on every thread of all of them costs microseconds, and
 * says the same to whoever waits for it: so they are numbered, and none is made where a later one than was wanted is over.
 *
 * (C1) `begun` counts a fence before it begins, `done` is raised to its number after it has ended. `done` never goes back.
 * (C2) whoever hides something, and then reads `begun`, wants the fence of the next number: that one begins after that.
 * (C3) when `done` has come to that number, what a reader stored before it saw the thing is there for whoever looks from now on,
 *      in whatever node; and a reader that stores later sees that it is hidden. So one look is right for all that is hidden
 *      before the fence, however late it is asked.
 *
 * (C4) the kernel is asked only where a node other than the one that fences stores its hazards plainly. That is looked at after
 *      the fence was counted: a node that begins to do so later (H11) looks at what it reads later than that, so it sees what was
 *      hidden; one that has ended it has made its plain stores seen before. This thread's own were made seen by the count.
 *
 * A death between the two leaves a number that is never done: the next fence has a later one. Counts come round (sequence.ts);
 * one that is believed not to be over costs a fence.
 */
import { PoolError } from '../../../lib/errors.js';
import type { Machine } from '../../../lib/machine.js';
import { isLater, nextSequence } from '../../../lib/sequence.js';
import type { Words } from '../../../lib/words.js';
import { Control, type Geometry } from '../layout/index.js';
import type { Nodes } from './nodes.js';

export class Fences {
  private readonly words: Words;
  private readonly machine: Machine;
  private readonly nodes: Nodes;
  private readonly begun: number;
  private readonly done: number;
  /** How many this node has made. */
  made = 0;

  constructor(words: Words, geometry: Geometry, machine: Machine, nodes: Nodes) {
    this.words = words;
    this.machine = machine;
    this.nodes = nodes;
    const control = geometry.regions.control.word;
    this.begun = control + Control.word.fencesBegun;
    this.done = control + Control.word.fencesDone;
  }

  /** The fence to wait for after what this thread has stored. */
  due(): number {
    // ORDER fence-1: what was hidden, then the count; pairs with make.
    return nextSequence(this.words.load(this.begun));
  }

  /** The last one that is over. */
  last(): number {
    return this.words.load(this.done);
  }

  /** Makes one; its number. Throws UNSUPPORTED. */
  make(): number {
    const { words, done } = this;
    // ORDER fence-1: the count, then the fence, then `done`; pairs with due and with the scan.
    const number = nextSequence(words.add(this.begun, 1));
    this.made++;
    // ORDER light-1: the count, then who is light; pairs with Hazards.
    if (this.nodes.isLightElsewhere() && !this.machine.fenceEverybody()) {
      throw new PoolError('UNSUPPORTED', 'The kernel took back membarrier(2), on which the attached nodes rely.');
    }
    for (let seen = words.load(done); isLater(number, seen); ) {
      const before = words.compareExchange(done, seen, number);
      if (before === seen) break;
      seen = before;
    }
    return number;
  }
}
