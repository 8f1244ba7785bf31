/**
 * The checker: every state that a model can reach, breadth first, each met once; the oracle's objection ends it, with a
 * shortest way there as a trace to read.
 */
import { Arena } from './arena.js';
import { BLOCKED, mutate, type Routine, type Step, type World } from './world.js';

export interface Model<W extends World> {
  readonly name: string;
  readonly world: W;
  /** The program of each actor, by name. */
  readonly actors: readonly { readonly name: string; readonly program: readonly Routine<W>[] }[];
  /** Steps that nobody comes between and the next: fewer states, where the model is about something else. */
  readonly coarse?: readonly string[];
  /** Fills in the first state: privates and shared words. */
  start(world: W, words: Uint8Array): void;
  /** Objects by `fail` to a state that must not be. */
  judge(world: W): void;
  /** An actor dies where it stands; false where it cannot. For models with deaths. */
  die?(world: W): boolean;
}

export interface Verdict {
  readonly states: number;
  readonly steps: number;
  /** Whether every reachable state was met. */
  readonly isComplete: boolean;
  readonly fault: string | undefined;
  readonly trace: readonly string[];
}

/** More steps than any actor takes at once. */
const HOPS_MAX = 64;

interface Place<W extends World> {
  readonly routine: Routine<W>;
  readonly index: number;
}

/** The places of a program by number, and the number at which each routine begins. */
class Track<W extends World> {
  readonly places: Place<W>[] = [];
  private readonly starts = new Map<string, number>();
  private readonly routines = new Map<string, Routine<W>>();

  constructor(program: readonly Routine<W>[], world: W) {
    for (const plain of program) {
      const routine = mutate(plain, world.mutation);
      this.starts.set(routine.name, this.places.length);
      this.routines.set(routine.name, routine);
      for (let index = 0; index < routine.steps.length; index++) this.places.push({ routine, index });
    }
  }

  /** Number of the place that the actor comes to by the name of a routine, or by going on from a place. */
  at(world: W, name: string): number {
    return this.settle(world, this.routineOf(name), 0);
  }
  after(world: W, place: Place<W>): number {
    return this.settle(world, place.routine, place.index + 1);
  }
  private routineOf(name: string): Routine<W> {
    const routine = this.routines.get(name);
    if (routine === undefined) throw new Error(`No routine is called ${name}.`);
    return routine;
  }
  private settle(world: W, first: Routine<W>, from: number): number {
    let routine = first;
    let index = from;
    for (let hops = 0; hops < HOPS_MAX; hops++) {
      for (; index < routine.steps.length; index++) {
        if (routine.steps[index]?.when?.(world) !== false) return (this.starts.get(routine.name) as number) + index;
      }
      routine = this.routineOf(routine.onward(world));
      index = 0;
    }
    throw new Error(`Nothing is ever done after ${first.name}.`);
  }
}

function titleOf(step: { readonly name: string; readonly order?: string | readonly string[] }): string {
  return step.order === undefined ? step.name : `${step.name} [ORDER ${[step.order].flat().join(', ')}]`;
}

/** A way to go on: an actor's next step, something that memory does, a death. */
type Kind = 'step' | 'memory' | 'death';

export class Explorer<W extends World> {
  private readonly model: Model<W>;
  private readonly world: W;
  private readonly tracks: Track<W>[];
  private readonly arena = new Arena();
  private readonly scratch = new Uint8Array(4096);
  private readonly coarse: ReadonlySet<string>;
  private steps = 0;

  constructor(model: Model<W>) {
    this.model = model;
    this.world = model.world;
    this.coarse = new Set(model.coarse);
    this.tracks = model.actors.map(({ program }) => new Track(program, model.world));
  }

  run(statesMax: number): Verdict {
    const { world, arena } = this;
    const words = new Uint8Array(world.wordNames.length);
    this.model.start(world, words);
    world.memory.reset(words);
    this.tracks.forEach((track, actor) => {
      world.actor = actor;
      world.set(0, track.at(world, 'idle'));
    });
    arena.add(this.scratch, this.encode(), -1);
    for (let index = 0; index < arena.count; index++) {
      const found = this.expand(index, () => arena.add(this.scratch, this.encode(), index));
      if (found) return this.verdict(true, index);
      if (arena.count > statesMax) return this.verdict(false, -1);
    }
    return this.verdict(true, -1);
  }

  private verdict(isComplete: boolean, last: number): Verdict {
    const { fault } = this.world;
    const trace = last < 0 ? [] : this.trace(last);
    return { states: this.arena.count, steps: this.steps, isComplete, fault, trace };
  }

  private encode(): number {
    const { privates, memory } = this.world;
    this.scratch.set(privates);
    return memory.encode(this.scratch, privates.length);
  }

  private decode(index: number): void {
    const { privates, memory } = this.world;
    const state = this.arena.get(index);
    for (let i = 0; i < privates.length; i++) privates[i] = state[i] as number;
    memory.decode(state, privates.length);
  }

  /** Takes each way on from the state; true when one led to a fault, at which the world is left. */
  private expand(index: number, visit: (actor: number, kind: Kind, from: string) => void): boolean {
    const kinds: Kind[] = this.model.die === undefined ? ['step', 'memory'] : ['step', 'memory', 'death'];
    for (let actor = 0; actor < this.tracks.length; actor++) {
      for (const kind of kinds) if (this.expandWith(index, actor, kind, visit)) return true;
    }
    return false;
  }

  private expandWith(
    index: number,
    actor: number,
    kind: Kind,
    visit: (actor: number, kind: Kind, from: string) => void,
  ): boolean {
    const { world } = this;
    world.restart();
    do {
      this.decode(index);
      world.rewind();
      world.actor = actor;
      if (world.story !== undefined) world.story = [];
      const from = this.take(actor, kind);
      if (from === undefined) continue;
      this.steps++;
      if (world.fault === undefined) this.model.judge(world);
      world.actor = actor;
      visit(actor, kind, from);
      if (world.fault !== undefined) return true;
    } while (world.advance());
    return false;
  }

  /** The name of what was done, or undefined where it cannot be. */
  private take(actor: number, kind: Kind): string | undefined {
    const { world } = this;
    if (kind === 'memory') return world.memory.stir(actor) ? 'a plain store reaches memory' : undefined;
    const track = this.tracks[actor] as Track<W>;
    if (kind === 'death') {
      if (this.model.die?.(world) !== true) return undefined;
      world.memory.drainAll(actor);
      world.set(0, track.at(world, 'takeover'));
      return 'DIES';
    }
    let told = '';
    for (let isDone = false, hops = 0; ; hops++) {
      if (hops === HOPS_MAX) throw new Error('An actor goes on for ever without touching what is shared.');
      const place = track.places[world.get(0)] as Place<W>;
      const step = place.routine.steps[place.index] as Step<W>;
      if (isDone && step.isPrivate !== 'after') return told;
      world.step = step.name;
      const next = step.run(world);
      if (next === BLOCKED) return undefined;
      world.set(0, typeof next === 'string' ? track.at(world, next) : track.after(world, place));
      if (world.story !== undefined) told += `${told === '' ? '' : ', '}${titleOf(step)}`;
      if (world.fault !== undefined) return told;
      if (step.isPrivate === undefined && !this.coarse.has(step.name)) isDone = true;
    }
  }

  /** The way to the fault that is met from the state, told. */
  private trace(last: number): string[] {
    const { world, arena } = this;
    const fault = world.fault;
    const path = [last];
    for (let at = last; arena.parentOf(at) >= 0; at = arena.parentOf(at)) path.unshift(arena.parentOf(at));
    const lines: string[] = [];
    world.story = [];
    path.forEach((index, i) => {
      const target = path[i + 1];
      const wanted = target === undefined ? undefined : arena.get(target).slice();
      let isTold = false;
      world.fault = undefined;
      this.expand(index, (actor, _kind, from) => {
        const isIt = wanted === undefined ? world.fault !== undefined : this.isState(wanted);
        if (!isIt || isTold) return;
        isTold = true;
        const what = world.story?.length ? `: ${world.story.join(', ')}` : '';
        lines.push(`${String(i + 1).padStart(3)}  ${this.model.actors[actor]?.name.padEnd(9)} ${from}${what}`);
      });
    });
    world.story = undefined;
    world.fault = fault;
    return [...lines, `  => ${fault}`];
  }

  private isState(wanted: Uint8Array): boolean {
    const length = this.encode();
    return length === wanted.length && wanted.every((byte, i) => this.scratch[i] === byte);
  }
}
