/** `npm run model`: every case, small and large, the exceptions, and every mutant, as tables. With a name: its trace. */
import { type Case, caseOf, cases, check, exceptions, largeCases } from './cases.js';
import { mutants } from './mutants.js';

const LARGE_MAX = 20_000_000;

function row(...cells: (string | number)[]): void {
  const widths = [56, 11, 12, 9];
  console.log(
    cells.map((cell, i) => (i === 0 ? String(cell).padEnd(56) : String(cell).padStart(widths[i] ?? 0))).join(' '),
  );
}

function seconds(started: number): string {
  return `${((performance.now() - started) / 1000).toFixed(1)} s`;
}

function runCases(title: string, of: Readonly<Record<string, Case>>, wanted?: string): boolean {
  console.log(`\n${title}`);
  let isAsClaimed = true;
  for (const [name, each] of Object.entries(of)) {
    if (wanted !== undefined && !name.includes(wanted)) continue;
    const started = performance.now();
    const verdict = check(each, undefined, LARGE_MAX);
    const found = verdict.fault ?? (verdict.isComplete ? 'holds' : 'not exhausted');
    row(name, verdict.states, verdict.steps, seconds(started), ` ${found}`);
    if (wanted !== undefined || (verdict.fault !== undefined && of !== exceptions))
      console.log(verdict.trace.join('\n'));
    isAsClaimed &&= of === exceptions ? verdict.fault !== undefined : found === 'holds';
  }
  return isAsClaimed;
}

function runMutants(wanted?: string): boolean {
  console.log('\nmutants');
  let isAsClaimed = true;
  for (const mutant of mutants) {
    if (wanted !== undefined && !mutant.name.includes(wanted)) continue;
    const started = performance.now();
    const verdict = check(caseOf(mutant.on), mutant, LARGE_MAX);
    const expected = (verdict.fault === undefined) === (mutant.survives !== undefined);
    const found = verdict.fault ?? (verdict.isComplete ? `survives: ${mutant.survives ?? '?'}` : 'not exhausted');
    row(mutant.name, verdict.states, `(${mutant.on})`, seconds(started), ` ${expected ? '' : 'UNEXPECTED '}${found}`);
    if (wanted !== undefined) console.log(verdict.trace.join('\n'));
    isAsClaimed &&= expected;
  }
  return isAsClaimed;
}

const wanted = process.argv[2];
const verdicts = [
  runCases('small cases', cases, wanted),
  runCases('what is not promised: each must be objected to', exceptions, wanted),
  runMutants(wanted),
  runCases('large cases', largeCases, wanted),
];
if (verdicts.includes(false)) process.exitCode = 1;
