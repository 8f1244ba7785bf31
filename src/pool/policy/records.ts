/**
 * The words of a shard's eviction policy: one head, one entry per slot, and the ghost: the table of S3-FIFO, or the shadows
 * and the table of adaptive 2Q.
 *
 * (R1) all of it is derived from the slots (A2) and guarded by the shard's lock; reset makes any bytes valid again.
 * (R2) a link is a slot index + 1; zero is the end of the queue.
 * (R3) info is the queue the slot is in (zero: none) with the 2-bit counter above it; its other bits are zero, but with
 *      adaptive 2Q the stamp of the page's entry into small.
 * (R4) LRU and SIEVE use the main queue only, and nothing of the ghost.
 */
import { record, struct } from '../../../lib/struct.js';

/** Sizes of its queues that adaptive 2Q chooses between. */
export const CHOICES = 5;

const WRITER = 'holder of the shard lock';

export const PolicyHead = struct('PolicyHead', [
  {
    writer: WRITER,
    fields: {
      smallFirst: 'u32',
      smallLast: 'u32',
      smallCount: 'u32',
      mainFirst: 'u32',
      mainLast: 'u32',
      mainCount: 'u32',
      /** SIEVE: link of the entry looked at next; zero: begin at the last of the queue. */
      hand: 'u32',
      /** S3-FIFO and adaptive 2Q: stamp of the next ghost entry, modulo 2^32. */
      ghostClock: 'u32',
      /** No older stamp is remembered. */
      ghostOldest: 'u32',
      ghostCount: 'u32',
      /** Adaptive 2Q: which of the sizes is in use. */
      choice: 'u32',
      /** Adaptive 2Q: pages that entered small, modulo 2^28. */
      entryClock: 'u32',
      reserved0: ['u32', 4],
    },
  },
]);

export const PolicyEntry = record('PolicyEntry', WRITER, {
  /** Towards the first of the queue, where entries are put. */
  previous: 'u32',
  /** Towards the last of the queue, where they leave. */
  next: 'u32',
  info: 'u32',
  hash: 'u32',
});

/** The ghost's lines are 31 of 32 full of these; the rest are GhostRing. With less than 32 lines one is GhostRing. */
export const GhostEntry = record('GhostEntry', WRITER, {
  fingerprint: 'u32',
  stamp: 'u32',
});

/** One bit per stamp, in the order of stamps modulo the bits of all these lines: whether its hash is remembered. */
export const GhostRing = struct('GhostRing', [{ writer: WRITER, fields: { remembered: ['u32', 16] } }]);

/** Adaptive 2Q: the shadows of a shard, one for each choice, before their entries. */
export const ShadowHead = struct('ShadowHead', [
  {
    writer: WRITER,
    fields: {
      /** About as many as the shard held when it last evicted. Zero: it never did. */
      objects: 'u32',
      /** Sampled requests since the last decision. */
      samples: 'u32',
      /** Decayed hits, in 1/256. */
      scores: ['u32', CHOICES],
      /** Place of the next entry, in each of small, main and ghost. */
      smallNext: ['u32', CHOICES],
      reserved0: ['u32', 4],
    },
  },
  {
    writer: WRITER,
    fields: { mainNext: ['u32', CHOICES], ghostNext: ['u32', CHOICES], reserved1: ['u32', 6] },
  },
]);

/** Adaptive 2Q: a sampled id that a shadow holds, mixed hash with its counter in the two lowest bits; zero: none. */
export const ShadowEntry = record('ShadowEntry', WRITER, { id: 'u32' });

/** Adaptive 2Q: a hash that left small: 16 bits of it, never zero, above 16 of its stamp. Zero: none. */
export const AgedGhostEntry = record('AgedGhostEntry', WRITER, { fingerprintAndStamp: 'u32' });
