/**
 * The reader: src/pool/access/reader.ts, retirelog.ts (catchUp), hazards.ts (expose, keep, pin), near.ts.
 *
 * near hit: the hazard is stored, then the retire sequence loaded. Unchanged since this node last looked: whoever retired
 * the page since will scan after it stored the sequence, and so meet the hazard (hazard-1). Changed: `search`.
 *
 * search: the retire log is read up to the sequence and what it names forgotten (retire-2); the near index asked once more;
 * then the table: entry, hazard, state, key. A page found sealed is remembered under the sequence from before the probe, one
 * found retired is an answer for as long as the entry names it. A miss is believed only when no entry moved under the
 * probe (supersede-1) and both sequences stand where they stood.
 *
 * decide: after some tries, here whenever it likes, the reader looks under the lock; where it cannot be had, behind its
 * holder. Nothing else is shared by these ways, so one routine serves them: HOW says whose.
 */
import { AT, both, COUNT, CURRENT, HOW, KEY, PAGE, PINNED, POSITION, RECORD, SEEN, SLOT, WANTS_PIN } from './pages.js';
import { decide, missed, probe } from './pages-probe.js';
import { BEHIND, expose, forgetAll, forgetSlot, nearby, over, type Reader, row } from './pages-reading.js';
import { BLOCKED, type Next, type Routine } from './world.js';

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
