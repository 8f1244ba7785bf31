/**
 * Question: what do a million small objects cost, to seal and to look at all of them?
 *
 * `shuffle`: the pieces of a shuffle of 1,000 map tasks by 1,000 partitions, 100 bytes each, sealed by one process, by `put` and by
 * a draft that is filled; beside a Map of private copies. No eviction. The first million is all there at the end.
 *
 * `looks`: one pool, filled on and on with objects of 64 bytes; at each point `inspect`, which checks every invariant, `list`, and a
 * list of a prefix that nothing has. A hold is the longest time in which the event loop did not turn.
 */
import { join } from 'node:path';
import { setImmediate as endOfRun } from 'node:timers/promises';
import { connect, inspect } from '../src/index.js';
import { exponentOf, POWER } from './fit.js';
import type { Benchmark, Context } from './frame.js';
import { type Arm, addFigures, interleave, type Sample } from './interleave.js';
import { missed } from './pages.js';
import { scratchFolder, scratchPool } from './scratch.js';

const MIB = 2 ** 20;
const SHUFFLE = 'shuffle of 1,000 by 1,000';
const LOOKS = 'looks at all objects';
const PARTITIONS = 1000;
const PIECE_BYTES = 100;
const OBJECT_BYTES = 64;
/** With its metadata, some 210 to 270 bytes, and what shards that fill unevenly leave. */
const BYTES_OF_OBJECT = 480;
const PUTS_A_RUN = 1000;
const SEALS_GOAL = '>= 200';
const BYTES_GOAL = '<= 112';
/** Four seconds for three million. */
const INSPECT_GOAL = '<= 1.33';

/** Of piece n: its map task and its partition. */
const pieceOf = (n: number) => `shuffle/${Math.floor(n / PARTITIONS)}/${n % PARTITIONS}`;

async function measureShuffle(context: Context): Promise<void> {
  const rounds = context.pick(3, 50);
  const batch = context.pick(200, 10_000);
  const objects = 2 * rounds * batch;
  const warmup = context.pick(1, 2);
  // Keys fall to the shards by chance.
  const maxObjects = Math.ceil((objects + 2 * warmup * batch) * 1.1) + 2000;
  const size = Math.max(16 * MIB, maxObjects * BYTES_OF_OBJECT);
  const pool = await scratchPool({ size, pageSize: PIECE_BYTES, maxObjects, eviction: 'none' });
  const piece = new Uint8Array(PIECE_BYTES).fill(7);
  const privately = new Map<string, Uint8Array>();
  let next = 0;
  const arm = (name: string, store: (key: string) => boolean, find: (key: string) => Uint8Array | undefined): Arm => ({
    name,
    isAsync: true,
    async batch(): Promise<Sample> {
      const keys = Array.from({ length: batch }, (_, i) => pieceOf(next + i));
      next += batch;
      const entered = performance.now();
      let elapsed = 0;
      for (let from = 0; from < batch; from += PUTS_A_RUN) {
        const to = Math.min(batch, from + PUTS_A_RUN);
        const start = performance.now();
        for (let i = from; i < to; i++) if (!store(keys[i]!)) throw new Error(`${keys[i]} was there.`);
        elapsed += performance.now() - start;
        await endOfRun();
      }
      const last = find(keys.at(-1) as string);
      if (last === undefined || Buffer.compare(last, piece) !== 0) throw missed(name);
      return { overriddenDuration: elapsed / batch, overriddenIterationCost: performance.now() - entered };
    },
  });
  const inPool = (key: string) => {
    using page = pool.get(key);
    return page?.copy();
  };
  const baseline = 'Map.set of a copy';
  const seal = 'create, fill and seal';
  const fillAndSeal = (key: string) => {
    const draft = pool.create(key, PIECE_BYTES);
    draft.bytes.set(piece);
    draft.seal();
    return true;
  };
  const arms = [
    arm(
      baseline,
      (key) => privately.set(key, piece.slice()) !== undefined,
      (key) => privately.get(key),
    ),
    arm('put', (key) => pool.put(key, piece), inPool),
    arm(seal, fillAndSeal, inPool),
  ];
  // One batch a slice: so many objects in all.
  const measured = await interleave(arms, { rounds, sliceMs: 0, warmupRounds: warmup }, context);
  addFigures(context, measured, {
    prefix: `${SHUFFLE}: `,
    unit: 'thousand/s',
    from: (ms) => 1 / ms,
    baselineOf: () => undefined,
    goalOf: (name) => (name === baseline ? undefined : SEALS_GOAL),
  });
  const { objects: found, bytesMetadata } = pool.stats();
  const expected = objects + 2 * warmup * batch;
  if (found !== expected) throw new Error(`${found} objects, not ${expected}.`);
  const each = bytesMetadata / found;
  context.add({ name: `${SHUFFLE}: metadata, each`, unit: 'B', series: [each], goal: BYTES_GOAL });
  context.checked(SHUFFLE, found);
  await pool.disconnect();
}

/** How long it took, and the longest time in which a timer of a millisecond did not come. */
async function watched(work: () => unknown): Promise<{ ms: number; holdMs: number }> {
  await endOfRun();
  const startedMs = performance.now();
  let lastMs = startedMs;
  let holdMs = 0;
  const look = () => {
    const nowMs = performance.now();
    holdMs = Math.max(holdMs, nowMs - lastMs);
    lastMs = nowMs;
  };
  const timer = setInterval(look, 1);
  await work();
  const ms = performance.now() - startedMs;
  look();
  clearInterval(timer);
  return { ms, holdMs };
}

const countOf = (all: Iterable<unknown>) => {
  let count = 0;
  for (const _ of all) count++;
  return count;
};

function expectCount(found: number, expected: number, what: string): void {
  if (found !== expected) throw new Error(`${what} tells of ${found} objects, not of ${expected}.`);
}

async function measureLooks(context: Context): Promise<void> {
  const points = context.pick([500, 2000], [1e4, 1e5, 1e6], [1e4, 1e5, 1e6, 3e6]);
  const most = points.at(-1) as number;
  const size = Math.max(16 * MIB, most * BYTES_OF_OBJECT);
  const path = join(scratchFolder(size), 'pool');
  const pool = await connect(path, { create: { size, pageSize: OBJECT_BYTES }, nearEntries: 0 });
  const bytes = new Uint8Array(OBJECT_BYTES).fill(7);
  const works: Readonly<Record<string, (point: number) => Promise<void> | void>> = {
    inspect: async (point) => {
      const { ok, stats } = await inspect(path);
      if (!ok) throw new Error('The pool is not as it should be.');
      expectCount(stats.objects, point, 'inspect');
    },
    list: (point) => expectCount(countOf(pool.list()), point, 'list'),
    'list of a prefix that nothing has': () => expectCount(countOf(pool.list({ prefix: 'nothing/' })), 0, 'list'),
  };
  const found = new Map<string, { ms: number; holdMs: number }[][]>(Object.keys(works).map((name) => [name, []]));
  let stored = 0;
  for (const point of points) {
    for (; stored < point; stored++) {
      if (!pool.put(`object/${stored}`, bytes)) throw new Error('An object was there.');
      if (stored % PUTS_A_RUN === 0) await endOfRun();
    }
    for (const [name, work] of Object.entries(works)) {
      const taken = [];
      for (let round = 0; round < context.pick(1, 3, 5); round++) taken.push(await watched(() => work(point)));
      found.get(name)?.push(taken);
    }
  }
  for (const [name, byPoint] of found) reportLook(context, name, points, byPoint);
  context.checked(LOOKS, stored);
  await pool.disconnect();
}

function reportLook(
  context: Context,
  name: string,
  points: readonly number[],
  byPoint: readonly (readonly { ms: number; holdMs: number }[])[],
): void {
  for (const [i, point] of points.entries()) {
    const taken = byPoint[i] as readonly { ms: number; holdMs: number }[];
    const of = `${LOOKS}: ${name}, ${point.toLocaleString('en-US')}`;
    const goal = name === 'inspect' && point >= 1e6 ? { goal: INSPECT_GOAL } : {};
    context.add({ name: of, unit: 'ms', series: taken.map(({ ms }) => ms) });
    context.add({ name: `${of}: each`, unit: 'µs', series: taken.map(({ ms }) => (1000 * ms) / point), ...goal });
    context.add({ name: `${of}: longest hold`, unit: 'ms', series: taken.map(({ holdMs }) => holdMs) });
  }
  const rounds = byPoint[0] as readonly unknown[];
  const msAt = (i: number, round: number) => ((byPoint[i] as (typeof byPoint)[0])[round] as { ms: number }).ms;
  const series = rounds.map((_, round) => exponentOf(points.map((point, i) => [point, msAt(i, round)])));
  context.add({ name: `${LOOKS}: exponent, ${name}`, unit: POWER, series });
}

export const benchmark: Benchmark = {
  question: 'what do a million small objects cost, to seal and to look at all of them?',
  cells: () => [SHUFFLE, LOOKS],
  run: (cell, context) => (cell === SHUFFLE ? measureShuffle(context) : measureLooks(context)),
};
