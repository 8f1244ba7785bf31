/**
 * Who of several hosts is dead, and what counts of his log: src/coherence/{members,look,joining,arbiter}.ts. Memory is not coherent
 * (memory.ts, apart); every line has one writer. Host 0 declares, host 1 writes a log of records, host 2 reads it.
 *
 * A record stands at a position, as the incarnation of its host that wrote it; 0 is none. The deaths are one line of host 0: the
 * incarnation up to which host 1 is dead, whether its limit is still looked for, and the limit. The row of host 1 tells its incarnation.
 *
 * (M1) pending is in memory before the log of the dead is read; its end is the limit. From there on nothing counts of an
 *      incarnation up to the dead one.
 * (M2) a record is acknowledged when a look at the deaths, begun when it was written back, found none.
 * (M3) a record is believed when a look at the deaths, begun after it was read, finds that it counts; while its death is pending,
 *      nobody knows. Where the look finds another death than the look before, what was read between does not tell: the host may have
 *      come again, and what did not count by the death before the newest is not told by that. It is read again.
 * (C)  who comes again writes back what a former process left in the cache of its host, before anything; zeroes what does not count;
 *      tells its new incarnation; waits for a death that is pending; and adopts its log to its end.
 *
 * What is judged:
 * (A) what was acknowledged counts for ever.
 * (V) nobody believes, adopts or counts what was decided not to count.
 * (E) no two hosts differ in what stands at a position.
 * (K) a look knows, when it ends, all that was acknowledged when it began, and all below the limit of a death that it found.
 */
import type { Model } from './explore.js';
import { Apart } from './memory.js';
import { BLOCKED, type Mutation, type Next, type Routine, type Step, World } from './world.js';

const [ARBITER, WRITER, READER] = [0, 1, 2];
/** At most. */
const POSITIONS = 3;
// Words: the deaths, the row of host 1, its records.
const [DEATHS, ROW, RECORDS] = [0, 1, 2];
// Private bytes: the position to go on with, how many were read and not judged, its incarnation, or the one that it declares or knows as dead, whether
// it was found dead, what was acknowledged when the look began; then what it believes, and what it read.
const [NEXT, NEWS, INCARNATION, FENCED, SINCE, KNOWN] = [1, 2, 3, 4, 5, 6];
const READ = KNOWN + POSITIONS;
const LOCALS = READ + POSITIONS;
// What only the oracle knows, of each position: the incarnation that acknowledged it, and the highest that counts there no more.
const [ACKNOWLEDGED, VOID, ENDS] = [0, POSITIONS, 2 * POSITIONS];

export interface DeathBounds {
  readonly declarations: number;
  /** Of processes of host 1. */
  readonly ends: number;
  readonly positions: number;
}

interface Death {
  readonly incarnation: number;
  /** 0 while it is looked for. */
  readonly limit: number;
}

function byteOf({ incarnation, limit }: Death): number {
  return incarnation === 0 ? 0 : (incarnation << 4) | limit;
}

export class DeathWorld extends World {
  readonly lines: Apart;
  readonly bounds: DeathBounds;

  constructor(bounds: DeathBounds, mutation: Mutation) {
    const records = Array.from({ length: POSITIONS }, (_, i) => `record ${i + 1}`);
    const owners = [ARBITER, WRITER, ...records.map(() => WRITER)];
    const lines = new Apart(owners, 3, () => (mutation.unflushed ?? []).length > 0);
    const wordNames = ['deaths', 'row', ...records];
    super({ memory: lines, mutation, wordNames, actors: 3, locals: LOCALS, ghosts: 2 * POSITIONS + 1 });
    this.lines = lines;
    this.bounds = bounds;
  }

  record(position: number): number {
    return RECORDS + position - 1;
  }
  deaths(): Death {
    const byte = this.load(DEATHS);
    return { incarnation: byte >> 4, limit: byte & 15 };
  }

  /** From now on the host takes it that the incarnation's record stands there. */
  believe(position: number, incarnation: number): void {
    this.set(KNOWN + position - 1, incarnation);
    if (incarnation <= this.ghost(VOID + position - 1))
      this.fail(
        `(V) host ${this.actor} believes record ${position} of incarnation ${incarnation}, which does not count`,
      );
  }
  acknowledged(): number {
    for (let position = POSITIONS; position > 0; position--)
      if (this.ghost(ACKNOWLEDGED + position - 1) > 0) return position;
    return 0;
  }

  judge(): void {
    for (let i = 0; i < POSITIONS; i++) {
      const told = [ARBITER, WRITER, READER].map((host) => this.of(host, KNOWN + i)).filter((one) => one > 0);
      if (new Set(told).size > 1) this.fail(`(E) record ${i + 1} is of incarnations ${told}`);
      const isLive = this.of(WRITER, INCARNATION) > this.own(DEATHS) >> 4;
      if (isLive && this.of(WRITER, KNOWN + i) > 0 && this.of(WRITER, KNOWN + i) <= this.ghost(VOID + i))
        this.fail(`(V) host 1, which lives, has adopted record ${i + 1}, which does not count`);
      const acknowledged = this.ghost(ACKNOWLEDGED + i);
      if (acknowledged > 0 && acknowledged <= this.ghost(VOID + i)) this.fail(`(A) record ${i + 1} was acknowledged`);
    }
  }
}

type W = DeathWorld;

/** Loads the record to go on with, if there is one; with it, the same once more. */
function fetchStep(name: string, again: string): Step<W> {
  return {
    name,
    when: (m) => m.get(NEXT) + m.get(NEWS) <= POSITIONS,
    run: (m): Next => {
      const incarnation = m.load(m.record(m.get(NEXT) + m.get(NEWS)));
      if (incarnation === 0) return undefined;
      m.set(READ + m.get(NEWS), incarnation);
      m.set(NEWS, m.get(NEWS) + 1);
      return again;
    },
  };
}

function forgetNews(m: W): void {
  for (let i = 0; i < POSITIONS; i++) m.set(READ + i, 0);
  m.set(NEWS, 0);
}

const arbiter: readonly Routine<W>[] = [
  {
    name: 'idle',
    steps: [
      {
        name: 'declare.row',
        run: (m): Next => {
          const incarnation = m.load(ROW);
          const before = m.get(INCARNATION);
          if (incarnation <= before || incarnation > m.bounds.declarations) return BLOCKED;
          m.set(INCARNATION, incarnation);
          return undefined;
        },
      },
      {
        name: 'declare.pending',
        run: (m) => m.store(DEATHS, byteOf({ incarnation: m.get(INCARNATION), limit: 0 })),
      },
    ],
    onward: () => 'fetch',
  },
  { name: 'fetch', steps: [fetchStep('limit.read', 'fetch')], onward: () => 'decide' },
  {
    name: 'decide',
    steps: [
      {
        name: 'limit.store',
        run: (m) => {
          const limit = m.get(NEXT) + m.get(NEWS);
          for (let position = limit; position <= POSITIONS; position++)
            m.setGhost(VOID + position - 1, m.get(INCARNATION));
          for (let i = 0; i < m.get(NEWS); i++) m.believe(m.get(NEXT) + i, m.get(READ + i));
          m.set(NEXT, limit);
          forgetNews(m);
          m.store(DEATHS, byteOf({ incarnation: m.get(INCARNATION), limit }));
        },
      },
    ],
    onward: () => 'idle',
  },
];

const writer: readonly Routine<W>[] = [
  {
    name: 'idle',
    steps: [
      {
        name: 'write.record',
        run: (m): Next => {
          if (m.get(FENCED) === 1 || m.get(NEXT) > m.bounds.positions) return BLOCKED;
          m.lines.store(m.actor, m.record(m.get(NEXT)), m.get(INCARNATION));
          return undefined;
        },
      },
      { name: 'write.flush', run: (m) => m.lines.writeback(m.record(m.get(NEXT))) },
      {
        name: 'write.look',
        run: (m) => {
          m.set(FENCED, m.deaths().incarnation >= m.get(INCARNATION) ? 1 : 0);
        },
      },
      {
        name: 'write.told',
        isPrivate: 'after',
        run: (m): Next => {
          if (m.get(FENCED) === 1) return 'idle';
          const position = m.get(NEXT);
          m.setGhost(ACKNOWLEDGED + position - 1, m.get(INCARNATION));
          m.believe(position, m.get(INCARNATION));
          m.set(NEXT, position + 1);
          return undefined;
        },
      },
    ],
    onward: () => 'idle',
  },
  // Of the next process of the host.
  {
    name: 'takeover',
    steps: [
      {
        name: 'come.flush',
        run: (m) => {
          for (let local = NEXT; local < LOCALS; local++) m.set(local, 0);
          m.set(NEXT, 1);
          if (m.flushes) for (let word = ROW; word < RECORDS + POSITIONS; word++) m.lines.writeback(word);
        },
      },
      awaitLimit('come.deaths'),
    ],
    onward: () => 'clear',
  },
  {
    name: 'clear',
    steps: [
      {
        name: 'come.clear',
        when: (m) => m.get(NEXT) <= POSITIONS,
        run: (m): Next => {
          const position = m.get(NEXT);
          const incarnation = m.own(m.record(position));
          if (incarnation === 0) {
            m.set(NEXT, POSITIONS + 1);
            return 'clear';
          }
          if (incarnation <= m.get(SINCE) && position >= m.get(NEWS)) m.store(m.record(position), 0);
          m.set(NEXT, position + 1);
          return 'clear';
        },
      },
      {
        name: 'come.row',
        run: (m) => {
          const incarnation = Math.max(m.own(ROW), m.get(SINCE)) + 1;
          m.set(INCARNATION, incarnation);
          m.set(NEXT, 1);
          m.store(ROW, incarnation);
        },
      },
      awaitLimit('come.deaths again'),
    ],
    onward: () => 'adopt',
  },
  {
    name: 'adopt',
    steps: [
      {
        name: 'come.adopt',
        run: (m): Next => {
          const position = m.get(NEXT);
          const incarnation = position > POSITIONS ? 0 : m.own(m.record(position));
          if (incarnation === 0) {
            m.set(SINCE, 0);
            m.set(NEWS, 0);
            return 'idle';
          }
          m.believe(position, incarnation);
          m.set(NEXT, position + 1);
          return 'adopt';
        },
      },
    ],
    onward: () => 'idle',
  },
];

/** Who comes notes which of its incarnations is dead (SINCE), and from where on that does not count (NEWS). */
function awaitLimit(name: string): Step<W> {
  return {
    name,
    run: (m): Next => {
      const { incarnation, limit } = m.deaths();
      if (incarnation > 0 && limit === 0 && !m.has('limit not waited for')) return BLOCKED;
      m.set(SINCE, incarnation);
      m.set(NEWS, limit);
      return undefined;
    },
  };
}

/** Believes what counts of the news; false where it has to look again. */
function believeNews(m: W, { incarnation: dead, limit }: Death): boolean {
  const first = m.get(NEXT);
  for (let i = 0; i < m.get(NEWS); i++) {
    const incarnation = m.get(READ + i);
    if (incarnation <= dead && limit === 0 && !m.has('pending believed')) return false;
    if (incarnation <= dead && limit > 0 && first + i >= limit && !m.has('limit not looked at')) break;
    m.believe(first + i, incarnation);
    m.set(NEXT, first + i + 1);
  }
  return limit === 0 || m.get(NEXT) >= limit || m.has('content with less than the limit');
}

const reader: readonly Routine<W>[] = [
  {
    name: 'idle',
    steps: [{ name: 'look.begin', isPrivate: 'before', run: (m) => m.set(SINCE, m.acknowledged()) }],
    onward: () => 'fetch',
  },
  {
    name: 'fetch',
    steps: [
      fetchStep('look.read', 'fetch'),
      {
        name: 'look.deaths',
        run: (m): Next => {
          const death = m.deaths();
          const isNew = death.incarnation !== m.get(INCARNATION) && !m.has('read before a death, believed after it');
          m.set(INCARNATION, death.incarnation);
          const { limit } = death;
          const isOver = !(isNew && m.get(NEWS) > 0) && believeNews(m, death);
          forgetNews(m);
          if (!isOver) return 'fetch';
          if (m.get(NEXT) <= m.get(SINCE))
            m.fail(`(K) record ${m.get(SINCE)} was acknowledged before, and is not known`);
          if (m.get(NEXT) < limit) m.fail(`(K) the limit is ${limit}, and nothing is known from ${m.get(NEXT)} on`);
          m.set(SINCE, 0);
          return 'idle';
        },
      },
    ],
    onward: () => 'idle',
  },
];

export function deathModel(bounds: DeathBounds, mutation: Mutation): Model<W> {
  return {
    name: 'host deaths',
    world: new DeathWorld(bounds, mutation),
    actors: [
      { name: 'host 0', program: arbiter },
      { name: 'host 1', program: writer },
      { name: 'host 2', program: reader },
    ],
    start: (m, words) => {
      words[ROW] = 1;
      for (const host of [ARBITER, WRITER, READER]) m.setOf(host, NEXT, 1);
      m.setOf(WRITER, INCARNATION, 1);
    },
    judge: (m) => m.judge(),
    ...(bounds.ends > 0 ? { die: endProcess } : {}),
  };
}

/** Its lines stay in the cache of its host, and leave later; or the host loses power. */
function endProcess(m: W): boolean {
  if (m.actor !== WRITER || m.ghost(ENDS) === m.bounds.ends) return false;
  m.setGhost(ENDS, m.ghost(ENDS) + 1);
  if (m.choose(2) === 1) m.lines.cutShort(WRITER, (count) => m.choose(count));
  m.tell('the process ends');
  return true;
}
