/**
 * Leases: src/cache/domain.ts (lease), src/pool/access/writer.ts (seal, remove), stripes.ts. A fill must not store what it read
 * from the source before an invalidation that has returned since.
 *
 * The lease is the stripe's count, read before the source is; the fill compares it under the shard's lock, and every
 * invalidation moves it under that lock (lease-1). A page here is the version of the source that it was read from.
 *
 * (L) a get that begins after invalidate returned answers with nothing older than what the source had by then.
 */
import type { Model } from './explore.js';
import { SmallWorld } from './small.js';
import { BLOCKED, type Mutation, type Routine, type Step } from './world.js';

type W = SmallWorld;
const [LEASE, VALUE] = [1, 2] as const;
const FLOOR = 1;
const CHANGES_MAX = 2;
/** Ghost: what invalidations that returned say is the least. */
const LEAST = 0;

function lock(name: string): Step<W> {
  return {
    name,
    order: 'lease-1',
    run: (m) => {
      if (m.now('lock') !== 0) return BLOCKED;
      m.put('lock', 1);
      return undefined;
    },
  };
}

const filler: readonly Routine<W>[] = [
  {
    name: 'idle',
    steps: [
      { name: 'lease.count', order: 'lease-1', run: (m) => m.set(LEASE, m.read('count')) },
      { name: 'lease.source', order: 'lease-1', run: (m) => m.set(VALUE, m.read('source')) },
      lock('fill.lock'),
      {
        name: 'fill.compare',
        order: 'lease-1',
        run: (m) => (m.read('count') === m.get(LEASE) ? undefined : 'unlock'),
      },
      { name: 'fill.page', order: 'seal-1', run: (m) => m.put('page', m.get(VALUE)) },
    ],
    onward: () => 'unlock',
  },
  {
    name: 'unlock',
    steps: [
      {
        name: 'fill.unlock',
        run: (m) => {
          m.put('lock', 0);
          m.set(LEASE, 0);
          m.set(VALUE, 0);
        },
      },
    ],
    onward: () => 'idle',
  },
];

const changer: readonly Routine<W>[] = [
  {
    name: 'idle',
    steps: [
      {
        name: 'change.source',
        run: (m) => {
          if (m.now('source') > CHANGES_MAX) return BLOCKED;
          m.put('source', m.now('source') + 1);
          return undefined;
        },
      },
      lock('invalidate.lock'),
      { name: 'invalidate.count', order: 'lease-1', run: (m) => m.put('count', m.now('count') + 1) },
      { name: 'invalidate.page', order: 'retire-1', run: (m) => m.put('page', 0) },
      {
        name: 'invalidate.unlock',
        order: 'lease-1',
        run: (m) => {
          m.put('lock', 0);
          m.setGhost(LEAST, m.now('source'));
        },
      },
    ],
    onward: () => 'idle',
  },
];

const reader: readonly Routine<W>[] = [
  {
    name: 'idle',
    steps: [
      {
        name: 'get',
        order: 'seal-1',
        run: (m) => {
          const page = m.read('page');
          if (page !== 0 && page < m.ghost(LEAST))
            m.fail(`(L) a get answered with ${page} of the source's ${m.ghost(LEAST)}`);
        },
      },
    ],
    onward: () => 'idle',
  },
];

export function leaseModel(mutation: Mutation): Model<W> {
  return {
    name: 'leases',
    world: new SmallWorld(mutation, ['source', 'count', 'page', 'lock'], 3, FLOOR),
    actors: [
      { name: 'filler', program: filler },
      { name: 'changer', program: changer },
      { name: 'reader', program: reader },
    ],
    start: (m, words) => {
      words[m.word('source')] = 1;
    },
    judge: () => {},
  };
}
