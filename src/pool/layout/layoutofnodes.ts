/** The part of the layout that nodes have: rows, marks, cleanings, and the heads of what they hold and touch. */
import { record, struct } from '../../../lib/struct.js';

const NODE = 'the node of the row';

export const NodeRow = struct('NodeRow', [
  {
    writer: NODE,
    fields: {
      incarnation: 'sync32',
      state: 'sync32',
      processId: 'u32',
      nameLength: 'u32',
      connectedAt: 'u64',
      bootId: ['u32', 4],
      reserved1: ['u32', 6],
    },
  },
  { writer: NODE, fields: { name: ['u32', 12], heartbeat: 'sync32', reserved2: ['u32', 3] } },
  {
    writer: NODE,
    fields: {
      nearHits: 'u64',
      tableHits: 'u64',
      misses: 'u64',
      loads: 'u64',
      loadFailures: 'u64',
      loadMicroseconds: 'u64',
      waits: 'u64',
      staleFills: 'u64',
    },
  },
  {
    writer: NODE,
    fields: { unshared: 'u64', evictions: 'u64', reserved3: ['u32', 12] },
  },
]);

/** The robust mutex whose word the kernel marks at the node's death. */
export const NodeMark = struct('NodeMark', [
  { writer: 'the node of the row; at its death the kernel', fields: { mutex: ['u32', 16] } },
]);

/** The row is free for a new node exactly when cleanedUpTo equals its incarnation. */
export const NodeCleaning = struct('NodeCleaning', [
  {
    writer: 'the node when it leaves; after its death the holder of the node lock',
    fields: { cleanedUpTo: 'sync32', reserved1: ['u32', 15] },
  },
]);

export const HazardHead = struct('HazardHead', [
  // borrowCount: entries, and BORROWS_ARE_LIGHT.
  { writer: NODE, fields: { borrowCount: 'sync32', pinHigh: 'sync32', reserved1: ['u32', 14] } },
]);

/** Bits of rows that may hold hazards (activity.ts). */
export const ActiveRows = record('ActiveRows', 'any node, its own bit, by compare-and-exchange', { rows: 'sync32' });

/** row + 1 (10 bits), incarnation (22): whose the block of pins is. 0: nobody's. */
export const PinOwner = record('PinOwner', 'any node, by compare-and-exchange; its owner', { owner: 'sync32' });

export const TouchHead = struct('TouchHead', [
  { writer: NODE, fields: { position: 'sync32', reserved1: ['u32', 15] } },
]);
