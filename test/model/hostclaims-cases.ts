/** Mutants of one key, one owner: each writeback, invalidate and look left out, one after another. */

import type { Model } from './explore.js';
import { type ClaimWorld, claimModel } from './hostclaims.js';
import type { Mutation } from './world.js';

const CASE = 'host claims';

export const claimCases: Readonly<Record<typeof CASE, (mutation: Mutation) => Model<ClaimWorld>>> = {
  [CASE]: claimModel,
};

interface ClaimMutant extends Mutation {
  readonly on: typeof CASE;
  readonly survives?: string;
}

const WAITS = 'it only keeps others waiting, or lets them give up';

export const claimMutants: readonly ClaimMutant[] = [
  { name: 'unflushed: claim', on: CASE, unflushed: ['claim'] },
  { name: 'unflushed: look.log', on: CASE, unflushed: ['look.log'] },
  { name: 'unflushed: page', on: CASE, unflushed: ['page'] },
  { name: 'unflushed: page.deaths', on: CASE, unflushed: ['page.deaths'] },
  { name: 'unflushed: claims, pending', on: CASE, unflushed: ['declare.claims'] },
  { name: 'unflushed: claims, limit read', on: CASE, unflushed: ['limit.claims'] },
  {
    name: 'unflushed: claims, deaths',
    on: CASE,
    unflushed: ['look.deaths of claims'],
    survives: 'who does not see a death gives up to the dead, and looks again before a page is told',
  },
  { name: 'unflushed: abort', on: CASE, unflushed: ['abort'], survives: WAITS },
  { name: 'unflushed: won', on: CASE, unflushed: ['won'], survives: WAITS },
  { name: 'unflushed: claims, limit', on: CASE, unflushed: ['limit.claims stored'], survives: WAITS },
  { name: 'claim: looked, then claimed', on: CASE, omit: ['claim'] },
  { name: 'claim: deaths, then log', on: CASE, reorder: ['look.deaths of claims', 'look.log'] },
  { name: 'claim: lower claims pass', on: CASE, flags: ['lower claims pass'] },
  { name: 'claim: higher claims pass', on: CASE, flags: ['higher claims pass'] },
  { name: 'seal: no look at the deaths', on: CASE, omit: ['page.deaths'] },
  { name: 'seal: deaths, then page', on: CASE, reorder: ['page.deaths', 'page'] },
  { name: 'claim: pending believed', on: CASE, flags: ['pending believed'], survives: WAITS },
  { name: 'claim: drafts of the dead stay', on: CASE, flags: ['drafts of the dead stay'], survives: WAITS },
];
