/** Sweeps of what is no scenario of one operation: waits, subscriptions, loads that several wait for, and leaving. */
import { worldOf } from '../crash/exhaustive.js';
import { LEAVING_SCENARIO, leavingRuns } from './leaving.js';
import { LOAD_SCENARIO, loadRuns } from './loads.js';
import { CUT_KINDS, type CutSweep } from './probe.js';
import { SUBSCRIPTION_SCENARIO, subscriptionRuns } from './subscriptions.js';
import type { OddRun } from './turns.js';
import { WAIT_SCENARIO, waitRuns } from './waits.js';

export const ODD_SWEEPS = {
  'a wait': () => waitRuns(worldOf(WAIT_SCENARIO)),
  'a subscription': () => subscriptionRuns(worldOf(SUBSCRIPTION_SCENARIO)),
  'a load of several': () => loadRuns(worldOf(LOAD_SCENARIO)),
  leaving: () => leavingRuns(worldOf(LEAVING_SCENARIO)),
} as const;
export type OddName = keyof typeof ODD_SWEEPS;
export const ODD_NAMES = Object.keys(ODD_SWEEPS) as OddName[];

/** Long runs, of which each cut takes its time, are cut at fewer places. */
const SPARSE: Readonly<Record<string, number>> = { 'calls that publish to their own node': 5 };

/** The calls of listeners are short: their places are the first ones, and each is cut. */
const DENSE_PLACES = 24;

async function sweepOne(name: string, run: OddRun, stride: number): Promise<CutSweep> {
  const faults: string[] = [];
  let cuts = 0;
  for (const [way, kind] of CUT_KINDS.entries()) {
    const dense = (name in SPARSE ? 0 : DENSE_PLACES) + way * 5;
    for (let k = 0; ; k += k < dense ? 1 : stride) {
      try {
        if (!(await run(kind, k))) break;
        cuts++;
      } catch (error) {
        faults.push(`${name}, ${kind} at ${k}: ${(error as Error).stack}`);
        break;
      }
    }
  }
  return { cuts, faults };
}

/** Cuts each at every `stride`th place, in every way. */
export async function sweepOdd(name: OddName, stride: number): Promise<CutSweep> {
  const faults: string[] = [];
  let cuts = 0;
  for (const [what, run] of ODD_SWEEPS[name]()) {
    const swept = await sweepOne(what, run, stride === 1 ? 1 : stride * (SPARSE[what] ?? 1));
    cuts += swept.cuts;
    faults.push(...swept.faults);
  }
  return { cuts, faults };
}
