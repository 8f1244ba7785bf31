/**
 * Fences that another node makes: src/pool/nodes/fences.ts, hazards.ts (HazardScan.after), reclaim.ts (awaitFence). A reclaimer
 * whose fence somebody else has made looks at the hazards without one of its own. It waits for a fence that was counted after
 * it had hidden the page from everybody, the table's readers too, and that is counted as done when it is over (fence-1). Who
 * fences asks the kernel only where a reader says that it stores its hazards plainly, which may begin and end at any moment
 * (light-1).
 *
 * (F) a page that the reader found behind its hazard is not reused while it holds it.
 */
import type { Model } from './explore.js';
import { SmallWorld } from './small.js';
import type { Mutation, Routine, Step } from './world.js';

type W = SmallWorld;
/** Of the reader: the state it met, and whether it has the page. */
const MET = 1;
const HOLDS = 2;
/** Of the reclaimer: the fence it waits for. */
const WANTED = 1;
/** Of the one who fences: the number of its fence, and whether somebody was light. */
const NUMBER = 1;
const IS_LIGHT = 2;
const SEALED = 1;
const RETIRED = 2;
const REUSED = 3;

const over: Routine<W> = { name: 'over', steps: [{ name: 'rest', run: () => undefined }], onward: () => 'over' };

/** What a reader does once its interest is stored, one way or the other. */
function probe(which: string): Step<W>[] {
  return [
    { name: `probe.state${which}`, order: 'hazard-1', run: (m) => m.set(MET, m.read('state')) },
    { name: `probe.entry${which}`, order: 'hazard-1', run: (m) => (m.read('entry') === 0 ? 'over' : undefined) },
    {
      name: `probe.again${which}`,
      order: 'hazard-1',
      run: (m) => m.set(HOLDS, m.get(MET) !== REUSED && m.read('state') === m.get(MET) ? 1 : 0),
    },
  ];
}

const reader: readonly Routine<W>[] = [
  {
    name: 'idle',
    steps: [{ name: 'choose', run: (m) => (m.choose(2) === 0 ? 'own' : 'light') }],
    onward: () => 'over',
  },
  {
    name: 'own',
    steps: [{ name: 'expose', order: 'hazard-1', run: (m) => m.put('borrow', 1) }, ...probe('')],
    onward: () => 'over',
  },
  {
    name: 'light',
    steps: [
      { name: 'light.say', order: 'light-1', run: (m) => m.put('light', 1) },
      { name: 'light.expose', order: ['hazard-1', 'light-1'], run: (m) => m.write(m.word('borrow'), 1) },
      ...probe(' light'),
      { name: 'light.unsay', order: 'light-1', run: (m) => m.put('light', 0) },
    ],
    onward: () => 'over',
  },
  over,
];

const reclaimer: readonly Routine<W>[] = [
  {
    name: 'idle',
    steps: [
      { name: 'retire.state', order: 'retire-1', run: (m) => m.put('state', RETIRED) },
      { name: 'retire.entry', order: ['retire-1', 'fence-1'], run: (m) => m.put('entry', 0) },
      { name: 'fence.due', order: 'fence-1', run: (m) => m.set(WANTED, m.read('begun') + 1) },
      { name: 'fence.last', order: 'fence-1', run: (m) => (m.read('done') < m.get(WANTED) ? 'over' : undefined) },
      { name: 'scan.borrow', order: 'hazard-1', run: (m) => (m.read('borrow') === 1 ? 'over' : undefined) },
      { name: 'reuse', run: (m) => m.put('state', REUSED) },
    ],
    onward: () => 'over',
  },
  over,
];

function fence(which: string): Step<W>[] {
  return [
    {
      name: `fence.begun${which}`,
      order: 'fence-1',
      run: (m) => {
        m.put('begun', m.now('begun') + 1);
        m.set(NUMBER, m.now('begun'));
      },
    },
    { name: `fence.look${which}`, order: 'light-1', run: (m) => m.set(IS_LIGHT, m.read('light')) },
    {
      name: `fence.all${which}`,
      order: 'fence-1',
      run: (m) => (m.get(IS_LIGHT) === 1 ? m.memory.fenceAll() : undefined),
    },
    { name: `fence.done${which}`, order: 'fence-1', run: (m) => m.put('done', Math.max(m.now('done'), m.get(NUMBER))) },
  ];
}

const fencer: readonly Routine<W>[] = [
  { name: 'idle', steps: [...fence(''), ...fence(' 2')], onward: () => 'over' },
  over,
];

export function fenceModel(mutation: Mutation): Model<W> {
  return {
    name: 'fences',
    world: new SmallWorld(mutation, ['state', 'entry', 'borrow', 'begun', 'done', 'light'], 3, 0),
    actors: [
      { name: 'reader', program: reader },
      { name: 'reclaimer', program: reclaimer },
      { name: 'fencer', program: fencer },
    ],
    start: (m, words) => {
      words[m.word('state')] = SEALED;
      words[m.word('entry')] = 1;
    },
    judge: (m) => {
      if (m.of(0, HOLDS) === 1 && m.now('state') === REUSED) m.fail('(F) a page was reused that a reader holds');
    },
  };
}
