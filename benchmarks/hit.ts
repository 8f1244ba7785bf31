/**
 * Question: what does a hit cost, beside a private lru-cache and a plain Map that hold the same pages?
 *
 * Every arm reads random pages and one byte of each. All pages are in the near index; that each read was a near hit is
 * checked by count. One process reads alone.
 *
 * The arms 'atomics over Map' and 'atomics over lru-cache' are models of the hit path: an index lookup and its three
 * atomics, nothing else. Their difference is what the choice of the index costs.
 */
import type { Benchmark, Context, Series } from './frame.js';
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
import { DATABASE, FIRST, firstArms } from './hit.first.js';
import { FLAT, GETS, LIST_LENGTH, listArms, scanArms } from './hit.many.js';
import { modelArms } from './hit.models.js';
import { UNGUARDED, unguardedArms } from './hit.unguarded.js';
import { PAGE_BYTES, Tally, type World, worldOf } from './hit.world.js';
import { type Arm, addFigures, interleave, type Pace } from './interleave.js';

const GOAL = '<= 1.5';
const SCAN_GOAL = '>= 0.9';
const FIRST_GOAL = '<= 0.5';
/** With as many pages as these only. */
const LIST_GOAL = { pages: 50_000, goal: '<= 0.8' };
const GUARDS_GOAL = { pages: 2000, goal: '<= 5' };
const PIN_GOALS: Readonly<Record<number, string>> = { 2000: '<= 2', 50000: '<= 1.3' };

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
const LISTS = `page numbers, ${LIST_LENGTH} at a time`;
const IN_ORDER = 'page numbers in order, all bytes';
const FIRSTS = 'page numbers that the node has not met';
const KINDS = [NUMBERS, DEPENDENT, STRINGS, FRESH, SHORT_RUNS, LISTS, IN_ORDER, FIRSTS];

function armsOf(kind: string, world: World, tally: Tally): Arm[] {
  if (kind === NUMBERS) {
    const keys = pageNumbers(world);
    const arms = [...findArms(world, tally, keys), ...keepArms(world, tally, keys)];
    return [bareArm(world, tally), ...arms, ...unguardedArms(world, tally), ...modelArms(world, tally)];
  }
  if (kind === DEPENDENT) return findArms(world, tally, dependentNumbers(world));
  if (kind === STRINGS) {
    const keys = heldStrings(world);
    return [...findArms(world, tally, keys), ...keepArms(world, tally, keys), ...presenceArms(world, keys)];
  }
  if (kind === FRESH) return findArms(world, tally, freshStrings(world));
  if (kind === LISTS) return listArms(world, tally);
  if (kind === IN_ORDER) return scanArms(world, tally);
  return shortRunArms(world, tally, pageNumbers(world));
}

function paceOf(context: Context): Pace {
  return context.pick(
    { rounds: 3, sliceMs: 2, warmupRounds: 1 },
    { rounds: 61, sliceMs: 15, warmupRounds: 8 },
    { rounds: 301, sliceMs: 15, warmupRounds: 16 },
  );
}

function baselineOf(arm: string, kind: string): string {
  if (kind === LISTS) return GETS;
  // The same bytes of each page.
  if (kind === IN_ORDER) return `${FLAT}${arm.slice(arm.indexOf(', '))}`;
  return BASELINES[arm] ?? 'lru-cache.get';
}

function goalOf(arm: string, kind: string, count: number): string | undefined {
  if (arm === 'PageSpace.borrowMany' && count === LIST_GOAL.pages) return LIST_GOAL.goal;
  if (arm === 'PageSpace.scan, every byte') return SCAN_GOAL;
  if (arm === 'PageSpace.get and release') return PIN_GOALS[count];
  return arm.endsWith('.borrow') && [NUMBERS, DEPENDENT, STRINGS, FRESH].includes(kind) ? GOAL : undefined;
}

const NS = { unit: 'ns', from: (ms: number) => ms * 1e6 };
const SPEED = { unit: 'GiB/s', from: (ms: number) => (PAGE_BYTES * 1000) / ms / 2 ** 30 };

async function measureNear(
  cell: string,
  context: Context,
  world: World,
  { count, kind }: { readonly count: number; readonly kind: string },
): Promise<void> {
  const tally = new Tally(world.reads);
  const arms = armsOf(kind, world, tally);
  const before = world.cache.stats().node;
  const measured = await interleave(arms, paceOf(context), context);
  const after = world.cache.stats().node;
  const nearHits = after.nearHitCount - before.nearHitCount;
  const requests = after.requestCount - before.requestCount;
  if (nearHits !== requests || nearHits !== tally.expected) {
    throw new Error(`${nearHits} near hits in ${requests} requests, of ${tally.expected} that were made.`);
  }
  context.note(`near hits: ${nearHits} of ${requests} requests`);
  addFigures(context, measured, {
    prefix: `${cell}: `,
    ...(kind === IN_ORDER ? SPEED : NS),
    baselineOf: (arm) => baselineOf(arm, kind),
    goalOf: (arm) => goalOf(arm, kind, count),
  });
  const bare = measured.get(UNGUARDED);
  if (bare === undefined) return;
  const guarded = measured.get('PageSpace.borrow') as Series;
  context.add({
    name: `${cell}: hazard and sequence, of a PageSpace.borrow`,
    unit: NS.unit,
    series: guarded.map((ms, round) => NS.from(ms - (bare[round] as number))),
    ...(count === GUARDS_GOAL.pages ? { goal: GUARDS_GOAL.goal } : {}),
  });
}

async function measureFirst(cell: string, context: Context, world: World): Promise<void> {
  const { arms, close } = await firstArms(world, context.seed);
  addFigures(context, await interleave(arms, paceOf(context), context), {
    prefix: `${cell}: `,
    ...NS,
    baselineOf: () => DATABASE,
    goalOf: (arm) => (arm === FIRST ? FIRST_GOAL : undefined),
  });
  await close();
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
    if (kind === FIRSTS) await measureFirst(cell, context, world);
    else await measureNear(cell, context, world, { count, kind });
    await world.pool.disconnect();
  },
};
