/** Bounds and mutants of the lock between hosts. */
import type { Model } from './explore.js';
import { lockModel } from './softlock.js';
import type { LockBounds, LockWorld } from './softlock-world.js';
import type { Mutation } from './world.js';

type LockCase = (mutation: Mutation) => Model<LockWorld>;

function locks(bounds: Partial<LockBounds>, flags: readonly string[] = []): LockCase {
  const all = { hosts: 2, turns: 1, dead: -1, deaths: 0, falseDeaths: 0, giveUps: 0, ...bounds };
  return (mutation) => lockModel(all, { ...mutation, flags: [...(mutation.flags ?? []), ...flags] });
}

export const lockCases = {
  'lock of two hosts': locks({ turns: 3, giveUps: 1 }),
  'lock of two hosts, deaths': locks({ turns: 2, deaths: 1, giveUps: 1 }),
  'lock of two hosts, falsely dead': locks({ turns: 2, falseDeaths: 1 }),
  'lock of three hosts': locks({ hosts: 3 }),
  'lock of three hosts, deaths': locks({ hosts: 3, deaths: 1 }),
  'lock beside a dead host, falsely dead': locks({ hosts: 3, turns: [2, 0, 1], dead: 1, falseDeaths: 1 }),
};

export const lockLargeCases = {
  'lock of two hosts, both kinds of death': locks({ turns: 2, deaths: 1, falseDeaths: 1 }),
  'lock of two hosts, two deaths': locks({ turns: 2, deaths: 2 }),
  'lock of three hosts, falsely dead': locks({ hosts: 3, falseDeaths: 1 }),
  'lock of three hosts, both kinds of death': locks({ hosts: 3, deaths: 1, falseDeaths: 1 }),
  'lock of three hosts, twice': locks({ hosts: 3, turns: 2 }),
};

/** What would be simpler, and is wrong. */
export const lockExceptions = {
  'lock: one image of what it guards, whoever repairs': locks({ turns: 2, deaths: 1 }, ['one image']),
  'lock: one image, and a host that is falsely dead': locks({ turns: 2, falseDeaths: 1 }, ['one image']),
};
