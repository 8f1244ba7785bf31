/**
 * Stripes: for each part of a shard's keys, how often one of them was superseded, deleted or invalidated. A fill carries the
 * count from before its load began and is refused when the count has moved (the lease of memcached, Nishtala et al., NSDI 2013).
 * What else lies there is versionbounds.ts.
 *
 * (I1) the count is stored before the page is retired, and never goes back; repair advances every count of its shard.
 */
import { nextSequence } from '../../../lib/sequence.js';
import type { Words } from '../../../lib/words.js';
import { type Geometry, Stripe } from '../layout/index.js';

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

  /** Refuses every fill under way in the shard. For repair, with the shard's lock held. */
  advanceAll(shard: number): void {
    for (let i = 0; i < this.perShard; i++) this.advance(this.at(shard, i));
  }

  /** First word of the shard's stripe of that place. */
  at(shard: number, index: number): number {
    return this.base + shard * this.stride + index * Stripe.words;
  }
}
