/** Arms of the benchmark `hit` that are models of the hit path: an index lookup and its three atomics, nothing else. */
import { LRUCache } from 'lru-cache';
import type { Index, Tally, World } from './hit.world.js';
import type { Arm } from './interleave.js';
import { missed } from './pages.js';

/** What a near index remembers, as far as a hit needs it. */
class ModelEntry {
  readonly slot: number;
  readonly shard: number;
  readonly sequenceWord: number;
  readonly bytes: Uint8Array;

  constructor(slot: number, bytes: Uint8Array) {
    this.slot = slot;
    this.shard = slot % MODEL_SHARDS;
    this.sequenceWord = 16 * (slot % MODEL_SHARDS);
    this.bytes = bytes;
  }
}

const MODEL_SHARDS = 32;
const MODEL_DROPS = 16 * MODEL_SHARDS;
const MODEL_RING = MODEL_DROPS + 16;

export function modelArms({ pages, reads }: World, tally: Tally): Arm[] {
  const { pageNos, offsets } = reads;
  const map: Index<number, ModelEntry> = new Map(pages.map((page, pageNo) => [pageNo, new ModelEntry(pageNo, page)]));
  const lru = new LRUCache<number, ModelEntry>({ max: pages.length });
  pages.forEach((page, pageNo) => {
    lru.set(pageNo, new ModelEntry(pageNo, page));
  });
  const words = new Int32Array(new ArrayBuffer(4 * (MODEL_RING + 1024)));
  const seen = new Int32Array(MODEL_SHARDS);
  let position = 0;
  return [
    tally.arm('atomics over Map', false, (from, to) => {
      let sum = 0;
      for (let i = from; i < to; i++) {
        const entry = map.get(pageNos[i]!);
        if (entry === undefined) throw missed('the model');
        Atomics.store(words, MODEL_RING + position, entry.slot + 1);
        if (Atomics.load(words, entry.sequenceWord) !== seen[entry.shard]) throw missed('the model');
        if (Atomics.load(words, MODEL_DROPS) !== 0) throw missed('the model');
        position = (position + 1) & 1023;
        sum += entry.bytes[offsets[i]!]!;
      }
      return sum;
    }),
    tally.arm('atomics over lru-cache', false, (from, to) => {
      let sum = 0;
      for (let i = from; i < to; i++) {
        const entry = lru.get(pageNos[i]!);
        if (entry === undefined) throw missed('the model');
        Atomics.store(words, MODEL_RING + position, entry.slot + 1);
        if (Atomics.load(words, entry.sequenceWord) !== seen[entry.shard]) throw missed('the model');
        if (Atomics.load(words, MODEL_DROPS) !== 0) throw missed('the model');
        position = (position + 1) & 1023;
        sum += entry.bytes[offsets[i]!]!;
      }
      return sum;
    }),
  ];
}
