/**
 * Hits by space, of all nodes. Each node counts its own in private memory, where a hit costs no more for it, and adds them here once
 * in a while: what a node has not told yet dies with it.
 *
 * Two words a count, by atomic addition; the high one has the carries. A reader may come between the two, and who dies
 * there leaves a count that is 2^32 short.
 */
import type { Words } from '../../../lib/words.js';
import { type Geometry, SpaceHit } from '../layout/index.js';

const { low: LOW, high: HIGH } = SpaceHit.word;
const CARRY = 2 ** 32;

export class SpaceHits {
  private readonly words: Words;
  private readonly base: number;
  private readonly count: number;

  constructor(words: Words, geometry: Geometry) {
    this.words = words;
    this.base = geometry.regions.spaceHits.word;
    this.count = geometry.spaces;
  }

  private entry(space: number): number {
    return this.base + (space - 1) * SpaceHit.words;
  }

  add(space: number, hits: number): void {
    if (space < 1 || space > this.count) return;
    const at = this.entry(space);
    const low = hits % CARRY;
    const carry = (this.words.add(at + LOW, low | 0) >>> 0) + low >= CARRY ? 1 : 0;
    const high = Math.floor(hits / CARRY) + carry;
    if (high > 0) this.words.add(at + HIGH, high);
  }

  of(space: number): number {
    const at = this.entry(space);
    return (this.words.load(at + HIGH) >>> 0) * CARRY + (this.words.load(at + LOW) >>> 0);
  }

  /** It begins anew. Under the space lock. */
  clear(space: number): void {
    const at = this.entry(space);
    this.words.store(at + LOW, 0);
    this.words.store(at + HIGH, 0);
  }
}
