/** Sweeps of cuts; runs in the copy of the project that can be cut. */
import { worldOf } from '../crash/exhaustive.js';
import type { Scenario } from '../crash/scenarios.js';
import { type Cut, runCut, SEQUELS } from './cut.js';
import { FEED_SCENARIO, runFeedCut } from './feeds.js';
import { ODD_NAMES, sweepOdd } from './odd.js';
import { CUT_KINDS, type CutSweep } from './probe.js';
import { CUT_SCENARIOS } from './scenarios.js';

export { sweepOdd } from './odd.js';
export { CUT_SCENARIOS } from './scenarios.js';

export function nameOfCut({ scenario, kind, k, sequel, isWarm }: Cut): string {
  return `'${scenario.name}' ${isWarm ? 'known ' : ''}${kind} at ${k}, ${sequel}`;
}

/** Cuts at every `stride`th place, in every way; the first place differs from way to way. `faultsMax` ends it. */
export async function sweepCuts(scenario: Scenario, stride: number, faultsMax = 1): Promise<CutSweep> {
  const world = worldOf(scenario);
  const faults: string[] = [];
  let cuts = 0;
  let way = 0;
  for (const kind of CUT_KINDS) {
    for (const sequel of SEQUELS) {
      for (const isWarm of [false, true]) {
        for (let k = (way++ * 5) % stride; ; k += stride) {
          const cut = { scenario, kind, k, sequel, isWarm };
          try {
            if (!(await runCut(world, cut))) break;
            cuts++;
          } catch (error) {
            const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
            faults.push(`${nameOfCut(cut)}: ${text}`);
            if (faults.length >= faultsMax) return { cuts, faults };
          }
        }
      }
    }
  }
  return { cuts, faults };
}

/** Reads of a feed that is cut: of few events at every place, and of more than the logs hold at every `stride`th. */
export function sweepFeeds(stride: number): CutSweep {
  const world = worldOf(FEED_SCENARIO);
  const faults: string[] = [];
  let cuts = 0;
  for (const kind of CUT_KINDS) {
    for (const events of [6, 200]) {
      const step = events === 6 ? 1 : stride;
      try {
        for (let k = 0; runFeedCut(world, kind, k, events); k += step) cuts++;
      } catch (error) {
        faults.push(`a feed of ${events} events, ${kind}: ${(error as Error).stack}`);
      }
    }
  }
  return { cuts, faults };
}

/** All scenarios whose name has `only` in it. */
export async function sweepAll(stride: number, only = '', faultsMax = 1): Promise<CutSweep> {
  const faults: string[] = [];
  let cuts = 0;
  for (const scenario of CUT_SCENARIOS) {
    if (!scenario.name.includes(only)) continue;
    const swept = await sweepCuts(scenario, stride, faultsMax);
    cuts += swept.cuts;
    faults.push(...swept.faults);
  }
  if (FEED_SCENARIO.name.includes(only)) {
    const swept = sweepFeeds(stride);
    cuts += swept.cuts;
    faults.push(...swept.faults);
  }
  for (const name of ODD_NAMES) {
    if (!name.includes(only)) continue;
    const swept = await sweepOdd(name, stride);
    cuts += swept.cuts;
    faults.push(...swept.faults);
  }
  return { cuts, faults };
}
