/**
 * The words of a shard's eviction policy: one head, one entry per slot, and the ghost table of S3-FIFO.
 *
 * (R1) all of it is derived from the slots (A2) and guarded by the shard's lock; reset makes any bytes valid again.
 * (R2) a link is a slot index + 1; zero is the end of the queue.
 * (R3) info is the queue the slot is in (zero: none) with the 2-bit counter above it; its other bits are zero.
 * (R4) LRU and SIEVE use the main queue only, and neither the ghost nor the ghost clock.
 */
import { record, struct } from '../../../lib/struct.js';

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
      /** S3-FIFO: number of entries the ghost took, modulo 2^32. */
      ghostClock: 'u32',
      reserved0: ['u32', 8],
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

export const GhostEntry = record('GhostEntry', WRITER, {
  fingerprint: 'u32',
  stamp: 'u32',
});
