/**
 * A node that does nothing is passed by by who makes room (activity.ts): once that has been told of its hits, or when nobody has made
 * room for a while.
 */
import type { Hazards } from './hazards.js';
import type { Touches } from './touches.js';

/** Looks at which it did nothing, after which its last hits are let go. */
const RESTS_MAX = 10;

export class Resting {
  private readonly hazards: Hazards;
  private readonly touches: Touches;
  private rests = 0;

  constructor(hazards: Hazards, touches: Touches) {
    this.hazards = hazards;
    this.touches = touches;
  }

  /** At upkeep, between two runs. */
  look(): void {
    this.rests = this.hazards.isResting() ? this.rests + 1 : 0;
    if (this.rests > 1 && (this.rests > RESTS_MAX || this.touches.areDrained())) this.hazards.hide();
  }
}
