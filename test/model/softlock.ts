/**
 * A lock between hosts whose memory is not kept coherent (CXL 2.0), from loads and stores alone: Lamport's bakery on lines that
 * only their own host ever writes. One actor is one host: within it a real compare-and-exchange comes first, so that hosts
 * contend and not processes. Nothing of it is built yet; docs/COHERENCE.md says what it decides.
 *
 * A host's line: [choosing, number | term | declaring | dead], moved whole.
 *
 * (S1) Who wants the lock says that it chooses, reads every number, and takes a higher one; then it waits for each host that
 *      chooses or is before it. The number 0 gives up, or gives back, at any step.
 * (S2) What the lock guards is addressed by term: each term has images of its own, of who began it. The newest term that counts
 *      is the truth. A host's line tells both its term and whom it declares dead, so what is read of one belongs to the other.
 * (S3) Who waits in vain for a host declares it dead in its own line, reads the line of the dead once more, and goes on. In the
 *      critical section it copies the image to a fresh one and begins the next term, in one store with who is dead from then on.
 *      What the dead publish as of that term, or a later one, does not count.
 * (S4) A change is acknowledged when it was written back and a look at all lines afterwards found nobody who declares its host
 *      dead. Whoever finds himself declared is fenced.
 *
 * What is judged:
 * (X) of hosts that nobody has declared dead no two are inside.
 * (G) who is inside, and not declared dead, sees every change that was acknowledged before, and no other; after a death inside
 *     also the one that was under way then, or not.
 * (A) no change is acknowledged that a repair has left out.
 */
import { Explorer, type Model } from './explore.js';
import {
  AT,
  changed,
  DEATH,
  DEATHS,
  FALSE_DEATHS,
  GIVE_UPS,
  HAS_HEIR,
  IMAGE,
  INSIDE,
  LINES_LEFT,
  LIVES,
  type Line,
  type LockBounds,
  LockWorld,
  MAX,
  NO_POWER,
  SEEN,
  TERM_MAX,
  TURNS,
  VALUE,
} from './softlock-world.js';
import { BLOCKED, type Mutation, NO_MUTATION, type Routine, type Step } from './world.js';

type W = LockWorld;

/** A step for each other host, one after the other. */
function each(name: string, look: (m: W, host: number) => ReturnType<Step<W>['run']>): Step<W>[] {
  return [
    {
      name,
      when: (m) => {
        if (m.get(AT) === m.actor) m.set(AT, m.get(AT) + 1);
        return m.get(AT) < m.hosts;
      },
      run: (m) => look(m, m.get(AT)),
    },
  ];
}

/** On to the next host: the same routine from its beginning, or what follows it. */
function onward(self: string, next: string) {
  return (m: W) => {
    if (m.get(AT) === m.actor) m.set(AT, m.get(AT) + 1);
    if (m.get(AT) < m.hosts) return self;
    m.set(AT, 0);
    return next;
  };
}

function isBefore(line: Line, host: number, m: W): boolean {
  const { number } = m.mine;
  if (line.isChoosing) return !m.has('choosing not waited for');
  const isTie = line.number === number && !m.has('equal numbers pass');
  return line.number !== 0 && (line.number < number || (isTie && host < m.actor));
}

/** What may be done instead of waiting for the host: nothing, giving up, declaring it dead. */
function whileWaiting(m: W, host: number): string | typeof BLOCKED {
  const ways: (() => string | typeof BLOCKED)[] = [() => BLOCKED];
  if (m.get(GIVE_UPS) > 0) {
    ways.push(() => {
      m.set(GIVE_UPS, m.get(GIVE_UPS) - 1);
      return 'give up';
    });
  }
  const isDead = m.of(host, DEATH) >= LINES_LEFT;
  if (isDead) ways.push(() => 'declare');
  else if (m.ghost(FALSE_DEATHS) > 0) {
    ways.push(() => {
      m.setGhost(FALSE_DEATHS, m.ghost(FALSE_DEATHS) - 1);
      return 'declare';
    });
  }
  return (ways[m.choose(ways.length)] as (typeof ways)[number])();
}

const host: readonly Routine<W>[] = [
  {
    name: 'idle',
    steps: [
      {
        name: 'lock.choosing',
        run: (m) => {
          if (m.get(TURNS) === 0) return BLOCKED;
          m.set(TURNS, m.get(TURNS) - 1);
          m.change({ isChoosing: !m.has('no choosing') });
        },
      },
    ],
    onward: () => 'numbers',
  },
  {
    name: 'numbers',
    steps: each('number.read', (m, other) => {
      m.set(MAX, Math.max(m.get(MAX), m.lineOf(m.load(other)).number));
      m.set(AT, other + 1);
    }),
    onward: onward('numbers', 'take'),
  },
  {
    name: 'take',
    steps: [{ name: 'lock.number', run: (m) => m.change({ isChoosing: false, number: m.get(MAX) + 1 }) }],
    onward: (m) => {
      m.set(MAX, 0);
      return 'wait';
    },
  },
  {
    name: 'wait',
    steps: each('wait.read', (m, other) => {
      const line = m.look(other);
      const isDeclared = ((m.mine.declaring | m.mine.dead) & (1 << other)) !== 0;
      if (!isDeclared && isBefore(line, other, m)) return whileWaiting(m, other);
      m.set(AT, other + 1);
      return undefined;
    }),
    onward: onward('wait', 'look'),
  },
  {
    name: 'declare',
    steps: [
      {
        name: 'declare',
        run: (m) => {
          const bit = 1 << m.get(AT);
          m.change({ declaring: m.mine.declaring | bit });
        },
      },
      { name: 'declare.reread', run: (m) => void m.look(m.get(AT)) },
      { name: 'declare.on', isPrivate: 'after', run: (m) => m.set(AT, m.get(AT) + 1) },
    ],
    onward: onward('wait', 'look'),
  },
  {
    name: 'give up',
    steps: [
      {
        name: 'give up',
        run: (m) => {
          m.forgetTurn();
          m.change({ isChoosing: false, number: 0 });
        },
      },
    ],
    onward: () => 'idle',
  },
  {
    name: 'look',
    steps: [
      {
        name: 'look.late',
        when: (m) => m.has('terms are read late'),
        run: (m) => {
          for (let other = 0; other < m.hosts; other++) {
            if (other === m.actor) continue;
            const before = m.seen(other);
            const { term } = m.look(other);
            m.set(SEEN + other, m.byteOf({ ...before, term }));
          }
        },
      },
      {
        name: 'image.load',
        run: (m) => {
          if (m.isDeclared()) return 'fenced';
          m.set(IMAGE, m.imageOf(m.newest()));
          const value = m.readImage();
          m.enter(value, m.get(INSIDE) === 1);
          if (m.has('one image')) m.overrule();
          m.set(VALUE, value);
          m.set(INSIDE, 1);
          m.tell(`host ${m.actor} works on ${value} of image ${m.get(IMAGE)}`);
          return undefined;
        },
      },
    ],
    onward: (m) => (m.undecided === 0 || m.has('one image') ? 'work' : 'repair'),
  },
  {
    name: 'repair',
    steps: [
      {
        name: 'repair.image',
        run: (m) => {
          const { term } = m.newest();
          if (term === TERM_MAX) return BLOCKED;
          m.set(IMAGE, m.imageOf({ term: term + 1, by: m.actor }));
          m.lines.put(m.actor, m.get(IMAGE), m.get(VALUE));
          return undefined;
        },
      },
      { name: 'repair.flush', run: (m) => m.cleanImage() },
      {
        name: 'repair.publish',
        run: (m) => {
          const { declaring, dead } = m.mine;
          m.overrule();
          m.change({ term: m.newest().term + 1, dead: dead | declaring });
        },
      },
    ],
    onward: () => 'work',
  },
  {
    name: 'work',
    steps: [
      { name: 'work.store', run: (m) => m.lines.put(m.actor, m.get(IMAGE), changed(m.get(VALUE), m.actor)) },
      {
        name: 'work.flush',
        when: (m) => !m.has('last look first'),
        run: (m) => m.cleanImage(),
      },
    ],
    onward: (m) => (m.has('no last look') ? 'leave' : 'last look'),
  },
  {
    name: 'last look',
    steps: each('last.read', (m, other) => {
      const { declaring, dead } = m.look(other);
      if (((declaring | dead) & (1 << m.actor)) !== 0) return 'fenced';
      m.set(AT, other + 1);
      return undefined;
    }),
    onward: onward('last look', 'leave'),
  },
  {
    name: 'leave',
    steps: [
      { name: 'leave.flush', when: (m) => m.has('last look first'), run: (m) => m.cleanImage() },
      {
        name: 'leave',
        run: (m) => {
          m.acknowledge();
          m.forgetTurn();
          m.change({ number: 0 });
        },
      },
    ],
    onward: () => 'idle',
  },
  {
    name: 'fenced',
    steps: [
      // It stores nothing more: others may as well take it for dead.
      { name: 'stop', isPrivate: 'before', run: (m) => void (m.get(DEATH) === LIVES && m.set(DEATH, LINES_LEFT)) },
      { name: 'stopped', run: () => BLOCKED },
    ],
    onward: () => 'fenced',
  },
  // The next process of the host: it has its cache, and knows how far the dead one was.
  {
    name: 'takeover',
    steps: [{ name: 'heir', isPrivate: 'before', run: () => undefined }],
    onward: (m) => {
      if (m.get(DEATH) !== HAS_HEIR) return 'fenced';
      m.set(DEATH, LIVES);
      m.set(AT, 0);
      m.set(MAX, 0);
      if (m.get(INSIDE) === 1) return 'look';
      return m.mine.isChoosing || m.mine.number > 0 ? 'give up' : 'idle';
    },
  },
];

const caches: readonly Routine<W>[] = [
  {
    name: 'idle',
    steps: [
      {
        name: 'a line leaves',
        run: (m) => (m.lines.leave((count) => m.choose(count)) ? undefined : BLOCKED),
      },
    ],
    onward: () => 'idle',
  },
];

function die(m: W): boolean {
  if (m.actor >= m.hosts || m.ghost(DEATHS) === 0 || m.get(DEATH) !== LIVES) return false;
  m.setGhost(DEATHS, m.ghost(DEATHS) - 1);
  const how = 1 + m.choose(3);
  m.set(DEATH, how);
  if (how === NO_POWER) m.lines.losePower(m.actor, (count) => m.choose(count));
  m.tell(['', 'its host has a next process', 'its lines stay in the cache', 'its host loses power'][how] as string);
  return true;
}

/** One host takes the lock and gives it back, beside others that want nothing: line operations, by step. */
export function operationsAlone(hosts: number): Record<string, number> {
  const model = lockModel({ hosts, turns: [1], dead: -1, deaths: 0, falseDeaths: 0, giveUps: 0 }, NO_MUTATION);
  const { world, actors } = model;
  new Explorer({ ...model, actors: actors.slice(0, hosts) }).run(10_000);
  return Object.fromEntries(world.operations);
}

export function lockModel(bounds: LockBounds, mutation: Mutation): Model<W> {
  const hosts = Array.from({ length: bounds.hosts }, (_, index) => ({ name: `host ${index}`, program: host }));
  return {
    name: 'a lock between hosts',
    world: new LockWorld(bounds, mutation),
    actors: [...hosts, { name: 'caches', program: caches }],
    start: (m, words) => {
      const { turns, dead } = bounds;
      if (dead >= 0) {
        words[dead] = m.byteOf({ isChoosing: false, number: 1, term: 0, declaring: 0, dead: 0 });
        m.setOf(dead, DEATH, LINES_LEFT);
        m.setOf(dead, INSIDE, 1);
      }
      for (let index = 0; index < m.hosts; index++) {
        m.setOf(index, TURNS, typeof turns === 'number' ? turns : (turns[index] ?? 0));
        m.setOf(index, GIVE_UPS, bounds.giveUps);
      }
      m.setGhost(DEATHS, bounds.deaths);
      m.setGhost(FALSE_DEATHS, bounds.falseDeaths);
    },
    judge: () => {},
    ...(bounds.deaths > 0 ? { die } : {}),
  };
}
