/**
 * Spaces: sets of pages that can be dropped together in constant time. A space is a name and a generation; a page
 * carries the generation it was stored under and is a miss once the space's has moved.
 *
 * (P1) `drop` stores the generation, then the pool-wide drop count, under the space lock. Nodes look at the drop count
 *      on every hit, so a hit that begins after drop returned does not answer from before it.
 * (P2) pending words name the space and the generation it is to have, until both stores are done: whoever takes the lock
 *      from a dead owner does what is missing of them. Not more: pages may have been stored under that generation since.
 * (P3) a used space's name was written before its state.
 * (P4) no two used spaces have the same name.
 * (P5) a space has one page size at a time, or SIZES_MIXED, from when one is claimed until it is dropped; 0 says that nothing was
 *      stored since. Only then may it get another name: its generation goes on, and its tenure says so. Who stores reads the
 *      generation and then looks whether tenure and size are what he knows; so what he stores is of that generation under his
 *      own name, or refused.
 * (P6) bounds of versions are of a generation, even ones beside odd ones. `drop` clears those of the generation to come before it
 *      comes: nobody raises them by then but who has slept through two drops, and a bound that is too high only refuses.
 *
 * | another name gets the space | stores, in order                               | a crash after it leaves                  |
 * |-----------------------------|------------------------------------------------|------------------------------------------|
 * | enter                       | index without it                               | the old name, and repair makes the index |
 * |                             | state UNUSED, tenure                           | a space without a name                   |
 * |                             | generation, bounds, name, its hash             | the same                                 |
 * |                             | state USED                                     | the new name, and repair makes the index |
 * |                             | index with it, size                            | the new name                             |
 */
import { PoolError } from '../../../lib/errors.js';
import { KeyHash } from '../../../lib/hash.js';
import type { Words } from '../../../lib/words.js';
import {
  boundOf,
  Control,
  type Geometry,
  SIZES_MIXED,
  SPACE_NAME_BYTES_MAX,
  SPACE_UNUSED,
  SPACE_USED,
  Space,
  versionOfBound,
} from '../layout/index.js';
import type { Locks } from '../nodes/index.js';
import { SpaceHits } from './spacehits.js';
import { SpaceIndex } from './spaceindex.js';

const {
  state: STATE,
  generation: GENERATION,
  tenure: TENURE,
  nameLength: NAME_LENGTH,
  nameHash: NAME_HASH,
  versioned: VERSIONED,
  pageSize: PAGE_SIZE,
  highestEven: HIGHEST,
  goneEven: GONE,
  name: NAME,
} = Space.word;

/** Even after odd and odd after even, also when it comes round. */
function nextGeneration(generation: number): number {
  const next = (generation + 1) | 0;
  return next === 0 ? 2 : next;
}

/** A space that is in use, as it was at some moment. */
export interface NamedSpace {
  readonly name: Uint8Array;
  readonly generation: number;
  readonly pageSize: number;
}

/** A space as who stores in it has found it. */
export interface Held {
  readonly space: number;
  readonly tenure: number;
  readonly pageSize: number;
}

export class Spaces {
  /** The pool-wide drop count. Read on the hot path. */
  readonly dropWord: number;
  readonly hits: SpaceHits;
  private readonly words: Words;
  private readonly base: number;
  private readonly count: number;
  private readonly pending: number;
  private readonly target: number;
  private readonly lock: number;
  private readonly highWord: number;
  private readonly hint: number;
  private readonly index: SpaceIndex;
  private readonly hash = new KeyHash(0x5eed);
  private locks: Locks | undefined;

  constructor(words: Words, geometry: Geometry) {
    this.words = words;
    this.base = geometry.regions.spaces.word;
    this.count = geometry.spaces;
    this.dropWord = geometry.regions.control.word + Control.word.dropCount;
    this.pending = geometry.regions.control.word + Control.word.spacePending;
    this.target = geometry.regions.control.word + Control.word.spaceTarget;
    this.lock = geometry.shards + 1;
    this.highWord = geometry.regions.control.word + Control.word.spacesHigh;
    this.hint = geometry.regions.control.word + Control.word.spaceHint;
    this.hits = new SpaceHits(words, geometry);
    this.index = new SpaceIndex(words, geometry, (space) => words.read(this.entry(space) + NAME_HASH));
  }

  useLocks(locks: Locks): void {
    this.locks = locks;
  }

  private entry(space: number): number {
    return this.base + (space - 1) * Space.words;
  }

  dropCount(): number {
    return this.words.load(this.dropWord);
  }

  /** 0 for a space that does not exist, which no page's generation equals. */
  generation(space: number): number {
    if (space < 1 || space > this.count) return 0;
    return this.words.load(this.entry(space) + GENERATION);
  }

  /** Whether a page of the space and generation still counts. Pages of no space always do. */
  isCurrent(space: number, generation: number): boolean {
    return space === 0 || this.generation(space) === generation;
  }

  /** The number of the space of that name, or 0. Under the space lock; without it what is found may be another's by now. */
  find(name: Uint8Array): number {
    this.hash.of(name, name.length);
    return this.index.find(this.hash.low, (space) => {
      const at = this.entry(space);
      return this.words.load(at + STATE) === SPACE_USED && this.nameEquals(at, name);
    });
  }

  private nameEquals(at: number, name: Uint8Array): boolean {
    if (this.words.read(at + NAME_LENGTH) !== name.length) return false;
    for (let i = 0; i < name.length; i++) {
      if (((this.words.read(at + NAME + (i >> 2)) >>> ((i & 3) * 8)) & 0xff) !== name[i]) return false;
    }
    return true;
  }

  /**
   * The space of this name, which is entered if it is new, with the size that its pages have: this one, unless another was
   * claimed. Who only opens a known one of mixed sizes takes no lock: it is claimed by who stores first. Throws OPTION_INVALID,
   * TOO_MANY_SPACES, BUSY.
   */
  hold(name: Uint8Array, pageSize: number, isOpening = false): Held {
    if (name.length > SPACE_NAME_BYTES_MAX) {
      throw new PoolError(
        'OPTION_INVALID',
        `A namespace and space name of ${name.length} bytes; at most ${SPACE_NAME_BYTES_MAX} fit.`,
      );
    }
    const known = this.find(name);
    if (known !== 0) {
      const held = this.heldOf(known);
      // Its name once more: it may have got another one before the tenure was read.
      const isEnough = held.pageSize !== 0 || (isOpening && pageSize === SIZES_MIXED);
      if (isEnough && this.nameEquals(this.entry(known), name) && this.isHeld(held))
        return held.pageSize === 0 ? { ...held, pageSize } : held;
    }
    const held = (this.locks as Locks).within(this.lock, () => {
      const space = this.find(name) || this.enter(name);
      if (space === 0) return undefined;
      if (this.pageSize(space) === 0) this.words.store(this.entry(space) + PAGE_SIZE, pageSize);
      return this.heldOf(space);
    });
    if (held !== undefined) return held;
    throw new PoolError('TOO_MANY_SPACES', `The pool knows ${this.count} spaces already.`, { spaces: this.count });
  }

  private heldOf(space: number): Held {
    const tenure = this.words.load(this.entry(space) + TENURE);
    return { space, tenure, pageSize: this.pageSize(space) };
  }

  /** Whether the space still has the name and the page size that it was found with. */
  isHeld({ space, tenure, pageSize }: Held): boolean {
    const at = this.entry(space);
    return this.words.load(at + TENURE) === tenure && this.words.load(at + PAGE_SIZE) === pageSize;
  }

  /** The number of the space, or 0 where each has a name and has had something stored since it was dropped. */
  private enter(name: Uint8Array): number {
    const space = this.vacant();
    if (space === 0) return 0;
    const { words } = this;
    const at = this.entry(space);
    // ORDER name-1: tenure before generation; pairs with Domain.generation.
    words.store(at + TENURE, (words.read(at + TENURE) + 1) | 0);
    words.store(at + GENERATION, nextGeneration(words.read(at + GENERATION)));
    words.fill(at + VERSIONED, Space.words - VERSIONED, 0);
    for (let i = 0; i < name.length; i++) {
      const word = at + NAME + (i >> 2);
      words.write(word, words.read(word) | ((name[i] as number) << ((i & 3) * 8)));
    }
    this.hits.clear(space);
    words.write(at + NAME_LENGTH, name.length);
    words.write(at + NAME_HASH, this.hash.low);
    words.store(at + STATE, SPACE_USED);
    this.index.insert(space);
    return space;
  }

  /** A space without a name: one that never had any, or that was dropped and is empty, whose name is forgotten; 0 for none. */
  private vacant(): number {
    const { words } = this;
    const high = this.high();
    if (high < this.count) {
      words.store(this.highWord, high + 1);
      if (words.load(this.entry(high + 1) + STATE) !== SPACE_USED) return high + 1;
    }
    const hint = words.read(this.hint) >>> 0;
    for (let steps = 0; steps < this.count; steps++) {
      const space = ((hint + steps) % this.count) + 1;
      const at = this.entry(space);
      const isUsed = words.load(at + STATE) === SPACE_USED;
      if (isUsed && words.load(at + PAGE_SIZE) !== 0) continue;
      words.write(this.hint, space);
      if (isUsed) this.index.remove(space);
      words.store(at + STATE, SPACE_UNUSED);
      return space;
    }
    return 0;
  }

  private high(): number {
    return Math.min(Math.max(0, this.words.load(this.highWord)), this.count);
  }

  /** The spaces that have a name. */
  *all(): IterableIterator<number> {
    for (let space = 1; space <= this.high(); space++) {
      if (this.words.load(this.entry(space) + STATE) === SPACE_USED) yield space;
    }
  }

  /** How far their numbers go. */
  numbers(): number {
    return this.high();
  }

  /** The space, if it has a name and was opened or stored in since it was last dropped. A look without the lock. */
  inUse(space: number): NamedSpace | undefined {
    const at = this.entry(space);
    const tenure = this.words.load(at + TENURE);
    if (this.words.load(at + STATE) !== SPACE_USED) return undefined;
    const [generation, pageSize] = [this.generation(space), this.pageSize(space)];
    const name = this.nameAt(at);
    // Its name was written before its state, and is another's only after the tenure has moved.
    if (pageSize === 0 || name === undefined || this.words.load(at + TENURE) !== tenure) return undefined;
    return { name, generation, pageSize };
  }

  /** Everything stored under the name so far is a miss from now on, on every node. Whether it was in use. Throws BUSY. */
  drop(name: Uint8Array): boolean {
    return (this.locks as Locks).within(this.lock, () => {
      const space = this.find(name);
      if (space === 0) return false;
      const isInUse = this.pageSize(space) !== 0;
      this.words.write(this.target, nextGeneration(this.words.read(this.entry(space) + GENERATION)));
      this.words.write(this.pending, space);
      this.finishDrop(space);
      return isInUse;
    });
  }

  private finishDrop(space: number): void {
    const at = this.entry(space);
    const target = this.words.read(this.target);
    // Of a drop that was cut off after its generation: pages of that may have told their versions.
    if (this.words.load(at + GENERATION) !== target) {
      this.words.store(at + HIGHEST + (target & 1), 0);
      this.words.store(at + GONE + (target & 1), 0);
    }
    this.hits.clear(space);
    // ORDER size-1: no page size before the new generation; pairs with Domain.generation.
    this.words.store(at + PAGE_SIZE, 0);
    // ORDER drop-1: generation before drop count; pairs with the reader, who loads the count and then the generations.
    this.words.store(at + GENERATION, target);
    this.words.store(this.dropWord, (this.words.read(this.dropWord) + 1) | 0);
    this.words.write(this.pending, 0);
  }

  /** Of every page of the space, in bytes; 0 where none is claimed. */
  pageSize(space: number): number {
    return this.words.load(this.entry(space) + PAGE_SIZE);
  }

  /** Whether some page of the space was ever given a version. */
  isVersioned(space: number): boolean {
    return space >= 1 && space <= this.count && this.words.load(this.entry(space) + VERSIONED) !== 0;
  }

  /** The word of the bound in the generation; 0 for pages of no space. */
  private boundWord(bound: number, space: number, generation: number): number {
    return space < 1 || space > this.count ? 0 : this.entry(space) + bound + (generation & 1);
  }

  private boundAt(word: number): number {
    return word === 0 ? Number.POSITIVE_INFINITY : versionOfBound(this.words.load(word));
  }

  /** No page of the space and generation ever had a higher version, and none was invalidated at one. Infinity without a space. */
  highest(space: number, generation: number): number {
    return this.boundAt(this.boundWord(HIGHEST, space, generation));
  }

  /** Before a page of the version is sealed, or one is hidden from it on. Needs no lock. */
  raiseHighest(space: number, generation: number, version: number): void {
    this.raise(this.boundWord(HIGHEST, space, generation), boundOf(version));
  }

  /** As highest, of the versions that neither a page nor a way of its stripe tells. */
  gone(space: number, generation: number): number {
    return this.boundAt(this.boundWord(GONE, space, generation));
  }

  raiseGone(space: number, generation: number, version: number): void {
    this.raise(this.boundWord(GONE, space, generation), boundOf(version));
  }

  /** Of all spaces: any version that there was may be gone. */
  takeAllForGone(): void {
    for (const space of this.all()) {
      const generation = this.generation(space);
      const highest = this.words.load(this.boundWord(HIGHEST, space, generation));
      this.raise(this.boundWord(GONE, space, generation), highest);
    }
  }

  /** Words of bounds compare as the bounds do; below zero is one that no bound has. */
  private raise(word: number, wanted: number): void {
    if (word === 0) return;
    for (let known = this.words.load(word); known >= 0 && known < wanted; ) {
      const found = this.words.compareExchange(word, known, wanted);
      if (found === known) return;
      known = found;
    }
  }

  /** One word, stored once and never taken back: no lock is needed for it. */
  markVersioned(space: number): void {
    if (!this.isVersioned(space)) this.words.store(this.entry(space) + VERSIONED, 1);
  }

  /** After the space lock was taken from a dead owner. */
  repair(): void {
    const space = this.words.read(this.pending);
    if (space >= 1 && space <= this.count) this.finishDrop(space);
    this.words.write(this.pending, 0);
    this.index.rebuild(this.all());
  }

  /**
   * Forgets every space that is not whole, and no more. For an opener that is alone with the pool, who drops the pages of what is
   * forgotten, and repairs the lock afterwards.
   */
  forgetBroken(): void {
    let high = 0;
    for (let space = 1; space <= this.count; space++) {
      const at = this.entry(space);
      if (this.words.load(at + STATE) === SPACE_USED && this.isNamed(at)) high = space;
      else {
        this.words.fill(at, Space.words, 0);
        this.words.store(at + STATE, SPACE_UNUSED);
      }
    }
    this.words.store(this.highWord, high);
  }

  private isNamed(at: number): boolean {
    return this.words.read(at + GENERATION) !== 0 && this.nameAt(at) !== undefined;
  }

  /** The name that stands there, whole; undefined for one that does not have its hash. */
  private nameAt(at: number): Uint8Array | undefined {
    const length = this.words.read(at + NAME_LENGTH);
    if (length < 0 || length > SPACE_NAME_BYTES_MAX) return undefined;
    const name = new Uint8Array(length);
    for (let i = 0; i < length; i++) name[i] = this.words.read(at + NAME + (i >> 2)) >>> ((i & 3) * 8);
    this.hash.of(name, length);
    return this.hash.low === this.words.read(at + NAME_HASH) ? name : undefined;
  }

  /** Whether the space is found by its name. For the census. */
  isFound(space: number): boolean {
    return this.index.find(this.words.read(this.entry(space) + NAME_HASH), (other) => other === space) === space;
  }

  /** How many spaces have a name. */
  used(): number {
    return [...this.all()].length;
  }
}
