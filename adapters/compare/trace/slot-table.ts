/**
 * slot-table: which of a cache's slots its ids lie in.
 */
import { NONE } from './slot-list.js';

/**
 * Which slot an id has, which id a slot has, and the slots not yet used or free again. Of the size of the cache, not of
 * the trace: a private arm's bytes are those of a cache. Slots are found in an open table that is at most half full; a
 * Map takes several times as long for ids that come and go, and holds no more than 2^24.
 */
export class SlotTable {
  readonly ids: Int32Array;
  readonly capacity: number;
  /** 0: free; else a slot and 1. */
  private readonly places: Int32Array;
  private readonly mask: number;
  private readonly free: Int32Array;
  private freeCount: number;

  constructor(capacity: number) {
    this.capacity = capacity;
    this.ids = new Int32Array(capacity).fill(NONE);
    this.free = Int32Array.from({ length: capacity }, (_, index) => capacity - 1 - index);
    this.freeCount = capacity;
    let size = 8;
    while (size < 2 * capacity) size *= 2;
    this.places = new Int32Array(size);
    this.mask = size - 1;
  }

  get full(): boolean {
    return this.freeCount === 0;
  }

  /** NONE for an id that has none. */
  slotOf(id: number): number {
    const { places, ids, mask } = this;
    for (let place = homeOf(id) & mask; ; place = (place + 1) & mask) {
      const slot = places[place]! - 1;
      if (slot < 0) return NONE;
      if (ids[slot] === (id | 0)) return slot;
    }
  }

  /** There must be a free slot, and the id must have none. */
  take(id: number): number {
    const { places, mask } = this;
    this.freeCount -= 1;
    const slot = this.free[this.freeCount]!;
    let place = homeOf(id) & mask;
    while (places[place] !== 0) place = (place + 1) & mask;
    places[place] = slot + 1;
    this.ids[slot] = id;
    return slot;
  }

  /** Returns the id that was in the slot. */
  release(slot: number): number {
    const id = this.ids[slot]!;
    this.leavePlace(slot);
    this.ids[slot] = NONE;
    this.free[this.freeCount] = slot;
    this.freeCount += 1;
    return id >>> 0;
  }

  /** Those behind it move up, so that no search ends at the gap before it has seen them. */
  private leavePlace(slot: number): void {
    const { places, ids, mask } = this;
    let gap = homeOf(ids[slot]!) & mask;
    while (places[gap] !== slot + 1) gap = (gap + 1) & mask;
    for (let place = (gap + 1) & mask; places[place] !== 0; place = (place + 1) & mask) {
      const home = homeOf(ids[places[place]! - 1]!) & mask;
      if (((place - home) & mask) < ((place - gap) & mask)) continue;
      places[gap] = places[place]!;
      gap = place;
    }
    places[gap] = 0;
  }
}

/** The same for an id as a signed word. */
export function homeOf(id: number): number {
  const mixed = Math.imul(id ^ (id >>> 16), 0x45d9_f3b);
  return mixed ^ (mixed >>> 15);
}

export interface CachePolicy {
  readonly capacity: number;
  /** True on a hit. On a miss the id takes a slot, evicting when there is no free one. */
  access(id: number): boolean;
  /** The slot of a resident id, else NONE. */
  slotOf(id: number): number;
}
