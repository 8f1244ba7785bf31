/**
 * Question: how often does the pool's eviction policy hit, beside the best that is known of each trace and size?
 *
 * Exact simulations of 1, 5, 10 and 20 % of a trace's pages, from cold. Two traces are made here: what SQLite asks of the pages
 * of two indexes, and requests for what was asked for lately. `--set traces=FOLDER` adds the traces of a folder, in the formats of
 * docs/TRACES.md; what is no trace there (`.md`, `.json`) is left out. `mixed sizes` asks a real pool for objects of 8 KiB to
 * 36 MiB, and an exact cache of as many bytes.
 */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { type Accesses, KnownAccesses } from '../adapters/compare/trace/accesses.js';
import { readTrace } from '../adapters/compare/trace/trace-file.js';
import type { Benchmark, Context } from './frame.js';
import { POLICIES } from './policy.exact.js';
import { compareMixed } from './policy.sizes.js';
import { btreeTrace, type MadeTrace, recencyTrace } from './policy.traces.js';
import { diskFolder } from './scratch.js';

const PERCENTS = [1, 5, 10, 20];
const NO_TRACE = /\.(md|json|txt)$|\.start\.bits(\.\w+)?$/i;

interface Named {
  readonly name: string;
  readonly pages: number;
  readonly accesses: Accesses;
}

function known({ name, ids }: MadeTrace): Named {
  const pages = ids.reduce((most, id) => Math.max(most, id + 1), 0);
  return { name, pages, accesses: new KnownAccesses(ids) };
}

async function* tracesOf(context: Context): AsyncGenerator<Named> {
  const { seed } = context;
  yield known(await btreeTrace(seed, context.pick(3_000, 60_000), context.pick(2_000, 60_000)));
  yield known(recencyTrace(seed, context.pick(20_000, 400_000)));
  const folder = context.settings['traces'];
  if (folder === undefined) return;
  for (const file of readdirSync(folder).sort()) {
    if (NO_TRACE.test(file)) continue;
    const { name, pages, accesses } = await readTrace(join(folder, file), { directory: diskFolder() });
    yield { name, pages, accesses };
  }
}

function hitRatio(policy: string, { accesses }: Named, capacity: number): number {
  const cache = POLICIES[policy]!(capacity);
  let hits = 0;
  for (const { ids } of accesses.chunks()) for (const id of ids) if (cache.access(id)) hits += 1;
  return (100 * hits) / accesses.accesses;
}

async function compare(context: Context): Promise<void> {
  const names = Object.keys(POLICIES);
  const found: { percent: number; ratios: number[] }[] = [];
  const wide = Math.max(...names.map((name) => name.length)) + 2;
  context.note(`${'hits in %'.padEnd(34)}${names.map((name) => name.padStart(wide)).join('')}`);
  for await (const trace of tracesOf(context)) {
    for (const percent of PERCENTS) {
      const capacity = Math.max(2, Math.round((trace.pages * percent) / 100));
      const ratios = names.map((name) => hitRatio(name, trace, capacity));
      found.push({ percent, ratios });
      const what = `${trace.name}, ${percent} %: ${capacity} pages`;
      context.note(`${what.padEnd(34)}${ratios.map((ratio) => ratio.toFixed(2).padStart(wide)).join('')}`);
      context.checked(what, ratios.map((ratio) => ratio.toFixed(4)).join());
    }
  }
  for (const [index, name] of names.entries()) {
    for (const percent of PERCENTS) {
      const ratios = found.filter((one) => one.percent === percent).map((one) => one.ratios[index]!);
      context.add({ name: `${name}: hits at ${percent} %, mean`, unit: '%', series: [mean(ratios)] });
    }
    const behind = found.map(({ ratios }) => Math.max(...ratios) - ratios[index]!);
    const goal = name === 'adaptive 2Q' ? { goal: '<= 0.9' } : {};
    context.add({ name: `${name}: behind the best, mean`, unit: 'points', series: [mean(behind)], ...goal });
  }
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

export const benchmark: Benchmark = {
  question: 'How often does the eviction policy hit, beside the best that is known?',
  settings: { traces: 'a folder of traces, beside the two that are made' },
  cells: () => ['exact', 'mixed sizes'],
  run: (cell, context) => (cell === 'exact' ? compare(context) : compareMixed(context)),
};
