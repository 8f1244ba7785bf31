/** Sweeps of all cuts, and of broken orders that the sweeps must catch. */
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { buildCuts } from './build.js';
import { CUT_MUTANTS, type CutMutant } from './mutants.js';
import type { CutSweep } from './probe.js';

/** Sweeps the copy at `root`; with `only`, the scenarios whose name has it. */
async function sweepIn(root: string, stride: number, only = ''): Promise<CutSweep> {
  const child = spawn(process.execPath, [join(root, 'test/sim/cuts/hunter.js'), String(stride), only], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let output = '';
  for await (const chunk of child.stdout) output += chunk;
  const last = output.trimEnd().split('\n').at(-1) ?? '';
  if (!last.startsWith('{')) throw new Error(`the sweep ended without a word: ${output}`);
  return JSON.parse(last) as CutSweep;
}

/** Prints what a sweep found; true when nothing is wrong. */
export async function huntCuts(stride: number): Promise<boolean> {
  const startedMs = performance.now();
  const { cuts, faults } = await sweepIn(buildCuts(), stride);
  const seconds = ((performance.now() - startedMs) / 1000).toFixed(0);
  console.log(`${cuts} cuts in ${seconds} s: ${faults.length} faults`);
  for (const fault of faults) console.log(`\n${fault}`);
  return faults.length === 0;
}

/** The fault by which the mutant is caught, or undefined. Strides from wide to narrow, as most are caught soon. */
export async function huntCutMutant(mutant: CutMutant): Promise<{ cuts: number; fault: string } | undefined> {
  const root = buildCuts('cutmutant', mutant);
  let cuts = 0;
  for (const stride of [61, 7, 1]) {
    const found = await sweepIn(root, stride, mutant.scenario);
    cuts += found.cuts;
    const fault = found.faults[0];
    if (fault !== undefined) return { cuts, fault: fault.split('\n')[0] as string };
  }
  return undefined;
}

/** Prints a table; true when every one is caught. */
export async function huntCutMutants(only = ''): Promise<boolean> {
  let escaped = 0;
  for (const mutant of CUT_MUTANTS) {
    if (!mutant.name.includes(only)) continue;
    const caught = await huntCutMutant(mutant);
    if (caught === undefined) escaped++;
    const by = caught === undefined ? '**not caught**' : `${caught.cuts} cuts`;
    console.log(`| ${mutant.name} | ${mutant.file.slice(9, -3)} | ${by} | ${caught?.fault.slice(0, 130) ?? ''} |`);
  }
  console.log(`${CUT_MUTANTS.length} mutants, ${escaped} not caught`);
  return escaped === 0;
}
