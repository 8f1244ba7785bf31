/**
 * What every benchmark shares: what it is given, how a figure is reported, and how the work proves that it was done.
 *
 * A benchmark answers one question. It is cut into cells, and each cell runs in a process of its own, so that no cell
 * inherits another's compiled code, heap or mappings, and `--only` repeats one without the rest.
 *
 * (B1) a figure is the median over rounds. Its spread is the middle half of the rounds: on a shared machine the extremes
 *      tell of the neighbours.
 * (B2) a ratio is the median of the ratios within one round each, never the ratio of two medians: what slows a whole
 *      round down cancels out.
 * (B3) every arm computes something that follows from the seed alone, and is checked against it as it runs. The hash is
 *      over those checks, so equal seeds give equal hashes, and work that was optimised away would not.
 */
import { readFileSync } from 'node:fs';
import { arch, cpus, loadavg, release, totalmem } from 'node:os';
import { Random } from './random.js';

/** One figure, as it stands in the JSON. The goal applies to the ratio where there is one, else to the value. */
export interface Result {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  /** The middle half of the rounds. */
  readonly low: number;
  readonly high: number;
  readonly baseline?: number;
  readonly baselineName?: string;
  readonly ratio?: number;
  readonly ratioLow?: number;
  readonly ratioHigh?: number;
  readonly goal?: string;
  /** How many rounds it is the median of. */
  readonly runs: number;
}

export interface Report {
  readonly bench: string;
  readonly question: string;
  readonly machine: string;
  readonly node: string;
  readonly seed: number;
  readonly hash: string;
  readonly mode: Mode;
  /** The folder of the build that it was measured against. */
  readonly against?: string;
  readonly notes: readonly string[];
  readonly results: readonly Result[];
}

/** smoke: seconds, to see that it runs. usual: minutes. full: the whole matrix. */
export type Mode = 'smoke' | 'usual' | 'full';

export interface Benchmark {
  readonly question: string;
  /** Whether `--size` means something to it. */
  readonly takesSize?: boolean;
  /** What `--set NAME=VALUE` takes, with what each means. */
  readonly settings?: Readonly<Record<string, string>>;
  /** Whether `--against` does: it binds the public surface only, by build.ts, and measures in turns. */
  readonly takesAgainst?: boolean;
  /** The names of its cells, in order. */
  cells(mode: Mode): readonly string[];
  run(cell: string, context: Context): Promise<void> | void;
  /** Figures over those of all cells that ran. */
  summary?(results: readonly Result[]): readonly Figure[];
}

/** The values of one arm, one a round. */
export type Series = readonly number[];

export interface Figure {
  readonly name: string;
  readonly unit: string;
  readonly series: Series;
  readonly baseline?: { readonly name: string; readonly series: Series };
  readonly goal?: string;
}

const GOAL = /^(<=|>=) (\d+(?:\.\d+)?)$/;

export class Context {
  readonly mode: Mode;
  readonly seed: number;
  /** Bytes of data, where the user named a size. */
  readonly size: number | undefined;
  /** As given, of those that the benchmark takes. */
  readonly settings: Readonly<Record<string, string>>;
  readonly random: Random;
  readonly results: Result[] = [];
  readonly notes: string[] = [];
  readonly checks: string[] = [];
  /** Of each figure, by its name. */
  readonly series: Record<string, Series> = {};

  constructor(mode: Mode, seed: number, size?: number, settings: Readonly<Record<string, string>> = {}) {
    this.mode = mode;
    this.seed = seed;
    this.size = size;
    this.settings = settings;
    this.random = new Random(seed);
  }

  get isSmoke(): boolean {
    return this.mode === 'smoke';
  }

  /** The parameter of this mode; the full one is the usual one unless given. */
  pick<T>(smoke: T, usual: T, full: T = usual): T {
    return { smoke, usual, full }[this.mode];
  }

  note(text: string): void {
    this.notes.push(text);
  }

  /** A value that the work computed and that follows from the seed: part of the hash. */
  checked(name: string, value: number | string): void {
    this.checks.push(`${name}=${value}`);
  }

  add(figure: Figure): void {
    this.results.push(resultOf(figure));
    this.series[figure.name] = figure.series;
  }
}

export function quantile(series: Series, fraction: number): number {
  const sorted = [...series].sort((a, b) => a - b);
  const place = (sorted.length - 1) * fraction;
  const below = sorted[Math.floor(place)] ?? Number.NaN;
  const above = sorted[Math.ceil(place)] ?? Number.NaN;
  return below + (above - below) * (place - Math.floor(place));
}

export function median(series: Series): number {
  return quantile(series, 0.5);
}

/** Of figures above 0, such as ratios: none of them weighs more for being larger. */
export function geometricMean(series: Series): number {
  return Math.exp(series.reduce((sum, value) => sum + Math.log(value), 0) / series.length);
}

/** Throws for a goal that no reader of the JSON would understand. */
export function resultOf({ name, unit, series, baseline, goal }: Figure): Result {
  if (series.length === 0) throw new Error(`${name}: there was no round.`);
  if (goal !== undefined && !GOAL.test(goal)) throw new Error(`${name}: '${goal}' is no goal.`);
  const plain = {
    name,
    value: rounded(median(series)),
    unit,
    low: rounded(quantile(series, 0.25)),
    high: rounded(quantile(series, 0.75)),
    runs: series.length,
    ...(goal === undefined ? {} : { goal }),
  };
  if (baseline === undefined) return plain;
  const ratios = series.map((value, round) => value / (baseline.series[round] as number));
  return {
    ...plain,
    baseline: rounded(median(baseline.series)),
    baselineName: baseline.name,
    ratio: rounded(median(ratios)),
    ratioLow: rounded(quantile(ratios, 0.25)),
    ratioHigh: rounded(quantile(ratios, 0.75)),
  };
}

function rounded(value: number): number {
  return Number(value.toPrecision(4));
}

/** Whether the goal was reached; undefined where there is none. */
export function isReached(result: Result): boolean | undefined {
  const [, relation, limit] = GOAL.exec(result.goal ?? '') ?? [];
  if (limit === undefined) return undefined;
  const value = result.ratio ?? result.value;
  return relation === '<=' ? value <= Number(limit) : value >= Number(limit);
}

/** FNV-1a over the checks. */
export function hashOf(checks: readonly string[]): string {
  let hash = 0x811c9dc5;
  for (const byte of Buffer.from(checks.join('\n'))) hash = Math.imul(hash ^ byte, 0x01000193);
  return (hash >>> 0).toString(16).padStart(8, '0');
}

function settingOf(path: string): string {
  try {
    return /\[(\w+)\]/.exec(readFileSync(path, 'utf8'))?.[1] ?? 'unknown';
  } catch {
    return 'unknown';
  }
}

/** What the figures depend on besides the code. Huge pages decide what a random read of much memory costs. */
export function describeMachine(): string {
  const huge = '/sys/kernel/mm/transparent_hugepage';
  return [
    `${cpus()[0]?.model ?? 'unknown processor'}, ${cpus().length} cores`,
    `${Math.round(totalmem() / 2 ** 30)} GiB`,
    `Linux ${release()} ${arch()}`,
    `huge pages ${settingOf(`${huge}/enabled`)}, of shared memory ${settingOf(`${huge}/shmem_enabled`)}`,
    `load ${(loadavg()[0] ?? 0).toFixed(1)}`,
  ].join('; ');
}

export function figureText(value: number): string {
  if (value >= 1000) return Math.round(value).toLocaleString('en-US');
  return String(Number(value.toPrecision(3)));
}

const HEADINGS = ['', 'median', 'middle half', 'unit', 'ratio', 'middle half', 'to', 'goal'];

/** Within a cell's table its name need not be said again. */
function rowOf(result: Result, cell: string): string[] {
  const short = (name: string) => (name.startsWith(`${cell}: `) ? name.slice(cell.length + 2) : name);
  const { ratio, ratioLow, ratioHigh } = result;
  const reached = isReached(result);
  return [
    short(result.name),
    figureText(result.value),
    `${figureText(result.low)}..${figureText(result.high)}`,
    result.unit,
    ratio === undefined ? '' : ratio.toFixed(2),
    ratioLow === undefined || ratioHigh === undefined ? '' : `${ratioLow.toFixed(2)}..${ratioHigh.toFixed(2)}`,
    short(result.baselineName ?? ''),
    reached === undefined ? '' : `${result.goal} ${reached ? 'reached' : 'MISSED'}`,
  ];
}

/** The figures of a cell as lines of text. */
export function tableOf(cell: string, results: readonly Result[]): string {
  return linesOf([HEADINGS, ...results.map((result) => rowOf(result, cell))], [0, 3, 6, 7]);
}

/** The rows as lines, columns under each other; those that are named begin at the left. */
export function linesOf(rows: readonly (readonly string[])[], textColumns: readonly number[]): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => (row[column] as string).length)));
  const isText = (column: number) => textColumns.includes(column);
  return rows
    .map((row) =>
      row
        .map((cell, column) => (isText(column) ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0)))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}
