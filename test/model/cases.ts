/** Every model under every bound that is run, and the step names of each for what is made of them. */
import { dropModel } from './drops.js';
import { Explorer, type Model, type Verdict } from './explore.js';
import { fenceModel } from './fences.js';
import { claimCases } from './hostclaims-cases.js';
import { deathCases, deathLargeCases } from './hostdeaths-cases.js';
import { pinCases, pinLargeCases } from './hostpins-cases.js';
import { joinModel } from './joins.js';
import { leaseModel } from './leases.js';
import { type PagesCase, pagesModel } from './pages-model.js';
import { lockCases, lockExceptions, lockLargeCases } from './softlock-cases.js';
import { untilModel } from './until.js';
import { installer, OPEN, SEALED, type VersionsBounds, VersionsWorld } from './versions.js';
import { asOfReader, installerDies, versionsHeir } from './versions-reader.js';
import { type Mutation, NO_MUTATION, type World } from './world.js';

export type Case = (mutation: Mutation) => Model<World>;

const pages = (bounds: PagesCase['bounds'], coarse?: PagesCase['coarse']): Case => {
  return (mutation) => as(pagesModel({ bounds, ...(coarse === undefined ? {} : { coarse }) }, mutation));
};

/** A model runs on its own kind of world only, and is never given another. */
function as<W extends World>(model: Model<W>): Model<World> {
  return model as unknown as Model<World>;
}

const versions = (bounds: Partial<VersionsBounds>): Case => {
  const all = { readers: 1, slots: 3, highest: 2, ring: 1, calls: 3, gets: 1, deaths: 0, hasFirst: false, ...bounds };
  const readers = Array.from({ length: all.readers }, (_, i) => ({ name: `reader ${i + 1}`, program: asOfReader }));
  return (mutation) =>
    as({
      name: 'versions',
      world: new VersionsWorld(all, mutation),
      actors: [{ name: 'installer', program: [...installer, ...versionsHeir] }, ...readers],
      start: (m: VersionsWorld, words) => {
        if (!all.hasFirst) return;
        words[m.state] = SEALED;
        words[m.from] = 1;
        words[m.until] = OPEN;
        words[m.entry] = 1;
      },
      judge: (m: VersionsWorld) => m.judge(),
      ...(all.deaths > 0 ? { die: installerDies } : {}),
    });
};

const two = { readers: 2, gets: 2 };

/** Of what has a world of its own: the lock between hosts, their deaths, pins and claims. */
function all<Name extends string, W extends World>(
  models: Readonly<Record<Name, (mutation: Mutation) => Model<W>>>,
): Record<Name, Case> {
  const entries = Object.entries<(mutation: Mutation) => Model<W>>(models);
  return Object.fromEntries(entries.map(([name, of]) => [name, (mutation: Mutation) => as(of(mutation))])) as Record<
    Name,
    Case
  >;
}

/** Small enough for every run of the tests. */
export const cases = {
  'one key': pages({}),
  'one key, deleted': pages({ publishes: 2, deletes: 1 }, 'writer'),
  'two keys': pages({ keys: 2, ring: 2, publishes: 3, deletes: 0 }),
  'store buffers': pages({ memory: 'buffered', deletes: 1, gets: 2 }, 'writer'),
  'hosts apart': pages({ memory: 'apart' }),
  'hosts apart, deleted': pages({ memory: 'apart', publishes: 2, deletes: 1 }, 'writer'),
  'hosts apart, two keys': pages({ memory: 'apart', keys: 2, ring: 2 }, 'writer'),
  pins: pages({ hasPins: true }, 'writer'),
  'under the lock': pages({ hasDecisions: true, hasBehind: true }, 'writer'),
  deaths: pages({ publishes: 2, deaths: 1 }),
  'two readers': pages({ ...two, publishes: 3 }, 'both'),
  'two readers, deleted': pages({ ...two, publishes: 1, deletes: 1 }, 'both'),
  'two readers, deaths': pages({ ...two, publishes: 2, deaths: 1 }, 'both'),
  created: pages({ publishes: 2, deletes: 1, hasCreates: true }, 'writer'),
  'deaths, deleted': pages({ publishes: 1, deletes: 1, deaths: 1 }),
  versions: versions({ slots: 2, calls: 2, gets: 2 }),
  'versions of a stripe': versions({ highest: 3, slots: 2, calls: 2, hasFirst: true }),
  'versions, deaths': versions({ calls: 1, slots: 2, gets: 2, deaths: 1 }),
  drops: (mutation) => as(dropModel(mutation)),
  leases: (mutation) => as(leaseModel(mutation)),
  joins: (mutation) => as(joinModel(mutation)),
  fences: (mutation) => as(fenceModel(mutation)),
  until: (mutation) => as(untilModel(mutation, [15, 9, 4, 2], false)),
  'until, once open': (mutation) => as(untilModel(mutation, [15, 6], true)),
  ...all(lockCases),
  ...all(deathCases),
  ...all(pinCases),
  ...all(claimCases),
} satisfies Record<string, Case>;

/** For `npm run model`: minutes. */
export const largeCases = {
  'two keys, created and deleted': pages({ keys: 2, ring: 2, publishes: 3, deletes: 1, hasCreates: true }, 'writer'),
  'hosts apart, two keys deleted': pages({ memory: 'apart', keys: 2, ring: 2, deletes: 2 }, 'writer'),
  'longer ring': pages({ ring: 2, publishes: 4, deletes: 1 }, 'writer'),
  'three slots': pages({ slots: 3, publishes: 4 }, 'writer'),
  'store buffers, every step': pages({ memory: 'buffered', publishes: 3, deletes: 1 }),
  'pins, deleted': pages({ hasPins: true, publishes: 2, deletes: 1 }),
  'deaths twice': pages({ publishes: 2, deaths: 2 }),
  'deaths of create and delete': pages({ publishes: 2, deletes: 1, hasCreates: true, deaths: 1 }, 'writer'),
  'deaths, store buffers': pages({ memory: 'buffered', publishes: 2, deaths: 1 }, 'writer'),
  'two readers, set and deleted': pages({ ...two, publishes: 2, deletes: 1 }, 'both'),
  'two readers, deaths twice': pages({ ...two, publishes: 2, deaths: 2 }, 'both'),
  'behind a stopped writer, two readers': pages({ ...two, publishes: 2, hasDecisions: true, hasBehind: true }, 'both'),
  'versions, longer': versions({}),
  'three versions': versions({ highest: 3, calls: 3, gets: 2 }),
  'versions, two readers': versions({ readers: 2, calls: 2, slots: 2 }),
  'versions, deaths, longer': versions({ calls: 3, slots: 2, gets: 2, deaths: 1 }),
  ...all(lockLargeCases),
  ...all(deathLargeCases),
  ...all(pinLargeCases),
} satisfies Record<string, Case>;

export type CaseName = keyof typeof cases | keyof typeof largeCases;

export function caseOf(name: CaseName): Case {
  return { ...cases, ...largeCases }[name];
}

/** What the protocol does not promise, shown: each of these must be objected to. */
export const exceptions: Record<string, Case> = {
  // A bounded end that comes down over a border of its high word looks too low for a moment.
  'until, over a border': (mutation) => as(untilModel(mutation, [4, 2], true)),
  ...all(lockExceptions),
};

export function check(of: Case, mutation: Mutation = NO_MUTATION, statesMax = 400_000): Verdict {
  return new Explorer(of(mutation)).run(statesMax);
}
