/**
 * The chunk table: which shard owns each chunk of the data region, and what for. Guarded by the chunk lock, a leaf: it
 * is taken under a shard's lock or alone, and no other lock is taken under it.
 *
 * (C1) a chunk is free, is shared by the objects of one shard, or is part of a run that one object fills.
 * (C2) an owned chunk changes hands only under its owner's shard lock as well, so a shard reads its own chunks under its
 *      own lock alone.
 * (C3) a claim keeps everybody but the claimer from putting anything new into a chunk; it names a row, and is void once
 *      that row's node is dead.
 * (C4) the count of free chunks is the number of entries of that kind.
 *
 * A crash leaves chunks owned by a shard in which no slot uses them: the repair of that shard frees them. The count of
 * free chunks is recounted by whoever takes the chunk lock from a dead owner.
 */
import { PoolError } from '../../../lib/errors.js';
import type { Words } from '../../../lib/words.js';
import {
  CHUNK_FREE,
  CHUNK_RUN,
  CHUNK_RUN_NEXT,
  CHUNK_SHARED,
  ChunkEntry,
  Control,
  type Geometry,
} from '../layout/index.js';
import { isBusy, type Locks } from '../nodes/index.js';

const { kind: KIND, shard: SHARD, size: SIZE, claim: CLAIM } = ChunkEntry.word;

export class Chunks {
  private readonly words: Words;
  private readonly geometry: Geometry;
  private readonly base: number;
  private readonly freeWord: number;
  private readonly hintWord: number;
  private readonly claimer: number;
  private readonly lock: number;
  private readonly isRowDead: (row: number) => boolean;
  private locks: Locks | undefined;
  /** Why the last chunk asked for was not given, where it may be given soon: BUSY. */
  busy: PoolError | undefined;

  constructor(words: Words, geometry: Geometry, row: number, isRowDead: (row: number) => boolean) {
    this.words = words;
    this.geometry = geometry;
    this.base = geometry.regions.chunkEntries.word;
    this.freeWord = geometry.regions.control.word + Control.word.freeChunks;
    this.hintWord = geometry.regions.control.word + Control.word.chunkHint;
    this.claimer = row + 1;
    this.lock = geometry.shards;
    this.isRowDead = isRowDead;
  }

  useLocks(locks: Locks): void {
    this.locks = locks;
  }

  private entry(chunk: number): number {
    return this.base + chunk * ChunkEntry.words;
  }

  kind(chunk: number): number {
    return this.words.load(this.entry(chunk) + KIND);
  }
  shard(chunk: number): number {
    return this.words.read(this.entry(chunk) + SHARD);
  }
  /** Chunks of a run; for its later chunks their place in it. */
  size(chunk: number): number {
    return this.words.read(this.entry(chunk) + SIZE) >>> 0;
  }
  freeCount(): number {
    return Math.min(this.words.read(this.freeWord) >>> 0, this.geometry.chunks);
  }

  /** Whether a chunk is free that nobody has claimed. A look without the lock. */
  hasFree(): boolean {
    if (this.freeCount() === 0) return false;
    for (let chunk = 0; chunk < this.geometry.chunks; chunk++) {
      if (this.kind(chunk) === CHUNK_FREE && !this.isClaimed(chunk)) return true;
    }
    return false;
  }

  /** Whether another node than this one, and a living one, has claimed the chunk. */
  isClaimedByOther(chunk: number): boolean {
    const claim = this.words.load(this.entry(chunk) + CLAIM);
    return claim !== 0 && claim !== this.claimer && !this.isRowDead(claim - 1);
  }

  isClaimed(chunk: number): boolean {
    const claim = this.words.load(this.entry(chunk) + CLAIM);
    return claim !== 0 && (claim === this.claimer || !this.isRowDead(claim - 1));
  }

  private guarded<T>(work: () => T): T {
    return (this.locks as Locks).within(this.lock, work);
  }

  /** As guarded, for what a shard may have to do without: -1 where the lock is not to be had. Its work throws no BUSY. */
  private guardedIfFree(work: () => number): number {
    this.busy = undefined;
    try {
      return this.guarded(work);
    } catch (error) {
      if (!isBusy(error)) throw error;
      // Thrown on from here, it would leave the shard to be repaired.
      if (this.locks?.isKnownToStand(this.lock) !== true) this.busy = error;
      return -1;
    }
  }

  private set(chunk: number, kind: number, shard: number, size: number): void {
    const at = this.entry(chunk);
    // ORDER chunk-1: free before it names no shard, its shard before it is taken; pairs with repair, which looks unlocked.
    if (kind === CHUNK_FREE) {
      this.words.store(at + KIND, kind);
      return;
    }
    this.words.write(at + SHARD, shard);
    this.words.write(at + SIZE, size);
    this.words.store(at + KIND, kind);
  }

  private addFree(by: number): void {
    this.words.write(this.freeWord, Math.max(0, this.words.read(this.freeWord) + by));
  }

  /** Gives the shard a free chunk, or -1. The caller holds the shard's lock. */
  takeFree(shard: number): number {
    if (this.freeCount() === 0) return -1;
    return this.guardedIfFree(() => {
      const { chunks } = this.geometry;
      const hint = (this.words.read(this.hintWord) >>> 0) % chunks;
      for (let i = 0; i < chunks; i++) {
        const chunk = (hint + i) % chunks;
        if (this.kind(chunk) !== CHUNK_FREE || this.isClaimed(chunk)) continue;
        this.set(chunk, CHUNK_SHARED, shard, 0);
        this.addFree(-1);
        this.words.write(this.hintWord, chunk + 1);
        return chunk;
      }
      return -1;
    });
  }

  /** Frees chunks that the shard owns. The caller holds the shard's lock. */
  free(first: number, count: number): void {
    if (first < 0 || count < 1 || first + count > this.geometry.chunks) throw this.corrupt(first);
    const free = () => {
      for (let chunk = first; chunk < first + count; chunk++) this.set(chunk, CHUNK_FREE, 0, 0);
      this.addFree(count);
      if (first < this.words.read(this.hintWord) >>> 0) this.words.write(this.hintWord, first);
    };
    // Given up half-way, the shard would have to be repaired.
    (this.locks as Locks).withAllPatience(() => this.guarded(free));
  }

  /** Gives the shard a run of free chunks for one object, from the end of the region; -1 where there is none. */
  takeRun(shard: number, count: number): number {
    if (this.freeCount() < count) return -1;
    return this.guardedIfFree(() => {
      let length = 0;
      for (let chunk = this.geometry.chunks - 1; chunk >= 0; chunk--) {
        const usable = this.kind(chunk) === CHUNK_FREE && !this.isClaimed(chunk);
        if (usable && length > 0 && this.isWindowEnd(chunk)) length = 0;
        length = usable ? length + 1 : 0;
        if (length === count) return this.makeRun(shard, chunk, count);
      }
      return -1;
    });
  }

  /** Whether the chunk is the last of its mapping window: no object straddles two. */
  isWindowEnd(chunk: number): boolean {
    return (chunk + 1) % this.geometry.chunksPerWindow === 0;
  }

  private makeRun(shard: number, first: number, count: number): number {
    for (let chunk = first; chunk < first + count; chunk++) {
      this.set(chunk, chunk === first ? CHUNK_RUN : CHUNK_RUN_NEXT, shard, chunk === first ? count : chunk - first);
      this.words.store(this.entry(chunk) + CLAIM, 0);
    }
    this.addFree(-count);
    return first;
  }

  /** Turns chunks that this node claimed and that are all free into a run of the shard; false when one is not. */
  takeClaimed(shard: number, first: number, count: number): boolean {
    return this.guarded(() => {
      for (let chunk = first; chunk < first + count; chunk++) {
        const mine = this.words.load(this.entry(chunk) + CLAIM) === this.claimer;
        if (!mine || this.kind(chunk) !== CHUNK_FREE) return false;
      }
      this.makeRun(shard, first, count);
      return true;
    });
  }

  /** Turns one claimed free chunk into a shared chunk of the shard. */
  takeClaimedChunk(shard: number, chunk: number): boolean {
    return this.guarded(() => {
      const mine = this.words.load(this.entry(chunk) + CLAIM) === this.claimer;
      if (!mine || this.kind(chunk) !== CHUNK_FREE) return false;
      this.set(chunk, CHUNK_SHARED, shard, 0);
      this.words.store(this.entry(chunk) + CLAIM, 0);
      this.addFree(-1);
      return true;
    });
  }

  /** Claims the chunks for this node; false when one is claimed already. */
  claim(first: number, count: number): boolean {
    return this.guarded(() => {
      for (let chunk = first; chunk < first + count; chunk++) if (this.isClaimed(chunk)) return false;
      for (let chunk = first; chunk < first + count; chunk++) this.words.store(this.entry(chunk) + CLAIM, this.claimer);
      return true;
    });
  }

  unclaim(first: number, count: number): void {
    this.guarded(() => {
      for (let chunk = first; chunk < first + count; chunk++) {
        const word = this.entry(chunk) + CLAIM;
        if (this.words.load(word) === this.claimer) this.words.store(word, 0);
      }
    });
  }

  /** Lets go of what a dead node of the row claimed. */
  unclaimRow(row: number): void {
    const { chunks } = this.geometry;
    let claimed = false;
    for (let chunk = 0; chunk < chunks; chunk++) claimed ||= this.words.load(this.entry(chunk) + CLAIM) === row + 1;
    if (!claimed) return;
    this.guarded(() => {
      for (let chunk = 0; chunk < chunks; chunk++) {
        const word = this.entry(chunk) + CLAIM;
        if (this.words.load(word) === row + 1) this.words.store(word, 0);
      }
    });
  }

  /** Writes an entry as it must be, unclaimed. For an opener that is alone with the pool. */
  rewrite(chunk: number, kind: number, shard: number, size: number): void {
    this.words.write(this.entry(chunk) + CLAIM, 0);
    this.words.write(this.entry(chunk) + SHARD, shard);
    this.words.write(this.entry(chunk) + SIZE, size);
    this.words.store(this.entry(chunk) + KIND, kind);
  }

  /** After the chunk lock was taken from a dead owner: every entry is one of its kinds, and the free ones are counted. */
  repair(): void {
    let free = 0;
    for (let chunk = 0; chunk < this.geometry.chunks; chunk++) {
      const kind = this.kind(chunk);
      if (kind < CHUNK_FREE || kind > CHUNK_RUN_NEXT) throw this.corrupt(chunk);
      if (kind === CHUNK_FREE) free++;
    }
    this.words.write(this.freeWord, free);
    this.words.write(this.hintWord, 0);
  }

  corrupt(chunk: number): PoolError {
    return new PoolError('POOL_CORRUPT', `The chunk table entry ${chunk} is damaged.`, { chunk });
  }
}
