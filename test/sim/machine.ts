/** The machine and the kernel as simulated nodes see them. */
import type { CollectionWatch, Liveness, Machine, Ticker } from '../../lib/machine.js';
import type { ControlBlock } from './control.js';
import { giveTurn } from './coroutines/turn.js';

/** Whoever calls this has died, or lets others go on while it waits. */
export interface Waiting {
  /** Throws KILLED. */
  checkAlive(): void;
  park(timeoutMs: number): void;
  fenceEverybody(): void;
  /** It has a row now, whose mark its death will set. */
  took(row: number): void;
}

export class SimulatedMachine implements Machine {
  readonly processId = 1;
  readonly hostName = 'simulated';
  readonly bootId: Int32Array;
  private readonly control: ControlBlock;
  private readonly waiting: Waiting;
  private readonly ends: (() => void)[] = [];

  constructor(control: ControlBlock, waiting: Waiting, boot = 1) {
    this.control = control;
    this.waiting = waiting;
    this.bootId = Int32Array.of(boot, 2, 3, 4);
  }

  nowMs(): number {
    return 1_000_000 + this.control.nowMs;
  }
  /** Looking at the clock takes time: a loop that waits by looking comes to its end. */
  elapsedMs(): number {
    this.waiting.checkAlive();
    this.control.pass(0.1);
    return this.control.nowMs;
  }
  randomWord(): number {
    return this.control.below(2 ** 32) | 0;
  }
  registerForFences(): boolean {
    return this.control.fencesEverybody;
  }
  fenceEverybody(): boolean {
    this.waiting.fenceEverybody();
    return true;
  }
  afterRun(callback: () => void): void {
    this.ends.push(callback);
  }
  /** The synchronous run of the event loop ends. */
  endRun(): void {
    for (const end of this.ends.splice(0)) end();
  }
  every(): Ticker {
    return { stop: () => {} };
  }
  async sleep(durationMs: number): Promise<void> {
    this.control.pass(durationMs);
  }
  watchCollected<T>(): CollectionWatch<T> {
    return { watch: () => {} };
  }
  warn(): void {}
  park(_wordIndex: number, _expected: number, timeoutMs: number): void {
    this.waiting.checkAlive();
    this.waiting.park(timeoutMs);
    giveTurn();
  }
  unpark(): void {
    this.waiting.checkAlive();
  }
}

export class SimulatedLiveness implements Liveness {
  private readonly control: ControlBlock;
  private readonly waiting: Waiting;
  /** Sees nobody dead: a node being made has nothing to clean up yet. */
  isBlind = false;

  constructor(control: ControlBlock, waiting: Waiting) {
    this.control = control;
    this.waiting = waiting;
  }

  hold(row: number): boolean {
    this.waiting.checkAlive();
    const isFree = this.control.hold(row);
    if (isFree) this.waiting.took(row);
    return isFree;
  }
  letGo(row: number): void {
    this.waiting.checkAlive();
    this.control.letGo(row);
  }
  isMarkedDead(row: number): boolean {
    return !this.isBlind && this.control.isMarked(row);
  }
  isHeld(row: number): boolean {
    return this.isBlind || this.control.isHeld(row);
  }
  isStopped(): boolean {
    return false;
  }
  isRunnable(): boolean {
    return false;
  }
}
