/**
 * The reader: src/pool/reader.ts, retirelog.ts (catchUp), hazards.ts (expose, keep, pin), near.ts.
 *
 * near hit: the hazard is stored, then the retire sequence loaded. Unchanged since this node last looked: whoever retired
 * the page since will scan after it stored the sequence, and so meet the hazard (hazard-1). Changed: `search`.
 *
 * search: the retire log is read up to the sequence and what it names forgotten (retire-2); the near index asked once more;
 * then the table: entry, hazard, state, key. A page found so may be remembered under the sequence from before the probe.
 * A miss is believed only when no retired page was met (supersede-1) and both sequences stand where they stood.
 *
 * decide: after some tries, here whenever it likes, the reader looks under the lock; where it cannot be had, behind its
 * holder, the slots are asked as well. Nothing else is shared by these ways, so one routine serves them: HOW says whose.
 */
import {
  AT,
  both,
  COUNT,
  CURRENT,
  HOW,
  KEY,
  MET,
  PAGE,
  type PagesWorld,
  PINNED,
  POSITION,
  PUBLISHED,
  pageOf,
  RECORD,
  RETIRED,
  SEALED,
  SEEN,
  SLOT,
  slotOf,
  UNLOCKED,
  WANTS_PIN,
} from './pages.js';
import { BLOCKED, type Next, type Routine, type Step } from './world.js';

// 0: in search.
const UNDER_LOCK = 1;
const BEHIND = 2;

type Reader = PagesWorld;
const row = (m: Reader) => m.words.rows[m.actor - 1] as Reader['words']['rows'][number];

/** Hazards.expose: the ring's spare entry, then where need be the count. */
function expose(where: string): Step<Reader>[] {
  return [
    {
      name: `${where}.expose`,
      order: 'hazard-1',
      run: (m) => {
        if (m.has('exchange')) m.store(row(m).borrows + m.get(POSITION), m.get(SLOT) + 1);
        else m.write(row(m).borrows + m.get(POSITION), m.get(SLOT) + 1);
      },
    },
    {
      name: `${where}.raise`,
      order: 'hazard-1',
      when: (m) => m.get(POSITION) >= m.get(COUNT),
      run: (m) => {
        m.set(COUNT, m.bounds.borrows);
        m.store(row(m).count, m.get(COUNT));
      },
    },
  ];
}

function forgetAll(m: Reader): void {
  for (let key = 0; key < m.bounds.keys; key++) m.setNear(key, 0);
}

function forgetSlot(m: Reader, slot: number): void {
  for (let key = 0; key < m.bounds.keys; key++) {
    if (m.near(key) !== 0 && slotOf(m.near(key)) === slot) m.setNear(key, 0);
  }
}

function remember(m: Reader): void {
  forgetSlot(m, m.get(SLOT));
  if (m.has('remembered under what came after')) m.set(SEEN, m.own(m.words.sequence));
  m.setNear(m.get(KEY), both(m.get(SLOT), m.get(PAGE)));
}

/** The page is found: under the lock that is given back first. */
function found(m: Reader): string {
  return m.get(HOW) === UNDER_LOCK ? 'unlock' : 'take';
}

/** What the near index knows of the key, if anything. */
function nearby(m: Reader): boolean {
  const pair = m.near(m.get(KEY));
  if (pair === 0) return false;
  m.set(SLOT, slotOf(pair));
  m.set(PAGE, pageOf(pair));
  return true;
}

/** Locals that no later step reads are cleared, so that they do not tell states apart. */
function over(m: Reader): string {
  for (const local of [SLOT, PAGE, CURRENT, AT, RECORD, PUBLISHED, MET, HOW, WANTS_PIN]) m.set(local, 0);
  m.getEnds();
  return 'idle';
}

function miss(m: Reader): string {
  m.misses();
  return over(m);
}

/** No page was found: try again, or otherwise. */
function again(m: Reader): string {
  m.set(PAGE, 0);
  if (m.has('a failed look moves on')) m.set(POSITION, (m.get(POSITION) + 1) % m.bounds.borrows);
  if (m.get(HOW) === BEHIND) return 'behind';
  return m.bounds.hasDecisions && m.choose(2) === 1 ? 'decide' : 'search';
}

const idle: Routine<Reader> = {
  name: 'idle',
  steps: [
    {
      name: 'begin',
      isPrivate: 'before',
      run: (m): Next => {
        const { keys } = m.bounds;
        const choice = m.choose(keys * 2 + 2);
        if (choice === keys * 2) return m.get(COUNT) > 0 && m.bounds.gets === 0 ? 'end run' : BLOCKED;
        if (choice === keys * 2 + 1) return m.get(PINNED) !== 0 ? 'unpin' : BLOCKED;
        const wantsPin = choice >= keys;
        if (wantsPin && (!m.bounds.hasPins || m.get(PINNED) !== 0)) return BLOCKED;
        if (!m.mayGet()) return BLOCKED;
        m.set(KEY, choice % keys);
        m.set(WANTS_PIN, wantsPin ? 1 : 0);
        m.getBegins(choice % keys);
        return nearby(m) ? 'hit' : 'search';
      },
    },
  ],
  onward: () => 'idle',
};

const ends: Routine<Reader>[] = [
  {
    name: 'end run',
    steps: [
      {
        name: 'run.end',
        order: 'hazard-1',
        run: (m) => {
          for (let i = 0; i < m.bounds.borrows; i++) m.setBorrowed(i, 0);
          m.set(COUNT, 0);
          m.set(POSITION, 0);
          m.store(row(m).count, 0);
        },
      },
    ],
    onward: () => 'idle',
  },
  {
    name: 'unpin',
    steps: [
      {
        name: 'pin.release',
        run: (m) => {
          m.set(PINNED, 0);
          m.store(row(m).pin, 0);
        },
      },
    ],
    onward: () => 'idle',
  },
];

const hit: Routine<Reader> = {
  name: 'hit',
  steps: [
    ...expose('hit'),
    {
      name: 'hit.sequence',
      order: 'hazard-1',
      run: (m) => (m.load(m.words.sequence) === m.get(SEEN) ? undefined : 'search'),
    },
  ],
  onward: () => 'take',
};

/** The caller of find has the page exposed: it keeps the entry as a borrow, or pins (H3). */
const take: Routine<Reader>[] = [
  {
    name: 'take',
    steps: [
      {
        name: 'keep',
        isPrivate: 'after',
        when: (m) => m.get(WANTS_PIN) === 0,
        run: (m) => {
          const next = (m.get(POSITION) + 1) % m.bounds.borrows;
          m.setBorrowed(m.get(POSITION), both(m.get(SLOT), m.get(PAGE)));
          // The borrow whose entry is the spare one from now on is over.
          m.setBorrowed(next, 0);
          m.set(POSITION, next);
          m.answers(m.get(PAGE));
          return over(m);
        },
      },
      {
        name: 'pin.entry',
        order: 'hazard-1',
        run: (m) => {
          m.store(row(m).pin, m.get(SLOT) + 1);
        },
      },
      {
        name: 'pin.high',
        order: 'hazard-1',
        when: (m) => m.own(row(m).high) === 0,
        run: (m) => m.store(row(m).high, 1),
      },
      {
        name: 'pin.kept',
        isPrivate: 'after',
        run: (m) => {
          m.set(PINNED, both(m.get(SLOT), m.get(PAGE)));
          m.answers(m.get(PAGE));
          return over(m);
        },
      },
    ],
    onward: () => 'idle',
  },
];

const catchUp: Routine<Reader>[] = [
  {
    name: 'search',
    steps: [
      {
        name: 'search.sequence',
        order: 'retire-2',
        run: (m) => {
          m.set(PAGE, 0);
          m.set(CURRENT, m.load(m.words.sequence));
          m.set(AT, m.get(SEEN));
          const behind = m.get(CURRENT) - m.get(SEEN);
          if (behind === 0) return 'known';
          if (behind <= m.bounds.ring || m.has('overrun not noticed')) return 'record';
          return overrun(m);
        },
      },
    ],
    onward: () => 'known',
  },
  {
    name: 'record',
    steps: [
      { name: 'record.number', order: 'retire-2', run: (m) => isNumbered(m) },
      {
        name: 'record.slot',
        order: 'retire-2',
        run: (m) => m.set(RECORD, m.load(m.words.record + ((m.get(AT) + 1) % m.bounds.ring))),
      },
      { name: 'record.again', order: 'retire-2', run: (m) => isNumbered(m) },
      {
        name: 'record.forget',
        isPrivate: 'after',
        run: (m) => {
          if (m.get(RECORD) > 0) forgetSlot(m, m.get(RECORD) - 1);
          m.set(RECORD, 0);
          m.set(AT, m.get(AT) + 1);
          if (m.get(AT) !== m.get(CURRENT)) return 'record';
          m.set(SEEN, m.get(CURRENT));
          return 'known';
        },
      },
    ],
    onward: () => 'known',
  },
];

function overrun(m: Reader): string {
  forgetAll(m);
  m.set(SEEN, m.get(CURRENT));
  m.set(AT, 0);
  m.set(RECORD, 0);
  return 'known';
}

function isNumbered(m: Reader): Next {
  const wanted = m.get(AT) + 1;
  return m.load(m.words.number + (wanted % m.bounds.ring)) === wanted ? undefined : overrun(m);
}

/** Reader.again, second half: the near index once more. */
const known: Routine<Reader> = {
  name: 'known',
  steps: [
    {
      name: 'known.look',
      isPrivate: 'after',
      run: (m) => {
        m.set(CURRENT, 0);
        m.set(AT, 0);
        if (!nearby(m)) return m.get(HOW) === BEHIND ? 'probe' : 'published';
        return undefined;
      },
    },
    ...expose('known'),
    {
      name: 'known.sequence',
      order: 'hazard-1',
      run: (m) => {
        if (m.load(m.words.sequence) === m.get(SEEN)) return 'take';
        m.set(PAGE, 0);
        return m.get(HOW) === BEHIND ? 'probe' : 'published';
      },
    },
  ],
  onward: () => 'published',
};

const probe: Routine<Reader>[] = [
  {
    name: 'published',
    steps: [{ name: 'search.published', run: (m) => m.set(PUBLISHED, m.load(m.words.published)) }],
    onward: () => 'probe',
  },
  {
    name: 'probe',
    steps: [
      {
        name: 'probe.entry',
        order: 'table-1',
        run: (m) => {
          m.set(MET, 0);
          const entry = m.load(m.words.entry + m.get(KEY));
          if (entry === 0) return 'missed';
          m.set(SLOT, entry - 1);
          return undefined;
        },
      },
      ...expose('probe'),
      {
        name: 'probe.state',
        order: ['hazard-1', 'supersede-1', 'seal-1'],
        run: (m) => {
          const word = m.load(m.words.state + m.get(SLOT));
          if ((word & 7) === RETIRED && !m.has('retired page is no reason')) m.set(MET, 1);
          m.set(PAGE, word >> 3);
          return (word & 7) === SEALED ? undefined : 'missed';
        },
      },
      {
        name: 'probe.named',
        order: 'supersede-1',
        run: (m) => {
          if (m.load(m.words.entry + m.get(KEY)) === m.get(SLOT) + 1) return undefined;
          m.set(MET, 1);
          return 'missed';
        },
      },
      ...answer('probe', 'missed'),
    ],
    onward: (m) => found(m),
  },
];

/** Reader.answer, of an exposed slot seen sealed. */
function answer(where: string, otherwise: string): Step<Reader>[] {
  return [
    {
      name: `${where}.key`,
      order: 'seal-1',
      run: (m) => {
        const key = m.load(m.words.key + m.get(SLOT));
        return key === m.get(KEY) || m.has('any key will do') ? undefined : otherwise;
      },
    },
    {
      name: `${where}.check`,
      order: 'seal-1',
      when: (m) => !m.memory.isApart,
      run: (m) => {
        if (m.load(m.words.check + m.get(SLOT)) !== m.checkOf(m.get(SLOT))) m.fail('(M5) a get threw POOL_CORRUPT');
      },
    },
    {
      name: `${where}.data`,
      order: 'seal-1',
      when: (m) => m.memory.isApart,
      run: (m) => m.invalidate(m.words.data + m.get(SLOT)),
    },
    { name: `${where}.remember`, isPrivate: 'after', run: (m) => remember(m) },
    { name: `${where}.found`, isPrivate: 'after', run: (m) => found(m) },
  ];
}

/** No page at the entry: whether that is a miss. */
const missed: Routine<Reader> = {
  name: 'missed',
  steps: [
    {
      name: 'missed.how',
      isPrivate: 'after',
      run: (m) => {
        m.set(PAGE, 0);
        if (m.get(HOW) === UNDER_LOCK) return 'unlock';
        if (m.get(MET) === 0) return undefined;
        m.set(SLOT, 0);
        return m.get(HOW) === BEHIND ? 'slots' : again(m);
      },
    },
    {
      name: 'missed.published',
      run: (m) => (m.load(m.words.published) === m.get(PUBLISHED) ? undefined : again(m)),
    },
    {
      name: 'missed.retired',
      run: (m) => (m.load(m.words.sequence) === m.get(SEEN) ? miss(m) : again(m)),
    },
    { name: 'missed.believed', isPrivate: 'after', run: miss },
  ],
  onward: () => 'idle',
};

const decide: Routine<Reader>[] = [
  {
    name: 'decide',
    steps: [
      {
        name: 'decide.lock',
        run: (m) => {
          m.set(MET, 0);
          m.set(SLOT, 0);
          if (m.load(m.words.lock) !== UNLOCKED) return m.bounds.hasBehind ? 'behind' : BLOCKED;
          m.set(HOW, UNDER_LOCK);
          m.store(m.words.lock, m.actor + 1);
          return 'probe';
        },
      },
    ],
    onward: () => 'probe',
  },
  {
    name: 'unlock',
    steps: [
      {
        name: 'decide.unlock',
        run: (m) => {
          m.store(m.words.lock, UNLOCKED);
          return m.get(PAGE) === 0 ? miss(m) : 'take';
        },
      },
    ],
    onward: () => 'idle',
  },
  {
    name: 'behind',
    steps: [
      {
        name: 'behind.published',
        run: (m) => {
          m.set(HOW, BEHIND);
          m.set(PUBLISHED, m.load(m.words.published));
        },
      },
    ],
    onward: () => 'search',
  },
  {
    name: 'slots',
    steps: [
      {
        name: 'slots.hash',
        run: (m) => {
          if (m.get(SLOT) === m.bounds.slots) return 'missed behind';
          if (m.load(m.words.key + m.get(SLOT)) === m.get(KEY)) return undefined;
          m.set(SLOT, m.get(SLOT) + 1);
          return 'slots';
        },
      },
      ...expose('slots'),
      {
        name: 'slots.state',
        order: ['hazard-1', 'seal-1'],
        run: (m) => {
          const word = m.load(m.words.state + m.get(SLOT));
          m.set(PAGE, word >> 3);
          return (word & 7) === SEALED ? undefined : 'next slot';
        },
      },
      ...answer('slots', 'next slot'),
    ],
    onward: () => 'take',
  },
  {
    name: 'next slot',
    steps: [
      {
        name: 'slots.next',
        isPrivate: 'after',
        run: (m) => {
          m.set(PAGE, 0);
          m.set(SLOT, m.get(SLOT) + 1);
          return m.get(SLOT) === m.bounds.slots ? 'missed behind' : 'slots';
        },
      },
    ],
    onward: () => 'slots',
  },
  {
    name: 'missed behind',
    steps: [
      {
        name: 'behind.again',
        isPrivate: 'after',
        run: (m) => {
          m.set(MET, 0);
          m.set(SLOT, 0);
          return 'missed';
        },
      },
    ],
    onward: () => 'missed',
  },
];

export const reader: readonly Routine<Reader>[] = [
  idle,
  ...ends,
  hit,
  ...take,
  ...catchUp,
  known,
  ...probe,
  missed,
  ...decide,
];
