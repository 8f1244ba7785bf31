/**
 * The model of versions: src/pool/access/versions.ts, writer.ts (seal, publishDetached, remove), stripes.ts, and what the reader
 * does for a get as of a version. One key; its slots are not used twice (reuse is the model of pages' matter).
 *
 * A page answers as of a when from <= a < until. Installing v: what began before and reaches beyond v is cut off at v, and
 * the log says so, so that near entries with the old end go; only then is the new page sealed. So there are never two answers.
 * Before a page goes, what is told of the key's versions that are gone (versionbounds.ts, one word here) is raised to its own;
 * so what is evicted does not let an older page back in: an open-ended page below that, or below one that is there, is refused.
 *
 * What the oracle holds:
 * (V1) a get as of a answers with no page of before v <= a, once v was installed, refused or invalidated by a call that
 *      had returned, or was seen by a get that had returned, before it began.
 * (V2) no two sealed pages answer one version.
 * (V3) a get does not miss a page that answers from before it began until it ends.
 */
import { Sequential } from './memory.js';
import { BLOCKED, type Mutation, type Next, type Routine, type Step, World } from './world.js';

export const FREE = 0;
export const DRAFT = 1;
export const SEALED = 2;
export const RETIRED = 3;
export const OPEN = 7;

export interface VersionsBounds {
  readonly readers: number;
  readonly slots: number;
  /** Versions are 1 up to this. */
  readonly highest: number;
  readonly ring: number;
  /** Calls that write, in all. */
  readonly calls: number;
  readonly gets: number;
  readonly deaths: number;
  /** Version 1 is there from the start. */
  readonly hasFirst: boolean;
}

// Locals of the writer.
export const FROM = 1;
export const SLOT = 2;
export const TASK = 3;
export const AT = 4;
export const OLD = 5;
export const IS_BUSY = 6;
// Of a reader. NEAR: per slot, the end it remembers, 0 for nothing.
export const AS_OF = 1;
export const INDEX = 2;
export const SEEN = 3;
export const CURRENT = 4;
export const PUBLISHED = 5;
export const MET = 6;
export const FLOOR = 7;
export const THERE = 8;
export const GETS = 9;
export const CANDIDATE = 10;
export const NEAR = 11;

// 0: install.
const INVALIDATE = 1;
const EVICT = 2;
const OTHER_KEY = 3;

export class VersionsWorld extends World {
  readonly bounds: VersionsBounds;
  readonly state = 0;
  readonly from: number;
  readonly until: number;
  readonly entry: number;
  readonly record: number;
  readonly sequence: number;
  readonly published: number;
  readonly told: number;
  readonly lock: number;

  constructor(bounds: VersionsBounds, mutation: Mutation) {
    const { slots, ring, readers } = bounds;
    const names = (name: string, count: number) => Array.from({ length: count }, (_, i) => `${name} ${i}`);
    const wordNames = [
      ...['state of slot', 'from of slot', 'until of slot', 'entry'].flatMap((name) => names(name, slots)),
      ...names('record', ring),
      ...['retire sequence', 'publish sequence', 'told', 'lock'],
    ];
    const locals = NEAR + slots;
    const memory = new Sequential(wordNames.length);
    super({ memory, mutation, wordNames, actors: readers + 1, locals, ghosts: 3 });
    this.bounds = bounds;
    [this.from, this.until, this.entry, this.record] = [slots, slots * 2, slots * 3, slots * 4];
    this.sequence = slots * 4 + ring;
    [this.published, this.told, this.lock] = [this.sequence + 1, this.sequence + 2, this.sequence + 3];
  }
  // Ghost 0: versions that are in force, as bits; 1: calls made; 2: deaths.
  inForce(version: number): void {
    this.setGhost(0, this.ghost(0) | (1 << version));
  }
  slots(): number[] {
    return [...Array(this.bounds.slots).keys()];
  }
  isIn(slot: number, state: number): boolean {
    return this.own(this.state + slot) === state;
  }
  doesAnswer(slot: number, asOf: number, until: number): boolean {
    return this.own(this.from + slot) <= asOf && asOf < until;
  }
  /** What the call under way may take from the readers. */
  mayTake(slot: number, from: number): void {
    for (let reader = 1; reader <= this.bounds.readers; reader++) {
      if (this.of(reader, THERE) === slot + 1 && this.of(reader, AS_OF) >= from) this.setOf(reader, THERE, 0);
    }
  }
  judge(): void {
    for (let asOf = 1; asOf <= this.bounds.highest; asOf++) {
      const answers = this.slots().filter(
        (slot) => this.isIn(slot, SEALED) && this.doesAnswer(slot, asOf, this.own(this.until + slot)),
      );
      // A page and its successor of the same version are both sealed until the older one is retired.
      const froms = new Set(answers.map((slot) => this.own(this.from + slot)));
      if (froms.size > 1) this.fail(`(V2) slots ${answers.join(' and ')} both answer as of ${asOf}`);
    }
  }
}

type W = VersionsWorld;

/** RetireLog.append; number and slot in one word here, as torn records are the model of pages' matter. */
function append(m: W, slot: number): void {
  const number = m.own(m.sequence) + 1;
  m.store(m.record + (number % m.bounds.ring), number * 8 + slot);
}

export const finish = (m: W): string => {
  for (const local of [FROM, SLOT, TASK, AT, OLD, IS_BUSY]) m.set(local, 0);
  return 'idle';
};

function begin(m: W): Next {
  const { slots, highest, calls } = m.bounds;
  if (m.ghost(1) === calls) return BLOCKED;
  const task = m.choose(4);
  m.set(IS_BUSY, 1);
  m.set(TASK, task);
  m.setGhost(1, m.ghost(1) + 1);
  m.store(m.lock, 1);
  if (task === EVICT) {
    const slot = m.choose(slots);
    if (!m.isIn(slot, SEALED)) return BLOCKED;
    m.set(OLD, slot + 1);
    m.mayTake(slot, 0);
    return 'retire';
  }
  m.set(FROM, 1 + m.choose(highest));
  if (task === OTHER_KEY) return 'raise';
  for (const slot of m.slots()) m.mayTake(slot, m.get(FROM));
  if (task === INVALIDATE) return 'raise';
  const slot = m.slots().find((at) => m.isIn(at, FREE));
  if (slot === undefined) return BLOCKED;
  m.set(SLOT, slot);
  return 'draft';
}

/** A sealed page of the key that reaches over the version at which it has to end. */
function overreaching(m: W): number | undefined {
  return m.slots().find((slot) => {
    const isBefore = m.own(m.from + slot) < m.get(FROM) && m.own(m.until + slot) > m.get(FROM);
    return m.isIn(slot, SEALED) && isBefore;
  });
}

function nextVersion(m: W): number {
  const later = m.slots().filter((slot) => m.isIn(slot, SEALED) && m.own(m.from + slot) > m.get(FROM));
  return Math.min(OPEN, ...later.map((slot) => m.own(m.from + slot)));
}

/** Versions.shorten, for each page that reaches too far. */
const shorten: Step<W>[] = [
  {
    name: 'shorten.find',
    isPrivate: 'after',
    run: (m) => {
      const slot = overreaching(m);
      m.set(AT, slot === undefined ? 0 : slot + 1);
    },
  },
  {
    name: 'shorten.until',
    order: 'until-1',
    when: (m) => m.get(AT) !== 0,
    run: (m) => m.store(m.until + m.get(AT) - 1, m.get(FROM)),
  },
  { name: 'shorten.record', order: 'retire-2', when: (m) => m.get(AT) !== 0, run: (m) => append(m, m.get(AT) - 1) },
  {
    name: 'shorten.sequence',
    order: 'retire-2',
    when: (m) => m.get(AT) !== 0,
    run: (m) => m.store(m.sequence, m.own(m.sequence) + 1),
  },
];

/** Of what is there, and of what is told of the rest. */
function newestVersion(m: W): number {
  const there = m.slots().filter((slot) => m.isIn(slot, SEALED) && !m.has('pages that are there are not looked at'));
  return Math.max(m.own(m.told), ...there.map((slot) => m.own(m.from + slot)));
}

const isOutdated = (m: W) => m.get(FROM) < newestVersion(m) && !m.has('outdated pages are taken');

const install: Routine<W>[] = [
  {
    name: 'draft',
    steps: [
      {
        name: 'draft',
        order: ['draft-1', 'version-1'],
        run: (m) => {
          m.store(m.from + m.get(SLOT), m.get(FROM));
          m.store(m.until + m.get(SLOT), OPEN);
          m.store(m.state + m.get(SLOT), DRAFT);
          return isOutdated(m) ? 'refuse' : undefined;
        },
      },
    ],
    onward: () => 'install',
  },
  {
    name: 'refuse',
    steps: named(shorten, 'refuse'),
    onward: (m) => (m.get(AT) !== 0 ? 'refuse' : 'undo'),
  },
  {
    name: 'undo',
    steps: [{ name: 'draft.undo', run: (m) => m.store(m.state + m.get(SLOT), FREE) }],
    onward: () => 'unlock',
  },
  {
    name: 'install',
    steps: [
      ...shorten,
      {
        name: 'install.next',
        isPrivate: 'after',
        run: (m) => (m.get(AT) !== 0 ? 'install' : undefined),
      },
      {
        name: 'install.until',
        order: 'until-1',
        when: (m) => nextVersion(m) !== OPEN,
        run: (m) => m.store(m.until + m.get(SLOT), nextVersion(m)),
      },
      {
        name: 'install.twin',
        isPrivate: 'after',
        run: (m) => {
          const isTwin = (slot: number) =>
            slot !== m.get(SLOT) && m.isIn(slot, SEALED) && m.own(m.from + slot) === m.get(FROM);
          m.set(OLD, m.slots().findIndex(isTwin) + 1);
        },
      },
      {
        name: 'install.entry',
        order: 'table-1',
        when: (m) => m.get(OLD) === 0,
        run: (m) => m.store(m.entry + freeEntry(m), m.get(SLOT) + 1),
      },
      { name: 'install.state', order: 'seal-1', run: (m) => m.store(m.state + m.get(SLOT), SEALED) },
      ...named(retire(), 'install'),
      {
        name: 'install.replace',
        order: 'supersede-1',
        when: (m) => m.get(OLD) !== 0,
        run: (m) => m.store(m.entry + entryOf(m, m.get(OLD) - 1), m.get(SLOT) + 1),
      },
      { name: 'install.published', run: (m) => m.store(m.published, m.own(m.published) + 1) },
    ],
    onward: () => 'unlock',
  },
];

/** The same steps in another routine have names of their own. */
function named(steps: readonly Step<W>[], where: string): Step<W>[] {
  return steps.map((step) => ({ ...step, name: `${where}.${step.name}` }));
}

export const entryOf = (m: W, slot: number) => m.slots().findIndex((at) => m.own(m.entry + at) === slot + 1);
export const freeEntry = (m: W) => m.slots().findIndex((at) => m.own(m.entry + at) === 0);

function retire(): Step<W>[] {
  const hasOld = (m: W) => m.get(OLD) !== 0;
  return [
    {
      name: 'retire.state',
      order: 'retire-1',
      when: hasOld,
      run: (m) => m.store(m.state + m.get(OLD) - 1, RETIRED),
    },
    { name: 'retire.record', order: 'retire-2', when: hasOld, run: (m) => append(m, m.get(OLD) - 1) },
    {
      name: 'retire.sequence',
      order: 'retire-2',
      when: hasOld,
      run: (m) => m.store(m.sequence, m.own(m.sequence) + 1),
    },
  ];
}

/** Writer.remove with a version: pages from it on are hidden, those of before end there. */
const invalidate: Routine<W>[] = [
  {
    name: 'raise',
    steps: [
      {
        name: 'invalidate.told',
        run: (m) => {
          m.store(m.told, Math.max(m.own(m.told), m.get(FROM)));
          return m.get(TASK) === OTHER_KEY ? 'unlock' : undefined;
        },
      },
    ],
    onward: () => 'cut',
  },
  { name: 'cut', steps: named(shorten, 'invalidate'), onward: (m) => (m.get(AT) !== 0 ? 'cut' : 'hide') },
  {
    name: 'hide',
    steps: [
      {
        name: 'hide.find',
        isPrivate: 'after',
        run: (m) => {
          const isLater = (slot: number) => m.isIn(slot, SEALED) && m.own(m.from + slot) >= m.get(FROM);
          m.set(OLD, m.slots().findIndex(isLater) + 1);
          return m.get(OLD) === 0 ? 'unlock' : 'retire';
        },
      },
    ],
    onward: () => 'unlock',
  },
  {
    name: 'retire',
    steps: [
      // Not where a page of the same version takes its place: install.
      {
        name: 'retire.told',
        order: 'version-1',
        run: (m) => m.store(m.told, Math.max(m.own(m.told), m.own(m.from + m.get(OLD) - 1))),
      },
      ...retire(),
      {
        name: 'retire.entry',
        order: 'retire-1',
        run: (m) => {
          m.store(m.entry + entryOf(m, m.get(OLD) - 1), 0);
          return m.get(TASK) === EVICT ? 'unlock' : 'hide';
        },
      },
    ],
    onward: () => 'unlock',
  },
];

const unlock: Routine<W> = {
  name: 'unlock',
  steps: [
    {
      name: 'unlock',
      run: (m) => {
        m.store(m.lock, 0);
        if (m.get(TASK) <= INVALIDATE) m.inForce(m.get(FROM));
        return finish(m);
      },
    },
  ],
  onward: () => 'idle',
};

export const installer: readonly Routine<W>[] = [
  { name: 'idle', steps: [{ name: 'lock', run: begin }], onward: () => 'idle' },
  ...install,
  ...invalidate,
  unlock,
];
