/**
 * Long work in steps: a generator that stops wherever the work may be left for a while. One body of code for callers who want
 * it done at once and for those who let the event loop turn meanwhile.
 */
import { type MonotonicMs, msBetween } from './clock.js';

/** What is done step by step, and what comes of it. */
export type Steps<T = void> = Generator<void, T, void>;

/** The event loop turns after steps that have taken so long together. */
const TURN_MS = 4;

/** All steps in one go. */
export function atOnce<T>(steps: Steps<T>): T {
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
  }
}

/** One run of steps after the other, between which the event loop turns. It waits for nothing but the machine's `sleep`. */
export class Pace {
  private readonly machine: { elapsedMs(): MonotonicMs; sleep(durationMs: number): Promise<void> };
  private turnedMs: MonotonicMs;

  constructor(machine: Pace['machine']) {
    this.machine = machine;
    this.turnedMs = machine.elapsedMs();
  }

  async run<T>(steps: Steps<T>): Promise<T> {
    for (;;) {
      if (this.isTired()) await this.rest();
      const step = steps.next();
      if (step.done === true) return step.value;
    }
  }

  /** Whether the event loop has been held for as long as it may be. */
  isTired(): boolean {
    return msBetween(this.turnedMs, this.machine.elapsedMs()) >= TURN_MS;
  }

  async rest(): Promise<void> {
    await this.machine.sleep(0);
    this.turnedMs = this.machine.elapsedMs();
  }
}
