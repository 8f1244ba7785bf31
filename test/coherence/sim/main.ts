/**
 * `node dist/test/coherence/sim/main.js {"from":1,"count":1000}`: lives by chance; what came about, and what was wrong.
 * `--mutants [PART OF A NAME] [RUNS]`: each mutant until it is caught, as the table of docs/PROOF.md.
 */
import { buildSteps, runHunt } from './build.js';
import type { Hunt } from './hunt.js';
import { MUTANTS } from './mutants.js';

/** Runs that a mutant may take. */
const RUNS_MAX = 6000;

async function huntMutants(only: string, runs: number): Promise<void> {
  for (const mutant of MUTANTS) {
    if (!mutant.name.includes(only)) continue;
    const root = buildSteps('coherence-mutant', mutant);
    const cases = await runHunt(root, { from: 0, count: 0, cases: true });
    if (cases.faults.length > 0 && mutant.survives === undefined) {
      console.log(`| ${mutant.name} | small cases | ${cases.faults[0]} |`);
      continue;
    }
    const found = await runHunt(root, { from: 1, count: mutant.survives === undefined ? runs : 500, stops: true });
    const [fault] = found.faults;
    if ((fault === undefined) !== (mutant.survives !== undefined)) process.exitCode = 1;
    const by = fault === undefined ? `**not caught**: ${mutant.survives ?? ''}` : `${found.runs} runs`;
    console.log(
      `| ${mutant.name} | ${by} | ${(fault ?? '')
        .split('\n')[0]
        ?.replace(/^.*?step \d+: /, '')
        .slice(0, 90)} |`,
    );
  }
}

if (process.argv[2] === '--mutants') await huntMutants(process.argv[3] ?? '', Number(process.argv[4] ?? RUNS_MAX));
else {
  const root = buildSteps('coherence-steps');
  const found = await runHunt(root, JSON.parse(process.argv[2] ?? '{"from":1,"count":200}') as Hunt);
  console.log(found);
  if (found.faults.length > 0) process.exitCode = 1;
}
