/**
 * The reader of versions, and whoever comes after a dead installer. Hazards, torn records and reuse are left to the model
 * of pages; here are the near entries, which carry both ends of what they answer, and the order in which they go.
 */

import {
  AS_OF,
  CANDIDATE,
  CURRENT,
  DRAFT,
  entryOf,
  FLOOR,
  FREE,
  finish,
  freeEntry,
  GETS,
  INDEX,
  IS_BUSY,
  MET,
  NEAR,
  PUBLISHED,
  RETIRED,
  SEALED,
  SEEN,
  THERE,
  type VersionsWorld,
} from './versions.js';
import type { Routine, Step } from './world.js';
import { BLOCKED } from './world.js';

type W = VersionsWorld;

/** A near entry that answers, as slot + 1: any of them, whatever their order in the chain. */
function nearby(m: W): number {
  const found = m.slots().filter((slot) => m.doesAnswer(slot, m.get(AS_OF), m.get(NEAR + slot)));
  return found.length === 0 ? 0 : (found[m.choose(found.length)] as number) + 1;
}

function begin(m: W) {
  const { highest, gets } = m.bounds;
  if (m.get(GETS) === gets) return BLOCKED;
  m.set(GETS, m.get(GETS) + 1);
  const asOf = 1 + m.choose(highest);
  m.set(AS_OF, asOf);
  let floor = 0;
  for (let version = 1; version <= asOf; version++) if ((m.ghost(0) & (1 << version)) !== 0) floor = version;
  m.set(FLOOR, floor);
  // While a call is under way nothing is said of what must be there.
  const there = m.slots().find((slot) => {
    return m.isIn(slot, SEALED) && m.own(m.lock) === 0 && m.doesAnswer(slot, asOf, m.own(m.until + slot));
  });
  m.set(THERE, there === undefined ? 0 : there + 1);
  m.set(CANDIDATE, nearby(m));
  return m.get(CANDIDATE) === 0 ? 'search' : 'hit';
}

function over(m: W): string {
  for (const local of [AS_OF, INDEX, CURRENT, PUBLISHED, MET, FLOOR, THERE, CANDIDATE]) m.set(local, 0);
  return 'idle';
}

function answers(m: W): string {
  const from = m.own(m.from + m.get(CANDIDATE) - 1);
  m.tell(`get as of ${m.get(AS_OF)} answers with version ${from}`);
  if (from < m.get(FLOOR)) m.fail(`(V1) as of ${m.get(AS_OF)} version ${from} answered, below ${m.get(FLOOR)}`);
  m.inForce(from);
  return over(m);
}

function misses(m: W): string {
  m.tell(`get as of ${m.get(AS_OF)} misses`);
  if (m.get(THERE) !== 0) m.fail(`(V3) as of ${m.get(AS_OF)} nothing answered, but slot ${m.get(THERE) - 1} did`);
  return over(m);
}

const hit = (name: string, otherwise: string): Step<W> => ({
  name,
  order: 'hazard-1',
  run: (m) => (m.load(m.sequence) === m.get(SEEN) ? answers(m) : otherwise),
});

function forget(m: W): void {
  const behind = m.get(CURRENT) - m.get(SEEN);
  for (const slot of m.slots()) if (behind > m.bounds.ring) m.set(NEAR + slot, 0);
}

const search: Routine<W>[] = [
  { name: 'hit', steps: [hit('hit.sequence', 'search')], onward: () => 'search' },
  {
    name: 'search',
    steps: [
      {
        name: 'search.sequence',
        order: 'retire-2',
        run: (m) => {
          m.set(MET, 0);
          m.set(CANDIDATE, 0);
          m.set(CURRENT, m.load(m.sequence));
          forget(m);
          if (m.get(CURRENT) - m.get(SEEN) > m.bounds.ring) m.set(SEEN, m.get(CURRENT));
        },
      },
    ],
    onward: () => 'records',
  },
  {
    name: 'records',
    steps: [
      {
        name: 'record',
        order: 'retire-2',
        when: (m) => m.get(SEEN) !== m.get(CURRENT),
        run: (m) => {
          const number = m.get(SEEN) + 1;
          const record = m.load(m.record + (number % m.bounds.ring));
          m.set(SEEN, number);
          if (record >> 3 === number) m.set(NEAR + (record & 7), 0);
          else {
            for (const slot of m.slots()) m.set(NEAR + slot, 0);
            m.set(SEEN, m.get(CURRENT));
          }
          return 'records';
        },
      },
      {
        name: 'known',
        isPrivate: 'after',
        run: (m) => {
          m.set(CURRENT, 0);
          m.set(CANDIDATE, nearby(m));
          return m.get(CANDIDATE) === 0 ? 'probe' : undefined;
        },
      },
      hit('known.sequence', 'probe'),
    ],
    onward: () => 'probe',
  },
];

const probe: Routine<W>[] = [
  {
    name: 'probe',
    steps: [
      { name: 'search.published', run: (m) => m.set(PUBLISHED, m.load(m.published)) },
      { name: 'probe.begin', isPrivate: 'after', run: (m) => m.set(INDEX, 0) },
    ],
    onward: () => 'entries',
  },
  {
    name: 'entries',
    steps: [
      {
        name: 'probe.entry',
        order: 'table-1',
        run: (m) => {
          if (m.get(INDEX) === m.bounds.slots) return 'missed';
          m.set(CANDIDATE, m.load(m.entry + m.get(INDEX)));
          return m.get(CANDIDATE) === 0 ? 'next' : undefined;
        },
      },
      {
        name: 'probe.state',
        order: ['seal-1', 'supersede-1'],
        run: (m) => {
          const state = m.load(m.state + m.get(CANDIDATE) - 1);
          if (state === RETIRED) m.set(MET, 1);
          return state === SEALED ? undefined : 'next';
        },
      },
      {
        name: 'probe.until',
        order: ['seal-1', 'until-1'],
        run: (m) => {
          const slot = m.get(CANDIDATE) - 1;
          const until = m.load(m.until + slot);
          if (!m.doesAnswer(slot, m.get(AS_OF), until)) return 'next';
          m.set(NEAR + slot, until);
          return answers(m);
        },
      },
    ],
    onward: () => 'next',
  },
  {
    name: 'next',
    steps: [
      {
        name: 'probe.next',
        isPrivate: 'after',
        run: (m) => {
          m.set(INDEX, m.get(INDEX) + 1);
          return 'entries';
        },
      },
    ],
    onward: () => 'entries',
  },
  {
    name: 'missed',
    steps: [
      { name: 'missed.met', isPrivate: 'after', run: (m) => (m.get(MET) === 1 ? 'search' : undefined) },
      { name: 'missed.published', run: (m) => (m.load(m.published) === m.get(PUBLISHED) ? undefined : 'search') },
      { name: 'missed.retired', run: (m) => (m.load(m.sequence) === m.get(SEEN) ? misses(m) : 'search') },
      { name: 'missed.believed', isPrivate: 'after', run: misses },
    ],
    onward: () => 'idle',
  },
];

export const asOfReader: readonly Routine<W>[] = [
  { name: 'idle', steps: [{ name: 'begin', isPrivate: 'before', run: begin }], onward: () => 'idle' },
  ...search,
  ...probe,
];

export function installerDies(m: W): boolean {
  if (m.actor !== 0 || m.get(IS_BUSY) === 0 || m.ghost(2) === m.bounds.deaths) return false;
  m.setGhost(2, m.ghost(2) + 1);
  finish(m);
  m.set(IS_BUSY, 1);
  return true;
}

function overrun(m: W): void {
  m.store(m.sequence, m.own(m.sequence) + m.bounds.ring + 1);
}

/** Of two sealed pages from one version the one in the entry is the older: the other was to take it over. */
function olderTwin(m: W): number | undefined {
  const sealed = m.slots().filter((slot) => m.isIn(slot, SEALED));
  const hasTwin = (slot: number) => sealed.some((at) => at !== slot && m.own(m.from + at) === m.own(m.from + slot));
  return sealed.find((slot) => hasTwin(slot) && entryOf(m, slot) >= 0);
}

/** An entry that names no sealed page, and the page of the same version without one, if any. */
function correction(m: W): { entry: number; slot: number } | undefined {
  const isEntered = (slot: number) => entryOf(m, slot) >= 0;
  for (const entry of m.slots()) {
    const named = m.own(m.entry + entry) - 1;
    if (named < 0 || m.isIn(named, SEALED)) continue;
    const isHeir = (slot: number) => m.own(m.from + slot) === m.own(m.from + named);
    const heir = m.slots().find((slot) => m.isIn(slot, SEALED) && !isEntered(slot) && isHeir(slot));
    return { entry, slot: heir ?? -1 };
  }
  return undefined;
}

const missing = (m: W) => m.slots().find((slot) => m.isIn(slot, SEALED) && entryOf(m, slot) < 0);
const orphan = (m: W) => m.slots().find((slot) => m.isIn(slot, DRAFT));

/** A step done for as long as there is something to do. */
function each(name: string, find: (m: W) => unknown, run: (m: W) => void, after: string): Routine<W> {
  return {
    name,
    steps: [
      {
        name: `repair.${name}`,
        order: 'retire-1',
        when: (m) => find(m) !== undefined,
        run: (m) => {
          run(m);
          return name;
        },
      },
    ],
    onward: () => after,
  };
}

export const versionsHeir: readonly Routine<W>[] = [
  { name: 'takeover', steps: [{ name: 'repair.overrun', order: 'retire-1', run: overrun }], onward: () => 'orphans' },
  each('orphans', orphan, (m) => m.store(m.state + (orphan(m) as number), FREE), 'twins'),
  each('twins', olderTwin, (m) => m.store(m.state + (olderTwin(m) as number), RETIRED), 'retired'),
  { name: 'retired', steps: [{ name: 'repair.retired', order: 'retire-1', run: overrun }], onward: () => 'correct' },
  each(
    'correct',
    correction,
    (m) => {
      const found = correction(m) as { entry: number; slot: number };
      m.store(m.entry + found.entry, found.slot + 1);
    },
    'insert',
  ),
  each('insert', missing, (m) => m.store(m.entry + freeEntry(m), (missing(m) as number) + 1), 'repaired'),
  {
    name: 'repaired',
    steps: [
      { name: 'repair.again', order: 'retire-1', run: overrun },
      { name: 'repair.published', run: (m) => m.store(m.published, m.own(m.published) + 1) },
      {
        name: 'repair.unlock',
        run: (m) => {
          m.store(m.lock, 0);
          return finish(m);
        },
      },
    ],
    onward: () => 'idle',
  },
];
