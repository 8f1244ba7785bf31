/**
 * Objects of 8 KiB to 36 MiB in a real pool, beside an exact cache that counts their bytes: the same requests, and as many bytes
 * as the pool held on average once it was full.
 *
 * The exact cache is adaptive 2Q with one queue of each kind, which evicts until an object has room; a shadow of each pair of
 * sizes sees all requests and counts bytes too. LRU by bytes stands beside it.
 */
import { setImmediate as endOfRun } from 'node:timers/promises';
import { CHOICES, type Sizes } from '../adapters/compare/trace/simulate-adaptive.js';
import { SharedCache } from './build.js';
import type { Context } from './frame.js';
import { Random } from './random.js';
import { scratchPool } from './scratch.js';

const SMALLEST = 8 * 1024;
const MIB = 2 ** 20;

export interface Mixed {
  /** Bytes by id. */
  readonly sizes: Int32Array;
  readonly ids: Int32Array;
}

/** Sizes by chance, more small ones than large ones; requests by Zipf's law, of which a tenth are for what is new. */
export function mixedRequests(seed: number, objects: number, requests: number, largest: number): Mixed {
  const random = new Random(seed);
  const chance = () => random.next() / 2 ** 32;
  const sizes = Int32Array.from({ length: objects + requests }, () =>
    Math.floor(SMALLEST * (largest / SMALLEST) ** (chance() ** 2)),
  );
  const weights = Float64Array.from({ length: objects }, (_, rank) => (rank + 1) ** -0.9);
  for (let rank = 1; rank < objects; rank++) weights[rank]! += weights[rank - 1]!;
  let fresh = objects;
  const ids = Int32Array.from({ length: requests }, () => {
    if (random.below(10) === 0) return fresh++;
    const place = chance() * weights[objects - 1]!;
    let low = 0;
    for (let high = objects - 1; low < high; ) {
      const middle = (low + high) >> 1;
      if (weights[middle]! < place) low = middle + 1;
      else high = middle;
    }
    return low;
  });
  return { sizes, ids };
}

/** Clock2Q+ with a two-bit main queue, in bytes; its shares are of the objects that are there, as in the pool. */
class ByteQueues {
  bytes = 0;
  private readonly capacity: number;
  private readonly sizes: Int32Array;
  private shares: Sizes;
  private readonly small = new Map<number, { entry: number; counted: boolean }>();
  private readonly main = new Map<number, number>();
  private readonly left = new Map<number, number>();
  private entries = 0;
  private departures = 0;

  constructor(capacity: number, sizes: Int32Array, shares: Sizes) {
    this.capacity = capacity;
    this.sizes = sizes;
    this.shares = shares;
  }

  resize(shares: Sizes): void {
    this.shares = shares;
  }

  access(id: number): boolean {
    const { small, main, left, shares } = this;
    const inSmall = small.get(id);
    const total = small.size + main.size;
    if (inSmall !== undefined) {
      inSmall.counted ||= this.entries - inSmall.entry >= Math.floor(total * shares.small * shares.window);
      return true;
    }
    const count = main.get(id);
    if (count !== undefined) {
      main.set(id, Math.min(3, count + 1));
      return true;
    }
    const since = left.get(id);
    left.delete(id);
    const size = this.sizes[id]!;
    while (this.bytes + size > this.capacity) this.evict();
    this.bytes += size;
    if (since !== undefined && this.departures - since <= total * shares.ghost) main.set(id, 0);
    else small.set(id, { entry: this.entries++, counted: false });
    return false;
  }

  private evict(): void {
    const { small, main, shares } = this;
    for (;;) {
      if (main.size === 0 || small.size >= Math.max(1, (small.size + main.size) * shares.small)) {
        const [id, { counted }] = small.entries().next().value!;
        small.delete(id);
        if (counted) {
          main.set(id, 0);
          continue;
        }
        this.left.set(id, this.departures++);
        this.bytes -= this.sizes[id]!;
        return;
      }
      const [id, count] = main.entries().next().value!;
      main.delete(id);
      if (count === 0) {
        this.bytes -= this.sizes[id]!;
        return;
      }
      main.set(id, count - 1);
    }
  }
}

class ByteLru {
  private readonly capacity: number;
  private readonly sizes: Int32Array;
  private readonly queue = new Set<number>();
  private bytes = 0;

  constructor(capacity: number, sizes: Int32Array) {
    this.capacity = capacity;
    this.sizes = sizes;
  }

  access(id: number): boolean {
    const hit = this.queue.delete(id);
    if (!hit) this.bytes += this.sizes[id]!;
    for (const oldest of this.queue) {
      if (this.bytes <= this.capacity) break;
      this.queue.delete(oldest);
      this.bytes -= this.sizes[oldest]!;
    }
    this.queue.add(id);
    return hit;
  }
}

/** Percent of the requests that hit. */
export function exactByBytes({ sizes, ids }: Mixed, capacity: number): number {
  const shadows = CHOICES.map((shares) => new ByteQueues(capacity, sizes, shares));
  const cache = new ByteQueues(capacity, sizes, CHOICES[0]!);
  let scores = CHOICES.map(() => 0);
  let choice = 0;
  let hits = 0;
  for (const [request, id] of ids.entries()) {
    if (cache.access(id)) hits += 1;
    for (const [index, shadow] of shadows.entries()) if (shadow.access(id)) scores[index]! += 1;
    if (request % 64 !== 63) continue;
    const best = Math.max(...scores);
    if (best > scores[choice]! * (1 + 1 / 128) + 16) {
      choice = scores.indexOf(best);
      cache.resize(CHOICES[choice]!);
    }
    scores = scores.map((score) => score * (1 - 1 / 64));
  }
  return (100 * hits) / ids.length;
}

export function lruByBytes({ sizes, ids }: Mixed, capacity: number): number {
  const cache = new ByteLru(capacity, sizes);
  return (100 * ids.reduce((hits, id) => hits + (cache.access(id) ? 1 : 0), 0)) / ids.length;
}

/** Percent of the requests that a pool served, and the bytes of objects that it held on average from its first eviction on. */
export async function poolByBytes({ sizes, ids }: Mixed, size: number): Promise<{ hits: number; bytes: number }> {
  const pool = await scratchPool({ size, pageSize: SMALLEST });
  try {
    const cache = new SharedCache(pool);
    const value = new Uint8Array(sizes.reduce((most, one) => Math.max(most, one), 0)).fill(7);
    let [hits, held, looks] = [0, 0, 0];
    for (const [request, id] of ids.entries()) {
      const key = `object ${id}`;
      const found = cache.borrow(key);
      if (found === undefined) cache.set(key, value.subarray(0, sizes[id]));
      else if (found.length === sizes[id]) hits += 1;
      else throw new Error(`Object ${id} has ${found.length} bytes, not ${sizes[id]}.`);
      // What was borrowed is let go.
      if (request % 8 === 7) await endOfRun();
      if (request % 64 !== 63) continue;
      const { evictions, bytesUsed } = pool.stats();
      if (evictions === 0) continue;
      held += bytesUsed;
      looks += 1;
    }
    return { hits: (100 * hits) / ids.length, bytes: looks === 0 ? size : held / looks };
  } finally {
    await pool.disconnect();
  }
}

export async function compareMixed(context: Context): Promise<void> {
  const size = context.pick(64, 512) * MIB;
  const largest = context.pick(4, 36) * MIB;
  const mixed = mixedRequests(context.seed, context.pick(300, 2_000), context.pick(1_500, 20_000), largest);
  const { hits, bytes } = await poolByBytes(mixed, size);
  const exact = exactByBytes(mixed, bytes);
  const figures = { pool: hits, 'exact by bytes': exact, 'LRU by bytes': lruByBytes(mixed, bytes) };
  for (const [name, value] of Object.entries(figures)) {
    context.add({ name: `mixed sizes: hits, ${name}`, unit: '%', series: [value] });
  }
  const apart = Math.abs(hits - exact);
  context.add({ name: 'mixed sizes: pool and exact apart', unit: 'points', series: [apart], goal: '<= 1' });
  context.note(`The pool of ${size / MIB} MiB held ${(bytes / MIB).toFixed(0)} MiB of objects on average.`);
  context.checked('mixed sizes', exact > 0 ? mixed.ids.length : 0);
}
