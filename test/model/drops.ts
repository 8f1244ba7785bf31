/**
 * Dropping a space: src/pool/objects/spaces.ts (drop, repair), reader.ts (isFresh, again, answer). One page of one space.
 *
 * drop stores the space's generation, then the pool-wide drop count. A hit looks at the count, after the retire sequence;
 * when it has moved, the node loads it, then the generations, and forgets what is of an old one. In this order a count that
 * is known vouches for the generations seen after it (drop-1). A pending word lets whoever comes after a dead dropper
 * finish.
 *
 * (D) a get that begins after drop returned, or after a dead dropper's drop was finished, answers with no page of before.
 */
import type { Model } from './explore.js';
import { SmallWorld } from './small.js';
import { BLOCKED, type Mutation, type Routine } from './world.js';

type W = SmallWorld;
// Of the dropper and the filler.
const [BUSY, LEASE] = [1, 2] as const;
// Of a reader: the page it remembers, the drop count it has seen, the retire sequence, what was over, gets made.
const [NEAR, DROPS, SEEN, OVER, COUNT, FOUND] = [1, 2, 3, 4, 5, 6] as const;
const DROPS_MAX = 2;
const FILLS_MAX = 1;
/** Ghosts: generations below this are over; drops begun; fills begun; deaths. */
const [OLD, DROPPED, FILLED, DEATHS] = [0, 1, 2, 3] as const;

const finishDrop: Routine<W> = {
  name: 'finish',
  steps: [
    { name: 'drop.generation', order: 'drop-1', run: (m) => m.put('generation', m.now('generation') + 1) },
    { name: 'drop.count', order: 'drop-1', run: (m) => m.put('drop count', m.now('drop count') + 1) },
    {
      name: 'drop.over',
      run: (m) => {
        m.put('pending', 0);
        m.setGhost(OLD, m.now('generation'));
        m.set(BUSY, 0);
      },
    },
  ],
  onward: () => 'idle',
};

const dropper: readonly Routine<W>[] = [
  {
    name: 'idle',
    steps: [
      {
        name: 'drop.pending',
        run: (m) => {
          if (m.ghost(DROPPED) === DROPS_MAX) return BLOCKED;
          m.setGhost(DROPPED, m.ghost(DROPPED) + 1);
          m.set(BUSY, 1);
          m.put('pending', 1);
          return 'finish';
        },
      },
    ],
    onward: () => 'finish',
  },
  finishDrop,
  {
    name: 'takeover',
    steps: [
      {
        name: 'drop.repair',
        run: (m) => {
          m.set(BUSY, 0);
          const isToFinish = m.now('pending') !== 0 && !m.has('pending drop left');
          if (isToFinish) m.set(BUSY, 1);
          else m.setGhost(OLD, m.now('generation'));
          return isToFinish ? 'finish' : 'idle';
        },
      },
    ],
    onward: () => 'idle',
  },
];

/** A fill under the space generation from before it began; a page is its generation. */
const filler: readonly Routine<W>[] = [
  {
    name: 'idle',
    steps: [
      {
        name: 'fill.lease',
        order: 'lease-1',
        run: (m) => {
          if (m.ghost(FILLED) === FILLS_MAX) return BLOCKED;
          m.setGhost(FILLED, m.ghost(FILLED) + 1);
          m.set(LEASE, m.read('generation'));
          return undefined;
        },
      },
      { name: 'fill.check', run: (m) => (m.read('generation') === m.get(LEASE) ? undefined : 'idle') },
      { name: 'fill.sequence', order: 'retire-2', run: (m) => m.put('sequence', m.now('sequence') + 1) },
      { name: 'fill.page', order: 'seal-1', run: (m) => m.put('page', m.get(LEASE)) },
    ],
    onward: () => 'idle',
  },
];

function over(m: W): string {
  m.set(OVER, 0);
  m.set(COUNT, 0);
  m.set(FOUND, 0);
  return 'idle';
}

function answers(m: W, page: number): string {
  m.tell(`get answers with a page of generation ${page}`);
  if (page < m.get(OVER)) m.fail(`(D) a get answered with a page of generation ${page}, dropped before it began`);
  return over(m);
}

const reader: readonly Routine<W>[] = [
  {
    name: 'idle',
    steps: [
      {
        name: 'begin',
        isPrivate: 'before',
        run: (m) => {
          m.set(OVER, m.ghost(OLD));
          return m.get(NEAR) === 0 ? 'search' : 'hit';
        },
      },
    ],
    onward: () => 'hit',
  },
  {
    name: 'hit',
    steps: [
      {
        name: 'hit.sequence',
        order: ['hazard-1', 'drop-1'],
        run: (m) => (m.read('sequence') === m.get(SEEN) ? undefined : 'search'),
      },
      {
        name: 'hit.drops',
        order: 'drop-1',
        run: (m) => (m.read('drop count') === m.get(DROPS) ? undefined : 'search'),
      },
      { name: 'hit.taken', isPrivate: 'after', run: (m) => answers(m, m.get(NEAR)) },
    ],
    onward: () => 'idle',
  },
  {
    name: 'search',
    steps: [
      { name: 'again.drops', order: 'drop-1', run: (m) => m.set(COUNT, m.read('drop count')) },
      {
        name: 'again.generation',
        order: 'drop-1',
        when: (m) => m.get(NEAR) !== 0,
        run: (m) => {
          if (m.read('generation') !== m.get(NEAR)) m.set(NEAR, 0);
        },
      },
      {
        name: 'again.sequence',
        order: 'retire-2',
        run: (m) => {
          m.set(DROPS, m.get(COUNT));
          const sequence = m.read('sequence');
          if (sequence !== m.get(SEEN)) m.set(NEAR, 0);
          m.set(SEEN, sequence);
          return m.get(NEAR) === 0 ? undefined : 'hit';
        },
      },
      {
        name: 'probe.page',
        order: 'seal-1',
        run: (m) => {
          m.set(FOUND, m.read('page'));
          return m.get(FOUND) === 0 ? over(m) : undefined;
        },
      },
      {
        name: 'probe.space',
        run: (m) => {
          if (m.read('generation') !== m.get(FOUND) && !m.has('space not looked at')) return over(m);
          m.set(NEAR, m.get(FOUND));
          return answers(m, m.get(FOUND));
        },
      },
    ],
    onward: () => 'idle',
  },
];

export function dropModel(mutation: Mutation): Model<W> {
  const names = ['generation', 'drop count', 'pending', 'sequence', 'page'];
  return {
    name: 'drops',
    world: new SmallWorld(mutation, names, 3, 4),
    actors: [
      { name: 'dropper', program: dropper },
      { name: 'filler', program: filler },
      { name: 'reader', program: reader },
    ],
    start: (m, words) => {
      words[m.word('generation')] = 1;
      words[m.word('page')] = 1;
    },
    judge: () => {},
    die: (m) => {
      if (m.actor !== 0 || m.get(BUSY) === 0 || m.ghost(DEATHS) === 1) return false;
      m.setGhost(DEATHS, 1);
      return true;
    },
  };
}
