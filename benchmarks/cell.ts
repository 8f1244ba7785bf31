/**
 * One cell of a benchmark, in this process: `node cell.js NAME CELL MODE SEED [SIZE [SETTINGS]]`. Started by main.ts, which it sends what it
 * found; by hand (under a profiler, say) it prints that. An empty size is none; settings are JSON.
 */
import { benchmarkOf } from './catalogue.js';
import { Context, type Mode, type Result, type Series, tableOf } from './frame.js';

export interface CellReport {
  readonly results: readonly Result[];
  readonly notes: readonly string[];
  readonly checks: readonly string[];
  /** Of each figure, by its name, round by round. */
  readonly series: Readonly<Record<string, Series>>;
}

async function main(name: string, cell: string, context: Context): Promise<void> {
  const benchmark = await benchmarkOf(name);
  if (benchmark === undefined) throw new Error(`There is no benchmark ${name}.`);
  await benchmark.run(cell, context);
  const { results, notes, checks, series } = context;
  if (process.send === undefined) {
    for (const line of [tableOf(cell, results), ...notes, ...checks]) console.log(line);
    return;
  }
  const report: CellReport = { results, notes, checks, series };
  process.send(report, () => process.disconnect());
}

const [name = '', cell = '', mode = 'usual', seed = '1', size = '', settings = '{}'] = process.argv.slice(2);
const context = new Context(mode as Mode, Number(seed), size === '' ? undefined : Number(size), JSON.parse(settings));
await main(name, cell, context);
