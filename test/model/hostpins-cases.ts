/** Bounds and mutants of when a place is used again: each writeback, invalidate and look left out, one after another. */
import type { Model } from './explore.js';
import { type PinBounds, type PinWorld, pinModel } from './hostpins.js';
import type { Mutation } from './world.js';

type PinCase = (mutation: Mutation) => Model<PinWorld>;

function pins(declarations: number, ends: number): PinCase {
  const bounds: PinBounds = { declarations, ends };
  return (mutation) => pinModel(bounds, mutation);
}

const PLAIN = 'host pins, falsely dead';
const ENDING = 'host pins, falsely dead, and an end';

export const pinCases = {
  'host pins': pins(0, 0),
  [PLAIN]: pins(1, 0),
  [ENDING]: pins(1, 1),
} as const;

export const pinLargeCases = {
  'host pins, twice falsely dead, and two ends': pins(2, 2),
} as const;

interface PinMutant extends Mutation {
  readonly on: keyof typeof pinCases;
  readonly survives?: string;
}

const WAITS = 'it only keeps others waiting until the line leaves, or is dropped, by itself';

export const pinMutants: readonly PinMutant[] = [
  { name: 'unflushed: end.record', on: ENDING, unflushed: ['end.record'] },
  { name: 'unflushed: free.row', on: ENDING, unflushed: ['free.row'] },
  { name: 'unflushed: free.pins', on: ENDING, unflushed: ['free.pins'] },
  { name: 'unflushed: reuse.flush', on: ENDING, unflushed: ['reuse.flush'] },
  { name: 'unflushed: look.end', on: ENDING, unflushed: ['look.end'] },
  { name: 'unflushed: beat.pins', on: ENDING, unflushed: ['beat.pins'] },
  { name: 'unflushed: read.bytes', on: ENDING, unflushed: ['read.bytes'] },
  { name: 'unflushed: read.deaths', on: ENDING, unflushed: ['read.deaths'] },
  { name: 'unflushed: come.row', on: ENDING, unflushed: ['come.row'] },
  {
    name: 'unflushed: declare',
    on: PLAIN,
    unflushed: ['declare'],
    survives: 'who does not see a death waits for the dead',
  },
  { name: 'unflushed: free.deaths', on: PLAIN, unflushed: ['free.deaths'], survives: WAITS },
  { name: 'unflushed: reuse.record', on: PLAIN, unflushed: ['reuse.record'], survives: WAITS },
  { name: 'unflushed: look.second', on: PLAIN, unflushed: ['look.second'], survives: WAITS },
  { name: 'unflushed: beat.row', on: PLAIN, unflushed: ['beat.row'], survives: WAITS },
  {
    name: 'unflushed: look.deaths',
    on: PLAIN,
    unflushed: ['look.deaths'],
    survives: 'what is read is looked at once more afterwards',
  },
  {
    name: 'unflushed: owner.flush',
    on: ENDING,
    unflushed: ['owner.flush'],
    survives: 'records are written back as they are made, and of a place without a record nobody knows',
  },
  {
    name: 'unflushed: come.pins',
    on: ENDING,
    unflushed: ['come.pins'],
    survives: 'what is seen of a former life keeps room for longer',
  },
  {
    name: 'unflushed: come.deaths',
    on: ENDING,
    unflushed: ['come.deaths'],
    survives: 'it comes as one that is dead already, and finds that at its first look',
  },
  { name: 'free: nobody is asked', on: PLAIN, flags: ['nobody is asked'] },
  { name: 'free: pins not looked at', on: PLAIN, omit: ['free.pins'] },
  { name: 'free: pins, then rows', on: PLAIN, reorder: ['free.pins', 'free.row'] },
  { name: 'beat: row, then pins', on: PLAIN, reorder: ['beat.row', 'beat.pins'] },
  { name: 'seal: record, then bytes', on: PLAIN, reorder: ['reuse.record', 'reuse.flush'] },
  { name: 'read: no look at the deaths afterwards', on: PLAIN, omit: ['read.deaths'] },
  { name: 'read: deaths, then bytes', on: PLAIN, reorder: ['read.deaths', 'read.bytes'] },
  { name: 'come: pins of a former life stay', on: ENDING, omit: ['come.pins'] },
];
