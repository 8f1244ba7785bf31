/**
 * Shard heads: the counts and lists of one shard, guarded by its lock and derived from its slots. Slots are local here:
 * 0 up to slotsPerShard.
 *
 * (S1) the free list holds exactly the free slots, the limbo list exactly the retired ones, each once.
 * (S2) the counts of the head are those of the slots: live (sealed and drafts), drafts, limbo, retained, granules.
 * (S3) the policy's queues hold exactly the sealed pages that are not retained.
 */
import { PoolError } from '../../../lib/errors.js';
import { isLater, nextSequence } from '../../../lib/sequence.js';
import type { Words } from '../../../lib/words.js';
import {
  capacityOf,
  type Geometry,
  ShardHead,
  STATE_DRAFT,
  STATE_FREE,
  STATE_MASK,
  STATE_RETIRED,
  STATE_SEALED,
} from '../layout/index.js';

const {
  publishSequence: PUBLISH,
  retireSequence: RETIRE,
  freeHead: FREE,
  limboHead: LIMBO,
  liveCount: LIVE,
  draftCount: DRAFTS,
  limboCount: LIMBO_COUNT,
  granulesUsed: GRANULES,
  retainedCount: RETAINED,
  limboFence: LIMBO_FENCE,
} = ShardHead.word;

export class Shards {
  private readonly words: Words;
  private readonly geometry: Geometry;
  private readonly base: number;
  private readonly links: number;
  private readonly stride: number;
  private readonly capacities: Int32Array;

  constructor(words: Words, geometry: Geometry) {
    this.words = words;
    this.geometry = geometry;
    this.base = geometry.regions.shardHeads.word;
    this.links = geometry.regions.slotLinks.word;
    this.stride = geometry.regions.slotLinks.stride;
    this.capacities = Int32Array.from({ length: geometry.shards }, (_, shard) => capacityOf(geometry, shard));
  }

  private head(shard: number): number {
    return this.base + shard * ShardHead.words;
  }
  private link(shard: number, local: number): number {
    return this.links + shard * this.stride + local;
  }

  of(slot: number): number {
    return Math.floor(slot / this.geometry.slotsPerShard);
  }
  ofHash(hashLow: number): number {
    return this.geometry.shardBits === 0 ? 0 : hashLow >>> (32 - this.geometry.shardBits);
  }
  /** Objects the shard may hold. */
  capacity(shard: number): number {
    return this.capacities[shard] as number;
  }

  publishSequence(shard: number): number {
    return this.words.load(this.head(shard) + PUBLISH);
  }
  retireSequence(shard: number): number {
    return this.words.load(this.head(shard) + RETIRE);
  }
  advancePublish(shard: number): void {
    const word = this.head(shard) + PUBLISH;
    this.words.store(word, nextSequence(this.words.read(word)));
  }

  raisePublish(shard: number, sequence: number): void {
    if (isLater(sequence, this.publishSequence(shard))) this.words.store(this.head(shard) + PUBLISH, sequence);
  }

  /** Sealed objects and drafts. */
  live(shard: number): number {
    return this.words.read(this.head(shard) + LIVE) >>> 0;
  }
  drafts(shard: number): number {
    return this.words.read(this.head(shard) + DRAFTS) >>> 0;
  }
  limbo(shard: number): number {
    return this.words.read(this.head(shard) + LIMBO_COUNT) >>> 0;
  }
  retained(shard: number): number {
    return this.words.read(this.head(shard) + RETAINED) >>> 0;
  }
  granules(shard: number): number {
    return this.words.read(this.head(shard) + GRANULES) >>> 0;
  }

  private add(word: number, by: number): void {
    this.words.write(word, Math.max(0, this.words.read(word) + by));
  }
  addLive(shard: number, by: number): void {
    this.add(this.head(shard) + LIVE, by);
  }
  addDrafts(shard: number, by: number): void {
    this.add(this.head(shard) + DRAFTS, by);
  }
  addRetained(shard: number, by: number): void {
    this.add(this.head(shard) + RETAINED, by);
  }

  hasFreeSlot(shard: number): boolean {
    return this.words.read(this.head(shard) + FREE) !== 0;
  }

  popFree(shard: number): number {
    const local = this.checked(shard, this.words.read(this.head(shard) + FREE) - 1);
    this.words.write(this.head(shard) + FREE, this.words.read(this.link(shard, local)));
    return local;
  }

  pushFree(shard: number, local: number): void {
    this.words.write(this.link(shard, local), this.words.read(this.head(shard) + FREE));
    this.words.write(this.head(shard) + FREE, local + 1);
  }

  pushLimbo(shard: number, local: number): void {
    this.words.write(this.link(shard, local), this.words.read(this.head(shard) + LIMBO));
    this.words.write(this.head(shard) + LIMBO, local + 1);
    this.add(this.head(shard) + LIMBO_COUNT, 1);
  }

  /** The fence after which everything in limbo may be scanned for (A2). */
  limboFence(shard: number): number {
    return this.words.read(this.head(shard) + LIMBO_FENCE);
  }
  setLimboFence(shard: number, number: number): void {
    this.words.write(this.head(shard) + LIMBO_FENCE, number);
  }

  /** Takes the whole limbo list off: its local slots. */
  takeLimbo(shard: number): number[] {
    const found: number[] = [];
    let next = this.words.read(this.head(shard) + LIMBO);
    while (next !== 0) {
      const local = this.checked(shard, next - 1);
      if (found.length >= this.geometry.slotsPerShard) throw this.corrupt(shard);
      found.push(local);
      next = this.words.read(this.link(shard, local));
    }
    this.words.write(this.head(shard) + LIMBO, 0);
    this.words.write(this.head(shard) + LIMBO_COUNT, 0);
    return found;
  }

  /** Follows a list without changing it: its local slots, and what is wrong with it. */
  walk(shard: number, list: 'free' | 'limbo'): { locals: number[]; fault?: string } {
    const { slotsPerShard } = this.geometry;
    const locals: number[] = [];
    let next = this.words.read(this.head(shard) + (list === 'free' ? FREE : LIMBO));
    while (next !== 0) {
      if (next < 0 || next > slotsPerShard) return { locals, fault: `leads to slot ${next - 1} of ${slotsPerShard}` };
      if (locals.length >= slotsPerShard) return { locals, fault: 'goes round in a circle' };
      locals.push(next - 1);
      next = this.words.read(this.link(shard, next - 1));
    }
    return { locals };
  }

  private checked(shard: number, local: number): number {
    if (local < 0 || local >= this.geometry.slotsPerShard) throw this.corrupt(shard);
    return local;
  }

  corrupt(shard: number): PoolError {
    return new PoolError('POOL_CORRUPT', `The lists of shard ${shard} are damaged.`, { shard });
  }

  /** Lists and counts anew, from the state of each slot; `retained` is counted by the caller. */
  rebuild(shard: number, states: Uint8Array, retained: number): void {
    const links = new Int32Array(states.length);
    const counts = new Int32Array(STATE_MASK + 1);
    let free = 0;
    let limbo = 0;
    for (let local = states.length - 1; local >= 0; local--) {
      const state = states[local] as number;
      counts[state] = (counts[state] as number) + 1;
      if (state === STATE_FREE) {
        links[local] = free;
        free = local + 1;
      } else if (state === STATE_RETIRED) {
        links[local] = limbo;
        limbo = local + 1;
      }
    }
    const { words } = this;
    const head = this.head(shard);
    const drafts = counts[STATE_DRAFT] as number;
    words.copyIn(this.link(shard, 0), links);
    words.write(head + FREE, free);
    words.write(head + LIMBO, limbo);
    words.write(head + LIVE, drafts + (counts[STATE_SEALED] as number));
    words.write(head + DRAFTS, drafts);
    words.write(head + LIMBO_COUNT, counts[STATE_RETIRED] as number);
    words.write(head + RETAINED, retained);
  }
}
