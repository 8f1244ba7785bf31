/**
 * Small cases, run with every place for two changes of turn: one actor goes so many steps, then the other so many, then
 * the first to its end, then the other. What two operations can do to each other with two changes of turn is all there.
 */
import type { Plan } from './scheduler.js';
import { type Act, WORKLOADS } from './workloads.js';

export interface Case {
  readonly name: string;
  /** What each actor does, in order; the first prepares nothing, the second neither: `before` is done by both together. */
  readonly first: readonly Act[];
  readonly second: readonly Act[];
  /** Done by the second actor before the case begins. */
  readonly before: readonly Act[];
}

/** A case of each pair of these, on one key that is there. */
const ACTS: readonly Act[] = ['get', 'borrow', 'set', 'delete', 'put', 'create'];

export const CASES: readonly Case[] = ACTS.flatMap((one) =>
  ACTS.map((other) => ({
    name: `${one} beside ${other}`,
    before: ['set', 'get'] as const,
    first: [one],
    second: [other, 'get'] as const,
  })),
);

/** Seeds of the first workload, of which cases use one key. */
const CASE_SEED = 1_000_000 * WORKLOADS.length;

export function planOfCase(of: Case, first: number, second: number): Plan {
  return {
    seed: CASE_SEED + CASES.indexOf(of) * WORKLOADS.length,
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
  };
}
