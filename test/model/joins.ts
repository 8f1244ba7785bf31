/**
 * Joining: src/pool/nodes/nodes.ts (join, fillRow), hazards.ts (scan). A scan looks at the rows below rowsHigh whose incarnation
 * says that they are taken. A joiner that it passes over must look at the slot's state later than the retirement that the
 * scan is for: so row, then hazard, then state on the one side, and state, then row, then hazard on the other (join-1).
 *
 * (J) a page that the joiner found sealed behind its hazard is not reused while it holds it.
 */
import type { Model } from './explore.js';
import { SmallWorld } from './small.js';
import type { Mutation, Routine } from './world.js';

type W = SmallWorld;
const HOLDS = 1;
const HELD = 1;
const SEALED = 1;
const RETIRED = 2;
const REUSED = 3;

const joiner: readonly Routine<W>[] = [
  {
    name: 'idle',
    steps: [
      { name: 'join.hazards', order: 'join-1', run: (m) => m.put('borrow count', 0) },
      { name: 'join.incarnation', order: 'join-1', run: (m) => m.put('incarnation', 1) },
      { name: 'join.high', order: 'join-1', run: (m) => m.put('rows high', 1) },
      { name: 'expose', order: 'hazard-1', run: (m) => m.write(m.word('borrow'), 1) },
      { name: 'raise', order: 'hazard-1', run: (m) => m.put('borrow count', 1) },
      {
        name: 'probe.state',
        order: ['hazard-1', 'join-1'],
        run: (m) => m.set(HOLDS, m.read('state') === SEALED ? 1 : 0),
      },
    ],
    onward: () => 'over',
  },
  { name: 'over', steps: [{ name: 'hold', run: () => undefined }], onward: () => 'over' },
];

const reclaimer: readonly Routine<W>[] = [
  {
    name: 'idle',
    steps: [
      { name: 'retire.state', order: ['retire-1', 'join-1'], run: (m) => m.put('state', RETIRED) },
      { name: 'scan.fence', order: 'hazard-1', run: (m) => m.memory.fenceAll() },
      { name: 'scan.high', order: 'join-1', run: (m) => (m.read('rows high') === 0 ? 'reuse' : undefined) },
      { name: 'scan.incarnation', order: 'join-1', run: (m) => (m.read('incarnation') === 0 ? 'reuse' : undefined) },
      { name: 'scan.count', order: 'hazard-1', run: (m) => (m.read('borrow count') === 0 ? 'reuse' : undefined) },
      { name: 'scan.borrow', order: 'hazard-1', run: (m) => m.set(HELD, m.read('borrow')) },
    ],
    onward: (m) => (m.get(HELD) === 1 ? 'over' : 'reuse'),
  },
  {
    name: 'reuse',
    steps: [{ name: 'reuse', run: (m) => m.put('state', REUSED) }],
    onward: () => 'over',
  },
  { name: 'over', steps: [{ name: 'rest', run: () => undefined }], onward: () => 'over' },
];

export function joinModel(mutation: Mutation): Model<W> {
  return {
    name: 'joins',
    world: new SmallWorld(mutation, ['state', 'incarnation', 'rows high', 'borrow', 'borrow count'], 2, 0),
    actors: [
      { name: 'joiner', program: joiner },
      { name: 'reclaimer', program: reclaimer },
    ],
    // What a dead node of the row left: entries that name other slots.
    start: (m, words) => {
      words[m.word('state')] = SEALED;
      words[m.word('borrow count')] = 1;
    },
    judge: (m) => {
      if (m.of(0, HOLDS) === 1 && m.now('state') === REUSED) m.fail('(J) a page was reused that a joiner holds');
    },
  };
}
