/**
 * Restore: what the first opener after a restart of the machine does with a pool in a file on a disk.
 *
 * When processes die nothing is lost: the kernel has every store they made. When the machine stops, each 4 KiB page of
 * the file is left as it was when it last went to the disk: some moment since the last `sync`, another for each page. So
 * slots, bytes, tables and lists are of different moments, and only what agrees with itself is taken for a page.
 *
 * (W1) a page sealed before a sync began and not retired since is the same in all those moments: its slot, its bytes,
 *      its bucket entry, its chunk's entry, its space. Nothing here takes any of them away.
 * (W2) of the rest a page counts only when its check word, its space's generation and the checksum over its bytes and key
 *      (O7) agree. Every other slot is freed. What was retired since the sync may be back, whole.
 * (W3) the chunk table is made anew from the pages that count. Where two want one chunk, one is dropped: never one of (W1),
 *      in whose chunk no other shard had a page since.
 * (W4) spaces end before the first that is unused or damaged, and a page that is not of its space's generation is freed:
 *      no space entered later, and no later drop, brings it back.
 * (W5) bounds are fitted to the pages that are left: until, the highest version of a space, the publish sequence. A shard keeps
 *      no more pages than its capacity, those published first. Which versions are gone nobody knows (versionbounds.ts).
 * (W6) names of checkpoints that do not agree with themselves lead to nothing; their parts are collected like any garbage.
 * (W8) which tags were invalidated since a page was stored may be lost, and numbers of invalidations given twice: pages with tags are freed.
 * (W7) all other tables are rebuilt by the repair of each lock, which is left dirty for that.
 *
 * The opener holds the membership lock and no node is attached, so nobody else looks. That the pool is whole is stored
 * last of all (`markWhole`): a crash at any moment before that, of the process or of the machine, and the next opener
 * starts over.
 */

import type { Machine } from '../../../lib/machine.js';
import { isLater, stepsBetween } from '../../../lib/sequence.js';
import type { Words } from '../../../lib/words.js';
import { resetEvents } from '../events/index.js';
import {
  CHUNK_FREE,
  CHUNK_RUN,
  CHUNK_RUN_NEXT,
  CHUNK_SHARED,
  Control,
  FLAG_VERSIONED,
  type Geometry,
  HazardHead,
  lockCount,
  lowerUnsigned64,
  NO_EXTENT,
  NODE_LEFT,
  NodeRow,
  type Segment,
  STATE_FREE,
  STATE_MASK,
  STATE_SEALED,
} from '../layout/index.js';
import type { Locks, Nodes } from '../nodes/index.js';
import type { CheckpointDirectory, Shards, Slots, Spaces, Tags, VersionBounds } from '../objects/index.js';
import type { Chunks, Extents } from '../space/index.js';

/** What of a node it works with. */
export interface RestoreParts {
  readonly geometry: Geometry;
  readonly words: Words;
  readonly nodes: Nodes;
  readonly locks: Locks;
  readonly shards: Shards;
  readonly slots: Slots;
  readonly chunks: Chunks;
  readonly extents: Extents;
  readonly spaces: Spaces;
  readonly tags: Tags;
  readonly versionBounds: VersionBounds;
  readonly checkpoints: CheckpointDirectory;
}

const control = Control.word;

/** Whether the pool's words were all there at some moment of this boot, so that only processes can have died since. */
export function isWhole(segment: Segment, machine: Machine): boolean {
  if (!segment.survivesRestart) return true;
  const at = segment.geometry.regions.control.word;
  if (segment.words.load(at + control.file) !== segment.file.identity()) return false;
  let known = 0;
  for (let i = 0; i < 4; i++) {
    const part = machine.bootId[i] as number;
    if (segment.words.load(at + control.boot + i) !== part) return false;
    known |= part;
  }
  // Where the boot cannot be told, each opener that is alone looks at every page.
  return known !== 0;
}

export function markWhole(segment: Segment, machine: Machine): void {
  const at = segment.geometry.regions.control.word;
  segment.words.store(at + control.file, segment.file.identity());
  for (let i = 0; i < 4; i++) segment.words.store(at + control.boot + i, machine.bootId[i] as number);
}

interface Place {
  readonly kind: number;
  readonly shard: number;
  readonly size: number;
}
const NO_PLACE: Place = { kind: CHUNK_FREE, shard: 0, size: 0 };

/** Whether a chunk can be so besides what it is already. */
function canBe(now: Place | undefined, place: Place): boolean {
  if (now === undefined || now.kind === CHUNK_FREE) return now !== undefined;
  return now.kind === CHUNK_SHARED && place.kind === CHUNK_SHARED && now.shard === place.shard;
}

export class Restore {
  private readonly parts: RestoreParts;
  private readonly slotsPerShard: number;
  /** Lets others have the thread from time to time, and throws when the caller has given up. */
  private readonly breathe: () => Promise<void>;
  private damaged = 0;

  constructor(parts: RestoreParts, breathe: () => Promise<void>) {
    this.parts = parts;
    this.slotsPerShard = parts.geometry.slotsPerShard;
    this.breathe = breathe;
  }

  /** Leaves a pool in which every lock is to be repaired. Takes as long as reading all pages does. */
  async run(): Promise<void> {
    const { geometry, locks, spaces, words } = this.parts;
    for (let lock = 0; lock < lockCount(geometry); lock++) locks.leaveDirty(lock);
    this.emptyRows();
    resetEvents(words, geometry);
    this.parts.checkpoints.restore();
    spaces.forgetBroken();
    for (let shard = 0; shard < geometry.shards; shard++) {
      await this.sift(shard);
      this.limit(shard);
      this.fitVersions(shard);
    }
    this.parts.versionBounds.restore();
    this.parts.tags.restore();
    this.rebuildChunks();
    const at = geometry.regions.control.word;
    words.write(at + control.restores, words.read(at + control.restores) + 1);
    words.write(at + control.damaged, words.read(at + control.damaged) + this.damaged);
  }

  /** No node is attached, and none of the rows' pins and borrows count. */
  private emptyRows(): void {
    const { geometry, words, nodes } = this.parts;
    const { nodeRows, hazardHeads, control: start } = geometry.regions;
    for (let row = 0; row < geometry.maxNodes; row++) {
      const head = hazardHeads.word + row * HazardHead.words;
      words.write(head + HazardHead.word.borrowCount, 0);
      words.write(head + HazardHead.word.pinHigh, 0);
      words.write(nodeRows.word + row * NodeRow.words + NodeRow.word.state, NODE_LEFT);
      words.write(nodeRows.word + row * NodeRow.words + NodeRow.word.nameLength, 0);
      nodes.markCleaned(row, nodes.incarnationOf(row));
    }
    words.store(start.word + control.rowsHigh, 0);
  }

  private slotOf(shard: number, local: number): number {
    return shard * this.slotsPerShard + local;
  }

  private sealed(shard: number): number[] {
    const { slots } = this.parts;
    const found: number[] = [];
    for (let slot = this.slotOf(shard, 0); slot < this.slotOf(shard + 1, 0); slot++) {
      if ((slots.stateWord(slot) & STATE_MASK) === STATE_SEALED) found.push(slot);
    }
    return found;
  }

  /** (W2) Frees every slot that holds no page. Read in the order of the bytes, which a disk likes. */
  private async sift(shard: number): Promise<void> {
    const { slots, spaces, geometry, words } = this.parts;
    const { retireRings } = geometry.regions;
    // Records of a moment after the sequence's.
    words.fill(retireRings.word + shard * retireRings.stride, retireRings.stride, 0);
    const sealed = this.sealed(shard);
    for (let slot = this.slotOf(shard, 0); slot < this.slotOf(shard + 1, 0); slot++) {
      const state = slots.stateWord(slot) & STATE_MASK;
      if (state !== STATE_SEALED && state !== STATE_FREE) slots.force(slot, state, STATE_FREE);
    }
    sealed.sort((a, b) => slots.extent(a) - slots.extent(b));
    for (const slot of sealed) {
      await this.breathe();
      const isSound = slots.isIntact(slot) && slots.isWhole(slot);
      if (!isSound) this.damaged++;
      const isCurrent = spaces.isCurrent(slots.space(slot), slots.spaceGeneration(slot));
      // (W8)
      if (!isSound || !isCurrent || slots.tagCount(slot) > 0) slots.force(slot, STATE_SEALED, STATE_FREE);
    }
  }

  /** (W5) What was sealed later goes first: at the time of the sync there were no more than the capacity. */
  private limit(shard: number): void {
    const { slots, shards } = this.parts;
    const sealed = this.sealed(shard);
    let newest = shards.publishSequence(shard);
    for (const slot of sealed) if (isLater(slots.publishSequence(slot), newest)) newest = slots.publishSequence(slot);
    shards.raisePublish(shard, newest);
    const age = (slot: number) => stepsBetween(slots.publishSequence(slot), newest);
    sealed.sort((a, b) => age(b) - age(a));
    for (const slot of sealed.slice(shards.capacity(shard))) slots.force(slot, STATE_SEALED, STATE_FREE);
  }

  private fitVersions(shard: number): void {
    const { slots, spaces, geometry } = this.parts;
    const byHash = new Map<number, number[]>();
    for (const slot of this.sealed(shard)) {
      const space = slots.space(slot);
      if ((slots.flags(slot) & FLAG_VERSIONED) !== 0 && space >= 1 && space <= geometry.spaces)
        spaces.markVersioned(space);
      spaces.raiseHighest(space, slots.spaceGeneration(slot), slots.from(slot));
      const others = byHash.get(slots.hashHigh(slot));
      if (others === undefined) byHash.set(slots.hashHigh(slot), [slot]);
      else others.push(slot);
    }
    for (const group of byHash.values()) if (group.length > 1) this.endBeforeNext(group);
  }

  /** Each page of a key ends where the next version begins. */
  private endBeforeNext(group: number[]): void {
    const { slots, words } = this.parts;
    for (const slot of group) {
      const key = slots.keyBytes(slot);
      for (const other of group) {
        const isLater = slots.from(other) > slots.from(slot) && slots.keyEquals(other, key, key.length);
        if (isLater && slots.until(slot) > slots.from(other)) {
          lowerUnsigned64(words, slots.untilWord(slot), slots.from(other));
        }
      }
    }
  }

  /** (W3) A page that gets no place is dropped by the repair of its shard. */
  private rebuildChunks(): void {
    const { chunks, geometry } = this.parts;
    const table: Place[] = Array.from({ length: geometry.chunks }, () => NO_PLACE);
    for (let shard = 0; shard < geometry.shards; shard++) {
      for (const slot of this.sealed(shard)) {
        const first = this.firstChunk(slot);
        const places = this.placesOf(slot, shard);
        if (places.every((place, i) => canBe(table[first + i], place))) table.splice(first, places.length, ...places);
      }
    }
    table.forEach((place, chunk) => {
      chunks.rewrite(chunk, place.kind, place.shard, place.size);
    });
  }

  private firstChunk(slot: number): number {
    return this.parts.extents.chunkOf(this.parts.slots.extent(slot));
  }

  /** What the entries of the chunks must be in which the slot's page lies. */
  private placesOf(slot: number, shard: number): Place[] {
    const { slots, extents } = this.parts;
    if (slots.extent(slot) === NO_EXTENT) return [];
    const bytes = slots.extentBytes(slot);
    if (!extents.isRun(bytes)) return [{ kind: CHUNK_SHARED, shard, size: 0 }];
    const length = extents.runLengthOf(bytes);
    const first = { kind: CHUNK_RUN, shard, size: length };
    return Array.from({ length }, (_, i) => (i === 0 ? first : { kind: CHUNK_RUN_NEXT, shard, size: i }));
  }
}
