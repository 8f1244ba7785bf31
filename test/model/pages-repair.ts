/**
 * Whoever comes after a dead writer: src/pool/nodes/locks.ts (takeover), repair.ts (repairShard, undoDraftsOf), and may die too.
 *
 * The lock stays with the dead, dirty, until a repair is through, so a repair that was cut off is done again from the
 * start. Its own order: the retire sequence past the ring before anything is freed (retire-1), as the dead may have left a
 * page RETIRED and not announced, which near entries still answer with; drafts undone; of two sealed pages of a key the
 * older retired; the table made to agree; the sequence past the ring once more, for what the repair itself retired.
 */
import { BY_WRITER, DRAFT, FREE, IS_BUSY, KEY, type PagesWorld, RETIRED, SEALED, SLOT, UNLOCKED } from './pages.js';
import { finish, setState } from './pages-writer.js';
import { BLOCKED, type Routine } from './world.js';

type Heir = PagesWorld;

/** The writer dies where it stands, unless it is between two calls. */
export function die(m: Heir): boolean {
  if (m.actor !== 0 || m.get(IS_BUSY) === 0 || m.deaths === m.bounds.deaths) return false;
  m.deaths++;
  finish(m);
  m.set(IS_BUSY, 1);
  return true;
}

const slots = (m: Heir) => [...Array(m.bounds.slots).keys()];
const keys = (m: Heir) => [...Array(m.bounds.keys).keys()];
const keyOf = (m: Heir, slot: number) => m.own(m.words.key + slot);

const takeover: Routine<Heir>[] = [
  {
    name: 'takeover',
    steps: [
      {
        name: 'takeover.lock',
        run: (m) => {
          const owner = m.own(m.words.lock);
          if (owner !== UNLOCKED && owner !== BY_WRITER) return BLOCKED;
          m.store(m.words.lock, BY_WRITER);
          return owner === BY_WRITER && !m.has('dead lock taken as it is') ? 'repair' : 'orphans';
        },
      },
    ],
    onward: () => 'repair',
  },
  {
    // Reclaimer.undoDraft
    name: 'orphans',
    steps: [
      {
        name: 'orphan.next',
        isPrivate: 'after',
        run: (m) => {
          const slot = slots(m).find((at) => m.stateOf(at) === DRAFT);
          if (slot === undefined) return 'repaired';
          m.set(SLOT, slot);
          m.set(KEY, keyOf(m, slot));
          return undefined;
        },
      },
      {
        name: 'orphan.entry',
        when: (m) => m.own(m.words.entry + m.get(KEY)) === m.get(SLOT) + 1,
        run: (m) => m.store(m.words.entry + m.get(KEY), 0),
      },
      { name: 'orphan.state', run: (m) => setState(m, m.get(SLOT), FREE) },
      { name: 'orphan.check', run: (m) => m.write(m.words.check + m.get(SLOT), 0) },
    ],
    onward: () => 'orphans',
  },
];

/** The older of two sealed pages of one key, or undefined. */
function olderTwin(m: Heir): number | undefined {
  const sealed = slots(m).filter((slot) => m.stateOf(slot) === SEALED);
  const isOlder = (one: number, other: number) =>
    keyOf(m, one) === keyOf(m, other) && m.own(m.words.order + one) < m.own(m.words.order + other);
  return sealed.find((slot) => sealed.some((other) => isOlder(slot, other)));
}

function isIntact(m: Heir, slot: number): boolean {
  return m.own(m.words.check + slot) === m.checkOf(slot);
}

/** A slot that repair sets free: a draft of the dead, or one that is damaged. */
function unsettled(m: Heir): number | undefined {
  return slots(m).find((slot) => m.stateOf(slot) !== FREE && (m.stateOf(slot) === DRAFT || !isIntact(m, slot)));
}

function isRight(m: Heir, key: number): boolean {
  const named = m.own(m.words.entry + key) - 1;
  return named < 0 || (m.stateOf(named) === SEALED && keyOf(m, named) === key);
}

const hasEntry = (m: Heir, slot: number) => m.own(m.words.entry + keyOf(m, slot)) === slot + 1;

const repair: Routine<Heir>[] = [
  {
    name: 'repair',
    steps: [{ name: 'repair.overrun', order: 'retire-1', run: overrun }],
    onward: () => 'settle',
  },
  {
    name: 'settle',
    steps: [
      {
        name: 'settle.free',
        order: 'draft-1',
        when: (m) => unsettled(m) !== undefined,
        run: (m) => {
          setState(m, unsettled(m) as number, FREE);
          return 'settle';
        },
      },
    ],
    onward: () => 'twins',
  },
  {
    name: 'twins',
    steps: [
      {
        name: 'twins.retire',
        order: 'retire-1',
        when: (m) => olderTwin(m) !== undefined,
        run: (m) => {
          setState(m, olderTwin(m) as number, RETIRED);
          return 'twins';
        },
      },
    ],
    onward: () => 'retired',
  },
  {
    name: 'retired',
    steps: [{ name: 'repair.retired', order: 'retire-1', run: overrun }],
    onward: () => 'table',
  },
  {
    name: 'table',
    steps: [
      {
        name: 'table.correct',
        order: 'supersede-1',
        when: (m) => keys(m).some((key) => !isRight(m, key)),
        run: (m) => {
          const key = keys(m).find((at) => !isRight(m, at)) as number;
          const heir = slots(m).find((slot) => m.stateOf(slot) === SEALED && keyOf(m, slot) === key);
          m.store(m.words.entry + key, heir === undefined || m.has('entry zeroed first') ? 0 : heir + 1);
          return 'table';
        },
      },
    ],
    onward: () => 'insert',
  },
  {
    name: 'insert',
    steps: [
      {
        name: 'table.insert',
        order: 'table-1',
        when: (m) => missing(m) !== undefined,
        run: (m) => {
          const slot = missing(m) as number;
          m.store(m.words.entry + keyOf(m, slot), slot + 1);
          return 'insert';
        },
      },
    ],
    onward: () => 'again',
  },
  {
    name: 'again',
    steps: [
      { name: 'repair.again', order: 'retire-1', run: overrun },
      { name: 'repair.published', run: (m) => m.store(m.words.published, m.own(m.words.published) + 1) },
    ],
    onward: () => 'repaired',
  },
  {
    name: 'repaired',
    steps: [
      {
        name: 'repair.unlock',
        run: (m) => {
          m.store(m.words.lock, UNLOCKED);
          m.isRepaired();
          return finish(m);
        },
      },
    ],
    onward: () => 'idle',
  },
];

function missing(m: Heir): number | undefined {
  return slots(m).find((slot) => m.stateOf(slot) === SEALED && !hasEntry(m, slot));
}

/** RetireLog.overrun. */
function overrun(m: Heir): void {
  m.store(m.words.sequence, m.own(m.words.sequence) + m.bounds.ring + 1);
}

export const heir: readonly Routine<Heir>[] = [...takeover, ...repair];
