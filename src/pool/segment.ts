/**
 * A segment: the mapping of one pool file and the views over it. Metadata is mapped once; the data region is mapped
 * twice, read-only for every page handed out and writable for this node's own drafts, in windows of at most 4 GiB.
 *
 * (E1) every data range handed out lies inside one window: `checkExtent` decides, whatever the slot says (A6).
 */
import { Counters } from '../../lib/counters.js';
import { PoolError } from '../../lib/errors.js';
import { Mapping, type PoolFile } from '../../lib/linux/index.js';
import { Words } from '../../lib/words.js';
import type { Geometry } from './geometry.js';

const NOTHING = new Uint8Array(0);

export class Segment {
  readonly file: PoolFile;
  readonly geometry: Geometry;
  readonly words: Words;
  readonly counters: Counters;
  readonly metadata: Mapping;
  readonly writable: boolean;
  private readonly sealed: Mapping[] = [];
  private readonly drafts: Mapping[] = [];
  private readonly sealedRoots: Uint8Array[] = [];
  private readonly draftRoots: Uint8Array[] = [];
  private readonly windowBytes: number;

  /** Maps the file. Throws NO_SPACE or ACCESS_DENIED when the kernel refuses. */
  constructor(file: PoolFile, geometry: Geometry, writable: boolean) {
    this.file = file;
    this.geometry = geometry;
    this.writable = writable;
    this.windowBytes = geometry.chunksPerWindow * geometry.chunkBytes;
    this.metadata = file.withMappable((descriptor) => this.map(descriptor));
    this.words = new Words(this.metadata.buffer);
    this.counters = new Counters(this.metadata.buffer);
  }

  /** Maps the data windows; returns the mapping of the metadata. */
  private map(descriptor: number): Mapping {
    const { dataOffset, dataBytes } = this.geometry;
    for (let start = 0; start < dataBytes; start += this.windowBytes) {
      this.mapWindow(descriptor, dataOffset + start, Math.min(this.windowBytes, dataBytes - start));
    }
    return new Mapping(descriptor, 0, dataOffset, this.writable);
  }

  private mapWindow(descriptor: number, offset: number, length: number): void {
    const sealed = new Mapping(descriptor, offset, length, false);
    this.sealed.push(sealed);
    this.sealedRoots.push(new Uint8Array(sealed.buffer));
    if (!this.writable) return;
    const drafts = new Mapping(descriptor, offset, length, true);
    this.drafts.push(drafts);
    this.draftRoots.push(new Uint8Array(drafts.buffer));
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
    return new Uint8Array((this.sealed[window] as Mapping).buffer, start - window * this.windowBytes, length);
  }

  /** Copies into the extent of a draft of this node. The extent has been checked. */
  writeDraft(extent: number, offset: number, bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    const start = extent * this.geometry.granuleBytes + offset;
    const window = Math.floor(start / this.windowBytes);
    (this.draftRoots[window] as Uint8Array).set(bytes, start - window * this.windowBytes);
  }

  /** A writable view of its own, which can be taken away alone. */
  draftView(extent: number, length: number): ArrayBuffer {
    const start = extent * this.geometry.granuleBytes;
    const window = Math.floor(start / this.windowBytes);
    return (this.drafts[window] as Mapping).viewAlone(start - window * this.windowBytes, length);
  }

  /** Whether `length` bytes of the extent's data equal `bytes` from its start on. */
  equals(extent: number, offset: number, bytes: Uint8Array, length: number): boolean {
    const start = extent * this.geometry.granuleBytes + offset;
    const window = Math.floor(start / this.windowBytes);
    const root = this.sealedRoots[window] as Uint8Array;
    const base = start - window * this.windowBytes;
    for (let i = 0; i < length; i++) if (root[base + i] !== bytes[i]) return false;
    return true;
  }

  /** Data first, then metadata, so that what survives a restart names only pages that survived too. */
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

  unmap(): void {
    for (const mapping of [...this.sealed, ...this.drafts, this.metadata]) mapping.unmap();
  }
}
