/** The eviction policy of each shard, over the words of its region. */
import type { Words } from '../../../lib/words.js';
import { capacityOf, type Geometry, powerOfTwoAtLeast } from '../layout/index.js';
import { makePolicy, type Policy } from '../policy/index.js';

/**
 * Objects that one shard learns for. It looks at 64 of its own, at 1 µs a request for one of them, so that fewer make a miss
 * dearer; a full pool may hold a third of them. Hit ratios over six traces are the same from 256 to 4,096.
 */
const LEARNER_OBJECTS = 4096;

/** The shard that learns for this one and its neighbours. */
function learnerOf(geometry: Geometry, shard: number): number {
  const group = Math.min(geometry.shards, powerOfTwoAtLeast(LEARNER_OBJECTS / capacityOf(geometry, 0)));
  return shard - (shard % group);
}

export function makePolicies(words: Words, geometry: Geometry): Policy[] {
  const { policyHeads, policyEntries, ghosts } = geometry.regions;
  return Array.from({ length: geometry.shards }, (_, shard) =>
    makePolicy(geometry.eviction, {
      words,
      head: policyHeads.word + shard * policyHeads.stride,
      learner: policyHeads.word + learnerOf(geometry, shard) * policyHeads.stride,
      entries: policyEntries.word + shard * policyEntries.stride,
      slots: geometry.slotsPerShard,
      capacity: capacityOf(geometry, shard),
      ghost: ghosts.word + shard * ghosts.stride,
      ghostLines: geometry.ghostLines,
    }),
  );
}
