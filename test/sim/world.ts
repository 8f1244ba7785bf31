/**
 * A pool in plain memory, small enough that everything in it happens often: rings of four records, a handful of slots,
 * chunks of a kilobyte. The code that runs over it is the product's own.
 */
import { Counters } from '../../lib/counters.js';
import { Words } from '../../lib/words.js';
import { fillRegions } from '../../src/pool/formatter.js';
import { alignUp, type Counts, type Geometry, layOut } from '../../src/pool/layout/geometry.js';
import { type MappedRange, Segment } from '../../src/pool/layout/segment.js';
import type { Eviction } from '../../src/pool/layout/types.js';
import { policyLines } from '../../src/pool/policy/index.js';
import { ControlBlock } from './control.js';

export interface Shape {
  readonly shards: number;
  readonly objectsPerShard: number;
  readonly spareSlots: number;
  readonly chunks: number;
  readonly eviction: Eviction;
  readonly ringRecords: number;
}

export const SMALL: Shape = {
  shards: 1,
  objectsPerShard: 5,
  spareSlots: 3,
  chunks: 8,
  eviction: 'adaptive-2q',
  ringRecords: 4,
};

export const ROWS = 7;
export const CHUNK_BYTES = 1024;
const GRANULE_BYTES = 64;

function geometryOf(shape: Shape): Geometry {
  const slotsPerShard = shape.objectsPerShard + shape.spareSlots;
  const counts: Counts = {
    size: 0,
    pageSize: 128,
    maxObjects: shape.objectsPerShard * shape.shards,
    maxNodes: ROWS,
    eviction: shape.eviction,
    shards: shape.shards,
    shardBits: Math.log2(shape.shards),
    slotsPerShard,
    bucketsPerShard: 2,
    stripesPerShard: 4,
    touchEntries: 16,
    ringRecords: shape.ringRecords,
    ghostLines: policyLines(shape.eviction, shape.objectsPerShard),
    // Pins lie in blocks, of two shards from the second one on.
    pinsPerNode: 32,
    pinsOwn: shape.shards === 1 ? 0 : 1,
    pinBlockEntries: 16,
    pinBlocks: 8,
    chunkBytes: CHUNK_BYTES,
    chunks: shape.chunks,
    bitmapWords: alignUp(CHUNK_BYTES / GRANULE_BYTES / 32, 16),
    granuleBytes: GRANULE_BYTES,
    chunksPerWindow: shape.chunks,
    spaces: 4,
    tagCells: 16,
    eventLines: 64,
    checkpoints: 2,
  };
  const laid = layOut(counts, 64);
  return { ...laid, size: laid.dataOffset + laid.dataBytes };
}

function rangeOf(memory: SharedArrayBuffer, offset: number, byteLength: number): MappedRange {
  // A view of the whole stands for the mapping; a range of data is copied to and fro by the segment below.
  return {
    buffer: memory as unknown as ArrayBuffer,
    byteLength,
    address: offset,
    sync: async () => {},
    syncNow: () => {},
    populate: () => {},
    populateInBackground: async () => {},
    unmap: () => {},
    unmapUnshared: () => {},
    unmapUnsharedInBackground: () => Promise.resolve(),
  };
}

const BACKING = {
  path: 'simulated',
  device: undefined,
  identity: () => 0,
  isVolatile: () => true,
  whereabouts: () => 'here' as const,
  unlock: () => {},
  close: () => {},
};

/** Data windows are memories of their own here, and the writable view of a draft is a copy that `flush` writes back. */
export class SimulatedSegment extends Segment {
  private readonly beforeWrite: () => void;

  constructor(
    geometry: Geometry,
    words: Words,
    world: { metadata: SharedArrayBuffer; data: SharedArrayBuffer },
    beforeWrite: () => void,
  ) {
    const data = rangeOf(world.data, 0, geometry.dataBytes);
    const metadata = rangeOf(world.metadata, 0, geometry.dataOffset);
    const counters = new Counters(metadata.buffer);
    super(BACKING, geometry, { words, counters, metadata, sealed: [data], drafts: [data] });
    this.beforeWrite = beforeWrite;
  }

  override writeDraft(extent: number, offset: number, bytes: Uint8Array): void {
    // In two halves, so that a reader that comes too early meets a torn page.
    const half = bytes.length >>> 1;
    this.beforeWrite();
    super.writeDraft(extent, offset, bytes.subarray(0, half));
    this.beforeWrite();
    super.writeDraft(extent, offset + half, bytes.subarray(half));
  }
}

export class World {
  readonly geometry: Geometry;
  readonly memory: { readonly metadata: SharedArrayBuffer; readonly data: SharedArrayBuffer };
  readonly control: ControlBlock;
  private readonly image: { metadata: Uint8Array; data: Uint8Array };

  /** A new pool; `prepare` may do something to it that belongs to how it begins. */
  constructor(shape: Shape, prepare: (world: World) => void = () => {}) {
    this.geometry = geometryOf(shape);
    const { dataOffset, dataBytes } = this.geometry;
    this.memory = { metadata: new SharedArrayBuffer(dataOffset), data: new SharedArrayBuffer(dataBytes) };
    this.control = new ControlBlock(new SharedArrayBuffer(ControlBlock.bytes));
    const steps = fillRegions(
      this.segment(this.plainWords(), () => {}),
      this.geometry,
    );
    while (steps.next().done !== true);
    prepare(this);
    this.image = {
      metadata: new Uint8Array(this.memory.metadata).slice(),
      data: new Uint8Array(this.memory.data).slice(),
    };
  }

  /** The metadata itself, for what writes past the steps. */
  metadataWords(): Int32Array {
    return new Int32Array(this.memory.metadata);
  }

  plainWords(): Words {
    return new Words(this.memory.metadata as unknown as ArrayBuffer);
  }

  segment(words: Words, beforeWrite: () => void): SimulatedSegment {
    return new SimulatedSegment(this.geometry, words, this.memory, beforeWrite);
  }

  /** As it was when it was formatted. */
  reset(): void {
    new Uint8Array(this.memory.metadata).set(this.image.metadata);
    new Uint8Array(this.memory.data).set(this.image.data);
    this.control.reset();
  }
}
