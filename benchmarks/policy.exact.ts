/**
 * Exact caches of other policies, to judge the pool's by. Written from their papers.
 *
 * A Map keeps its keys in the order in which they were set, so that one is a queue: the first key is the oldest.
 */

import { createPolicy } from '../adapters/compare/trace/simulate.js';
import { CLOCK_2Q, TwoQueueCache } from '../adapters/compare/trace/simulate-adaptive.js';
import type { CachePolicy } from '../adapters/compare/trace/slot-table.js';
import { Random } from './random.js';

type Queue = Set<number>;
export type Exact = Pick<CachePolicy, 'access'>;

function oldest(queue: Queue): number {
  for (const id of queue) return id;
  throw new Error('The queue is empty.');
}

function takeOldest(queue: Queue): number {
  const id = oldest(queue);
  queue.delete(id);
  return id;
}

/** Megiddo and Modha, "ARC: A Self-Tuning, Low Overhead Replacement Cache", FAST 2003, figure 4. */
export class Arc implements Exact {
  private readonly capacity: number;
  /** Pages asked for once of late, and more often; then the ids that left either. */
  private readonly once: Queue = new Set();
  private readonly often: Queue = new Set();
  private readonly leftOnce: Queue = new Set();
  private readonly leftOften: Queue = new Set();
  private wanted = 0;

  constructor(capacity: number) {
    this.capacity = capacity;
  }

  access(id: number): boolean {
    const { once, often, leftOnce, leftOften, capacity } = this;
    if (once.delete(id) || often.delete(id)) {
      often.add(id);
      return true;
    }
    if (leftOnce.has(id)) {
      this.wanted = Math.min(capacity, this.wanted + Math.max(1, leftOften.size / leftOnce.size));
      this.replace(false);
      leftOnce.delete(id);
      often.add(id);
    } else if (leftOften.has(id)) {
      this.wanted = Math.max(0, this.wanted - Math.max(1, leftOnce.size / leftOften.size));
      this.replace(true);
      leftOften.delete(id);
      often.add(id);
    } else {
      this.makeRoom();
      once.add(id);
    }
    return false;
  }

  private makeRoom(): void {
    const { once, often, leftOnce, leftOften, capacity } = this;
    const total = once.size + often.size + leftOnce.size + leftOften.size;
    if (once.size + leftOnce.size >= capacity) {
      if (leftOnce.size === 0) {
        takeOldest(once);
        return;
      }
      takeOldest(leftOnce);
      this.replace(false);
    } else if (total >= capacity) {
      if (total >= 2 * capacity) takeOldest(leftOften);
      this.replace(false);
    }
  }

  private replace(cameBack: boolean): void {
    const { once, often, wanted } = this;
    if (once.size + often.size < this.capacity) return;
    const isLarge = once.size > wanted || (cameBack && once.size === wanted);
    if (once.size > 0 && (isLarge || often.size === 0)) this.leftOnce.add(takeOldest(once));
    else this.leftOften.add(takeOldest(often));
  }
}

/** Counts of four bits by four hashes, halved after ten times as many as the cache has pages. */
class Sketch {
  private readonly counts: Uint8Array;
  private readonly mask: number;
  private readonly most: number;
  private additions = 0;

  constructor(capacity: number) {
    const row = 4 * 2 ** Math.ceil(Math.log2(Math.max(16, capacity)));
    this.counts = new Uint8Array(4 * row);
    this.mask = row - 1;
    this.most = 10 * capacity;
  }

  count(id: number): number {
    let least = 15;
    for (let row = 0; row < 4; row++) least = Math.min(least, this.counts[this.place(id, row)]!);
    return least;
  }

  add(id: number): void {
    for (let row = 0; row < 4; row++) {
      const place = this.place(id, row);
      if (this.counts[place]! < 15) this.counts[place]! += 1;
    }
    this.additions += 1;
    if (this.additions < this.most) return;
    this.additions >>= 1;
    for (let place = 0; place < this.counts.length; place++) this.counts[place]! >>= 1;
  }

  private place(id: number, row: number): number {
    let mix = Math.imul(id + Math.imul(row + 1, 0x9e37_79b1), 0xcc9e_2d51);
    mix = Math.imul(mix ^ (mix >>> 15), 0x2c1b_3c6d);
    return row * (this.mask + 1) + ((mix ^ (mix >>> 13)) & this.mask);
  }
}

/**
 * W-TinyLFU: Einziger, Friedman and Manes, "TinyLFU", ACM TOS 2017; its window climbs as in Einziger, Eytan, Friedman and
 * Manes, "Adaptive Software Cache Management", Middleware 2018: by a sixteenth at first, on for as long as hits grow.
 */
export class WindowTinyLfu implements Exact {
  private readonly capacity: number;
  private readonly sketch: Sketch;
  private readonly random = new Random(1);
  private readonly window: Queue = new Set();
  private readonly probation: Queue = new Set();
  private readonly guarded: Queue = new Set();
  private windowMost: number;
  private step: number;
  private hits = 0;
  private requests = 0;
  private hitsBefore = 0;

  constructor(capacity: number) {
    this.capacity = capacity;
    this.sketch = new Sketch(capacity);
    this.windowMost = Math.max(1, Math.round(capacity / 100));
    this.step = capacity / 16;
  }

  access(id: number): boolean {
    this.sketch.add(id);
    const hit = this.touch(id);
    if (!hit) {
      this.window.add(id);
      this.settle();
    }
    this.climb(hit);
    return hit;
  }

  private touch(id: number): boolean {
    const { window, probation, guarded } = this;
    if (window.delete(id)) {
      window.add(id);
      return true;
    }
    if (!guarded.delete(id) && !probation.delete(id)) return false;
    guarded.add(id);
    const guardedMost = Math.floor((this.capacity - this.windowMost) * 0.8);
    while (guarded.size > guardedMost) probation.add(takeOldest(guarded));
    return true;
  }

  private settle(): void {
    const { window, probation, guarded, sketch } = this;
    while (window.size > this.windowMost) {
      const candidate = takeOldest(window);
      probation.add(candidate);
      if (window.size + probation.size + guarded.size <= this.capacity) continue;
      const victim = oldest(probation);
      if (victim === candidate) probation.delete(candidate);
      else probation.delete(this.admits(sketch.count(candidate), sketch.count(victim)) ? victim : candidate);
    }
    while (window.size + probation.size + guarded.size > this.capacity) {
      takeOldest(probation.size > 0 ? probation : guarded.size > 0 ? guarded : window);
    }
  }

  private admits(candidate: number, victim: number): boolean {
    return candidate > victim || (candidate > 5 && this.random.below(128) === 0);
  }

  private climb(hit: boolean): void {
    this.requests += 1;
    if (hit) this.hits += 1;
    if (this.requests < 10 * this.capacity || this.capacity < 8) return;
    const change = (this.hits - this.hitsBefore) / this.requests;
    if (change < 0) this.step = -this.step;
    if (Math.abs(change) >= 0.05) this.step = (Math.sign(this.step) * this.capacity) / 16;
    const most = Math.max(1, Math.floor(this.capacity * 0.8));
    this.windowMost = Math.min(most, Math.max(1, Math.round(this.windowMost + this.step)));
    this.step *= 0.98;
    this.hitsBefore = this.hits;
    this.hits = this.requests = 0;
    this.settle();
  }
}

/** By name, in the order of the table. */
export const POLICIES: Readonly<Record<string, (capacity: number) => Exact>> = {
  LRU: (capacity) => createPolicy('lru', capacity),
  SIEVE: (capacity) => createPolicy('sieve', capacity),
  'S3-FIFO': (capacity) => createPolicy('s3-fifo', capacity),
  ARC: (capacity) => new Arc(capacity),
  'W-TinyLFU': (capacity) => new WindowTinyLfu(capacity),
  'Clock2Q+': (capacity) => new TwoQueueCache(capacity, CLOCK_2Q),
  'adaptive 2Q': (capacity) => createPolicy('adaptive-2q', capacity),
};
