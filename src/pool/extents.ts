/**
 * Extents: space for one object each, in the chunks of its shard. Everything here is guarded by the shard's lock and
 * derived from the slots: which extents of a chunk are taken is a bitmap, the chunks of a class with room are a list.
 *
 * (X1) a chunk is listed under its class exactly while it has a free extent.
 * (X2) a chunk whose last extent is freed goes back to the chunk table at once: no class keeps what it does not use.
 * (X3) an extent belongs to one slot that is not free, and lies in a chunk of its shard and class, or is a run of its
 *      own; bitmap and `used` of a chunk are what its shard's slots say.
 * (X4) each bitmap word stands twice: where the two differ, nothing is allocated or freed by it. A cleared bit would
 *      otherwise give one extent to two pages, and nobody would notice before a reader does.
 */
import { PoolError } from '../../lib/errors.js';
import type { Words } from '../../lib/words.js';
import type { Chunks } from './chunks.js';
import { alignUp, type Geometry } from './geometry.js';
import { CHUNK_CLASS, CHUNK_RUN, CHUNK_RUN_NEXT, ChunkUse, CLASS_HEADS, NO_EXTENT, ShardHead } from './layout.js';
import { type SizeClass, SizeClasses } from './sizeclasses.js';

const { used: USED, next: NEXT, previous: PREVIOUS, hint: HINT, listed: LISTED } = ChunkUse.word;

export class Extents {
  readonly classes: SizeClasses;
  readonly chunkGranules: number;
  private readonly words: Words;
  private readonly geometry: Geometry;
  private readonly chunks: Chunks;

  constructor(words: Words, geometry: Geometry, chunks: Chunks) {
    this.words = words;
    this.geometry = geometry;
    this.chunks = chunks;
    this.chunkGranules = geometry.chunkBytes / geometry.granuleBytes;
    this.classes = new SizeClasses(this.chunkGranules, Math.max(1, 4096 / geometry.granuleBytes));
  }

  granulesOf(bytes: number): number {
    return Math.ceil(bytes / this.geometry.granuleBytes);
  }

  /** Chunks of the run that so many bytes take. */
  runLengthOf(bytes: number): number {
    return Math.ceil(bytes / this.geometry.chunkBytes);
  }

  chunkOf(extent: number): number {
    return Math.floor(extent / this.chunkGranules);
  }

  private use(chunk: number): number {
    return this.geometry.regions.chunkUses.word + chunk * ChunkUse.words;
  }
  private bitmap(chunk: number): number {
    return this.geometry.regions.bitmaps.word + chunk * this.geometry.regions.bitmaps.stride;
  }

  /** Which 32 extents are taken. Throws POOL_CORRUPT. */
  private bits(chunk: number, index: number): number {
    const word = this.bitmap(chunk) + index;
    const bits = this.words.read(word);
    if (bits !== this.words.read(word + this.geometry.bitmapWords)) throw this.chunks.corrupt(chunk);
    return bits;
  }

  private setBits(chunk: number, index: number, bits: number): void {
    const word = this.bitmap(chunk) + index;
    this.words.write(word, bits);
    this.words.write(word + this.geometry.bitmapWords, bits);
  }
  private head(shard: number, sizeClass: SizeClass): number {
    return this.geometry.regions.classHeads.word + shard * CLASS_HEADS + sizeClass.index;
  }
  usedOf(chunk: number): number {
    return this.words.read(this.use(chunk) + USED) >>> 0;
  }

  /** Whether both copies of the bitmap word are `bits`. */
  hasBits(chunk: number, index: number, bits: number): boolean {
    const word = this.bitmap(chunk) + index;
    return this.words.read(word) === bits && this.words.read(word + this.geometry.bitmapWords) === bits;
  }
  isListed(chunk: number): boolean {
    return this.words.read(this.use(chunk) + LISTED) !== 0;
  }
  /** Chunk + 1 of the list's next, previous and first chunk; 0 for none, not checked. */
  nextOf(chunk: number): number {
    return this.words.read(this.use(chunk) + NEXT);
  }
  previousOf(chunk: number): number {
    return this.words.read(this.use(chunk) + PREVIOUS);
  }
  headOf(shard: number, classIndex: number): number {
    return this.words.read(this.geometry.regions.classHeads.word + shard * CLASS_HEADS + classIndex);
  }

  private countGranules(shard: number, by: number): void {
    const word = this.geometry.regions.shardHeads.word + shard * ShardHead.words + ShardHead.word.grainsUsed;
    this.words.write(word, Math.max(0, (this.words.read(word) >>> 0) + by));
  }

  /** An extent of the class in a chunk the shard already has, or in a free chunk; NO_EXTENT when there is none. */
  allocate(shard: number, sizeClass: SizeClass): number {
    const chunk = this.chunkWithRoom(shard, sizeClass);
    if (chunk >= 0) return this.take(shard, sizeClass, chunk);
    const fresh = this.chunks.takeFree(shard, sizeClass.granules);
    if (fresh < 0) return NO_EXTENT;
    this.adopt(shard, sizeClass, fresh);
    return this.take(shard, sizeClass, fresh);
  }

  /** A chunk that has just become the shard's, for this class: empty, and listed. */
  adopt(shard: number, sizeClass: SizeClass, chunk: number): void {
    this.words.fill(this.bitmap(chunk), this.geometry.regions.bitmaps.stride, 0);
    this.words.fill(this.use(chunk), ChunkUse.words, 0);
    this.link(shard, sizeClass, chunk);
  }

  /** A listed chunk that nobody else has claimed. */
  private chunkWithRoom(shard: number, sizeClass: SizeClass): number {
    const { chunks } = this.geometry;
    let chunk = this.words.read(this.head(shard, sizeClass)) - 1;
    for (let steps = 0; chunk >= 0 && steps <= chunks; steps++) {
      this.checkOwned(chunk, shard, sizeClass.granules);
      if (!this.chunks.isClaimed(chunk)) return chunk;
      chunk = this.words.read(this.use(chunk) + NEXT) - 1;
    }
    return -1;
  }

  private checkOwned(chunk: number, shard: number, granules: number): void {
    const inside = chunk >= 0 && chunk < this.geometry.chunks;
    const owned = inside && this.chunks.kind(chunk) === CHUNK_CLASS && this.chunks.shard(chunk) === shard;
    if (!owned || this.chunks.size(chunk) !== granules) throw this.chunks.corrupt(chunk);
  }

  private take(shard: number, sizeClass: SizeClass, chunk: number): number {
    const { words } = this;
    const use = this.use(chunk);
    const index = this.freeBit(chunk, sizeClass.perChunk, words.read(use + HINT) >>> 0);
    if (index < 0) throw this.chunks.corrupt(chunk);
    this.setBits(chunk, index >> 5, this.bits(chunk, index >> 5) | (1 << (index & 31)));
    const used = words.read(use + USED) + 1;
    words.write(use + USED, used);
    words.write(use + HINT, index >> 5);
    if (used >= sizeClass.perChunk) this.unlink(shard, sizeClass, chunk);
    this.countGranules(shard, sizeClass.granules);
    return chunk * this.chunkGranules + index * sizeClass.granules;
  }

  private freeBit(chunk: number, perChunk: number, hint: number): number {
    const wordCount = (perChunk + 31) >> 5;
    for (let i = 0; i < wordCount; i++) {
      const at = (hint + i) % wordCount;
      const free = ~this.bits(chunk, at);
      if (free === 0) continue;
      const index = at * 32 + (31 - Math.clz32(free & -free));
      if (index < perChunk) return index;
    }
    return -1;
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
      this.words.write(this.use(chunk) + USED, 1);
    }
    this.countGranules(shard, length * this.chunkGranules);
    return first * this.chunkGranules;
  }

  /** Gives an extent back. `bytes` is what its slot said it holds. */
  free(shard: number, extent: number, bytes: number): void {
    if (extent === NO_EXTENT) return;
    const sizeClass = this.classes.classFor(this.granulesOf(bytes));
    const chunk = this.chunkOf(extent);
    if (sizeClass === undefined) this.freeRun(shard, chunk, this.runLengthOf(bytes));
    else this.freeInClass(shard, sizeClass, chunk, extent - chunk * this.chunkGranules);
  }

  private freeRun(shard: number, first: number, length: number): void {
    const inside = first >= 0 && first + length <= this.geometry.chunks;
    const owned = inside && this.chunks.kind(first) === CHUNK_RUN && this.chunks.shard(first) === shard;
    if (!owned || this.chunks.size(first) !== length) throw this.chunks.corrupt(first);
    this.countGranules(shard, -length * this.chunkGranules);
    this.chunks.free(first, length);
  }

  private freeInClass(shard: number, sizeClass: SizeClass, chunk: number, offset: number): void {
    this.checkOwned(chunk, shard, sizeClass.granules);
    const { words } = this;
    const index = offset / sizeClass.granules;
    const bit = 1 << (index & 31);
    const fits = Number.isInteger(index) && index < sizeClass.perChunk;
    const bits = fits ? this.bits(chunk, index >> 5) : 0;
    if ((bits & bit) === 0) throw this.chunks.corrupt(chunk);
    this.setBits(chunk, index >> 5, bits & ~bit);
    const use = this.use(chunk);
    const used = words.read(use + USED) - 1;
    words.write(use + USED, used);
    this.countGranules(shard, -sizeClass.granules);
    if (words.read(use + LISTED) === 0) this.link(shard, sizeClass, chunk);
    if (used > 0) return;
    this.unlink(shard, sizeClass, chunk);
    this.chunks.free(chunk, 1);
  }

  private link(shard: number, sizeClass: SizeClass, chunk: number): void {
    const { words } = this;
    const head = this.head(shard, sizeClass);
    const first = words.read(head);
    words.write(this.use(chunk) + NEXT, first);
    words.write(this.use(chunk) + PREVIOUS, 0);
    words.write(this.use(chunk) + LISTED, 1);
    if (first > 0) {
      this.checkOwned(first - 1, shard, sizeClass.granules);
      words.write(this.use(first - 1) + PREVIOUS, chunk + 1);
    }
    words.write(head, chunk + 1);
  }

  private unlink(shard: number, sizeClass: SizeClass, chunk: number): void {
    const { words } = this;
    const next = words.read(this.use(chunk) + NEXT);
    const previous = words.read(this.use(chunk) + PREVIOUS);
    if (next !== 0) {
      this.checkOwned(next - 1, shard, sizeClass.granules);
      words.write(this.use(next - 1) + PREVIOUS, previous);
    }
    if (previous !== 0) {
      this.checkOwned(previous - 1, shard, sizeClass.granules);
      words.write(this.use(previous - 1) + NEXT, next);
    } else words.write(this.head(shard, sizeClass), next);
    words.write(this.use(chunk) + LISTED, 0);
  }

  /** Forgets all use of the shard's chunks before `claimForRepair` counts it anew. */
  resetShard(shard: number): void {
    const { words, geometry } = this;
    words.fill(geometry.regions.classHeads.word + shard * CLASS_HEADS, CLASS_HEADS, 0);
    words.write(geometry.regions.shardHeads.word + shard * ShardHead.words + ShardHead.word.grainsUsed, 0);
    for (let chunk = 0; chunk < geometry.chunks; chunk++) {
      if (!this.belongsTo(chunk, shard)) continue;
      words.fill(this.use(chunk), ChunkUse.words, 0);
      words.fill(this.bitmap(chunk), geometry.regions.bitmaps.stride, 0);
    }
  }

  private belongsTo(chunk: number, shard: number): boolean {
    const kind = this.chunks.kind(chunk);
    const taken = kind === CHUNK_CLASS || kind === CHUNK_RUN || kind === CHUNK_RUN_NEXT;
    return taken && this.chunks.shard(chunk) === shard;
  }

  /** During repair: marks a slot's extent as taken. False when it does not fit what the chunks say, or is taken. */
  claimForRepair(shard: number, extent: number, bytes: number): boolean {
    if (extent === NO_EXTENT) return true;
    const sizeClass = this.classes.classFor(this.granulesOf(bytes));
    const chunk = this.chunkOf(extent);
    if (chunk < 0 || chunk >= this.geometry.chunks || !this.belongsTo(chunk, shard)) return false;
    if (sizeClass === undefined) return this.claimRun(shard, chunk, this.runLengthOf(bytes));
    const index = (extent - chunk * this.chunkGranules) / sizeClass.granules;
    const fits = this.chunks.kind(chunk) === CHUNK_CLASS && this.chunks.size(chunk) === sizeClass.granules;
    if (!fits || !Number.isInteger(index) || index >= sizeClass.perChunk) return false;
    const bit = 1 << (index & 31);
    const bits = this.bits(chunk, index >> 5);
    if ((bits & bit) !== 0) return false;
    this.setBits(chunk, index >> 5, bits | bit);
    this.words.write(this.use(chunk) + USED, this.usedOf(chunk) + 1);
    this.countGranules(shard, sizeClass.granules);
    return true;
  }

  private claimRun(shard: number, first: number, length: number): boolean {
    if (this.chunks.kind(first) !== CHUNK_RUN || this.chunks.size(first) !== length) return false;
    if (first + length > this.geometry.chunks || this.usedOf(first) !== 0) return false;
    for (let i = 1; i < length; i++) {
      if (!this.belongsTo(first + i, shard) || this.chunks.kind(first + i) !== CHUNK_RUN_NEXT) return false;
    }
    this.adoptRun(shard, first, length);
    return true;
  }

  /** The end of repair: chunks of the shard that no slot uses are freed, those with room are listed. */
  settleShard(shard: number): void {
    for (let chunk = 0; chunk < this.geometry.chunks; chunk++) {
      if (!this.belongsTo(chunk, shard)) continue;
      const used = this.usedOf(chunk);
      if (used === 0) this.chunks.free(chunk, 1);
      else if (this.chunks.kind(chunk) === CHUNK_CLASS) {
        const sizeClass = this.classes.exactly(this.chunks.size(chunk));
        if (sizeClass === undefined) throw this.chunks.corrupt(chunk);
        if (used < sizeClass.perChunk) this.link(shard, sizeClass, chunk);
      }
    }
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
    if (bytes === 0) return 0;
    const sizeClass = this.classes.classFor(this.granulesOf(bytes));
    if (sizeClass !== undefined) return sizeClass.granules * this.geometry.granuleBytes;
    return alignUp(bytes, this.geometry.chunkBytes);
  }
}
