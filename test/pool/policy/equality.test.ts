import { expect } from 'chai';
import fc from 'fast-check';
import { PolicyEntry, PolicyHead } from '../../../src/pool/policy/records.js';
import { ReferenceAdaptive2Q, ReferenceS3Fifo } from './reference.js';
import { chanceOf, hashOf, plainShard, problemsOf, type Shard } from './shard.js';
import { changing, GHOST_LINES, type Held, none, references, SPARE_SLOTS, Twins, zipfAndScans } from './twins.js';

/** Every word of a policy's head and entries, and its first eviction. */
function wordsOf({ region, policy }: Shard): number[] {
  const { words, head, entries, slots } = region;
  const read = (from: number, count: number) => Array.from({ length: count }, (_, i) => words.read(from + i));
  return [...read(head, PolicyHead.words), ...read(entries, slots * PolicyEntry.words), policy.evict(() => false)];
}

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
      for (const key of changing(capacity)) twins.access(key, none);
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
