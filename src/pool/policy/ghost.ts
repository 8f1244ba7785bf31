/**
 * The ghost of S3-FIFO: the hashes that left the small queue lately, oldest forgotten first, and each at its first hit.
 *
 * A set-associative table finds them (fingerprint and stamp, the ghost clock of its insertion). A ring of bits, one per
 * stamp, says which are still remembered: a hash that was hit leaves a hole, so the ghost reaches back further than its
 * size, as the queue of the paper does. (Stamps alone, an entry counting for so many insertions, as in the paper's
 * §4.2, differ from that queue by up to 0.8 points of hit ratio on block traces.)
 *
 * (G1) stamps oldest..clock-1, modulo 2^32 and at most as many as the ring has bits, may have their bit set; all other
 *      bits are clear; count is the number of bits set.
 * (G2) an entry counts when its stamp is of that range and its bit is set. Overwriting one that counts clears its bit.
 * (G3) a dead entry not overwritten for 2^32 insertions may pass for the one that has its stamp then: one page enters
 *      the wrong queue.
 */
import { assert } from '../../../lib/assert.js';
import { nextSequence, sequenceAfter } from '../../../lib/sequence.js';
import { LINE_WORDS } from '../../../lib/struct.js';
import type { Words } from '../../../lib/words.js';
import { corrupt, type PolicyRegion } from './queue.js';
import { GhostEntry, PolicyHead } from './records.js';

const { fingerprint: FINGERPRINT, stamp: STAMP } = GhostEntry.word;
const ENTRY_WORDS = GhostEntry.words;
const LINE_ENTRIES = LINE_WORDS / ENTRY_WORDS;
const LINE_BITS = LINE_WORDS * 32;
/** 512 bits to 31 lines of 8 entries: with half or less of them in use, the ring reaches back four ghosts or more. */
const LINES_PER_RING_LINE = 32;

/** The main queue's share of what is there: 90 % (SOSP'23), and the ghost remembers as many keys. */
export function ghostSize(objects: number): number {
  return Math.floor((objects * 9) / 10);
}

function ringLinesOf(lines: number): number {
  return Math.max(1, lines / LINES_PER_RING_LINE);
}

/**
 * Lines for a shard of `capacity` objects: a power of two with at least two entries per hash to remember. With so many a
 * line overflows about once in fifty (Poisson, mean 4 of 8), and then it is its oldest hash that is lost.
 */
export function ghostLinesFor(capacity: number): number {
  let lines = 2;
  while ((lines - ringLinesOf(lines)) * LINE_ENTRIES < 2 * ghostSize(capacity)) lines *= 2;
  return lines;
}

export class Ghost {
  private readonly words: Words;
  private readonly table: number;
  private readonly tableLines: number;
  private readonly ring: number;
  private readonly ringBits: number;
  private readonly clockWord: number;
  private readonly oldestWord: number;
  private readonly countWord: number;

  constructor(region: PolicyRegion) {
    const lines = region.ghostLines;
    assert(lines >= 2 && (lines & (lines - 1)) === 0, 'the number of ghost lines is a power of two');
    const ringLines = ringLinesOf(lines);
    this.words = region.words;
    this.table = region.ghost;
    this.tableLines = lines - ringLines;
    this.ring = region.ghost + this.tableLines * LINE_WORDS;
    this.ringBits = ringLines * LINE_BITS;
    this.clockWord = region.head + PolicyHead.word.ghostClock;
    this.oldestWord = region.head + PolicyHead.word.ghostOldest;
    this.countWord = region.head + PolicyHead.word.ghostCount;
  }

  /** Empties table and ring. An unused entry has stamp zero, so the first stamp is one (G3). */
  reset(): void {
    this.words.write(this.clockWord, 1);
    this.words.write(this.oldestWord, 1);
    this.words.write(this.countWord, 0);
    this.words.fill(this.table, this.tableLines * LINE_WORDS + this.ringBits / 32, 0);
  }

  /** Remembers a hash, and at most `size` of them. */
  add(hash: number, size: number): void {
    if (size === 0) return;
    const words = this.words;
    const clock = words.read(this.clockWord);
    const span = this.span();
    const line = this.lineOf(hash);
    let chosen = line;
    let oldest = -1;
    for (let word = line; word < line + LINE_WORDS; word += ENTRY_WORDS) {
      const age = this.age(words.read(word + STAMP), clock, span);
      if (words.read(word + FINGERPRINT) === hash && age > 0) {
        chosen = word;
        break;
      }
      // One that does not count has age 0: the first such is taken.
      if (oldest !== 0 && (age === 0 || age > oldest)) {
        oldest = age;
        chosen = word;
      }
    }
    if (this.age(words.read(chosen + STAMP), clock, span) > 0) this.forget(words.read(chosen + STAMP));
    this.expire(clock, span, size);
    words.write(chosen + FINGERPRINT, hash);
    words.write(chosen + STAMP, clock);
    const word = this.ringWord(clock);
    words.write(word, words.read(word) | (1 << (clock & 31)));
    words.write(this.countWord, words.read(this.countWord) + 1);
    words.write(this.clockWord, nextSequence(clock));
  }

  /** Whether the hash is remembered; it is forgotten by this. */
  takeHash(hash: number): boolean {
    const words = this.words;
    const clock = words.read(this.clockWord);
    const span = this.span();
    const line = this.lineOf(hash);
    for (let word = line; word < line + LINE_WORDS; word += ENTRY_WORDS) {
      if (words.read(word + FINGERPRINT) !== hash) continue;
      const stamp = words.read(word + STAMP);
      if (this.age(stamp, clock, span) === 0) continue;
      this.forget(stamp);
      return true;
    }
    return false;
  }

  /** Counts the bits of the ring, inside the range of stamps and outside. */
  check(problems: (message: string) => void): void {
    const { words, ringBits } = this;
    const clock = words.read(this.clockWord);
    const count = words.read(this.countWord);
    const span = (clock - words.read(this.oldestWord)) >>> 0;
    if (span > ringBits || count >>> 0 > span) {
      problems(`the ghost counts ${count} of ${span} stamps`);
      return;
    }
    let set = 0;
    let stray = 0;
    for (let age = 1; age <= ringBits; age++) {
      const stamp = sequenceAfter(clock, -age);
      if ((words.read(this.ringWord(stamp)) & (1 << (stamp & 31))) === 0) continue;
      if (age <= span) set += 1;
      else stray += 1;
    }
    if (set !== count || stray > 0) problems(`the ghost counts ${count}, remembers ${set} and has ${stray} stray bits`);
  }

  /** Number of stamps from the oldest to the clock. */
  private span(): number {
    const span = (this.words.read(this.clockWord) - this.words.read(this.oldestWord)) >>> 0;
    const count = this.words.read(this.countWord);
    if (span > this.ringBits || count >>> 0 > span) corrupt(`the ghost counts ${count} of ${span} stamps`);
    return span;
  }

  /** 1..span for a stamp that counts, else 0 (G2). */
  private age(stamp: number, clock: number, span: number): number {
    const age = (clock - stamp) >>> 0;
    if (age === 0 || age > span) return 0;
    return (this.words.read(this.ringWord(stamp)) & (1 << (stamp & 31))) === 0 ? 0 : age;
  }

  /** Makes a hole: the bit of the stamp is set. */
  private forget(stamp: number): void {
    const words = this.words;
    const count = words.read(this.countWord);
    if (count === 0) corrupt('the ghost remembers more than it counts');
    const word = this.ringWord(stamp);
    words.write(word, words.read(word) & ~(1 << (stamp & 31)));
    words.write(this.countWord, count - 1);
  }

  /** Moves the oldest stamp on, over holes too, until one more hash fits into the size and one more stamp in the ring. */
  private expire(clock: number, span: number, size: number): void {
    const words = this.words;
    let left = span;
    while (left > 0 && (left === this.ringBits || words.read(this.countWord) >= size)) {
      const stamp = sequenceAfter(clock, -left);
      if (this.age(stamp, clock, left) > 0) this.forget(stamp);
      left -= 1;
    }
    if (words.read(this.countWord) > left) corrupt('the ghost counts more than it remembers');
    words.write(this.oldestWord, sequenceAfter(clock, -left));
  }

  private ringWord(stamp: number): number {
    return this.ring + ((stamp & (this.ringBits - 1)) >>> 5);
  }

  /** Mixed again: the bits that chose the shard are the same for all its keys. */
  private lineOf(hash: number): number {
    const mixed = Math.imul(hash ^ (hash >>> 16), 0x9e3779b1) >>> 0;
    return this.table + Math.floor((mixed * this.tableLines) / 0x1_0000_0000) * LINE_WORDS;
  }
}
