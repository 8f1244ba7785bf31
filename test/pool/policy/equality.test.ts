import { expect } from 'chai';
import fc from 'fast-check';
import type { PolicyKind } from '../../../src/pool/policy/index.js';
import { PolicyEntry, PolicyHead } from '../../../src/pool/policy/records.js';
import { type Reference, ReferenceAdaptive2Q, ReferenceLru, ReferenceS3Fifo, ReferenceSieve } from './reference.js';
import { chanceOf, hashOf, plainShard, problemsOf, type Shard } from './shard.js';

/** Enough that no line overflows and the ring never comes round. */
const GHOST_LINES = 512;
/** Slots beyond the capacity: pages in limbo have left the policy but still hold theirs. */
const SPARE_SLOTS = 3;

type Held = (key: number) => boolean;
const none: Held = () => false;

/** Drives a policy and its reference as one cache and compares every victim. */
class Twins {
  evictions = 0;
  readonly policy;
  private readonly slots = new Map<number, number>();
  private readonly keys = new Map<number, number>();
  private readonly free: number[] = [];
  private readonly reference: Reference;
  private readonly capacity: number;

  constructor(kind: PolicyKind, reference: Reference, capacity: number) {
    const slots = capacity + SPARE_SLOTS;
    this.policy = plainShard(kind, { capacity, slots, ghostLines: GHOST_LINES }).policy;
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

/** Every word of a policy's head and entries, and its first eviction. */
function wordsOf({ region, policy }: Shard): number[] {
  const { words, head, entries, slots } = region;
  const read = (from: number, count: number) => Array.from({ length: count }, (_, i) => words.read(from + i));
  return [...read(head, PolicyHead.words), ...read(entries, slots * PolicyEntry.words), policy.evict(() => false)];
}

/** Zipf-distributed keys, with scans of keys that come once, or come back with the next scan. */
function zipfAndScans(seed: number, length: number, universe: number): number[] {
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

const references: readonly [PolicyKind, (capacity: number) => Reference][] = [
  ['lru', () => new ReferenceLru()],
  ['sieve', () => new ReferenceSieve()],
  ['s3-fifo', () => new ReferenceS3Fifo()],
  ['adaptive-2q', (capacity) => new ReferenceAdaptive2Q(capacity, hashOf)],
];

const operation = fc.oneof(
  { weight: 20, arbitrary: fc.record({ act: fc.constant('access' as const), key: fc.nat(40), held: fc.nat(0xffff) }) },
  { weight: 2, arbitrary: fc.record({ act: fc.constant('remove' as const), key: fc.nat(40), held: fc.constant(0) }) },
  {
    weight: 1,
    arbitrary: fc.record({ act: fc.constant('evict' as const), key: fc.constant(0), held: fc.nat(0xffff) }),
  },
);

describe('eviction policies against naive references', () => {
  for (const [kind, makeReference] of references) {
    it(`${kind} evicts exactly what its reference evicts on zipf with scans`, () => {
      let evictions = 0;
      fc.assert(
        fc.property(fc.integer(), fc.integer({ min: 1, max: 60 }), (seed, capacity) => {
          const twins = new Twins(kind, makeReference(capacity), capacity);
          for (const key of zipfAndScans(seed, 1_500, 100)) twins.access(key, none);
          twins.verify();
          evictions += twins.evictions;
        }),
        { numRuns: 60 },
      );
      expect(evictions).to.be.greaterThan(5_000);
    });

    it(`${kind} evicts exactly what its reference evicts among removals and held pages`, () => {
      let evictions = 0;
      fc.assert(
        fc.property(
          fc.array(operation, { maxLength: 400, size: 'max' }),
          fc.integer({ min: 1, max: 25 }),
          fc.integer({ min: 0, max: 16 }),
          (operations, capacity, heldBits) => {
            const twins = new Twins(kind, makeReference(capacity), capacity);
            for (const { act, key, held } of operations) {
              const isHeld: Held = (one) => one % 17 < heldBits && ((held >>> (one % 16)) & 1) === 1;
              if (act === 'access') twins.access(key, isHeld);
              else if (act === 'remove') twins.remove(key);
              else twins.evict(isHeld);
            }
            twins.verify();
            evictions += twins.evictions;
          },
        ),
        { numRuns: 400 },
      );
      expect(evictions).to.be.greaterThan(1_000);
    });
  }

  for (const [kind] of references) {
    it(`${kind} is refilled in one go as by one insert after the other`, () => {
      fc.assert(
        fc.property(fc.integer(), fc.integer({ min: 1, max: 60 }), fc.nat(70), (seed, capacity, used) => {
          const chance = chanceOf(seed);
          const slots = capacity + SPARE_SLOTS;
          const order = Int32Array.from({ length: slots }, (_, slot) => slot)
            .sort(() => chance() - 0.5)
            .slice(0, Math.min(used, slots));
          const hashes = Int32Array.from({ length: slots }, (_, slot) => hashOf(slot));
          const [one, other] = [1, 2].map(() => plainShard(kind, { capacity, slots, ghostLines: GHOST_LINES }));
          // What was there before is forgotten.
          for (let slot = 0; slot < slots; slot++) one!.policy.insert(slot, slot);
          for (let left = Math.floor(chance() * slots); left > 0; left--) one!.policy.evict(() => false);
          one!.policy.refill(order, hashes);
          for (const slot of order) other!.policy.insert(slot, hashes[slot] as number);
          expect(problemsOf(one!.policy)).to.deep.equal([]);
          expect(wordsOf(one!)).to.deep.equal(wordsOf(other!));
        }),
        { numRuns: 100 },
      );
    });
  }

  it('adaptive-2q chooses as its reference does where the requests change their kind, and more than once', () => {
    let changes = 0;
    for (const capacity of [60, 150, 400]) {
      const reference = new ReferenceAdaptive2Q(capacity, hashOf);
      const twins = new Twins('adaptive-2q', reference, capacity);
      for (let round = 0; round < 3; round++) {
        for (const key of zipfAndScans(round, 6_000, 2 * capacity)) twins.access(key, none);
        // A loop that is longer than the cache, then a window that moves.
        for (let request = 0; request < 12_000; request++) twins.access(request % (capacity + 40), none);
        for (let request = 0; request < 12_000; request++) {
          twins.access(1_000 + Math.floor(request / 9) + ((request * 7) % (capacity >> 1)), none);
        }
      }
      twins.verify();
      expect(twins.evictions).to.be.greaterThan(5_000);
      expect(reference.changes, `${capacity}`).to.be.greaterThan(0);
      changes += reference.changes;
    }
    expect(changes).to.be.greaterThan(6);
  });

  it('s3-fifo in a full shard limited by count takes its shares of the capacity, as the paper does', () => {
    fc.assert(
      fc.property(fc.integer(), fc.integer({ min: 1, max: 60 }), (seed, capacity) => {
        const twins = new Twins('s3-fifo', new ReferenceS3Fifo(capacity), capacity);
        for (const key of zipfAndScans(seed, 1_500, 100)) twins.access(key, none);
      }),
      { numRuns: 60 },
    );
  });
});
