/**
 * Spaces: sets of pages that can be dropped together in constant time. A space is a name and a generation; a page
 * carries the generation it was stored under and is a miss once the space's has moved.
 *
 * (P1) `drop` stores the generation, then the pool-wide drop count, under the space lock. Nodes look at the drop count
 *      on every hit, so a hit that begins after drop returned does not answer from before it.
 * (P2) pending words name the space and the generation it is to have, until both stores are done: whoever takes the lock
 *      from a dead owner does what is missing of them. Not more: pages may have been stored under that generation since.
 * (P3) an entry's name is written before its state; entries are never freed before the pool is reformatted.
 * (P4) the used entries come first, and no two have the same name.
 * (P5) a space has one page size at a time, from when one is claimed until it is dropped; 0 says that none is.
 * (P6) bounds of versions are of a generation, even ones beside odd ones. `drop` clears those of the generation to come before it
 *      comes: nobody raises them by then but who has slept through two drops, and a bound that is too high only refuses.
 */
import { PoolError } from '../../../lib/errors.js';
import { KeyHash } from '../../../lib/hash.js';
import type { Words } from '../../../lib/words.js';
import {
  boundOf,
  Control,
  type Geometry,
  SPACE_NAME_BYTES_MAX,
  SPACE_UNUSED,
  SPACE_USED,
  Space,
  versionOfBound,
} from '../layout/index.js';
import type { Locks } from '../nodes/index.js';

const {
  state: STATE,
  generation: GENERATION,
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

export class Spaces {
  /** The pool-wide drop count. Read on the hot path. */
  readonly dropWord: number;
  private readonly words: Words;
  private readonly base: number;
  private readonly count: number;
  private readonly pending: number;
  private readonly target: number;
  private readonly lock: number;
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

  private find(name: Uint8Array): number {
    this.hash.of(name, name.length);
    for (let space = 1; space <= this.count; space++) {
      const at = this.entry(space);
      if (this.words.load(at + STATE) !== SPACE_USED) return 0;
      if (this.words.read(at + NAME_HASH) === this.hash.low && this.nameEquals(at, name)) return space;
    }
    return 0;
  }

  private nameEquals(at: number, name: Uint8Array): boolean {
    if (this.words.read(at + NAME_LENGTH) !== name.length) return false;
    for (let i = 0; i < name.length; i++) {
      if (((this.words.read(at + NAME + (i >> 2)) >>> ((i & 3) * 8)) & 0xff) !== name[i]) return false;
    }
    return true;
  }

  /** The number of the space of this name, which is entered if it is new. Throws OPTION_INVALID, TOO_MANY_SPACES. */
  open(name: Uint8Array): number {
    if (name.length > SPACE_NAME_BYTES_MAX) {
      throw new PoolError(
        'OPTION_INVALID',
        `A namespace and space name of ${name.length} bytes; at most ${SPACE_NAME_BYTES_MAX} fit.`,
      );
    }
    const known = this.find(name);
    if (known !== 0) return known;
    const entered = (this.locks as Locks).within(this.lock, () => this.find(name) || this.enter(name));
    if (entered !== 0) return entered;
    throw new PoolError('TOO_MANY_SPACES', `The pool knows ${this.count} spaces already.`, { spaces: this.count });
  }

  /** The number of the space, or 0 where the table is full. */
  private enter(name: Uint8Array): number {
    for (let space = 1; space <= this.count; space++) {
      const at = this.entry(space);
      if (this.words.load(at + STATE) === SPACE_USED) continue;
      this.words.fill(at + VERSIONED, Space.words - VERSIONED, 0);
      for (let i = 0; i < name.length; i++) {
        const word = at + NAME + (i >> 2);
        this.words.write(word, this.words.read(word) | ((name[i] as number) << ((i & 3) * 8)));
      }
      this.words.write(at + NAME_LENGTH, name.length);
      this.words.write(at + NAME_HASH, this.hash.low);
      this.words.store(at + GENERATION, 1);
      this.words.store(at + STATE, SPACE_USED);
      return space;
    }
    return 0;
  }

  /** Everything stored in the space so far is a miss from now on, on every node. Throws BUSY. */
  drop(space: number): void {
    (this.locks as Locks).within(this.lock, () => {
      this.words.write(this.target, nextGeneration(this.words.read(this.entry(space) + GENERATION)));
      this.words.write(this.pending, space);
      this.finishDrop(space);
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
    // ORDER size-1: no page size before the new generation; pairs with Domain.fields.
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

  /** Makes this the page size of the space, where it has none. The size it has. Throws BUSY. */
  claimPageSize(space: number, pageSize: number): number {
    const known = this.pageSize(space);
    if (known !== 0) return known;
    const locks = this.locks as Locks;
    locks.acquire(this.lock);
    try {
      if (this.pageSize(space) === 0) this.words.store(this.entry(space) + PAGE_SIZE, pageSize);
      return this.pageSize(space);
    } finally {
      locks.release(this.lock);
    }
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
    for (let space = 1; space <= this.used(); space++) {
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
  }

  /**
   * Forgets every space from the first on that is not whole: they were entered in this order, so none after it was there
   * earlier. For an opener that is alone with the pool, who drops the pages of what is forgotten.
   */
  forgetBroken(): void {
    let whole = true;
    for (let space = 1; space <= this.count; space++) {
      const at = this.entry(space);
      whole &&= this.words.load(at + STATE) === SPACE_USED && this.isNamed(at);
      if (whole) continue;
      this.words.fill(at, Space.words, 0);
      this.words.store(at + STATE, SPACE_UNUSED);
    }
  }

  private isNamed(at: number): boolean {
    const length = this.words.read(at + NAME_LENGTH);
    if (length < 0 || length > SPACE_NAME_BYTES_MAX || this.words.read(at + GENERATION) === 0) return false;
    const name = new Uint8Array(length);
    for (let i = 0; i < length; i++) name[i] = this.words.read(at + NAME + (i >> 2)) >>> ((i & 3) * 8);
    this.hash.of(name, length);
    return this.hash.low === this.words.read(at + NAME_HASH);
  }

  /** Registered spaces, for the census. */
  used(): number {
    let space = 0;
    while (space < this.count && this.words.load(this.entry(space + 1) + STATE) === SPACE_USED) space++;
    return space;
  }
}
