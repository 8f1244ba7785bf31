/**
 * Question: what does a hit cost, beside a private lru-cache and a plain Map that hold the same pages?
 *
 * Every arm reads random pages and one byte of each. All pages are in the near index; that each read was a near hit is
 * checked by count. One process reads alone.
 *
 * The arms 'atomics over Map' and 'atomics over lru-cache' are models of the hit path: an index lookup and its three
 * atomics, nothing else. Their difference is what the choice of the index costs.
 */
import type { Benchmark } from './frame.js';
import {
  bareArm,
  dependentNumbers,
  findArms,
  freshStrings,
  heldStrings,
  keepArms,
  pageNumbers,
  presenceArms,
  RUN_LENGTH,
  shortRunArms,
} from './hit.arms.js';
import { modelArms } from './hit.models.js';
import { Tally, type World, worldOf } from './hit.world.js';
import { type Arm, addFigures, interleave, type Pace } from './interleave.js';

const GOAL = '<= 1.5';

const BASELINES: Readonly<Record<string, string>> = {
  'PageSpace.read': 'lru-cache.get and copy',
  'SharedCache.read': 'lru-cache.get and copy',
  'SharedCache.has': 'lru-cache.has',
  'lru-cache.has': 'lru-cache.has',
  'atomics over lru-cache': 'atomics over Map',
};

const NUMBERS = 'page numbers';
const STRINGS = 'strings';
const FRESH = 'strings built for each read';
const DEPENDENT = 'page numbers, each read waits for the last';
const SHORT_RUNS = `page numbers, runs of ${RUN_LENGTH}`;
const KINDS = [NUMBERS, DEPENDENT, STRINGS, FRESH, SHORT_RUNS];

function armsOf(kind: string, world: World, tally: Tally): Arm[] {
  if (kind === NUMBERS) {
    const keys = pageNumbers(world);
    const arms = [...findArms(world, tally, keys), ...keepArms(world, tally, keys)];
    return [bareArm(world, tally), ...arms, ...modelArms(world, tally)];
  }
  if (kind === DEPENDENT) return findArms(world, tally, dependentNumbers(world));
  if (kind === STRINGS) {
    const keys = heldStrings(world);
    return [...findArms(world, tally, keys), ...keepArms(world, tally, keys), ...presenceArms(world, keys)];
  }
  if (kind === FRESH) return findArms(world, tally, freshStrings(world));
  return shortRunArms(world, tally, pageNumbers(world));
}

export const benchmark: Benchmark = {
  takesAgainst: true,
  question: 'what does a hit cost, beside a private lru-cache and a plain Map that hold the same pages?',

  cells(mode) {
    const sizes = mode === 'smoke' ? [500] : [50_000, 2000];
    return sizes.flatMap((size) => KINDS.map((kind) => `${size} pages, ${kind}`));
  },

  async run(cell, context) {
    const count = Number.parseInt(cell, 10);
    const kind = cell.slice(cell.indexOf(', ') + 2);
    const world = await worldOf(context, count, kind.startsWith(NUMBERS) ? 'numbers' : 'strings');
    const tally = new Tally(world.reads);
    const arms = armsOf(kind, world, tally);
    const pace: Pace = context.pick(
      { rounds: 3, sliceMs: 2, warmupRounds: 1 },
      { rounds: 61, sliceMs: 15, warmupRounds: 8 },
      { rounds: 301, sliceMs: 15, warmupRounds: 16 },
    );
    const before = world.cache.stats().node;
    const measured = await interleave(arms, pace, context);
    const after = world.cache.stats().node;
    const nearHits = after.nearHitCount - before.nearHitCount;
    const requests = after.requestCount - before.requestCount;
    if (nearHits !== requests || nearHits !== tally.expected) {
      throw new Error(`${nearHits} near hits in ${requests} requests, of ${tally.expected} that were made.`);
    }
    context.note(`near hits: ${nearHits} of ${requests} requests`);
    addFigures(context, measured, {
      prefix: `${cell}: `,
      unit: 'ns',
      from: (ms) => ms * 1e6,
      baselineOf: (arm) => BASELINES[arm] ?? 'lru-cache.get',
      goalOf: (arm) => (arm.endsWith('.borrow') && kind !== SHORT_RUNS ? GOAL : undefined),
    });
    await world.pool.disconnect();
  },
};
