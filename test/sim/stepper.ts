/**
 * Where the simulator takes hold of protocol code: every access to shared words is a step. Before a step the scheduler
 * may let somebody else go on; at a store an actor may die.
 *
 * (J1) a dead actor touches nothing: every access throws Killed, so what `finally` and `catch` do after a death is void.
 * (J2) with store buffers (x64's memory model) a plain write waits in its actor's buffer until that actor makes an atomic
 *      store, somebody fences everybody, the buffer is full, or chance lets it go; its own reads see it at once.
 */
import { Words } from '../../lib/words.js';

/** Thrown through the code of an actor that dies. Not an Error: nothing that handles errors may take it for one. */
export const KILLED = Symbol('killed');

export interface Stepper {
  /** Before each access. May give the turn away. Throws KILLED. */
  step(isStore: boolean, index: number): void;
  /** After each store. Throws KILLED. */
  stored(index: number): void;
}

/** Stores on their way to memory, oldest first; in shared memory, so that others can let them go. */
export class StoreBuffer {
  /** [count, index, value, index, value, …] */
  private readonly waiting: Int32Array;
  private readonly memory: Int32Array;

  constructor(waiting: Int32Array, memory: Int32Array) {
    this.waiting = waiting;
    this.memory = memory;
  }

  get isEmpty(): boolean {
    return this.waiting[0] === 0;
  }

  push(index: number, value: number): void {
    const { waiting } = this;
    if (2 * (waiting[0] as number) + 2 >= waiting.length) this.drain(1);
    const at = 1 + 2 * (waiting[0] as number);
    waiting[at] = index;
    waiting[at + 1] = value;
    waiting[0] = (waiting[0] as number) + 1;
  }

  /** The newest waiting store to the word, or undefined. */
  find(index: number): number | undefined {
    const { waiting } = this;
    for (let i = (waiting[0] as number) - 1; i >= 0; i--) if (waiting[1 + 2 * i] === index) return waiting[2 + 2 * i];
    return undefined;
  }

  /** Lets the oldest stores go. */
  drain(count = Number.POSITIVE_INFINITY): void {
    const { waiting, memory } = this;
    const total = waiting[0] as number;
    if (total === 0) return;
    const gone = Math.min(total, count);
    for (let i = 0; i < gone; i++) memory[waiting[1 + 2 * i] as number] = waiting[2 + 2 * i] as number;
    waiting.copyWithin(1, 1 + 2 * gone, 1 + 2 * total);
    waiting[0] = total - gone;
  }
}

export class SteppedWords extends Words {
  private readonly stepper: Stepper;
  private readonly buffer: StoreBuffer | undefined;

  constructor(memory: ArrayBuffer, byteLength: number, stepper: Stepper, buffer?: StoreBuffer) {
    super(memory, 0, byteLength);
    this.stepper = stepper;
    this.buffer = buffer;
  }

  private see(index: number): number {
    this.stepper.step(false, index);
    const { buffer } = this;
    return (buffer === undefined || buffer.isEmpty ? undefined : buffer.find(index)) ?? super.read(index);
  }

  override load(index: number): number {
    return this.see(index);
  }
  override loadAfterStore(index: number): number {
    return this.see(index);
  }
  override loadInOrder(index: number): number {
    return this.see(index);
  }
  override read(index: number): number {
    return this.see(index);
  }

  /** Before an access that no store of this actor may be behind. */
  private settle(index: number): void {
    this.stepper.step(true, index);
    this.buffer?.drain();
  }

  override store(index: number, value: number): void {
    this.settle(index);
    super.store(index, value);
    this.stepper.stored(index);
  }
  override exchange(index: number, value: number): number {
    this.settle(index);
    const before = super.exchange(index, value);
    this.stepper.stored(index);
    return before;
  }
  override add(index: number, value: number): number {
    this.settle(index);
    const before = super.add(index, value);
    this.stepper.stored(index);
    return before;
  }
  override compareExchange(index: number, expected: number, value: number): number {
    this.settle(index);
    const before = super.compareExchange(index, expected, value);
    if (before === expected) this.stepper.stored(index);
    return before;
  }

  override storeInOrder(index: number, value: number): void {
    this.write(index, value);
  }
  override write(index: number, value: number): void {
    this.stepper.step(true, index);
    if (this.buffer === undefined) super.write(index, value);
    else this.buffer.push(index, value);
    this.stepper.stored(index);
  }
  override fill(index: number, count: number, value: number): void {
    for (let i = 0; i < count; i++) this.write(index + i, value);
  }
  override copyOut(index: number, target: Int32Array): void {
    for (let i = 0; i < target.length; i++) target[i] = this.see(index + i);
  }
  override copyIn(index: number, source: Int32Array): void {
    for (let i = 0; i < source.length; i++) this.write(index + i, source[i] as number);
  }
}
