/**
 * What all processes of a storm of answers know together, in a file of its own beside the pool: a common count of what begins, and for
 * each key and tag what was ended and until when, noted once the call that did it has returned. What a process is killed over is
 * noted by nobody, and so asked of nobody.
 *
 * Of a key: `floor`, the count at which the last invalidation that returned began; when a load of it failed last; and a ring of the loads that said
 * that there is nothing, each with its begin, its end and its tags. Of a tag: the same floor for what is handed out as fresh and as
 * stale, and a ring of invalidations that allowed stale answers for a time.
 */
import { closeSync, openSync, truncateSync, writeFileSync } from 'node:fs';
import { Mapping } from '../../../lib/linux/index.js';
import { Words } from '../../../lib/words.js';

/** So few that processes meet at each. */
export const KEYS = 20;
export const TAGS = 8;

export const TALLIES = [
  'fresh',
  'stale',
  'stale after an error',
  'stale by a tag',
  'nothing',
  'nothing, remembered',
  'misses',
  'errors',
  'timeouts',
  'busy',
  'loads',
  'loads that failed',
  'keys invalidated',
  'tags invalidated',
  'not judged',
] as const;
export type TallyName = (typeof TALLIES)[number];

const COUNT = 0;
const SECONDS = 1;
const ALL_FLOOR = 2;
const TALLIES_AT = 16;
const KEYS_AT = 48;

const KEY_FLOOR = 0;
const KEY_FAILED = 1;
const KEY_NOTHINGS = 2;
const KEY_RING = 4;
const RING = 64;
const RING_WORDS = 3;
const KEY_WORDS = KEY_RING + RING * RING_WORDS;

const TAG_HARD = 0;
const TAG_ANY = 1;
const TAG_SOFTS = 2;
const TAG_RING = 3;
const SOFT_RING = 4;
const TAG_WORDS = TAG_RING + SOFT_RING * 2;
const TAGS_AT = KEYS_AT + KEYS * KEY_WORDS;
const WORDS = TAGS_AT + TAGS * TAG_WORDS;

/** Of an entry of the ring that is not done yet: it counts for anything. */
export const OPEN = 0x7fffffff;

/** A load that said that there is nothing. */
export interface Nothing {
  readonly began: number;
  readonly untilMs: number;
  readonly tags: number;
}

/** An invalidation that lets pages from before it be handed out as stale until then. */
export interface Soft {
  readonly tag: number;
  readonly began: number;
  readonly untilMs: number;
}

/** What holds for an answer to whatever begins after this was read. */
export interface Floors {
  readonly atMs: number;
  readonly key: number;
  readonly hard: readonly number[];
  readonly any: readonly number[];
  readonly softs: readonly Soft[];
}

export function ledgerPath(boardPath: string): string {
  return `${boardPath}.answers`;
}

export class AnswerLedger {
  private readonly words: Words;
  private readonly sinceMs: number;

  constructor(path: string) {
    const descriptor = openSync(path, 'r+');
    this.words = new Words(new Mapping(descriptor, 0, WORDS * 4, true).buffer);
    closeSync(descriptor);
    this.sinceMs = this.words.load(SECONDS) * 1000;
  }

  static create(path: string): AnswerLedger {
    writeFileSync(path, '');
    truncateSync(path, WORDS * 4);
    const ledger = new AnswerLedger(path);
    ledger.words.store(SECONDS, Math.floor(Date.now() / 1000));
    return new AnswerLedger(path);
  }

  private key(key: number): number {
    return KEYS_AT + key * KEY_WORDS;
  }
  private tag(tag: number): number {
    return TAGS_AT + tag * TAG_WORDS;
  }

  /** Of the wall clock, as the cache's own: milliseconds since the storm began. */
  nowMs(): number {
    return Date.now() - this.sinceMs;
  }
  /** As the cache wants it. */
  wallMs(ms: number): number {
    return this.sinceMs + ms;
  }
  /** A number that nothing else has; what begins later has a higher one. */
  begin(): number {
    return this.words.add(COUNT, 1) + 1;
  }

  private raise(word: number, to: number): void {
    for (;;) {
      const seen = this.words.load(word);
      if (seen >= to || this.words.compareExchange(word, seen, to) === seen) return;
    }
  }

  /** An invalidation of the key that began then has returned. */
  keyEnded(key: number, began: number): void {
    this.raise(this.key(key) + KEY_FLOOR, began);
  }
  /** One of all keys. */
  allEnded(began: number): void {
    this.raise(ALL_FLOOR, began);
  }
  loadFailed(key: number): void {
    this.raise(this.key(key) + KEY_FAILED, this.nowMs());
  }
  failedMs(key: number): number {
    return this.words.load(this.key(key) + KEY_FAILED);
  }

  /** Before anybody can be told. What is given back is where its entry lies. */
  noteNothing(key: number, nothing: Nothing): number {
    const { words } = this;
    const place = words.add(this.key(key) + KEY_NOTHINGS, 1) & (RING - 1);
    const at = this.key(key) + KEY_RING + place * RING_WORDS;
    words.store(at, 0);
    words.store(at + 1, nothing.untilMs);
    words.store(at + 2, nothing.tags);
    words.store(at, nothing.began);
    return at;
  }
  settleNothing(at: number, began: number, untilMs: number): void {
    this.words.store(at + 1, untilMs);
    this.words.store(at, began);
  }
  nothings(key: number): Nothing[] {
    const { words } = this;
    return Array.from({ length: RING }, (_, i) => {
      const at = this.key(key) + KEY_RING + i * RING_WORDS;
      return { began: words.load(at), untilMs: words.load(at + 1), tags: words.load(at + 2) };
    });
  }
  /** Whether loads from before the ring are forgotten. */
  hasForgotten(key: number): boolean {
    return this.words.load(this.key(key) + KEY_NOTHINGS) > RING;
  }

  /** An invalidation of the tag that began then has returned; undefined: nothing of it may be handed out any more. */
  tagEnded(tag: number, began: number, untilMs: number | undefined): void {
    const { words } = this;
    const at = this.tag(tag);
    this.raise(at + TAG_ANY, began);
    if (untilMs === undefined) {
      this.raise(at + TAG_HARD, began);
      return;
    }
    const entry = at + TAG_RING + (words.add(at + TAG_SOFTS, 1) & (SOFT_RING - 1)) * 2;
    words.store(entry, 0);
    words.store(entry + 1, untilMs);
    words.store(entry, began);
  }

  floors(key: number): Floors {
    const { words } = this;
    const all = words.load(ALL_FLOOR);
    const [hard, any, softs]: [number[], number[], Soft[]] = [[], [], []];
    for (let tag = 0; tag < TAGS; tag++) {
      const at = this.tag(tag);
      hard.push(words.load(at + TAG_HARD));
      any.push(words.load(at + TAG_ANY));
      for (let i = 0; i < SOFT_RING; i++) {
        const entry = at + TAG_RING + i * 2;
        softs.push({ tag, began: words.load(entry), untilMs: words.load(entry + 1) });
      }
    }
    const floor = Math.max(all, words.load(this.key(key) + KEY_FLOOR));
    // The clock last: what is judged by it begins later.
    return { key: floor, hard, any, softs, atMs: this.nowMs() };
  }

  tally(name: TallyName): void {
    this.words.add(TALLIES_AT + TALLIES.indexOf(name), 1);
  }
  tallied(name: TallyName): number {
    return this.words.load(TALLIES_AT + TALLIES.indexOf(name)) >>> 0;
  }
}
