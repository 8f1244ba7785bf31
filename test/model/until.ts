/**
 * A bound in two words that is lowered while it is read: src/pool/layout/wide.ts. High before low on the one side; high, low, and
 * high once more on the other (until-1). Four to a word here.
 *
 * (U1) what is read is never above what the bound was when reading began.
 * (U2) nor below what it is when reading ends. Held only for a bound that was open: one that comes down over a border of
 *      the high word looks lower than it is going to be, for as long as its writer is between the two stores.
 */
import type { Model } from './explore.js';
import { SmallWorld } from './small.js';
import { BLOCKED, type Mutation, type Routine } from './world.js';

type W = SmallWorld;
const BASE = 4;
const NEXT = 1;
const [BEFORE, HIGH, LOW] = [1, 2, 3] as const;

const lowerer = (values: readonly number[]): readonly Routine<W>[] => [
  {
    name: 'idle',
    steps: [
      {
        name: 'lower.high',
        order: 'until-1',
        run: (m) => {
          const value = values[m.get(NEXT)];
          if (value === undefined) return BLOCKED;
          m.put('high', Math.floor(value / BASE));
          return undefined;
        },
      },
      { name: 'lower.low', order: 'until-1', run: (m) => m.put('low', (values[m.get(NEXT)] ?? 0) % BASE) },
      {
        name: 'lower.done',
        isPrivate: 'after',
        run: (m) => {
          m.set(NEXT, m.get(NEXT) + 1);
          m.setGhost(0, m.now('high') * BASE + m.now('low'));
        },
      },
    ],
    onward: () => 'idle',
  },
];

const reader = (isBelowToo: boolean): readonly Routine<W>[] => [
  {
    name: 'idle',
    steps: [
      {
        name: 'read.high',
        order: 'until-1',
        run: (m) => {
          m.set(BEFORE, m.ghost(0));
          m.set(HIGH, m.read('high'));
        },
      },
      { name: 'read.low', order: 'until-1', run: (m) => m.set(LOW, m.read('low')) },
      { name: 'read.again', order: 'until-1', run: (m) => (m.read('high') === m.get(HIGH) ? undefined : 'idle') },
      {
        name: 'read.done',
        isPrivate: 'after',
        run: (m) => {
          const value = m.get(HIGH) * BASE + m.get(LOW);
          const least = Math.min(m.ghost(0), m.ghost(1));
          m.tell(`read as ${value}`);
          if (value > m.get(BEFORE)) m.fail(`(U1) read as ${value}, above the ${m.get(BEFORE)} that it was`);
          if (isBelowToo && value < least) m.fail(`(U2) read as ${value}, below the ${least} that it is`);
          for (const local of [BEFORE, HIGH, LOW]) m.set(local, 0);
        },
      },
    ],
    onward: () => 'idle',
  },
];

/** From the first value down to the others. An open end is all ones. */
export function untilModel(mutation: Mutation, values: readonly number[], isBelowToo: boolean): Model<W> {
  return {
    name: 'until',
    world: new SmallWorld(mutation, ['high', 'low'], 2, 2),
    actors: [
      { name: 'lowerer', program: lowerer(values.slice(1)) },
      { name: 'reader', program: reader(isBelowToo) },
    ],
    start: (m, words) => {
      const first = values[0] as number;
      words[m.word('high')] = Math.floor(first / BASE);
      words[m.word('low')] = first % BASE;
      m.setGhost(0, first);
      m.setGhost(1, Math.min(...values));
    },
    judge: () => {},
  };
}
