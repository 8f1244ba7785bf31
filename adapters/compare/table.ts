/**
 * The result as text for a terminal: what was compared, the figures, the checks, the notes, what to do next.
 *
 * (T1) every line of the figures has the same width; padding is counted before colour is put on.
 * (T2) a table wider than the terminal is turned: one line per figure, one column per arm.
 */
import { styleText } from 'node:util';
import { essentialsOf, whatTheyDoNotMean } from './essence.js';
import {
  countText,
  MISSING,
  mebibytesText,
  microsecondsText,
  percentText,
  secondsText,
  timesText,
  visible,
} from './figures.js';
import { allNotes, bestPrivate, readsOverShared, verdict, whatWasCompared } from './summary.js';
import type { ArmResult, CompareResult } from './types.js';

export interface TableOptions {
  readonly color: boolean;
  /** Width of the terminal in columns; absent for a pipe, which never turns the table. */
  readonly columns?: number;
  /** The last line: what to do next. */
  readonly next?: string;
}

const WRAP_COLUMNS = 100;
const GAP = '  ';

type Style = Parameters<typeof styleText>[0];
type Paint = (style: Style, text: string) => string;

function painter(color: boolean): Paint {
  return (style, text) => (color ? styleText(style, text, { validateStream: false }) : text);
}

export const figureHeads = [
  'arm',
  'requests',
  'hits',
  'hit ratio',
  'storage reads',
  'vs shared',
  'private MiB',
  'shared MiB',
  'total MiB',
  'p50 µs',
  'p99 µs',
  'seconds',
] as const;

/** The cells of one arm, in the order of figureHeads. */
export function figureCells(result: CompareResult, arm: ArmResult): string[] {
  return [
    visible(arm.name),
    countText(arm.requests),
    countText(arm.hits),
    percentText(arm.hitRatio),
    countText(arm.storageReads),
    timesText(readsOverShared(result, arm)),
    mebibytesText(arm.bytesPrivate),
    mebibytesText(arm.bytesShared),
    mebibytesText(arm.bytesPrivate + arm.bytesShared),
    microsecondsText(arm.p50Us),
    microsecondsText(arm.p99Us),
    secondsText(arm.elapsedMs),
  ];
}

/** Breaks at spaces, but not between a number and its unit; a word longer than the width stands alone on its line. */
export function wrap(text: string, first: string, columns: number = WRAP_COLUMNS): string[] {
  const indent = ' '.repeat(first.length);
  const lines: string[] = [];
  let line = '';
  for (const bound of text.replace(/(\d) (?=%|[KMGTP]?i?B\b)/g, '$1\u00a0').split(/[ \n\t]+/)) {
    const word = bound.replaceAll('\u00a0', ' ');
    const lead = lines.length === 0 ? first : indent;
    if (line !== '' && lead.length + line.length + 1 + word.length > columns) {
      lines.push(lead + line);
      line = word;
    } else {
      line = line === '' ? word : `${line} ${word}`;
    }
  }
  lines.push((lines.length === 0 ? first : indent) + line);
  return lines;
}

/** Rows of equal length to lines of equal width: the first column to the left, all others to the right. */
export function alignRows(rows: readonly (readonly string[])[]): string[][] {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => (row[column] ?? '').length)));
  return rows.map((row) =>
    row.map((cell, column) => (column === 0 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0))),
  );
}

function transposed(rows: readonly (readonly string[])[]): string[][] {
  return (rows[0] ?? []).map((_, column) => rows.map((row) => row[column] ?? ''));
}

/** Lines of a table as it stands, or turned where it does not fit the terminal. `shared` is the row to stand out. */
function tableLines(rows: readonly (readonly string[])[], options: TableOptions, paint: Paint, shared = -1): string[] {
  const upright = alignRows(rows);
  const width = (upright[0] ?? []).join(GAP).length;
  const turned = options.columns !== undefined && width > options.columns;
  const table = turned ? alignRows(transposed(rows)) : upright;
  return table.map((row, index) => {
    if (index === 0) return paint('bold', row.join(GAP));
    if (turned) return [paint('bold', row[0] ?? ''), ...row.slice(1)].join(GAP);
    return index === shared ? paint('cyan', row.join(GAP)) : row.join(GAP);
  });
}

function figureLines(result: CompareResult, options: TableOptions, paint: Paint): string[] {
  const rows = [[...figureHeads], ...result.arms.map((arm) => figureCells(result, arm))];
  const shared = result.arms.findIndex((arm) => arm.name === 'shared') + 1;
  return tableLines(rows, options, paint, shared);
}

function besideLines({ beside }: CompareResult, options: TableOptions, paint: Paint): string[] {
  if (beside === undefined) return [];
  const rows = [beside.heads, ...beside.rows].map((row) => row.map(visible));
  const shared = beside.rows.findIndex(([name]) => name === 'shared') + 1;
  const title = wrap(visible(beside.title), '', columnsOf(options));
  return ['', ...title, ...tableLines(rows, options, paint, shared)];
}

function checkLines(result: CompareResult, paint: Paint, columns: number): string[] {
  return result.checks.flatMap((check) => {
    const mark = check.ok ? 'PASS  ' : 'FAIL  ';
    const [first = '', ...rest] = wrap(visible(check.text), mark, columns);
    return [paint(check.ok ? 'green' : ['red', 'bold'], mark) + first.slice(mark.length), ...rest];
  });
}

function columnsOf({ columns = WRAP_COLUMNS }: TableOptions): number {
  return Math.min(WRAP_COLUMNS, Math.max(40, columns));
}

function sectionLines(result: CompareResult, options: TableOptions): string[] {
  const paint = painter(options.color);
  const columns = columnsOf(options);
  const outcome = verdict(result);
  const notes = allNotes(result);
  return [
    ...(result.recognised === undefined ? [] : [visible(result.recognised)]),
    paint('bold', `${visible(result.workload)} (seed ${result.seed})`),
    ...wrap(visible(whatWasCompared(result)), '', columns),
    '',
    ...figureLines(result, options, paint),
    ...besideLines(result, options, paint),
    ...(outcome === undefined ? [] : ['', ...wrap(outcome, '', columns).map((line) => paint('bold', line))]),
    ...(result.checks.length === 0 ? [] : ['', ...checkLines(result, paint, columns)]),
    ...(notes.length === 0 ? [] : ['', ...notes.flatMap((note) => wrap(visible(note), '- ', columns))]),
  ];
}

/** What to take home of one run. */
function essenceLines(result: CompareResult, options: TableOptions): string[] {
  const essentials = essentialsOf(result);
  if (essentials === undefined) return [];
  const paint = painter(options.color);
  const columns = columnsOf(options);
  const rival = bestPrivate(result)?.name ?? '';
  const [names, texts] = [essentials.map(({ name }) => name), essentials.map(({ text }) => text)];
  const widest = (all: readonly string[]) => Math.max(...all.map(({ length }) => length));
  const lines = essentials.flatMap(({ name, text, values }) => {
    const lead = `  ${name.padEnd(widest(names))}  `;
    const beside = `${lead}${text.padEnd(widest(texts))}  `;
    const [first = '', ...rest] = wrap(values, beside, columns);
    return [lead + paint('bold', text) + first.slice(lead.length + text.length), ...rest];
  });
  return [
    '',
    paint('bold', `The three figures that matter, the shared pool against ${rival}:`),
    ...lines,
    'What they do not mean:',
    ...whatTheyDoNotMean(result).flatMap((sentence) => wrap(sentence, '- ', columns)),
  ];
}

export const overviewHeads = [
  'workload',
  'best private arm',
  'its hit ratio',
  'shared hit ratio',
  'its reads',
  'shared reads',
  'vs shared',
  'checks',
] as const;

/** One row per run, in the order of overviewHeads. */
export function overviewCells(result: CompareResult): string[] {
  const rival = bestPrivate(result);
  const shared = result.arms.find((arm) => arm.name === 'shared');
  const failed = result.checks.filter((check) => !check.ok).length;
  return [
    visible(result.workload),
    rival?.name ?? MISSING,
    percentText(rival?.hitRatio ?? Number.NaN),
    percentText(shared?.hitRatio ?? Number.NaN),
    countText(rival?.storageReads ?? Number.NaN),
    countText(shared?.storageReads ?? Number.NaN),
    timesText(rival === undefined ? undefined : readsOverShared(result, rival)),
    failed > 0 ? `${failed} failed` : result.checks.length === 0 ? 'none made' : 'passed',
  ];
}

function overviewLines(results: readonly CompareResult[], options: TableOptions): string[] {
  const paint = painter(options.color);
  const rows = [[...overviewHeads], ...results.map(overviewCells)];
  return ['', paint('bold', `All ${results.length} workloads`), ...tableLines(rows, options, paint)];
}

/** The whole output for one or several runs, with a newline at the end. */
export function renderTable(results: readonly CompareResult[], options: TableOptions): string {
  const sections = results.flatMap((result, index) => [
    ...(index === 0 ? [] : ['', '']),
    ...sectionLines(result, options),
  ]);
  const [only] = results;
  const overview = results.length > 1 ? overviewLines(results, options) : only ? essenceLines(only, options) : [];
  const next = options.next === undefined ? [] : ['', options.next];
  return `${[...sections, ...overview, ...next].join('\n')}\n`;
}
