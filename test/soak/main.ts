/**
 * `npm run soak -- --minutes N`: processes that come and go on one pool and meet whatever may befall them, with every answer
 * judged and all memory watched. Exits 1 when anything was wrong, and says with which seed. With a seed the same lives are
 * planned, but not at the same moments: timing is the machine's.
 */
import { writeFileSync } from 'node:fs';
import { Command, InvalidArgumentError, Option } from 'commander';
import { ownName } from '../../lib/linux/index.js';
import { destroyStale, parseSize } from '../../src/pool/index.js';
import { folderFor } from '../support/pools.js';
import { CANARIES, type Canary, DISTURBANCES, type Disturbance } from './plan.js';
import { summaryOf } from './report.js';
import { Soak } from './soak.js';

interface Options {
  readonly minutes: number;
  readonly nodes: number;
  readonly survivors: number;
  readonly size: string;
  readonly seed: number;
  readonly life: number;
  readonly look: number;
  readonly flatFrom: number;
  readonly without: readonly Disturbance[];
  readonly canary?: Canary;
  readonly keep?: boolean;
  readonly json?: string;
}

const PROGRESS_MS = 10_000;

function numberFrom(least: number, most: number, isWhole: boolean): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (text.trim() !== '' && value >= least && value <= most && (!isWhole || Number.isInteger(value))) return value;
    const kind = isWhole ? 'an integer' : 'a number';
    throw new InvalidArgumentError(`It must be ${kind} of at least ${least}, and at most ${most}.`);
  };
}

function disturbances(text: string): Disturbance[] {
  return text.split(',').map((name) => {
    const known = DISTURBANCES.find((one) => one === name);
    if (known === undefined) throw new InvalidArgumentError(`There are ${DISTURBANCES.join(', ')}.`);
    return known;
  });
}

async function main(options: Options): Promise<void> {
  const poolBytes = parseSize(options.size);
  destroyStale();
  const folder = `${folderFor(poolBytes)}/${options.keep === true ? `sealpool-soak-${process.pid}` : ownName('soak')}`;
  const say = (line: string) => console.log(line);
  say(
    `${options.minutes} minutes on a pool of ${options.size} in ${folder}, ${options.nodes} processes, ` +
      `seed ${options.seed}, Node ${process.version}`,
  );
  let soak: Soak | undefined;
  let progress: NodeJS.Timeout | undefined;
  const flatFrom = options.flatFrom / 60;
  try {
    soak = await Soak.prepare({
      ...{ folder, poolBytes, nodes: options.nodes, survivors: options.survivors, seed: options.seed },
      ...{ durationMs: options.minutes * 60_000, lookMs: options.look * 1000, flatFromMs: options.flatFrom * 1000 },
      ...{ lifeMs: options.life, without: options.without, canary: options.canary },
    });
    const { board, looks, disturbances } = soak;
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => soak?.stop());
    progress = setInterval(() => {
      const met = [...disturbances].map(([name, count]) => `${name} ${count}`).join(', ');
      const minute = soak?.minutes.toFixed(1);
      say(`minute ${minute}: ${board.total('operations')} operations, ${looks.length} looks; ${met}`);
    }, PROGRESS_MS);
    await soak.run();
    clearInterval(progress);
    const settled = await soak.account();
    say(`\n${summaryOf(soak, flatFrom)}`);
    say(`at the end: ${settled.pagesChecked} pages looked at; every granule is free again`);
    if (options.json !== undefined) writeFileSync(options.json, JSON.stringify({ options, looks }, undefined, 1));
    await soak.close(false);
    say('\nnothing was wrong');
  } catch (error) {
    clearInterval(progress);
    if (soak !== undefined && soak.looks.length > 0) say(`\n${summaryOf(soak, flatFrom)}`);
    say(`\nFAILED: ${error instanceof Error ? error.stack : String(error)}`);
    const same = ['minutes', 'nodes', 'survivors', 'size', 'seed', 'life', 'look'] as const;
    const words = same.map((name) => `--${name} ${options[name]}`);
    if (options.without.length > 0) words.push(`--without ${options.without.join()}`);
    say(`seed ${options.seed}; again (the same plans, not the same moments): npm run soak -- ${words.join(' ')}`);
    if (options.keep === true) say(`the pool is kept: ${folder}`);
    await soak?.close(options.keep === true);
    process.exitCode = 1;
  }
}

const whole = (least: number, most = Number.MAX_SAFE_INTEGER) => numberFrom(least, most, true);

await new Command('soak')
  .description('processes that come and go on one pool, and meet whatever may befall them, for as long as you like')
  .option('--minutes <count>', 'how long', numberFrom(0.05, 100_000, false), 2)
  .option('--nodes <count>', 'processes at a time', whole(2, 8), 4)
  .option('--survivors <count>', 'so many of them live as long as the soak', whole(1, 7), 2)
  .option('--size <size>', 'of the pool', '48MiB')
  .option('--seed <number>', 'of what is planned', whole(1), Date.now() & 0xffffff)
  .option('--life <ms>', 'mean life of the others', whole(1), 2500)
  .option('--look <seconds>', 'between two looks at all of it at rest', numberFrom(0.2, 3600, false), 10)
  .option('--flat-from <seconds>', 'from here on nothing may grow', numberFrom(0, 3600, false), 60)
  .option('--without <names>', `leave out, joined by commas: ${DISTURBANCES.join(', ')}`, disturbances, [])
  .addOption(new Option('--canary <fault>', 'a fault put in on purpose, to be found').choices(CANARIES))
  .option('--keep', 'keep the pool of a failed soak')
  .option('--json <file>', 'write the looks there')
  .action(main)
  .parseAsync();
process.exit();
