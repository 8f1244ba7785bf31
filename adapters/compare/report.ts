/**
 * The result as one HTML file that needs nothing else: no network, no script, no fonts of its own.
 *
 * (R1) every text of a result goes through escapeHtml; only charts.ts, picture.ts and this file write markup.
 * (R2) all figures stand in tables; charts repeat them. Without echarts the report lacks charts, not figures.
 */
import { type Chart, type ExtraSeries, loadEcharts, overviewCharts, runCharts } from './charts.js';
import { essentialsOf, whatTheyDoNotMean } from './essence.js';
import { bytesText, visible } from './figures.js';
import { installLine } from './peers.js';
import { styleSheet } from './style-sheet.js';
import { allNotes, failedChecks, verdict, whatWasCompared } from './summary.js';
import { figureCells, figureHeads, overviewCells, overviewHeads } from './table.js';
import type { ArmName, CompareResult } from './types.js';

export interface ReportOptions {
  /** The command that made the report, as typed. */
  readonly command: string;
  /** The machine it ran on, one line. */
  readonly machine: string;
  /** Defaults to the optional peer; a test passes one that is missing. */
  readonly echarts?: typeof loadEcharts;
}

const htmlEntities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

/** For text and for attributes in either quotes. */
export function escapeHtml(text: string): string {
  return visible(text).replace(/[&<>"']/g, (character) => htmlEntities[character] ?? '');
}

function tableHtml(heads: readonly string[], rows: readonly (readonly string[])[], sharedRow = -1): string {
  const cells = (tag: string, row: readonly string[]) =>
    row.map((cell) => `<${tag}${tag === 'th' ? ' scope="col"' : ''}>${escapeHtml(cell)}</${tag}>`).join('');
  const body = rows.map((row, index) => `<tr${index === sharedRow ? ' class="shared"' : ''}>${cells('td', row)}</tr>`);
  return `<div class="scroll"><table><thead><tr>${cells('th', heads)}</tr></thead><tbody>\n${body.join('\n')}\n</tbody></table></div>`;
}

function chartHtml(chart: Chart): string {
  const label = escapeHtml(`${chart.title}. ${chart.caption}`);
  const svg = chart.svg.replace('<svg ', `<svg role="img" aria-label="${label}" `);
  return `<figure${chart.wide === true ? ' class="wide"' : ''}><figcaption><strong>${escapeHtml(chart.title)}</strong><span>${escapeHtml(chart.caption)}</span></figcaption>\n<div class="scroll">${svg}</div></figure>`;
}

function chartsHtml(charts: readonly Chart[]): string {
  return charts.length === 0 ? '' : `<div class="charts">\n${charts.map(chartHtml).join('\n')}\n</div>`;
}

function seriesHtml(extra: ExtraSeries): string {
  const arms = Object.keys(extra.values) as ArmName[];
  const rows = extra.labels.map((label, index) => [
    label,
    ...arms.map((arm) => {
      const value = extra.values[arm]?.[index];
      return value === undefined ? '–' : value.toLocaleString('en-US', { maximumFractionDigits: 3 });
    }),
  ]);
  const summary = `${extra.title}, in ${extra.unit}`;
  return `<details><summary>${escapeHtml(summary)}: all figures</summary>\n${tableHtml(['', ...arms], rows)}</details>`;
}

function checksHtml(result: CompareResult): string {
  if (result.checks.length === 0) return '';
  const items = result.checks.map((check) => {
    const mark = check.ok ? '<span class="pass">PASS</span>' : '<span class="fail">FAIL</span>';
    return `<li>${mark}${escapeHtml(check.text)}</li>`;
  });
  return `<h3>Checks</h3>\n<ul class="checks">\n${items.join('\n')}\n</ul>`;
}

function notesHtml(result: CompareResult): string {
  const notes = allNotes(result);
  if (notes.length === 0) return '';
  return `<h3>Notes</h3>\n<ul>\n${notes.map((note) => `<li>${escapeHtml(note)}</li>`).join('\n')}\n</ul>`;
}

function essenceHtml(result: CompareResult): string {
  const essentials = essentialsOf(result);
  if (essentials === undefined) return '';
  const cards = essentials.map(
    ({ name, text, values }) =>
      `<li><span>${escapeHtml(name)}</span><strong>${escapeHtml(text)}</strong><span>${escapeHtml(values)}</span></li>`,
  );
  const sentences = whatTheyDoNotMean(result).map((sentence) => `<li>${escapeHtml(sentence)}</li>`);
  return `<ul class="essence">\n${cards.join('\n')}\n</ul>\n<details><summary>What these three figures do not mean</summary>\n<ul>\n${sentences.join('\n')}\n</ul></details>`;
}

function besideHtml({ beside }: CompareResult): string {
  if (beside === undefined) return '';
  const sharedRow = beside.rows.findIndex(([name]) => name === 'shared');
  return `<p>${escapeHtml(beside.title)}</p>\n${tableHtml(beside.heads, beside.rows, sharedRow)}`;
}

function traceText({ recognised = '', workingSet = Number.NaN }: CompareResult): string {
  return `${recognised}; working set ${bytesText(workingSet)}`;
}

function runHtml(result: CompareResult, charts: readonly Chart[], identifier: string): string {
  const outcome = verdict(result);
  const rows = result.arms.map((arm) => figureCells(result, arm));
  const sharedRow = result.arms.findIndex((arm) => arm.name === 'shared');
  return [
    `<section id="${identifier}">`,
    `<h2>${escapeHtml(result.workload)}</h2>`,
    ...(result.recognised === undefined ? [] : [`<p class="muted">${escapeHtml(traceText(result))}</p>`]),
    `<p>${escapeHtml(whatWasCompared(result))} <span class="muted">Seed&nbsp;${escapeHtml(String(result.seed))}.</span></p>`,
    ...(outcome === undefined ? [] : [`<p class="verdict">${escapeHtml(outcome)}</p>`]),
    essenceHtml(result),
    tableHtml(figureHeads, rows, sharedRow),
    besideHtml(result),
    chartsHtml(charts),
    ...(result.series ?? []).map(seriesHtml),
    checksHtml(result),
    notesHtml(result),
    '</section>',
  ]
    .filter((part) => part !== '')
    .join('\n');
}

function overviewHtml(results: readonly CompareResult[], charts: readonly Chart[]): string {
  const links = results.map((result, index) => `<a href="#run-${index + 1}">${escapeHtml(result.workload)}</a>`);
  return [
    '<section id="overview">',
    '<h2>Overview</h2>',
    `<p>Each workload is reported by itself below: ${links.join(', ')}.</p>`,
    tableHtml(overviewHeads, results.map(overviewCells)),
    chartsHtml(charts),
    '</section>',
  ].join('\n');
}

function headHtml(results: readonly CompareResult[], options: ReportOptions, drawn: boolean): string {
  const checks = results.reduce((sum, result) => sum + result.checks.length, 0);
  const failed = failedChecks(results);
  const state =
    checks === 0
      ? 'No checks were made.'
      : failed === 0
        ? `<span class="pass">PASS</span>All ${checks} checks passed.`
        : `<span class="fail">FAIL</span>${failed} of ${checks} checks failed: do not trust these figures.`;
  const missing = `<p>This report has no charts, since echarts is not installed: <code>${escapeHtml(installLine('echarts'))}</code>, then run the command again.</p>`;
  return [
    '<h1>Local caches against the shared pool</h1>',
    `<p class="muted"><code>${escapeHtml(options.command)}</code><br>${escapeHtml(options.machine)}</p>`,
    `<p>${state}</p>`,
    ...(drawn ? [] : [missing]),
  ].join('\n');
}

/** The whole page. Needs the optional peer echarts for its charts only. */
export async function renderReport(results: readonly CompareResult[], options: ReportOptions): Promise<string> {
  const echarts = await (options.echarts ?? loadEcharts)();
  const several = results.length > 1;
  const sections = results.map((result, index) =>
    runHtml(result, echarts === undefined ? [] : runCharts(echarts, result), `run-${index + 1}`),
  );
  const title = several ? `${results.length} workloads` : (results[0]?.workload ?? 'no workload');
  return [
    '<!doctype html>',
    '<html lang="en">',
    '<head>',
    '<meta charset="utf-8">',
    '<meta name="viewport" content="width=device-width, initial-scale=1">',
    `<title>sealpool compare: ${escapeHtml(title)}</title>`,
    `<style>\n${styleSheet}\n</style>`,
    '</head>',
    '<body><main>',
    headHtml(results, options, echarts !== undefined),
    ...(several ? [overviewHtml(results, echarts === undefined ? [] : overviewCharts(echarts, results))] : []),
    ...sections,
    '</main></body>',
    '</html>',
    '',
  ].join('\n');
}
