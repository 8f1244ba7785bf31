/**
 * `npm run sim -- [--seeds N] [--seed S] [--from S] [--crash [STRIDE]] [--cases [STRIDE]] [--mutants]
 *   [--cuts [STRIDE]] [--cut-mutants] [--jobs J]`
 *
 * --seeds: schedules by chance, seeds from --from (1) on. --seed: one of them again, with every access. --crash: deaths
 * after every store, and of the repairer after each STRIDE-th of his. --cases: small cases exhaustively. --mutants: broken
 * protocols that must be caught. --cuts: calls cut short at every STRIDE-th place; --cut-mutants: broken orders that those
 * sweeps must catch. Without flags: a little of each but the last.
 */
import { parseArgs } from 'node:util';
import { buildCoroutines } from './coroutines/build.js';
import { huntCutMutants, huntCuts } from './cuts/hunt.js';
import type { Found, Hunt } from './hunt.js';
import { huntMutants } from './mutants/hunt.js';
import { runHunt } from './run.js';

function summed(all: readonly Found[]): Found {
  const sum = (of: (found: Found) => number) => all.reduce((total, found) => total + of(found), 0);
  return {
    schedules: sum((found) => found.schedules),
    steps: sum((found) => found.steps),
    turns: sum((found) => found.turns),
    crashes: sum((found) => found.crashes),
    faults: all.flatMap((found) => found.faults),
  };
}

/** The hunts of a command line, to be run side by side. */
function huntsOf(values: Record<string, string | boolean | undefined>): Hunt[] {
  if (values['seed'] !== undefined) return [{ from: Number(values['seed']), count: 1, traces: true }];
  const jobs = Number(values['jobs'] ?? 2);
  const isPlain = ['seeds', 'crash', 'cases'].every((name) => values[name] === undefined);
  const seeds = Number(values['seeds'] ?? (isPlain ? 4000 : 0));
  const from = Number(values['from'] ?? 1);
  const share = Math.ceil(seeds / jobs);
  const hunts: Hunt[] = Array.from({ length: seeds > 0 ? jobs : 0 }, (_, job) => ({
    from: from + job * share,
    count: share,
  }));
  if (isPlain || values['crash'] !== undefined)
    hunts.push({ crash: true, repairStride: Number(values['crash'] ?? 101) });
  if (isPlain || values['cases'] !== undefined) hunts.push({ caseStride: Number(values['cases'] ?? 997) });
  return hunts;
}

const option = { type: 'string' } as const;
const options = {
  seeds: option,
  seed: option,
  from: option,
  crash: option,
  cases: option,
  jobs: option,
  mutants: { type: 'boolean' },
  cuts: option,
  'cut-mutants': { type: 'boolean' },
  only: option,
} as const;
const USAGE = `Options: ${Object.keys(options)
  .map((name) => `--${name}`)
  .join(' ')}; see the head of test/sim/main.ts.`;

/** What was asked for, or undefined after a line on what may be. */
function valuesOf() {
  try {
    return parseArgs({ options }).values;
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : String(error)}\n${USAGE}`);
    process.exitCode = 2;
    return undefined;
  }
}

async function main(): Promise<void> {
  const values = valuesOf();
  if (values === undefined) return;
  if (values.cuts !== undefined || values['cut-mutants'] === true) {
    const isFine = values.cuts !== undefined ? await huntCuts(Number(values.cuts)) : await huntCutMutants(values.only);
    process.exitCode = isFine ? 0 : 1;
    return;
  }
  const startedMs = performance.now();
  const root = buildCoroutines();
  if (values.mutants === true) {
    process.exitCode = (await huntMutants(root, values.only)) ? 0 : 1;
    return;
  }
  const found = summed(await Promise.all(huntsOf(values).map((hunt) => runHunt(root, hunt))));
  const seconds = ((performance.now() - startedMs) / 1000).toFixed(0);
  console.log(
    `${found.schedules} schedules (${found.steps} accesses, ${found.turns} changes of turn) and ${found.crashes} deaths in ${seconds} s: ${found.faults.length} faults`,
  );
  for (const fault of found.faults) console.log(`\n${fault}\n  again by: npm run sim -- ${fault.split(':')[0]}`);
  if (found.faults.length > 0) process.exitCode = 1;
}

if (process.argv[1]?.endsWith('sim/main.js') === true) await main();
