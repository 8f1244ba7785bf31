/**
 * Lives of two or three hosts by chance, step by step, and what the journal has to object. Runs inside a copy of the project that has
 * coroutines, as a process of its own: `node hunt.js {"from":1,"count":100}` ends with a line of JSON.
 */
import { readFileSync } from 'node:fs';
import { Directory, nameOf } from '../../../src/coherence/directory.js';
import type { Shape } from '../../../src/coherence/layout.js';
import type { LogRecord } from '../../../src/coherence/records.js';
import { defineFallbacks, turn } from '../../sim/coroutines/turn.js';
import { Chance } from '../../support/chance.js';
import { Actor } from './actor.js';
import { runCases } from './cases.js';
import type { Journal } from './journal.js';
import { World } from './world.js';

export interface Hunt {
  readonly from: number;
  readonly count: number;
  /** Ends at the first fault. */
  readonly stops?: boolean;
  /** The small cases instead. */
  readonly cases?: boolean;
  /** Prints every record that a host notes. */
  readonly traces?: boolean;
  /** Kills a host at its so-manieth step, of the lives that the seed makes otherwise: from, to, by. */
  readonly sweep?: readonly [number, number, number];
}

export interface Found {
  readonly runs: number;
  readonly steps: number;
  readonly faults: readonly string[];
  readonly reached: Readonly<Record<string, number>>;
}

const SHAPES: readonly Shape[] = [
  { hosts: 2, logRecords: 24, pinLines: 1, dataLines: 14 },
  { hosts: 3, logRecords: 32, pinLines: 1, dataLines: 12 },
  { hosts: 2, logRecords: 12, pinLines: 1, dataLines: 9 },
  { hosts: 3, logRecords: 200, pinLines: 1, dataLines: 40 },
];
const STEPS_MAX = 400_000;
const REST_ROUNDS = 16;

type Running = Generator<undefined, void>;
/** Methods that are coroutines here. */
type Stepping = Actor & {
  live$G(acts: number): Running;
  formatAll$G(): Running;
  rest$G(round: number): Running;
};

interface Life {
  readonly actor: Stepping;
  readonly running: Running;
  /** Steps until it dies; -1: it does not. */
  diesIn: number;
}

class Run {
  readonly world: World;
  private readonly plan: Chance;
  private readonly lives: (Life | undefined)[];
  private readonly killAt: number | undefined;
  /** Until which step a host does not go on. */
  private readonly stalled: number[];
  steps = 0;

  constructor(seed: number, killAt?: number) {
    this.world = new World(seed, SHAPES[seed % SHAPES.length] as Shape);
    // Of its own, so that a sweep of deaths leaves the plan as it is.
    this.plan = new Chance(seed ^ 0x5eed);
    this.lives = this.world.lines.map(() => undefined);
    this.stalled = this.lives.map(() => 0);
    this.killAt = killAt;
  }

  get journal(): Journal {
    return this.world.journal;
  }

  run(): void {
    const { world } = this;
    turn.budget = 0;
    const formatter = new Actor(world, 0) as Stepping;
    this.finish([{ actor: formatter, running: formatter.formatAll$G(), diesIn: -1 }]);
    for (let left = world.shape.hosts * 3; left > 0 || this.lives.some((life) => life !== undefined); ) {
      const host = this.plan.below(this.lives.length);
      if (this.lives[host] === undefined && left > 0 && this.plan.below(40) === 0) {
        left--;
        this.begin(host);
      }
      this.stepOne();
      if (this.isEndless() || this.journal.faults.length > 0) return;
    }
    this.rest();
  }

  private begin(host: number): void {
    const actor = new Actor(this.world, host) as Stepping;
    const acts = 5 + this.plan.below(60);
    const dies = this.plan.below(5);
    const chosen = dies < 2 ? 1 + this.plan.below(dies === 0 ? 120 : 1500) : -1;
    const diesIn = this.killAt !== undefined && host === this.world.shape.hosts - 1 ? this.killAt : chosen;
    this.lives[host] = { actor, running: actor.live$G(acts), diesIn };
    this.world.isAlive[host] = true;
  }

  private stepOne(): void {
    const { world } = this;
    const chosen = world.chance.below(this.lives.length);
    const life = this.lives[chosen];
    this.tick();
    world.isStopped[chosen] = (this.stalled[chosen] as number) > this.steps;
    if (life === undefined || world.isStopped[chosen] === true) return;
    // Stopped between two accesses for as long as others need for whole calls.
    const often = world.hot?.host === chosen ? 15 : 60;
    if (world.chance.below(often) === 0) {
      this.stalled[chosen] = this.steps + world.chance.below(200);
      world.isStopped[chosen] = true;
    }
    if (life.diesIn >= 0 && --life.diesIn < 0) {
      this.kill(chosen);
      return;
    }
    // One access at a time where a death is near, so that it can be between any two.
    turn.budget = life.diesIn >= 0 || world.chance.below(2) === 0 ? 1 : world.chance.below(12);
    if (life.running.next().done !== true) return;
    this.lives[chosen] = undefined;
    world.isAlive[chosen] = false;
    this.journal.died(chosen);
  }

  private tick(): void {
    this.steps++;
    this.journal.now = this.steps;
    while (this.world.chance.below(3) === 0) this.world.drift();
  }

  private kill(host: number): void {
    const { world } = this;
    this.lives[host] = undefined;
    world.isAlive[host] = false;
    this.journal.died(host);
    const isPower = world.chance.below(2) === 0;
    this.journal.reach(isPower ? 'lost power' : 'process died');
    if (isPower) world.lines[host]?.losePower(world.chance);
  }

  /** Runs them all to their ends, in turns. */
  private finish(lives: readonly Life[]): void {
    const left = [...lives];
    while (left.length > 0) {
      const index = this.world.chance.below(left.length);
      this.tick();
      turn.budget = this.world.chance.below(12);
      if (left[index]?.running.next().done === true) left.splice(index, 1);
      if (this.isEndless()) return;
    }
  }

  private isEndless(): boolean {
    if (this.steps > STEPS_MAX) this.journal.fault('it comes to no end');
    return this.steps > STEPS_MAX;
  }

  private rest(): void {
    const { world } = this;
    world.isCalm = true;
    const actors = world.lines.map((_, host) => new Actor(world, host) as Stepping);
    // One that finds no room for its BEGIN, as another has not read its log yet, comes again.
    for (let round = 0; round < 4; round++) {
      const absent = actors.filter((actor) => !actor.isThere);
      this.finish(absent.map((actor) => ({ actor, running: actor.live$G(3), diesIn: -1 })));
      this.finish(actors.map((actor) => ({ actor, running: actor.rest$G(99), diesIn: -1 })));
    }
    for (const actor of actors) if (!actor.isThere) this.journal.fault('somebody cannot join at rest');
    for (let round = 0; round < REST_ROUNDS; round++) {
      this.finish(actors.map((actor) => ({ actor, running: actor.rest$G(round), diesIn: -1 })));
    }
    if (this.journal.faults.length === 0) for (const actor of actors) actor.checkSpace();
    for (const line of world.device.linesOfTwoWriters()) this.journal.fault(`line ${line} has two writers (O6)`);
  }
}

function hunt({ from, count, stops, sweep, traces }: Hunt): Found {
  const faults: string[] = [];
  const reached: Record<string, number> = {};
  const [first, last, by] = sweep ?? [-1, -1, 1];
  let runs = 0;
  let steps = 0;
  for (let seed = from; seed < from + count; seed++) {
    for (let killAt = first; killAt <= last; killAt += by) {
      const run = new Run(seed, sweep === undefined ? undefined : killAt);
      runs++;
      tracing.now = () => run.journal.now;
      if (traces === true) run.journal.trace = (what) => console.error(`${run.journal.now}: ${what}`);
      const where = sweep === undefined ? `seed ${seed}` : `seed ${seed}, killed at ${killAt}`;
      try {
        run.run();
      } catch (error) {
        run.journal.fault(error instanceof Error ? (error.stack ?? error.message) : String(error));
      }
      steps += run.steps;
      for (const fault of run.journal.faults.slice(0, 1)) faults.push(`${where}, ${fault}`);
      for (const [what, times] of run.journal.reached) reached[what] = (reached[what] ?? 0) + times;
      if ((stops === true && faults.length > 0) || faults.length >= 5) return { runs, steps, faults, reached };
    }
  }
  return { runs, steps, faults, reached };
}

function huntCases(): Found {
  try {
    const { faults, places } = runCases();
    return { runs: places, steps: 0, faults, reached: {} };
  } catch (error) {
    return { runs: 0, steps: 0, faults: [`the cases end with ${String(error)}`], reached: {} };
  }
}

/** Names of methods are what makes coroutines of them, so `note` may be one. */
function traceRecords(): void {
  const kinds = ['', 'CLAIM', 'WON', 'DRAFT', 'PAGE', 'ABORT', 'DELETE', 'BEGIN'];
  const prototype = Directory.prototype as unknown as Record<string, (host: number, record: LogRecord) => unknown>;
  const name = prototype['note$G'] === undefined ? 'note' : 'note$G';
  const note = prototype[name] as (host: number, record: LogRecord) => unknown;
  prototype[name] = function (this: { self: number }, host, record) {
    const { position, kind, incarnation, id, extent, byteLength } = record;
    const what = `${kinds[kind]} ${record.host}:${id} in ${incarnation}, ${extent}+${byteLength} ${nameOf(record.key)}`;
    console.error(`${tracing.now()}: host ${this.self} reads ${host}@${position} ${what}`);
    return note.call(this, host, record);
  };
}

const tracing = { now: () => 0 };
const names = readFileSync(new URL('../../../stepping.json', import.meta.url), 'utf8');
defineFallbacks(JSON.parse(names).stepping as string[]);
const asked = JSON.parse(process.argv[2] ?? '{}') as Hunt;
if (asked.traces === true) traceRecords();
console.log(JSON.stringify(asked.cases === true ? huntCases() : hunt(asked)));
