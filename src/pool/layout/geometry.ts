/**
 * From format options to byte regions: pure arithmetic, the same in every process. The superblock holds the options
 * only; every node computes the regions itself.
 *
 * (G1) regions follow one another in the order of `regions` below, each line-aligned; data is 2 MiB-aligned.
 * (G2) shards and chunks scale down with the pool: at least 240 objects a shard unless the pool has fewer, at least
 *      64 chunks in all, and 8 to a shard.
 * (G3) each shard has spare slots beyond its capacity, so that retired pages can wait in limbo and one scan of all
 *      hazards serves many of them. The capacity is hard: spare slots never hold live objects beyond it.
 */
import { PoolError } from '../../../lib/errors.js';
import { OS_PAGE_BYTES, WINDOW_BYTES_MAX } from '../../../lib/linux/index.js';
import { LINE_BYTES } from '../../../lib/struct.js';
import { PolicyEntry, PolicyHead, policyLines } from '../policy/index.js';
import {
  ActiveRows,
  BORROWS_ARE_LIGHT,
  BUCKET_ENTRIES,
  Bucket,
  ChunkEntry,
  ChunkUse,
  Control,
  HazardHead,
  LockLine,
  NodeCleaning,
  NodeMark,
  NodeRow,
  PinOwner,
  RetireRecord,
  ShardHead,
  Slot,
  SlotLink,
  Space,
  SpaceEntry,
  SpaceHit,
  Stripe,
  Superblock,
  TagCell,
  TouchHead,
} from './layout.js';
import { CheckpointEntry, EventHead, EventLine, NodeBell } from './layoutofevents.js';
import type { Eviction } from './types.js';

export interface Plan {
  readonly size: number;
  readonly pageSize: number;
  readonly maxObjects: number;
  readonly maxNodes: number;
  readonly eviction: Eviction;
}

export interface Region {
  /** First word. */
  readonly word: number;
  /** Words of one element. */
  readonly stride: number;
  readonly count: number;
}

export type RegionName = (typeof REGION_NAMES)[number];
const REGION_NAMES = [
  'superblock',
  'control',
  'locks',
  'nodeRows',
  'nodeMarks',
  'nodeCleanings',
  'spaces',
  'spaceIndex',
  'spaceHits',
  'tagCells',
  'activeRows',
  'hazardHeads',
  'pins',
  'pinDirectories',
  'pinOwners',
  'pinBlocks',
  'borrows',
  'touches',
  'touchesDrained',
  'shardHeads',
  'policyHeads',
  'policyEntries',
  'ghosts',
  'retireRings',
  'stripes',
  'buckets',
  'slots',
  'slotLinks',
  'chunkEntries',
  'chunkUses',
  'bitmaps',
  'nodeBells',
  'eventHeads',
  'eventRings',
  'checkpoints',
] as const;

export interface Geometry extends Plan {
  readonly shards: number;
  readonly shardBits: number;
  readonly slotsPerShard: number;
  readonly bucketsPerShard: number;
  readonly stripesPerShard: number;
  readonly ringRecords: number;
  /** Of one node's touch ring for one shard. */
  readonly touchEntries: number;
  readonly ghostLines: number;
  /** Of one shard's event ring. */
  readonly eventLines: number;
  /** The most that one node has. */
  readonly pinsPerNode: number;
  /** Of them in its own row; more in blocks of a power of two. */
  readonly pinsOwn: number;
  readonly pinBlockEntries: number;
  readonly pinBlocks: number;
  readonly chunkBytes: number;
  readonly chunks: number;
  readonly bitmapWords: number;
  readonly granuleBytes: number;
  readonly chunksPerWindow: number;
  readonly dataOffset: number;
  readonly dataBytes: number;
  readonly spaces: number;
  /** A power of two. */
  readonly tagCells: number;
  readonly checkpoints: number;
  readonly regions: Readonly<Record<RegionName, Region>>;
}

/** A borrow is good for 1,024 further borrows; one entry more is the scratch that a failed borrow may use. */
export const BORROW_ENTRIES = 1026;

/** The entries that a count of borrows says, never more than there are. */
export function borrowsIn(count: number): number {
  return Math.min((count & ~BORROWS_ARE_LIGHT) >>> 0, BORROW_ENTRIES);
}
export const GRANULE_BYTES_MIN = 64;
export const MIB = 1024 * 1024;
const DATA_ALIGNMENT = 2 * MIB;
const SPACES_MIN = 255;
const SPACES_MAX = 65_536;
/** Bytes of the pool for each name of a namespace or page space: their table takes less than a hundredth of it. */
const SPACE_SHARE = 32 * 1024;
/** Each 16 bytes: less than a page in a thousand has. */
const OBJECTS_PER_TAG_CELL = 16;
const TAG_CELLS_MIN = 1024;
const TAG_CELLS_MAX = 65_536;
const CHECKPOINTS_MAX = 256;
/** Bytes of the pool for each name that the checkpoint directory has room for. */
const CHECKPOINT_SHARE = 64 * 1024;
/** Hits a node may have between two evictions of a shard before the policy misses some: fewer shards, longer rings. */
const TOUCHES_OF_NODE = 4096;
const TOUCHES_OF_NODE_MIN = 512;
const PINS_OF_NODE_MAX = 65_536;
const PINS_OWN = 64;
const PIN_BLOCK_ENTRIES = 256;
/** The event rings hold a burst of thousands where the pool has the room for it, and never more than a burst needs. */
const EVENT_BYTES_USUAL = 2 * MIB;
const EVENT_BYTES_MAX = 16 * MIB;
const SHARD_OBJECTS_WANTED = 240;
const SHARD_OBJECTS_MAX = 16_384;
const CHUNKS_MIN = 64;
/** Above this a pool has larger chunks rather than more. */
const CHUNKS_MAX = 2 ** 18;
export const NODES_MAX = 1000;

/**
 * The value, which is an integer, as the engine's small integer where it has 31 bits. What came of a power or a division
 * it keeps as a float; fields that are reckoned from that change their kind at their first use, and all compiled code that
 * knows their object is thrown away: in the midst of a first repair, for which others wait.
 */
function integer(value: number): number {
  return (value | 0) === value ? value | 0 : value;
}

export function powerOfTwoAtMost(value: number): number {
  return integer(2 ** Math.floor(Math.log2(Math.max(1, value))));
}

export function powerOfTwoAtLeast(value: number): number {
  return integer(2 ** Math.ceil(Math.log2(Math.max(1, value))));
}

export function alignUp(value: number, alignment: number): number {
  return Math.ceil(value / alignment) * alignment;
}

/** A lock for each shard, then those of the chunk table, the space table, the node rows and the checkpoint directory. */
export function lockCount({ shards }: { readonly shards: number }): number {
  return shards + 4;
}

function clamp(value: number, low: number, high: number): number {
  return Math.min(high, Math.max(low, value));
}

function shardsFor(maxObjects: number, chunks: number): number {
  const wanted = clamp(powerOfTwoAtMost(maxObjects / SHARD_OBJECTS_WANTED), 1, 64);
  const needed = powerOfTwoAtLeast(maxObjects / SHARD_OBJECTS_MAX);
  return Math.min(Math.max(wanted, needed), powerOfTwoAtMost(Math.max(1, chunks / 8)), 4096);
}

/** Objects that the shard may hold: the shards' capacities add up to maxObjects. */
export function capacityOf(geometry: { maxObjects: number; shards: number }, shard: number): number {
  const { maxObjects, shards } = geometry;
  return Math.floor(maxObjects / shards) + (shard < maxObjects % shards ? 1 : 0);
}

function spareSlots(capacity: number): number {
  return Math.max(16, Math.ceil(capacity / 16));
}

/** No more than a small pool has objects, which its hits repeat. */
function touchesOfNode(maxObjects: number): number {
  return clamp(powerOfTwoAtMost(maxObjects), TOUCHES_OF_NODE_MIN, TOUCHES_OF_NODE);
}

function eventBytesFor(size: number): number {
  const usual = Math.min((size - 8 * MIB) / 8, EVENT_BYTES_USUAL);
  return Math.min(Math.max(usual, size / 256), EVENT_BYTES_MAX);
}

function chunkBytesFor(size: number, pageSize: number): number {
  const wanted = clamp(powerOfTwoAtLeast(pageSize * 128), 64 * 1024, 64 * MIB);
  const affordable = powerOfTwoAtMost(size / (2 * CHUNKS_MIN));
  return clamp(Math.max(Math.min(wanted, affordable), powerOfTwoAtLeast(size / CHUNKS_MAX)), 16 * 1024, 64 * MIB);
}

/** The sizes that the regions follow from. */
export type Counts = Omit<Geometry, 'regions' | 'dataOffset' | 'dataBytes'>;

type Placed = { -readonly [Field in keyof Region]: Region[Field] };

const region = (stride: number, count: number): Placed => ({ word: 0, stride: integer(stride), count: integer(count) });

function regionsOf(counts: Counts): { regions: Record<RegionName, Region>; words: number } {
  const { shards, slotsPerShard, maxNodes, chunks } = counts;
  // A literal: named one by one so many would be a hash table, on the way to everything in the pool (test/pool/shapes.main.ts).
  const regions: Record<RegionName, Placed> = {
    superblock: region(Superblock.words, 1),
    control: region(Control.words, 1),
    locks: region(LockLine.words, lockCount(counts)),
    nodeRows: region(NodeRow.words, maxNodes),
    nodeMarks: region(NodeMark.words, maxNodes),
    nodeCleanings: region(NodeCleaning.words, maxNodes),
    spaces: region(Space.words, counts.spaces),
    spaceIndex: region(SpaceEntry.words, alignUp(powerOfTwoAtLeast(counts.spaces * 2), 16)),
    spaceHits: region(SpaceHit.words, alignUp(counts.spaces, 8)),
    tagCells: region(TagCell.words, counts.tagCells),
    activeRows: region(ActiveRows.words, alignUp(Math.ceil(maxNodes / 32), 16)),
    hazardHeads: region(HazardHead.words, maxNodes),
    pins: region(alignUp(Math.max(1, counts.pinsOwn), 16), maxNodes),
    pinDirectories: region(
      alignUp(Math.max(1, (counts.pinsPerNode - counts.pinsOwn) / counts.pinBlockEntries), 16),
      maxNodes,
    ),
    pinOwners: region(PinOwner.words, alignUp(counts.pinBlocks, 16)),
    pinBlocks: region(counts.pinBlockEntries, counts.pinBlocks),
    borrows: region(alignUp(BORROW_ENTRIES, 16), maxNodes),
    touches: region(TouchHead.words + counts.touchEntries, maxNodes * shards),
    touchesDrained: region(alignUp(maxNodes, 16), shards),
    shardHeads: region(ShardHead.words, shards),
    policyHeads: region(PolicyHead.words, shards),
    policyEntries: region(PolicyEntry.words * alignUp(slotsPerShard, 16), shards),
    ghosts: region(16 * counts.ghostLines, shards),
    retireRings: region(RetireRecord.words * counts.ringRecords, shards),
    stripes: region(Stripe.words * counts.stripesPerShard, shards),
    buckets: region(Bucket.words * counts.bucketsPerShard, shards),
    slots: region(Slot.words * slotsPerShard, shards),
    slotLinks: region(SlotLink.words * alignUp(slotsPerShard, 16), shards),
    chunkEntries: region(ChunkEntry.words, alignUp(chunks, 4)),
    chunkUses: region(ChunkUse.words, chunks),
    // Each bitmap lies there twice (X4).
    bitmaps: region(counts.bitmapWords * 2, chunks),
    nodeBells: region(NodeBell.words, maxNodes),
    eventHeads: region(EventHead.words, shards),
    eventRings: region(EventLine.words * counts.eventLines, shards),
    checkpoints: region(CheckpointEntry.words, counts.checkpoints),
  };
  let word = 0;
  for (const name of REGION_NAMES) {
    const placed = regions[name];
    placed.word = integer(word);
    word = alignUp(word + placed.stride * placed.count, LINE_BYTES / 4);
  }
  return { regions, words: word };
}

/** The regions of so many of everything, with the data behind them at the alignment. */
export function layOut(counts: Counts, alignment: number): Geometry {
  const { regions, words } = regionsOf(counts);
  const dataOffset = alignUp(words * 4, alignment);
  return { ...counts, regions, dataOffset, dataBytes: counts.chunks * counts.chunkBytes };
}

function countsFor(plan: Plan, chunkBytes: number, chunks: number): Counts {
  const shards = shardsFor(plan.maxObjects, chunks);
  const capacity = capacityOf({ maxObjects: plan.maxObjects, shards }, 0);
  const slotsPerShard = capacity + spareSlots(capacity);
  let granuleBytes = GRANULE_BYTES_MIN;
  while ((chunks * chunkBytes) / granuleBytes >= 2 ** 31) granuleBytes *= 2;
  return {
    ...plan,
    shards,
    shardBits: integer(Math.log2(shards)),
    slotsPerShard,
    bucketsPerShard: powerOfTwoAtLeast((slotsPerShard * 1.7) / BUCKET_ENTRIES),
    stripesPerShard: clamp(powerOfTwoAtMost(slotsPerShard / 8), 64, 1024),
    touchEntries: clamp(touchesOfNode(plan.maxObjects) / shards, 64, 1024),
    ringRecords: clamp(powerOfTwoAtMost(slotsPerShard / 4), 64, 1024),
    ghostLines: policyLines(plan.eviction, capacity),
    eventLines: clamp(powerOfTwoAtMost(eventBytesFor(plan.size) / EventLine.bytes / shards), 64, 32_768),
    ...pinsFor(shards * slotsPerShard, plan.maxNodes),
    chunkBytes,
    chunks,
    bitmapWords: alignUp(chunkBytes / granuleBytes / 32, 16),
    granuleBytes,
    chunksPerWindow: integer(WINDOW_BYTES_MAX / chunkBytes),
    spaces: clamp(Math.floor(plan.size / SPACE_SHARE), SPACES_MIN, SPACES_MAX),
    tagCells: clamp(powerOfTwoAtLeast(plan.maxObjects / OBJECTS_PER_TAG_CELL), TAG_CELLS_MIN, TAG_CELLS_MAX),
    checkpoints: clamp(powerOfTwoAtMost(plan.size / CHECKPOINT_SHARE), 4, CHECKPOINTS_MAX),
  };
}

/** As many pins as one node may have, and half as many as there are slots for the others, or as 15 of them may have. */
function pinsFor(
  slots: number,
  maxNodes: number,
): Pick<Counts, 'pinsPerNode' | 'pinsOwn' | 'pinBlockEntries' | 'pinBlocks'> {
  const most = Math.min(PINS_OF_NODE_MAX, slots);
  const blocksOfOne = Math.max(1, Math.ceil((most - PINS_OWN) / PIN_BLOCK_ENTRIES));
  const others = Math.ceil(Math.min(slots / 2, 15 * most) / PIN_BLOCK_ENTRIES);
  return {
    pinsPerNode: most,
    pinsOwn: PINS_OWN,
    pinBlockEntries: PIN_BLOCK_ENTRIES,
    pinBlocks: integer(blocksOfOne + (maxNodes > 1 ? others : 0)),
  };
}

/** Data starts at the smallest alignment that does not waste a small pool. */
function dataAlignmentFor(size: number): number {
  return size >= 64 * MIB ? DATA_ALIGNMENT : 64 * 1024;
}

/** The regions of a pool. Throws OPTION_INVALID when the options do not give a pool. */
export function geometryOf(plan: Plan): Geometry {
  const chunkBytes = chunkBytesFor(plan.size, plan.pageSize);
  // Metadata grows with the number of chunks, which shrinks with the metadata: two rounds settle it.
  let chunks = Math.floor(plan.size / chunkBytes);
  let counts = countsFor(plan, chunkBytes, chunks);
  let laid = regionsOf(counts);
  let dataOffset = 0;
  for (let round = 0; round < 4; round++) {
    dataOffset = alignUp(laid.words * 4, dataAlignmentFor(plan.size));
    chunks = Math.floor((plan.size - dataOffset) / chunkBytes);
    if (chunks < 1) {
      throw new PoolError(
        'OPTION_INVALID',
        `A pool of ${plan.size} bytes has no room for data: its metadata for ${plan.maxObjects} objects and ` +
          `${plan.maxNodes} nodes takes ${dataOffset} bytes. Choose a larger size, or fewer maxObjects or maxNodes.`,
        { size: plan.size, metadata: dataOffset },
      );
    }
    counts = countsFor(plan, chunkBytes, chunks);
    laid = regionsOf(counts);
    if (alignUp(laid.words * 4, dataAlignmentFor(plan.size)) <= dataOffset) break;
  }
  if (dataOffset > WINDOW_BYTES_MAX - OS_PAGE_BYTES) {
    throw new PoolError('OPTION_INVALID', `maxObjects ${plan.maxObjects} needs more than 4 GiB of metadata.`);
  }
  return { ...counts, regions: laid.regions, dataOffset, dataBytes: chunks * chunkBytes };
}
