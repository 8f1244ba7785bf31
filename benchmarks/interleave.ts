/**
 * Arms measured side by side on a machine that is not ours alone.
 *
 * A benchmark that runs one arm for a second and then the next compares two seconds of the machine as much as two pieces
 * of code. Here a round gives every arm one slice of some ten milliseconds, in an order drawn anew for each round, and
 * there are many rounds: a neighbour's burst falls on all arms of a round alike, or on one slice of many. One slice is
 * one run of a tinybench task; its sample is the cost of one operation in a batch, its figure the median sample.
 */
import { setImmediate as endOfRun } from 'node:timers/promises';
import { Bench } from 'tinybench';
import type { Context, Series } from './frame.js';
import { inTurn } from './turns.js';

/** Milliseconds: of one operation, and of everything the batch did, checks and cleaning up included. */
export interface Sample {
  readonly overriddenDuration: number;
  readonly overriddenIterationCost: number;
}

export interface Arm {
  readonly name: string;
  /** Runs a batch, and throws when its answer is wrong. */
  readonly batch: () => Sample | Promise<Sample>;
  readonly isAsync?: boolean;
}

export interface Pace {
  readonly rounds: number;
  /** 0: one batch a slice. */
  readonly sliceMs: number;
  /** Rounds before the first that counts. */
  readonly warmupRounds: number;
}

/** Milliseconds an operation by arm, one for each round. */
export async function interleave(arms: readonly Arm[], pace: Pace, context: Context): Promise<Map<string, Series>> {
  const series = new Map<string, number[]>(arms.map(({ name }) => [name, []]));
  for (let round = -pace.warmupRounds; round < pace.rounds; round++) {
    const bench = new Bench({ time: pace.sliceMs, iterations: 1, warmup: false, throws: true });
    for (const arm of context.random.shuffle([...arms]))
      bench.add(arm.name, arm.batch, { async: arm.isAsync === true });
    await inTurn(async () => {
      if (arms.some((arm) => arm.isAsync)) await bench.run();
      else bench.runSync();
      // Timers get their turn, and borrows end, as they would in a program that serves.
      await endOfRun();
    });
    if (round < 0) continue;
    for (const { name, result } of bench.tasks) {
      if (!('latency' in result)) throw new Error(`${name}: it did not run to its end.`);
      series.get(name)?.push(result.latency.p50);
    }
  }
  return series;
}

/** Adds one figure an arm. `from` turns milliseconds an operation into the unit. */
export function addFigures(
  context: Context,
  measured: ReadonlyMap<string, Series>,
  how: {
    readonly prefix: string;
    readonly unit: string;
    readonly from: (ms: number) => number;
    readonly baselineOf: (arm: string) => string | undefined;
    readonly goalOf?: (arm: string) => string | undefined;
  },
): void {
  const seriesOf = (arm: string) => {
    const series = measured.get(arm);
    if (series === undefined) throw new Error(`${arm}: there is no such arm.`);
    return series.map(how.from);
  };
  for (const arm of measured.keys()) {
    const base = how.baselineOf(arm);
    const goal = how.goalOf?.(arm);
    context.add({
      name: `${how.prefix}${arm}`,
      unit: how.unit,
      series: seriesOf(arm),
      ...(base === undefined || base === arm
        ? {}
        : { baseline: { name: `${how.prefix}${base}`, series: seriesOf(base) } }),
      ...(goal === undefined ? {} : { goal }),
    });
  }
}

/** A sample of `count` operations whose answer is known. */
export function sampleOf(name: string, count: number, expected: number, work: () => number): Sample {
  const start = performance.now();
  const answer = work();
  const elapsed = performance.now() - start;
  if (answer !== expected) throw new Error(`${name}: the answer is ${answer}, expected ${expected}.`);
  return { overriddenDuration: elapsed / count, overriddenIterationCost: elapsed };
}
