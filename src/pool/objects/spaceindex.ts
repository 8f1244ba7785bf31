/**
 * Which space has a name: places by the hash of the name, taken in order from its own on. Written under the space lock, looked at
 * without it: who finds nothing, or what is not the name, looks again under the lock.
 *
 * (N1) under the lock each used space stands in it, with no free place between its own and where it stands. Repair of the lock
 *      makes it anew from the spaces: it is derived, and any death may leave it half-done.
 */
import type { Words } from '../../../lib/words.js';
import type { Geometry } from '../layout/index.js';

export class SpaceIndex {
  private readonly words: Words;
  private readonly base: number;
  private readonly mask: number;
  private readonly spaces: number;
  /** The hash of a space's name. */
  private readonly hashOf: (space: number) => number;

  constructor(words: Words, geometry: Geometry, hashOf: (space: number) => number) {
    this.words = words;
    this.base = geometry.regions.spaceIndex.word;
    this.mask = geometry.regions.spaceIndex.count - 1;
    this.spaces = geometry.spaces;
    this.hashOf = hashOf;
  }

  private at(place: number): number {
    const space = this.words.load(this.base + place);
    return space >= 1 && space <= this.spaces ? space : 0;
  }

  /** The space of that hash for which `isIt`; 0 for none. */
  find(hash: number, isIt: (space: number) => boolean): number {
    for (let steps = 0; steps <= this.mask; steps++) {
      const space = this.at((hash + steps) & this.mask);
      if (space === 0) return 0;
      if (this.hashOf(space) === hash && isIt(space)) return space;
    }
    return 0;
  }

  /** The caller holds the space lock, and the space has its name. */
  insert(space: number): void {
    const { mask } = this;
    let place = this.hashOf(space) & mask;
    for (let steps = 0; steps < mask && this.at(place) !== 0; steps++) place = (place + 1) & mask;
    this.words.store(this.base + place, space);
  }

  /** As insert, before the space loses its name: what stands behind it moves up. */
  remove(space: number): void {
    const { mask } = this;
    let hole = this.hashOf(space) & mask;
    for (let steps = 0; this.at(hole) !== space; steps++) {
      if (steps > mask || this.at(hole) === 0) return;
      hole = (hole + 1) & mask;
    }
    for (let steps = 0, place = hole; steps <= mask; steps++) {
      place = (place + 1) & mask;
      const other = this.at(place);
      if (other === 0) break;
      const isBetween = ((place - (this.hashOf(other) & mask)) & mask) < ((place - hole) & mask);
      if (isBetween) continue;
      this.words.store(this.base + hole, other);
      hole = place;
    }
    this.words.store(this.base + hole, 0);
  }

  rebuild(used: Iterable<number>): void {
    this.words.fill(this.base, this.mask + 1, 0);
    for (const space of used) this.insert(space);
  }
}
