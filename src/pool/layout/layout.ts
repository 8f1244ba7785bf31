/**
 * THE layout: what the bytes of a pool are, in order, and who writes each line.
 *
 * (Y1) Every 64-byte line has at any moment one writer: by layout (a node's own row, ring, pins) or by a lock.
 * (Y2) The slots are the truth. Buckets, free lists, chunk use, bitmaps and policy queues are derived from them.
 * (Y3) Zero is never a valid magic, state, generation or kind.
 * (Y4) LAYOUT.md is rendered from this file; the fingerprint over it keeps other layouts out.
 *
 * A slot's state word is generation * 8 + state. The states, and the function that makes each step:
 *
 * | from    | to      | by                    | what a crash right after leaves                               |
 * |---------|---------|-----------------------|---------------------------------------------------------------|
 * | FREE    | DRAFT   | Writer.create         | a draft: undone when its owner is found dead                  |
 * | DRAFT   | SEALED  | Writer.seal           | sealed, perhaps not in its bucket: repair enters it           |
 * | DRAFT   | FREE    | Writer.abort, repair  | a free slot whose extent is still marked: repair recounts     |
 * | SEALED  | RETIRED | Reclaimer.announceEnd | the key's page while its bucket entry names it; repair moves  |
 * |         |         |                       | the entry, and the retire sequence past the ring              |
 * | RETIRED | FREE    | Reclaimer.free        | a free slot whose extent is still marked: repair recounts     |
 */
import { fingerprint, LINE_BYTES, record, render, type Struct, struct } from '../../../lib/struct.js';
import {
  AgedGhostEntry,
  GhostEntry,
  GhostRing,
  PolicyEntry,
  PolicyHead,
  ShadowEntry,
  ShadowHead,
} from '../policy/index.js';
import { CheckpointEntry, EventHead, EventLine, NodeBell } from './layoutofevents.js';
import { ActiveRows, HazardHead, NodeCleaning, NodeMark, NodeRow, PinOwner, TouchHead } from './layoutofnodes.js';

export * from './layoutofevents.js';
export * from './layoutofnodes.js';

export const MAGIC_LOW = 0x6c616573; // 'seal'
export const MAGIC_HIGH = 0x6c6f6f70; // 'pool'
export const LAYOUT_VERSION = 8;

export const STATE_FREE = 1;
export const STATE_DRAFT = 2;
export const STATE_SEALED = 3;
export const STATE_RETIRED = 4;
export const STATE_BITS = 3;
export const STATE_MASK = 7;
/** Added to a state word, takes the slot to its next generation. */
export const GENERATION_STEP = 1 << STATE_BITS;

export const FLAG_RETAINED = 1;
/** A fill under a lease: published only while its stripe's count is what it was. */
export const FLAG_LEASED = 2;
/** Not entered in its bucket while it is a draft: it will supersede what is there. */
export const FLAG_DETACHED = 4;
/** Of a space whose pages carry versions. */
export const FLAG_VERSIONED = 8;
/** Kept past its expiry, which says for how long: see kept.ts. */
export const FLAG_KEPT = 16;
/** In the flags: how many tags the page has, whose marks follow its metadata in the extent. See tags.ts. */
export const TAGS_SHIFT = 8;
export const TAGS_MASK = 0xff;

export const NO_EXTENT = -1;
export const INLINE_KEY_BYTES = 40;
export const KEY_BYTES_MAX = 65_535;
/** Of a longer key events have the beginning, and the digest of the whole key behind it: see toldKey. */
export const TOLD_KEY_BYTES = 1024;
export const TOLD_DIGEST_BYTES = 32;
export const PART_NAME_BYTES_MAX = 1024;
/**
 * What the keys of the objects of checkpoints begin with, and no other key: fe 63 6b 70. Neither a string begins so, nor
 * the key of a cache, which begins with UTF-8, nor that of a page, which begins with ff.
 */
export const RESERVED_KEY_WORD = 0x706b63fe;
/** The reserved word, and the id of manifest.ts. */
export const INTERNAL_KEY_BYTES = 24;
export const METADATA_BYTES_MAX = 65_535;
export const NAME_BYTES_MAX = 48;
export const SPACE_NAME_BYTES_MAX = 208;
export const CHECKPOINT_NAME_BYTES_MAX = 192;

export const CHUNK_FREE = 1;
/** Its shard's objects share it. */
export const CHUNK_SHARED = 2;
export const CHUNK_RUN = 3;
export const CHUNK_RUN_NEXT = 4;

/** Each reader's hazard store is a full fence. */
export const FENCES_OWN = 1;
/** It may be a plain store: of a node that says so, whom a reclaimer fences before it scans. */
export const FENCES_SHARED = 2;
/** In the count of borrows: the entries are stored plainly. */
export const BORROWS_ARE_LIGHT = 1 << 16;

export const NODE_ALIVE = 1;
export const NODE_LEFT = 2;

export const SPACE_UNUSED = 1;
export const SPACE_USED = 2;
/** Of the number of a space, from 1 up. */
export const SPACE_BITS = 17;
/** Of a space whose objects have sizes of their own, in place of a page size. */
export const SIZES_MIXED = -1;

export const CHECKPOINT_UNUSED = 1;
export const CHECKPOINT_USED = 2;

const FORMATTER = 'the formatter';
const SHARD = 'holder of the shard lock';

/** The ready word is stored last: a pool without it is unformatted or its format was interrupted. */
export const Superblock = struct('Superblock', [
  {
    writer: FORMATTER,
    fields: {
      magicLow: 'u32',
      magicHigh: 'u32',
      version: 'u32',
      fingerprint: 'u32',
      poolId: ['u32', 4],
      size: 'u64',
      createdAt: 'u64',
      pageSize: 'u32',
      maxObjects: 'u32',
      maxNodes: 'u32',
      eviction: 'u32',
    },
  },
  {
    writer: FORMATTER,
    fields: { seed: 'u32', coherence: 'u32', check: 'u32', ready: 'sync32', reserved1: ['u32', 12] },
  },
]);

export const Control = struct('Control', [
  {
    writer: 'holder of the space lock',
    /** spacesHigh: spaces that have ever had a name; spaceHint: where one was found last that could have another. */
    fields: {
      dropCount: 'sync32',
      spacePending: 'u32',
      spaceTarget: 'u32',
      spacesHigh: 'sync32',
      spaceHint: 'u32',
      reserved1: ['u32', 11],
    },
  },
  { writer: 'holder of the chunk lock', fields: { freeChunks: 'u32', chunkHint: 'u32', reserved2: ['u32', 14] } },
  {
    writer: 'a joining node, under the file lock',
    /** fences: how readers may publish their hazards, FENCES_OWN or FENCES_SHARED; for as long as a node is attached. */
    fields: { rowsHigh: 'sync32', fences: 'sync32', reserved3: ['u32', 14] },
  },
  {
    writer: 'the formatter or a joining node, under the file lock',
    /** boot, file: under which boot id and as which file the pool was last known to be whole. See restore.ts. */
    fields: { boot: ['u32', 4], file: 'u32', restores: 'u32', damaged: 'u32', reserved4: ['u32', 9] },
  },
  {
    writer: 'any node, by atomic read-modify-write',
    /** asleep: not 0 while some node may want its bell rung. stamp, stampHalves: of the next event. */
    fields: { asleep: 'sync32', stamp: 'sync32', stampHalves: 'sync32', reserved5: ['u32', 13] },
  },
  {
    writer: 'any node, by atomic read-modify-write',
    /** Of the fences that are made for all nodes: see fences.ts. */
    fields: { fencesBegun: 'sync32', fencesDone: 'sync32', reserved6: ['u32', 14] },
  },
  {
    writer: 'holder of the space lock',
    /** Of invalidations of tags: their count, in 32 bits; how many 2^29 there were; until when what one of them ended may be served stale. */
    fields: { tagSequence: 'sync32', tagEpoch: 'sync32', tagStaleUntil: 'u64', reserved7: ['u32', 12] },
  },
]);

/** word: owner row + 1 (10 bits), waiters (1), dirty (1), term (20). */
export const LockLine = struct('LockLine', [
  { writer: 'whoever takes the lock, by compare-and-exchange', fields: { word: 'sync32', reserved1: ['u32', 15] } },
]);

export const ShardHead = struct('ShardHead', [
  { writer: SHARD, fields: { retireSequence: 'sync32', publishSequence: 'sync32', reserved1: ['u32', 14] } },
  {
    writer: SHARD,
    fields: {
      freeHead: 'u32',
      liveCount: 'u32',
      draftCount: 'u32',
      limboCount: 'u32',
      limboHead: 'u32',
      granulesUsed: 'u32',
      /** First chunk + 1 of the shard's list. */
      chunkHead: 'u32',
      retainedCount: 'u32',
      /** The fence that whatever is in limbo waits for. */
      limboFence: 'u32',
      /** Chunks + 1 where something was freed last; in granules, at least the longest free run of the others. See roomhints.ts. */
      fresh: ['u32', 6],
      restLongest: 'u32',
    },
  },
]);

export const RetireRecord = record('RetireRecord', SHARD, {
  number: 'sync32',
  slot: 'u32',
  generation: 'u32',
  reason: 'u32',
});

/** Of the ways of a stripe, each the highest version that is gone of one key: generation of its space, place, bound. */
export const WAYS = 3;
export const Way = record('Way', SHARD, {
  /** 0: nobody's. */
  generation: 'u32',
  /** The number of its space, and bits of its key's hash: see versionbounds.ts. */
  place: 'u32',
  bound: 'u64',
});

export const Stripe = struct('Stripe', [
  { writer: SHARD, fields: { count: 'u32', reserved1: 'u32', overflow: 'u64', ways: ['u32', 12] } },
]);

/** Seven entries of (tag, slot + 1) and the number of entries that belong here but went on to later buckets. */
export const BUCKET_ENTRIES = 7;
export const Bucket = struct('Bucket', [
  { writer: SHARD, fields: { entries: ['u32', 14], overflow: 'sync32', reserved1: 'u32' } },
]);

export const Slot = struct('Slot', [
  {
    writer: SHARD,
    fields: {
      state: 'sync32',
      check: 'u32',
      hashLow: 'u32',
      hashHigh: 'u32',
      keyLength: 'u32',
      metadataLength: 'u32',
      size: 'u32',
      extent: 'u32',
      expiry: 'u64',
      from: 'u64',
      publishSequence: 'u32',
      flags: 'u32',
      space: 'u32',
      spaceGeneration: 'u32',
    },
  },
  {
    writer: SHARD,
    fields: {
      until: 'u64',
      owner: 'u32',
      ownerIncarnation: 'u32',
      checksum: 'u32',
      leaseCount: 'u32',
      key: ['u32', 10],
    },
  },
]);

export const Space = struct('Space', [
  {
    writer: 'holder of the space lock',
    fields: {
      state: 'sync32',
      generation: 'sync32',
      /** Names that it has had. */
      tenure: 'sync32',
      nameLength: 'u32',
      nameHash: 'u32',
      versioned: 'sync32',
      pageSize: 'sync32',
      /**
       * Bounds of versions (bounds.ts), of generations that are even and odd; by any node, by compare-and-exchange. highest: of
       * every version; gone: of those that neither a page tells nor a way of a stripe.
       */
      highestEven: 'sync32',
      highestOdd: 'sync32',
      goneEven: 'sync32',
      goneOdd: 'sync32',
      name: ['u32', 53],
    },
  },
]);

/** The number of a space, at the first place from its name's hash on that was free; 0 for none. */
export const SpaceEntry = record('SpaceEntry', 'holder of the space lock', { space: 'sync32' });

/** What nodes have told of their hits in a space, since it got its name or was dropped (spacehits.ts). */
export const SpaceHit = record('SpaceHit', 'any node, by atomic addition', { low: 'sync32', high: 'sync32' });
/** Of a tag, by its hash, several: numbers of the last invalidation, and of the last one after which nothing may be served stale. */
export const TagCell = record('TagCell', 'holder of the space lock', {
  last: 'sync32',
  hard: 'sync32',
  /** Until when what the last one ended may be served stale, in milliseconds of the wall clock. */
  until: 'u64',
});

export const ChunkEntry = record('ChunkEntry', 'holder of the chunk lock', {
  kind: 'sync32',
  shard: 'u32',
  /** Chunks of the run; for its later chunks their place in it. */
  size: 'u32',
  /** Row + 1 of the node that is emptying it for a run, or 0. Its incarnation is its row's. */
  claim: 'sync32',
});

/** One word per slot: the slot + 1 that follows it in its shard's free list or limbo list. */
export const SlotLink = record('SlotLink', SHARD, { next: 'u32' });

export const ChunkUse = struct('ChunkUse', [
  {
    writer: "holder of the owning shard's lock",
    /** Granules: taken; at least the longest free run; none free below. Links are chunk + 1. */
    fields: { used: 'u32', longest: 'u32', lowest: 'u32', next: 'u32', previous: 'u32', reserved1: ['u32', 11] },
  },
]);

const structs: readonly Struct[] = [
  Superblock,
  Control,
  LockLine,
  NodeRow,
  NodeMark,
  NodeCleaning,
  ActiveRows,
  HazardHead,
  PinOwner,
  TouchHead,
  ShardHead,
  PolicyHead,
  PolicyEntry,
  GhostEntry,
  GhostRing,
  ShadowHead,
  ShadowEntry,
  AgedGhostEntry,
  RetireRecord,
  Way,
  Stripe,
  Bucket,
  Slot,
  SlotLink,
  Space,
  SpaceEntry,
  SpaceHit,
  TagCell,
  ChunkEntry,
  ChunkUse,
  NodeBell,
  EventHead,
  EventLine,
  CheckpointEntry,
];

export const LAYOUT_FINGERPRINT = fingerprint(structs, {
  LAYOUT_VERSION,
  STATE_FREE,
  STATE_DRAFT,
  STATE_SEALED,
  STATE_RETIRED,
  INLINE_KEY_BYTES,
  BUCKET_ENTRIES,
  LINE_BYTES,
});

export function renderLayout(): string {
  const head = [
    '# Layout of a pool',
    '',
    'Rendered from `layout.ts`; a test fails when the two differ. The order of the regions is in `geometry.ts`.',
    '',
    `Fingerprint \`${(LAYOUT_FINGERPRINT >>> 0).toString(16)}\`.`,
    '',
  ];
  return [...head, ...structs.map(render)].join('\n');
}
