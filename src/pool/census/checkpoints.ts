/** The checkpoint directory, and whether what it leads to is there. */

import type { Words } from '../../../lib/words.js';
import { KeySpace, RESERVED_PREFIX } from '../access/index.js';
import { bytesOfId, decodeManifest, ID_BYTES, idOfBytes, type Manifest, nameOfId } from '../checkpoints/index.js';
import {
  CHECKPOINT_UNUSED,
  CHECKPOINT_USED,
  CheckpointEntry,
  type Geometry,
  INTERNAL_KEY_BYTES,
  NO_EXTENT,
  type Segment,
  STATE_MASK,
  STATE_SEALED,
} from '../layout/index.js';
import { NearIndex } from '../near/index.js';
import type { Nodes } from '../nodes/index.js';
import {
  type CheckpointDirectory,
  type ObjectId,
  Probe,
  type Shards,
  type Slots,
  type Table,
} from '../objects/index.js';
import type { Findings } from './findings.js';

/** What of a node it works with. */
export interface CheckpointParts {
  readonly segment: Segment;
  readonly geometry: Geometry;
  readonly words: Words;
  readonly nodes: Nodes;
  readonly shards: Shards;
  readonly slots: Slots;
  readonly table: Table;
  readonly checkpoints: CheckpointDirectory;
}

const at = CheckpointEntry.word;

export class CheckpointWalk {
  private readonly parts: CheckpointParts;
  private readonly findings: Findings;
  private readonly keys: KeySpace;
  private readonly probe = new Probe();
  /** Ids of all objects that some entry leads to. */
  private readonly living = new Set<string>();

  constructor(parts: CheckpointParts, seed: number, findings: Findings) {
    const near = new NearIndex(0, parts.geometry.slotsPerShard);
    this.parts = parts;
    this.findings = findings;
    this.keys = new KeySpace({ seed, prefix: RESERVED_PREFIX, near, space: 0 });
  }

  walk(): void {
    const { checkpoints, geometry, words } = this.parts;
    const names = new Map<string, number>();
    let isTold = true;
    for (let entry = 0; entry < geometry.checkpoints; entry++) {
      const state = words.load(checkpoints.wordOf(entry) + at.state);
      const where = `checkpoint ${entry}`;
      if (state !== CHECKPOINT_USED && state !== CHECKPOINT_UNUSED)
        this.findings.add('CHECKPOINT_DAMAGED', where, `its state is ${state}`);
      if (state === CHECKPOINT_USED && !this.walkEntry(entry, where, names)) isTold = false;
    }
    if (isTold) this.walkGarbage();
  }

  /** False when it cannot be told which objects the entry leads to. */
  private walkEntry(entry: number, where: string, names: Map<string, number>): boolean {
    const { checkpoints, words, nodes, geometry } = this.parts;
    const word = checkpoints.wordOf(entry);
    const add = (code: 'CHECKPOINT_DAMAGED' | 'CHECKPOINT_TWICE', message: string) =>
      this.findings.add(code, where, message);
    const name = checkpoints.nameOf(entry);
    const isNamed = name !== undefined && checkpoints.hashOf(name) === words.read(word + at.nameHash);
    const committed = checkpoints.committedOf(entry);
    const [open, owner] = [words.load(word + at.open), words.read(word + at.owner) - 1];
    if (open !== 0 && open !== 1) add('CHECKPOINT_DAMAGED', `open is ${open}`);
    if (owner >= geometry.maxNodes) add('CHECKPOINT_DAMAGED', `its owner is row ${owner}, which is none`);
    const isLeft = open === 1 && nodes.isGone(owner, words.read(word + at.ownerIncarnation));
    if (isLeft) this.findings.add('CHECKPOINT_OF_DEAD', where, `was being written by node ${owner}, which is gone`);
    // A name that was cut off while it was entered leads to nothing yet, and goes with its writer.
    if (!isNamed && !(isLeft && committed === undefined)) add('CHECKPOINT_DAMAGED', 'its name has another hash');
    if (isNamed) {
      const text = Buffer.from(name).toString('latin1');
      const twin = names.get(text);
      if (twin !== undefined) add('CHECKPOINT_TWICE', `has the name of entry ${twin}`);
      names.set(text, entry);
    }
    if (committed === 'damaged') {
      add('CHECKPOINT_DAMAGED', 'the place that counts does not hold');
      return false;
    }
    if (committed === undefined) return true;
    const manifest = this.manifestOf(committed.manifest);
    if (manifest === undefined || manifest.entry !== entry || manifest.sequence !== committed.sequence) {
      this.findings.add('CHECKPOINT_INCOMPLETE', where, 'its manifest is not there or does not hold');
      return false;
    }
    this.living.add(nameOfId(committed.manifest));
    for (const { id, size } of manifest.parts.values()) this.walkPart(where, id, size);
    return true;
  }

  private walkPart(where: string, id: ObjectId, size: number): void {
    this.living.add(nameOfId(id));
    const slot = this.slotOf(id);
    if (slot < 0) this.findings.add('CHECKPOINT_INCOMPLETE', where, `part ${nameOfId(id)} is not there`);
    else if (this.parts.slots.size(slot) !== size)
      this.findings.add('CHECKPOINT_INCOMPLETE', where, `part ${nameOfId(id)} has another size`);
  }

  /** The slot of the sealed object, or -1. */
  private slotOf(id: ObjectId): number {
    const { table, slots, shards, geometry } = this.parts;
    const { probe } = this;
    const { bytes, length, hashLow, hashHigh } = this.keys.encode(bytesOfId(id));
    const shard = shards.ofHash(hashLow);
    table.begin(probe, shard, hashLow, hashHigh);
    for (let local = table.next(probe); local >= 0; local = table.next(probe)) {
      const slot = shard * geometry.slotsPerShard + local;
      if ((slots.stateWord(slot) & STATE_MASK) === STATE_SEALED && slots.keyEquals(slot, bytes, length)) return slot;
    }
    return -1;
  }

  private manifestOf(id: ObjectId): Manifest | undefined {
    const { slots, segment } = this.parts;
    const slot = this.slotOf(id);
    if (slot < 0 || !slots.isIntact(slot)) return undefined;
    const [extent, size] = [slots.extent(slot), slots.size(slot)];
    if (extent === NO_EXTENT || !segment.isInside(extent, size)) return undefined;
    return decodeManifest(segment.sealedBytes(extent, 0, size));
  }

  /** What nothing leads to, where nobody is left who may be about to drop it or lead to it. */
  private walkGarbage(): void {
    const { nodes, slots } = this.parts;
    if (nodes.list(true).some((node) => node.state === 'alive')) return;
    for (let slot = 0; slot < slots.total; slot++) {
      if ((slots.stateWord(slot) & STATE_MASK) !== STATE_SEALED || !slots.isInternal(slot)) continue;
      const key = slots.keyBytes(slot);
      if (key.length !== INTERNAL_KEY_BYTES) continue;
      const name = nameOfId(idOfBytes(key.subarray(INTERNAL_KEY_BYTES - ID_BYTES)));
      if (!this.living.has(name)) this.findings.add('CHECKPOINT_GARBAGE', `slot ${slot}`, `nothing leads to ${name}`);
    }
  }
}
