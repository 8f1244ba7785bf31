/**
 * The reader's way through the table: src/pool/reader.ts (probe, answer, search's judgement of a miss, decide). The order is
 * entry, hazard, state, entry once more, key.
 */
import { HOW, KEY, MET, PAGE, PUBLISHED, RETIRED, SEALED, SEEN, SLOT, UNLOCKED } from './pages.js';
import { again, BEHIND, expose, found, miss, type Reader, remember, UNDER_LOCK } from './pages-reading.js';
import { BLOCKED, type Routine, type Step } from './world.js';

export const probe: Routine<Reader>[] = [
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
export const missed: Routine<Reader> = {
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

export const decide: Routine<Reader>[] = [
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
