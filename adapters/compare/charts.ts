/**
 * The charts of the report, drawn by echarts on the server side as plain SVG: no script runs in the reader's browser.
 *
 * (C1) ink, muted text and grid lines are drawn in the marker colours below; the page's style sheet turns them into
 *      the colours of the reader's light or dark theme by attribute, so one drawing serves both.
 * (C2) an arm has the same colour in every chart, readable on white and on near-black.
 * (C3) the SVG carries no style sheet and no classes: those of several charts in one page would collide.
 */
import type { ECharts, EChartsOption } from 'echarts';
import { countText, mebibytes, mebibytesText, microsecondsText, percentText, timesText, visible } from './figures.js';
import { readsOverShared } from './summary.js';
import type { ArmName, ArmResult, CompareResult } from './types.js';

export const INK = '#1b1b1c';
export const MUTED = '#5b5b5c';
export const GRID_LINE = '#dcdcdd';

const armColors: Readonly<Record<ArmName, string>> = {
  shared: '#2f6fed',
  'private-lru': '#d9730d',
  'private-adaptive-2q': '#b8397a',
  'private-s3-fifo': '#0f9d8a',
  'private-sieve': '#a855c7',
  'private-engine': '#b98a00',
  'private-versioned': '#d9730d',
  'os-cache': '#8a8f98',
  'os-cache-limited': '#5f6b7a',
};

const WIDTH = 600;
const ROW_HEIGHT = 34;
const FONT = 'system-ui, sans-serif';
const LABEL_WIDTH = 190;
const WIDE_WIDTH = 1240;
/** Series with more labels than this are drawn over the whole width, with bars that stand. */
const LYING_BARS_MAX = 8;
/** Values further apart than this, as a ratio, are drawn on a logarithmic axis. */
const SPREAD_MAX = 50;

export interface Chart {
  readonly title: string;
  /** How to read it, one sentence. */
  readonly caption: string;
  readonly svg: string;
  /** Drawn over the whole width of the page. */
  readonly wide?: boolean;
}

export interface Echarts {
  init(root: null, theme: null, options: object): ECharts;
  setPlatformAPI(platform: { measureText(text: string, font?: string): { width: number } }): void;
}

/** The library, or undefined when the optional peer is not installed. */
export async function loadEcharts(): Promise<Echarts | undefined> {
  try {
    const echarts = (await import('echarts')) as unknown as Echarts;
    echarts.setPlatformAPI({ measureText });
    return echarts;
  } catch (cause) {
    if ((cause as { code?: string }).code === 'ERR_MODULE_NOT_FOUND') return undefined;
    throw cause;
  }
}

/** Wide enough for any reader's system font, which is not known here: a label may get too much room, never too little. */
function measureText(text: string, font = ''): { width: number } {
  const size = Number(/(\d+(?:\.\d+)?)px/.exec(font)?.[1] ?? 12);
  let width = 0;
  for (const character of text) width += (character.codePointAt(0) ?? 0) > 0x2e7f ? size : size * 0.64;
  return { width };
}

function colorOf(arm: ArmName): string {
  return armColors[arm] ?? '#8a8f98';
}

function draw(echarts: Echarts, height: number, option: EChartsOption, width: number = WIDTH): string {
  const chart = echarts.init(null, null, { renderer: 'svg', ssr: true, width, height });
  try {
    chart.setOption({ animation: false, textStyle: { fontFamily: FONT, color: INK }, ...option });
    return chart
      .renderToSVGString({ useViewBox: true })
      .replace(/<style[^>]*>[\s\S]*?<\/style>/g, '')
      .replace(/ (?:class|ecmeta_[a-z_]+)="[^"]*"/g, '')
      .trim();
  } finally {
    chart.dispose();
  }
}

const labelText = { color: MUTED, fontSize: 13 };

export function valueAxis(format: (value: number) => string): object {
  return {
    type: 'value',
    splitNumber: 4,
    axisLabel: { ...labelText, formatter: format, hideOverlap: true },
    splitLine: { lineStyle: { color: GRID_LINE } },
  };
}

function nameAxis(names: readonly string[]): object {
  return {
    type: 'category',
    inverse: true,
    data: names.map(visible),
    axisTick: { show: false },
    axisLine: { lineStyle: { color: GRID_LINE } },
    axisLabel: { color: INK, fontSize: 13, width: LABEL_WIDTH, overflow: 'truncate', interval: 0 },
  };
}

function grid(top: number, right: number): object {
  return { left: 4, right, top, bottom: 4, outerBoundsMode: 'same', outerBoundsContain: 'axisLabel' };
}

function legend(names: readonly string[]): object {
  return { top: 0, left: 0, itemWidth: 14, itemHeight: 10, textStyle: { color: INK, fontSize: 13 }, data: [...names] };
}

function heightOf(rows: number, extra = 40): number {
  return rows * ROW_HEIGHT + extra;
}

/** One horizontal bar per arm with its value at the end. */
export function armBars(
  echarts: Echarts,
  result: CompareResult,
  measure: (arm: ArmResult) => number,
  axis: object,
  label: (arm: ArmResult) => string,
  right: number,
): string {
  return draw(echarts, heightOf(result.arms.length), {
    grid: grid(6, right),
    xAxis: axis,
    yAxis: nameAxis(result.arms.map((arm) => arm.name)),
    series: [
      {
        type: 'bar',
        barMaxWidth: 20,
        data: result.arms.map((arm) => ({
          value: measure(arm),
          itemStyle: { color: colorOf(arm.name) },
          label: { show: true, position: 'right', color: INK, fontSize: 13, formatter: () => label(arm) },
        })),
      },
    ],
  } as EChartsOption);
}

function hitRatioChart(echarts: Echarts, result: CompareResult): Chart {
  return {
    title: 'Hit ratio',
    caption: 'Requests answered from memory. Longer is better.',
    svg: armBars(
      echarts,
      result,
      (arm) => arm.hitRatio * 100,
      percentAxis,
      (arm) => percentText(arm.hitRatio),
      80,
    ),
  };
}

function storageReadsChart(echarts: Echarts, result: CompareResult): Chart {
  return {
    title: 'Storage reads',
    caption: 'Pages read from storage, all nodes together. Shorter is better; in brackets, times the shared arm.',
    svg: armBars(
      echarts,
      result,
      (arm) => arm.storageReads,
      valueAxis(compactText),
      (arm) => `${countText(arm.storageReads)} (${timesText(readsOverShared(result, arm))})`,
      150,
    ),
  };
}

const percentAxis = { ...valueAxis((value) => `${value} %`), min: 0, max: 100, interval: 25 };

function compactText(value: number): string {
  return value.toLocaleString('en-US', { notation: 'compact', maximumFractionDigits: 1 });
}

/** 0.1 µs, 100 µs, 1 ms, 10 s. */
function latencyTick(microseconds: number): string {
  if (microseconds >= 1_000_000) return `${compactText(microseconds / 1_000_000)} s`;
  return microseconds >= 1000 ? `${compactText(microseconds / 1000)} ms` : `${Number(microseconds.toPrecision(3))} µs`;
}

/**
 * Whole decades around all values, so that the log axis has labelled ends; a quarter below the least leaves room for
 * its label. Zero latencies sit at the lower end.
 */
function decades(values: readonly number[]): { min: number; max: number } {
  const positive = values.filter((value) => value > 0);
  if (positive.length === 0) return { min: 0.1, max: 10 };
  const min = 10 ** Math.floor(Math.log10(Math.min(...positive) / 4));
  const max = 10 ** Math.ceil(Math.log10(Math.max(...positive)));
  return { min, max: max > min ? max : min * 10 };
}

function latencyLabel(show: (value: number) => string, value: number, position: string): object {
  return { show: true, position, distance: 7, color: INK, fontSize: 12, formatter: () => show(value) };
}

function latencyChart(echarts: Echarts, result: CompareResult): Chart {
  const { min, max } = decades(result.arms.flatMap((arm) => [arm.p50Us, arm.p99Us]));
  const at = (value: number) => Math.max(value, min);
  const points = (pick: (arm: ArmResult) => number, position: string, hollow: boolean) =>
    result.arms.map((arm, row) => ({
      value: [at(pick(arm)), row],
      itemStyle: hollow
        ? { color: 'none', borderColor: colorOf(arm.name), borderWidth: 2.5 }
        : { color: colorOf(arm.name) },
      label: latencyLabel(microsecondsText, pick(arm), position),
    }));
  const spans = result.arms.map((arm, row) => [
    { coord: [at(arm.p50Us), row], lineStyle: { color: colorOf(arm.name) } },
    { coord: [at(arm.p99Us), row] },
  ]);
  return {
    title: 'Latency per page request',
    caption:
      'Microseconds, logarithmic. Ring: half of the requests were faster (p50). Dot: 99 of 100 were faster (p99).',
    svg: draw(echarts, heightOf(result.arms.length), {
      grid: grid(6, 60),
      xAxis: { ...valueAxis(latencyTick), type: 'log', min, max },
      yAxis: nameAxis(result.arms.map((arm) => arm.name)),
      series: [
        {
          type: 'scatter',
          symbolSize: 11,
          data: points((arm) => arm.p50Us, 'left', true),
          markLine: {
            symbol: 'none',
            silent: true,
            label: { show: false },
            lineStyle: { type: 'solid', width: 3, opacity: 0.45 },
            data: spans,
          },
        },
        { type: 'scatter', symbolSize: 11, data: points((arm) => arm.p99Us, 'right', false) },
      ],
    } as EChartsOption),
  };
}

function memoryChart(echarts: Echarts, result: CompareResult): Chart {
  const part = (name: string, color: string, pick: (arm: ArmResult) => number, total: boolean) => ({
    name,
    type: 'bar',
    stack: 'memory',
    barMaxWidth: 20,
    itemStyle: { color },
    data: result.arms.map((arm) => ({
      value: mebibytes(pick(arm)),
      label: {
        show: total,
        position: 'right',
        color: INK,
        fontSize: 13,
        formatter: () => `${mebibytesText(arm.bytesPrivate + arm.bytesShared)} MiB`,
      },
    })),
  });
  return {
    title: 'Memory held',
    caption: 'MiB over all nodes, index overhead included. The pool is counted once, however many nodes read it.',
    svg: draw(echarts, heightOf(result.arms.length, 70), {
      legend: legend(['private to a node', 'shared by all nodes']),
      grid: grid(34, 100),
      xAxis: valueAxis((value) => compactText(value)),
      yAxis: nameAxis(result.arms.map((arm) => arm.name)),
      series: [
        part('private to a node', armColors['private-lru'], (arm) => arm.bytesPrivate, false),
        part('shared by all nodes', armColors.shared, (arm) => arm.bytesShared, true),
      ],
    } as EChartsOption),
  };
}

export type ExtraSeries = NonNullable<CompareResult['series']>[number];

/** Numbers are points of a line, such as seconds; anything else is a thing of its own, such as a query. */
function areNumbers(labels: readonly string[]): boolean {
  return labels.every((label) => label.trim() !== '' && Number.isFinite(Number(label)));
}

/** A value axis that is logarithmic where the largest value would flatten the least to nothing. */
function spreadAxis(values: readonly number[]): { axis: object; logarithmic: boolean } {
  const positive = values.filter((value) => value > 0);
  const logarithmic = positive.length > 0 && Math.max(...positive) / Math.min(...positive) > SPREAD_MAX;
  if (!logarithmic) return { axis: valueAxis(compactText), logarithmic };
  const ends = decades(positive);
  // Bars would stand on 1 otherwise, wherever the axis begins.
  return { axis: { ...valueAxis(compactText), type: 'log', ...ends, startValue: ends.min }, logarithmic };
}

function extraChart(echarts: Echarts, extra: ExtraSeries): Chart {
  const arms = Object.keys(extra.values) as ArmName[];
  const { axis, logarithmic } = spreadAxis(arms.flatMap((arm) => extra.values[arm] ?? []));
  const lying = extra.labels.length <= LYING_BARS_MAX && !areNumbers(extra.labels);
  const series = arms.map((arm) => ({
    name: arm,
    type: areNumbers(extra.labels) ? 'line' : 'bar',
    barMaxWidth: 12,
    showSymbol: false,
    itemStyle: { color: colorOf(arm) },
    lineStyle: { color: colorOf(arm), width: 2 },
    data: [...(extra.values[arm] ?? [])],
  }));
  const acrossLabels = { ...nameAxis(extra.labels), inverse: false, axisLabel: { ...labelText, hideOverlap: true } };
  const option = {
    legend: legend(arms),
    grid: grid(34, 24),
    xAxis: lying ? axis : acrossLabels,
    yAxis: lying ? nameAxis(extra.labels) : axis,
    series,
  } as EChartsOption;
  const height = lying ? extra.labels.length * (arms.length * 14 + 14) + 70 : 300;
  return {
    title: extra.title,
    caption: `In ${extra.unit}, per arm${logarithmic ? '; logarithmic' : ''}.`,
    svg: draw(echarts, height, option, lying ? WIDTH : WIDE_WIDTH),
    ...(lying ? {} : { wide: true }),
  };
}

/** The charts of one run, in the order of the report. */
export function runCharts(echarts: Echarts, result: CompareResult): Chart[] {
  if (result.arms.length === 0) return [];
  return [
    hitRatioChart(echarts, result),
    storageReadsChart(echarts, result),
    latencyChart(echarts, result),
    memoryChart(echarts, result),
    ...(result.series ?? []).map((extra) => extraChart(echarts, extra)),
  ];
}

function groupedChart(
  echarts: Echarts,
  results: readonly CompareResult[],
  axis: object,
  measure: (result: CompareResult, arm: ArmResult) => number | undefined,
): string {
  const names = [...new Set(results.flatMap((result) => result.arms.map((arm) => arm.name)))];
  const series = names.map((name) => ({
    name,
    type: 'bar',
    barMaxWidth: 12,
    itemStyle: { color: colorOf(name) },
    data: results.map((result) => {
      const arm = result.arms.find((candidate) => candidate.name === name);
      return (arm === undefined ? undefined : measure(result, arm)) ?? '-';
    }),
  }));
  return draw(echarts, results.length * (names.length * 14 + 14) + 70, {
    legend: legend(names),
    grid: grid(34, 24),
    xAxis: axis,
    yAxis: nameAxis(results.map((result) => result.workload)),
    series,
  } as EChartsOption);
}

/** The charts that set several runs side by side. */
export function overviewCharts(echarts: Echarts, results: readonly CompareResult[]): Chart[] {
  return [
    {
      title: 'Hit ratio by workload',
      caption: 'Longer is better.',
      svg: groupedChart(echarts, results, percentAxis, (_, arm) => arm.hitRatio * 100),
    },
    {
      title: 'Storage reads by workload, as multiples of the shared arm',
      caption: 'Above 1 the arm read storage more often than the shared pool did.',
      svg: groupedChart(
        echarts,
        results,
        valueAxis((value) => `${value}x`),
        readsOverShared,
      ),
    },
  ];
}
