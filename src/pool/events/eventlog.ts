/**
 * The event log: for each shard a ring of what was sealed, deleted and evicted there, written under the shard's lock and
 * read by whoever subscribes, without one. Nobody registers: a reader has a position of its own, and one that dies
 * leaves nothing behind.
 *
 * One event, made by `begin`, the change itself, and `commit`:
 *
 * | store, in order                        | a crash after it leaves                                                  |
 * |----------------------------------------|--------------------------------------------------------------------------|
 * | pending: slot, kind, generation, end   | an intent: `recover` finds the slot unchanged and drops it               |
 * | the change (state, sequences)          | a change without its event: `recover` logs it                            |
 * | stamp taken                            | the same, and a stamp that no event will have                            |
 * | the record; last; end                  | after `end` the event is told: `recover` sees that end has moved         |
 * | pending 0                              | nothing                                                                  |
 *
 * (T1) So each event is told exactly once, whoever dies: `end` is the one store that tells it, and the intent says
 *      whether that is still to do. Told last: when a reader sees the event, `get` answers accordingly.
 * (T2) `stamp` counts the events of the pool. It is taken under the shard's lock and after `pending` was stored: a reader
 *      that loads the count first and then finds a shard's `pending` 0 sees all of its events below that count. That is
 *      the one order of all events of a host.
 * (T3) A record carries its number in the shard and a check over it. A reader that was overtaken, or that meets bytes
 *      which are being overwritten, finds another number or a wrong check; `lines - EVENT_LINES_MAX` behind the end it
 *      does not try. The numbers tell exactly how many events it missed.
 * (T4) `last` is where the last told event stands, or equals `end` when a crash (or a look) fell between the two stores.
 *
 * The count is kept in two words, its low 32 bits and how often these have passed a multiple of 2^31. Everybody who takes
 * a stamp brings the second word along, so no crash can leave it behind.
 */
import { assert } from '../../../lib/assert.js';
import { checkOfWords } from '../../../lib/hash.js';
import { nextSequence, sequenceAfter, stepsBetween, stepsSince } from '../../../lib/sequence.js';
import { Words } from '../../../lib/words.js';
import {
  Control,
  EVENT_EVICTED,
  EVENT_SEALED,
  EventHead,
  EventLine,
  type Geometry,
  STATE_MASK,
  STATE_RETIRED,
  STATE_SEALED,
  TOLD_KEY_BYTES,
} from '../layout/index.js';
import type { Bells } from '../nodes/index.js';
import { type Slots, toldLength } from '../objects/index.js';

const {
  pending: PENDING,
  pendingKind: PENDING_KIND,
  pendingGeneration: PENDING_GENERATION,
  pendingEnd: PENDING_END,
  end: END,
  last: LAST,
} = EventHead.word;
const { number: NUMBER, check: CHECK, stamp: STAMP, kind: KIND, key: KEY } = EventLine.word;
/** Words that the check covers begin here. */
const BODY = STAMP;
const BODY_KEY = KEY - BODY;
const BODY_KIND = KIND - BODY;
const LINE = EventLine.words;
const HALF = 2 ** 31;
const MARK_TRIES = 64;

/** Lines of the longest record. */
export const EVENT_LINES_MAX = linesFor(TOLD_KEY_BYTES);

/** `keyLength`: of the whole key. */
function linesFor(keyLength: number): number {
  return 1 + Math.ceil(Math.max(0, wordsOfKey(keyLength) - (LINE - KEY)) / LINE);
}

function wordsOfKey(keyLength: number): number {
  return (toldLength(keyLength) + 3) >> 2;
}

/** After a restart of the machine nobody has a place in a log, and nobody sleeps: both begin anew. */
export function resetEvents(words: Words, geometry: Geometry): void {
  const { eventHeads, eventRings, nodeBells, control } = geometry.regions;
  for (const { word, stride, count } of [eventHeads, eventRings, nodeBells]) words.fill(word, stride * count, 0);
  for (const name of ['asleep', 'stamp', 'stampHalves'] as const) words.store(control.word + Control.word[name], 0);
  formatEvents(words, geometry);
}

/** The first state of each log: one record, number 0, that is nobody's event. */
export function formatEvents(words: Words, geometry: Geometry): void {
  const { eventHeads, eventRings } = geometry.regions;
  for (let shard = 0; shard < geometry.shards; shard++) {
    const line = eventRings.word + shard * eventRings.stride;
    words.write(line + CHECK, checkOfWords(words, line + BODY, BODY_KEY, 0));
    words.write(eventHeads.word + shard * EventHead.words + END, 1);
  }
}

export interface EventRecord {
  readonly kind: number;
  readonly stamp: number;
  readonly size: number;
  /** What is told of the key: see toldKey. */
  readonly key: Uint8Array;
  /** Of the whole key. */
  readonly keyLength: number;
  readonly lines: number;
}

/** A place in a shard's log: where, and how many events were told before it. */
export interface EventMark {
  readonly end: number;
  readonly count: number;
}

export class EventLog {
  private readonly words: Words;
  private readonly slots: Slots;
  private readonly bells: Bells;
  private readonly heads: number;
  private readonly rings: number;
  private readonly stride: number;
  readonly lines: number;
  private readonly slotsPerShard: number;
  private readonly stampWord: number;
  private readonly halvesWord: number;
  /** A record's body, in one piece: the ring may end within it. */
  private readonly body = new Words(new ArrayBuffer((EVENT_LINES_MAX + 1) * EventLine.bytes));
  /** Lines that this node wrote since it was last crowded. */
  private written = 0;
  // The event under way, which is nobody else's business.
  private slot = 0;
  private isHidden = false;
  /** The shard whose event is under way in this node, or -1. */
  private begun = -1;
  private kind = 0;

  constructor(words: Words, geometry: Geometry, slots: Slots, bells: Bells) {
    this.words = words;
    this.slots = slots;
    this.bells = bells;
    this.heads = geometry.regions.eventHeads.word;
    this.rings = geometry.regions.eventRings.word;
    this.stride = geometry.regions.eventRings.stride;
    this.lines = geometry.eventLines;
    assert(this.lines > EVENT_LINES_MAX, 'A log holds more than one event.');
    this.slotsPerShard = geometry.slotsPerShard;
    this.stampWord = geometry.regions.control.word + Control.word.stamp;
    this.halvesWord = geometry.regions.control.word + Control.word.stampHalves;
  }

  private head(shard: number): number {
    return this.heads + shard * EventHead.words;
  }

  private line(shard: number, position: number): number {
    return this.rings + shard * this.stride + (position & (this.lines - 1)) * LINE;
  }

  /** Says what is about to become of the page. The caller holds the shard's lock, and calls `commit` when it is done. */
  begin(shard: number, slot: number, kind: number): void {
    this.begun = shard;
    // Parts of checkpoints are nobody's news.
    this.isHidden = this.slots.isInternal(slot);
    if (this.isHidden) return;
    const { words } = this;
    const head = this.head(shard);
    this.slot = slot;
    this.kind = kind;
    words.write(head + PENDING_KIND, kind);
    words.write(head + PENDING_GENERATION, this.slots.generation(slot));
    words.write(head + PENDING_END, words.read(head + END));
    // ORDER event-1: the intent before the change and before the stamp; pairs with recover and with the reader.
    words.store(head + PENDING, slot + 1);
  }

  /** Tells the event that was begun. */
  commit(shard: number): void {
    assert(this.begun === shard, 'No event of the shard was begun.');
    this.begun = -1;
    if (this.isHidden) return;
    this.append(shard, this.slot, this.kind);
    this.words.store(this.head(shard) + PENDING, 0);
    this.bells.noteTag(this.slots.hashHigh(this.slot));
  }

  private append(shard: number, slot: number, kind: number): void {
    const { words, body } = this;
    const head = this.head(shard);
    const end = words.read(head + END);
    const number = (this.countAt(shard, end, words.read(head + LAST)) as number) | 0;
    const keyLength = this.slots.copyToldKey(slot, body, BODY_KEY);
    const keyWords = wordsOfKey(keyLength);
    this.stampBody();
    body.write(BODY_KIND, kind * 65_536 + keyLength);
    body.write(BODY_KIND + 1, this.slots.size(slot));
    const first = this.line(shard, end);
    words.write(first + CHECK, checkOfWords(body, 0, BODY_KEY + keyWords, number));
    for (let i = 0; i < BODY_KEY + keyWords; i++) words.write(this.bodyWord(shard, end, i), body.read(i));
    words.store(first + NUMBER, number);
    const lines = linesFor(keyLength);
    words.write(head + LAST, end);
    // ORDER event-2: the change and the record before the end; pairs with read.
    words.store(head + END, sequenceAfter(end, lines));
    this.written += lines;
  }

  private bodyWord(shard: number, position: number, index: number): number {
    const word = BODY + index;
    return this.line(shard, position + (word >> 4)) + (word & 15);
  }

  /** Takes the next stamp. */
  private stampBody(): void {
    const { words, body } = this;
    const low = words.add(this.stampWord, 1);
    const seen = words.load(this.halvesWord);
    const halves = halvesOf(low, seen);
    if (halves - seen === 1) words.compareExchange(this.halvesWord, seen, halves | 0);
    body.write(0, low);
    body.write(1, halves);
  }

  /** How many stamps have been taken: of every event told so far, and perhaps of some under way. */
  stamps(): number {
    const low = this.words.load(this.stampWord);
    return wideStamp(low, halvesOf(low, this.words.load(this.halvesWord)));
  }

  /** Whether no event of the shard is under way. */
  isSettled(shard: number): boolean {
    // ORDER event-1: after the stamps, before the end; pairs with begin.
    return this.words.load(this.head(shard) + PENDING) === 0;
  }

  /** The slot of which a seal will still be told, or -1: a retirement that was cut off may never have been. */
  untoldSeal(shard: number): number {
    const head = this.head(shard);
    const slot = this.pendingSlot(shard);
    const isSeal = this.words.read(head + PENDING_KIND) === EVENT_SEALED;
    return isSeal && this.end(shard) === this.words.read(head + PENDING_END) ? slot : -1;
  }

  /** The slot whose event is under way, or -1. */
  pendingSlot(shard: number): number {
    return this.words.load(this.head(shard) + PENDING) - 1;
  }

  end(shard: number): number {
    return this.words.load(this.head(shard) + END);
  }

  /** Finishes what a dead or failed owner of the shard's lock left. The caller holds it, and the slots are repaired. */
  recover(shard: number): void {
    const { words, slots } = this;
    const head = this.head(shard);
    const slot = words.read(head + PENDING) - 1;
    if (slot === -1) return;
    const isOurs = slot >= shard * this.slotsPerShard && slot < (shard + 1) * this.slotsPerShard;
    // ORDER event-1: an intent whose end has moved was told; pairs with begin.
    if (isOurs && words.read(head + END) === words.read(head + PENDING_END)) {
      const kind = words.read(head + PENDING_KIND);
      const state = slots.stateWord(slot) & STATE_MASK;
      const isDone = kind === EVENT_SEALED ? state === STATE_SEALED : state === STATE_RETIRED;
      const isSame = slots.generation(slot) === words.read(head + PENDING_GENERATION);
      const isKind = kind >= EVENT_SEALED && kind <= EVENT_EVICTED;
      if (isDone && isSame && isKind && slots.isIntact(slot)) this.append(shard, slot, kind);
    }
    words.store(head + PENDING, 0);
    this.bells.noteAll();
  }

  /** How many events were told before `end`, by the record that stands last. Undefined where it cannot be believed. */
  private countAt(shard: number, end: number, last: number): number | undefined {
    const lines = stepsBetween(last, end);
    if (lines < 0 || lines > EVENT_LINES_MAX) return undefined;
    const number = this.words.load(this.line(shard, last) + NUMBER);
    // (T4)
    return lines === 0 ? number : nextSequence(number);
  }

  /** Where the log of the shard ends just now. */
  mark(shard: number): EventMark {
    const head = this.head(shard);
    let end = this.end(shard);
    for (let tries = 0; tries < MARK_TRIES; tries++) {
      const count = this.countAt(shard, end, this.words.load(head + LAST));
      const still = this.end(shard);
      if (count !== undefined && still === end) return { end, count };
      end = still;
    }
    return { end, count: 0 };
  }

  /**
   * The oldest event after that of the number, which cannot be read at its position: where it stands, and its number. The
   * end of the log where there is none.
   */
  oldest(shard: number, position: number, number: number): EventMark {
    const mark = this.mark(shard);
    const { end, count } = mark;
    const start = this.isInRing(position, end) ? position + 1 : end - (this.lines - EVENT_LINES_MAX);
    for (let at = start | 0; at !== end; at = (at + 1) | 0) {
      // Where its record began it may hold anything, as the rest of a long key: so it is read, and its successor looked at.
      const found = this.words.load(this.line(shard, at) + NUMBER);
      const isAfter = stepsSince(found, count) > 0 && stepsSince(found, count) < stepsSince(number, count);
      const record = isAfter ? this.read(shard, at, found) : undefined;
      if (record === undefined || !this.isInRing(at, this.end(shard))) continue;
      const next = sequenceAfter(at, record.lines);
      const isLast = next === end && nextSequence(found) === count;
      if (isLast || this.words.load(this.line(shard, next) + NUMBER) === nextSequence(found))
        return { end: at, count: found };
    }
    return mark;
  }

  /** The event at the position, of the number; undefined when it is not, or no longer, there. */
  read(shard: number, position: number, number: number): EventRecord | undefined {
    const { words, body } = this;
    const first = this.line(shard, position);
    if (words.load(first + NUMBER) !== number) return undefined;
    const check = words.read(first + CHECK);
    for (let i = 0; i < BODY_KEY; i++) body.write(i, words.read(first + BODY + i));
    const kind = body.read(BODY_KIND) >>> 16;
    const keyLength = body.read(BODY_KIND) & 0xffff;
    if (kind < EVENT_SEALED || kind > EVENT_EVICTED || keyLength < 1) return undefined;
    const count = BODY_KEY + wordsOfKey(keyLength);
    for (let i = BODY_KEY; i < count; i++) body.write(i, words.read(this.bodyWord(shard, position, i)));
    if (checkOfWords(body, 0, count, number) !== check) return undefined;
    const key = new Uint8Array(toldLength(keyLength));
    for (let i = 0; i < key.length; i++) key[i] = body.read(BODY_KEY + (i >> 2)) >>> ((i & 3) * 8);
    const stamp = wideStamp(body.read(0), body.read(1));
    return { kind, stamp, size: body.read(BODY_KIND + 1) >>> 0, key, keyLength, lines: linesFor(keyLength) };
  }

  /** Whether this node wrote so much that it may soon overtake its own readers. Asked once, it begins anew. */
  isCrowded(): boolean {
    if (this.written <= (this.lines - EVENT_LINES_MAX) / 4) return false;
    this.written = 0;
    return true;
  }

  /** Whether the position may still be read while the log ends there. */
  isInRing(position: number, end: number): boolean {
    const behind = stepsBetween(position, end);
    return behind >= 0 && behind <= this.lines - EVENT_LINES_MAX;
  }

  /** What is wrong with the shard's log, for the census: nobody writes meanwhile. */
  fault(shard: number): string | undefined {
    const { words } = this;
    const head = this.head(shard);
    const [end, last] = [words.load(head + END), words.load(head + LAST)];
    if (words.load(head + PENDING) !== 0) return `an event of slot ${this.pendingSlot(shard)} is under way`;
    const lines = stepsBetween(last, end);
    if (lines < 1 || lines > EVENT_LINES_MAX) return `ends at ${end}, but the last event stands at ${last}`;
    const first = this.line(shard, last);
    const length = words.read(first + KIND) & 0xffff;
    const number = words.load(first + NUMBER);
    if (linesFor(length) !== lines) return `its last event has a key of ${length} bytes`;
    const body = Array.from({ length: BODY_KEY + wordsOfKey(length) }, (_, i) => this.bodyWord(shard, last, i));
    body.forEach((word, i) => {
      this.body.write(i, words.read(word));
    });
    const check = checkOfWords(this.body, 0, body.length, number);
    return check === words.read(first + CHECK) ? undefined : `its last event, number ${number}, is damaged`;
  }
}

/**
 * What the half count is at a stamp, given what it was a moment ago. Its parity is the stamp's highest bit; where the two
 * differ, a stamp early in its half is ahead of the word, and one late in its half is behind it.
 */
function halvesOf(low: number, seen: number): number {
  if ((seen & 1) === low >>> 31) return seen;
  return (low & 0x7fffffff) < HALF / 2 ? seen + 1 : seen - 1;
}

function wideStamp(low: number, halves: number): number {
  return (halves >>> 0) * HALF + (low & 0x7fffffff);
}
