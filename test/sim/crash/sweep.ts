/** Sweeps: which runs of the crash simulation are made, and what is reported of them. */
import { type Run, runCrash, WAYS, worldOf } from './exhaustive.js';
import type { Scenario } from './scenarios.js';

export interface Sweep {
  readonly runs: number;
  readonly deaths: number;
  readonly repairerDeaths: number;
  /** Stores of the longest operation. */
  readonly longest: number;
  /** Statements after which somebody was killed. */
  readonly sites: Set<string>;
  readonly faults: readonly string[];
}

export function nameOf(run: Run): string {
  const repair = Number.isFinite(run.killRepairAfter) ? `, repair killed after ${run.killRepairAfter}` : '';
  return `'${run.scenario.name}' killed after ${run.killAfter} stores, found by ${run.way}${repair}`;
}

class Sweeper {
  private readonly world: ReturnType<typeof worldOf>;
  private readonly scenario: Scenario;
  private readonly wantsSites: boolean;
  runs = 0;
  deaths = 0;
  repairerDeaths = 0;
  longest = 0;
  readonly sites = new Set<string>();
  readonly faults: string[] = [];

  constructor(scenario: Scenario, wantsSites: boolean) {
    this.scenario = scenario;
    this.wantsSites = wantsSites;
    this.world = worldOf(scenario);
  }

  /** Whether the death that the run was about happened. */
  async run(at: Omit<Run, 'scenario'>): Promise<boolean> {
    const run = { ...at, scenario: this.scenario };
    this.runs++;
    try {
      const { died, repairerDied, site } = await runCrash(this.world, run, this.wantsSites);
      if (died) this.deaths++;
      if (repairerDied) this.repairerDeaths++;
      if (died || repairerDied) this.sites.add(site.replace('src/', ''));
      if (died) this.longest = Math.max(this.longest, run.killAfter);
      return Number.isFinite(run.killRepairAfter) ? repairerDied : died;
    } catch (error) {
      this.faults.push(`${nameOf(run)}: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
      return this.faults.length < 5;
    }
  }
}

/** Kills after every store, and finds the dead in every way. */
export async function sweepOperation(scenario: Scenario, wantsSites = false): Promise<Sweep> {
  const sweeper = new Sweeper(scenario, wantsSites);
  for (const way of WAYS) {
    for (let killAfter = 0; ; killAfter++) {
      if (!(await sweeper.run({ killAfter, way, killRepairAfter: Number.POSITIVE_INFINITY }))) break;
    }
  }
  return sweeper;
}

/** Kills the repairer as well: after each `stride`th store of it, from a first that differs from death to death. */
export async function sweepRepair(scenario: Scenario, stride: number, wantsSites = false): Promise<Sweep> {
  const sweeper = new Sweeper(scenario, wantsSites);
  const way = 'upkeep';
  for (let killAfter = 0; ; killAfter++) {
    if (!(await sweeper.run({ killAfter, way, killRepairAfter: Number.POSITIVE_INFINITY }))) break;
    for (let after = (killAfter * 7) % stride; ; after += stride) {
      if (!(await sweeper.run({ killAfter, way, killRepairAfter: after }))) break;
    }
  }
  return sweeper;
}
