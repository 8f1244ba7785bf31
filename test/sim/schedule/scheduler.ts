/**
 * The scheduler: actors are coroutines over one memory, of which one runs at any moment. At every access to shared words
 * it may have to yield its turn, as chance (or a list) says. So a schedule is decided by its seed alone, and can be run
 * again.
 *
 * An actor ends finished, or dead: killed between two accesses. One that is stopped gets no turn before all others have
 * ended, while time passes. Whoever waits for a lock gives its turn away.
 */
import { ACTORS_MAX, type ControlBlock } from '../control.js';
import { turn } from '../coroutines/turn.js';
import type { Waiting } from '../machine.js';
import { KILLED, type Stepper, StoreBuffer } from '../stepper.js';
import type { Act } from './workloads.js';

/** No schedule of ours takes so many steps: somebody goes round in a circle. */
const STEPS_MAX = 300_000;
const MARK_CHANCE = 0.3;
const DRAIN_CHANCE = 0.3;
const SHORT_CHANCE = 0.5;
const SHORT_LENGTH = 4;
/** Time passes faster while somebody is stopped, so that others come to the end of their patience. */
const STOPPED_PASSES_MS = 250;

/** What a schedule is made of. */
export interface Plan {
  readonly seed: number;
  readonly actors: number;
  /** Mean number of accesses between two changes of turn. */
  readonly runLength: number;
  /** Own steps of an actor after which it dies, or is stopped; by actor. */
  readonly killAt: Readonly<Record<number, number>>;
  readonly stopAt: Readonly<Record<number, number>>;
  /** Turns in order, as (actor, steps), after which all run on one by one; empty: by chance. */
  readonly list: readonly (readonly [actor: number, steps: number])[];
  /** What each actor does, instead of what its seed says. */
  readonly programs?: Readonly<Record<number, readonly Act[]>>;
  /** What is done beforehand, in one go, by an actor that stays. */
  readonly before?: readonly Act[];
  /** Whether the first actor has looked at the page before its program begins. */
  readonly isKnown?: boolean;
}

export class ActorStepper implements Stepper, Waiting {
  readonly buffer: StoreBuffer;
  readonly actor: number;
  state: 'runnable' | 'stopped' | 'finished' | 'dead' = 'runnable';
  row = -1;
  steps = 0;
  private readonly scheduler: Scheduler;
  private readonly killAt: number;
  private readonly stopAt: number;
  private wasStopped = false;

  constructor(scheduler: Scheduler, actor: number, plan: Plan, memory: Int32Array) {
    this.scheduler = scheduler;
    this.actor = actor;
    this.killAt = plan.killAt[actor] ?? 0;
    this.stopAt = plan.stopAt[actor] ?? 0;
    this.buffer = new StoreBuffer(scheduler.control.bufferOf(actor), memory);
  }

  step(isStore: boolean, index: number): void {
    if (this.state === 'dead') throw KILLED;
    const { scheduler } = this;
    if (scheduler.control.nextStep() > STEPS_MAX) throw new Error(`no end after ${STEPS_MAX} steps`);
    this.steps++;
    scheduler.onStep?.(this.actor, isStore, index);
    if (this.steps === this.killAt) this.die();
    if (this.stopAt === 0 || this.steps < this.stopAt || this.wasStopped) return;
    // Who joins waits without an end for whoever joins before it, as the file's lock has it.
    if (scheduler.control.hasMembership(this.actor)) return;
    this.wasStopped = true;
    this.state = 'stopped';
    turn.budget = 0;
  }

  stored(): void {}

  private die(): never {
    this.state = 'dead';
    // What a processor has retired reaches memory, whatever becomes of the thread.
    this.buffer.drain();
    const { control } = this.scheduler;
    control.unlockMembership(this.actor);
    if (this.row >= 0) control.startDying(this.row);
    throw KILLED;
  }

  checkAlive(): void {
    if (this.state === 'dead') throw KILLED;
  }
  park(timeoutMs: number): void {
    this.scheduler.pass(timeoutMs);
  }
  fenceEverybody(): void {
    this.checkAlive();
    this.scheduler.drainAll();
  }
  took(row: number): void {
    this.row = row;
  }
}

/** Makes the coroutine of an actor, which runs on its stepper. */
export type Start = (stepper: ActorStepper) => Generator<undefined, unknown>;

interface Running {
  readonly stepper: ActorStepper;
  readonly coroutine: Generator<undefined, unknown>;
}

export class Scheduler {
  readonly control: ControlBlock;
  /** Tells of every access, for a replay. */
  onStep: ((actor: number, isStore: boolean, index: number) => void) | undefined;
  private readonly memory: Int32Array;
  private running: Running[] = [];
  private plan: Plan | undefined;
  private position = 0;
  private latest: ActorStepper | undefined;
  /** Times that another actor went on. */
  turns = 0;
  private readonly lengths = new Map<number, number>();

  constructor(control: ControlBlock, memory: Int32Array) {
    this.control = control;
    this.memory = memory;
  }

  /** Accesses before which the actor could have yielded in its last turn. */
  lengthOf(actor: number): number {
    return this.lengths.get(actor) ?? 0;
  }

  /** Runs a schedule to its end. Throws what an actor threw. */
  run(plan: Plan, start: Start): void {
    this.plan = plan;
    this.position = 0;
    this.running = [];
    for (let actor = 1; actor <= Math.min(plan.actors, ACTORS_MAX - 1); actor++) {
      const stepper = new ActorStepper(this, actor, plan, this.memory);
      this.running.push({ stepper, coroutine: start(stepper) });
    }
    for (let next = this.choose(); next !== undefined; next = this.choose()) this.advance(next);
  }

  private advance({ stepper, coroutine }: Running): void {
    if (stepper !== this.latest) this.turns++;
    this.latest = stepper;
    const given = turn.budget;
    try {
      if (coroutine.next().done !== true) return;
      stepper.buffer.drain();
      stepper.state = 'finished';
      this.lengths.set(stepper.actor, given - turn.budget);
    } catch (error) {
      if (error !== KILLED) throw error;
    }
  }

  pass(durationMs: number): void {
    const isStopped = this.running.some(({ stepper }) => stepper.state === 'stopped');
    this.control.pass(isStopped ? STOPPED_PASSES_MS : durationMs);
    this.control.markDying();
    turn.budget = 0;
  }

  drainAll(): void {
    for (const { stepper } of this.running) stepper.buffer.drain();
  }

  /** Who is next, and for how long; undefined when all have ended. */
  private choose(): Running | undefined {
    const { control } = this;
    if (control.chance() < MARK_CHANCE) control.markDying();
    for (const { stepper } of this.running) {
      if (!stepper.buffer.isEmpty && control.chance() < DRAIN_CHANCE) stepper.buffer.drain(1 + control.below(3));
    }
    const candidates = this.running.filter(({ stepper }) => stepper.state === 'runnable');
    if (candidates.length === 0) return this.wakeStopped();
    const { list, runLength } = this.plan as Plan;
    if (list.length > 0) return this.chooseListed(candidates);
    // Short turns and long ones: a window is one step wide, and what has to happen in it takes hundreds.
    const mean = control.chance() < SHORT_CHANCE ? SHORT_LENGTH : 2 * runLength;
    turn.budget = Math.floor(-Math.log(1 - control.chance()) * mean);
    return candidates[control.below(candidates.length)];
  }

  private chooseListed(candidates: readonly Running[]): Running | undefined {
    const [actor, steps] = (this.plan as Plan).list[this.position++] ?? [0, STEPS_MAX];
    turn.budget = steps;
    return candidates.find(({ stepper }) => stepper.actor === actor) ?? candidates[this.position % candidates.length];
  }

  private wakeStopped(): Running | undefined {
    const stopped = this.running.find(({ stepper }) => stepper.state === 'stopped');
    if (stopped !== undefined) stopped.stepper.state = 'runnable';
    turn.budget = 0;
    return stopped;
  }
}
