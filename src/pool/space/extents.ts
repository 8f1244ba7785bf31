/**
 * Extents: space for one object each, in the chunks of its shard. Everything here is guarded by the shard's lock and
 * derived from the slots.
 *
 * An extent is as many contiguous granules as its object needs, anywhere in a chunk: there are no size classes, so no
 * class can keep what the workload has left behind, and nothing but the last granule is wasted inside. What is left is
 * fragmentation between extents; eviction clears contiguous room where it is (see reclaim.ts). An object larger than a
 * chunk is a run of whole chunks.
 *
 * (X1) a granule of a chunk is taken in its bitmap exactly while one slot's extent holds it.
 * (X2) the shard's chunks are one list; a chunk whose last extent is freed goes back to the chunk table at once.
 * (X3) `longest` is at least the longest free run of the chunk: a search that fails sets it to what it met.
 * (X4) an object of whole OS pages begins at an OS page, for direct I/O.
 */
import { PoolError } from '../../../lib/errors.js';
import type { Words } from '../../../lib/words.js';
import { alignUp, CHUNK_RUN, CHUNK_SHARED, ChunkUse, type Geometry, NO_EXTENT, ShardHead } from '../layout/index.js';
import { Bitmap } from './bitmap.js';
import type { Chunks } from './chunks.js';
import { FRESH_CHUNKS, RoomHints } from './roomhints.js';

const { used: USED, next: NEXT, previous: PREVIOUS, longest: LONGEST, lowest: LOWEST } = ChunkUse.word;
const OS_PAGE_BYTES = 4096;

export class Extents {
  readonly chunkGranules: number;
  private readonly words: Words;
  private readonly geometry: Geometry;
  private readonly chunks: Chunks;
  private readonly bitmap: Bitmap;
  readonly hints: RoomHints;

  constructor(words: Words, geometry: Geometry, chunks: Chunks) {
    this.words = words;
    this.geometry = geometry;
    this.chunks = chunks;
    this.chunkGranules = geometry.chunkBytes / geometry.granuleBytes;
    this.bitmap = new Bitmap(words, this.chunkGranules, geometry.bitmapWords);
    this.hints = new RoomHints(words, geometry);
  }

  granulesOf(bytes: number): number {
    return Math.ceil(bytes / this.geometry.granuleBytes);
  }

  /** Whether so many bytes take a run of whole chunks. */
  isRun(bytes: number): boolean {
    return bytes > this.geometry.chunkBytes;
  }

  /** Chunks of the run that so many bytes take. */
  runLengthOf(bytes: number): number {
    return Math.ceil(bytes / this.geometry.chunkBytes);
  }

  chunkOf(extent: number): number {
    return Math.floor(extent / this.chunkGranules);
  }

  /** Granules that an extent's first granule is a multiple of. */
  alignmentOf(bytes: number): number {
    return bytes % OS_PAGE_BYTES === 0 ? Math.max(1, OS_PAGE_BYTES / this.geometry.granuleBytes) : 1;
  }

  private use(chunk: number): number {
    return this.geometry.regions.chunkUses.word + chunk * ChunkUse.words;
  }
  private bits(chunk: number): Bitmap {
    return this.bitmap.at(this.geometry.regions.bitmaps.word + chunk * this.geometry.regions.bitmaps.stride);
  }
  private head(shard: number): number {
    return this.geometry.regions.shardHeads.word + shard * ShardHead.words + ShardHead.word.chunkHead;
  }
  /** Granules of the chunk that extents hold. */
  usedOf(chunk: number): number {
    return this.words.read(this.use(chunk) + USED) >>> 0;
  }

  private countGranules(shard: number, by: number): void {
    const word = this.geometry.regions.shardHeads.word + shard * ShardHead.words + ShardHead.word.granulesUsed;
    this.words.write(word, Math.max(0, (this.words.read(word) >>> 0) + by));
  }

  /** An extent in a chunk that the shard has, or in a free one; NO_EXTENT when there is no room. Not for runs. */
  allocate(shard: number, bytes: number): number {
    const granules = this.granulesOf(bytes);
    const found = this.search(shard, granules, this.alignmentOf(bytes));
    if (found !== NO_EXTENT) return found;
    const fresh = this.chunks.takeFree(shard);
    return fresh < 0 ? NO_EXTENT : this.allocateIn(shard, fresh, bytes);
  }

  /** The first extent of a chunk that has just become the shard's. At once, before anybody claims the chunk (X2). */
  allocateIn(shard: number, chunk: number, bytes: number): number {
    this.adopt(shard, chunk);
    return this.takeGranules(shard, chunk, 0, this.granulesOf(bytes));
  }

  /** Whether `allocate` would find room. */
  hasRoom(shard: number, bytes: number): boolean {
    return this.chunks.hasFree() || this.place(shard, this.granulesOf(bytes), this.alignmentOf(bytes)) !== NO_EXTENT;
  }

  private search(shard: number, granules: number, alignment: number): number {
    const place = this.place(shard, granules, alignment);
    if (place === NO_EXTENT) return NO_EXTENT;
    const chunk = this.chunkOf(place);
    return this.takeGranules(shard, chunk, place - chunk * this.chunkGranules, granules);
  }

  /** Where something was freed last, else first fit over the shard's chunks: the granule, not yet taken. */
  private place(shard: number, granules: number, alignment: number): number {
    const place = this.placeInFresh(shard, granules, alignment);
    if (place !== NO_EXTENT || this.hints.restLongest(shard) < granules) return place;
    return this.placeInAny(shard, granules, alignment);
  }

  private placeInFresh(shard: number, granules: number, alignment: number): number {
    const { hints } = this;
    for (let i = 0; i < FRESH_CHUNKS; ) {
      const chunk = hints.fresh(shard, i);
      if (chunk === -1) break;
      const longest = chunk >= 0 && chunk < this.geometry.chunks ? this.longestOf(chunk) : 0;
      if (longest === 0 || (longest >= granules && !this.isOwned(chunk, shard))) {
        hints.remove(shard, i);
        continue;
      }
      const place = longest < granules ? NO_EXTENT : this.placeIn(chunk, granules, alignment);
      if (place !== NO_EXTENT) return place;
      i++;
    }
    return NO_EXTENT;
  }

  private placeInAny(shard: number, granules: number, alignment: number): number {
    const { words, hints } = this;
    let longest = 0;
    let chunk = words.read(this.head(shard)) - 1;
    for (let steps = 0; chunk >= 0 && steps <= this.geometry.chunks; steps++) {
      this.checkOwned(chunk, shard);
      const place = this.placeIn(chunk, granules, alignment);
      if (place !== NO_EXTENT) return place;
      if (!hints.isFresh(shard, chunk)) longest = Math.max(longest, this.longestOf(chunk));
      chunk = words.read(this.use(chunk) + NEXT) - 1;
    }
    hints.setRestLongest(shard, longest);
    return NO_EXTENT;
  }

  private longestOf(chunk: number): number {
    return this.words.read(this.use(chunk) + LONGEST) >>> 0;
  }

  /** (X6) The chunk may have room; which one loses its place by that counts among the rest. */
  private noteRoom(shard: number, chunk: number): void {
    const { hints } = this;
    const lost = hints.note(shard, chunk);
    if (lost < 0 || lost >= this.geometry.chunks) return;
    hints.setRestLongest(shard, Math.max(hints.restLongest(shard), this.longestOf(lost)));
  }

  private placeIn(chunk: number, granules: number, alignment: number): number {
    const { words } = this;
    const use = this.use(chunk);
    if (this.longestOf(chunk) < granules || this.chunks.isClaimed(chunk)) return NO_EXTENT;
    const lowest = words.read(use + LOWEST) >>> 0;
    const first = this.bits(chunk).find(granules, alignment, lowest);
    if (first >= 0) return chunk * this.chunkGranules + first;
    // A run long enough but not aligned stays for objects that need no alignment.
    words.write(use + LONGEST, this.bitmap.longest);
    return NO_EXTENT;
  }

  private isOwned(chunk: number, shard: number): boolean {
    const isInside = chunk >= 0 && chunk < this.geometry.chunks;
    return isInside && this.chunks.kind(chunk) === CHUNK_SHARED && this.chunks.shard(chunk) === shard;
  }

  private checkOwned(chunk: number, shard: number): void {
    if (!this.isOwned(chunk, shard)) throw this.chunks.corrupt(chunk);
  }

  private takeGranules(shard: number, chunk: number, first: number, granules: number): number {
    const use = this.use(chunk);
    this.bits(chunk).set(first, granules, true);
    this.words.write(use + USED, this.usedOf(chunk) + granules);
    if (first === this.words.read(use + LOWEST) >>> 0) this.words.write(use + LOWEST, first + granules);
    this.countGranules(shard, granules);
    return chunk * this.chunkGranules + first;
  }

  /** A chunk that has just become the shard's: empty, and listed. */
  private adopt(shard: number, chunk: number): void {
    const { bitmaps } = this.geometry.regions;
    this.words.fill(bitmaps.word + chunk * bitmaps.stride, bitmaps.stride, 0);
    this.words.fill(this.use(chunk), ChunkUse.words, 0);
    this.words.write(this.use(chunk) + LONGEST, this.chunkGranules);
    this.link(shard, chunk);
    this.noteRoom(shard, chunk);
  }

  /** A run of free chunks for an object larger than a chunk; NO_EXTENT when there is none. */
  allocateRun(shard: number, bytes: number): number {
    const first = this.chunks.takeRun(shard, this.runLengthOf(bytes));
    return first < 0 ? NO_EXTENT : this.adoptRun(shard, first, this.runLengthOf(bytes));
  }

  /** Chunks that have just become a run of the shard. Returns its extent. */
  adoptRun(shard: number, first: number, length: number): number {
    for (let chunk = first; chunk < first + length; chunk++) {
      this.words.fill(this.use(chunk), ChunkUse.words, 0);
      this.words.write(this.use(chunk) + USED, this.chunkGranules);
    }
    this.countGranules(shard, length * this.chunkGranules);
    return first * this.chunkGranules;
  }

  /** Gives an extent back. `bytes` is what its slot said it holds. */
  free(shard: number, extent: number, bytes: number): void {
    if (extent === NO_EXTENT) return;
    const chunk = this.chunkOf(extent);
    if (this.isRun(bytes)) this.freeRun(shard, chunk, this.runLengthOf(bytes));
    else this.freeGranules(shard, chunk, extent - chunk * this.chunkGranules, this.granulesOf(bytes));
  }

  private freeRun(shard: number, first: number, length: number): void {
    const isInside = first >= 0 && first + length <= this.geometry.chunks;
    const isOwned = isInside && this.chunks.kind(first) === CHUNK_RUN && this.chunks.shard(first) === shard;
    if (!isOwned || this.chunks.size(first) !== length) throw this.chunks.corrupt(first);
    this.countGranules(shard, -length * this.chunkGranules);
    this.chunks.free(first, length);
  }

  private freeGranules(shard: number, chunk: number, first: number, granules: number): void {
    this.checkOwned(chunk, shard);
    const { words } = this;
    const bits = this.bits(chunk);
    const use = this.use(chunk);
    if (!bits.isAll(first, granules, true) || this.usedOf(chunk) < granules) throw this.chunks.corrupt(chunk);
    bits.set(first, granules, false);
    words.write(use + USED, this.usedOf(chunk) - granules);
    words.write(use + LONGEST, Math.max(this.longestOf(chunk), bits.runAround(first, granules)));
    words.write(use + LOWEST, Math.min(words.read(use + LOWEST) >>> 0, first));
    this.countGranules(shard, -granules);
    this.noteRoom(shard, chunk);
    if (this.usedOf(chunk) > 0) return;
    // A count that lies would give away a chunk with pages in it.
    if (!bits.isAll(0, this.chunkGranules, false)) throw this.chunks.corrupt(chunk);
    this.unlink(shard, chunk);
    this.chunks.free(chunk, 1);
  }

  private link(shard: number, chunk: number): void {
    const { words } = this;
    const first = words.read(this.head(shard));
    words.write(this.use(chunk) + NEXT, first);
    words.write(this.use(chunk) + PREVIOUS, 0);
    if (first !== 0) {
      this.checkOwned(first - 1, shard);
      words.write(this.use(first - 1) + PREVIOUS, chunk + 1);
    }
    words.write(this.head(shard), chunk + 1);
  }

  private unlink(shard: number, chunk: number): void {
    const { words } = this;
    const next = words.read(this.use(chunk) + NEXT);
    const previous = words.read(this.use(chunk) + PREVIOUS);
    if (next !== 0) {
      this.checkOwned(next - 1, shard);
      words.write(this.use(next - 1) + PREVIOUS, previous);
    }
    if (previous === 0) words.write(this.head(shard), next);
    else {
      this.checkOwned(previous - 1, shard);
      words.write(this.use(previous - 1) + NEXT, next);
    }
  }

  // What follows is for the census: read, not believed.

  /** Chunk + 1 of the list's first, next and previous chunk; 0 for none. */
  headOf(shard: number): number {
    return this.words.read(this.head(shard));
  }
  nextOf(chunk: number): number {
    return this.words.read(this.use(chunk) + NEXT);
  }
  previousOf(chunk: number): number {
    return this.words.read(this.use(chunk) + PREVIOUS);
  }
  hintsOf(chunk: number): { longest: number; lowest: number } {
    const use = this.use(chunk);
    return { longest: this.words.read(use + LONGEST) >>> 0, lowest: this.words.read(use + LOWEST) >>> 0 };
  }
  /** Whether both copies of the bitmap word are `bits`. */
  hasBits(chunk: number, index: number, bits: number): boolean {
    const { bitmaps } = this.geometry.regions;
    const word = bitmaps.word + chunk * bitmaps.stride + index;
    return this.words.read(word) === bits && this.words.read(word + this.geometry.bitmapWords) === bits;
  }

  /** Throws OBJECT_TOO_LARGE when so many bytes never fit, even in an empty pool. */
  checkFits(bytes: number): void {
    const { chunks, chunksPerWindow, chunkBytes } = this.geometry;
    const limit = Math.min(chunks, chunksPerWindow) * chunkBytes;
    if (bytes <= limit && bytes < 2 ** 32) return;
    const largest = Math.min(limit, 2 ** 32 - 1);
    throw new PoolError('OBJECT_TOO_LARGE', `An object of ${bytes} bytes; this pool takes at most ${largest}.`, {
      bytes,
      largest,
    });
  }

  /** Bytes of the extent that an object of so many bytes takes. */
  occupiedBytes(bytes: number): number {
    return alignUp(bytes, this.isRun(bytes) ? this.geometry.chunkBytes : this.geometry.granuleBytes);
  }
}
