/**
 * Question: what does it cost to connect, by the size of the pool and by how many objects lie in it?
 *
 * Each round starts a process for the pool and one for the baseline, an empty pool of 64 MiB, in an order drawn anew. In it the
 * first connect also loads the binding of the C library and compiles what it runs; the later ones, whose median counts, do
 * not. A hold is the longest time in which the event loop did not turn. Touched is what became resident of mapped files: of the
 * pool (smaps), and of all, those of the C library's binding as well. Of large pools much of a hold is the engine's:
 * it counts the views of a pool as memory of the process, and collects garbage when there are two GiB of them more. What a
 * buffer of the pool's size costs a process that does nothing else stands beside.
 */
import { join } from 'node:path';
import { setImmediate as endOfRun } from 'node:timers/promises';
import { connect } from '../src/index.js';
import { GROWTH, measureGrowth } from './attach.growth.js';
import { type Attached, attachOnce, OBJECT_BYTES } from './attach.node.js';
import type { Benchmark, Context, Mode } from './frame.js';
import { scratchFolder } from './scratch.js';

const MIB = 2 ** 20;
const GIB = 2 ** 30;
const BASELINE_BYTES = 64 * MIB;
const PUTS_A_RUN = 2000;

interface Shape {
  readonly size: number;
  readonly objects: number;
}

const SHAPES: Readonly<Record<string, Shape>> = {
  '128 MiB, 2,000 objects': { size: 128 * MIB, objects: 2000 },
  '1 GiB, empty': { size: GIB, objects: 0 },
  '1 GiB, 100,000 objects': { size: GIB, objects: 100_000 },
  '4 GiB, 500,000 objects': { size: 4 * GIB, objects: 500_000 },
  '8 GiB, 1,000,000 objects': { size: 8 * GIB, objects: 1_000_000 },
  '16 GiB, 3,000,000 objects': { size: 16 * GIB, objects: 3_000_000 },
};
const CELLS: Readonly<Record<string, readonly string[]>> = {
  smoke: ['128 MiB, 2,000 objects'],
  usual: ['1 GiB, empty', '1 GiB, 100,000 objects', '4 GiB, 500,000 objects', '8 GiB, 1,000,000 objects'],
  full: Object.keys(SHAPES),
};

const keyOf = (i: number) => `object/${i}`;

/** Makes the pool and leaves it. */
async function makePool({ size, objects }: Shape): Promise<string> {
  const path = join(scratchFolder(size), 'pool');
  const pool = await connect(path, { create: { size }, nearEntries: 0 });
  const bytes = new Uint8Array(OBJECT_BYTES).fill(7);
  for (let i = 0; i < objects; i++) {
    pool.put(keyOf(i), bytes);
    if (i % PUTS_A_RUN === 0) await endOfRun();
  }
  await pool.disconnect();
  return path;
}

/** Milliseconds that a buffer of as many bytes costs a process, in which the engine may collect garbage. */
function bufferMs(byteLength: number): number {
  const started = performance.now();
  const buffer = new ArrayBuffer(Math.min(byteLength, 4 * GIB - 64 * 1024));
  const elapsed = performance.now() - started;
  if (buffer.byteLength === 0) throw new Error('There is no buffer.');
  return elapsed;
}

async function measure(cell: string, context: Context): Promise<void> {
  const shape = SHAPES[cell] as Shape;
  const paths = { pool: await makePool(shape), baseline: await makePool({ size: BASELINE_BYTES, objects: 0 }) };
  const found: Record<keyof typeof paths, Attached[]> = { pool: [], baseline: [] };
  const buffers: number[] = [];
  for (let round = 0; round < context.pick(2, 7, 15); round++) {
    for (const name of context.random.shuffle(['pool', 'baseline'] as const)) {
      const attached = await attachOnce(paths[name], keyOf(shape.objects - 1));
      if ((attached.found === OBJECT_BYTES) !== (name === 'pool' && shape.objects > 0))
        throw new Error('A page is lost.');
      found[name].push(attached);
    }
    buffers.push(bufferMs(shape.size));
  }
  const figure = (name: string, unit: string, of: (one: Attached) => number, goal: string) => {
    context.add({ name: `${cell}: ${name}`, unit, series: found.pool.map(of), goal });
    context.add({ name: `${cell}: ${name}, empty 64 MiB`, unit, series: found.baseline.map(of) });
  };
  const beyond = found.pool.map(({ firstMs }, i) => firstMs - (found.baseline[i] as Attached).firstMs);
  context.add({ name: `${cell}: first connect, beyond the empty 64 MiB`, unit: 'ms', series: beyond, goal: '<= 20' });
  figure('connect again', 'ms', ({ againMs }) => againMs, '<= 10');
  figure('longest hold, first', 'ms', ({ firstHoldMs }) => firstHoldMs, '<= 10');
  figure('longest hold, again', 'ms', ({ againHoldMs }) => againHoldMs, '<= 10');
  figure('touched by the first, of the pool', 'MiB', ({ poolBytes }) => poolBytes / MIB, '<= 16');
  figure('its share of that', 'MiB', ({ poolShareBytes }) => poolShareBytes / MIB, '<= 16');
  figure('touched by the first, of all files', 'MiB', ({ touchedBytes }) => touchedBytes / MIB, '<= 16');
  figure('private memory of the first', 'MiB', ({ privateBytes }) => privateBytes / MIB, '<= 16');
  context.add({ name: `${cell}: a new buffer of the size, nothing else`, unit: 'ms', series: buffers });
  context.checked(cell, shape.objects);
}

/** In smoke mode those that take a moment. */
function growthsIn(mode: Mode): string[] {
  return Object.keys(GROWTH).filter((name) => mode !== 'smoke' || name === 'growth with objects');
}

export const benchmark: Benchmark = {
  question: 'what does it cost to connect, by the size of the pool and by how many objects lie in it?',
  cells: (mode) => [...(CELLS[mode] as readonly string[]), ...growthsIn(mode)],
  run: (cell, context) => (Object.hasOwn(GROWTH, cell) ? measureGrowth : measure)(cell, context),
};
