/**
 * The result of one run as a picture: one SVG file that stands by itself, for a document that shows it. The three figures that
 * matter, four charts, and below them what was run, where and by which command.
 *
 * (S1) it brings its own paper, and the colours of a dark one for readers who prefer it: the marker colours of charts.ts are turned.
 * (S2) every text goes through escapeHtml.
 */
import { armBars, type Chart, type Echarts, GRID_LINE, INK, MUTED, runCharts, valueAxis } from './charts.js';
import { essentialsOf } from './essence.js';
import { secondsText } from './figures.js';
import { escapeHtml } from './report.js';
import { bestPrivate, whatWasCompared } from './summary.js';
import { wrap } from './table.js';
import type { CompareResult } from './types.js';

export interface PictureOptions {
  /** The command that made it, as typed. */
  readonly command: string;
  /** The machine it ran on, one line. */
  readonly machine: string;
  readonly echarts: Echarts;
}

const PAPER = '#ffffff';
const CHART_WIDTH = 600;
const MARGIN = 20;
const GUTTER = 24;
const WIDTH = 2 * (CHART_WIDTH + MARGIN) + GUTTER;
const LINE = 19;
/** Of the smallest text over the whole width. */
const COLUMNS = 165;
const CAPTION_COLUMNS = 80;
const CAPTION_LINE = 16;

const dark: readonly (readonly [light: string, dark: string])[] = [
  [PAPER, '#131518'],
  [INK, '#eceef1'],
  [MUTED, '#a4a9b2'],
];

const styles = [
  ...dark.map(([from, to]) => `[fill="${from}"] { fill: ${to}; }`),
  `[stroke="${GRID_LINE}"] { stroke: #363b44; }`,
].join(' ');

function textAt(x: number, y: number, size: number, text: string, { color = INK, bold = false } = {}): string {
  const weight = bold ? ' font-weight="700"' : '';
  return `<text x="${x}" y="${y}" font-size="${size}"${weight} fill="${color}">${escapeHtml(text)}</text>`;
}

function essentialTexts(result: CompareResult, top: number): string[] {
  const essentials = essentialsOf(result) ?? [];
  const step = (WIDTH - 2 * MARGIN) / Math.max(1, essentials.length);
  return essentials.flatMap(({ name, text, values }, index) => {
    const x = MARGIN + index * step;
    return [
      textAt(x, top, 15, name, { color: MUTED }),
      textAt(x, top + 30, 26, text, { bold: true }),
      textAt(x, top + 50, 12, values, { color: MUTED }),
    ];
  });
}

function timeChart(echarts: Echarts, result: CompareResult): Chart {
  return {
    title: 'Time',
    caption: 'Seconds until all nodes had all answers. Shorter is better.',
    svg: armBars(
      echarts,
      result,
      (arm) => arm.elapsedMs / 1000,
      valueAxis((seconds) => `${seconds} s`),
      (arm) => `${secondsText(arm.elapsedMs)} s`,
      100,
    ),
  };
}

const heightOf = ({ svg }: Chart): number => Number(/ height="(\d+)"/.exec(svg)?.[1]);

const captionOf = ({ caption }: Chart): string[] => wrap(caption, '', CAPTION_COLUMNS);

/** Title and caption, and the chart below them at `chartY`. */
function placed(chart: Chart, x: number, y: number, chartY: number): string[] {
  return [
    textAt(x, y + 16, 16, chart.title, { bold: true }),
    ...captionOf(chart).map((line, index) => textAt(x, y + 34 + index * CAPTION_LINE, 12, line, { color: MUTED })),
    chart.svg.replace(/<svg ([^>]*)>/, `<svg x="${x}" y="${chartY}" $1><title>${escapeHtml(chart.title)}</title>`),
  ];
}

/** One file of SVG. */
export function renderPicture(result: CompareResult, { command, machine, echarts }: PictureOptions): string {
  const [, reads, latency, memory] = runCharts(echarts, { ...result, series: [] });
  const time = timeChart(echarts, result);
  const rival = bestPrivate(result)?.name ?? 'private caches';
  const parts = [
    textAt(MARGIN, 38, 20, `The same work over the same memory: one shared pool against ${rival}`, { bold: true }),
    ...essentialTexts(result, 72),
  ];
  let y = 148;
  for (const pair of [
    [reads, time],
    [latency, memory],
  ]) {
    const charts = pair.filter((chart) => chart !== undefined);
    const chartY = y + 30 + CAPTION_LINE * Math.max(0, ...charts.map((chart) => captionOf(chart).length));
    for (const [index, chart] of charts.entries()) {
      parts.push(...placed(chart, MARGIN + index * (CHART_WIDTH + GUTTER), y, chartY));
    }
    y = chartY + Math.max(0, ...charts.map(heightOf)) + GUTTER;
  }
  for (const line of [...wrap(whatWasCompared(result), '', COLUMNS), `${command}  (${machine})`]) {
    y += LINE;
    parts.push(textAt(MARGIN, y, 13, line, { color: MUTED }));
  }
  const height = y + MARGIN;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${height}" viewBox="0 0 ${WIDTH} ${height}" font-family="system-ui, sans-serif">`,
    `<title>${escapeHtml(`${result.workload}: local caches against the shared pool`)}</title>`,
    `<style>@media (prefers-color-scheme: dark) { ${styles} }</style>`,
    `<rect width="${WIDTH}" height="${height}" fill="${PAPER}"/>`,
    ...parts,
    '</svg>',
    '',
  ].join('\n');
}
