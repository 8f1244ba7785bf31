/**
 * The board: words shared by a storm's supervisor and its nodes, in a file of their own beside the pool. What a node notes
 * there outlives it: how far each key has come, how long things took, and what it was doing when it was killed.
 *
 * A key that one seat alone writes has two words. `begun` is the generation being written; `floor` the one that a write
 * which has returned made the oldest possible. A page below the floor read before the get, or above `begun` read after
 * it, is stale or from nowhere. A seat has one node at a time, and its next one starts after the last one is reaped.
 */
import { closeSync, openSync, truncateSync, writeFileSync } from 'node:fs';
import { Mapping } from '../../lib/linux/index.js';
import { Words } from '../../lib/words.js';
import { HISTOGRAM_WORDS, recordTime, type Times, timesOf } from './histogram.js';

export const SEATS_MAX = 9;

/**
 * What is timed. Waits are those of the slow path of a lock; a death wait saw the lock's term move, so it was for a dead
 * owner or behind the repair for one. `repair cpu` is what a repair takes where nothing else runs. `cut off` is how long
 * what was under way when a node was killed had taken until then.
 */
export const KINDS = [
  ...(['read', 'write', 'large', 'fetch', 'lock wait', 'death wait', 'repair', 'repair cpu', 'connect'] as const),
  'cut off',
] as const;
export type TimeKind = (typeof KINDS)[number];

export const COUNTS = [
  'operations',
  'pagesRead',
  'kibibytesRead',
  'writes',
  'full',
  'busy',
  'lives',
  'terminations',
  'fuses',
  'takeovers',
] as const;
export type CountName = (typeof COUNTS)[number];

const OPERATION_SINCE = 0;
const OPERATION_KIND = 1;
const GENERATION = 2;
/** Between the supervisor and the process that forks nodes for it: what it wants, and what came of it. */
export const DESK = {
  order: 4,
  seed: 5,
  fuse: 6,
  stores: 7,
  fill: 8,
  leave: 9,
  pid: 10,
  row: 11,
  ended: 12,
  prefault: 13,
} as const;
const COUNTS_AT = 16;
const KINDS_AT = 32;
const SEAT_WORDS = KINDS_AT + KINDS.length * HISTOGRAM_WORDS;
const VERSION_AT = 0;
const SEATS_AT = 16;

export interface BoardShape {
  /** Keys that one seat writes, and pages of versions that it writes, for each seat. */
  readonly ownKeys: number;
  readonly ownPages: number;
  /** Keys that everybody invalidates and loads. */
  readonly sources: number;
  /** Further places for each seat, and counts of whatever is counted besides; none in a storm. */
  readonly others?: number;
  readonly tallies?: number;
}

/** How many words a board of the shape has. */
function wordsOf({ ownKeys, ownPages, sources, others = 0, tallies = 0 }: BoardShape): number {
  return SEATS_AT + SEATS_MAX * (SEAT_WORDS + (ownKeys + ownPages + others) * 2 + tallies) + sources * 2;
}

/** Microseconds of a clock that all processes of the machine share, in 31 bits. */
export function clockMicroseconds(): number {
  return Number((process.hrtime.bigint() / 1000n) & 0x7fffffffn);
}

export class Board {
  readonly words: Words;
  readonly shape: BoardShape;
  private readonly keysAt: number;
  private readonly pagesAt: number;
  private readonly sourcesAt: number;
  private readonly othersAt: number;
  private readonly talliesAt: number;

  constructor(path: string, shape: BoardShape) {
    this.shape = shape;
    this.keysAt = SEATS_AT + SEATS_MAX * SEAT_WORDS;
    this.pagesAt = this.keysAt + SEATS_MAX * shape.ownKeys * 2;
    this.sourcesAt = this.pagesAt + SEATS_MAX * shape.ownPages * 2;
    this.othersAt = this.sourcesAt + shape.sources * 2;
    this.talliesAt = this.othersAt + SEATS_MAX * (shape.others ?? 0) * 2;
    const descriptor = openSync(path, 'r+');
    this.words = new Words(new Mapping(descriptor, 0, wordsOf(shape) * 4, true).buffer);
    closeSync(descriptor);
  }

  static create(path: string, shape: BoardShape): Board {
    writeFileSync(path, '');
    truncateSync(path, wordsOf(shape) * 4);
    return new Board(path, shape);
  }

  /** Every place is below it. */
  get size(): number {
    return wordsOf(this.shape);
  }

  private seat(seat: number): number {
    return SEATS_AT + seat * SEAT_WORDS;
  }

  /** A number that no write of this seat has had. */
  nextGeneration(seat: number): number {
    return this.words.add(this.seat(seat) + GENERATION, 1) + 1;
  }

  /** The version of a commit: one sequence for all seats. */
  nextVersion(): number {
    return this.words.add(VERSION_AT, 1) + 1;
  }
  version(): number {
    return this.words.load(VERSION_AT);
  }

  /** The places of the words of an own key, page and source: floor (or source), and begun (or floor of the source). */
  key(seat: number, index: number): number {
    return this.keysAt + (seat * this.shape.ownKeys + index) * 2;
  }
  page(seat: number, index: number): number {
    return this.pagesAt + (seat * this.shape.ownPages + index) * 2;
  }
  source(index: number): number {
    return this.sourcesAt + index * 2;
  }
  other(seat: number, index: number): number {
    return this.othersAt + (seat * (this.shape.others ?? 0) + index) * 2;
  }

  tally(seat: number, index: number, by = 1): void {
    this.words.add(this.talliesAt + seat * (this.shape.tallies ?? 0) + index, by);
  }
  /** Of all seats. */
  tallied(index: number): number {
    const { tallies = 0 } = this.shape;
    let sum = 0;
    for (let seat = 0; seat < SEATS_MAX; seat++) sum += this.words.load(this.talliesAt + seat * tallies + index) >>> 0;
    return sum;
  }

  floor(place: number): number {
    return this.words.load(place);
  }
  begun(place: number): number {
    return this.words.load(place + 1);
  }
  begin(place: number, generation: number): void {
    this.words.store(place + 1, generation);
  }
  finish(place: number, generation: number): void {
    this.words.store(place, generation);
  }
  /** Raises the floor where several may. */
  raise(place: number, generation: number): void {
    for (;;) {
      const seen = this.words.load(place);
      if (seen >= generation || this.words.compareExchange(place, seen, generation) === seen) return;
    }
  }
  /** The content of a source has changed: its new generation. */
  change(place: number): number {
    return this.words.add(place + 1, 1) + 1;
  }

  /** The seat's desk: written by the supervisor up to `leave`, by the forker and the node from `pid` on. */
  readDesk(seat: number, field: keyof typeof DESK): number {
    return this.words.load(this.seat(seat) + DESK[field]);
  }
  writeDesk(seat: number, field: keyof typeof DESK, value: number): void {
    this.words.store(this.seat(seat) + DESK[field], value);
  }

  enterOperation(seat: number, kind: TimeKind): void {
    this.words.write(this.seat(seat) + OPERATION_KIND, KINDS.indexOf(kind) + 1);
    this.words.store(this.seat(seat) + OPERATION_SINCE, clockMicroseconds());
  }
  leaveOperation(seat: number): void {
    this.words.store(this.seat(seat) + OPERATION_KIND, 0);
  }
  /** How long the seat's node has been in what it does, or was when it died. Undefined: between two operations. */
  operationOf(seat: number): { kind: TimeKind; forMs: number } | undefined {
    const kind = KINDS[this.words.load(this.seat(seat) + OPERATION_KIND) - 1];
    if (kind === undefined) return undefined;
    const since = this.words.load(this.seat(seat) + OPERATION_SINCE);
    return { kind, forMs: ((clockMicroseconds() - since) & 0x7fffffff) / 1000 };
  }

  record(seat: number, kind: TimeKind, milliseconds: number): void {
    recordTime(this.words, this.timesAt(seat, kind), milliseconds);
  }
  private timesAt(seat: number, kind: TimeKind): number {
    return this.seat(seat) + KINDS_AT + KINDS.indexOf(kind) * HISTOGRAM_WORDS;
  }
  /** Of the first so many seats. */
  times(kind: TimeKind, seats = SEATS_MAX): Times {
    const places = Array.from({ length: seats }, (_, seat) => this.timesAt(seat, kind));
    return timesOf(this.words, places);
  }

  count(seat: number, name: CountName, by = 1): void {
    this.words.add(this.seat(seat) + COUNTS_AT + COUNTS.indexOf(name), by);
  }
  countOf(seat: number, name: CountName): number {
    return this.words.load(this.seat(seat) + COUNTS_AT + COUNTS.indexOf(name)) >>> 0;
  }
  total(name: CountName): number {
    let sum = 0;
    for (let seat = 0; seat < SEATS_MAX; seat++) sum += this.countOf(seat, name);
    return sum;
  }

  /** Forgets times and counts, not how far the keys have come. */
  clearFigures(): void {
    for (let seat = 0; seat < SEATS_MAX; seat++)
      this.words.fill(this.seat(seat) + COUNTS_AT, SEAT_WORDS - COUNTS_AT, 0);
  }
}
