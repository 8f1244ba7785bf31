/**
 * Stripes: for each part of a shard's keys, how often one of them was superseded, deleted or invalidated, and the
 * highest version installed or invalidated there. A fill carries the count from before its load began and is refused
 * when the count has moved (the lease of memcached, Nishtala et al., NSDI 2013).
 *
 * (I1) the count is stored before the page is retired, and never goes back; repair advances every count of its shard.
 * (I2) an open-ended page below the highest version is refused, so evicting a version never makes an older one visible;
 *      the highest version is raised before a page of it is sealed. It is that of the stripe or, where that is lower, of
 *      the space: the versions of one space decide nothing about another's.
 * (I3) the validities of a key's sealed versions do not overlap.
 */
import { nextSequence } from '../../../lib/sequence.js';
import type { Words } from '../../../lib/words.js';
import { type Geometry, raiseUnsigned64, readUnsigned64, Stripe } from '../layout/index.js';

export class Stripes {
  private readonly words: Words;
  private readonly base: number;
  private readonly stride: number;
  private readonly perShard: number;

  constructor(words: Words, geometry: Geometry) {
    this.words = words;
    this.base = geometry.regions.stripes.word;
    this.stride = geometry.regions.stripes.stride;
    this.perShard = geometry.stripesPerShard;
  }

  /** First word of the stripe of a key. */
  wordOf(shard: number, hashHigh: number): number {
    return this.base + shard * this.stride + (hashHigh & (this.perShard - 1)) * Stripe.words;
  }

  count(stripe: number): number {
    return this.words.load(stripe + Stripe.word.count);
  }

  /** The caller holds the shard's lock. */
  advance(stripe: number): void {
    this.words.store(stripe + Stripe.word.count, nextSequence(this.words.read(stripe + Stripe.word.count)));
  }

  highest(stripe: number): number {
    return readUnsigned64(this.words, stripe + Stripe.word.highest);
  }

  raiseHighest(stripe: number, version: number): void {
    if (version > this.highest(stripe)) raiseUnsigned64(this.words, stripe + Stripe.word.highest, version);
  }

  /** Refuses every fill under way in the shard. For repair, with the shard's lock held. */
  advanceAll(shard: number): void {
    for (let i = 0; i < this.perShard; i++) this.advance(this.base + shard * this.stride + i * Stripe.words);
  }
}
