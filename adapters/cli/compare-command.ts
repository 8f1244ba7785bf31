/**
 * sealpool compare: the same work over the same memory, spent on local caches or on one shared pool.
 *
 * (K1) files are written before anything is printed, so that a reader who closes the pipe early loses none.
 * (K2) a file that does not look like an earlier output is never overwritten: `--json TRACE` would take a trace for it.
 */

import { constants } from 'node:fs';
import { access, open, writeFile } from 'node:fs/promises';
import { availableParallelism, cpus, loadavg, release, type } from 'node:os';
import { dirname } from 'node:path';
import type { Command } from 'commander';
import {
  type CompareResult,
  createProgress,
  failedChecks,
  installLine,
  loadEcharts,
  type Memory,
  openingOf,
  type Policy,
  type Progress,
  type ProgressDisplay,
  policies,
  renderJson,
  renderPicture,
  renderReport,
  renderTable,
  traceSource,
  visible,
  type WorkloadOptions,
  wrap,
} from '../compare/index.js';
import type { Context } from './context.js';
import { CommandFailed, UsageError } from './failure.js';
import { integerBetween, oneOf } from './flags.js';
import { interruptible } from './interrupt.js';
import { parseMemory, parseSize } from './size.js';

const NODES_MAX = 64;
const SEED_MAX = 0xffff_ffff;
const NODES_DEFAULT = 4;
const SEED_DEFAULT = 1;
const OPENING_COLUMNS = 100;
const REPORT_DEFAULT = 'sealpool-report.html';

interface CompareFlags {
  readonly workload?: readonly string[];
  readonly nodes: number;
  readonly memory?: Memory;
  readonly eviction: Policy;
  readonly storage?: string;
  readonly seed: number;
  readonly pageSize?: number;
  readonly format?: string;
  /** True without a file: standard output. */
  readonly json?: string | true;
  readonly report?: string;
  readonly picture?: string;
}

type Plan = { readonly kind: 'sqlite' | 'htap' } | { readonly kind: 'traces'; readonly files: readonly string[] };

function planOf(traces: readonly string[], { workload = [] }: CompareFlags): Plan {
  const kind = (['sqlite', 'htap'] as const).find((name) => workload.includes(name));
  const files = [...traces, ...workload.filter((name) => name !== kind)];
  if (kind === undefined) return files.length === 0 ? { kind: 'sqlite' } : { kind: 'traces', files };
  if (files.length === 0) return { kind };
  throw new UsageError(`the ${kind} workload takes no trace, but ${JSON.stringify(files[0])} was given as one`);
}

/** Before the work: the last of several traces is reached only after minutes. */
function checkTraces(plan: Plan): void {
  if (plan.kind !== 'traces') return;
  for (const file of plan.files) {
    if (traceSource(file) !== undefined) continue;
    throw new UsageError(`there is no trace file ${visible(file)}; without a trace, compare runs the sqlite workload`);
  }
}

/** How an earlier output of each kind begins. */
const beginnings = {
  '--json': ['{\n  "nodes"', '{\n  "runs"'],
  '--report': ['<!doctype html>'],
  '--picture': ['<svg '],
} as const;

/** Refuses before the work what would fail or do harm after it. An empty or absent file may become either output. */
async function checkOutput(option: keyof typeof beginnings, file: string): Promise<void> {
  const handle = await open(file, 'r').catch((cause: NodeJS.ErrnoException) => {
    if (cause.code === 'ENOENT') return undefined;
    throw cause;
  });
  if (handle === undefined) return await access(dirname(file), constants.W_OK);
  try {
    if (!(await handle.stat()).isFile()) return;
    const { bytesRead, buffer } = await handle.read(Buffer.alloc(64), 0, 64, 0);
    const head = buffer.toString('latin1', 0, bytesRead);
    if (bytesRead === 0 || beginnings[option].some((beginning) => head.startsWith(beginning))) return;
  } finally {
    await handle.close();
  }
  throw new UsageError(
    `${option} ${file}: the file is there and is no earlier output; give it another name, or remove it`,
  );
}

async function runPlan(plan: Plan, flags: CompareFlags, context: Context, progress: ProgressDisplay) {
  const { nodes, memory, eviction, storage, seed } = flags;
  const options: WorkloadOptions = {
    ...{ nodes, eviction, seed, progress: progress.update },
    ...(memory === undefined ? {} : { memory }),
    ...(storage === undefined ? {} : { storage }),
  };
  if (plan.kind !== 'traces') {
    const compareSqlite = await context.workloads[plan.kind]();
    // To be drawn: htap has one in any case.
    const late = plan.kind === 'sqlite' && flags.report !== undefined ? { lateJoiner: true } : {};
    return [await compareSqlite({ ...options, ...late })];
  }
  const compareTrace = await context.workloads.trace();
  const { pageSize, format } = flags;
  const results: CompareResult[] = [];
  for (const [index, file] of plan.files.entries()) {
    const title = plan.files.length === 1 ? file : `${file} (${index + 1} of ${plan.files.length})`;
    // What was recognised comes first; the file's name leads the arms below it.
    let isBegun = false;
    const begin = (): void => {
      if (!isBegun) progress.begin(title);
      isBegun = true;
    };
    const update: Progress = (news) => {
      begin();
      progress.update(news);
    };
    const recognised = (text: string): void => {
      progress.begin(text);
      begin();
    };
    const trace = {
      recognised,
      ...(pageSize === undefined ? {} : { pageSize }),
      ...(format === undefined ? {} : { format }),
    };
    results.push(await compareTrace(file, { ...options, ...trace, progress: update }));
    progress.finish();
  }
  return results;
}

/** `load`: how many processes wanted a processor before the run. */
function machineText(load: number): string {
  const model = cpus()[0]?.model ?? 'unknown processor';
  const kernel = release().replace(/-.*/, '');
  return `${type()} ${kernel}, ${availableParallelism()} x ${model}, Node ${process.version}, load ${load.toFixed(1)} before`;
}

/** Before the work, which may take minutes. */
async function checkPicture(file: string, plan: Plan): Promise<void> {
  if (plan.kind === 'traces' && plan.files.length > 1) throw new UsageError('--picture is of one run, not of several');
  if ((await loadEcharts()) === undefined) {
    throw new UsageError(
      `--picture needs echarts, which is not installed. Install it with:\n  ${installLine('echarts')}`,
    );
  }
  await checkOutput('--picture', file);
}

/** As a reader could type it again, in a checkout as well; words that a shell would take apart are quoted. */
export function commandText(words: readonly string[]): string {
  const quoted = words.map((word) => (/^[\w./:=%@,+-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`));
  return ['npx sealpool', ...quoted].join(' ');
}

/** The command again, with a report. Right after the name, where no `--` and no list of values swallows the option. */
function nextLine([name = '', ...rest]: readonly string[], plan: Plan, flags: CompareFlags): string {
  if (flags.report !== undefined) return `Next: open ${flags.report} in a browser.`;
  const again = commandText([name, '--report', REPORT_DEFAULT, ...rest]);
  const trace = plan.kind !== 'traces' ? '\n      or compare on page ids of your own: npx sealpool compare TRACE' : '';
  return `Next: see it drawn with ${visible(again)}${trace}`;
}

async function writeOutputs(
  results: readonly CompareResult[],
  plan: Plan,
  flags: CompareFlags,
  words: readonly string[],
  { context, load }: { context: Context; load: number },
): Promise<void> {
  const made = { command: commandText(words), machine: machineText(load) };
  if (typeof flags.json === 'string') await writeFile(flags.json, renderJson(results));
  if (flags.report !== undefined) {
    await writeFile(flags.report, await renderReport(results, made));
  }
  const [result] = results;
  const echarts = flags.picture === undefined ? undefined : await loadEcharts();
  if (flags.picture !== undefined && result !== undefined && echarts !== undefined) {
    await writeFile(flags.picture, renderPicture(result, { ...made, echarts }));
  }
  const { stdout } = context;
  if (flags.json === true) {
    stdout.write(renderJson(results));
    return;
  }
  const color = stdout.isTTY === true && (stdout.hasColors?.() ?? false);
  const columns = stdout.isTTY === true && stdout.columns !== undefined ? { columns: stdout.columns } : {};
  stdout.write(renderTable(results, { color, ...columns, next: nextLine(words, plan, flags) }));
}

async function compare(traces: readonly string[], flags: CompareFlags, words: readonly string[], context: Context) {
  const plan = planOf(traces, flags);
  if (plan.kind !== 'traces' && (flags.pageSize !== undefined || flags.format !== undefined)) {
    throw new UsageError('--page-size and --format are of traces, and none was given');
  }
  checkTraces(plan);
  if (typeof flags.json === 'string') await checkOutput('--json', flags.json);
  if (flags.report !== undefined) await checkOutput('--report', flags.report);
  if (flags.picture !== undefined) await checkPicture(flags.picture, plan);
  const load = loadavg()[0] ?? 0;
  const progress = createProgress(context.stderr);
  if (plan.kind !== 'traces') {
    const opening = openingOf(flags.nodes, flags.memory, plan.kind).join(' ');
    progress.begin(...wrap(opening, '', Math.max(40, context.stderr.columns ?? OPENING_COLUMNS)));
  }
  const finish = () => progress.finish();
  const results = await interruptible(finish, () => runPlan(plan, flags, context, progress).finally(finish));
  await writeOutputs(results, plan, flags, words, { context, load });
  const failed = failedChecks(results);
  if (failed > 0)
    throw new CommandFailed(`${failed} ${failed === 1 ? 'check' : 'checks'} failed: do not trust these figures`);
}

/** `words` are the command line, for the report to name. */
export function addCompare(program: Command, context: Context, words: readonly string[]): void {
  program
    .command('compare')
    .description('local caches against the shared pool, on a built-in workload or on traces of page ids')
    .argument(
      '[traces...]',
      'files of accesses, compressed or not, of any format in docs/TRACES.md; FILE:COLUMN names the column of the page id, FILE:volume,block several, FILE:offset+size bytes to be made pages, FILE:id*count repetitions (default: the sqlite workload)',
    )
    .option('--workload <name...>', 'sqlite, htap (a writer beside the readers, minutes), or trace files')
    .option('--nodes <count>', 'nodes that share the work', integerBetween('--nodes', 1, NODES_MAX), NODES_DEFAULT)
    .option(
      '--memory <size>',
      "in total, for each arm: bytes, '64MiB', indexes included, or as many pages as a share such as '10%' (default 10% of a trace, 30% of the sqlite database, 50% of the htap one)",
      (text) => parseMemory(text, '--memory'),
    )
    .option('--eviction <policy>', policies.join(', '), oneOf('--eviction', policies), 'adaptive-2q')
    .option(
      '--storage <file>',
      'trace: read missed pages from this file; sqlite: keep the database here, a file or a folder',
    )
    .option('--page-size <size>', 'of a trace, bytes or such as 16KiB (default 4096)', (text) =>
      parseSize(text, '--page-size'),
    )
    .option('--format <name>', 'of a trace whose content leaves it open, such as u32, u64, ids (default: by content)')
    .option('--seed <number>', 'for repeatable runs', integerBetween('--seed', 0, SEED_MAX), SEED_DEFAULT)
    .option('--json [file]', 'write JSON to the file, or to standard output')
    .option('--report <file>', 'write an HTML report; of the sqlite workload, in which the last node then comes late')
    .option('--picture <file>', 'draw one run as an SVG file, for a document to show')
    .action((traces: string[], flags: CompareFlags) => compare(traces, flags, words, context));
}
