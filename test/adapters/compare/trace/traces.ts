/** traces: what the tests of the replay share: made-up traces, naive caches, and where the real traces may lie. */
import { rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Xorshift32 } from '../../../../adapters/compare/trace/routing.js';
import { type ReadTraceOptions, readTrace, type Trace } from '../../../../adapters/compare/trace/trace-file.js';
import { ownFolder } from '../../../../lib/linux/index.js';
import { root } from '../../../tidy/sources.js';

/** The real traces are no part of the project; tests that need them are only there when this folder is. */
export const realTraces = join(root, '..', 'shared', 'traces');

/** Skewed ids with a loop mixed in, so that the policies differ. */
export function madeUpIds(requests: number, unique: number, seed = 1): Uint32Array {
  const chance = new Xorshift32(seed);
  return Uint32Array.from({ length: requests }, (_, index) => {
    const uniform = chance.next() / 0x1_0000_0000;
    return index % 4 === 0 ? Math.floor(index / 4) % unique : Math.floor(uniform ** 3 * unique);
  });
}

export class TemporaryFolder {
  readonly path = ownFolder(tmpdir(), 'test');

  write(name: string, contents: Uint8Array | string): string {
    const path = join(this.path, name);
    writeFileSync(path, contents);
    return path;
  }

  remove(): void {
    rmSync(this.path, { recursive: true, force: true });
  }
}

export interface WholeTrace extends Trace {
  /** In order of the accesses. */
  readonly ids: readonly number[];
  /** The accesses that begin a request. */
  readonly begins: readonly number[];
}

/** A trace with all of its accesses in memory; its files are gone. */
export async function readWhole(source: string, options: Partial<ReadTraceOptions> = {}): Promise<WholeTrace> {
  const directory = ownFolder(tmpdir(), 'test');
  try {
    const trace = await readTrace(source, { directory, ...options });
    const ids: number[] = [];
    const begins: number[] = [];
    for (const chunk of trace.accesses.chunks()) {
      for (const [index, id] of chunk.ids.entries()) {
        const { starts } = chunk;
        if (starts === undefined || ((starts[index >>> 3]! >>> (index & 7)) & 1) === 1) begins.push(ids.length);
        ids.push(id);
      }
    }
    return { ...trace, ids, begins };
  } finally {
    rmSync(directory, { recursive: true });
  }
}

/** Percent of small, ghost and window, of a capacity; as adaptive 2Q sizes its queues. */
type Percents = readonly [small: number, ghost: number, window: number];

export class NaiveTwoQueues {
  private readonly capacity: number;
  private readonly isShadow: boolean;
  private small: { id: number; counted: boolean; entry: number }[] = [];
  private readonly main: { id: number; count: number }[] = [];
  private readonly left: number[] = [];
  private entries = 0;
  percents: Percents;

  constructor(capacity: number, percents: Percents, { isShadow = false } = {}) {
    this.capacity = capacity;
    this.percents = percents;
    this.isShadow = isShadow;
  }

  get full(): boolean {
    return this.small.length + this.main.length === this.capacity;
  }

  access(id: number): boolean {
    const { capacity, main, left } = this;
    const [smallPercent, ghostPercent, windowPercent] = this.percents;
    const smallMin = this.isShadow ? Math.min(4, capacity >> 2) : 1;
    const smallMost = Math.max(1, smallMin, Math.floor((capacity * smallPercent) / 100));
    const inSmall = this.small.find((one) => one.id === id);
    if (inSmall !== undefined) {
      inSmall.counted ||= this.entries - inSmall.entry >= Math.floor((smallMost * windowPercent) / 100);
      return true;
    }
    const inMain = main.find((one) => one.id === id);
    if (inMain !== undefined) {
      inMain.count = Math.min(3, inMain.count + 1);
      return true;
    }
    const since = left.length - left.lastIndexOf(id);
    const returns = left.includes(id) && since <= Math.floor((capacity * ghostPercent) / 100);
    for (const [time, one] of left.entries()) if (one === id) left[time] = -1;
    while (this.full) this.leave(smallMost);
    if (returns) {
      main.unshift({ id, count: 0 });
    } else {
      this.small.unshift({ id, counted: false, entry: this.entries });
      this.entries += 1;
      // A shadow fills its main queue before anything leaves it.
      const overflows = this.isShadow && this.small.length > smallMost && main.length < capacity - smallMost;
      if (overflows) main.unshift({ id: this.small.pop()!.id, count: 0 });
    }
    return false;
  }

  private leave(smallMost: number): void {
    const { small, main } = this;
    if (small.length >= smallMost || main.length === 0) {
      const { id, counted } = small.pop()!;
      if (counted) main.unshift({ id, count: 0 });
      else this.left.push(id);
      return;
    }
    const { id, count } = main.pop()!;
    if (count > 0) main.unshift({ id, count: count - 1 });
  }
}

/** As slow and as plain as it gets: newest first in arrays. Each returns whether every access was a hit. */
export const naive = {
  lru(ids: readonly number[], capacity: number): boolean[] {
    let pages: number[] = [];
    return ids.map((id) => {
      const hit = pages.includes(id);
      pages = [id, ...pages.filter((page) => page !== id)].slice(0, capacity);
      return hit;
    });
  },

  sieve(ids: readonly number[], capacity: number): boolean[] {
    const pages: { id: number; visited: boolean }[] = [];
    let hand: { id: number; visited: boolean } | undefined;
    return ids.map((id) => {
      const resident = pages.find((page) => page.id === id);
      if (resident !== undefined) {
        resident.visited = true;
        return true;
      }
      if (pages.length === capacity) {
        let at = hand === undefined ? pages.length - 1 : pages.indexOf(hand);
        while (pages[at]!.visited) {
          pages[at]!.visited = false;
          at = at === 0 ? pages.length - 1 : at - 1;
        }
        hand = pages[at - 1];
        pages.splice(at, 1);
      }
      pages.unshift({ id, visited: false });
      return false;
    });
  },

  's3-fifo'(ids: readonly number[], capacity: number): boolean[] {
    const smallTarget = Math.max(1, Math.floor(capacity / 10));
    const ghostTarget = Math.floor((capacity * 9) / 10);
    const small: number[] = [];
    const main: number[] = [];
    let ghost: number[] = [];
    const counts = new Map<number, number>();
    const leaveMain = (): void => {
      for (let last = main.pop(); last !== undefined; last = main.pop()) {
        const count = counts.get(last)!;
        if (count === 0) {
          counts.delete(last);
          return;
        }
        counts.set(last, count - 1);
        main.unshift(last);
      }
    };
    const leaveSmall = (): void => {
      for (let last = small.pop(); last !== undefined; last = small.pop()) {
        if (counts.get(last)! <= 1) {
          counts.delete(last);
          ghost = [last, ...ghost].slice(0, ghostTarget);
          return;
        }
        counts.set(last, 0);
        const mainFull = main.length > 0 && main.length >= capacity - smallTarget;
        if (mainFull) leaveMain();
        main.unshift(last);
        if (mainFull) return;
      }
    };
    return ids.map((id) => {
      const count = counts.get(id);
      if (count !== undefined) {
        counts.set(id, Math.min(3, count + 1));
        return true;
      }
      const returns = ghost.includes(id);
      ghost = ghost.filter((page) => page !== id);
      while (counts.size === capacity) {
        if (small.length >= smallTarget || main.length === 0) leaveSmall();
        else leaveMain();
      }
      counts.set(id, 0);
      (returns ? main : small).unshift(id);
      return false;
    });
  },

  /** At most 64 pages, of which all are sampled. */
  'adaptive-2q'(ids: readonly number[], capacity: number): boolean[] {
    const sizes: readonly Percents[] = [
      [10, 200, 50],
      [4, 60, 50],
      [30, 30, 50],
      [10, 120, 50],
      [50, 60, 0],
    ];
    const cache = new NaiveTwoQueues(capacity, sizes[0]!);
    const shadows = sizes.map((percents) => new NaiveTwoQueues(capacity, percents, { isShadow: true }));
    let scores = sizes.map(() => 0);
    let choice = 0;
    let samples = 0;
    return ids.map((id) => {
      if (cache.full) {
        const hits = shadows.map((shadow) => shadow.access(id));
        scores = scores.map((score, index) => score + (hits[index] ? 1 : 0));
        samples += 1;
      }
      if (samples === 64) {
        const best = Math.max(...scores);
        if (best > scores[choice]! * (1 + 1 / 128) + 16) choice = scores.indexOf(best);
        cache.percents = sizes[choice]!;
        scores = scores.map((score) => score * (1 - 1 / 64));
        samples = 0;
      }
      return cache.access(id);
    });
  },
};
