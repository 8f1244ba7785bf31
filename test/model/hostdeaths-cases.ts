/** Bounds and mutants of who of several hosts is dead: each writeback, invalidate, look and wait left out, one after another. */
import type { Model } from './explore.js';
import { type DeathBounds, type DeathWorld, deathModel } from './hostdeaths.js';
import type { Mutation } from './world.js';

type DeathCase = (mutation: Mutation) => Model<DeathWorld>;

function deaths(declarations: number, ends: number, positions: number): DeathCase {
  const bounds: DeathBounds = { declarations, ends, positions };
  return (mutation) => deathModel(bounds, mutation);
}

const ONCE = 'host deaths, one that comes again';
const TWICE = 'host deaths, one that is declared again';

export const deathCases = {
  'host deaths': deaths(1, 0, 3),
  [ONCE]: deaths(1, 1, 2),
  [TWICE]: deaths(2, 1, 2),
} as const;

export const deathLargeCases = {
  'host deaths, three records': deaths(2, 1, 3),
  'host deaths, one that comes again twice': deaths(2, 2, 2),
  'host deaths, all of that': deaths(3, 2, 3),
} as const;

interface DeathMutant extends Mutation {
  readonly on: keyof typeof deathCases;
  readonly survives?: string;
}

export const deathMutants: readonly DeathMutant[] = [
  {
    name: 'unflushed: declare.row',
    on: TWICE,
    unflushed: ['declare.row'],
    survives: 'an old row shows an incarnation that is dead already, or one whose death says less',
  },
  { name: 'unflushed: declare.pending', on: ONCE, unflushed: ['declare.pending'] },
  { name: 'unflushed: limit.read', on: ONCE, unflushed: ['limit.read'] },
  {
    name: 'unflushed: limit.store',
    on: TWICE,
    unflushed: ['limit.store'],
    survives: 'it only keeps others waiting until the line leaves by itself',
  },
  { name: 'unflushed: write.flush', on: ONCE, omit: ['write.flush'] },
  { name: 'unflushed: write.look', on: ONCE, unflushed: ['write.look'] },
  { name: 'unflushed: look.read', on: ONCE, unflushed: ['look.read'] },
  { name: 'unflushed: look.deaths', on: ONCE, unflushed: ['look.deaths'] },
  { name: 'unflushed: come.flush', on: ONCE, unflushed: ['come.flush'] },
  { name: 'unflushed: come.deaths', on: ONCE, unflushed: ['come.deaths'] },
  { name: 'unflushed: come.clear', on: TWICE, unflushed: ['come.clear'] },
  {
    name: 'unflushed: come.row',
    on: TWICE,
    unflushed: ['come.row'],
    survives: 'who does not see that it has come waits for nothing that this model has',
  },
  { name: 'death: not pending first', on: ONCE, omit: ['declare.pending'] },
  { name: 'acknowledge: no look', on: ONCE, omit: ['write.look'] },
  { name: 'acknowledge: look, then written back', on: ONCE, reorder: ['write.look', 'write.flush'] },
  { name: 'come: deaths not looked at', on: ONCE, omit: ['come.deaths'] },
  {
    name: 'come: deaths not looked at again',
    on: TWICE,
    omit: ['come.deaths again'],
    survives: 'a death that is found only there has a limit beyond all that there is, as that was written back',
  },
  { name: 'come: a pending death not waited for', on: ONCE, flags: ['limit not waited for'] },
  { name: 'come: nothing zeroed', on: ONCE, omit: ['come.clear'] },
  { name: 'believe: also while a death is pending', on: ONCE, flags: ['pending believed'] },
  { name: 'believe: beyond the limit', on: ONCE, flags: ['limit not looked at'] },
  { name: 'believe: content with less than the limit', on: ONCE, flags: ['content with less than the limit'] },
  // What the code did until this model was made.
  {
    name: 'believe: what was read before a new death was found',
    on: TWICE,
    flags: ['read before a death, believed after it'],
  },
];
