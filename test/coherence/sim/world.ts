/** A small device, its hosts' caches, and the chance that moves lines and ends lives. */
import type { PoolId, Shape } from '../../../src/coherence/layout.js';
import { Plan } from '../../../src/coherence/layout.js';
import type { Surroundings } from '../../../src/coherence/look.js';
import { giveTurn } from '../../sim/coroutines/turn.js';
import { Chance } from '../../support/chance.js';
import { Device, HostLines } from '../memory.js';
import { Journal } from './journal.js';

export const POOL: PoolId = { low: 0x1234567, high: -77 };
export const WAIT_MS = 40;

export class World {
  readonly shape: Shape;
  readonly device: Device;
  readonly lines: HostLines[];
  readonly chance: Chance;
  readonly journal = new Journal();
  /** Times at which the next life of a host may begin; those alive have none. */
  readonly isAlive: boolean[];
  /** What is being sealed: others like to look for it, and its host is stopped the more often. */
  hot: { readonly host: number; readonly key: string } | undefined;
  /** Hosts that do not go on at the moment: they are the more often taken for dead. */
  readonly isStopped: boolean[];
  /** Nobody dies any more, and nobody is taken for dead. */
  isCalm = false;
  private nowMs = 0;

  constructor(seed: number, shape: Shape) {
    this.chance = new Chance(seed);
    this.shape = shape;
    this.device = new Device(new Plan(shape).lineCount + this.chance.below(3));
    for (let i = 0; i < this.device.memory.length; i++) this.device.memory[i] = this.chance.word();
    this.lines = Array.from({ length: shape.hosts }, (_, host) => new HostLines(this.device, host));
    this.isAlive = this.lines.map(() => false);
    this.isStopped = this.lines.map(() => false);
  }

  /** As a host sees the machine: time passes by looking at it, and others go on while it waits. */
  surroundings(): Surroundings {
    return new Passing(() => {
      this.nowMs += 0.5;
      return this.nowMs;
    });
  }

  drift(): void {
    const lines = this.chance.pick(this.lines);
    lines.drift(this.chance, [this.chance.below(this.device.lineCount)]);
  }
}

class Passing implements Surroundings {
  readonly elapsedMs: () => number;

  constructor(elapsedMs: () => number) {
    this.elapsedMs = elapsedMs;
  }

  pause(): void {
    giveTurn();
  }
}
