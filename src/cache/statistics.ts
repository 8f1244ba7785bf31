/** Counters of nodes, under the names of CacheStats. */
import type { NodeSession, totalOf } from '../pool/index.js';
import type { CacheStats } from './types.js';

type Counter = Parameters<typeof totalOf>[1];

/** What `count` gives for each counter; objects and bytes are the whole pool's. */
export function statsFrom(session: NodeSession, count: (name: Counter) => number): CacheStats {
  const { parts } = session;
  const [nearHitCount, tableHitCount, missCount] = [count('nearHits'), count('tableHits'), count('misses')];
  const hitCount = nearHitCount + tableHitCount;
  const requestCount = hitCount + missCount;
  let objects = 0;
  let granules = 0;
  for (let shard = 0; shard < parts.geometry.shards; shard++) {
    objects += Math.max(0, parts.shards.live(shard) - parts.shards.drafts(shard));
    granules += parts.shards.granules(shard);
  }
  return {
    requestCount,
    hitCount,
    nearHitCount,
    tableHitCount,
    missCount,
    hitRate: requestCount === 0 ? 0 : hitCount / requestCount,
    loadSuccessCount: count('loads'),
    loadFailureCount: count('loadFailures'),
    totalLoadTimeMs: count('loadMicroseconds') / 1000,
    waitCount: count('waits'),
    staleFillCount: count('staleFills'),
    unsharedCount: count('unshared'),
    evictionCount: count('evictions'),
    objects,
    bytes: granules * parts.geometry.granuleBytes,
  };
}
