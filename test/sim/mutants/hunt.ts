/** Hunts each mutant until it is caught: by crash sweeps, then small cases, then schedules by chance. */
import { buildMutant } from '../coroutines/build.js';
import type { Found, Hunt } from '../hunt.js';
import { runHunt } from '../run.js';
import { MUTANTS } from './list.js';
import type { Mutant } from './mutant.js';

/** Seeds are few at first: most mutants do not need more. */
const HUNTS: readonly (Hunt & { readonly name: string })[] = [
  { name: 'chance', from: 1, count: 300, stops: true },
  { name: 'small cases', caseStride: 9973, stops: true },
  { name: 'crash sweep', crash: true, repairStride: 0, stops: true },
  { name: 'chance', from: 301, count: 8000, stops: true },
  { name: 'crash sweep', crash: true, repairStride: 97, stops: true },
];

export interface Verdict {
  readonly mutant: Mutant;
  /** Undefined: not caught. */
  readonly by: string | undefined;
  readonly fault: string;
}

function effortOf(name: string, found: Found): string {
  if (name === 'crash sweep') return `${found.crashes} deaths`;
  return `${name === 'small cases' ? 'small cases' : 'seeds'}, ${found.schedules} schedules`;
}

export async function huntMutant(root: string, mutant: Mutant, hunts = HUNTS): Promise<Verdict> {
  const copy = buildMutant(root, mutant);
  for (const { name, ...hunt } of hunts) {
    const found = await runHunt(copy, hunt);
    const fault = found.faults[0];
    if (fault !== undefined) return { mutant, by: effortOf(name, found), fault: fault.split('\n')[0] as string };
  }
  return { mutant, by: undefined, fault: '' };
}

/** Prints a table; true when every one is caught. */
export async function huntMutants(root: string, only = ''): Promise<boolean> {
  let escaped = 0;
  for (const mutant of MUTANTS) {
    if (!mutant.name.includes(only)) continue;
    const { by, fault } = await huntMutant(root, mutant);
    if (by === undefined) escaped++;
    console.log(
      `| ${mutant.name} | ${mutant.file.slice(9, -3)} | ${by ?? '**not caught**'} | ${fault.slice(0, 110)} |`,
    );
  }
  console.log(`${MUTANTS.length} mutants, ${escaped} not caught`);
  return escaped === 0;
}
