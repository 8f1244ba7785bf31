import { expect } from 'chai';
import { PoolError } from '../../../lib/errors.js';
import type { PolicyKind } from '../../../src/pool/policy/index.js';
import { PolicyEntry } from '../../../src/pool/policy/index.js';
import { chanceOf, deadCanaries, type GuardedWords, guardedShard, problemsOf, type Shard } from './shard.js';

const KINDS: readonly PolicyKind[] = ['adaptive-2q', 's3-fifo', 'sieve', 'lru', 'none'];
const SEEDS = 2_000;

type GuardedShard = Shard & { words: GuardedWords };
type Chance = () => number;

/** Below is what any call may take: the longest loops meet each slot five times, or each ghost bit once. */
function accessesMax({ region }: GuardedShard): number {
  const ringBits = Math.max(1, region.ghostLines / 32) * 512;
  return 300 * region.slots + 8 * ringBits + 200;
}

/** Runs some calls as a lock holder would; calls that throw anything but POOL_CORRUPT fail the test. */
function use(shard: GuardedShard, chance: Chance, calls: number): { thrown: number; accesses: number } {
  const { policy, region, words } = shard;
  const slot = () => Math.floor(chance() * region.slots);
  const actions = [
    () => policy.insert(slot(), Math.floor(chance() * 64)),
    () => policy.remove(slot()),
    () => policy.touch(slot()),
    () => expect(policy.evict(() => chance() < 0.3)).to.be.within(-1, region.slots - 1),
    () => expect(policy.evict(() => true)).to.equal(-1),
    () => policy.count(),
    () => problemsOf(policy),
  ];
  let thrown = 0;
  let accesses = 0;
  for (let call = 0; call < calls; call++) {
    words.accesses = 0;
    try {
      (actions[Math.floor(chance() * actions.length)] as () => unknown)();
    } catch (error) {
      if (!(error instanceof PoolError) || error.code !== 'POOL_CORRUPT') throw error;
      thrown += 1;
    }
    accesses = Math.max(accesses, words.accesses);
  }
  return { thrown, accesses };
}

/** Fills an empty policy and evicts until nothing is left: the number of different victims. */
function drain({ policy, region }: GuardedShard): number {
  for (let slot = 0; slot < region.slots; slot++) policy.insert(slot, slot * 3);
  const victims = new Set<number>();
  for (let victim = policy.evict(() => false); victim >= 0; victim = policy.evict(() => false)) victims.add(victim);
  expect(policy.count()).to.equal(0);
  expect(problemsOf(policy)).to.deep.equal([]);
  return victims.size;
}

/** How the words are spoiled: all of them at random, all of them with likely values, or a few of a sound state. */
const spoilers: Record<string, (shard: GuardedShard, chance: Chance) => void> = {
  noise({ parts, words }, chance) {
    for (const [word, length] of parts) {
      for (let index = 0; index < length; index++) words.write(word + index, Math.floor(chance() * 0x1_0000_0000));
    }
  },
  plausible({ parts, words, region }, chance) {
    for (const [word, length] of parts) {
      for (let index = 0; index < length; index++) {
        words.write(word + index, Math.floor(chance() * (region.slots + 2)));
      }
    }
    for (let slot = 0; slot < region.slots; slot++) {
      const info = Math.floor(chance() * 3) | (Math.floor(chance() * 4) << 2);
      words.write(region.entries + slot * PolicyEntry.words + PolicyEntry.word.info, info);
    }
  },
  few(shard, chance) {
    const { parts, words, region } = shard;
    use(shard, chance, 60);
    for (let left = 1 + Math.floor(chance() * 4); left > 0; left--) {
      // Mostly the head and the entries, where a word leads somewhere.
      const [word, length] = parts[Math.min(2, Math.floor(chance() * 2.2))] as (typeof parts)[number];
      const near = chance() < 0.7;
      words.write(
        word + Math.floor(chance() * length),
        near ? Math.floor(chance() * (region.slots + 2)) : Math.floor(chance() * 0x1_0000_0000),
      );
    }
  },
};

describe('eviction policies on damaged words', () => {
  for (const kind of KINDS) {
    for (const [name, spoil] of Object.entries(spoilers)) {
      it(`${kind} returns or throws POOL_CORRUPT, in bounded steps and inside its words (${name})`, () => {
        let thrown = 0;
        for (let seed = 1; seed <= SEEDS; seed++) {
          const chance = chanceOf(seed);
          const slots = 1 + Math.floor(chance() * 40);
          const capacity = 1 + Math.floor(chance() * slots);
          const shard = guardedShard(kind, { capacity, slots });
          spoil(shard, chance);
          const used = use(shard, chance, 40);
          thrown += used.thrown;
          expect(used.accesses, `seed ${seed}: accesses of one call`).to.be.at.most(accessesMax(shard));
          expect(shard.words.outside, `seed ${seed}: accesses outside`).to.equal(0);
          expect(deadCanaries(shard), `seed ${seed}: words changed outside`).to.equal(0);
          shard.policy.reset();
          expect(problemsOf(shard.policy), `seed ${seed}: after a reset`).to.deep.equal([]);
          expect(drain(shard), `seed ${seed}: slots evicted after a reset`).to.equal(kind === 'none' ? 0 : slots);
        }
        if (kind !== 'none') expect(thrown).to.be.greaterThan(SEEDS / 10);
      });
    }
  }
});
