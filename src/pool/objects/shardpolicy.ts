/** The eviction policy of each shard, over the words of its region. */
import type { Words } from '../../../lib/words.js';
import { capacityOf, type Geometry } from '../layout/index.js';
import { makePolicy, type Policy } from '../policy/index.js';

export function makePolicies(words: Words, geometry: Geometry): Policy[] {
  const { policyHeads, policyEntries, ghosts } = geometry.regions;
  return Array.from({ length: geometry.shards }, (_, shard) =>
    makePolicy(geometry.eviction, {
      words,
      head: policyHeads.word + shard * policyHeads.stride,
      entries: policyEntries.word + shard * policyEntries.stride,
      slots: geometry.slotsPerShard,
      capacity: capacityOf(geometry, shard),
      ghost: ghosts.word + shard * ghosts.stride,
      ghostLines: geometry.ghostLines,
    }),
  );
}
