/**
 * When pages end. One that has expired is a miss; one that is kept past its expiry (FLAG_KEPT) stays all the same, for those who
 * say how stale a page may be, until it is superseded, retired, evicted, or the time is over for which it is kept.
 */
import { isOver, type WallMs } from '../../../lib/clock.js';
import type { Machine } from '../../../lib/machine.js';
import type { Slots, Spaces } from '../objects/index.js';

export interface LifetimeParts {
  readonly machine: Machine;
  readonly slots: Slots;
  readonly spaces: Spaces;
}

export class Lifetimes {
  private readonly parts: LifetimeParts;

  constructor(parts: LifetimeParts) {
    this.parts = parts;
  }

  isOfDropped(slot: number): boolean {
    const { slots, spaces } = this.parts;
    return !spaces.isCurrent(slots.space(slot), slots.spaceGeneration(slot));
  }

  /** Whether a sealed page is a miss by now: expired, or of a dropped space. */
  isOver(slot: number): boolean {
    return isOver(this.parts.slots.expiry(slot), this.parts.machine.nowMs()) || this.isOfDropped(slot);
  }

  /** Whether nobody is to have it any more, as stale as he may take it. */
  isEnded(slot: number): boolean {
    return this.isEndedAt(slot, this.parts.machine.nowMs());
  }

  isEndedAt(slot: number, now: WallMs): boolean {
    return isOver(this.parts.slots.end(slot), now) || this.isOfDropped(slot);
  }

  /**
   * Whether a fill under a lease may take the place of the sealed page: it is known to be valid for longer, or that one has expired, and
   * earlier than the fill will. Lives begin with loads where pages are kept, so a load that was overtaken by one that began later
   * does not hide its page.
   */
  isBetter(slot: number, old: number): boolean {
    const { slots, machine } = this.parts;
    if (slots.until(slot) > slots.until(old)) return true;
    const [expiry, before] = [slots.expiry(slot), slots.expiry(old)];
    return isOver(before, machine.nowMs()) && (expiry === 0 || expiry > before);
  }
}
