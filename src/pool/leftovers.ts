/**
 * Drafts whose creator has given them up when they could not be taken back: a lock was held by a node that is alive but
 * does not run. They keep their key and their space until upkeep takes them back; nobody has to ask.
 *
 * A crash leaves drafts of a dead node, like any other.
 */
import { PoolError } from '../../lib/errors.js';

export class Leftovers<Place> {
  private readonly places: Place[] = [];
  private readonly undo: (place: Place) => void;

  /** `undo` takes a draft back; throws BUSY, POOL_CORRUPT. */
  constructor(undo: (place: Place) => void) {
    this.undo = undo;
  }

  add(place: Place): void {
    this.places.push(place);
  }

  get count(): number {
    return this.places.length;
  }

  /** Takes the draft back, now or later. */
  abandon(place: Place): void {
    try {
      this.undo(place);
    } catch (error) {
      if (!(error instanceof PoolError)) throw error;
      this.add(place);
    }
  }

  /** Takes back those that `isPossible` lets through. Throws what undoing one of them does, which then stays. */
  clear(isPossible: (place: Place) => boolean): void {
    for (let index = this.places.length - 1; index >= 0; index--) {
      const place = this.places[index] as Place;
      if (!isPossible(place)) continue;
      this.undo(place);
      this.places.splice(index, 1);
    }
  }
}
