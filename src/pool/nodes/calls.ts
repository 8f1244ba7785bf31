/**
 * Calls that may be cut. An overflowing stack throws at the entry of any function; vm's timeout, or Ctrl-C in a REPL, ends
 * a run there or where a loop goes round, and runs no catch and no finally. So cleaning up is never left to those alone.
 *
 * (Q1) what would have to be undone is counted before it is done, and counted off by the last step that ends it, with no
 *      function's entry between that step and its caller: a lock held, a draft that is in nobody's books.
 * (Q2) every call of a node is synchronous between two counts. So when a run has ended the count is 0, or a call was cut.
 * (Q3) then this node settles: it takes back its locks, which repairs what they guard, its drafts and its claims. Settling
 *      starts from what is shared and from the books, never from where the call was; it may itself be cut and done again.
 * (Q4) it is asked for when the run ends, and at upkeep where even that was cut.
 *
 * A death takes all of this with it; what is shared is then repaired by others.
 */
import type { Machine } from '../../../lib/machine.js';

export class Calls {
  private readonly machine: Machine;
  /** Public for steps that nothing may come between. */
  open = 0;
  /** How many runs have ended in which something was counted. */
  runs = 0;
  private isWatched = false;
  /** Settles; never throws. Undefined: what is open when a run has ended is held on purpose, as tests do. */
  settle: (() => void) | undefined;
  private readonly endRun = () => {
    this.runs = (this.runs + 1) | 0;
    // What settling counts itself is no reason to settle again when it could not be done.
    if (this.open !== 0) this.settle?.();
    this.isWatched = false;
  };

  constructor(machine: Machine) {
    this.machine = machine;
  }

  /** Before something is done that has to be ended. */
  begin(): void {
    if (!this.isWatched) {
      this.machine.afterRun(this.endRun);
      this.isWatched = true;
    }
    this.open++;
  }

  /** Upkeep comes between two runs: nothing is under way, and the end of a run that was cut is not to come any more. */
  betweenRuns(): void {
    this.isWatched = false;
  }

  /** It has ended. Where something is ended twice, as a draft that is sealed and then given up, nothing is counted. */
  end(): void {
    if (this.open > 0) this.open--;
  }
}
