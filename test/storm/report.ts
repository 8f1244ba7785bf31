/** The figures of a storm and of its control, side by side. */
import { COUNTS, type CountName, KINDS, type TimeKind } from './board.js';
import { TIMES_HEAD, type Times, timesLine } from './histogram.js';
import type { Storm } from './storm.js';

export interface RunFigures {
  readonly name: string;
  readonly seconds: number;
  readonly ended: number;
  readonly times: Readonly<Record<TimeKind, Times>>;
  readonly counts: Readonly<Record<CountName, number>>;
  readonly ends: Readonly<Record<string, number>>;
}

export function figuresOf(name: string, storm: Storm, seconds: number): RunFigures {
  const { board, ended, ends } = storm;
  // Where some survive all, it is they whose waits count.
  const seats = storm.survivors > 0 ? storm.survivors : undefined;
  const times = Object.fromEntries(KINDS.map((kind) => [kind, board.times(kind, seats)])) as Record<TimeKind, Times>;
  const counts = Object.fromEntries(COUNTS.map((count) => [count, board.total(count)])) as Record<CountName, number>;
  return { name, seconds, ended, times, counts, ends: Object.fromEntries(ends) };
}

/** Milliseconds, one line for each kind of time in each run. */
export function table(runs: readonly RunFigures[]): string {
  const lines = [`${'milliseconds'.padEnd(24)}${TIMES_HEAD}`];
  for (const kind of KINDS) {
    for (const { name, times } of runs) {
      if (times[kind].count > 0) lines.push(`${kind.padEnd(12)}${name.padEnd(12)}${timesLine(times[kind])}`);
    }
  }
  for (const { name, seconds, ended } of runs) {
    lines.push(`${name}: ${ended} ended in ${seconds.toFixed(0)} s, ${(ended / seconds).toFixed(1)}/s`);
  }
  return lines.join('\n');
}
