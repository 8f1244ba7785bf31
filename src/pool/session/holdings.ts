/**
 * Pages that are forgotten: one that the engine has collected before it was released gives its pin back, and the first of a node
 * is told of. Having the engine watch an object and stop watching it costs 0.3 µs, so what is watched is no page but a
 * `Holding`, which serves one page after the other.
 *
 * (L1) a page alone leads to its holding, and what the engine hands over at the end of that leads to neither. So a holding is
 *      collected when its page is, or when a cut call has lost it.
 * (L2) `pin` is set after the pin was taken and unset after it was given up, with no function's entry between: whatever was cut,
 *      it is given up once.
 * (L3) a page that gives its holding back no longer has it: else a page that is kept after its release would keep the engine
 *      from telling of the next one.
 */
import type { CollectionWatch, Machine } from '../../../lib/machine.js';
import type { Key } from '../layout/index.js';
import type { Hazards, Pin } from '../near/index.js';
import { describeName } from './names.js';

/** More than so many are left to the collector. */
const SPARES_MAX = 1024;

interface Held {
  pin: Pin | undefined;
  /** The page's key, or its number. */
  name: Key | number;
}

export class Holding {
  readonly held: Held;
  constructor(held: Held) {
    this.held = held;
  }
}

export class Holdings {
  private readonly spares: Holding[] = [];
  private readonly hazards: Hazards;
  private readonly machine: Machine;
  private readonly path: string;
  private watch: CollectionWatch<Held> | undefined;
  private isClosed = false;
  /** Pages that were collected before they were released. */
  forgotten = 0;

  constructor(path: string, machine: Machine, hazards: Hazards) {
    this.path = path;
    this.machine = machine;
    this.hazards = hazards;
  }

  take(): Holding {
    return this.spares.pop() ?? this.make();
  }

  private make(): Holding {
    this.watch ??= this.machine.watchCollected((held) => this.collected(held));
    const held = { pin: undefined, name: '' };
    const holding = new Holding(held);
    this.watch.watch(holding, held);
    return holding;
  }

  give(holding: Holding): void {
    if (this.spares.length < SPARES_MAX) this.spares.push(holding);
  }

  private collected(held: Held): void {
    const { pin } = held;
    if (pin === undefined || this.isClosed) return;
    this.hazards.unpin(pin);
    // (L2)
    held.pin = undefined;
    this.hazards.finishLeaving();
    this.forgotten++;
    if (this.forgotten > 1) return;
    const what = `The page ${describeName(held.name)} of ${this.path} was collected before it was released`;
    this.machine.warn(
      'SEALPOOL_PAGE_NOT_RELEASED',
      `${what}. Its pin was given back now, and held its memory until then. Release each page, or declare it with using.`,
    );
  }

  close(): void {
    this.isClosed = true;
  }
}
