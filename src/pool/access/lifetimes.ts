/**
 * When pages end. One that has expired is a miss; one that is kept past its expiry (FLAG_KEPT) stays all the same, for those who
 * say how stale a page may be, until it is superseded, retired, evicted, or the time is over for which it is kept. So does one whose tag
 * was invalidated, while it may be served stale.
 */
import { isOver, type WallMs } from '../../../lib/clock.js';
import type { Machine } from '../../../lib/machine.js';
import { FLAG_LEASED } from '../layout/index.js';
import type { Slots, Spaces, Tags } from '../objects/index.js';

export interface LifetimeParts {
  readonly machine: Machine;
  readonly slots: Slots;
  readonly spaces: Spaces;
  readonly tags: Tags;
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

  /** Whether a sealed page is a miss by now: expired, of a dropped space, or of a tag that was invalidated. */
  isOver(slot: number): boolean {
    const { slots, machine, tags } = this.parts;
    return isOver(slots.expiry(slot), machine.nowMs()) || this.isOfDropped(slot) || !tags.isFreshAt(slot);
  }

  /** Whether nobody is to have it any more, as stale as he may take it. */
  isEnded(slot: number): boolean {
    return this.isEndedAt(slot, this.parts.machine.nowMs());
  }

  /** Whether a tag of a fill under a lease was invalidated since the lease: nobody would have the page fresh. */
  isOvertaken(slot: number): boolean {
    return (this.parts.slots.flags(slot) & FLAG_LEASED) !== 0 && !this.parts.tags.isFreshAt(slot);
  }

  isEndedAt(slot: number, now: WallMs): boolean {
    return isOver(this.parts.slots.end(slot), now) || this.isOfDropped(slot) || this.parts.tags.isGoneAt(slot, now);
  }

  /**
   * Whether a fill under a lease may take the place of the sealed page: it is known to be valid for longer, or a tag of that one was
   * invalidated, and none of the fill's, or that one has expired, and earlier than the fill will. Lives begin with loads where
   * pages are kept, so a load that was overtaken by one that began later does not hide its page.
   */
  isBetter(slot: number, old: number): boolean {
    const { slots, machine, tags } = this.parts;
    if (slots.until(slot) > slots.until(old)) return true;
    if (!tags.isFreshAt(old)) return tags.isFreshAt(slot);
    const [expiry, before] = [slots.expiry(slot), slots.expiry(old)];
    return isOver(before, machine.nowMs()) && (expiry === 0 || expiry > before);
  }
}
