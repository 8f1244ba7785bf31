/**
 * Whose space is whose, counted anew from the slots of one shard while it is repaired. In private memory, for the reason
 * that slotimage.ts gives; `finish` writes what came of it over whatever the chunks of the shard said.
 *
 * (E1) a claim that does not fit what the chunk table says, or that meets another, is refused and changes nothing.
 * (E2) chunks of the shard that no claim is in are free afterwards.
 *
 * A crash before the end of `finish` leaves the shard's lock dirty: all of it is done again.
 */
import type { Words } from '../../../lib/words.js';
import {
  CHUNK_FREE,
  CHUNK_RUN,
  CHUNK_RUN_NEXT,
  CHUNK_SHARED,
  ChunkUse,
  type Geometry,
  NO_EXTENT,
  ShardHead,
} from '../layout/index.js';
import { maskOf } from './bitmap.js';
import type { Chunks } from './chunks.js';
import type { Extents } from './extents.js';

const { used: USED, next: NEXT, previous: PREVIOUS, longest: LONGEST } = ChunkUse.word;
const { chunkHead: CHUNK_HEAD, granulesUsed: GRANULES_USED } = ShardHead.word;

export class ExtentClaims {
  private readonly words: Words;
  private readonly geometry: Geometry;
  private readonly chunks: Chunks;
  private readonly extents: Extents;
  private readonly chunkGranules: number;
  private shard = 0;
  /** Of each chunk: its kind, CHUNK_FREE when it is not the shard's; the granules claimed; where its bits begin. */
  private readonly kinds: Uint8Array;
  private readonly used: Int32Array;
  private readonly bitsAt: Int32Array;
  private bits = new Int32Array(0);

  constructor(words: Words, geometry: Geometry, chunks: Chunks, extents: Extents) {
    this.words = words;
    this.geometry = geometry;
    this.chunks = chunks;
    this.extents = extents;
    this.chunkGranules = extents.chunkGranules;
    this.kinds = new Uint8Array(geometry.chunks);
    this.used = new Int32Array(geometry.chunks);
    this.bitsAt = new Int32Array(geometry.chunks);
  }

  /** Under the shard's lock: which chunks are its own does not change until `finish`. */
  begin(shard: number): void {
    const { kinds, bitsAt, geometry } = this;
    this.shard = shard;
    this.used.fill(0);
    let words = 0;
    for (let chunk = 0; chunk < geometry.chunks; chunk++) {
      kinds[chunk] = this.kindFor(chunk);
      if (kinds[chunk] !== CHUNK_SHARED) continue;
      bitsAt[chunk] = words;
      words += geometry.bitmapWords;
    }
    this.bits = new Int32Array(words);
  }

  private kindFor(chunk: number): number {
    // ORDER chunk-1: kind before shard: a chunk that another shard is freeing is seen free; pairs with Chunks.set.
    const kind = this.chunks.kind(chunk);
    const isOwned = kind === CHUNK_SHARED || kind === CHUNK_RUN || kind === CHUNK_RUN_NEXT;
    return isOwned && this.chunks.shard(chunk) === this.shard ? kind : CHUNK_FREE;
  }

  /** Takes the extent of a slot. False when it does not fit what the chunk table says, or is taken (E1). */
  claim(extent: number, bytes: number): boolean {
    if (extent === NO_EXTENT) return true;
    const chunk = Math.floor(extent / this.chunkGranules);
    if (chunk < 0 || chunk >= this.geometry.chunks) return false;
    const first = extent - chunk * this.chunkGranules;
    if (this.extents.isRun(bytes)) return first === 0 && this.claimRun(chunk, this.extents.runLengthOf(bytes));
    const granules = this.extents.granulesOf(bytes);
    if (this.kinds[chunk] !== CHUNK_SHARED || first + granules > this.chunkGranules) return false;
    if (!this.takeBits(this.bitsAt[chunk] as number, first, granules)) return false;
    this.used[chunk] = (this.used[chunk] as number) + granules;
    return true;
  }

  /** Sets bits of the chunk whose bits begin at the word; false when one is set already. */
  private takeBits(word: number, first: number, count: number): boolean {
    const { bits } = this;
    const end = first + count;
    for (let bit = first; bit < end; bit = (bit | 31) + 1) {
      const mask = maskOf(bit & 31, Math.min(32, end - (bit & ~31)));
      if (((bits[word + (bit >>> 5)] as number) & mask) !== 0) return false;
    }
    for (let bit = first; bit < end; bit = (bit | 31) + 1) {
      const at = word + (bit >>> 5);
      bits[at] = (bits[at] as number) | maskOf(bit & 31, Math.min(32, end - (bit & ~31)));
    }
    return true;
  }

  private claimRun(first: number, length: number): boolean {
    const { kinds, used, chunks } = this;
    if (kinds[first] !== CHUNK_RUN || chunks.size(first) !== length) return false;
    if (first + length > this.geometry.chunks || used[first] !== 0) return false;
    for (let i = 1; i < length; i++) if (kinds[first + i] !== CHUNK_RUN_NEXT) return false;
    used.fill(this.chunkGranules, first, first + length);
    return true;
  }

  /** Writes bitmaps, use and list of the shard's chunks, and frees those that nobody claimed. */
  finish(): void {
    const { words, geometry, kinds, used, shard } = this;
    const head = geometry.regions.shardHeads.word + shard * ShardHead.words;
    let granules = 0;
    let previous = 0;
    let first = 0;
    for (let chunk = 0; chunk < geometry.chunks; chunk++) {
      if (kinds[chunk] === CHUNK_FREE) continue;
      granules += used[chunk] as number;
      const isListed = kinds[chunk] === CHUNK_SHARED && used[chunk] !== 0;
      if (kinds[chunk] === CHUNK_SHARED) this.writeBits(chunk);
      this.writeUse(chunk, isListed, previous);
      if (!isListed) continue;
      if (previous === 0) first = chunk + 1;
      else words.write(this.useOf(previous - 1) + NEXT, chunk + 1);
      previous = chunk + 1;
    }
    words.write(head + CHUNK_HEAD, first);
    words.write(head + GRANULES_USED, granules);
    this.extents.hints.forget(shard, this.chunkGranules);
    for (let chunk = 0; chunk < geometry.chunks; chunk++) {
      if (kinds[chunk] !== CHUNK_FREE && used[chunk] === 0) this.chunks.free(chunk, 1);
    }
  }

  /** The bits are of use only until `finish`. */
  forget(): void {
    this.bits = new Int32Array(0);
  }

  private useOf(chunk: number): number {
    return this.geometry.regions.chunkUses.word + chunk * ChunkUse.words;
  }

  private writeUse(chunk: number, isListed: boolean, previous: number): void {
    const use = new Int32Array(ChunkUse.words);
    use[USED] = this.used[chunk] as number;
    if (isListed) {
      use[LONGEST] = this.chunkGranules;
      use[PREVIOUS] = previous;
    }
    this.words.copyIn(this.useOf(chunk), use);
  }

  /** Both copies (X5). */
  private writeBits(chunk: number): void {
    const { bitmaps } = this.geometry.regions;
    const { bitmapWords } = this.geometry;
    const at = this.bitsAt[chunk] as number;
    const bits = this.bits.subarray(at, at + bitmapWords);
    this.words.copyIn(bitmaps.word + chunk * bitmaps.stride, bits);
    this.words.copyIn(bitmaps.word + chunk * bitmaps.stride + bitmapWords, bits);
  }
}
