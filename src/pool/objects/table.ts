/**
 * The table: buckets of one line each, in which a key's hash leads to its slots.
 *
 * (B1) an entry changes by one store of its slot word, and never moves; its tag is stored before it. So readers need no
 *      version of the bucket, and a writer who dies leaves nothing half-done for them to wait on.
 * (B2) an entry that finds its home bucket full goes to a later one; every bucket it passed counts it in `overflow`
 *      before the entry is visible. A probe goes on while the count is not zero, and never stops at an empty entry.
 * (B3) a probe ends after PROBES_MAX buckets, whatever the words say; an entry is never put farther away.
 * (B4) a sealed slot is named by exactly one entry in reach, with its tag; a draft by at most one, and by none while it
 *      is detached or when a page was set over it; every other entry is zero.
 *
 * A crash leaves at most a count too high, which costs a probe; repair recounts.
 */
import { assert } from '../../../lib/assert.js';
import type { Words } from '../../../lib/words.js';
import { BUCKET_ENTRIES, Bucket, type Geometry } from '../layout/index.js';
import type { Probe } from './probe.js';

const OVERFLOW = Bucket.word.overflow;
const PROBES_MAX = 64;

export class Table {
  private readonly words: Words;
  private readonly base: number;
  private readonly stride: number;
  private readonly mask: number;
  private readonly probes: number;
  private readonly slotsPerShard: number;

  constructor(words: Words, geometry: Geometry) {
    this.words = words;
    this.base = geometry.regions.buckets.word;
    this.stride = geometry.regions.buckets.stride;
    this.mask = geometry.bucketsPerShard - 1;
    this.probes = Math.min(PROBES_MAX, geometry.bucketsPerShard);
    this.slotsPerShard = geometry.slotsPerShard;
  }

  /** Sets the probe to the start of its walk; then `next` until it says -1. */
  begin(probe: Probe, shard: number, hashLow: number, tag: number): void {
    probe.first = this.base + shard * this.stride;
    probe.home = hashLow & this.mask;
    probe.tag = tag;
    probe.step = 0;
    probe.index = 0;
    probe.entryWord = -1;
  }

  /** The next slot, local to its shard, whose entry has the tag; -1 at the end of the walk. */
  next(probe: Probe): number {
    const { words } = this;
    const { first, home, tag } = probe;
    while (probe.step < this.probes) {
      const bucket = first + ((home + probe.step) & this.mask) * Bucket.words;
      while (probe.index < BUCKET_ENTRIES) {
        const entry = bucket + probe.index++ * 2;
        if (words.read(entry) !== tag) continue;
        // ORDER table-1: slot word, then the slot it names; pairs with insert.
        const local = words.load(entry + 1) - 1;
        if (local < 0 || local >= this.slotsPerShard) continue;
        probe.entryWord = entry + 1;
        return local;
      }
      probe.step++;
      probe.index = 0;
      if (words.load(bucket + OVERFLOW) === 0) break;
    }
    probe.step = this.probes;
    return -1;
  }

  /** Whether the entry that the probe met last names the slot still. */
  stillNames(probe: Probe, local: number): boolean {
    return this.words.load(probe.entryWord) === local + 1;
  }

  /** Slot word of the entry that names the slot, or -1. */
  find(probe: Probe, shard: number, hashLow: number, tag: number, local: number): number {
    this.begin(probe, shard, hashLow, tag);
    for (let found = this.next(probe); found >= 0; found = this.next(probe))
      if (found === local) return probe.entryWord;
    return -1;
  }

  /** Enters the slot; false when every bucket in reach is full. The caller holds the shard's lock. */
  insert(shard: number, hashLow: number, tag: number, local: number): boolean {
    assert(local >= 0 && local < this.slotsPerShard, 'An entry names a slot of its shard.');
    const { words } = this;
    const first = this.base + shard * this.stride;
    const home = hashLow & this.mask;
    let entry = -1;
    let tried = 0;
    while (entry < 0 && tried < this.probes) {
      entry = this.freeEntry(first + ((home + tried) & this.mask) * Bucket.words);
      tried++;
    }
    if (entry < 0) return false;
    this.count(first, home, tried - 1, 1);
    words.store(entry, tag);
    // ORDER table-1: slot filled and tag stored before the slot word; pairs with next.
    words.store(entry + 1, local + 1);
    return true;
  }

  private freeEntry(bucket: number): number {
    for (let i = 0; i < BUCKET_ENTRIES; i++) if (this.words.read(bucket + i * 2 + 1) === 0) return bucket + i * 2;
    return -1;
  }

  /** Another slot takes over an entry of the same tag, by one store. */
  replace(entryWord: number, local: number): void {
    assert(entryWord >= 0, 'A probe that met no entry has none to give away.');
    this.words.store(entryWord, local + 1);
  }

  /** Removes the entry at the word, which belongs to the hash. */
  remove(shard: number, hashLow: number, entryWord: number): void {
    assert(entryWord >= 0, 'A probe that met no entry has none to remove.');
    this.words.store(entryWord, 0);
    const first = this.base + shard * this.stride;
    const home = hashLow & this.mask;
    const bucket = Math.floor((entryWord - first) / Bucket.words);
    this.count(first, home, (bucket - home) & this.mask, -1);
  }

  /** Counts an entry in the `steps` buckets it passed. */
  private count(first: number, home: number, steps: number, by: number): void {
    for (let step = 0; step < steps; step++) {
      const word = first + ((home + step) & this.mask) * Bucket.words + OVERFLOW;
      this.words.store(word, Math.max(0, this.words.read(word) + by));
    }
  }

  /** The local slots in the buckets where an entry of this hash could lie, for making room there. */
  inReach(shard: number, hashLow: number, visit: (local: number) => void): void {
    const first = this.base + shard * this.stride;
    const home = hashLow & this.mask;
    for (let step = 0; step < this.probes; step++) {
      const bucket = first + ((home + step) & this.mask) * Bucket.words;
      for (let i = 0; i < BUCKET_ENTRIES; i++) {
        const local = this.words.read(bucket + i * 2 + 1) - 1;
        if (local >= 0 && local < this.slotsPerShard) visit(local);
      }
    }
  }

  /**
   * How the shard's entries have to change to agree with its slots, without moving any: entry words and what they are to
   * hold, in turn. `settle` says which slot an entry is to name: the one it names, another of the same tag, or -1 for none.
   */
  changes(shard: number, settle: (local: number, tag: number, entryWord: number) => number): number[] {
    const first = this.base + shard * this.stride;
    const image = this.imageOf(shard);
    const changes: number[] = [];
    for (let at = 0; at < image.length; at += Bucket.words) {
      for (let i = at + 1; i < at + 2 * BUCKET_ENTRIES; i += 2) {
        const named = image[i] as number;
        if (named === 0) continue;
        const local = named - 1;
        const isSlot = local >= 0 && local < this.slotsPerShard;
        const settled = isSlot ? settle(local, image[i - 1] as number, first + i) : -1;
        if (settled !== local) changes.push(first + i, settled + 1);
      }
    }
    return changes;
  }

  /** Makes the changes. The caller has held the shard's lock since they were found. */
  apply(changes: readonly number[]): void {
    for (let i = 0; i < changes.length; i += 2) this.words.store(changes[i] as number, changes[i + 1] as number);
  }

  /** The shard's buckets in private memory. Under its lock nobody else changes them. */
  private imageOf(shard: number): Int32Array {
    const image = new Int32Array((this.mask + 1) * Bucket.words);
    this.words.copyOut(this.base + shard * this.stride, image);
    return image;
  }

  /** Sets every overflow count of the shard from its entries. `lows`: the low hash of each local slot. */
  recount(shard: number, lows: Int32Array): void {
    const image = this.imageOf(shard);
    const counts = this.overflowsOf(image, lows);
    const first = this.base + shard * this.stride + OVERFLOW;
    for (let bucket = 0; bucket <= this.mask; bucket++) {
      const at = bucket * Bucket.words;
      if (image[at + OVERFLOW] !== counts[bucket]) this.words.store(first + at, counts[bucket] as number);
    }
  }

  /** What the overflow counts must be. */
  overflows(shard: number, lows: Int32Array): Int32Array {
    return this.overflowsOf(this.imageOf(shard), lows);
  }

  private overflowsOf(image: Int32Array, lows: Int32Array): Int32Array {
    const counts = new Int32Array(this.mask + 1);
    for (let bucket = 0; bucket <= this.mask; bucket++) {
      const at = bucket * Bucket.words;
      for (let i = at + 1; i < at + 2 * BUCKET_ENTRIES; i += 2) {
        const local = (image[i] as number) - 1;
        if (local < 0 || local >= this.slotsPerShard) continue;
        const home = (lows[local] as number) & this.mask;
        const steps = (bucket - home) & this.mask;
        for (let step = 0; step < steps; step++) {
          const passed = (home + step) & this.mask;
          counts[passed] = (counts[passed] as number) + 1;
        }
      }
    }
    return counts;
  }

  overflowOf(shard: number, bucket: number): number {
    return this.words.load(this.base + shard * this.stride + bucket * Bucket.words + OVERFLOW);
  }

  /** Whether an entry at the word can be reached by a probe for the hash. */
  isReachable(shard: number, hashLow: number, entryWord: number): boolean {
    const bucket = Math.floor((entryWord - this.base - shard * this.stride) / Bucket.words);
    return ((bucket - (hashLow & this.mask)) & this.mask) < this.probes;
  }
}
