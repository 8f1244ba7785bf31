/**
 * Question: do N processes together read and write N times what one does?
 *
 * One pool for each number of processes, so that one alone has nobody beside it, and processes that work on it in slices: one
 * process, then two and so on, and each number also with private lru-caches, in an order drawn anew each round. What private
 * caches lose is the machine's: processors that share caches, memory and, where there are more processes than processors, time.
 *
 * Pages are of 8 KiB, 20,000 of them, and picked at random. `set over live keys` and `put with eviction` find the pool full. The
 * exponent is that of growth over the numbers of processes up to that of the processors: 1 where twice as many do twice as much.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Pool } from '../src/index.js';
import { connect, SharedCache } from './build.js';
import { exponentOf, POWER } from './fit.js';
import type { Benchmark, Context, Series } from './frame.js';
import {
  BESIDES,
  isWriting,
  keyOf,
  LOADS,
  type Load,
  type Order,
  PAGE_BYTES,
  SIDES,
  type Side,
  type Slice,
  sizeOf,
  sourceOf,
  sourcesOf,
} from './scale.shape.js';
import { scratchFolder } from './scratch.js';
import { inTurn } from './turns.js';

const MIB = 2 ** 20;
const PROCESSES_FULL = 16;
/** Over its pages, where the pool has to be roomy: their metadata, chunks begun, and pages that wait for their readers. */
const ROOM = 1.6;
/** Where one writes, shards grow by chunks of their own: with less room one of them evicts while others have some. */
const ROOM_OF_WRITER = 3;
const FULL_ROOM = 1.1;
/** How long the one who writes beside readers begins before them, and ends after. */
const MARGIN_MS = 20;

const GOALS_OF_WRITERS: Readonly<Record<number, string>> = { 2: '>= 1.7', 16: '>= 10' };
const PAUSE_GOAL_US = '<= 5000';
const BESIDE_GOAL = '<= 1.1';
const SMOKE: readonly Load[] = ['borrow by string', 'set over live keys', 'readers beside a writer'];

/** 1, 2, 4 and so on; the last is the number of processors, or that of the whole matrix. */
function countsOf(context: Context): number[] {
  const processors = availableParallelism();
  const most = context.pick(2, Math.max(2, processors), Math.max(PROCESSES_FULL, processors));
  const counts = [];
  for (let count = 1; count < most; count *= 2) counts.push(count);
  return [...counts, most];
}

/** A pool with all pages in it: roomy, or so full that it evicts. */
async function poolFor(context: Context, load: Load): Promise<Pool> {
  const { pages } = sizeOf(context.mode);
  const isFull = isWriting(load);
  const room = isFull ? FULL_ROOM : load === 'readers beside a writer' ? ROOM_OF_WRITER : ROOM;
  const size = Math.max(Math.ceil(pages * PAGE_BYTES * room), 8 * MIB);
  const pool = await connect(join(scratchFolder(size), 'pool'), { create: { size, pageSize: PAGE_BYTES } });
  const cache = new SharedCache(pool);
  const space = cache.pages('table', { pageSize: PAGE_BYTES });
  const sources = sourcesOf(context.seed);
  const isByKey = load === 'borrow by string' || load === 'set over live keys';
  for (let pageNo = 0; pageNo < pages; pageNo++) {
    const source = sourceOf(sources, pageNo);
    if (!(isByKey ? cache.set(keyOf(pageNo), source) : space.put(pageNo, source)))
      throw new Error('A page has no room.');
  }
  for (let n = 0; isFull && pool.stats().evictions === 0; n++) {
    if (n > size / PAGE_BYTES) throw new Error('The pool does not fill up.');
    cache.set(`filler:${n}`, sources[0] as Uint8Array);
  }
  if (!isFull && pool.stats().evictions > 0) throw new Error('The pool is not roomy.');
  return pool;
}

class Team {
  readonly counts: readonly number[];
  private readonly children: readonly ChildProcess[];

  constructor(context: Context, load: Load, counts: readonly number[], paths: readonly string[]) {
    this.counts = counts;
    const program = fileURLToPath(new URL('scale.node.js', import.meta.url));
    // The last are in the pools of the most processes only; pools keep their places, counted from the end.
    this.children = Array.from({ length: counts.at(-1) as number }, (_, index) => {
      const joined = paths.filter((_, place) => (counts[place] as number) > index);
      return fork(program, [load, context.mode, String(context.seed), String(index), ...joined]);
    });
  }

  ready(): Promise<unknown> {
    return Promise.all(this.children.map((child) => answerOf(child)));
  }

  /** The child's part in the pool of so many processes. */
  order(index: number, count: number, order: Omit<Order, 'pool'>): Promise<Slice> {
    const child = this.children[index] as ChildProcess;
    const joined = this.counts.filter((other) => other > index);
    const answer = answerOf(child) as Promise<Slice>;
    child.send({ ...order, pool: joined.indexOf(count) } satisfies Order);
    return answer;
  }

  async end(): Promise<void> {
    for (const child of this.children) child.disconnect();
    await Promise.all(this.children.map((child) => once(child, 'exit')));
  }
}

/** Its next message; throws where it ends before. */
async function answerOf(child: ChildProcess): Promise<unknown> {
  const ended = new AbortController();
  const { signal } = ended;
  const message = once(child, 'message', { signal }).then(([answer]) => answer as unknown);
  const exit = once(child, 'exit', { signal }).then(([code]) => {
    throw new Error(`A process of the benchmark ended with ${code}.`);
  });
  exit.catch(() => {});
  try {
    return await Promise.race([message, exit]);
  } finally {
    message.catch(() => {});
    ended.abort();
  }
}

type Rounds = Map<string, number[]>;

function keep(rounds: Rounds, name: string, value: number): void {
  const series = rounds.get(name) ?? [];
  rounds.set(name, series);
  series.push(value);
}

const perMs = (slices: readonly Slice[]) => slices.reduce((sum, { operations, ms }) => sum + operations / ms, 0);
const most = (slices: readonly Slice[], of: (slice: Slice) => number) => Math.max(...slices.map(of));

const seriesOf = (rounds: Rounds, name: string): Series => rounds.get(name) as Series;
const processes = (count: number) => (count === 1 ? '1 process' : `${count} processes`);
const nameOf = (side: Side) => (side === 'pool' ? 'pool' : 'private lru-cache');

/** One round: each number of processes, in the pool and privately. */
async function roundOf(
  context: Context,
  load: Load,
  team: Team,
  ms: number,
  rounds: Rounds | undefined,
): Promise<void> {
  const arms = team.counts.flatMap((count) => SIDES.map((side) => ({ count, side })));
  for (const { count, side } of context.random.shuffle(arms)) {
    const order = { side, role: 'read', ms } as const;
    const slices = await inTurn(() =>
      Promise.all(Array.from({ length: count }, (_, index) => team.order(index, count, order))),
    );
    if (rounds === undefined) continue;
    const name = `${processes(count)}, ${nameOf(side)}`;
    keep(rounds, name, perMs(slices));
    if (!isWriting(load)) continue;
    keep(
      rounds,
      `${name}: 99 %`,
      most(slices, ({ p99Us }) => p99Us),
    );
    keep(
      rounds,
      `${name}: 99.99 %`,
      most(slices, ({ p9999Us }) => p9999Us),
    );
    keep(
      rounds,
      `${name}: longest`,
      most(slices, ({ longestUs }) => longestUs),
    );
  }
}

function report(context: Context, load: Load, counts: readonly number[], rounds: Rounds): void {
  const unit = 'thousand/s';
  const processors = availableParallelism();
  for (const side of SIDES) {
    for (const count of counts) {
      const series = seriesOf(rounds, `${processes(count)}, ${nameOf(side)}`);
      const one = `${processes(1)}, ${nameOf(side)}`;
      const isGoal = side === 'pool' && isWriting(load) && count <= processors;
      const goal = isGoal ? GOALS_OF_WRITERS[count] : undefined;
      context.add({
        name: `${load}: ${processes(count)}, ${nameOf(side)}`,
        unit,
        series,
        ...(count === 1 ? {} : { baseline: { name: `${load}: ${one}`, series: seriesOf(rounds, one) } }),
        ...(goal === undefined ? {} : { goal }),
      });
    }
  }
  for (const count of counts) {
    const [own, other] = SIDES.map((side) => `${processes(count)}, ${nameOf(side)}`) as [string, string];
    context.add({
      name: `${load}: ${own} to private`,
      unit,
      series: seriesOf(rounds, own),
      baseline: { name: `${load}: ${other}`, series: seriesOf(rounds, other) },
    });
  }
  const fitted = counts.filter((count) => count <= Math.max(2, processors));
  for (const side of SIDES) {
    const all = fitted.map((count) => seriesOf(rounds, `${processes(count)}, ${nameOf(side)}`));
    const series = (all[0] as Series).map((_, round) =>
      exponentOf(fitted.map((count, place) => [count, (all[place] as Series)[round] as number])),
    );
    context.add({
      name: `${load}: exponent over 1 to ${fitted.at(-1)} processes, ${nameOf(side)}`,
      unit: POWER,
      series,
    });
  }
  if (isWriting(load)) reportPauses(context, load, counts, rounds);
}

function reportPauses(context: Context, load: Load, counts: readonly number[], rounds: Rounds): void {
  for (const side of SIDES) {
    for (const count of counts) {
      const name = `${processes(count)}, ${nameOf(side)}`;
      for (const what of ['99 %', '99.99 %', 'longest']) {
        const series = seriesOf(rounds, `${name}: ${what}`);
        const goal = side === 'pool' && what === '99.99 %' ? { goal: PAUSE_GOAL_US } : {};
        context.add({ name: `${load}: one write, ${what}, ${name}`, unit: 'µs', series, ...goal });
      }
      const longest = Math.max(...seriesOf(rounds, `${name}: longest`));
      context.note(`longest write of all rounds, ${name}: ${(longest / 1000).toFixed(1)} ms`);
    }
  }
}

/** One round of readers: alone, and beside a writer of their pages or of others. */
async function roundBeside(context: Context, team: Team, ms: number, rounds: Rounds | undefined): Promise<void> {
  const counts = team.counts.filter((count) => count > 1);
  const arms = counts.flatMap((count) => SIDES.flatMap((side) => BESIDES.map((beside) => ({ count, side, beside }))));
  for (const { count, side, beside } of context.random.shuffle(arms)) {
    if (side === 'private' && beside === 'same pages') continue;
    const { slices, written } = await inTurn(async () => {
      const role = beside === 'same pages' ? 'write same pages' : 'write other pages';
      const writer =
        beside === 'alone' ? undefined : team.order(count - 1, count, { side, role, ms: ms + 2 * MARGIN_MS });
      if (writer !== undefined) await new Promise((resolve) => setTimeout(resolve, MARGIN_MS));
      const order = { side, role: 'read', ms } as const;
      const readers = Array.from({ length: count - 1 }, (_, index) => team.order(index, count, order));
      return { slices: await Promise.all(readers), written: await writer };
    });
    if (rounds === undefined) continue;
    const name = `${count - 1}, ${nameOf(side)}, ${beside}`;
    keep(rounds, name, (1e6 * slices.length) / perMs(slices));
    if (written !== undefined) keep(rounds, `${name}: writes`, perMs([written]));
  }
}

function reportBeside(context: Context, load: Load, counts: readonly number[], rounds: Rounds): void {
  const readers = (count: number) => (count === 2 ? '1 reader' : `${count - 1} readers`);
  for (const side of SIDES) {
    for (const count of counts.filter((count) => count > 1)) {
      for (const beside of BESIDES) {
        const name = `${count - 1}, ${nameOf(side)}, ${beside}`;
        if (!rounds.has(name)) continue;
        const title = (beside: string) =>
          `${load}: ${readers(count)}, ${nameOf(side)}, ${beside === 'alone' ? beside : `beside a writer of ${beside}`}`;
        const isGoal = side === 'pool' && beside !== 'alone' && count <= availableParallelism();
        const alone = { name: title('alone'), series: seriesOf(rounds, `${count - 1}, ${nameOf(side)}, alone`) };
        context.add({
          name: title(beside),
          unit: 'ns',
          series: seriesOf(rounds, name),
          ...(beside === 'alone' ? {} : { baseline: alone }),
          ...(isGoal ? { goal: BESIDE_GOAL } : {}),
        });
        if (beside === 'alone') continue;
        context.add({
          name: `${title(beside)}: its writes`,
          unit: 'thousand/s',
          series: seriesOf(rounds, `${name}: writes`),
        });
      }
    }
  }
}

async function measure(cell: string, context: Context): Promise<void> {
  const load = cell as Load;
  const counts = countsOf(context);
  const pools = [];
  for (const _ of counts) pools.push(await poolFor(context, load));
  const team = new Team(
    context,
    load,
    counts,
    pools.map(({ path }) => path),
  );
  await team.ready();
  // The processes alone are in them now.
  await Promise.all(pools.map((pool) => pool.disconnect()));
  const rounds: Rounds = new Map();
  const ms = context.pick(10, 200);
  const isBeside = load === 'readers beside a writer';
  for (let round = -context.pick(1, 3); round < context.pick(2, 21, 41); round++) {
    const kept = round < 0 ? undefined : rounds;
    await (isBeside ? roundBeside(context, team, ms, kept) : roundOf(context, load, team, ms, kept));
  }
  await team.end();
  (isBeside ? reportBeside : report)(context, load, counts, rounds);
  if (counts.some((count) => count > availableParallelism())) {
    context.note(`${availableParallelism()} processors: more processes share their time.`);
  }
  context.checked(cell, sizeOf(context.mode).pages);
}

export const benchmark: Benchmark = {
  question: 'do N processes together read and write N times what one does?',
  takesAgainst: true,
  // The others' loops are the tests'.
  cells: (mode) => (mode === 'smoke' ? LOADS.filter((load) => SMOKE.includes(load)) : LOADS),
  run: measure,
};
