/**
 * The model of pages: one shard, its slots, its bucket entries and its retire log; a writer who holds the shard's lock and
 * may die at any step; readers with near index, borrows and pins. This file is what they share, and the oracle.
 *
 * A slot and its extent are one here: they are reserved and freed together. `data` stands for the bytes. A page is known
 * by its publication number, which is the generation of its slot as well: no two pages ever have the same.
 *
 * | state   | made by                         | leaves it by                           |
 * |---------|---------------------------------|----------------------------------------|
 * | FREE    | free, undo, repair of a draft   | draft.state                            |
 * | DRAFT   | draft.state                     | seal.state, undo, repair               |
 * | SEALED  | seal.state                      | retire.state, repair of twins          |
 * | RETIRED | retire.state, repair of twins   | free.state, once a scan found no holder|
 *
 * What the oracle holds (judge, and answer at the end of a get):
 * (M1) what a reader holds, by a borrow or a pin, or is just taking, has the bytes of its page and no others.
 * (M2) a get answers with a page of its key.
 * (M3) a get never answers with a page that was over before it began: superseded or deleted by a call that has returned,
 *      or already seen superseded or missing by a get that has returned, or over when repair was through.
 * (M4) a get never misses a key that was there from before it began until it ends.
 * (M5) a get of a whole pool never throws.
 * (M6) when the lock is free, the slots are what their states say: each sealed page has one entry, no key two pages, and no
 *      draft is left of the dead.
 *
 * Not in it: two writers at once, space in chunks, overflowing buckets, expiry; space drops, versions, leases and joining
 * have models of their own.
 */
import { Apart, Buffered, type Memory, Sequential } from './memory.js';
import { type Mutation, World } from './world.js';

export const FREE = 1;
export const DRAFT = 2;
export const SEALED = 3;
export const RETIRED = 4;
export const UNLOCKED = 0;
export const BY_WRITER = 1;

export type MemoryKind = 'sequential' | 'buffered' | 'apart';

export interface PagesBounds {
  readonly memory: MemoryKind;
  readonly readers: number;
  readonly slots: number;
  readonly keys: number;
  /** Records of the retire ring; a power of two, as in the code. */
  readonly ring: number;
  /** Entries of a borrow ring: one fewer borrows are good at once. */
  readonly borrows: number;
  readonly hasPins: boolean;
  /** Pages published, and keys deleted, in all. */
  readonly publishes: number;
  readonly deletes: number;
  readonly deaths: number;
  /** Gets of the first reader, one for each other; 0 for as many as they like. */
  readonly gets: number;
  /** Drafts that hold their key from the start (create), beside those that do not (set). */
  readonly hasCreates: boolean;
  /** Readers may stop trying and look under the lock; behind a stopped writer, too. */
  readonly hasDecisions: boolean;
  readonly hasBehind: boolean;
}

// Locals of both kinds of actor; the first is the place in the program.
export const KEY = 1;
export const SLOT = 2;
export const PAGE = 3;
// Of the writer.
export const OLD = 4;
export const HELD = 5;
export const ROW = 6;
export const COUNTED = 7;
export const HIGH = 8;
export const TASK = 9;
export const IS_BUSY = 10;
export const NUMBER = 11;
// Of a reader.
export const SEEN = 4;
export const CURRENT = 5;
export const AT = 6;
export const RECORD = 7;
export const PUBLISHED = 8;
export const MET = 9;
export const POSITION = 10;
export const COUNT = 11;
/** How it looks: see the reader. */
export const HOW = 12;
export const WANTS_PIN = 13;
/** The page pinned, and its slot. */
export const PINNED = 14;
/** Slot and page in one byte. */
const NEAR = 15;
const BORROWED = 17;
/** For the oracle: what was over when the get began, the page that was there, whether the key has been there since. */
const OVER_BEFORE = 20;
const THERE_BEFORE = 21;
const IS_THERE = 22;
const GETS = 23;
/** The slot was met RETIRED. */
export const IS_RETIRED = 24;
const LOCALS = 25;

export const both = (slot: number, page: number) => (slot << 4) | page;
export const slotOf = (pair: number) => pair >> 4;
export const pageOf = (pair: number) => pair & 15;

/** Number of each word: lines of the pool that the model knows. */
class Words {
  readonly names: string[] = [];
  /** Which actor writes the word. */
  readonly owners: number[] = [];
  add(name: string, owner: number): number {
    this.owners.push(owner);
    return this.names.push(name) - 1;
  }
  row(name: string, count: number, owner: number): number {
    const first = this.names.length;
    for (let i = 0; i < count; i++) this.add(`${name} ${i}`, owner);
    return first;
  }
}

function wordsOf(bounds: PagesBounds) {
  const words = new Words();
  const { slots, keys, ring, readers, borrows } = bounds;
  const shared = {
    state: words.row('state of slot', slots, 0),
    key: words.row('key of slot', slots, 0),
    order: words.row('publish sequence of slot', slots, 0),
    check: words.row('check of slot', slots, 0),
    data: words.row('bytes of slot', slots, 0),
    entry: words.row('entry of key', keys, 0),
    number: words.row('number of record', ring, 0),
    record: words.row('slot of record', ring, 0),
    sequence: words.add('retire sequence', 0),
    published: words.add('publish sequence', 0),
    lock: words.add('lock', 0),
  };
  const rows = Array.from({ length: readers }, (_, i) => ({
    borrows: words.row(`borrow of reader ${i + 1}, entry`, borrows, i + 1),
    count: words.add(`borrow count of reader ${i + 1}`, i + 1),
    pin: words.add(`pin of reader ${i + 1}`, i + 1),
    high: words.add(`pins of reader ${i + 1}`, i + 1),
  }));
  return { ...shared, rows, names: words.names, owners: words.owners };
}

type WordsOf = ReturnType<typeof wordsOf>;

/** The words that a step loads: an old copy of them matters where it does not invalidate. */
function loadedBy(step: string, { slots, keys, ring, borrows }: PagesBounds, words: WordsOf): number[] {
  const range = (first: number, count: number) => Array.from({ length: count }, (_, i) => first + i);
  if (step.endsWith('.sequence') || step === 'missed.retired') return [words.sequence];
  if (step.endsWith('.published')) return [words.published];
  if (step === 'probe.entry' || step === 'probe.named') return range(words.entry, keys);
  if (step === 'probe.state' || step === 'probe.still') return range(words.state, slots);
  if (step === 'probe.key') return range(words.key, slots);
  if (step === 'record.slot') return range(words.record, ring);
  if (step.startsWith('record.')) return range(words.number, ring);
  if (step === 'scan.count') return words.rows.map(({ count }) => count);
  return step.startsWith('scan.borrow') ? words.rows.flatMap((row) => range(row.borrows, borrows)) : [];
}

function memoryOf(bounds: PagesBounds, words: WordsOf, mutation: Mutation, world: () => PagesWorld): Memory {
  if (bounds.memory === 'sequential') return new Sequential(words.names.length);
  if (bounds.memory === 'buffered') return new Buffered(words.names.length, bounds.readers + 1);
  // A copy of bytes matters from when they are invalidated; from the first, where that is left out or done too early.
  const isDataKept = [...(mutation.unflushed ?? []), ...(mutation.reorder ?? [])].includes('probe.data');
  const kept = new Set((mutation.unflushed ?? []).flatMap((step) => loadedBy(step, bounds, words)));
  return new Apart(words.owners, bounds.readers + 1, (host, word) => {
    const slot = word - words.data;
    return slot < 0 || slot >= bounds.slots ? kept.has(word) : isDataKept || world().looksAt(host, slot);
  });
}

export class PagesWorld extends World {
  readonly bounds: PagesBounds;
  readonly words: WordsOf;

  constructor(bounds: PagesBounds, mutation: Mutation) {
    const words = wordsOf(bounds);
    const actors = bounds.readers + 1;
    super({
      memory: memoryOf(bounds, words, mutation, () => this),
      mutation,
      wordNames: words.names,
      actors,
      locals: LOCALS,
      ghosts: 4 + bounds.keys + bounds.publishes + 1,
    });
    this.bounds = bounds;
    this.words = words;
  }

  get pages(): number {
    return this.ghost(0);
  }
  get deletes(): number {
    return this.ghost(1);
  }
  get deaths(): number {
    return this.ghost(2);
  }
  set deaths(count: number) {
    this.setGhost(2, count);
  }
  /** One get more; false when all have been made. */
  mayGet(): boolean {
    if (this.bounds.gets === 0) return true;
    if (this.get(GETS) === (this.actor === 1 ? this.bounds.gets : 1)) return false;
    this.set(GETS, this.get(GETS) + 1);
    return true;
  }
  /** Pages that no get may answer with any more. */
  private get over(): number {
    return this.ghost(3);
  }
  private set over(pages: number) {
    this.setGhost(3, pages);
  }
  /** The page of the key, once the call that put it there has returned; 0 for none. */
  live(key: number): number {
    return this.ghost(4 + key);
  }
  private setLive(key: number, page: number): void {
    this.setGhost(4 + key, page);
  }
  private keyOf(page: number): number {
    return this.ghost(4 + this.bounds.keys + page) - 1;
  }

  /** Slot words as the writer has them. */
  stateOf(slot: number): number {
    return this.own(this.words.state + slot) & 7;
  }
  pageIn(slot: number): number {
    return this.own(this.words.state + slot) >> 3;
  }
  checkOf(slot: number): number {
    const { key, order } = this.words;
    return 1 + ((this.own(key + slot) << 6) | ((this.own(order + slot) & 7) << 3) | this.pageIn(slot));
  }

  near(key: number): number {
    return this.get(NEAR + key);
  }
  setNear(key: number, pair: number): void {
    this.set(NEAR + key, pair);
  }
  borrowed(entry: number): number {
    return this.get(BORROWED + entry);
  }
  setBorrowed(entry: number, pair: number): void {
    this.set(BORROWED + entry, pair);
  }

  // What the writer tells the oracle.

  newPage(key: number): number {
    const page = this.pages + 1;
    this.setGhost(0, page);
    this.setGhost(4 + this.bounds.keys + page, key + 1);
    return page;
  }
  deletionBegins(key: number): void {
    this.setGhost(1, this.deletes + 1);
    this.setLive(key, 0);
    this.notThere(key);
  }
  private notThere(key: number): void {
    for (let reader = 1; reader <= this.bounds.readers; reader++) {
      if (this.of(reader, KEY) === key) this.setOf(reader, IS_THERE, 0);
    }
  }
  isOver(page: number): void {
    this.over |= 1 << page;
  }
  isLive(key: number, page: number): void {
    this.setLive(key, page);
  }
  /** A repair is through: what the slots say now is what there is. */
  isRepaired(): void {
    let there = 0;
    for (let key = 0; key < this.bounds.keys; key++) this.setLive(key, 0);
    for (let slot = 0; slot < this.bounds.slots; slot++) {
      if (this.stateOf(slot) === SEALED) this.setLive(this.own(this.words.key + slot), this.pageIn(slot));
      if (this.stateOf(slot) === SEALED || this.stateOf(slot) === DRAFT) there |= 1 << this.pageIn(slot);
    }
    for (let page = 1; page <= this.pages; page++) if ((there & (1 << page)) === 0) this.isOver(page);
    for (let key = 0; key < this.bounds.keys; key++) if (this.live(key) === 0) this.notThere(key);
  }

  // What a reader tells the oracle.

  getBegins(key: number): void {
    this.set(OVER_BEFORE, this.over);
    this.set(THERE_BEFORE, this.live(key));
    this.set(IS_THERE, this.live(key) === 0 ? 0 : 1);
  }
  getEnds(): void {
    for (const local of [KEY, OVER_BEFORE, THERE_BEFORE, IS_THERE]) this.set(local, 0);
  }
  answers(page: number): void {
    const key = this.get(KEY);
    this.tell(`get(${key}) answers with page ${page}`);
    if (this.keyOf(page) !== key) this.fail(`(M2) a get of key ${key} answered with a page of key ${this.keyOf(page)}`);
    if ((this.get(OVER_BEFORE) & (1 << page)) !== 0) this.fail(`(M3) a get answered with page ${page}, which was over`);
    for (let other = 1; other < page; other++) if (this.keyOf(other) === key) this.isOver(other);
  }
  misses(): void {
    const there = this.get(THERE_BEFORE);
    this.tell(`get(${this.get(KEY)}) misses`);
    if (this.get(IS_THERE) !== 0) this.fail(`(M4) a get missed key ${this.get(KEY)}, which was there throughout`);
    if (there !== 0) this.isOver(there);
  }

  /** Whether the reader remembers, holds or is taking something in the slot. */
  looksAt(reader: number, slot: number): boolean {
    if (reader === 0) return false;
    const pairs = [...Array(this.bounds.keys).keys()].map((key) => this.of(reader, NEAR + key));
    for (let i = 0; i < this.bounds.borrows; i++) pairs.push(this.of(reader, BORROWED + i));
    pairs.push(this.of(reader, PINNED));
    if (pairs.some((pair) => pair !== 0 && slotOf(pair) === slot)) return true;
    return this.of(reader, PAGE) !== 0 && this.of(reader, SLOT) === slot;
  }

  judge(): void {
    for (let reader = 1; reader <= this.bounds.readers; reader++) {
      this.judgeHeld(reader, this.of(reader, PINNED));
      for (let i = 0; i < this.bounds.borrows; i++) this.judgeHeld(reader, this.of(reader, BORROWED + i));
    }
    if (this.own(this.words.lock) !== UNLOCKED) return;
    this.judgeSlots();
    if (this.of(0, IS_BUSY) === 0) this.judgeDrafts();
  }
  private judgeHeld(reader: number, pair: number): void {
    if (pair === 0) return;
    const [slot, page] = [slotOf(pair), pageOf(pair)];
    if (this.memory.isOnly(reader, this.words.data + slot, page)) return;
    this.fail(`(M1) reader ${reader} holds page ${page} in slot ${slot}, whose bytes are another's`);
  }
  private judgeDrafts(): void {
    for (let slot = 0; slot < this.bounds.slots; slot++) {
      if (this.stateOf(slot) === DRAFT) this.fail(`(M6) slot ${slot} is a draft of nobody`);
    }
  }
  private judgeSlots(): void {
    const { entry, key } = this.words;
    for (let at = 0; at < this.bounds.keys; at++) {
      let sealed = 0;
      for (let slot = 0; slot < this.bounds.slots; slot++) {
        if (this.stateOf(slot) !== SEALED || this.own(key + slot) !== at) continue;
        sealed++;
        if (this.own(entry + at) !== slot + 1) this.fail(`(M6) the sealed page in slot ${slot} has no entry`);
      }
      if (sealed > 1) this.fail(`(M6) key ${at} has ${sealed} sealed pages`);
      const named = this.own(entry + at) - 1;
      if (named >= 0 && (this.stateOf(named) === FREE || this.stateOf(named) === RETIRED)) {
        this.fail(`(M6) the entry of key ${at} names slot ${named}, which has no page`);
      }
    }
  }
}
