/**
 * The retire log: one ring of records per shard, written under the shard's lock, read by every node to keep its near
 * index true.
 *
 * (R1) a record carries its own number; the sequence is stored after the record. A reader that lags so far that records
 *      were overwritten meets a number that is not the one it asked for, and forgets the whole shard.
 * (R2) a record being overwritten first gets a number that no reader can ask for, so a torn one is not taken for good.
 *
 * A crash between record and sequence leaves a record nobody reads and a slot retired but not announced: repair advances
 * the sequence past the ring, so that every node forgets the shard before anything there is reused.
 */
import { nextSequence, sequenceAfter, stepsBetween } from '../../../lib/sequence.js';
import type { Words } from '../../../lib/words.js';
import { type Geometry, RetireRecord, ShardHead } from '../layout/index.js';

const { number: NUMBER, slot: SLOT, generation: GENERATION, reason: REASON } = RetireRecord.word;

export const REASON_DELETED = 1;
export const REASON_EVICTED = 2;
export const REASON_SUPERSEDED = 3;
export const REASON_EXPIRED = 4;
export const REASON_SHORTENED = 5;

export interface Forgetful {
  /** What this node remembers of the slot is no longer true. */
  forgetSlot(slot: number): void;
  /** Nothing this node remembers of the shard is known to be true. */
  forgetShard(shard: number): void;
}

export class RetireLog {
  /** What this node has seen of each shard's sequence. Read on the hot path. */
  readonly seen: Int32Array;
  private readonly words: Words;
  private readonly base: number;
  private readonly stride: number;
  private readonly mask: number;
  private readonly heads: number;

  constructor(words: Words, geometry: Geometry) {
    this.words = words;
    this.base = geometry.regions.retireRings.word;
    this.stride = geometry.regions.retireRings.stride;
    this.mask = geometry.ringRecords - 1;
    this.heads = geometry.regions.shardHeads.word;
    this.seen = new Int32Array(geometry.shards);
    for (let shard = 0; shard < geometry.shards; shard++) this.seen[shard] = words.load(this.sequenceWord(shard));
  }

  sequenceWord(shard: number): number {
    return this.heads + shard * ShardHead.words + ShardHead.word.retireSequence;
  }

  /** Announces that the slot is retired or changed. The caller holds the shard's lock. */
  append(shard: number, slot: number, generation: number, reason: number): void {
    const { words } = this;
    const sequence = this.sequenceWord(shard);
    const number = nextSequence(words.read(sequence));
    const record = this.base + shard * this.stride + (number & this.mask) * RetireRecord.words;
    words.store(record + NUMBER, ~number);
    words.store(record + SLOT, slot);
    words.write(record + GENERATION, generation);
    words.write(record + REASON, reason);
    words.store(record + NUMBER, number);
    // ORDER retire-2: record before sequence; pairs with catchUp.
    words.store(sequence, number);
  }

  /** Makes every node forget the shard. For repair, with the shard's lock held. */
  overrun(shard: number): void {
    const sequence = this.sequenceWord(shard);
    this.words.store(sequence, sequenceAfter(this.words.read(sequence), this.mask + 2));
  }

  /** Brings this node up to date with the shard; true when something had changed. */
  catchUp(shard: number, near: Forgetful): boolean {
    const { words } = this;
    const current = words.load(this.sequenceWord(shard));
    let seen = this.seen[shard] as number;
    if (current === seen) return false;
    // ORDER retire-2: sequence, then its records; pairs with append.
    const behind = stepsBetween(seen, current);
    if (behind < 0 || behind > this.mask + 1) {
      near.forgetShard(shard);
      this.seen[shard] = current;
      return true;
    }
    while (seen !== current) {
      seen = nextSequence(seen);
      const record = this.base + shard * this.stride + (seen & this.mask) * RetireRecord.words;
      if (words.load(record + NUMBER) !== seen) return this.forget(shard, current, near);
      const slot = words.load(record + SLOT);
      if (words.load(record + NUMBER) !== seen) return this.forget(shard, current, near);
      near.forgetSlot(slot);
    }
    this.seen[shard] = current;
    return true;
  }

  private forget(shard: number, current: number, near: Forgetful): boolean {
    near.forgetShard(shard);
    this.seen[shard] = current;
    return true;
  }
}
