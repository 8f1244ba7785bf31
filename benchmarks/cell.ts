/**
 * One cell of a benchmark, in this process: `node cell.js NAME CELL MODE SEED [SIZE]`. Started by main.ts, which it sends what it
 * found; by hand (under a profiler, say) it prints that.
 */
import { benchmarkOf } from './catalogue.js';
import { Context, type Mode, type Result, tableOf } from './frame.js';

export interface CellReport {
  readonly results: readonly Result[];
  readonly notes: readonly string[];
  readonly checks: readonly string[];
}

async function main(name: string, cell: string, mode: Mode, seed: number, size?: number): Promise<void> {
  const benchmark = await benchmarkOf(name);
  if (benchmark === undefined) throw new Error(`There is no benchmark ${name}.`);
  const context = new Context(mode, seed, size);
  await benchmark.run(cell, context);
  const { results, notes, checks } = context;
  if (process.send === undefined) {
    for (const line of [tableOf(cell, results), ...notes, ...checks]) console.log(line);
    return;
  }
  const report: CellReport = { results, notes, checks };
  process.send(report, () => process.disconnect());
}

const [name = '', cell = '', mode = 'usual', seed = '1', size] = process.argv.slice(2);
await main(name, cell, mode as Mode, Number(seed), size === undefined ? undefined : Number(size));
