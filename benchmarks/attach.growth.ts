/**
 * How connecting grows, with the objects in the pool, the nodes that are in it, and its size: each over points that lie far apart,
 * all else being equal, and the exponent that fits them.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { setImmediate as endOfRun } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { connect, type Pool } from '../src/index.js';
import { type Attached, attachOnce, OBJECT_BYTES } from './attach.node.js';
import { exponentOf, POWER } from './fit.js';
import type { Context } from './frame.js';
import { scratchFolder } from './scratch.js';

const MIB = 2 ** 20;
const GIB = 2 ** 30;
const PUTS_A_RUN = 2000;

/** How many, or how much, and how the pool comes to have it. */
interface Axis {
  readonly points: readonly number[];
  readonly unit: string;
  /** The pool's path, when it has as much as the point says. */
  reach(point: number): Promise<string>;
  close(): Promise<void>;
}

const keyOf = (i: number) => `object/${i}`;

/** One pool, which is filled on and on. */
async function objectsAxis(context: Context): Promise<Axis> {
  const points = context.pick([1000, 10_000], [1e4, 1e5, 1e6, 1e7]);
  const size = context.pick(64 * MIB, 4 * GIB);
  const path = join(scratchFolder(size), 'pool');
  const filler: Pool = await connect(path, { create: { size, pageSize: OBJECT_BYTES }, nearEntries: 0 });
  const bytes = new Uint8Array(OBJECT_BYTES).fill(7);
  let stored = 0;
  return {
    points,
    unit: 'objects',
    async reach(point) {
      for (; stored < point; stored++) {
        filler.put(keyOf(stored), bytes);
        if (stored % PUTS_A_RUN === 0) await endOfRun();
      }
      if (filler.stats().objects !== point) throw new Error(`${filler.stats().objects} objects, not ${point}.`);
      return path;
    },
    close: () => filler.disconnect(),
  };
}

/** One pool, in which a process holds more and more nodes. */
async function nodesAxis(context: Context): Promise<Axis> {
  const points = context.pick([1, 4], [1, 4, 16, 62]);
  const size = context.pick(64 * MIB, GIB);
  const path = join(scratchFolder(size), 'pool');
  await (await connect(path, { create: { size, maxNodes: 64 }, nearEntries: 0 })).disconnect();
  const holder: ChildProcess = fork(fileURLToPath(new URL('attach.holder.js', import.meta.url)), [path]);
  return {
    points,
    unit: 'other nodes',
    async reach(point) {
      holder.send(point);
      await once(holder, 'message');
      return path;
    },
    async close() {
      holder.disconnect();
      await once(holder, 'exit');
    },
  };
}

/** A pool for each size, empty. */
async function sizesAxis(context: Context): Promise<Axis> {
  const points = context.pick([16, 64], [64, 512, 4096], [64, 512, 4096, 16_384]);
  return {
    points,
    unit: 'MiB',
    async reach(point) {
      const path = join(scratchFolder(point * MIB), 'pool');
      await (await connect(path, { create: { size: point * MIB }, nearEntries: 0 })).disconnect();
      return path;
    },
    close: async () => {},
  };
}

export const GROWTH: Readonly<Record<string, (context: Context) => Promise<Axis>>> = {
  'growth with objects': objectsAxis,
  'growth with nodes': nodesAxis,
  'growth with size': sizesAxis,
};

const FIGURES = [
  { name: 'first connect', unit: 'ms', of: ({ firstMs }: Attached) => firstMs },
  { name: 'connect again', unit: 'ms', of: ({ againMs }: Attached) => againMs },
  { name: 'touched of the pool', unit: 'MiB', of: ({ poolBytes }: Attached) => poolBytes / MIB },
] as const;

export async function measureGrowth(cell: string, context: Context): Promise<void> {
  const axis = await (GROWTH[cell] as (typeof GROWTH)[string])(context);
  const found: Attached[][] = [];
  for (const point of axis.points) {
    const path = await axis.reach(point);
    const attached: Attached[] = [];
    for (let round = 0; round < context.pick(1, 5, 9); round++) attached.push(await attachOnce(path, keyOf(0)));
    found.push(attached);
  }
  await axis.close();
  for (const { name, unit, of } of FIGURES) {
    for (const [i, point] of axis.points.entries()) {
      const series = (found[i] as Attached[]).map(of);
      context.add({ name: `${cell}: ${name}, ${point.toLocaleString('en-US')} ${axis.unit}`, unit, series });
    }
    const series = (found[0] as Attached[]).map((_, round) =>
      exponentOf(axis.points.map((point, i) => [point, of((found[i] as Attached[])[round] as Attached)])),
    );
    context.add({ name: `${cell}: exponent, ${name}`, unit: POWER, series });
  }
  context.checked(cell, axis.points.join());
}
