/**
 * A segment: the mapping of one pool file and the views over it. Metadata is mapped once; the data region is mapped
 * twice, read-only for every page handed out and writable for this node's own drafts, in windows of at most 4 GiB.
 *
 * (E1) every data range handed out lies inside one window: `checkExtent` decides, whatever the slot says (A6).
 */

import { Counters } from '../../../lib/counters.js';
import { PoolError } from '../../../lib/errors.js';
import type { Mapping, PoolFile } from '../../../lib/linux/index.js';
import { atOnce, type Steps } from '../../../lib/steps.js';
import { Words } from '../../../lib/words.js';
import type { Geometry } from './geometry.js';
import type { PoolStats } from './types.js';

const NOTHING = new Uint8Array(0);
/** Of fewer bytes a loop is faster than a call into native code. */
const COMPARED_ABOVE = 256;

/** A mapping as a segment uses it. */
export type MappedRange = Pick<Mapping, keyof Mapping>;
/** The file behind a segment, as those use it who have the segment. */
export type BackingFile = Pick<
  PoolFile,
  'path' | 'device' | 'identity' | 'isVolatile' | 'whereabouts' | 'unlock' | 'close'
>;

/** What a segment stands on: metadata once, each window of data for reading, and for a node that writes, for drafts. */
export interface Memory {
  readonly words: Words;
  readonly counters: Counters;
  readonly metadata: MappedRange;
  readonly sealed: readonly MappedRange[];
  readonly drafts: readonly MappedRange[];
}

/**
 * Maps the file, a window a step: the engine counts each view as memory of the process, and may collect garbage at once.
 * Throws NO_SPACE or ACCESS_DENIED when the kernel refuses.
 */
export function* mapInSteps(file: PoolFile, geometry: Geometry, writable: boolean): Steps<Segment> {
  const { dataOffset, dataBytes } = geometry;
  const windowBytes = geometry.chunksPerWindow * geometry.chunkBytes;
  const mapped: Mapping[] = [];
  const mapper = file.mapper(dataOffset + dataBytes);
  const map = (offset: number, length: number, isWritable: boolean) => {
    const mapping = mapper(offset, length, isWritable);
    mapped.push(mapping);
    return mapping;
  };
  const sealed: Mapping[] = [];
  const drafts: Mapping[] = [];
  try {
    const metadata = map(0, dataOffset, writable);
    yield;
    for (let start = 0; start < dataBytes; start += windowBytes) {
      const length = Math.min(windowBytes, dataBytes - start);
      sealed.push(map(dataOffset + start, length, false));
      yield;
      if (writable) drafts.push(map(dataOffset + start, length, true));
      yield;
    }
    return segmentOf(file, geometry, { metadata, sealed, drafts });
  } catch (error) {
    for (const mapping of mapped) mapping.unmapUnshared();
    throw error;
  }
}

export function mapSegment(file: PoolFile, geometry: Geometry, writable: boolean): Segment {
  return atOnce(mapInSteps(file, geometry, writable));
}

/** Without the data: for who formats, or looks who is there. */
export function mapMetadata(file: PoolFile, geometry: Geometry, writable: boolean): Segment {
  const metadata = file.mapper(geometry.dataOffset)(0, geometry.dataOffset, writable);
  return segmentOf(file, geometry, { metadata, sealed: [], drafts: [] });
}

function segmentOf(
  file: PoolFile,
  geometry: Geometry,
  ranges: Pick<Memory, 'metadata' | 'sealed' | 'drafts'>,
): Segment {
  const { buffer } = ranges.metadata;
  return new Segment(file, geometry, { words: new Words(buffer), counters: new Counters(buffer), ...ranges });
}

export class Segment {
  readonly file: BackingFile;
  readonly geometry: Geometry;
  readonly words: Words;
  readonly counters: Counters;
  readonly metadata: MappedRange;
  /** Whether the file outlives the machine's memory: then every sealed page has a checksum. */
  readonly survivesRestart: boolean;
  private readonly sealed: readonly MappedRange[];
  private readonly drafts: readonly MappedRange[];
  private readonly sealedRoots: readonly Uint8Array[];
  private readonly draftRoots: readonly Uint8Array[];
  private readonly windowBytes: number;

  constructor(file: BackingFile, geometry: Geometry, memory: Memory) {
    this.file = file;
    this.geometry = geometry;
    this.survivesRestart = !file.isVolatile();
    this.windowBytes = geometry.chunksPerWindow * geometry.chunkBytes;
    this.words = memory.words;
    this.counters = memory.counters;
    this.metadata = memory.metadata;
    this.sealed = memory.sealed;
    this.drafts = memory.drafts;
    this.sealedRoots = memory.sealed.map(({ buffer }) => new Uint8Array(buffer));
    this.draftRoots = memory.drafts.map(({ buffer }) => new Uint8Array(buffer));
  }

  /** Of stats(): how the path no longer leads to the file, where it does not. */
  lost(): Pick<PoolStats, 'lost'> {
    const whereabouts = this.file.whereabouts();
    return whereabouts === 'here' ? {} : { lost: whereabouts };
  }

  /** Whether `byteLength` bytes from the granule lie inside the data region and inside one window. */
  isInside(extent: number, byteLength: number): boolean {
    const start = extent * this.geometry.granuleBytes;
    if (extent < 0 || byteLength < 0 || start + byteLength > this.geometry.dataBytes) return false;
    return (
      Math.floor(start / this.windowBytes) === Math.floor((start + Math.max(1, byteLength) - 1) / this.windowBytes)
    );
  }

  checkExtent(extent: number, byteLength: number): void {
    if (this.isInside(extent, byteLength)) return;
    throw new PoolError(
      'POOL_CORRUPT',
      `${this.file.path}: an extent of ${byteLength} bytes at granule ${extent} lies outside the data.`,
    );
  }

  /** Read-only bytes [offset, offset + length) of the extent. The extent has been checked. */
  sealedBytes(extent: number, offset: number, length: number): Uint8Array {
    if (length === 0) return NOTHING;
    const start = extent * this.geometry.granuleBytes + offset;
    const window = Math.floor(start / this.windowBytes);
    return new Uint8Array((this.sealed[window] as MappedRange).buffer, start - window * this.windowBytes, length);
  }

  /** Copies into the extent of a draft of this node. The extent has been checked. */
  writeDraft(extent: number, offset: number, bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    const start = extent * this.geometry.granuleBytes + offset;
    const window = Math.floor(start / this.windowBytes);
    (this.draftRoots[window] as Uint8Array).set(bytes, start - window * this.windowBytes);
  }

  /** The bytes of a draft of this node, as the checksum takes them. The extent has been checked. */
  draftBytes(extent: number, length: number): Uint8Array {
    if (length === 0) return NOTHING;
    const start = extent * this.geometry.granuleBytes;
    const window = Math.floor(start / this.windowBytes);
    return new Uint8Array((this.drafts[window] as Mapping).buffer, start - window * this.windowBytes, length);
  }

  /** Whether `length` bytes of the extent's data equal `bytes` from its start on. */
  equals(extent: number, offset: number, bytes: Uint8Array, length: number): boolean {
    const start = extent * this.geometry.granuleBytes + offset;
    const window = Math.floor(start / this.windowBytes);
    const root = this.sealedRoots[window] as Uint8Array;
    const base = start - window * this.windowBytes;
    if (length > COMPARED_ABOVE)
      return Buffer.compare(root.subarray(base, base + length), bytes.subarray(0, length)) === 0;
    for (let i = 0; i < length; i++) if (root[base + i] !== bytes[i]) return false;
    return true;
  }

  /**
   * Data first, then metadata: a page sealed before this began is on the disk, bytes and slot, when it returns. Whoever
   * wrote it: the kernel writes back what any process has stored.
   */
  async sync(): Promise<void> {
    for (const window of this.drafts) await window.sync(0, window.byteLength);
    await this.metadata.sync(0, this.metadata.byteLength);
  }

  /** Has words of the metadata reach the file before it returns. */
  syncWordsNow(word: number, count: number): void {
    this.metadata.syncNow(word * 4, count * 4);
  }

  /** Has an extent's bytes reach the file before it returns. The extent has been checked. */
  syncExtentNow(extent: number, byteLength: number): void {
    const start = extent * this.geometry.granuleBytes;
    const window = Math.floor(start / this.windowBytes);
    (this.drafts[window] as Mapping).syncNow(start - window * this.windowBytes, byteLength);
  }

  prefault(): void {
    for (const mapping of [this.metadata, ...this.sealed]) mapping.populate();
  }

  async prefaultInBackground(): Promise<void> {
    for (const mapping of [this.metadata, ...this.sealed]) await mapping.populateInBackground();
  }

  /** For whoever has only looked and kept no view, not even a private object that reads through one. */
  unmapUnshared(): void {
    for (const mapping of [...this.sealed, ...this.drafts, this.metadata]) mapping.unmapUnshared();
  }

  /** As `unmapUnshared`: of much that was touched it takes the kernel a while. */
  async unmapUnsharedInBackground(): Promise<void> {
    for (const mapping of [...this.sealed, ...this.drafts, this.metadata]) await mapping.unmapUnsharedInBackground();
  }

  unmap(): void {
    for (const mapping of [...this.sealed, ...this.drafts, this.metadata]) mapping.unmap();
  }
}
