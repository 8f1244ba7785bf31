/**
 * The eviction policies of one shard, chosen by name.
 *
 * All their state lies in the region's words, so any process that holds the shard's lock goes on where the last one
 * stopped; a Policy holds only where that region is. A holder that dies inside a call leaves the words in any state:
 * whoever repairs the shard calls refill with its sealed pages.
 */
import { unreachable } from '../../../lib/assert.js';
import { Adaptive2Q, adaptive2QLines } from './adaptive-2q.js';
import { ghostLinesFor } from './ghost.js';
import { Lru } from './lru.js';
import type { Policy, PolicyRegion } from './queue.js';
import { S3Fifo } from './s3-fifo.js';
import { Sieve } from './sieve.js';

export type { Policy, PolicyRegion } from './queue.js';
export { ghostLinesFor };

/** The names that FormatOptions.eviction takes. */
export type PolicyKind = 'adaptive-2q' | 's3-fifo' | 'sieve' | 'lru' | 'none';

/** Pages leave only when they are deleted. Keeps nothing, so that its region may be empty: count is always zero. */
class NoEviction implements Policy {
  reset(): void {}
  refill(): void {}
  insert(): void {}
  remove(): void {}
  touch(): void {}
  evict(): number {
    return -1;
  }
  count(): number {
    return 0;
  }
  check(): void {}
}

/** 64-byte lines of the ghost region of a shard that may hold so many objects. */
export function policyLines(kind: PolicyKind, capacity: number): number {
  if (kind === 'adaptive-2q') return adaptive2QLines(capacity);
  return kind === 's3-fifo' ? ghostLinesFor(capacity) : 1;
}

/** The words are used as they are: call reset once when the pool is formatted. */
export function makePolicy(kind: PolicyKind, region: PolicyRegion): Policy {
  switch (kind) {
    case 'adaptive-2q':
      return new Adaptive2Q(region);
    case 's3-fifo':
      return new S3Fifo(region);
    case 'sieve':
      return new Sieve(region);
    case 'lru':
      return new Lru(region);
    case 'none':
      return new NoEviction();
    default:
      return unreachable(kind, 'no such eviction policy');
  }
}
