/**
 * Clearings: where in a chunk contiguous room costs least. Eviction frees extents here and there; an object that fits none
 * of them needs its room in one piece, so the pages that lie in the cheapest piece of a chunk have to go.
 *
 * Looks only, under the shard's lock. One pass over the shard's slots and one over each chunk's objects in order.
 */
import { FLAG_RETAINED, STATE_FREE, STATE_MASK, STATE_SEALED } from '../layout/index.js';
import type { Extents } from '../space/index.js';
import type { Slots } from './slots.js';

interface Lying {
  readonly local: number;
  readonly first: number;
  readonly end: number;
  readonly isMovable: boolean;
}

interface Window {
  /** Granules of the pages that lie in it. */
  readonly cost: number;
  readonly locals: number[];
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

  /**
   * Local slots of the pages to retire for an object of so many bytes, where that costs least in the chunks that may be
   * cleared; undefined where it cannot be.
   */
  find(shard: number, bytes: number, mayClear: (chunk: number) => boolean): number[] | undefined {
    let best: Window | undefined;
    for (const lying of this.objectsOf(shard, mayClear)) {
      best = this.cheapest(lying, bytes, best?.cost ?? Number.POSITIVE_INFINITY) ?? best;
    }
    return best?.locals;
  }

  /** The cheapest piece of one chunk, if it costs less than the limit. `lying`: its objects in order. */
  private cheapest(lying: readonly Lying[], bytes: number, limit: number): Window | undefined {
    const count = this.extents.granulesOf(bytes);
    const alignment = this.extents.alignmentOf(bytes);
    const starts = new Set([0]);
    for (const { first, end } of lying) {
      starts.add(Math.floor(first / alignment) * alignment);
      starts.add(Math.ceil(end / alignment) * alignment);
    }
    let best: Window | undefined;
    let low = 0;
    for (const start of [...starts].sort((a, b) => a - b)) {
      if (start + count > this.extents.chunkGranules) break;
      while (low < lying.length && (lying[low] as Lying).end <= start) low++;
      const bestCost = best?.cost ?? limit;
      const cost = costOf(lying, low, start + count, bestCost);
      if (cost < bestCost) best = { cost, locals: overlapping(lying, low, start + count) };
    }
    return best;
  }

  /** What lies in each of the chunks, in order. Drafts, retired pages, retained and held ones cannot be moved. */
  private objectsOf(shard: number, mayClear: (chunk: number) => boolean): Iterable<readonly Lying[]> {
    const { slots, extents } = this;
    const found: (Lying[] | null | undefined)[] = [];
    // A chunk has a power of two of granules. This is passed for every slot, and most are not in a chunk that is wanted.
    const shift = 31 - Math.clz32(extents.chunkGranules);
    for (let local = 0; local < this.slotsPerShard; local++) {
      const slot = shard * this.slotsPerShard + local;
      const extent = slots.extent(slot);
      if (extent < 0) continue;
      const chunk = extent >>> shift;
      let lying = found[chunk];
      if (lying === undefined) {
        lying = mayClear(chunk) ? [] : null;
        found[chunk] = lying;
      }
      if (lying === null) continue;
      const state = slots.stateWord(slot) & STATE_MASK;
      if (state === STATE_FREE) continue;
      const first = extent - chunk * extents.chunkGranules;
      const end = first + extents.granulesOf(slots.extentBytes(slot));
      const isRetained = (slots.flags(slot) & FLAG_RETAINED) !== 0;
      lying.push({ local, first, end, isMovable: state === STATE_SEALED && !isRetained && !this.isHeld(local) });
    }
    const chunks = found.filter((lying) => Array.isArray(lying));
    for (const lying of chunks) lying.sort((a, b) => a.first - b.first);
    return chunks;
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
