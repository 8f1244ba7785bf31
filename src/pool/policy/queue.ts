/**
 * A doubly linked queue of slots in shared words. Entries are put first and leave from the last.
 *
 * (Q1) every index read from the words is range-checked before it is used, and so is every slot that is passed in:
 *      nothing outside the region's words is read or written.
 * (Q2) unlink believes a link only when the neighbour links back: damage is met before it is spread to a neighbour.
 * (Q3) what does not fit throws POOL_CORRUPT. The words may be half changed then: the caller resets the policy and
 *      rebuilds it from the slots, as after a crash.
 */
import { assert } from '../../../lib/assert.js';
import { PoolError } from '../../../lib/errors.js';
import { LINE_WORDS } from '../../../lib/struct.js';
import type { Words } from '../../../lib/words.js';
import { PolicyEntry, PolicyHead } from './records.js';

const { previous: PREVIOUS, next: NEXT, info: INFO, hash: HASH } = PolicyEntry.word;
const ENTRY_WORDS = PolicyEntry.words;
/** Queue numbers, as they stand in info (R3). */
export const SMALL = 1;
export const MAIN = 2;
const QUEUE_MASK = 3;
const COUNTER_SHIFT = 2;
export const COUNTER_MAX = 3;
const COUNTER_ONE = 1 << COUNTER_SHIFT;
const COUNTER_MASK = COUNTER_MAX << COUNTER_SHIFT;
const INFO_MASK = QUEUE_MASK | COUNTER_MASK;
const STAMP_SHIFT = 4;
/** A stamp is a clock modulo this. */
const STAMPS = 2 ** (32 - STAMP_SHIFT);

/** Where the policy of one shard lies. Word indexes count from the start of `words`. */
export interface PolicyRegion {
  words: Words;
  /** Word of the PolicyHead. */
  head: number;
  /** Word of the first PolicyEntry. */
  entries: number;
  /** Number of entries: slot indexes are 0..slots-1. */
  slots: number;
  /** Objects the shard may hold. */
  capacity: number;
  /** Word of the PolicyHead of the shard that learns for this one; absent: it does so itself. */
  learner?: number;
  /** Word of the first ghost line. */
  ghost: number;
  /** 64-byte lines: policyLines, of S3-FIFO a power of two. Zero is enough for a policy without a ghost. */
  ghostLines: number;
}

/** Eviction order of one shard. Every call needs the shard's lock and may throw POOL_CORRUPT. */
export interface Policy {
  /** Empties the queues and the ghost, whatever the words held. */
  reset(): void;
  /** `reset`, then `insert` of each slot in this order, in one go: for repair. `hashes` has a hash for every slot. */
  refill(order: Int32Array, hashes: Int32Array): void;
  /** A page entered the slot; `hash` is the 32-bit hash of its key. */
  insert(slot: number, hash: number): void;
  /** The page left otherwise (deleted, superseded). Harmless when the slot is not queued. */
  remove(slot: number): void;
  /** The page was hit. Harmless when the slot is not queued. */
  touch(slot: number): void;
  /** Picks a victim that is not held and takes it out of the queues; -1 when there is none. */
  evict(isHeld: (slot: number) => boolean): number;
  /** Number of queued slots. */
  count(): number;
  /** Census, read-only: reports what is wrong with the words. Throws only what `problems` throws. */
  check(problems: (message: string) => void): void;
}

/** The region comes from the pool's own arithmetic, so a wrong one is our mistake, not input. */
export function assertRegion(region: PolicyRegion): void {
  const { words, head, entries, slots, ghost, ghostLines } = region;
  const fits = (word: number, length: number) => word >= 0 && length >= 0 && word + length <= words.length;
  assert(fits(head, PolicyHead.words), 'the policy head lies within the words');
  assert(fits(region.learner ?? head, PolicyHead.words), "the learner's policy head lies within the words");
  assert(fits(entries, slots * ENTRY_WORDS), 'the policy entries lie within the words');
  assert(fits(ghost, ghostLines * LINE_WORDS), 'the ghost lies within the words');
}

export function corrupt(message: string): never {
  throw new PoolError('POOL_CORRUPT', `eviction policy: ${message}.`);
}

export function counterOf(info: number): number {
  return (info & COUNTER_MASK) >>> COUNTER_SHIFT;
}

export function queueOf(info: number): number {
  return info & QUEUE_MASK;
}

/** Steps of the clock since the stamp, modulo 2^28. */
export function ageOf(info: number, clock: number): number {
  return (clock - (info >>> STAMP_SHIFT)) & (STAMPS - 1);
}

/** Zeroes the head line and every entry. */
export function resetQueues(region: PolicyRegion): void {
  region.words.fill(region.head, PolicyHead.words, 0);
  region.words.fill(region.entries, region.slots * ENTRY_WORDS, 0);
}

export class Queue {
  private readonly words: Words;
  private readonly entries: number;
  private readonly slots: number;
  private readonly number: typeof SMALL | typeof MAIN;
  private readonly infoMask: number;
  private readonly firstWord: number;
  private readonly lastWord: number;
  private readonly countWord: number;

  constructor(region: PolicyRegion, number: typeof SMALL | typeof MAIN, { isStamped = false } = {}) {
    const { smallFirst, smallLast, smallCount, mainFirst, mainLast, mainCount } = PolicyHead.word;
    this.words = region.words;
    this.entries = region.entries;
    this.slots = region.slots;
    this.number = number;
    this.infoMask = isStamped ? -1 : INFO_MASK;
    this.firstWord = region.head + (number === SMALL ? smallFirst : mainFirst);
    this.lastWord = region.head + (number === SMALL ? smallLast : mainLast);
    this.countWord = region.head + (number === SMALL ? smallCount : mainCount);
  }

  /** 0..slots. */
  count(): number {
    const count = this.words.read(this.countWord);
    if (count >>> 0 > this.slots) corrupt(`queue ${this.number} counts ${count} of ${this.slots} slots`);
    return count;
  }

  /** Info of any slot, of this queue or not. */
  info(slot: number): number {
    const info = this.words.read(this.wordOf(slot) + INFO);
    if ((info & ~this.infoMask) !== 0 || (info & QUEUE_MASK) > MAIN) corrupt(`slot ${slot} has info ${info}`);
    return info;
  }

  hash(slot: number): number {
    return this.words.read(this.wordOf(slot) + HASH);
  }

  /** 0..3; the slot must be in this queue. */
  counter(slot: number): number {
    const info = this.info(slot);
    if ((info & QUEUE_MASK) !== this.number) corrupt(`slot ${slot} of queue ${this.number} has info ${info}`);
    return counterOf(info);
  }

  /** The slot must be in this queue. Its stamp stays. */
  setCounter(slot: number, counter: number): void {
    const word = this.wordOf(slot) + INFO;
    this.words.write(word, (this.words.read(word) & ~COUNTER_MASK) | (counter * COUNTER_ONE));
  }

  /** -1 when the queue is empty. */
  last(): number {
    return this.linked(this.words.read(this.lastWord));
  }

  /** The neighbour towards the first, -1 when the slot is the first. */
  previous(slot: number): number {
    return this.linked(this.words.read(this.wordOf(slot) + PREVIOUS));
  }

  /** Never throws for a slot in range. */
  holds(slot: number): boolean {
    return (this.words.read(this.wordOf(slot) + INFO) & QUEUE_MASK) === this.number;
  }

  isFirst(slot: number): boolean {
    return this.words.read(this.firstWord) === slot + 1;
  }

  /** Puts a slot that is in no queue at the front, with this counter, and where infos are stamped this time of a clock. */
  put(slot: number, hash: number, counter: number, stamp = 0): void {
    if (this.info(slot) !== 0) corrupt(`slot ${slot} is queued already`);
    const words = this.words;
    const count = this.count();
    if (count >= this.slots) corrupt(`queue ${this.number} is full before slot ${slot}`);
    const first = this.linked(words.read(this.firstWord));
    if (first < 0 !== (count === 0)) corrupt(`queue ${this.number} counts ${count} but its first slot is ${first}`);
    const link = slot + 1;
    if (first < 0) {
      words.write(this.lastWord, link);
    } else {
      const word = this.wordOf(first) + PREVIOUS;
      if (words.read(word) !== 0) corrupt(`slot ${first} is not the first of queue ${this.number}`);
      words.write(word, link);
    }
    const word = this.wordOf(slot);
    words.write(word + PREVIOUS, 0);
    words.write(word + NEXT, first + 1);
    words.write(word + INFO, this.number | (counter * COUNTER_ONE) | (stamp << STAMP_SHIFT));
    words.write(word + HASH, hash);
    words.write(this.firstWord, link);
    words.write(this.countWord, count + 1);
  }

  /**
   * Fills a queue of a region that was just reset: what `put` of each slot in this order makes, stamped 0, 1, 2 and so on
   * where infos are stamped.
   */
  refill(order: Int32Array, hashes: Int32Array): void {
    const count = order.length;
    if (count === 0) return;
    const image = new Int32Array(this.slots * ENTRY_WORDS);
    for (let i = 0; i < count; i++) {
      const slot = order[i] as number;
      const at = slot * ENTRY_WORDS;
      image[at + PREVIOUS] = i + 1 < count ? (order[i + 1] as number) + 1 : 0;
      image[at + NEXT] = i > 0 ? (order[i - 1] as number) + 1 : 0;
      image[at + INFO] = this.number | ((i << STAMP_SHIFT) & this.infoMask);
      image[at + HASH] = hashes[slot] as number;
    }
    this.words.copyIn(this.entries, image);
    this.words.write(this.lastWord, (order[0] as number) + 1);
    this.words.write(this.firstWord, (order[count - 1] as number) + 1);
    this.words.write(this.countWord, count);
  }

  /** Takes out a slot whose info says that it is in this queue. */
  unlink(slot: number): void {
    const words = this.words;
    const word = this.wordOf(slot);
    const previous = this.linked(words.read(word + PREVIOUS));
    const next = this.linked(words.read(word + NEXT));
    const count = this.count();
    // The words that must name this slot, and do so before anything is written (Q2).
    const before = previous < 0 ? this.firstWord : this.wordOf(previous) + NEXT;
    const after = next < 0 ? this.lastWord : this.wordOf(next) + PREVIOUS;
    const link = slot + 1;
    if (words.read(before) !== link || words.read(after) !== link || count === 0) {
      corrupt(`slot ${slot} is not linked both ways in queue ${this.number}`);
    }
    words.write(before, next + 1);
    words.write(after, previous + 1);
    words.write(word + PREVIOUS, 0);
    words.write(word + NEXT, 0);
    words.write(word + INFO, 0);
    words.write(this.countWord, count - 1);
  }

  /** Moves a slot of this queue to the front. Its stamp stays. */
  requeue(slot: number, counter: number): void {
    if (this.isFirst(slot)) {
      this.setCounter(slot, counter);
      return;
    }
    const word = this.wordOf(slot);
    const stamp = this.words.read(word + INFO) >>> STAMP_SHIFT;
    this.unlink(slot);
    this.put(slot, this.words.read(word + HASH), counter, stamp);
  }

  /** Reports the first fault, and the queue number with it. */
  check(problems: (message: string) => void): void {
    const fault = this.fault();
    if (fault !== undefined) problems(`queue ${this.number}: ${fault}`);
  }

  /** Follows the links from first to last; every step is checked and there are at most `count` of them. */
  private fault(): string | undefined {
    const { words, slots, number } = this;
    const count = words.read(this.countWord);
    if (count >>> 0 > slots) return `counts ${count} of ${slots} slots`;
    let link = words.read(this.firstWord);
    let previous = 0;
    for (let seen = 0; seen < count; seen++) {
      if (link === 0) return `ends after ${seen} of ${count} slots`;
      if (link >>> 0 > slots) return `link ${previous} is followed by link ${link}`;
      const word = this.wordOf(link - 1);
      const back = words.read(word + PREVIOUS);
      const info = words.read(word + INFO);
      // With the way back right at every step, no slot can be met twice.
      if (back !== previous) return `slot ${link - 1} has link ${back} back instead of ${previous}`;
      if ((info & QUEUE_MASK) !== number || (info & ~this.infoMask) !== 0) return `slot ${link - 1} has info ${info}`;
      previous = link;
      link = words.read(word + NEXT);
    }
    if (link !== 0) return `goes on with link ${link} after all its ${count} slots`;
    const last = words.read(this.lastWord);
    if (last !== previous) return `its last link is ${last} instead of ${previous}`;
    let claims = 0;
    for (let slot = 0; slot < slots; slot++) if (this.holds(slot)) claims += 1;
    return claims === count ? undefined : `counts ${count} slots but ${claims} claim to be in it`;
  }

  private wordOf(slot: number): number {
    if (slot >>> 0 >= this.slots) corrupt(`slot ${slot} of ${this.slots}`);
    return this.entries + slot * ENTRY_WORDS;
  }

  /** The slot a link names, -1 for none. */
  private linked(link: number): number {
    if (link >>> 0 > this.slots) corrupt(`queue ${this.number} holds link ${link} of ${this.slots} slots`);
    return link - 1;
  }
}

/** Reports entries whose info this policy never writes, the first one by name; `queues`: those it uses, or-ed. */
export function checkInfos(
  region: PolicyRegion,
  queues: number,
  problems: (message: string) => void,
  { isStamped = false } = {},
): void {
  const { words, entries, slots } = region;
  const mask = isStamped ? -1 : INFO_MASK;
  let wrong = 0;
  let example = 0;
  for (let slot = slots - 1; slot >= 0; slot--) {
    const info = words.read(entries + slot * ENTRY_WORDS + INFO);
    const queue = info & QUEUE_MASK;
    const known = queue === SMALL || queue === MAIN;
    if (info === 0 || (known && (info & ~mask) === 0 && (queues & queue) !== 0)) continue;
    wrong += 1;
    example = slot;
  }
  if (wrong > 0) problems(`${wrong} slots have an invalid info, slot ${example} is the first`);
}
