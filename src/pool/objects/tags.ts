/**
 * Tags: what is invalidated together, whatever its keys. No table knows a tag, nor which pages have it: invalidations are numbered, and a
 * tag has CELLS_OF_TAG cells of a fixed table, by its hash, each with the number of the last invalidation of any tag that it is a cell of.
 * A page carries its *marks*: the hashes of its tags, and the number of the last invalidation before its load began (its moment).
 *
 * (J1) once an invalidation has returned, all cells of its tags have its number or a later one. So a page of a tag is over when all
 *      cells of the tag are later than its moment: never too late, and too early where invalidations of other tags happen to have met
 *      all of them, as in a Bloom filter. Nothing is allocated for a tag, and nothing given back.
 * (J2) a load takes its moment before it reads its source: an invalidation that begins later has a later number, and one that had begun
 *      had so after the source was changed.
 * (J3) what an invalidation with `staleFor` ends may be served stale until then: by the cells of its tags, or for less time.
 *      `until` is of the numbers after `hard`, and never later than any of those said. Where it has passed, what it was of becomes hard
 *      before the cell has another.
 * (J4) numbers have 32 bits and are compared by difference. A page is over once two epochs of 2^29 numbers have begun after its moment,
 *      and each invalidation brings one cell up that lies more than 2^30 behind. So none is compared over half of the numbers.
 *
 * | invalidate | stores, in order                   | a crash after it leaves                                                 |
 * |------------|------------------------------------|-------------------------------------------------------------------------|
 * | begin      | epoch where one begins, number     | a number that no cell has                                               |
 * | each cell  | hard, until, last                  | an invalidation of some of its tags' cells: pages may be over, as it was |
 * |            |                                    | about to say, or are fresh, as it has not returned                      |
 */
import { KeyHash } from '../../../lib/hash.js';
import { isLater, nextSequence, sequenceAfter, stepsBetween } from '../../../lib/sequence.js';
import type { Words } from '../../../lib/words.js';
import {
  Control,
  type Geometry,
  lowerUnsigned64,
  readLowered64,
  readUnsigned64,
  TagCell,
  writeUnsigned64,
} from '../layout/index.js';
import type { Locks } from '../nodes/index.js';
import type { Slots } from './slots.js';

const { last: LAST, hard: HARD, until: UNTIL } = TagCell.word;
export const CELLS_OF_TAG = 4;
const EPOCH_BITS = 29;
const EPOCHS_MAX = 1;
/** How far behind a cell may lie. */
const LAG_MAX = 2 ** 30;
const LOW = 2 ** 32;
const TRIES_MAX = 8;
/** In front of the hashes of marks, and of the cells of sought ones: epoch and number. */
const HEAD = 2;

/** Epoch and number, then for each tag the two halves of its hash; as it lies in the extent. */
export type TagMarks = Int32Array;
/** Epoch and number, then for each tag the words of its cells. */
export type SoughtTags = Int32Array;
/** gone: nobody is to have it any more. */
export type TagState = 'fresh' | 'stale' | 'gone';

/** The two halves of each tag's hash; the same name in two namespaces is two tags. */
export function hashTags(seed: number, prefix: Uint8Array, names: readonly string[]): Int32Array {
  const hash = new KeyHash(seed);
  const hashes = new Int32Array(names.length * 2);
  for (const [i, name] of names.entries()) {
    const bytes = Buffer.concat([prefix, Buffer.from(name)]);
    hash.of(bytes, bytes.length);
    hashes[i * 2] = hash.low;
    hashes[i * 2 + 1] = hash.high;
  }
  return hashes;
}

/** Of a page with tags of these hashes, loaded from the moment on. */
export function marksOf(hashes: Int32Array, moment: number): TagMarks {
  const marks = new Int32Array(HEAD + hashes.length);
  marks[0] = Math.floor(moment / LOW);
  marks[1] = moment | 0;
  marks.set(hashes, HEAD);
  return marks;
}

export class Tags {
  private readonly words: Words;
  private readonly slots: Slots;
  private readonly base: number;
  private readonly cells: number;
  private readonly sequenceWord: number;
  private readonly epochWord: number;
  private readonly staleUntil: number;
  private readonly lock: number;
  private locks: Locks | undefined;

  constructor(words: Words, geometry: Geometry, slots: Slots) {
    this.words = words;
    this.slots = slots;
    this.base = geometry.regions.tagCells.word;
    this.cells = geometry.tagCells;
    const control = geometry.regions.control.word;
    this.sequenceWord = control + Control.word.tagSequence;
    this.epochWord = control + Control.word.tagEpoch;
    this.staleUntil = control + Control.word.tagStaleUntil;
    this.lock = geometry.shards + 1;
  }

  useLocks(locks: Locks): void {
    this.locks = locks;
  }

  private cellWord(index: number): number {
    return this.base + index * TagCell.words;
  }

  /** As an odd step leads through a table of a power of two, no two are the same. */
  private cellOf(low: number, high: number, i: number): number {
    return this.cellWord((low + Math.imul(i, high | 1)) & (this.cells - 1));
  }

  /** (J2) To be read before the source is: the last number, and its epoch. */
  moment(): number {
    // ORDER tag-1: the moment before the source; pairs with invalidate. The epoch first: an older one only ends a page sooner.
    const epoch = this.words.load(this.epochWord);
    return (epoch >>> 0) * LOW + (this.words.load(this.sequenceWord) >>> 0);
  }

  /** Where the cells of marks lie. */
  seek(marks: TagMarks): SoughtTags {
    const tags = Math.max(0, (marks.length - HEAD) >> 1);
    const sought = new Int32Array(HEAD + tags * CELLS_OF_TAG);
    sought.set(marks.subarray(0, HEAD));
    for (let tag = 0; tag < tags; tag++) {
      const [low, high] = [marks[HEAD + tag * 2] as number, marks[HEAD + tag * 2 + 1] as number];
      for (let i = 0; i < CELLS_OF_TAG; i++) sought[HEAD + tag * CELLS_OF_TAG + i] = this.cellOf(low, high, i);
    }
    return sought;
  }

  /** (J1) Whether no tag of the page was invalidated since its moment. On every hit of a page with tags. */
  isFresh(sought: SoughtTags): boolean {
    const { words } = this;
    if (this.isTooOld(sought)) return false;
    const moment = sought[1] as number;
    for (let first = HEAD; first < sought.length; first += CELLS_OF_TAG) {
      let i = 0;
      // ORDER tag-2: after the load that the hit began with, so of every invalidation that returned before; pairs with invalidateCell.
      while (i < CELLS_OF_TAG && isLater(words.loadInOrder((sought[first + i] as number) + LAST), moment)) i++;
      if (i === CELLS_OF_TAG) return false;
    }
    return true;
  }

  /** (J4) */
  private isTooOld(sought: SoughtTags): boolean {
    return stepsBetween(sought[0] as number, this.words.loadInOrder(this.epochWord)) > EPOCHS_MAX;
  }

  /** As isFresh, and whether what is not may be served stale at that moment of the wall clock. */
  stateOf(sought: SoughtTags, nowMs: number): TagState {
    if (this.isFresh(sought)) return 'fresh';
    if (this.isTooOld(sought)) return 'gone';
    for (let first = HEAD; first < sought.length; first += CELLS_OF_TAG) {
      let i = 0;
      while (i < CELLS_OF_TAG && this.isHardAt(sought[first + i] as number, sought[1] as number, nowMs)) i++;
      if (i === CELLS_OF_TAG) return 'gone';
    }
    return 'stale';
  }

  /** (J3) Whether the cell says of a page of the moment that nobody is to have it. */
  private isHardAt(cell: number, moment: number, nowMs: number): boolean {
    const { words } = this;
    for (let tries = 0; tries < TRIES_MAX; tries++) {
      const last = words.load(cell + LAST);
      const hard = words.load(cell + HARD);
      if (isLater(hard, moment)) return true;
      if (!isLater(last, moment)) return false;
      const isOver = readLowered64(words, cell + UNTIL) <= nowMs;
      // ORDER tag-3: hard once more: before another time may be read it was raised; pairs with invalidateCell.
      if (words.load(cell + HARD) === hard) return isOver;
    }
    return true;
  }

  /** Whether something may be served stale at that moment because of its tags. A hint. */
  mayBeStale(nowMs: number): boolean {
    return readUnsigned64(this.words, this.staleUntil) > nowMs;
  }

  /** Of the page in the slot, which has been verified or is looked at for a hint; undefined where it has no tags. */
  soughtAt(slot: number): SoughtTags | undefined {
    if (this.slots.tagCount(slot) === 0) return undefined;
    return this.seek(this.slots.marks(slot));
  }

  /** Whether a page is over, for those who may have it stale or for others. */
  isEnded(sought: SoughtTags | undefined, mayBeStale: boolean, nowMs: number): boolean {
    if (sought === undefined || this.isFresh(sought)) return false;
    return !mayBeStale || this.stateOf(sought, nowMs) === 'gone';
  }

  isFreshAt(slot: number): boolean {
    const sought = this.soughtAt(slot);
    return sought === undefined || this.isFresh(sought);
  }

  isGoneAt(slot: number, nowMs: number): boolean {
    const sought = this.soughtAt(slot);
    return sought !== undefined && this.stateOf(sought, nowMs) === 'gone';
  }

  /**
   * Pages of the tags from before are not fresh any more, for whoever looks after this returns; nor may they be served stale, or only
   * until `untilMs` of the wall clock. Takes as long as there are tags. Throws BUSY.
   */
  invalidate(hashes: Int32Array, untilMs: number | undefined, nowMs: number): void {
    (this.locks as Locks).within(this.lock, () => {
      const { words } = this;
      const number = nextSequence(words.read(this.sequenceWord));
      // (J4) An epoch too many, after a crash, only ends pages sooner.
      if ((number & (2 ** EPOCH_BITS - 1)) === 0) words.store(this.epochWord, nextSequence(words.read(this.epochWord)));
      // ORDER tag-1: the number before the cells: a load from now on is after this invalidation; pairs with moment.
      words.store(this.sequenceWord, number);
      if (untilMs !== undefined && untilMs > readUnsigned64(words, this.staleUntil))
        writeUnsigned64(words, this.staleUntil, untilMs);
      for (let at = 0; at < hashes.length; at += 2) {
        const [low, high] = [hashes[at] as number, hashes[at + 1] as number];
        for (let i = 0; i < CELLS_OF_TAG; i++) this.invalidateCell(this.cellOf(low, high, i), number, untilMs, nowMs);
      }
      this.bringUp(number);
    });
  }

  private invalidateCell(cell: number, number: number, untilMs: number | undefined, nowMs: number): void {
    const { words } = this;
    const [last, hard] = [words.read(cell + LAST), words.read(cell + HARD)];
    if (untilMs === undefined) words.store(cell + HARD, number);
    else {
      const isOpen = last !== hard && readUnsigned64(words, cell + UNTIL) > nowMs;
      // ORDER tag-3: what was stale until a time that has passed is hard before the cell has another; pairs with isHardAt.
      if (!isOpen) words.store(cell + HARD, last);
      if (!isOpen || readUnsigned64(words, cell + UNTIL) > untilMs) lowerUnsigned64(words, cell + UNTIL, untilMs);
    }
    // ORDER tag-2: last, and before the call returns; pairs with isFresh.
    words.store(cell + LAST, number);
  }

  /** (J4) One cell each time, so that all have their turn. */
  private bringUp(number: number): void {
    const { words } = this;
    const cell = this.cellWord(number & (this.cells - 1));
    const least = sequenceAfter(number, -LAG_MAX);
    for (const word of [cell + HARD, cell + LAST])
      if (stepsBetween(least, words.read(word)) < 0) words.store(word, least);
  }

  /** After a restart of the machine, when no page has tags any more: cells and number may be of different moments. */
  restore(): void {
    const number = this.words.read(this.sequenceWord);
    for (let i = 0; i < this.cells; i++) {
      this.words.write(this.cellWord(i) + LAST, number);
      this.words.write(this.cellWord(i) + HARD, number);
      writeUnsigned64(this.words, this.cellWord(i) + UNTIL, 0);
    }
    writeUnsigned64(this.words, this.staleUntil, 0);
  }

  /** A cell with a number that was never given, or -1. For the census. */
  cellAhead(): number {
    const { words } = this;
    for (let i = 0; i < this.cells; i++) {
      const [last, hard] = [words.load(this.cellWord(i) + LAST), words.load(this.cellWord(i) + HARD)];
      const number = words.load(this.sequenceWord);
      if (isLater(last, number) || isLater(hard, number)) return i;
    }
    return -1;
  }
}
