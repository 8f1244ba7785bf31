/** A policy and its naive reference, driven as one cache; requests to drive them with. */
import { expect } from 'chai';
import { makePolicy, type Policy, type PolicyKind } from '../../../src/pool/policy/index.js';
import { type Reference, ReferenceAdaptive2Q, ReferenceLru, ReferenceS3Fifo, ReferenceSieve } from './reference.js';
import { chanceOf, hashOf, plainShard, problemsOf } from './shard.js';

/** Enough that no line overflows and the ring never comes round. */
export const GHOST_LINES = 512;
/** Slots beyond the capacity: pages in limbo have left the policy but still hold theirs. */
export const SPARE_SLOTS = 3;

export type Held = (key: number) => boolean;
export const none: Held = () => false;

/** Drives a policy and its reference as one cache and compares every victim. */
export class Twins {
  evictions = 0;
  readonly policy: Policy;
  private readonly slots = new Map<number, number>();
  private readonly keys = new Map<number, number>();
  private readonly free: number[] = [];
  private readonly reference: Reference;
  private readonly capacity: number;

  constructor(kind: PolicyKind, reference: Reference, capacity: number, make = makePolicy) {
    const slots = capacity + SPARE_SLOTS;
    this.policy = plainShard(kind, { capacity, slots, ghostLines: GHOST_LINES, make }).policy;
    this.reference = reference;
    this.capacity = capacity;
    for (let slot = 0; slot < slots; slot++) this.free.push((slot * 7) % slots);
    if (new Set(this.free).size < slots) this.free = Array.from({ length: slots }, (_, slot) => slot);
  }

  access(key: number, isHeld: Held): void {
    const hit = this.slots.get(key);
    if (hit !== undefined) {
      this.policy.touch(hit);
      this.reference.touch(key);
      return;
    }
    if (this.slots.size >= this.capacity && !this.evict(isHeld)) return;
    // First in, first out: the slot of the victim is not the next one used.
    const slot = this.free.shift() as number;
    this.slots.set(key, slot);
    this.keys.set(slot, key);
    this.policy.insert(slot, hashOf(key));
    this.reference.insert(key);
  }

  evict(isHeld: Held): boolean {
    const slot = this.policy.evict((one) => isHeld(this.keys.get(one) as number));
    const victim = slot < 0 ? -1 : this.keys.get(slot);
    expect(victim, `victim ${this.evictions}`).to.equal(this.reference.evict(isHeld));
    if (slot < 0) {
      expect([...this.slots.keys()].every(isHeld), 'none only when all are held').to.equal(true);
      return false;
    }
    this.evictions += 1;
    this.leave(victim as number);
    return true;
  }

  remove(key: number): void {
    const slot = this.slots.get(key);
    if (slot !== undefined) this.leave(key);
    this.policy.remove(slot ?? (this.free[0] as number));
    this.reference.remove(key);
  }

  verify(): void {
    expect(problemsOf(this.policy)).to.deep.equal([]);
    expect(this.policy.count()).to.equal(this.slots.size);
  }

  private leave(key: number): void {
    const slot = this.slots.get(key) as number;
    this.slots.delete(key);
    this.keys.delete(slot);
    this.free.push(slot);
  }
}

/** Zipf-distributed keys, with scans of keys that come once, or come back with the next scan. */
export function zipfAndScans(seed: number, length: number, universe: number): number[] {
  const chance = chanceOf(seed);
  const weights = Array.from({ length: universe }, (_, rank) => 1 / (rank + 1));
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  const trace: number[] = [];
  let scanned = universe;
  while (trace.length < length) {
    if (chance() < 0.01) {
      if (chance() < 0.5) scanned = universe;
      for (let left = Math.floor(chance() * universe); left > 0; left--) trace.push(scanned++);
    }
    let rest = chance() * total - (weights[0] as number);
    let key = 0;
    while (key < universe - 1 && rest > 0) {
      key += 1;
      rest -= weights[key] as number;
    }
    trace.push(key);
  }
  return trace.slice(0, length);
}

/** Requests that change their kind, three times over, so that other sizes are worth choosing. */
export function* changing(capacity: number): Generator<number> {
  for (let round = 0; round < 3; round++) {
    yield* zipfAndScans(round, 6_000, 2 * capacity);
    // A loop that is longer than the cache, then pages that are asked for once more, when a small tenth has lost them.
    for (let request = 0; request < 12_000; request++) yield request % (capacity + 40);
    for (let request = 0; request < 12_000; request++) {
      const entered = 20_000 * (round + 1) + (request >> 1);
      yield request % 2 === 0 ? entered : entered - Math.floor(capacity / 5);
    }
  }
}

export const references: readonly [PolicyKind, (capacity: number) => Reference][] = [
  ['lru', () => new ReferenceLru()],
  ['sieve', () => new ReferenceSieve()],
  ['s3-fifo', () => new ReferenceS3Fifo()],
  ['adaptive-2q', (capacity) => new ReferenceAdaptive2Q(capacity, hashOf)],
];
