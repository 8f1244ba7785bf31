/**
 * Touch rings: how a hit reaches the eviction policy without a shared line. Each node has a small ring per shard, which
 * only it writes; whoever holds the shard's lock drains the rings before it chooses victims. Lossy by design (as
 * Caffeine's read buffers): what was overwritten before it was drained is not counted. Everything here is a hint:
 * plain writes, every value checked by the reader.
 */
import { nextSequence, sequenceAfter, stepsBetween } from '../../../lib/sequence.js';
import type { Words } from '../../../lib/words.js';
import { type Geometry, Slot, STATE_MASK, STATE_SEALED, TouchHead } from '../layout/index.js';
import type { Nodes } from '../nodes/index.js';
import type { Policy } from '../policy/index.js';

const HEAD_WORDS = TouchHead.words;

export class Touches {
  private readonly words: Words;
  private readonly base: number;
  private readonly stride: number;
  private readonly mask: number;
  private readonly shards: number;
  private readonly drained: number;
  private readonly drainedStride: number;

  constructor(words: Words, geometry: Geometry, row: number) {
    const { touches, touchesDrained } = geometry.regions;
    this.shards = geometry.shards;
    this.drained = touchesDrained.word + row;
    this.drainedStride = touchesDrained.stride;
    this.words = words;
    this.base = touches.word + row * geometry.shards * touches.stride;
    this.stride = touches.stride;
    this.mask = geometry.touchEntries - 1;
  }

  /** Whether whoever evicts has been told of all hits. */
  areDrained(): boolean {
    for (let shard = 0; shard < this.shards; shard++) {
      const drained = this.words.read(this.drained + shard * this.drainedStride);
      if (this.words.read(this.base + shard * this.stride) !== drained) return false;
    }
    return true;
  }

  record(shard: number, slot: number): void {
    const { words } = this;
    const ring = this.base + shard * this.stride;
    const position = words.read(ring);
    words.write(ring + HEAD_WORDS + (position & this.mask), slot + 1);
    // On every hit: nextSequence by hand.
    words.write(ring, (position + 1) | 0);
  }
}

export class TouchDrain {
  private readonly words: Words;
  private readonly geometry: Geometry;
  private readonly nodes: Nodes;

  constructor(words: Words, geometry: Geometry, nodes: Nodes) {
    this.words = words;
    this.geometry = geometry;
    this.nodes = nodes;
  }

  /** Drains when some ring is half full: while a shard fills up it evicts nothing, and its hits would be overwritten. */
  relieve(shard: number, policy: Policy): void {
    const { words, geometry } = this;
    const { touches, touchesDrained } = geometry.regions;
    const high = this.nodes.high();
    for (let row = this.nodes.nextActive(0, high); row >= 0; row = this.nodes.nextActive(row + 1, high)) {
      const position = words.read(touches.word + (row * geometry.shards + shard) * touches.stride);
      const drained = words.read(touchesDrained.word + shard * touchesDrained.stride + row);
      if (stepsBetween(drained, position) > geometry.touchEntries / 2) {
        this.drain(shard, policy);
        return;
      }
    }
  }

  /** Tells the policy of every hit since the last drain. The caller holds the shard's lock. */
  drain(shard: number, policy: Policy): void {
    const { words, geometry } = this;
    const { touches, touchesDrained, slots } = geometry.regions;
    const { touchEntries } = geometry;
    const first = shard * geometry.slotsPerShard;
    const high = this.nodes.high();
    for (let row = this.nodes.nextActive(0, high); row >= 0; row = this.nodes.nextActive(row + 1, high)) {
      const ring = touches.word + (row * geometry.shards + shard) * touches.stride;
      const drainedWord = touchesDrained.word + shard * touchesDrained.stride + row;
      const position = words.load(ring);
      let drained = words.read(drainedWord);
      if (position === drained) continue;
      const behind = stepsBetween(drained, position);
      if (behind < 0 || behind > touchEntries) drained = sequenceAfter(position, -touchEntries);
      for (; drained !== position; drained = nextSequence(drained)) {
        const local = words.read(ring + HEAD_WORDS + (drained & (touchEntries - 1))) - 1 - first;
        if (local < 0 || local >= geometry.slotsPerShard) continue;
        const state = words.read(slots.word + (first + local) * Slot.words + Slot.word.state) & STATE_MASK;
        if (state === STATE_SEALED) policy.touch(local);
      }
      words.write(drainedWord, position);
    }
  }
}
