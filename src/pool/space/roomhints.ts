/**
 * Where a shard may have room, in its head and under its lock: the chunks in which something was freed last, and how long
 * the free runs of its other chunks are at most. A full pool finds room where room was made, and that there is none without
 * a look at each chunk: each is two lines that another process wrote last.
 *
 * (X6) a chunk of the shard that is not among `fresh` has no free run longer than `restLongest`.
 */
import type { Words } from '../../../lib/words.js';
import { type Geometry, ShardHead } from '../layout/index.js';

export const FRESH_CHUNKS = 6;
const { fresh: FRESH, restLongest: REST } = ShardHead.word;

export class RoomHints {
  private readonly words: Words;
  private readonly heads: number;

  constructor(words: Words, geometry: Geometry) {
    this.words = words;
    this.heads = geometry.regions.shardHeads.word;
  }

  private at(shard: number): number {
    return this.heads + shard * ShardHead.words;
  }

  /** The chunk at a place from 0, the newest, to FRESH_CHUNKS; -1 for none. */
  fresh(shard: number, place: number): number {
    return this.words.read(this.at(shard) + FRESH + place) - 1;
  }

  isFresh(shard: number, chunk: number): boolean {
    return this.placeOf(shard, chunk) < FRESH_CHUNKS;
  }

  private placeOf(shard: number, chunk: number): number {
    let place = 0;
    while (place < FRESH_CHUNKS && this.fresh(shard, place) !== chunk) place++;
    return place;
  }

  /** The newest. Returns the chunk that has lost its place by that, or -1: its runs count among the rest from now on. */
  note(shard: number, chunk: number): number {
    const { words } = this;
    const word = this.at(shard) + FRESH;
    const known = this.placeOf(shard, chunk);
    if (known === 0) return -1;
    const lost = known === FRESH_CHUNKS ? this.fresh(shard, FRESH_CHUNKS - 1) : -1;
    for (let place = Math.min(known, FRESH_CHUNKS - 1); place > 0; place--)
      words.write(word + place, words.read(word + place - 1));
    words.write(word, chunk + 1);
    return lost;
  }

  /** For a chunk that has no room, or is the shard's no more. */
  remove(shard: number, place: number): void {
    const { words } = this;
    const word = this.at(shard) + FRESH;
    for (let i = place; i < FRESH_CHUNKS - 1; i++) words.write(word + i, words.read(word + i + 1));
    words.write(word + FRESH_CHUNKS - 1, 0);
  }

  restLongest(shard: number): number {
    return this.words.read(this.at(shard) + REST) >>> 0;
  }

  setRestLongest(shard: number, granules: number): void {
    this.words.write(this.at(shard) + REST, granules);
  }

  /** Where nothing is known: each chunk may have a run of so many. */
  forget(shard: number, granules: number): void {
    this.words.fill(this.at(shard) + FRESH, FRESH_CHUNKS, 0);
    this.setRestLongest(shard, granules);
  }
}
