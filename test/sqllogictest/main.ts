/**
 * `npm run sqllogictest -- FILE...`: scripts of sqllogictest through the live adapter of SQLite. Each in a database of its own; every
 * record is asked of the engine alone too, and has to have the same result. Exits 1 when any failed, 2 for a file that cannot be read.
 */
import { readFileSync } from 'node:fs';
import initialise from '@sqlite.org/sqlite-wasm';
import { Command, InvalidArgumentError } from 'commander';
import { Arms } from './arms.js';
import { generatedRecords } from './generated.js';
import { linesOf, type Report, runRecords, runScript } from './run.js';

interface Options {
  readonly seed?: number;
  readonly records: number;
}

function wholeNumber(text: string): number {
  const value = Number(text);
  if (Number.isSafeInteger(value) && value >= 0) return value;
  throw new InvalidArgumentError('It must be an integer from 0.');
}

async function main(files: readonly string[], { seed, records }: Options): Promise<number> {
  const sqlite3 = await initialise();
  // It warns of every statement that fails, on purpose or not.
  (sqlite3 as unknown as { config: { warn(): void } }).config.warn = () => {};
  const runs: [string, (arms: Arms) => Report][] = files.map((file) => {
    const text = readFileSync(file, 'utf8');
    return [file, (arms) => runScript(file, text, arms)];
  });
  if (seed !== undefined) {
    runs.push([`seed ${seed}`, (arms) => runRecords(`seed ${seed}`, generatedRecords(seed, records), arms)]);
  }
  let isWrong = false;
  for (const [, run] of runs) {
    const arms = await Arms.open(sqlite3);
    const report = run(arms);
    await arms.close();
    isWrong ||= report.failures.length > 0;
    for (const line of linesOf(report)) console.log(line);
  }
  return isWrong ? 1 : 0;
}

const program = new Command('sqllogictest')
  .argument('[files...]', 'scripts')
  .option('--seed <n>', 'records generated from the seed', wholeNumber)
  .option('--records <n>', 'how many of them', wholeNumber, 1000)
  .action(async (files: string[], options: Options) => {
    try {
      if (files.length === 0 && options.seed === undefined) program.help({ error: true });
      process.exitCode = await main(files, options);
    } catch (error) {
      console.error(String(error));
      process.exitCode = 2;
    }
  });
await program.parseAsync();
