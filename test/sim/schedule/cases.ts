/**
 * Small cases, run with every place for a change of turn: one actor goes so many steps, then the other to its end, then
 * the first; and with places for two: the other goes so many steps, then the first to its end, then the other.
 */
import type { Plan } from './scheduler.js';
import { type Act, WORKLOADS } from './workloads.js';

export interface Case {
  readonly name: string;
  /** Index of the workload that it belongs to. */
  readonly workload: number;
  /** Done before the case begins, by a node that stays; both actors then know the page, or the first does not. */
  readonly before: readonly Act[];
  readonly isKnown: boolean;
  readonly first: readonly Act[];
  readonly second: readonly Act[];
}

/** Of each family every pair of acts; `after` the second, so that what was freed is used again. */
const FAMILIES: readonly {
  readonly workload: string;
  readonly before: readonly Act[];
  readonly acts: readonly Act[];
  readonly after: readonly Act[];
}[] = [
  {
    workload: 'one or two keys, much superseded',
    before: ['set'],
    acts: ['get', 'borrow', 'read', 'set', 'delete', 'put', 'create'],
    after: ['delete', 'set'],
  },
  { workload: 'spaces that are cleared', before: ['set'], acts: ['borrow', 'set', 'clear'], after: ['delete', 'set'] },
  { workload: 'fills under leases', before: ['write'], acts: ['fill', 'write', 'borrow'], after: ['write', 'fill'] },
  {
    workload: 'pages loaded once',
    before: ['fetchPage'],
    acts: ['fetchPage', 'writePage', 'borrowPage'],
    after: ['writePage', 'fetchPage'],
  },
  {
    workload: 'versions of a page',
    before: ['putVersion'],
    acts: ['putVersion', 'getVersion', 'endVersions'],
    after: ['putVersion', 'evict'],
  },
];

const LOOKS: readonly Act[] = ['get', 'borrow', 'borrowPage', 'getVersion'];

export const CASES: readonly Case[] = FAMILIES.flatMap(({ workload, before, acts, after }) =>
  acts.flatMap((one) =>
    acts.flatMap((other) =>
      (LOOKS.includes(one) ? [true, false] : [true]).map((isKnown) => ({
        name: `${one}${isKnown ? '' : ' of what it does not know'} beside ${other}`,
        isKnown,
        workload: WORKLOADS.findIndex(({ name }) => name === workload),
        before,
        first: ['chooseFences', one, 'wait'],
        second: [other, ...after],
      })),
    ),
  ),
);

/** More steps than any act takes. */
export const WHOLE = 100_000;
const CASE_SEED = 1_000_000 * WORKLOADS.length;

export function planOfCase(of: Case, first: number, second: number): Plan {
  return {
    seed: CASE_SEED + CASES.indexOf(of) * WORKLOADS.length + of.workload,
    actors: 2,
    runLength: 0,
    killAt: {},
    stopAt: {},
    list: [
      [1, first],
      [2, second],
    ],
    programs: { 1: of.first, 2: of.second },
    before: of.before,
    isKnown: of.isKnown,
  };
}
