/** Where faults are made by hand. */
import type { FindingCode } from '../../../src/pool/census/findings.js';
import type { RegionName } from '../../../src/pool/layout/geometry.js';
import { Slot, STATE_MASK, STATE_SEALED } from '../../../src/pool/layout/layout.js';
import { Probe } from '../../../src/pool/objects/probe.js';
import type { NodeParts } from '../../../src/pool/session/index.js';

export interface Fault {
  readonly code: FindingCode;
  readonly where: RegExp;
  readonly what: string;
  readonly repairable?: true;
  readonly make: (at: Place) => void;
}

/** The pool of one shard that faults are made in: key-0 to key-19, a run of chunks, versions, a draft, a limbo page. */
export class Place {
  readonly parts: NodeParts;

  constructor(parts: NodeParts) {
    this.parts = parts;
  }

  word(region: RegionName, index: number, field = 0): number {
    const { word, stride } = this.parts.geometry.regions[region];
    return word + index * stride + field;
  }
  head(field: number): number {
    return this.word('shardHeads', 0, field);
  }
  control(field: number): number {
    return this.word('control', 0, field);
  }
  slot(local: number, field: number): number {
    return this.word('slots', 0) + local * Slot.words + field;
  }
  set(word: number, change: (before: number) => number): void {
    this.parts.words.store(word, change(this.parts.words.read(word)));
  }

  /** The first slot in the state, after `skip` others. */
  inState(state: number, skip = 0): number {
    let left = skip;
    for (let slot = 0; slot < this.parts.slots.total; slot++) {
      if ((this.parts.slots.stateWord(slot) & STATE_MASK) === state && left-- === 0) return slot;
    }
    throw new Error(`no slot in state ${state}`);
  }

  of(key: string): number {
    const { slots } = this.parts;
    for (let slot = 0; slot < slots.total; slot++) {
      const state = slots.stateWord(slot) & STATE_MASK;
      if (state === STATE_SEALED && Buffer.from(slots.keyBytes(slot)).toString() === key) return slot;
    }
    throw new Error(`no sealed slot of ${key}`);
  }

  entryOf(slot: number): number {
    const { table, slots } = this.parts;
    return table.find(new Probe(), 0, slots.hashLow(slot), slots.hashHigh(slot), slot);
  }

  chunkOf(slot: number): number {
    return this.parts.extents.chunkOf(this.parts.slots.extent(slot));
  }
  chunkOfKind(kind: number): number {
    for (let chunk = 0; chunk < this.parts.geometry.chunks; chunk++)
      if (this.parts.chunks.kind(chunk) === kind) return chunk;
    throw new Error(`no chunk of kind ${kind}`);
  }
}
