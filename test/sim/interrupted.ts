/** A node at whose every access another one may be at work: for what chance meets too seldom. */
import { contentOf } from './content.js';
import { CrashStepper } from './crash/stepper.js';
import type { SimulatedNode } from './node.js';

export const KEY = 'k0';

/** Before its n-th access something else happens, once. */
export class Interrupted extends CrashStepper {
  private left = Number.POSITIVE_INFINITY;
  private work: () => void = () => {};

  at(access: number, work: () => void): void {
    this.left = access;
    this.work = work;
  }
  override step(): void {
    if (this.left-- === 0) this.work();
    super.step();
  }
  get wasReached(): boolean {
    return this.left < 0;
  }
}

/** Of a page that is gone the memory holds others as soon as it is free. */
export function useAgain(writer: SimulatedNode, from: number): void {
  for (let value = from; value < from + 24; value++) writer.cache.set(KEY, contentOf(0, value, 96));
}
