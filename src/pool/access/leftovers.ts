/**
 * Drafts whose creator has given them up when they could not be taken back: a lock was held by a node that is alive but
 * does not run. They keep their key and their space until upkeep takes them back; nobody has to ask.
 *
 * A crash leaves drafts of a dead node, like any other.
 */
import { PoolError } from '../../../lib/errors.js';
import type { Calls } from '../nodes/index.js';
import type { DraftPlace } from './drafts.js';

export class Leftovers {
  private readonly places: DraftPlace[] = [];
  private readonly calls: Calls;
  private readonly undo: (place: DraftPlace) => void;

  /** `undo` takes a draft back; throws BUSY, POOL_CORRUPT. */
  constructor(calls: Calls, undo: (place: DraftPlace) => void) {
    this.calls = calls;
    this.undo = undo;
  }

  /** A draft that was in hand until now. */
  add(place: DraftPlace): void {
    this.places.push(place);
    this.calls.end();
  }

  get count(): number {
    return this.places.length;
  }

  all(): readonly DraftPlace[] {
    return this.places;
  }

  /** Takes a draft in hand back, now or later. */
  abandon(place: DraftPlace): void {
    try {
      this.undo(place);
    } catch (error) {
      if (!(error instanceof PoolError)) throw error;
      this.add(place);
      return;
    }
    this.calls.end();
  }

  /** Takes back those that `isPossible` lets through. Throws what undoing one of them does, which then stays. */
  clear(isPossible: (place: DraftPlace) => boolean): void {
    for (let index = this.places.length - 1; index >= 0; index--) {
      const place = this.places[index] as DraftPlace;
      if (!isPossible(place)) continue;
      this.undo(place);
      this.places.splice(index, 1);
    }
  }
}
