/**
 * Clearings: where in a chunk contiguous room costs least. Eviction frees extents here and there; an object that fits none
 * of them needs its room in one piece, so the pages that lie in the cheapest piece of a chunk have to go.
 *
 * Looks only, under the shard's lock. One pass over the shard's slots and one over the chunk's objects in order.
 */
import type { Extents } from './extents.js';
import { FLAG_RETAINED, NO_EXTENT, STATE_FREE, STATE_MASK, STATE_SEALED } from './layout.js';
import type { Slots } from './slots.js';

interface Lying {
  readonly local: number;
  readonly first: number;
  readonly end: number;
  readonly isMovable: boolean;
}

export class Clearings {
  private readonly slots: Slots;
  private readonly extents: Extents;
  private readonly slotsPerShard: number;
  private readonly isHeld: (local: number) => boolean;

  constructor(slots: Slots, extents: Extents, slotsPerShard: number, isHeld: (local: number) => boolean) {
    this.slots = slots;
    this.extents = extents;
    this.slotsPerShard = slotsPerShard;
    this.isHeld = isHeld;
  }

  /** Local slots of the pages to retire for an object of so many bytes in the chunk; undefined where it cannot be. */
  find(shard: number, chunk: number, bytes: number): number[] | undefined {
    const lying = this.objectsIn(shard, chunk);
    const count = this.extents.granulesOf(bytes);
    const alignment = this.extents.alignmentOf(bytes);
    const starts = new Set([0]);
    for (const { first, end } of lying) {
      starts.add(Math.floor(first / alignment) * alignment);
      starts.add(Math.ceil(end / alignment) * alignment);
    }
    let best: number[] | undefined;
    let bestCost = Number.POSITIVE_INFINITY;
    let low = 0;
    for (const start of [...starts].sort((a, b) => a - b)) {
      if (start + count > this.extents.chunkGranules) break;
      while (low < lying.length && (lying[low] as Lying).end <= start) low++;
      const cost = costOf(lying, low, start + count, bestCost);
      if (cost >= bestCost) continue;
      bestCost = cost;
      best = overlapping(lying, low, start + count);
    }
    return best;
  }

  /** What lies in the chunk, in order. Drafts, retired pages, retained and held ones cannot be moved. */
  private objectsIn(shard: number, chunk: number): Lying[] {
    const { slots, extents } = this;
    const from = chunk * extents.chunkGranules;
    const to = from + extents.chunkGranules;
    const found: Lying[] = [];
    for (let local = 0; local < this.slotsPerShard; local++) {
      const slot = shard * this.slotsPerShard + local;
      const extent = slots.extent(slot);
      if (extent < from || extent >= to || extent === NO_EXTENT) continue;
      const state = slots.stateWord(slot) & STATE_MASK;
      if (state === STATE_FREE) continue;
      const first = extent - from;
      const end = first + extents.granulesOf(slots.extentBytes(slot));
      const isRetained = (slots.flags(slot) & FLAG_RETAINED) !== 0;
      found.push({ local, first, end, isMovable: state === STATE_SEALED && !isRetained && !this.isHeld(local) });
    }
    return found.sort((a, b) => a.first - b.first);
  }
}

/** Granules of the objects from `low` on that begin before `end`; infinite when one cannot be moved. */
function costOf(lying: readonly Lying[], low: number, end: number, limit: number): number {
  let cost = 0;
  for (let i = low; i < lying.length && cost < limit; i++) {
    const one = lying[i] as Lying;
    if (one.first >= end) break;
    if (!one.isMovable) return Number.POSITIVE_INFINITY;
    cost += one.end - one.first;
  }
  return cost;
}

function overlapping(lying: readonly Lying[], low: number, end: number): number[] {
  const found: number[] = [];
  for (let i = low; i < lying.length && (lying[i] as Lying).first < end; i++) found.push((lying[i] as Lying).local);
  return found;
}
