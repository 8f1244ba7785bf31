import { expect } from 'chai';
import { SharedCache } from '../../../src/index.js';
import type { Region } from '../../../src/pool/layout/geometry.js';
import { makePolicy, PolicyHead, ShadowHead } from '../../../src/pool/policy/index.js';
import { usePools } from '../../support/pools.js';
import { chanceOf, deadCanaries, guardedShard, hashOf, plainShard, problemsOf, type Shard } from './shard.js';
import { changing } from './twins.js';

const CAPACITY = 100;
/** Of the learner, in the canary words before the shard's own. */
const LEARNER = 0;
const LEARNED = LEARNER + PolicyHead.word.choice;

function followerOf<S extends Shard>(shard: S) {
  const { region } = shard;
  const own = region.head + PolicyHead.word.choice;
  const follower = makePolicy('adaptive-2q', { ...region, learner: LEARNER });
  return { ...shard, policy: follower, choice: () => region.words.read(own) };
}

describe('a shard that another learns for', () => {
  it('goes by its choice from the 16th page on that enters small', () => {
    const { policy, region, choice } = followerOf(plainShard('adaptive-2q', { capacity: CAPACITY }));
    policy.insert(0, hashOf(0));
    region.words.write(LEARNED, 2);
    const choices: number[] = [];
    for (let slot = 1; slot < 40; slot++) {
      policy.insert(slot, hashOf(slot));
      choices.push(choice());
    }
    expect(choices.lastIndexOf(0) + 1).to.equal(15);
    expect(choices.slice(15)).to.deep.equal(new Array(24).fill(2));
  });

  it('keeps its own when that is none, and reports nothing of another shard', () => {
    for (const value of [5, -1, 2 ** 30]) {
      const { policy, region, choice } = followerOf(plainShard('adaptive-2q', { capacity: CAPACITY }));
      region.words.write(region.head + PolicyHead.word.choice, 3);
      region.words.write(LEARNED, value);
      for (let slot = 0; slot < CAPACITY; slot++) policy.insert(slot, hashOf(slot));
      for (let left = 10; left > 0; left--) expect(policy.evict(() => false)).to.be.at.least(0);
      expect([choice(), problemsOf(policy)]).to.deep.equal([3, []]);
    }
  });

  it('samples nothing, and writes nothing of its learner, whatever that holds', () => {
    const chance = chanceOf(1);
    for (let round = 0; round < 50; round++) {
      const guarded = guardedShard('adaptive-2q', { capacity: CAPACITY });
      const { policy, words, parts, choice } = followerOf(guarded);
      const used = new Map<number, number>();
      words.allowed = [[0, words.length]];
      words.write(LEARNED, Math.floor(chance() * 8));
      words.allowed = [...parts, [LEARNED, 1]];
      for (let request = 0; request < 2_000; request++) {
        const key = Math.floor(chance() * 200);
        const hit = used.get(key);
        if (hit !== undefined) policy.touch(hit);
        else {
          const slot = used.size < CAPACITY ? used.size : policy.evict(() => false);
          for (const [other, its] of used) if (its === slot) used.delete(other);
          used.set(key, slot);
          policy.insert(slot, hashOf(key));
        }
      }
      expect(words.outside).to.equal(0);
      words.allowed = [[0, words.length]];
      words.write(LEARNED, 0x5ea1ca7);
      words.allowed = parts;
      expect(deadCanaries({ ...guarded, policy })).to.equal(0);
      expect(choice()).to.be.within(0, 4);
      expect(words.read(guarded.region.ghost), 'samples are taken of').to.equal(0);
    }
  });
});

describe('the shards of a pool', () => {
  const pools = usePools();

  it('learn from one of them which sizes are best, by default', async () => {
    const pool = await pools.create({ size: '2MiB', pageSize: 512, maxObjects: 1024 });
    expect(pool.info.eviction).to.equal('adaptive-2q');
    const space = new SharedCache(pool).pages('table', { pageSize: 512 });
    const target = new Uint8Array(512);
    for (const pageNo of changing(1024)) space.readThrough(pageNo, target, () => 512);
    const { geometry, words } = pool.session.parts;
    const { policyHeads, ghosts } = geometry.regions;
    const read = ({ word, stride }: Region, field: number) =>
      Array.from({ length: geometry.shards }, (_, shard) => words.read(word + shard * stride + field));
    // The last requests want a larger small queue, of whatever size.
    const [choice, ...others] = read(policyHeads, PolicyHead.word.choice);
    expect(choice).to.be.within(1, 4);
    expect(others).to.deep.equal([choice, choice, choice]);
    expect(read(ghosts, ShadowHead.word.objects).map(Boolean)).to.deep.equal([true, false, false, false]);
  });
});
