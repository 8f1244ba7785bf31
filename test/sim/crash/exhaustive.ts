/**
 * Exhaustive crash simulation: an operation is killed after its k-th store, for every k, and a survivor goes on; then the
 * survivor is killed after each store of its repair, and a third node goes on. After each: every page is whole, the key's
 * own and one that the scenario allows; the census finds nothing; and when all is deleted, all space is free again.
 */
import { takeCensus } from '../../../src/pool/census/census.js';
import { faultOf, valueIn } from '../content.js';
import { attachSimulated, SEED, type SimulatedNode } from '../node.js';
import { KILLED } from '../stepper.js';
import { World } from '../world.js';
import { KEYS, keyOf, LARGE_BYTES, LARGE_VALUE, put, type Scenario, shapeOf } from './scenarios.js';
import { CrashStepper } from './stepper.js';

/** How the survivor comes upon what the dead left. */
export const WAYS = ['upkeep', 'use', 'join'] as const;
export type Way = (typeof WAYS)[number];

export interface Run {
  readonly scenario: Scenario;
  /** Stores of the doomed operation before its death; infinite: it is not killed. */
  readonly killAfter: number;
  readonly way: Way;
  /** Stores of the repair before the survivor dies too; infinite: it is not killed. */
  readonly killRepairAfter: number;
}

export interface Outcome {
  /** False: the operation was through before its turn to die came. */
  readonly died: boolean;
  readonly repairerDied: boolean;
  readonly site: string;
}

export class CrashFault extends Error {}

export class Stage {
  readonly world: World;
  readonly doomedStepper: CrashStepper;
  readonly survivorStepper: CrashStepper;
  doomed: SimulatedNode | undefined;
  /** Attached from the beginning, or by `attachOthers`. */
  survivor!: SimulatedNode;
  third!: SimulatedNode;
  private readonly scenario: Scenario;
  private readonly letGo: () => void;

  constructor(world: World, scenario: Scenario) {
    this.world = world;
    this.scenario = scenario;
    world.reset();
    world.control.seed(1);
    world.control.fencesEverybody = scenario.fencesItself !== true;
    this.doomedStepper = new CrashStepper(world.control);
    this.survivorStepper = new CrashStepper(world.control);
    this.letGo = scenario.isAlone === true ? () => {} : this.setUp();
  }

  private setUp(): () => void {
    this.attachOthers();
    if (this.scenario.joins !== true) this.join();
    this.scenario.holds?.forEach((value, index) => {
      if (value !== 0) put(this.survivor, index, value);
    });
    const prepared = this.scenario.prepare?.(this.actors());
    // What they remember must be forgotten in time.
    for (const node of [this.survivor, this.third]) {
      this.valuesOf(node);
      node.machine.endRun();
    }
    return typeof prepared === 'function' ? () => prepared() : () => {};
  }

  attachOthers(): void {
    this.survivor = attachSimulated(this.world, { name: 'survivor', stepper: this.survivorStepper });
    this.third = this.node('third');
  }

  node(name: string): SimulatedNode {
    return attachSimulated(this.world, { name, stepper: new CrashStepper(this.world.control) });
  }

  private join(): SimulatedNode {
    const { nearEntries = 64, boot = 1 } = this.scenario;
    this.doomed = attachSimulated(this.world, { name: 'doomed', stepper: this.doomedStepper, nearEntries, boot });
    return this.doomed;
  }

  actors() {
    const { control } = this.world;
    return {
      doomed: this.doomed as SimulatedNode,
      survivor: this.survivor,
      join: () => this.join(),
      dead: (...works: ((node: SimulatedNode) => void)[]) => {
        const nodes = works.map((work) => {
          const node = this.node('dead');
          work(node);
          return node;
        });
        for (const node of nodes) control.startDying(node.row);
        control.markDying();
      },
    };
  }

  /** Runs until the actor dies; true when it did. */
  killed(stepper: CrashStepper, killAfter: number, work: () => void): boolean {
    stepper.arm(killAfter);
    try {
      work();
    } catch (error) {
      if (error !== KILLED) throw error;
    }
    stepper.disarm();
    return stepper.isDead;
  }

  /** The kernel marks the dead. */
  bury(stepper: CrashStepper): void {
    const { control } = this.world;
    if (stepper.row >= 0) control.startDying(stepper.row);
    control.markDying();
  }

  /** What the node finds under every key; throws on a page that is not the key's own. */
  valuesOf(node: SimulatedNode): number[] {
    return KEYS.map((_, index) => {
      const page = node.pool.get(keyOf(index));
      if (page === undefined) return 0;
      const value = valueIn(page.bytes);
      const fault = faultOf(page.bytes, index, value === LARGE_VALUE ? LARGE_BYTES : 0);
      page.release();
      if (fault !== undefined) throw new CrashFault(`key ${KEYS[index]}: ${fault}`);
      return value;
    });
  }

  checkValues(node: SimulatedNode): void {
    const { holds = [], allows = {}, evicts, verify } = this.scenario;
    verify?.(node);
    this.valuesOf(node).forEach((value, index) => {
      const allowed = [...(allows[index] ?? [holds[index] ?? 0]), ...(evicts === true ? [0] : [])];
      if (!allowed.includes(value)) {
        throw new CrashFault(`key ${KEYS[index]} holds ${value}, and may hold ${allowed.join(' or ')}`);
      }
    });
  }

  async checkCensus(node: SimulatedNode): Promise<void> {
    const problems = await takeCensus(node.session.parts, SEED);
    if (problems.length === 0) return;
    throw new CrashFault(problems.map(({ code, where, message }) => `${code} at ${where}: ${message}`).join('; '));
  }

  /** Everything is deleted, and everything has to be free. */
  async checkSpace(node: SimulatedNode): Promise<void> {
    if (!this.survivorStepper.isDead) this.letGo();
    const idle = [
      this.doomedStepper.isDead ? undefined : this.doomed,
      this.survivorStepper.isDead ? undefined : this.survivor,
    ];
    for (const other of [...idle, this.third, node]) if (other?.session.isOpen) other.machine.endRun();
    this.scenario.tidy?.(node);
    for (const page of node.pool.list()) node.pool.delete(page.keyBytes);
    node.upkeep.tick();
    node.upkeep.tick();
    const stats = node.pool.stats();
    if (stats.objects !== 0 || stats.drafts !== 0) throw new CrashFault(`${stats.drafts} drafts stay behind`);
    if (stats.bytesUsed !== 0) throw new CrashFault(`${stats.bytesUsed} bytes stay in use`);
    await this.checkCensus(node);
  }
}

/** Whoever goes on after a death, in one of the ways to come upon it. */
function goOn(stage: Stage, node: SimulatedNode, way: Way): SimulatedNode {
  if (way === 'use') {
    stage.valuesOf(node);
    node.pool.has(keyOf(0));
    node.cache.set(KEYS[KEYS.length - 1] as string, new Uint8Array(8));
    node.cache.delete(KEYS[KEYS.length - 1] as string);
  }
  if (way === 'join') return stage.node('joiner');
  for (let tick = 0; tick < 2; tick++) node.upkeep.tick();
  return node;
}

/** One run. Throws what is wrong. */
export async function runCrash(world: World, run: Run, wantsSite = false): Promise<Outcome> {
  const stage = new Stage(world, run.scenario);
  stage.doomedStepper.wantsSite = wantsSite;
  stage.survivorStepper.wantsSite = wantsSite;
  const died = stage.killed(stage.doomedStepper, run.killAfter, () => run.scenario.act(stage.actors()));
  if (died) stage.bury(stage.doomedStepper);
  if (run.scenario.isAlone === true) stage.attachOthers();
  let keeper = stage.survivor;
  const repairerDied = stage.killed(stage.survivorStepper, run.killRepairAfter, () => {
    keeper = goOn(stage, stage.survivor, run.way === 'join' ? 'upkeep' : run.way);
  });
  if (repairerDied) {
    stage.bury(stage.survivorStepper);
    keeper = goOn(stage, stage.third, run.way);
  } else if (run.way === 'join') keeper = stage.node('joiner');
  goOn(stage, keeper, 'upkeep');
  stage.checkValues(keeper);
  if (keeper !== stage.third) stage.checkValues(stage.third);
  await stage.checkCensus(keeper);
  await stage.checkSpace(keeper);
  return { died, repairerDied, site: repairerDied ? stage.survivorStepper.lastSite : stage.doomedStepper.lastSite };
}

export function worldOf(scenario: Scenario): World {
  return new World(shapeOf(scenario));
}
