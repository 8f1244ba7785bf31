/** `npm run bench -- NAME`: runs a benchmark cell by cell, prints its figures and writes them as JSON where asked to. */
import { existsSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { Command, InvalidArgumentError } from 'commander';
import { parseSize } from '../src/index.js';
import { type Compared, comparisonOf, runAgainst } from './against.js';
import { entranceOf } from './build.js';
import { benchmarkOf, catalogue } from './catalogue.js';
import { describeMachine, hashOf, isReached, type Mode, type Report, resultOf, tableOf } from './frame.js';
import { startCell } from './start.js';

interface Options {
  readonly smoke?: boolean;
  readonly full?: boolean;
  readonly only?: string;
  readonly seed: number;
  readonly size?: number;
  readonly against?: string;
  readonly json?: string | true;
  readonly set: Readonly<Record<string, string>>;
}

function seedOf(text: string): number {
  const seed = Number(text);
  if (!Number.isSafeInteger(seed)) throw new InvalidArgumentError('It must be an integer.');
  return seed;
}

function sizeOf(text: string): number {
  try {
    const size = parseSize(text);
    if (size > 0) return size;
  } catch {}
  throw new InvalidArgumentError('It must be a size such as 512MiB.');
}

function settingOf(text: string, known: Readonly<Record<string, string>>): Record<string, string> {
  const [, name, value] = /^(\w+)=(.*)$/s.exec(text) ?? [];
  if (name === undefined || value === undefined) throw new InvalidArgumentError('It must be NAME=VALUE.');
  return { ...known, [name]: value };
}

/** What the benchmark does not take ends the program. */
function checkSettings(name: string, { set }: Options, known: Readonly<Record<string, string>> = {}): void {
  const all = Object.entries(known).map(([setting, meaning]) => `\n  ${setting}: ${meaning}`);
  for (const setting of Object.keys(set)) {
    if (Object.hasOwn(known, setting)) continue;
    fail(`${name} has no setting '${setting}'.${all.length === 0 ? '' : ` There are:${all.join('')}`}`);
  }
}

/** The folder of another build. */
function buildOf(folder: string): string {
  if (existsSync(entranceOf(folder))) return resolve(folder);
  throw new InvalidArgumentError(`It must be a checkout that was built: there is no ${entranceOf(folder)}.`);
}

async function runCell(
  name: string,
  cell: string,
  mode: Mode,
  { seed, size, set, against }: Options,
): Promise<Compared> {
  const options = { name, cell, mode, seed, size, settings: set };
  if (against !== undefined) return runAgainst(options, against);
  return { ...(await startCell(options).report), ratios: [] };
}

function fail(message: string): never {
  console.error(message);
  process.exit(2);
}

async function run(name: string, options: Options): Promise<void> {
  const benchmark = await benchmarkOf(name);
  if (benchmark === undefined)
    fail(`There is no benchmark '${name}'. There are: ${Object.keys(catalogue).join(', ')}.`);
  if (options.size !== undefined && benchmark.takesSize !== true) fail(`${name} takes no --size.`);
  checkSettings(name, options, benchmark.settings);
  if (options.against !== undefined && benchmark.takesAgainst !== true) fail(`${name} takes no --against.`);
  const mode: Mode = options.smoke === true ? 'smoke' : options.full === true ? 'full' : 'usual';
  const all = benchmark.cells(mode);
  const cells = all.filter((cell) => options.only === undefined || cell.includes(options.only));
  if (cells.length === 0) fail(`No cell of ${name} has '${options.only}' in its name. There are: ${all.join('; ')}.`);

  // With the JSON on standard output, everything for people goes to standard error.
  const say = options.json === true ? console.error : console.log;
  const { seed } = options;
  const machine = describeMachine();
  say(`${name}: ${benchmark.question}\n${machine}; Node ${process.version}; seed ${seed}; ${mode}\n`);
  if (options.against !== undefined)
    say(`in turn with the build in ${options.against}; its ratios: this one's figure over that one's\n`);
  const reports: Compared[] = [];
  for (const cell of cells) {
    const report = await runCell(name, cell, mode, options);
    reports.push(report);
    const ratios = report.ratios.length === 0 ? '' : `\n${comparisonOf(cell, report.ratios)}`;
    say([cell, tableOf(cell, report.results), ...report.notes, ratios].filter((line) => line !== '').join('\n'));
    say('');
  }

  const found = reports.flatMap((report) => report.results);
  const over = benchmark.summary?.(found).map(resultOf) ?? [];
  if (over.length > 0) say(`in all\n${tableOf('in all', over)}\n`);
  const results = [...found, ...over, ...reports.flatMap((report) => report.ratios)];
  const hash = hashOf(reports.flatMap((report) => report.checks));
  const goals = results.filter((result) => result.goal !== undefined);
  const reached = goals.filter((result) => isReached(result)).length;
  say(`hash ${hash}; ${goals.length === 0 ? 'no goals' : `${reached} of ${goals.length} goals reached`}`);
  if (options.json === undefined) return;
  const notes = reports.flatMap((report) => report.notes);
  const report: Report = {
    bench: name,
    question: benchmark.question,
    machine,
    node: process.version,
    seed,
    hash,
    mode,
    ...(options.against === undefined ? {} : { against: options.against }),
    notes,
    results,
  };
  const text = `${JSON.stringify(report, undefined, 2)}\n`;
  if (options.json === true) process.stdout.write(text);
  else writeFileSync(options.json, text);
}

await new Command('npm run bench --')
  .description('Runs a benchmark. Ratios are within one run; trust them rather than the absolute figures.')
  .argument('<name>', Object.keys(catalogue).join(', '))
  .option('--smoke', 'a few seconds, to see that it runs: its figures mean nothing')
  .option('--full', 'the whole matrix, however long that takes')
  .option('--only <text>', 'only the cells with this in their name')
  .option('--seed <number>', 'another choice of keys and order', seedOf, 1)
  .option('--size <bytes>', 'of the data, such as 4GiB: for large and shuffle', sizeOf)
  .option('--set <name=value>', 'of the benchmark: an unknown name is told which there are', settingOf, {})
  .option(
    '--against <folder>',
    'another build of this project, measured in turn: for hit, miss, put and scale',
    buildOf,
  )
  .option('--json [file]', 'writes the figures as JSON, to standard output without a file')
  .exitOverride((error) => process.exit(error.exitCode === 0 ? 0 : 2))
  .action(run)
  .parseAsync();
