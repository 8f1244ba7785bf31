/** What the lock between hosts does not do without: each writeback, invalidate, order and look left out, one after another. */
import type { lockCases } from './softlock-cases.js';
import type { Mutation } from './world.js';

const TWO = 'lock of two hosts';
const DEATHS = 'lock of two hosts, deaths';
const FALSELY = 'lock of two hosts, falsely dead';
const BESIDE = 'lock beside a dead host, falsely dead';

interface LockMutant extends Mutation {
  readonly on: keyof typeof lockCases;
  readonly survives?: string;
}

export const lockMutants: readonly LockMutant[] = [
  { name: 'unflushed: lock.choosing', on: TWO, unflushed: ['lock.choosing'] },
  { name: 'unflushed: number.read', on: TWO, unflushed: ['number.read'] },
  { name: 'unflushed: lock.number', on: TWO, unflushed: ['lock.number'] },
  { name: 'unflushed: wait.read', on: TWO, unflushed: ['wait.read'] },
  { name: 'unflushed: image.load', on: TWO, unflushed: ['image.load'] },
  { name: 'unflushed: work.flush', on: TWO, omit: ['work.flush'] },
  {
    name: 'unflushed: leave',
    on: TWO,
    unflushed: ['leave'],
    survives: 'it only keeps others waiting until the line leaves by itself',
  },
  {
    name: 'unflushed: give up',
    on: TWO,
    unflushed: ['give up'],
    survives: 'it only keeps others waiting until the line leaves by itself',
  },
  { name: 'unflushed: declare', on: FALSELY, unflushed: ['declare'] },
  { name: 'unflushed: declare.reread', on: BESIDE, unflushed: ['declare.reread'] },
  { name: 'unflushed: repair.flush', on: BESIDE, omit: ['repair.flush'] },
  {
    name: 'unflushed: repair.publish',
    on: DEATHS,
    unflushed: ['repair.publish'],
    survives: 'leaving writes the same line back, and nothing is acknowledged before',
  },
  { name: 'unflushed: last.read', on: FALSELY, unflushed: ['last.read'] },
  { name: 'lock: choosing not waited for', on: TWO, flags: ['choosing not waited for'] },
  { name: 'lock: equal numbers both pass', on: TWO, flags: ['equal numbers pass'] },
  { name: 'lock: no choosing', on: TWO, flags: ['no choosing'] },
  { name: 'declare: nothing read again', on: BESIDE, omit: ['declare.reread'] },
  { name: 'repair: published, then copied', on: DEATHS, reorder: ['repair.publish', 'repair.image', 'repair.flush'] },
  {
    name: 'repair: published, then written back',
    on: BESIDE,
    reorder: ['repair.publish', 'repair.flush'],
  },
  { name: 'work: no last look', on: FALSELY, flags: ['no last look'] },
  { name: 'work: last look, then written back', on: FALSELY, flags: ['last look first'] },
  { name: 'terms: read after whom they declare', on: FALSELY, flags: ['terms are read late'] },
  { name: 'terms: those of the dead count', on: BESIDE, flags: ['terms of the dead count'] },
];
