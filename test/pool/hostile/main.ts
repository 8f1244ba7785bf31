/**
 * `npm run hostile -- --flips N`: many lies, told in several processes at once. Three rounds of four are interleaved by
 * the seed and repeated by it; in the fourth another thread lies at moments of its own. Each round begins with pristine
 * bytes. Exits 1 when anything but a right answer, a miss or a PoolError came of it.
 */
import { Command, InvalidArgumentError } from 'commander';
import { destroyStale } from '../../../src/pool/index.js';
import { censusTable } from './detect.js';
import { DENSE } from './stage.js';
import { type Outcome, play } from './supervise.js';

interface Options {
  readonly flips: number;
  readonly seed: number;
  readonly processes: number;
  readonly replay?: number;
  readonly census?: number;
}

const ROUNDS_PER_PROCESS = 1000;
/** A machine with many more processes than processors may not run one for long. */
const SILENCE_MS = 180_000;
const PROGRESS_MS = 10_000;
const FAILURES_MAX = 10;

class Campaign {
  private readonly rounds: number;
  private readonly processes: number;
  private readonly started = performance.now();
  private next: number;
  private readonly end: number;
  private played = 0;
  private lies = 0;
  private threaded = 0;
  private readonly codes = new Map<string, number>();
  failures = 0;

  constructor({ flips, seed, processes }: Options) {
    this.rounds = Math.ceil(flips / DENSE.lies);
    this.processes = processes;
    this.next = seed;
    this.end = seed + this.rounds;
  }

  async run(): Promise<void> {
    const progress = setInterval(() => this.say(), PROGRESS_MS);
    await Promise.all(Array.from({ length: this.processes }, () => this.work()));
    clearInterval(progress);
    this.say();
  }

  private say(): void {
    const seconds = (performance.now() - this.started) / 1000;
    const codes = [...this.codes].map(([code, count]) => `${code} ${count}`).join(', ');
    console.log(
      `${this.played} of ${this.rounds} rounds in ${seconds.toFixed(0)} s, ${this.played * DENSE.lies} lies ` +
        `(${this.lies} in finished processes, ${this.threaded} of them by a thread); ${this.failures} failures; ${codes}`,
    );
  }

  /** Takes rounds, a process for so many; after a failed round a new process goes on behind it. */
  private async work(): Promise<void> {
    while (this.next < this.end && this.failures < FAILURES_MAX) {
      let first = this.next;
      const last = Math.min(this.end, first + ROUNDS_PER_PROCESS);
      this.next = last;
      while (first < last && this.failures < FAILURES_MAX) {
        const onRound = () => this.played++;
        const outcome = await play({ first, rounds: last - first, how: 'dense', silenceMs: SILENCE_MS, onRound });
        this.take(outcome, first);
        first = outcome.failure === '' ? last : outcome.seed + 1;
      }
    }
  }

  private take(outcome: Outcome, first: number): void {
    const { seed, failure } = outcome;
    const isDone = failure === '';
    this.lies += isDone ? outcome.lies : (seed - first) * DENSE.lies;
    this.threaded += outcome.threaded;
    for (const [code, count] of Object.entries(outcome.codes))
      this.codes.set(code, (this.codes.get(code) ?? 0) + count);
    if (isDone) return;
    this.failures++;
    const how = seed % 4 === 0 ? ' (the thread chooses its own moments: perhaps not at once)' : '';
    console.log(
      `\nFAILED in round ${seed}\n${failure.slice(-4000)}replay${how}: npm run hostile -- --replay ${seed}\n`,
    );
  }
}

function whole(text: string): number {
  const value = Number(text);
  if (Number.isSafeInteger(value) && value >= 1) return value;
  throw new InvalidArgumentError('It must be a positive integer.');
}

async function main(options: Options): Promise<void> {
  destroyStale();
  if (options.replay !== undefined) {
    const outcome = await play({ first: options.replay, rounds: 1, how: 'dense-aloud', silenceMs: SILENCE_MS });
    process.exitCode = outcome.failure === '' ? 0 : 1;
    return console.log(outcome.failure || 'nothing was wrong');
  }
  if (options.census !== undefined) return console.log(await censusTable(options.seed, options.census));
  const campaign = new Campaign(options);
  await campaign.run();
  process.exitCode = campaign.failures === 0 ? 0 : 1;
}

await new Command('hostile')
  .description('lies in the metadata of live pools: every call must give a right answer, a miss or a PoolError')
  .option('--flips <count>', 'lies to tell', whole, 100_000)
  .option('--seed <number>', 'of the first round; the others follow', whole, 1_000_000)
  .option('--processes <count>', 'at once', whole, 2)
  .option('--replay <seed>', 'play one round again and tell each step', whole)
  .option('--census <count>', 'tell so many lies one at a time, and say which of them a census finds', whole)
  .action(main)
  .parseAsync();
process.exit();
