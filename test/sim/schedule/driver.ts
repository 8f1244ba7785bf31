/**
 * The driver of schedules: makes one of a seed, runs it, and looks at what is left. Each is judged by its journal, by a
 * census, and by whether all space is free again after everything was deleted.
 */
import { takeCensus } from '../../../src/pool/census/census.js';
import { faultOf, valueIn } from '../content.js';
import { ACTORS_MAX } from '../control.js';
import { coroutineOf } from '../coroutines/turn.js';
import { CrashStepper } from '../crash/stepper.js';
import { attachSimulated, SEED, type SimulatedNode } from '../node.js';
import { World } from '../world.js';
import { act } from './actor.js';
import { type Case, planOfCase, WHOLE } from './cases.js';
import { Journal } from './journal.js';
import { judge } from './judge.js';
import { Dice, keyName, Program, STALE_MS, workloadOf } from './program.js';
import { type Plan, Scheduler } from './scheduler.js';
import { type Act, WORKLOADS } from './workloads.js';

/** Mean lengths of turns: most faults want few changes of turn at the right places, some want many. */
const RUN_LENGTHS = [4, 15, 30, 60, 60, 120, 120, 250];

/** The schedule of a seed. The seed also says which workload it is. */
export function planOf(seed: number): Plan {
  const dice = new Dice(seed ^ 0x51ed270b);
  const actors = 2 + dice.below(ACTORS_MAX - 2);
  const killAt: Record<number, number> = {};
  const stopAt: Record<number, number> = {};
  for (let actor = 1; actor <= actors; actor++) {
    const fate = dice.below(8);
    if (fate === 0) killAt[actor] = 1 + dice.below(900);
    if (fate === 1) stopAt[actor] = 1 + dice.below(900);
  }
  const calm = dice.below(3) === 0;
  const runLength = RUN_LENGTHS[dice.below(RUN_LENGTHS.length)] as number;
  return { seed, actors, runLength, killAt: calm ? {} : killAt, stopAt: calm ? {} : stopAt, list: [] };
}

/** Spaces are there from the beginning: an actor that opens one takes no lock for it. */
function openSpaces(world: World): void {
  const node = attachSimulated(world, { name: 'formatter', stepper: new CrashStepper(world.control) });
  node.pages.borrow(0);
  node.machine.endRun();
  node.session.close();
}

export class Driver {
  readonly journal = new Journal(new SharedArrayBuffer(Journal.bytes));
  /** One a workload. */
  private readonly worlds: readonly World[];
  schedules = 0;
  private lengths: readonly [first: number, second: number] = [0, 0];
  steps = 0;
  turns = 0;

  constructor() {
    this.worlds = WORKLOADS.map(({ shape }) => new World(shape, openSpaces));
  }

  /** Runs one schedule. What is wrong, or undefined. `onStep` is told of every access. */
  async run(plan: Plan, onStep?: Scheduler['onStep']): Promise<string | undefined> {
    const world = this.worlds[plan.seed % this.worlds.length] as World;
    world.reset();
    this.journal.clear();
    world.control.seed(plan.seed);
    world.control.fencesEverybody = new Dice(plan.seed).below(2) === 0;
    const scheduler = new Scheduler(world.control, world.metadataWords());
    scheduler.onStep = onStep;
    try {
      if (plan.before !== undefined) this.doBefore(world, plan, plan.before);
      scheduler.run(plan, (stepper) =>
        coroutineOf(act as Parameters<typeof coroutineOf>[0])({ world, journal: this.journal, stepper, plan }),
      );
      return await this.settle(world, plan);
    } catch (error) {
      return error instanceof Error ? (error.stack ?? error.message) : String(error);
    } finally {
      this.lengths = [scheduler.lengthOf(1), scheduler.lengthOf(2)];
      this.schedules++;
      this.turns += scheduler.turns;
      this.steps += world.control.steps;
    }
  }

  /** Accesses of a case's two actors, when each runs in one go. */
  async lengthsOf(of: Case): Promise<readonly [first: number, second: number]> {
    await this.run(planOfCase(of, WHOLE, WHOLE));
    return this.lengths;
  }

  private doBefore(world: World, plan: Plan, acts: readonly Act[]): void {
    const node = attachSimulated(world, { name: 'before', stepper: new CrashStepper(world.control) });
    const { control } = world;
    new Program({ node, control, journal: this.journal, actor: 5, seed: plan.seed, isOfOneKey: true }).run(acts);
  }

  /** After the last actor has ended: what died is cleaned up, what is there is read, and everything is given back. */
  private async settle(world: World, plan: Plan): Promise<string | undefined> {
    const workload = workloadOf(plan.seed);
    world.control.markDying();
    const node = attachSimulated(world, { name: 'checker', stepper: new CrashStepper(world.control) });
    for (let tick = 0; tick < 2; tick++) node.upkeep.tick();
    for (let key = 0; key < workload.keys; key++) this.readFinally(world, node, key);
    const fault = judge(this.journal.entries(), workload);
    if (fault !== undefined) return fault;
    const problems = await takeCensus(node.session.parts, SEED);
    if (problems.length > 0)
      return problems.map(({ code, where, message }) => `${code} at ${where}: ${message}`).join('\n');
    return this.giveBack(node);
  }

  private readFinally(world: World, node: SimulatedNode, key: number): void {
    const { sizeOf } = workloadOf(this.seedOf(world));
    const index = this.journal.begin(0, 'get', key, 0, world.control.nextStep());
    const bytes = node.cache.borrow(keyName(key));
    const fault = bytes === undefined ? undefined : faultOf(bytes, key, sizeOf(valueIn(bytes)));
    if (fault !== undefined) throw new Error(`at the end ${keyName(key)} holds ${fault}`);
    this.journal.end(index, bytes === undefined ? 0 : valueIn(bytes), 1, world.control.nextStep());
    node.machine.endRun();
  }

  private seedOf(world: World): number {
    return this.worlds.indexOf(world);
  }

  private giveBack(node: SimulatedNode): string | undefined {
    for (const page of node.pool.list()) node.pool.delete(page.keyBytes);
    // What may be served stale is in no list.
    void node.machine.sleep(STALE_MS);
    for (let tick = 0; tick < 2; tick++) node.upkeep.tick();
    const { objects, drafts, bytesUsed, pins } = node.pool.stats();
    if (objects + drafts + bytesUsed + pins === 0) return undefined;
    return `left behind: ${objects} objects, ${drafts} drafts, ${bytesUsed} bytes, ${pins} pins`;
  }
}
