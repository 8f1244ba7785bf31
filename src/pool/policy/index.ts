/**
 * Who leaves first: eviction policies over small records in shared memory, pure arithmetic.
 * Entered by layout (their records' sizes), objects and access, under the shard's lock.
 * Invariants: the papers' orders; queue records (Q) in queue.ts.
 */
export { ghostLinesFor, makePolicy, type Policy, type PolicyKind, type PolicyRegion, policyLines } from './policy.js';
export { AgedGhostEntry, GhostEntry, GhostRing, PolicyEntry, PolicyHead, ShadowEntry, ShadowHead } from './records.js';
