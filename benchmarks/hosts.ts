/**
 * Question: what do more processes on a host, and more hosts behind a tier, cost those that are there?
 *
 * Counted, not timed, so that it is the same on every machine: lines of metadata that a miss touches beside so many nodes, and, of
 * simulated hosts (hosts.model.ts), requests to the tier and messages of invalidation. `npm run bench -- tier` holds the simulation against
 * real processes.
 */
import { join } from 'node:path';
import { exponentOf, POWER } from './fit.js';
import type { Benchmark, Context } from './frame.js';
import { type Hosts, type Outcome, requestsOf, simulateHosts } from './hosts.model.js';
import { PAGE } from './miss.pages.js';
import { touchedBy } from './miss.words.js';
import { scratchFolder } from './scratch.js';

const NODES: Readonly<Record<string, boolean>> = {
  'nodes of one host that read': false,
  'nodes of one host that rest': true,
};
const WRITES_PER_READ: Readonly<Record<string, number>> = {
  'hosts that only read': 0,
  'hosts, one write for 1,000 reads': 0.001,
};
const PROCESSES = 2;
const KEYS = 2000;
const HELD = 1000;
const SIZE = 8.3 * 1024 * 1024;
const NODES_MAX = 256;

async function countNodes(context: Context, cell: string, areIdle: boolean): Promise<void> {
  const points: [number, number][] = [];
  for (const nodes of context.pick([1, 4], [1, 4, 16, 64, 256])) {
    // Each with the metadata that 256 nodes want, and the same bytes for pages.
    const size = Math.floor(SIZE) + context.pick(4, 24) * 1024 * 1024;
    const format = { size, pageSize: PAGE, maxNodes: NODES_MAX, maxObjects: 1000 };
    const touched = await touchedBy(context, join(scratchFolder(size), 'pool'), format, { count: nodes - 1, areIdle });
    const lines = touched.lines.reduce((sum, one) => sum + one, 0) / touched.lines.length;
    points.push([nodes, lines]);
    context.add({ name: `${cell}: ${nodes}, lines touched`, unit: 'a miss', series: touched.lines });
    context.add({ name: `${cell}: ${nodes}, of them written`, unit: 'a miss', series: touched['lines written'] });
  }
  context.add({ name: `${cell}: lines touched, growth`, unit: POWER, series: [exponentOf(points)] });
}

function simulated(context: Context, hosts: number, arm: Hosts['arm'], writesPerRead: number): Outcome {
  const reads = context.pick(200, 2000);
  const shape = { hosts, processes: PROCESSES, keys: KEYS, held: HELD, arm };
  const of = { ...shape, fillingReads: reads, reads, writesPerRead, seed: context.seed };
  const { filling, filled } = simulateHosts(of);
  if (filling.loads + filled.loads !== filling.states + filled.states)
    throw new Error('A page was loaded twice, or not at all.');
  context.checked(`${hosts} ${arm}`, filled.misses);
  return filled;
}

function countHosts(context: Context, cell: string, writesPerRead: number): void {
  const points: [number, number][] = [];
  for (const hosts of context.pick([1, 4], [1, 4, 16, 64, 256], [1, 4, 16, 64, 256, 1024, 4096])) {
    const alone = simulated(context, hosts, 'private', writesPerRead);
    const pool = simulated(context, hosts, 'pool', writesPerRead);
    const perRead = (of: Outcome) => requestsOf(of) / of.reads;
    points.push([hosts, requestsOf(pool)]);
    context.add({
      name: `${cell}: ${hosts}, tier requests`,
      unit: 'a read',
      series: [perRead(pool)],
      baseline: { name: `${cell}: ${hosts}, private LRU`, series: [perRead(alone)] },
    });
    context.add({ name: `${cell}: ${hosts}, loads`, unit: 'a read', series: [pool.loads / pool.reads] });
    if (pool.writes > 0)
      context.add({ name: `${cell}: ${hosts}, told of a write`, unit: 'messages', series: [pool.told / pool.writes] });
  }
  context.add({ name: `${cell}: tier requests of all, growth`, unit: POWER, series: [exponentOf(points)] });
}

export const benchmark: Benchmark = {
  question: 'what do more processes on a host, and more hosts behind a tier, cost those that are there?',
  cells: () => [...Object.keys(NODES), ...Object.keys(WRITES_PER_READ)],
  async run(cell, context) {
    const areIdle = NODES[cell];
    if (areIdle !== undefined) await countNodes(context, cell, areIdle);
    else countHosts(context, cell, WRITES_PER_READ[cell] as number);
  },
};
