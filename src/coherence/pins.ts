/**
 * Pins of one host, in lines of its own: a place for each object that it has handles of.
 *
 * (P1) a place goes from one object to the next by way of 0, and its id is stored before the host that makes it count: of what
 *      leaves the cache early no prefix names another object.
 * (P2) a pin need not be in memory before the page is used, only before this host acknowledges the record that would free it (M4):
 *      so pins cost line operations once a beat, not once a page.
 */
import { PoolError } from '../../lib/errors.js';
import { LINE_WORDS } from '../../lib/struct.js';
import { PINS_PER_LINE, type Plan } from './layout.js';
import type { Lines } from './lines.js';

export class Pins {
  private readonly lines: Lines;
  private readonly plan: Plan;
  private readonly self: number;
  private readonly places: number[];
  /** Lines changed since they were written back. */
  private readonly changed = new Set<number>();

  constructor(lines: Lines, plan: Plan, self: number) {
    this.lines = lines;
    this.plan = plan;
    this.self = self;
    this.places = [...Array(plan.shape.pinLines * PINS_PER_LINE).keys()].reverse();
  }

  /** Throws TOO_MANY_PINS. */
  pin(host: number, id: number): number {
    const place = this.places.pop();
    if (place === undefined) {
      throw new PoolError('TOO_MANY_PINS', `Host ${this.self} has pins of all objects that it can.`);
    }
    const word = this.plan.pins(this.self) * LINE_WORDS + 2 * place;
    this.lines.store(word + 1, id);
    this.lines.store(word, host + 1);
    this.changed.add(Math.floor(place / PINS_PER_LINE));
    return place;
  }

  unpin(place: number): void {
    this.lines.store(this.plan.pins(this.self) * LINE_WORDS + 2 * place, 0);
    this.changed.add(Math.floor(place / PINS_PER_LINE));
    this.places.push(place);
  }

  /** What a former incarnation had. */
  clear(): void {
    for (let place = 0; place < this.places.length; place++) {
      this.lines.store(this.plan.pins(this.self) * LINE_WORDS + 2 * place, 0);
      this.changed.add(Math.floor(place / PINS_PER_LINE));
    }
  }

  publish(): void {
    if (this.changed.size === 0) return;
    for (const line of this.changed) this.lines.writeback(this.plan.pins(this.self) + line, 1);
    this.lines.order();
    this.changed.clear();
  }

  /** Begins to drop the pins of a host. */
  drop(host: number): void {
    this.lines.invalidate(this.plan.pins(host), this.plan.shape.pinLines);
  }

  /** Ids of the owner's objects that the host has pinned, as the cache has them. */
  addPinned(host: number, owner: number, into: Set<number>): void {
    const first = this.plan.pins(host) * LINE_WORDS;
    for (let place = 0; place < this.plan.shape.pinLines * PINS_PER_LINE; place++) {
      if (this.lines.load(first + 2 * place) === owner + 1) into.add(this.lines.load(first + 2 * place + 1));
    }
  }
}
