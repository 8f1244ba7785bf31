/**
 * The reader's way through the table: src/pool/access/reader.ts (probe, answer, search's judgement of a miss, decide). The order is
 * entry, hazard, state, entry once more, of a retired page the state once more, key.
 */
import { HOW, IS_RETIRED, KEY, MET, PAGE, PUBLISHED, RETIRED, SEALED, SEEN, SLOT, UNLOCKED } from './pages.js';
import { again, BEHIND, expose, found, miss, type Reader, remember, UNDER_LOCK } from './pages-reading.js';
import { BLOCKED, type Routine, type Step } from './world.js';

/** Reader.answer, of an exposed slot that is the key's page. */
const answer: Step<Reader>[] = [
  {
    name: 'probe.key',
    order: 'seal-1',
    run: (m) => {
      const key = m.load(m.words.key + m.get(SLOT));
      return key === m.get(KEY) || m.has('any key will do') ? undefined : 'missed';
    },
  },
  {
    name: 'probe.check',
    order: 'seal-1',
    when: (m) => !m.memory.isApart,
    run: (m) => {
      if (m.load(m.words.check + m.get(SLOT)) !== m.checkOf(m.get(SLOT))) m.fail('(M5) a get threw POOL_CORRUPT');
    },
  },
  {
    name: 'probe.data',
    order: 'seal-1',
    when: (m) => m.memory.isApart,
    run: (m) => m.invalidate(m.words.data + m.get(SLOT)),
  },
  {
    name: 'probe.remember',
    isPrivate: 'after',
    run: (m) => {
      if (m.get(IS_RETIRED) === 0 || m.has('retired page remembered')) remember(m);
      m.set(IS_RETIRED, 0);
    },
  },
  { name: 'probe.found', isPrivate: 'after', run: (m) => found(m) },
];

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
          m.set(PAGE, word >> 3);
          m.set(IS_RETIRED, (word & 7) === RETIRED ? 1 : 0);
          if ((word & 7) === RETIRED && m.has('retired page is no answer')) return 'missed';
          return (word & 7) === SEALED || (word & 7) === RETIRED ? undefined : 'missed';
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
      {
        name: 'probe.still',
        order: 'hazard-1',
        when: (m) => m.get(IS_RETIRED) === 1,
        run: (m) => {
          if (m.load(m.words.state + m.get(SLOT)) === ((m.get(PAGE) << 3) | RETIRED)) return undefined;
          m.set(MET, 1);
          return 'missed';
        },
      },
      ...answer,
    ],
    onward: (m) => found(m),
  },
];

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
        m.set(IS_RETIRED, 0);
        if (m.get(MET) === 0) return undefined;
        m.set(SLOT, 0);
        return again(m);
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
];
