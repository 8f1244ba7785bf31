/**
 * Question: what does a hit cost, beside a private lru-cache and a plain Map that hold the same pages?
 *
 * Every arm reads random pages and one byte of each. All pages are in the near index; that each read was a near hit is
 * checked by count. One process reads alone.
 *
 * The arms 'atomics over Map' and 'atomics over lru-cache' are models of the hit path: an index lookup and its three
 * atomics, nothing else. Their difference is what the choice of the index costs.
 */
import { LRUCache } from 'lru-cache';
import type { Benchmark } from './frame.js';
import { dependentArms, numberArms, RUN_LENGTH, shortRunArms } from './hit.numbers.js';
import { freshArms, stringArms } from './hit.strings.js';
import { keyOf, Tally, type World, worldOf } from './hit.world.js';
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
  const { pages } = world;
  const byNumber = new LRUCache<number, Uint8Array>({ max: pages.length });
  const byString = new LRUCache<string, Uint8Array>({ max: pages.length });
  pages.forEach((page, pageNo) => {
    if (kind.startsWith(NUMBERS)) byNumber.set(pageNo, page);
    else byString.set(keyOf(pageNo), page);
  });
  if (kind === NUMBERS) return numberArms(world, tally, byNumber);
  if (kind === DEPENDENT) return dependentArms(world, tally, byNumber);
  if (kind === STRINGS) return stringArms(world, tally, byString);
  if (kind === FRESH) return freshArms(world, tally, byString);
  return shortRunArms(world, tally, byNumber);
}

export const benchmark: Benchmark = {
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
