/**
 * The writer: src/pool/access/writer.ts (create, seal, publish, publishDetached, remove), reclaim.ts (announceEnd, retire, reclaim),
 * retirelog.ts (append), hazards.ts (scan). Whoever holds the shard's lock is this actor; between two calls it may be
 * another node each time, which coherent memory cannot tell.
 *
 * set: a draft outside the table, filled outside the lock, sealed; then the old page is retired; then its entry names the
 * new one (supersede-1). Retiring: state, record, sequence, so that the log tells of what is retired and never of more
 * (retire-1, retire-2); only then may a scan of the hazards call it free (hazard-1).
 * create: the draft has the entry from the start. delete: retired, and the entry zeroed.
 *
 * A death may come after every step; `takeover` in pages-repair.ts goes on from there.
 */
import {
  BY_WRITER,
  COUNTED,
  DRAFT,
  FREE,
  HELD,
  HIGH,
  IS_BUSY,
  KEY,
  NUMBER,
  OLD,
  PAGE,
  type PagesWorld,
  RETIRED,
  ROW,
  SEALED,
  SLOT,
  TASK,
  UNLOCKED,
} from './pages.js';
import { BLOCKED, type Next, type Routine, type Step } from './world.js';

type Writer = PagesWorld;

const SET = 0;
const CREATE = 1;
const DELETE = 2;

export function setState(m: Writer, slot: number, state: number): void {
  m.store(m.words.state + slot, (m.own(m.words.state + slot) & ~7) | state);
}

/** Lock and place are given up: nothing of the call is left in the actor. */
export function finish(m: Writer): string {
  for (const local of [KEY, SLOT, PAGE, OLD, HELD, ROW, COUNTED, HIGH, TASK, IS_BUSY, NUMBER]) m.set(local, 0);
  return 'idle';
}

const unlock: Routine<Writer> = {
  name: 'unlock',
  steps: [
    {
      name: 'unlock',
      run: (m) => {
        m.store(m.words.lock, UNLOCKED);
        if (m.get(OLD) !== 0) m.isOver(m.pageIn(m.get(OLD) - 1));
        if (m.get(PAGE) !== 0) m.isLive(m.get(KEY), m.get(PAGE));
        return finish(m);
      },
    },
  ],
  onward: () => 'idle',
};

function isFree(m: Writer, slot: number): boolean {
  return m.stateOf(slot) === FREE;
}

/** Takes one of the free slots; false when there is none. */
function reserve(m: Writer): boolean {
  const free = [...Array(m.bounds.slots).keys()].filter((slot) => isFree(m, slot));
  if (free.length === 0 || m.pages === m.bounds.publishes) return false;
  m.set(SLOT, free[m.choose(free.length)] as number);
  m.set(PAGE, m.newPage(m.get(KEY)));
  return true;
}

/** The sealed page of the key by its entry, as slot + 1; 0 for none. */
function live(m: Writer, key: number): number {
  const entry = m.own(m.words.entry + key);
  return entry !== 0 && m.stateOf(entry - 1) === SEALED ? entry : 0;
}

function begin(m: Writer): Next {
  const { keys, slots, deletes, hasCreates } = m.bounds;
  if (m.own(m.words.lock) !== UNLOCKED) return BLOCKED;
  const choice = m.choose(keys * 3 + 1);
  m.set(IS_BUSY, 1);
  m.store(m.words.lock, BY_WRITER);
  if (choice === keys * 3) {
    for (let slot = 0; slot < slots; slot++) if (m.stateOf(slot) === RETIRED) return 'scan';
    return BLOCKED;
  }
  const task = Math.floor(choice / keys);
  m.set(TASK, task);
  m.set(KEY, choice % keys);
  const old = live(m, m.get(KEY));
  if (task === DELETE) {
    if (old === 0 || m.deletes === deletes) return BLOCKED;
    m.set(OLD, old);
    m.deletionBegins(m.get(KEY));
    return m.has('scan first') ? 'scan' : 'announce';
  }
  if (task === CREATE && (!hasCreates || old !== 0)) return BLOCKED;
  return reserve(m) ? 'draft' : BLOCKED;
}

const idle: Routine<Writer> = {
  name: 'idle',
  steps: [{ name: 'lock', run: begin }],
  onward: () => 'idle',
};

/** create, up to the lock that sealing takes. */
const draft: Step<Writer>[] = [
  {
    name: 'draft.fields',
    order: 'draft-1',
    run: (m) => {
      m.write(m.words.key + m.get(SLOT), m.get(KEY));
      m.write(m.words.order + m.get(SLOT), 0);
    },
  },
  {
    name: 'draft.check',
    order: 'draft-1',
    run: (m) => {
      const { key, order, check } = m.words;
      const fields = (m.own(key + m.get(SLOT)) << 6) | ((m.own(order + m.get(SLOT)) & 7) << 3);
      m.write(check + m.get(SLOT), 1 + (fields | m.get(PAGE)));
    },
  },
  {
    name: 'draft.state',
    order: ['draft-1', 'table-1'],
    run: (m) => m.store(m.words.state + m.get(SLOT), (m.get(PAGE) << 3) | DRAFT),
  },
  {
    name: 'draft.entry',
    order: 'table-1',
    when: (m) => m.get(TASK) === CREATE,
    run: (m) => m.store(m.words.entry + m.get(KEY), m.get(SLOT) + 1),
  },
  { name: 'draft.unlock', run: (m) => m.store(m.words.lock, UNLOCKED) },
  // Outside the lock, by the caller's own stores.
  { name: 'fill', order: 'seal-1', run: (m) => m.write(m.words.data + m.get(SLOT), m.get(PAGE)) },
  {
    name: 'seal.lock',
    run: (m) => {
      if (m.own(m.words.lock) !== UNLOCKED) return BLOCKED;
      m.store(m.words.lock, BY_WRITER);
      m.set(OLD, m.get(TASK) === SET ? live(m, m.get(KEY)) : 0);
      return undefined;
    },
  },
];

/** makeSealed, between what publish and publishDetached do around it. */
const makeSealed: Step<Writer>[] = [
  {
    name: 'seal.entry',
    order: 'table-1',
    when: (m) => m.get(TASK) === SET && m.get(OLD) === 0,
    run: (m) => m.store(m.words.entry + m.get(KEY), m.get(SLOT) + 1),
  },
  {
    name: 'seal.order',
    order: 'seal-1',
    run: (m) => m.write(m.words.order + m.get(SLOT), m.own(m.words.published) + 1),
  },
  { name: 'seal.check', order: 'seal-1', run: (m) => m.write(m.words.check + m.get(SLOT), m.checkOf(m.get(SLOT))) },
  { name: 'seal.state', order: 'seal-1', run: (m) => setState(m, m.get(SLOT), SEALED) },
];

const hasOld = (m: Writer) => m.get(OLD) !== 0;
/** The record's number, the same from its first step to the last, in whatever order they are done. */
function number(m: Writer): number {
  if (m.get(NUMBER) === 0) m.set(NUMBER, m.own(m.words.sequence) + 1);
  return m.get(NUMBER);
}

const recordOf = (m: Writer, sequence: number) => sequence % m.bounds.ring;

/** Reclaimer.announceEnd. */
function announce(): Step<Writer>[] {
  return [
    {
      name: 'retire.state',
      order: ['retire-1', 'hazard-1'],
      when: hasOld,
      run: (m) => setState(m, m.get(OLD) - 1, RETIRED),
    },
    {
      name: 'log.invalid',
      order: 'retire-2',
      when: hasOld,
      run: (m) => m.store(m.words.number + recordOf(m, number(m)), 255 - number(m)),
    },
    {
      name: 'log.slot',
      order: 'retire-2',
      when: hasOld,
      run: (m) => m.store(m.words.record + recordOf(m, number(m)), m.get(OLD)),
    },
    {
      name: 'log.number',
      order: ['retire-1', 'retire-2'],
      when: hasOld,
      run: (m) => m.store(m.words.number + recordOf(m, number(m)), number(m)),
    },
    {
      name: 'log.sequence',
      order: ['retire-1', 'retire-2', 'hazard-1', 'supersede-1'],
      when: hasOld,
      run: (m) => m.store(m.words.sequence, number(m)),
    },
  ];
}

const seal: Routine<Writer>[] = [
  {
    name: 'draft',
    steps: [
      ...draft,
      ...makeSealed,
      ...announce(),
      {
        name: 'seal.replace',
        order: 'supersede-1',
        when: hasOld,
        run: (m) => m.store(m.words.entry + m.get(KEY), m.get(SLOT) + 1),
      },
      { name: 'seal.published', run: (m) => m.store(m.words.published, m.own(m.words.published) + 1) },
    ],
    onward: () => 'unlock',
  },
  {
    name: 'announce',
    steps: [
      ...announce(),
      { name: 'retire.entry', order: 'retire-1', run: (m) => m.store(m.words.entry + m.get(KEY), 0) },
    ],
    onward: (m) => (m.has('scan first') ? 'free' : 'unlock'),
  },
];

function mark(m: Writer, named: number): void {
  if (named > 0) m.set(HELD, m.get(HELD) | (1 << (named - 1)));
}

const rowOf = (m: Writer) => m.words.rows[m.get(ROW)] as Writer['words']['rows'][number];

function scanRow(): Step<Writer>[] {
  const entries: Step<Writer>[] = [0, 1, 2].map((entry) => ({
    name: entry === 0 ? 'scan.borrow' : `scan.borrow ${entry + 1}`,
    order: 'hazard-1',
    when: (m) => entry < m.get(COUNTED),
    run: (m) => mark(m, m.load(rowOf(m).borrows + entry)),
  }));
  return [
    { name: 'scan.count', order: 'hazard-1', run: (m) => m.set(COUNTED, m.load(rowOf(m).count)) },
    ...entries,
    {
      name: 'scan.high',
      order: 'hazard-1',
      when: (m) => m.bounds.hasPins,
      run: (m) => m.set(HIGH, m.load(rowOf(m).high)),
    },
    {
      name: 'scan.pin',
      order: 'hazard-1',
      when: (m) => m.get(HIGH) > 0,
      run: (m) => mark(m, m.load(rowOf(m).pin)),
    },
  ];
}

const scan: Routine<Writer>[] = [
  {
    name: 'scan',
    steps: [{ name: 'scan.fence', order: 'hazard-1', run: (m) => m.memory.fenceAll() }],
    onward: () => 'scan row',
  },
  { name: 'scan row', steps: scanRow(), onward: () => 'scan next' },
  {
    name: 'scan next',
    steps: [
      {
        name: 'scan.next',
        isPrivate: 'after',
        run: (m) => {
          m.set(COUNTED, 0);
          m.set(HIGH, 0);
          m.set(ROW, m.get(ROW) + 1);
          if (m.get(ROW) < m.bounds.readers) return 'scan row';
          m.set(ROW, 0);
          return m.has('scan first') && m.get(OLD) !== 0 ? 'announce' : 'free';
        },
      },
    ],
    onward: () => 'free',
  },
  {
    name: 'free',
    steps: [
      {
        name: 'free.next',
        isPrivate: 'after',
        run: (m) => {
          for (let slot = 0; slot < m.bounds.slots; slot++) {
            if (m.stateOf(slot) !== RETIRED || (m.get(HELD) & (1 << slot)) !== 0) continue;
            m.set(SLOT, slot);
            return undefined;
          }
          m.set(SLOT, 0);
          return 'unlock';
        },
      },
      { name: 'free.state', run: (m) => setState(m, m.get(SLOT), FREE) },
      { name: 'free.check', run: (m) => m.write(m.words.check + m.get(SLOT), 0) },
    ],
    onward: () => 'free',
  },
];

export const writer: readonly Routine<Writer>[] = [idle, ...seal, ...scan, unlock];
