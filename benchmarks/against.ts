/** One cell by this build and by another, in turn: the ratio of each figure to the other's, within rounds. */
import type { CellReport } from './cell.js';
import { POWER } from './fit.js';
import { figureText, linesOf, type Result, resultOf } from './frame.js';
import { Random } from './random.js';
import { type CellOptions, startCell } from './start.js';
import { giveTurns } from './turns.js';

/** This build's report. Its figures over those of the other follow as further results. */
export interface Compared extends CellReport {
  readonly ratios: readonly Result[];
}

export async function runAgainst(options: CellOptions, folder: string): Promise<Compared> {
  const sides = [undefined, folder].map((build) => startCell({ ...options, build, takesTurns: true }));
  const turns = giveTurns(
    sides.map(({ child }) => child),
    new Random(options.seed),
  );
  const reports = Promise.all(sides.map(({ report }) => report));
  // One that failed leaves the other at work for nothing.
  reports.catch(() => {
    for (const { child } of sides) child.kill('SIGTERM');
  });
  const [ours, theirs] = (await reports) as [CellReport, CellReport];
  await turns;
  if (ours.checks.join() !== theirs.checks.join()) {
    throw new Error(`${options.cell}: the build in ${folder} gave other answers.`);
  }
  return { ...ours, ratios: ratiosOf(ours, theirs) };
}

/** Of the figures that both have, round by round; a ratio of two exponents says nothing. */
function ratiosOf(ours: CellReport, theirs: CellReport): Result[] {
  return ours.results.flatMap(({ name, unit }) => {
    if (unit === POWER) return [];
    const [series, others] = [ours.series[name], theirs.series[name]];
    if (series === undefined || others === undefined || series.length !== others.length) return [];
    return [resultOf({ name: `${name}, against`, unit, series, baseline: { name: 'theirs', series: others } })];
  });
}

const HEADINGS = ['', 'this', 'other', 'unit', 'ratio', 'middle half'];

/** As lines of text: this build's figure, the other's, and the ratio within rounds. */
export function comparisonOf(cell: string, ratios: readonly Result[]): string {
  const rows = ratios.map(({ name, value, baseline = 0, unit, ratio = 0, ratioLow = 0, ratioHigh = 0 }) => [
    name.startsWith(`${cell}: `) ? name.slice(cell.length + 2) : name,
    figureText(value),
    figureText(baseline),
    unit,
    ratio.toFixed(2),
    `${ratioLow.toFixed(2)}..${ratioHigh.toFixed(2)}`,
  ]);
  return linesOf([HEADINGS, ...rows], [0, 3]);
}
