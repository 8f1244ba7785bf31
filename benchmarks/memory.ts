/**
 * Question: how much of a pool is values, and what does an object cost beside its bytes?
 *
 * `metadata`: by pure geometry, of pools with default options. What grows with the pool is told by object that fits, the rest as
 * what is fixed.
 *
 * `values of ...`: a pool formatted for values of that size is filled until it evicts, and its values counted; keys are strings such
 * as `user:1234567`. Beside it a private lru-cache with such keys and values, up to 200,000 of them: what the engine says it has for
 * it, heap and external memory, and what the process had to have resident. A node also remembers what it has read:
 * that is private memory, by object, and bounded by `nearEntries`.
 */
import { setImmediate as endOfRun } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { LRUCache } from 'lru-cache';
import { PoolError, type PoolStats, SharedCache, usableBytes } from '../src/index.js';
import type { Benchmark, Context } from './frame.js';
import { scratchPool } from './scratch.js';

const KIB = 1024;
const MIB = 1024 * KIB;
const GIB = 1024 * MIB;
const TIB = 1024 * GIB;
/** For which the goals are given. */
const NODES = 64;

const METADATA = 'metadata';
const VALUE_SIZES: Readonly<Record<string, number>> = {
  '64 B': 64,
  '300 B': 300,
  '512 B': 512,
  '1 KiB': KIB,
  '4 KiB': 4 * KIB,
  '8 KiB': 8 * KIB,
  '64 KiB': 64 * KIB,
};
const CELL = (size: string) => `values of ${size}`;

interface Format {
  readonly name: string;
  readonly size: number;
  readonly pageSize: number;
  readonly goal?: string;
}

const FORMATS: readonly Format[] = [
  { name: '1 GiB at 512 B', size: GIB, pageSize: 512, goal: '<= 20' },
  { name: '1 GiB at 1 KiB', size: GIB, pageSize: KIB, goal: '<= 11' },
  { name: '1 GiB at 4 KiB', size: GIB, pageSize: 4 * KIB, goal: '<= 3.5' },
  { name: '1 GiB at 8 KiB', size: GIB, pageSize: 8 * KIB, goal: '<= 2' },
  { name: '8 GiB at 8 KiB', size: 8 * GIB, pageSize: 8 * KIB, goal: '<= 1.6' },
  { name: '256 MiB at 256 B', size: 256 * MIB, pageSize: 256 },
  { name: '64 GiB at 8 KiB', size: 64 * GIB, pageSize: 8 * KIB },
  { name: '1 TiB at 8 KiB', size: TIB, pageSize: 8 * KIB },
  { name: '16 TiB at 8 KiB', size: 16 * TIB, pageSize: 8 * KIB },
];
const BYTES_AN_OBJECT_GOAL = '<= 112';
const FIXED_GOAL = '<= 8';
const KEPT_GOALS: Readonly<Record<string, string>> = { '300 B': '>= 75' };

/** Bytes for objects; undefined where there is no such pool, which is noted. */
function usableOf(context: Context, { name, size, pageSize }: Format): number | undefined {
  try {
    return usableBytes(size, { pageSize, maxNodes: NODES });
  } catch (error) {
    if (!(error instanceof PoolError)) throw error;
    context.note(`${name}: no pool with default options (${error.code}): ${error.message}`);
    return undefined;
  }
}

function measureMetadata(context: Context): void {
  for (const format of FORMATS) {
    const usable = usableOf(context, format);
    if (usable === undefined) continue;
    const { name, size, goal } = format;
    const share = (100 * (size - usable)) / size;
    context.add({ name: `${METADATA}: ${name}`, unit: '%', series: [share], ...(goal === undefined ? {} : { goal }) });
  }
  for (const pageSize of [512, KIB, 4 * KIB, 8 * KIB]) {
    const [half, whole] = [GIB, 2 * GIB].map((size) => {
      const usable = usableBytes(size, { pageSize, maxNodes: NODES });
      return { metadata: size - usable, objects: usable / pageSize };
    }) as [{ metadata: number; objects: number }, { metadata: number; objects: number }];
    const each = (whole.metadata - half.metadata) / (whole.objects - half.objects);
    const at = pageSize < KIB ? `${pageSize} B` : `${pageSize / KIB} KiB`;
    const fixed = (half.metadata - each * half.objects) / MIB;
    context.add({ name: `${METADATA}: an object at ${at}`, unit: 'B', series: [each], goal: BYTES_AN_OBJECT_GOAL });
    context.add({ name: `${METADATA}: fixed, at ${at}`, unit: 'MiB', series: [fixed], goal: FIXED_GOAL });
  }
  context.checked(METADATA, FORMATS.length);
}

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

interface Taken {
  /** Heap and external, as the engine counts. */
  readonly counted: number;
  readonly resident: number;
}

/** What is in use when everything that can be is collected. */
async function taken(): Promise<Taken> {
  for (let i = 0; i < 3; i++) {
    collect();
    await endOfRun();
  }
  const { heapUsed, external, rss } = process.memoryUsage();
  return { counted: heapUsed + external, resident: rss };
}

const keyOf = (i: number) => `user:${i}`;

/** By entry. */
async function privateBytes(count: number, size: number): Promise<Taken> {
  const value = new Uint8Array(size).fill(7);
  const before = await taken();
  const cache = new LRUCache<string, Uint8Array>({ max: count });
  for (let i = 0; i < count; i++) cache.set(keyOf(i), value.slice());
  const after = await taken();
  if (cache.size !== count) throw new Error('The private cache has lost some.');
  return {
    counted: (after.counted - before.counted) / count,
    resident: (after.resident - before.resident) / count,
  };
}

/** Stores until the pool evicts, and a little longer: what it holds then it goes on to hold. */
async function fill(cache: SharedCache, size: number, statsOf: () => PoolStats, most: number): Promise<number> {
  const value = new Uint8Array(size).fill(7);
  let enough = Number.POSITIVE_INFINITY;
  let stored = 0;
  for (; stored < enough; stored++) {
    if (stored > most) throw new Error('The pool does not fill up.');
    if (!cache.set(keyOf(stored), value)) throw new Error(`Object ${stored} has no room.`);
    if (stored % 1000 > 0) continue;
    await endOfRun();
    if (enough === Number.POSITIVE_INFINITY && statsOf().evictions > 0) enough = stored * 1.2;
  }
  return stored;
}

/** What this node has for each of the newest objects, once it has read them. */
async function rememberedBytes(cache: SharedCache, stored: number, count: number): Promise<number> {
  const before = await taken();
  let found = 0;
  for (let i = stored - count; i < stored; i++) {
    if (cache.borrow(keyOf(i)) !== undefined) found++;
    if (i % 1000 === 0) await endOfRun();
  }
  return ((await taken()).counted - before.counted) / found;
}

async function measureValues(context: Context, name: string): Promise<void> {
  const size = VALUE_SIZES[name] as number;
  const poolSize = context.pick(16 * MIB, GIB);
  const options = { size: poolSize, pageSize: size, maxNodes: NODES };
  const own = await privateBytes(Math.min(context.pick(2000, 200_000), Math.floor(poolSize / 2 / size)), size);
  const pool = await scratchPool(options);
  const cache = new SharedCache(pool);
  const stored = await fill(cache, size, () => pool.stats(), (2 * poolSize) / size);
  const { objects, bytesMetadata, bytesUsed, limitedBy } = pool.stats();
  const remembered = await rememberedBytes(cache, stored, Math.min(context.pick(500, 50_000), objects >> 1));
  const cell = CELL(name);
  const goal = KEPT_GOALS[name];
  const privately = { name: `${cell}: a private lru-cache`, series: [own.counted] };
  const kept = (100 * objects * size) / poolSize;
  context.add({
    name: `${cell}: of the pool's bytes`,
    unit: '%',
    series: [kept],
    ...(goal === undefined ? {} : { goal }),
  });
  context.add({
    name: `${cell}: metadata, of the pool's bytes`,
    unit: '%',
    series: [(100 * bytesMetadata) / poolSize],
  });
  context.add({ name: `${cell}: kept in a GiB`, unit: 'thousand', series: [(objects * GIB) / poolSize / 1000] });
  context.add({
    name: `${cell}: metadata, each`,
    unit: 'B',
    series: [bytesMetadata / objects],
    goal: BYTES_AN_OBJECT_GOAL,
  });
  context.add({ name: `${cell}: its extent, each`, unit: 'B', series: [bytesUsed / objects] });
  context.add({ name: `${cell}: the pool, each`, unit: 'B', series: [poolSize / objects], baseline: privately });
  context.add({ name: privately.name, unit: 'B', series: privately.series });
  context.add({ name: `${privately.name}, resident`, unit: 'B', series: [own.resident] });
  context.add({ name: `${cell}: remembered by a node that has read it`, unit: 'B', series: [remembered] });
  context.note(`${objects} objects; limited by ${limitedBy ?? 'nothing yet'}`);
  context.checked(cell, size);
  await pool.disconnect();
}

export const benchmark: Benchmark = {
  question: 'how much of a pool is values, and what does an object cost beside its bytes?',
  cells: (mode) => [METADATA, ...(mode === 'smoke' ? ['300 B'] : Object.keys(VALUE_SIZES)).map(CELL)],
  run: (cell, context) =>
    cell === METADATA ? measureMetadata(context) : measureValues(context, cell.slice(CELL('').length)),
};
