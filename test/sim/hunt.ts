/**
 * A hunter: runs inside a copy of the project that has coroutines, over a range of seeds, and says on a line of JSON what
 * it found. `node hunt.js {"from":1,"count":1000}`.
 */
import { readFileSync } from 'node:fs';
import { defineFallbacks } from './coroutines/turn.js';
import { CORNERS } from './crash/corners.js';
import { LONG_KEY_SCENARIOS } from './crash/longkeys.js';
import { SCENARIOS } from './crash/scenarios.js';
import { type Sweep, sweepOperation, sweepRepair } from './crash/sweep.js';
import { TAG_SCENARIOS } from './crash/tags.js';
import { CASES, planOfCase, WHOLE } from './schedule/cases.js';
import { Driver, planOf } from './schedule/driver.js';
import type { Plan } from './schedule/scheduler.js';

export interface Hunt {
  /** Schedules by chance: seeds from here on. */
  readonly from?: number;
  readonly count?: number;
  /** Crash sweeps; every so many stores the repairer dies too, 0 for never. */
  readonly crash?: boolean;
  readonly repairStride?: number;
  /** Part of the names of the scenarios that are swept; all without it. */
  readonly scenario?: string;
  /** Small cases with every place for one change of turn, and for two: 1: every one, n: every n-th. */
  readonly caseStride?: number;
  /** Ends at the first fault. */
  readonly stops?: boolean;
  /** Prints every access. */
  readonly traces?: boolean;
}

export interface Found {
  readonly schedules: number;
  readonly steps: number;
  /** Changes of turn between actors. */
  readonly turns: number;
  readonly crashes: number;
  readonly faults: readonly string[];
}

const FAULTS_MAX = 5;

class Hunter {
  private readonly hunt: Hunt;
  private readonly driver = new Driver();
  private crashes = 0;
  private readonly faults: string[] = [];

  constructor(hunt: Hunt) {
    this.hunt = hunt;
  }

  private get isOver(): boolean {
    return this.faults.length >= (this.hunt.stops === true ? 1 : FAULTS_MAX);
  }

  async run(): Promise<Found> {
    const { crash, caseStride = 0, from = 1, count = 0 } = this.hunt;
    if (crash === true) await this.sweep();
    if (caseStride > 0) await this.runCases(caseStride);
    for (let seed = from; seed < from + count && !this.isOver; seed++)
      await this.schedule(planOf(seed), `--seed ${seed}`);
    const { schedules, steps, turns } = this.driver;
    return { schedules, steps, turns, crashes: this.crashes, faults: this.faults };
  }

  private async schedule(plan: Plan, name: string): Promise<void> {
    const trace = (actor: number, isStore: boolean, index: number) =>
      console.log(`actor ${actor} ${isStore ? 'stores' : 'loads'} word ${index}`);
    const fault = await this.driver.run(plan, this.hunt.traces === true ? trace : undefined);
    if (fault !== undefined) this.faults.push(`${name}: ${fault}`);
    else if (this.hunt.traces === true) console.log(this.driver.journal.entries());
  }

  private async runCases(stride: number): Promise<void> {
    for (const one of CASES) {
      const [firstLength, secondLength] = await this.driver.lengthsOf(one);
      let index = 0;
      for (let first = 0; first <= firstLength; first++) {
        if (this.isOver) return;
        await this.schedule(planOfCase(one, first, WHOLE), `case ${one.name}, a turn after ${first}`);
        for (let second = 1; second <= secondLength; second++) {
          if (index++ % stride !== 0) continue;
          if (this.isOver) return;
          await this.schedule(planOfCase(one, first, second), `case ${one.name}, turns after ${first} and ${second}`);
        }
      }
    }
  }

  private async sweep(): Promise<void> {
    const { repairStride = 0, scenario: part = '' } = this.hunt;
    for (const scenario of [...SCENARIOS, ...CORNERS, ...TAG_SCENARIOS, ...LONG_KEY_SCENARIOS]) {
      if (this.isOver) return;
      if (!scenario.name.includes(part)) continue;
      this.take(await sweepOperation(scenario));
      if (repairStride > 0) this.take(await sweepRepair(scenario, repairStride));
    }
  }

  private take(sweep: Sweep): void {
    this.crashes += sweep.deaths + sweep.repairerDeaths;
    this.faults.push(...sweep.faults.slice(0, 1));
  }
}

const names = readFileSync(new URL('../../stepping.json', import.meta.url), 'utf8');
defineFallbacks(JSON.parse(names).stepping as string[]);
const found = await new Hunter(JSON.parse(process.argv[2] ?? '{}') as Hunt).run();
console.log(JSON.stringify(found));
process.exitCode = found.faults.length > 0 ? 1 : 0;
