/**
 * Bounds of versions. A page that is there tells its version; when it goes, a way of its key's stripe does, or bounds that many
 * keys share. All of it under the shard's lock.
 *
 * (I2) an open-ended page below the newest version of its key is refused, so evicting a version never makes an older one
 *      visible. What is known of it is never too low: by the page, until a way or the bounds tell it as well, and only then is
 *      the page retired.
 * (I3) the validities of a key's sealed versions do not overlap.
 * (I4) a way is of a space and generation, and of all keys of its place: for those it says the highest version that is gone.
 *      Keys that have none have the lower of two bounds, their stripe's and their space's: each is at least what its ways said
 *      that gave way.
 * (I5) `drop` ends it: ways of its generation say nothing and are the first to be taken, the space's bound begins anew.
 *
 * | step            | stores, in order                                          | a crash after it leaves                  |
 * |-----------------|-----------------------------------------------------------|------------------------------------------|
 * | its way is there| the way's bound, high word first                          | a bound no lower than it was; the page   |
 * | a way is free   | place and bound, then generation                          | a free way until the last; the page      |
 * | all are taken   | the stripe's and the space's bound, generation 0; then as | the other's version told by the bounds   |
 * |                 | for a free one                                            | too, then by them alone; the page        |
 * | retire          | all of this, then the page's state (A1)                   | as after any retirement                  |
 *
 * A way that gives way is one of the newcomer's own space, or of the space that has the most: versions of one space push others
 * into bounds last of all. Of these it is the lowest, or the newcomer itself, so that the stripe's bound stays low.
 */
import type { Words } from '../../../lib/words.js';
import {
  type Geometry,
  raiseUnsigned64,
  readUnsigned64,
  SPACE_BITS,
  Stripe,
  WAYS,
  Way,
  writeUnsigned64,
} from '../layout/index.js';
import type { Slots } from './slots.js';
import type { Spaces } from './spaces.js';
import type { Stripes } from './stripes.js';

const { generation: GENERATION, place: PLACE, bound: BOUND } = Way.word;
const { overflow: OVERFLOW, ways: WAYS_AT } = Stripe.word;
const NONE = -1;

/** Whose version it is: the stripe and the hash of the key, its space and that one's generation. */
export interface VersionOwner {
  readonly stripe: number;
  readonly hashHigh: number;
  readonly space: number;
  readonly spaceGeneration: number;
}

/** The space, and the bits of the hash that do not choose the stripe. */
function placeOf({ space, hashHigh }: VersionOwner): number {
  return space | (hashHigh & (-1 << SPACE_BITS));
}

export class VersionBounds {
  private readonly words: Words;
  private readonly slots: Slots;
  private readonly spaces: Spaces;
  private readonly stripes: Stripes;
  private readonly geometry: Geometry;

  constructor(words: Words, geometry: Geometry, parts: { slots: Slots; spaces: Spaces; stripes: Stripes }) {
    this.words = words;
    this.geometry = geometry;
    this.slots = parts.slots;
    this.spaces = parts.spaces;
    this.stripes = parts.stripes;
  }

  /** Of the key in that slot. */
  ownerOf(shard: number, slot: number): VersionOwner {
    const { slots, stripes } = this;
    const hashHigh = slots.hashHigh(slot);
    return {
      stripe: stripes.wordOf(shard, hashHigh),
      hashHigh,
      space: slots.space(slot),
      spaceGeneration: slots.spaceGeneration(slot),
    };
  }

  /** No version of the key that is gone is higher. */
  gone(owner: VersionOwner): number {
    const way = this.wayOf(owner);
    return way === NONE ? this.shared(owner) : this.bound(way);
  }

  private shared({ stripe, space, spaceGeneration }: VersionOwner): number {
    return Math.min(this.overflow(stripe), this.spaces.gone(space, spaceGeneration));
  }

  private overflow(stripe: number): number {
    return readUnsigned64(this.words, stripe + OVERFLOW);
  }

  private bound(way: number): number {
    return readUnsigned64(this.words, way + BOUND);
  }

  private wayOf(owner: VersionOwner): number {
    const place = placeOf(owner);
    for (let i = 0; i < WAYS; i++) {
      const way = owner.stripe + WAYS_AT + i * Way.words;
      if (this.words.read(way + GENERATION) !== owner.spaceGeneration) continue;
      if (this.words.read(way + PLACE) === place) return way;
    }
    return NONE;
  }

  private spaceOf(way: number): number {
    return this.words.read(way + PLACE) & ((1 << SPACE_BITS) - 1);
  }

  private isTaken(way: number): boolean {
    const generation = this.words.read(way + GENERATION);
    return generation !== 0 && this.spaces.isCurrent(this.spaceOf(way), generation);
  }

  /** The version of a page that is to be retired is told without it. The slot was verified. */
  outlive(shard: number, slot: number): void {
    const version = this.slots.from(slot);
    if (version > 0) this.raise(this.ownerOf(shard, slot), version);
  }

  /** From now on `gone` is no lower than the version, for as long as the space is not dropped. */
  raise(owner: VersionOwner, version: number): void {
    const { words, spaces } = this;
    if (owner.space === 0 || !spaces.isCurrent(owner.space, owner.spaceGeneration)) return;
    const known = this.wayOf(owner);
    if (known !== NONE) {
      if (version > this.bound(known)) raiseUnsigned64(words, known + BOUND, version);
      return;
    }
    // Keys of its place may be among those that the shared bounds tell.
    const bound = Math.min(Math.max(version, this.shared(owner)), Number.MAX_SAFE_INTEGER);
    const way = this.makeWay(owner, bound);
    if (way === NONE) {
      this.share(owner.stripe, owner.space, owner.spaceGeneration, bound);
      return;
    }
    words.write(way + PLACE, placeOf(owner));
    writeUnsigned64(words, way + BOUND, bound);
    // ORDER way-1: place and bound before generation; pairs with share.
    words.store(way + GENERATION, owner.spaceGeneration);
  }

  /** A way that is nobody's; NONE where the newcomer is the one to give way. */
  private makeWay(owner: VersionOwner, bound: number): number {
    const { words } = this;
    for (let i = 0; i < WAYS; i++) {
      const way = owner.stripe + WAYS_AT + i * Way.words;
      if (this.isTaken(way)) continue;
      words.store(way + GENERATION, 0);
      return way;
    }
    const victim = this.victimIn(owner);
    const space = this.spaceOf(victim);
    if (space === owner.space && bound <= this.bound(victim)) return NONE;
    this.share(owner.stripe, space, words.read(victim + GENERATION), this.bound(victim));
    words.store(victim + GENERATION, 0);
    return victim;
  }

  /** Of ways that are all taken. */
  private victimIn({ stripe, space }: VersionOwner): number {
    let victim = NONE;
    let most = 0;
    for (let i = 0; i < WAYS; i++) {
      const way = stripe + WAYS_AT + i * Way.words;
      const count = this.spaceOf(way) === space ? WAYS : this.waysOf(stripe, this.spaceOf(way));
      if (count < most || (count === most && this.bound(way) >= this.bound(victim))) continue;
      victim = way;
      most = count;
    }
    return victim;
  }

  private waysOf(stripe: number, space: number): number {
    let count = 0;
    for (let i = 0; i < WAYS; i++) if (this.spaceOf(stripe + WAYS_AT + i * Way.words) === space) count++;
    return count;
  }

  /** The bounds tell it. */
  private share(stripe: number, space: number, generation: number, version: number): void {
    // ORDER way-1: both bounds before the way is free; pairs with raise.
    if (version > this.overflow(stripe)) {
      raiseUnsigned64(this.words, stripe + OVERFLOW, Math.min(version, Number.MAX_SAFE_INTEGER));
    }
    this.spaces.raiseGone(space, generation, Math.min(version, Number.MAX_SAFE_INTEGER));
  }

  /**
   * Pages of the shard are gone, and nobody knows which: none of its keys may get an open-ended page below the highest version
   * that its space has had.
   */
  doubt(shard: number): void {
    this.spaces.takeAllForGone();
    for (let i = 0; i < this.geometry.stripesPerShard; i++) this.doubtIn(this.stripes.at(shard, i));
  }

  /** As doubt, of each shard. For a restore: whatever lies in the stripes is from another moment. */
  restore(): void {
    const { words, geometry, stripes, spaces } = this;
    spaces.takeAllForGone();
    for (let shard = 0; shard < geometry.shards; shard++) {
      for (let i = 0; i < geometry.stripesPerShard; i++) {
        const stripe = stripes.at(shard, i);
        words.fill(stripe + Stripe.word.reserved1, Stripe.words - Stripe.word.reserved1, 0);
        this.doubtIn(stripe);
      }
    }
  }

  /** What is wrong with the stripe's bounds, for the census. */
  faultIn(stripe: number): string | undefined {
    const bounds = [this.overflow(stripe)];
    const names = new Set<string>();
    for (let i = 0; i < WAYS; i++) {
      const way = stripe + WAYS_AT + i * Way.words;
      if (!this.isTaken(way)) continue;
      bounds.push(this.bound(way));
      names.add(`${this.words.read(way + GENERATION)} ${this.words.read(way + PLACE)}`);
    }
    const highest = Math.max(...bounds);
    if (highest > Number.MAX_SAFE_INTEGER) return `its highest version is ${highest}`;
    return names.size < bounds.length - 1 ? 'two of its ways are of one key' : undefined;
  }

  private doubtIn(stripe: number): void {
    raiseUnsigned64(this.words, stripe + OVERFLOW, Number.MAX_SAFE_INTEGER);
    // ORDER way-1: both bounds before the ways are free; pairs with raise.
    for (let way = 0; way < WAYS; way++) this.words.store(stripe + WAYS_AT + way * Way.words + GENERATION, 0);
  }
}
