/**
 * When the place of a page is used again, between hosts whose memory is not coherent: src/coherence/{host,pins,members}.ts, (H2) to (H4), (M4), (P2).
 * Host 1 has a page, ends it, and lays another where it lay. Host 2 finds pages, pins, reads and beats. Host 0 declares host 2 dead, rightly or not. The processes of
 * hosts 1 and 2 end and come again.
 *
 * A look: the log of host 1, then the deaths. A beat: a look, the pins written back, then the row, which says that the end of the first page is known. Host 1 frees
 * the place when the row of every host that counts says so, and then its pins do not name the page.
 *
 * (R) what host 2 reads of a page, and a look at the deaths afterwards lets stand, is what was sealed.
 */
import type { Model } from './explore.js';
import { Apart } from './memory.js';
import { BLOCKED, type Mutation, type Next, type Routine, type Step, World } from './world.js';

const [ARBITER, OWNER, READER] = [0, 1, 2];
// Words: the deaths; of host 1 the end of its first page, the record of its second, their place; of host 2 its pin and its row.
const [DEATHS, END, SECOND, DATA, PIN, ROW] = [0, 1, 2, 3, 4, 5];
const OWNERS = [ARBITER, OWNER, OWNER, OWNER, READER, READER];
/** What a page has in its place. */
const [FIRST_BYTES, SECOND_BYTES] = [1, 2];
// Private bytes. Of host 2: its incarnation, whether it knows that the first page has ended, and the second; whether it holds the first, and has dropped its lines; the
// same of the second; whether it was found dead; what it read, and of which page; what comes after a look. Of host 1 and host 0: who is dead.
const [INCARNATION, ENDED, KNOWN, HELD, IS_FRESH, FENCED, VALUE, PAGE, IS_BEAT] = [1, 2, 3, 4, 5, 6, 7, 8, 9];
const LOCALS = 10;
// What only the oracle knows: ends of processes, and how often host 2 has taken the page.
const [ENDS, TAKES] = [0, 1];
const TAKES_MAX = 2;

export interface PinBounds {
  readonly declarations: number;
  readonly ends: number;
}

export class PinWorld extends World {
  readonly lines: Apart;
  readonly bounds: PinBounds;

  constructor(bounds: PinBounds, mutation: Mutation) {
    // Of the place host 2 keeps a copy, whatever is flushed: it is dropped once for each page.
    const isKept = (_host: number, word: number) => word === DATA || (mutation.unflushed ?? []).length > 0;
    const lines = new Apart(OWNERS, 3, isKept);
    const wordNames = ['deaths', 'end of the first page', 'second page', 'place', 'pin', 'row'];
    super({ memory: lines, mutation, wordNames, actors: 3, locals: LOCALS, ghosts: 2 });
    this.lines = lines;
    this.bounds = bounds;
  }

  /** Into the cache only. */
  dirty(word: number, value: number): void {
    this.lines.store(this.actor, word, value);
    this.tell(`${this.wordNames[word]} := ${value} (in the cache)`);
  }
  clean(word: number): void {
    if (this.flushes) this.lines.writeback(word);
  }
}

type W = PinWorld;

function rowOf(incarnation: number, knowsEnd: number): number {
  return (incarnation << 1) | knowsEnd;
}

const arbiter: readonly Routine<W>[] = [
  {
    name: 'idle',
    steps: [
      {
        name: 'declare',
        run: (m): Next => {
          const incarnation = m.own(ROW) >> 1;
          if (incarnation <= m.own(DEATHS) || incarnation > m.bounds.declarations) return BLOCKED;
          m.store(DEATHS, incarnation);
          return undefined;
        },
      },
    ],
    onward: () => 'idle',
  },
];

const owner: readonly Routine<W>[] = [
  { name: 'idle', steps: [{ name: 'end.record', run: (m) => m.store(END, 1) }], onward: () => 'free' },
  {
    name: 'free',
    steps: [
      { name: 'free.deaths', run: (m) => m.set(INCARNATION, m.load(DEATHS)) },
      {
        name: 'free.row',
        run: (m): Next => {
          const row = m.load(ROW);
          if (row >> 1 <= m.get(INCARNATION)) return 'reuse';
          return (row & 1) === 1 || m.has('nobody is asked') ? undefined : 'free';
        },
      },
      { name: 'free.pins', run: (m): Next => (m.load(PIN) === 1 ? 'free' : undefined) },
    ],
    onward: () => 'reuse',
  },
  {
    name: 'reuse',
    steps: [
      { name: 'reuse.bytes', run: (m) => m.dirty(DATA, SECOND_BYTES) },
      { name: 'reuse.flush', run: (m) => m.clean(DATA) },
      { name: 'reuse.record', run: (m) => m.store(SECOND, 1) },
    ],
    onward: () => 'over',
  },
  { name: 'over', steps: [{ name: 'over', run: () => BLOCKED }], onward: () => 'over' },
  {
    name: 'takeover',
    steps: [
      {
        name: 'owner.flush',
        run: (m): Next => {
          m.set(INCARNATION, 0);
          for (const word of [END, SECOND, DATA]) m.clean(word);
          if (m.own(SECOND) === 1) return 'over';
          return m.own(END) === 1 ? 'free' : 'idle';
        },
      },
    ],
    onward: () => 'idle',
  },
];

/** Host 2, after each thing that it did. */
const [LOOK, BEAT, TAKE, READ, LET_GO, READ_SECOND] = [0, 1, 2, 3, 4, 5];

const choosing: Step<W> = {
  name: 'choose',
  isPrivate: 'before',
  run: (m): Next => {
    if (m.get(FENCED) === 1) return 'gone';
    const what = m.choose(6);
    m.set(IS_BEAT, what === BEAT ? 1 : 0);
    if (what === LOOK || what === BEAT) return 'look';
    if (what === TAKE)
      return m.get(HELD) === 1 || m.get(ENDED) === 1 || m.ghost(TAKES) === TAKES_MAX ? BLOCKED : 'take';
    if (what === LET_GO) return m.get(HELD) === 1 ? 'let go' : BLOCKED;
    if (what === READ && m.get(HELD) === 1) m.set(PAGE, FIRST_BYTES);
    else if (what === READ_SECOND && m.get(KNOWN) === 1) m.set(PAGE, SECOND_BYTES);
    else return BLOCKED;
    return 'read';
  },
};

/** In the cache only: a beat writes it back. */
function holding(name: string, isHeld: number): Routine<W> {
  const run = (m: W): void => {
    m.setGhost(TAKES, m.ghost(TAKES) + isHeld);
    m.dirty(PIN, isHeld);
    m.set(HELD, isHeld);
  };
  return { name, steps: [{ name: `${name}.pin`, run }], onward: () => 'idle' };
}

const reader: readonly Routine<W>[] = [
  { name: 'idle', steps: [choosing], onward: () => 'look' },
  { name: 'gone', steps: [{ name: 'gone', run: () => BLOCKED }], onward: () => 'gone' },
  {
    name: 'look',
    steps: [
      { name: 'look.end', run: (m) => m.set(ENDED, m.load(END)) },
      { name: 'look.second', when: (m) => m.get(ENDED) === 1, run: (m) => m.set(PAGE, m.load(SECOND)) },
      {
        name: 'look.deaths',
        run: (m) => {
          if (m.load(DEATHS) >= m.get(INCARNATION)) m.set(FENCED, 1);
          // Dropped once since it is known.
          if (m.get(PAGE) === 1 && m.get(KNOWN) === 0) m.set(IS_FRESH, m.get(IS_FRESH) & 1);
          if (m.get(PAGE) === 1) m.set(KNOWN, 1);
          m.set(PAGE, 0);
        },
      },
    ],
    onward: (m) => (m.get(IS_BEAT) === 1 && m.get(FENCED) === 0 ? 'beat' : 'idle'),
  },
  {
    name: 'beat',
    steps: [
      { name: 'beat.pins', run: (m) => m.clean(PIN) },
      { name: 'beat.row', run: (m) => m.store(ROW, rowOf(m.get(INCARNATION), m.get(ENDED))) },
    ],
    onward: () => 'idle',
  },
  holding('take', 1),
  holding('let go', 0),
  {
    name: 'read',
    steps: [
      {
        name: 'read.bytes',
        run: (m) => {
          const page = m.get(PAGE);
          if ((m.get(IS_FRESH) & page) === 0) m.invalidate(DATA);
          m.set(IS_FRESH, m.get(IS_FRESH) | page);
          m.set(
            VALUE,
            m.lines.load(m.actor, DATA, (count) => m.choose(count)),
          );
        },
      },
      {
        name: 'read.deaths',
        run: (m) => {
          if (m.load(DEATHS) >= m.get(INCARNATION)) m.set(FENCED, 1);
        },
      },
      {
        name: 'read.given',
        isPrivate: 'after',
        run: (m) => {
          if (m.get(FENCED) === 0 && m.get(VALUE) !== m.get(PAGE))
            m.fail(`(R) page ${m.get(PAGE)} reads as ${m.get(VALUE)}`);
          m.set(VALUE, 0);
          m.set(PAGE, 0);
        },
      },
    ],
    onward: () => 'idle',
  },
  // Of the next process of the host, whose cache is as the last one left it.
  {
    name: 'takeover',
    steps: [
      {
        name: 'come.pins',
        run: (m) => {
          for (let local = INCARNATION; local < LOCALS; local++) m.set(local, 0);
          m.dirty(PIN, 0);
          m.clean(PIN);
        },
      },
      { name: 'come.deaths', run: (m) => m.set(INCARNATION, Math.max(m.own(ROW) >> 1, m.load(DEATHS)) + 1) },
      { name: 'come.row', run: (m) => m.store(ROW, rowOf(m.get(INCARNATION), 0)) },
    ],
    onward: () => 'look',
  },
];

/** Its lines stay in the cache of its host, and leave later; or the host loses power. */
function endProcess(m: W): boolean {
  if (m.actor === ARBITER || m.ghost(ENDS) === m.bounds.ends) return false;
  m.setGhost(ENDS, m.ghost(ENDS) + 1);
  if (m.choose(2) === 1) m.lines.cutShort(m.actor, (count) => m.choose(count));
  m.tell('the process ends');
  return true;
}

export function pinModel(bounds: PinBounds, mutation: Mutation): Model<W> {
  return {
    name: 'host pins',
    world: new PinWorld(bounds, mutation),
    actors: [
      { name: 'host 0', program: arbiter },
      { name: 'host 1', program: owner },
      { name: 'host 2', program: reader },
    ],
    start: (m, words) => {
      words[DATA] = FIRST_BYTES as number;
      words[ROW] = rowOf(1, 0);
      m.setOf(READER as number, INCARNATION, 1);
    },
    judge: () => {},
    ...(bounds.ends > 0 ? { die: endProcess } : {}),
  };
}
