/**
 * The layout of what nodes tell each other by: bells, event logs, and the checkpoint directory. Part of THE layout, which is
 * layout.ts.
 */
import { struct } from '../../../lib/struct.js';

const SHARD = 'holder of the shard lock';

/** What a node sleeps for, a bit per key tag modulo 256, and whether it wants its bell rung. */
export const BELL_INTERESTS = 256;
export const NodeBell = struct('NodeBell', [
  {
    writer: 'the node of the row; whoever rings clears armed and sets unheard',
    fields: {
      armed: 'sync32',
      /** Which bell hangs there; 0 for none. */
      bell: 'sync32',
      unheard: 'sync32',
      reserved1: 'u32',
      interest: ['u32', BELL_INTERESTS / 32],
      reserved2: ['u32', 4],
    },
  },
]);

/** The event log of one shard: positions count its lines, modulo 2^32. */
export const EventHead = struct('EventHead', [
  {
    writer: SHARD,
    fields: {
      /** Slot + 1 of the page whose event is being made, or 0; what it will be; where it will stand. */
      pending: 'sync32',
      pendingKind: 'u32',
      pendingGeneration: 'u32',
      pendingEnd: 'u32',
      /** After the last event. */
      end: 'sync32',
      last: 'sync32',
      reserved1: ['u32', 10],
    },
  },
]);

export const EVENT_SEALED = 1;
export const EVENT_DELETED = 2;
export const EVENT_EVICTED = 3;

/**
 * A key that does not fit goes on in as many further lines as it needs, which hold nothing else: of one over TOLD_KEY_BYTES what
 * toldKey makes of it.
 */
export const EventLine = struct('EventLine', [
  {
    writer: SHARD,
    fields: {
      /** How many events the shard had before. */
      number: 'sync32',
      check: 'u32',
      stamp: 'u32',
      stampHalves: 'u32',
      /** Kind * 65,536 + bytes of the whole key. */
      kind: 'u32',
      size: 'u32',
      key: ['u32', 10],
    },
  },
]);

const CHECKPOINT = 'holder of the checkpoint lock';

/** A name of the checkpoint directory. The second line is what a commit writes: two places, and which of them counts. */
export const CheckpointEntry = struct('CheckpointEntry', [
  {
    writer: CHECKPOINT,
    fields: {
      state: 'sync32',
      nameLength: 'u32',
      nameHash: 'u32',
      /** 1 while the term's writer has neither committed nor given up. */
      open: 'sync32',
      term: 'u64',
      /** Row + 1 of the node that took the name last. */
      owner: 'u32',
      ownerIncarnation: 'u32',
      reserved1: ['u32', 8],
    },
  },
  {
    writer: CHECKPOINT,
    fields: {
      firstTerm: 'u64',
      firstSequence: 'u64',
      secondTerm: 'u64',
      secondSequence: 'u64',
      firstNonce: 'u32',
      firstSerial: 'u32',
      firstCheck: 'u32',
      secondNonce: 'u32',
      secondSerial: 'u32',
      secondCheck: 'u32',
      /** 1 or 2; 0 before the first commit. */
      current: 'sync32',
      reserved2: 'u32',
    },
  },
  { writer: CHECKPOINT, fields: { name: ['u32', 48] } },
]);
