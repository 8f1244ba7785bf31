/**
 * `npm run storm -- --kills N`: a control without kills first, then the storm, on one pool; their waits side by side. Exits
 * 1 when anything was wrong. With a seed the same lives are planned, but not at the same moments: timing is the machine's.
 */
import { writeFileSync } from 'node:fs';
import { Command, InvalidArgumentError, Option } from 'commander';
import { ownName } from '../../lib/linux/index.js';
import { destroyStale, parseSize } from '../../src/pool/index.js';
import { runSoftwareStorm } from '../coherence/storm.js';
import { folderFor } from '../support/pools.js';
import { AnswerLedger, ledgerPath, TALLIES } from './answers/ledger.js';
import { COUNTS } from './board.js';
import { CAN_FORK } from './fork.js';
import { figuresOf, type RunFigures, table } from './report.js';
import { Storm } from './storm.js';

interface Options {
  readonly kills: number;
  readonly control: number;
  readonly nodes: number;
  readonly size: string;
  readonly seed: number;
  readonly life: number;
  readonly lull: number;
  readonly own: number;
  readonly survivors: number;
  readonly fused: number;
  readonly touch: number;
  readonly keep?: boolean;
  readonly coherence: string;
  readonly answers?: boolean;
  readonly json?: string;
}

const PROGRESS_MS = 5000;

function wholeFrom(least: number, most = Number.MAX_SAFE_INTEGER): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (Number.isSafeInteger(value) && value >= least && value <= most) return value;
    throw new InvalidArgumentError(`It must be an integer of at least ${least}, and at most ${most}.`);
  };
}

async function run(storm: Storm, count: number, isKilling: boolean): Promise<RunFigures> {
  const started = performance.now();
  const name = isKilling ? 'storm' : 'control';
  const seconds = () => (performance.now() - started) / 1000;
  const progress = setInterval(() => {
    const { board, ended, lulls } = storm;
    const rate = (ended / seconds()).toFixed(1);
    const waits = board.times('death wait');
    console.log(
      `${name}: ${ended} of ${count} ended, ${rate}/s; ${board.total('operations')} operations, ` +
        `${board.total('pagesRead')} pages checked; ${waits.count} waits for the dead, longest ${waits.max.toFixed(1)} ms; ` +
        `${lulls.length} times all dead and looked at`,
    );
  }, PROGRESS_MS);
  try {
    await storm.blow(count, isKilling);
  } finally {
    clearInterval(progress);
  }
  return figuresOf(name, storm, seconds());
}

/** Hosts of an emulated device, in place of nodes of one pool. */
async function runHosts({ kills, seed, life }: Options): Promise<void> {
  console.log(`hosts of an emulated device that is not coherent, seed ${seed}, Node ${process.version}`);
  const { problems, ...counted } = await runSoftwareStorm({ seed, kills, pauseMs: life });
  console.log(
    Object.entries(counted)
      .map(([name, count]) => `${name} ${count}`)
      .join(', '),
  );
  for (const problem of problems) console.log(`FAILED: ${problem}`);
  console.log(problems.length === 0 ? 'nothing was wrong' : `${problems.length} things were wrong`);
  process.exitCode = problems.length === 0 ? 0 : 1;
}

/** How often there was what, control and storm together. */
function answersOf({ scene }: Storm): string {
  const ledger = new AnswerLedger(ledgerPath(scene.boardPath));
  return `answers: ${TALLIES.map((name) => `${name} ${ledger.tallied(name)}`).join(', ')}`;
}

async function main(options: Options): Promise<void> {
  if (options.coherence === 'software') {
    await runHosts(options);
    return;
  }
  const poolBytes = parseSize(options.size);
  destroyStale();
  const path = `${folderFor(poolBytes)}/${ownName('storm')}`;
  const say = (line: string) => console.log(line);
  say(`a pool of ${options.size} at ${path}, ${options.nodes} nodes, seed ${options.seed}, Node ${process.version}`);
  let storm: Storm | undefined;
  const isOfAnswers = options.answers === true;
  try {
    storm = await Storm.prepare({
      does: isOfAnswers ? 'answers' : 'pages',
      path,
      poolBytes,
      nodes: options.nodes,
      seed: options.seed,
      lifeMs: options.life,
      lullEvery: options.lull,
      // What waits for a timer waits for ever in a forked node.
      ownProgramOneIn: isOfAnswers ? 1 : options.own,
      touchOneIn: options.touch,
      survivors: options.survivors,
      fusedPercent: options.fused,
    });
    // Asked to stop, it still says what it found.
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => storm?.stop());
    const control = options.control > 0 ? await run(storm, options.control, false) : undefined;
    const kills = await run(storm, options.kills, true);
    const settled = await storm.account();
    say(`\nall ${settled.dead} rows cleaned after ${settled.ticks} ticks of upkeep; every granule is free again\n`);
    const runs = control === undefined ? [kills] : [control, kills];
    say(table(runs));
    for (const { name, counts, ends } of runs) {
      say(`${name}: ${COUNTS.map((count) => `${count} ${counts[count]}`).join(', ')}; ended ${JSON.stringify(ends)}`);
    }
    if (isOfAnswers) say(answersOf(storm));
    if (options.json !== undefined) writeFileSync(options.json, JSON.stringify({ options, runs }, undefined, 1));
    await storm.close(false);
    if (options.own > 1 && !isOfAnswers) {
      say('forked nodes have one thread: what V8 would compile on another, they compile while they hold the lock, so');
      say('their waits are longer than those of programs (--own 1)');
    }
    say('\nnothing was wrong');
  } catch (error) {
    say(`\nFAILED: ${error instanceof Error ? error.stack : String(error)}`);
    const same = ['kills', 'nodes', 'size', 'seed', 'life', 'lull', 'own', 'touch', 'survivors', 'fused'] as const;
    const words = same.map((name) => `--${name} ${options[name]}`).join(' ');
    const kind = isOfAnswers ? ' --answers' : '';
    say(`replay (the same plans, not the same moments): npm run storm -- --control 0 ${words}${kind}`);
    if (options.keep === true) say(`the pool is kept: ${path}`);
    await storm?.close(options.keep === true);
    process.exitCode = 1;
  }
}

await new Command('storm')
  .description('kills the nodes of a pool at random moments, and looks at what is left')
  .option('--kills <count>', 'processes to kill', wholeFrom(1), 300)
  .option('--control <count>', 'nodes that leave in good order in the control before it; 0 for none', wholeFrom(0), 100)
  .option('--nodes <count>', 'processes at a time', wholeFrom(2, 8), 6)
  .option('--size <size>', 'of the pool', '256MiB')
  .option('--seed <number>', 'of what is planned', wholeFrom(1), Date.now() & 0xffffff)
  .option('--life <ms>', 'mean time from connecting to the end', wholeFrom(1), 500)
  .option('--lull <count>', 'ends between two looks at a pool whose nodes are all dead', wholeFrom(1), 250)
  .option(
    '--own <count>',
    'one node in so many is a program of its own, the others are forked; 1: all',
    wholeFrom(1),
    CAN_FORK ? 10 : 1,
  )
  .option('--touch <count>', 'one node in so many maps all of the pool first; 0: none', wholeFrom(0), 1)
  .option(
    '--survivors <count>',
    'so many of the nodes are never killed; the waits shown are theirs',
    wholeFrom(0, 7),
    0,
  )
  .option('--fused <percent>', 'so many lives end at an exact store under a lock', wholeFrom(0, 90), 22)
  .addOption(
    new Option('--coherence <kind>', "'software': hosts of an emulated device, by --kills, --seed and --life")
      .choices(['hardware', 'software'])
      .default('hardware'),
  )
  .option('--answers', 'stale, negative and tagged answers in place of pages; a smaller pool evicts more: --size 8MiB')
  .option('--keep', 'keep the pool of a failed storm')
  .option('--json <file>', 'write the figures there')
  .action(main)
  .parseAsync();
process.exit();
