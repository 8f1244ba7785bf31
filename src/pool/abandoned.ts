/**
 * Drafts of this node that are over, but could not be taken back because a node that does not run had their shard's
 * lock. They are remembered here and taken back when the lock is free; after this node's death anybody does it.
 */
import { PoolError } from '../../lib/errors.js';
import type { Locks } from './locks.js';

export class Abandoned<P extends { readonly shard: number }> {
  private places: P[] = [];
  private readonly locks: Locks;
  private readonly undo: (place: P) => void;

  constructor(locks: Locks, undo: (place: P) => void) {
    this.locks = locks;
    this.undo = undo;
  }

  add(place: P): void {
    this.places.push(place);
  }

  /** Takes a draft back, now or later. */
  takeBack(place: P): void {
    try {
      this.undo(place);
    } catch (error) {
      this.add(place);
      if (!(error instanceof PoolError) || error.code !== 'BUSY') throw error;
    }
  }

  /** Takes back what is left, where that needs no waiting. */
  retry(): void {
    const { places } = this;
    this.places = [];
    for (const place of places) {
      if (this.locks.ownerOf(place.shard) < 0) this.takeBack(place);
      else this.add(place);
    }
  }
}
