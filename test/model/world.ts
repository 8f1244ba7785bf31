/**
 * A world: the shared words, and actors that run programs over them, one shared access a step.
 *
 * A program is a list of routines, a routine a list of steps in the order in which the code does them. A step is one
 * shared access with what the actor does privately beside it. It says where to go on: nowhere (the next step), to a
 * routine by name, or that it cannot be taken now. So an ordering is the order of a list, and a mutation of the model is
 * another order, or a step left out: `mutate` makes it, without the step knowing.
 *
 * `order` names the ORDER tags of the code whose ordering the step is part of.
 */
import type { Choose, Memory } from './memory.js';

export const BLOCKED = Symbol('blocked');
export type Next = string | undefined | typeof BLOCKED;

export interface Step<W extends World> {
  readonly name: string;
  readonly order?: string | readonly string[];
  /** Nothing shared is touched: it is taken at once with the step before, or the step after. */
  readonly isPrivate?: 'before' | 'after';
  /** The step is passed over, in no time, where this is false. */
  when?(world: W): boolean;
  // biome-ignore lint/suspicious/noConfusingVoidType: most steps say nothing of where to go on
  run(world: W): Next | void;
}

export interface Routine<W extends World> {
  readonly name: string;
  readonly steps: readonly Step<W>[];
  /** The routine to go on with after the last step. */
  onward(world: W): string;
}

/** What is changed of a model to see whether the checker minds. */
export interface Mutation {
  readonly name: string;
  /** Steps left out. */
  readonly omit?: readonly string[];
  /** Steps of one routine, in the order in which they shall be done: they share out the places they have. */
  readonly reorder?: readonly string[];
  /** Steps whose writing back or invalidating is left out. */
  readonly unflushed?: readonly string[];
  /** What a step does otherwise: each model says what it knows. */
  readonly flags?: readonly string[];
}

export const NO_MUTATION: Mutation = { name: 'none' };

export function mutate<W extends World>(routine: Routine<W>, mutation: Mutation): Routine<W> {
  let steps = routine.steps.filter((step) => mutation.omit?.includes(step.name) !== true);
  const order = mutation.reorder ?? [];
  if (steps.some((step) => order.includes(step.name))) {
    const byName = new Map(steps.map((step) => [step.name, step]));
    const queue = order.map((name) => byName.get(name)).filter((step) => step !== undefined);
    steps = steps.map((step) => (order.includes(step.name) ? (queue.shift() ?? step) : step));
  }
  return { ...routine, steps };
}

/** The state of one actor is `locals` bytes, of which the first is where it is in its program. */
export class World {
  readonly memory: Memory;
  readonly mutation: Mutation;
  readonly wordNames: readonly string[];
  /** The actors' private bytes, one after another, then what only the oracle knows. */
  readonly privates: Uint8Array;
  readonly stride: number;
  /** Where the oracle's own begin. */
  private readonly ghosts: number;
  actor = 0;
  /** Why the state must not be, if so. */
  fault: string | undefined;
  /** What the step did, in words; kept only while a trace is told. */
  story: string[] | undefined;
  private readonly flags: ReadonlySet<string>;
  private readonly unflushed: ReadonlySet<string>;
  private readonly script: number[] = [];
  private readonly widths: number[] = [];
  private position = 0;
  protected readonly chooses: Choose = (count) => this.choose(count);
  /** The step that runs, by which its writeback or invalidate is known. */
  step = '';

  constructor(options: {
    memory: Memory;
    mutation: Mutation;
    wordNames: readonly string[];
    actors: number;
    locals: number;
    ghosts: number;
  }) {
    this.memory = options.memory;
    this.mutation = options.mutation;
    this.wordNames = options.wordNames;
    this.stride = options.locals;
    this.ghosts = options.actors * options.locals;
    this.privates = new Uint8Array(this.ghosts + options.ghosts);
    this.flags = new Set(options.mutation.flags);
    this.unflushed = new Set(options.mutation.unflushed);
  }

  has(flag: string): boolean {
    return this.flags.has(flag);
  }

  // The private bytes of the actor that runs, of another, and of the oracle.
  get(local: number): number {
    return this.privates[this.actor * this.stride + local] as number;
  }
  set(local: number, value: number): void {
    this.privates[this.actor * this.stride + local] = value;
  }
  of(actor: number, local: number): number {
    return this.privates[actor * this.stride + local] as number;
  }
  setOf(actor: number, local: number, value: number): void {
    this.privates[actor * this.stride + local] = value;
  }

  ghost(index: number): number {
    return this.privates[this.ghosts + index] as number;
  }
  setGhost(index: number, value: number): void {
    this.privates[this.ghosts + index] = value;
  }

  // One of so many ways to go on: each is tried, by running the step again.
  choose(count: number): number {
    if (this.position === this.script.length) {
      this.script.push(0);
      this.widths.push(count);
    }
    return this.script[this.position++] as number;
  }
  restart(): void {
    this.script.length = 0;
    this.widths.length = 0;
    this.position = 0;
  }
  rewind(): void {
    this.position = 0;
  }
  /** On to the next way; false after the last. */
  advance(): boolean {
    for (let last = this.script.length - 1; last >= 0; last--) {
      const next = (this.script[last] as number) + 1;
      if (next < (this.widths[last] as number)) {
        this.script[last] = next;
        this.script.length = this.widths.length = last + 1;
        return true;
      }
    }
    return false;
  }

  /** A load, of memory itself where hosts are apart: the copy at hand is invalidated first. */
  load(word: number): number {
    if (this.memory.isApart && !this.unflushed.has(this.step)) this.memory.invalidate(this.actor, word);
    const value = this.memory.load(this.actor, word, this.chooses);
    this.story?.push(`${this.wordNames[word]} is ${value}`);
    return value;
  }
  /** A sequentially consistent store, written back where hosts are apart. */
  store(word: number, value: number): void {
    this.memory.store(this.actor, word, value);
    if (!this.unflushed.has(this.step)) this.memory.writeback(word);
    this.story?.push(`${this.wordNames[word]} := ${value}`);
  }
  /** A plain store, written back where hosts are apart. */
  write(word: number, value: number): void {
    this.memory.write(this.actor, word, value);
    if (!this.unflushed.has(this.step)) this.memory.writeback(word);
    this.story?.push(`${this.wordNames[word]} := ${value} (plain)`);
  }
  invalidate(word: number): void {
    if (!this.unflushed.has(this.step)) this.memory.invalidate(this.actor, word);
    this.story?.push(`${this.wordNames[word]} invalidated`);
  }
  /** What the actor stored, or the lock it holds vouches for. */
  own(word: number): number {
    return this.memory.newest(word);
  }
  /** Whether the step that runs writes back or invalidates what it should. */
  get flushes(): boolean {
    return !this.unflushed.has(this.step);
  }
  tell(what: string): void {
    this.story?.push(what);
  }
  /** The oracle objects. */
  fail(why: string): void {
    this.fault ??= why;
  }
}
