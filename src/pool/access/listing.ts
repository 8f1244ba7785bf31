/** What is in the pool, read without locks: a listing is a look while others work, each line true of some moment of it. */

import { isOver } from '../../../lib/clock.js';
import type { Counters } from '../../../lib/counters.js';
import type { Machine } from '../../../lib/machine.js';
import { Pace } from '../../../lib/steps.js';
import type { Words } from '../../../lib/words.js';
import {
  Control,
  FLAG_RETAINED,
  type Geometry,
  type ObjectInfo,
  type PoolStats,
  STATE_DRAFT,
  STATE_MASK,
  STATE_SEALED,
} from '../layout/index.js';
import { type CounterName, counterIndex, type Nodes } from '../nodes/index.js';
import type { CheckpointDirectory, Shards, Slots, Spaces, Tags } from '../objects/index.js';
import { displayKey, startsWith } from './keys.js';
import { isOutOfSlots, limitOf } from './limits.js';

const SLOTS_A_STEP = 1024;

/** What of a node it works with. */
export interface ListingParts {
  readonly geometry: Geometry;
  readonly words: Words;
  readonly counters: Counters;
  readonly machine: Machine;
  readonly nodes: Nodes;
  readonly shards: Shards;
  readonly slots: Slots;
  readonly spaces: Spaces;
  readonly tags: Tags;
  readonly checkpoints: CheckpointDirectory;
}

/** One object, or undefined when the slot has none, or changed while it was read. */
function objectAt(
  parts: ListingParts,
  slot: number,
  prefix: Uint8Array | undefined,
  space: number | undefined,
): ObjectInfo | undefined {
  const { slots, spaces } = parts;
  const stateWord = slots.stateWord(slot);
  const state = stateWord & STATE_MASK;
  if (state !== STATE_SEALED && state !== STATE_DRAFT) return undefined;
  if (slots.isInternal(slot)) return undefined;
  if (space !== undefined && slots.space(slot) !== space) return undefined;
  if (prefix !== undefined && !slots.mayStartWith(slot, prefix)) return undefined;
  if (!spaces.isCurrent(slots.space(slot), slots.spaceGeneration(slot))) return undefined;
  const expiry = slots.expiry(slot);
  if (isOver(expiry, parts.machine.nowMs()) || !parts.tags.isFreshAt(slot)) return undefined;
  const keyBytes = slots.keyBytes(slot);
  if (keyBytes.length === 0 || (prefix !== undefined && !startsWith(keyBytes, prefix))) return undefined;
  const info: ObjectInfo = {
    key: displayKey(keyBytes),
    keyBytes,
    size: slots.size(slot),
    state: state === STATE_SEALED ? 'sealed' : 'draft',
    generation: slots.generation(slot),
    metadataSize: slots.metadataLength(slot),
    retained: (slots.flags(slot) & FLAG_RETAINED) !== 0,
  };
  if (expiry !== 0) info.expiresAt = new Date(expiry);
  return slots.stateWord(slot) === stateWord ? info : undefined;
}

/** Objects, and undefined now and then, where a caller may rest. */
function* listInSteps({ parts, prefix, space, check }: Listing): IterableIterator<ObjectInfo | undefined> {
  for (let slot = 0; slot < parts.slots.total; slot++) {
    if (slot % SLOTS_A_STEP === 0) {
      yield undefined;
      check();
    }
    const info = objectAt(parts, slot, prefix, space);
    if (info === undefined) continue;
    yield info;
    check();
  }
}

/** `prefix`, `space`: only objects whose key begins so, and of that space. `check` throws when the pool is gone: asked after each rest. */
export interface Listing {
  readonly parts: ListingParts;
  readonly prefix?: Uint8Array | undefined;
  readonly space?: number;
  readonly check: () => void;
}

/** The slots as they are: in the moment of superseding both pages are there, or the new one before a get has it. */
export function* listObjects(listing: Listing): IterableIterator<ObjectInfo> {
  for (const info of listInSteps(listing)) if (info !== undefined) yield info;
}

/** The same without holding the event loop for more than some milliseconds. */
export async function* listObjectsAsync(listing: Listing): AsyncIterableIterator<ObjectInfo> {
  const pace = new Pace(listing.parts.machine);
  for (const info of listInSteps(listing)) {
    if (info !== undefined) yield info;
    else if (pace.isTired()) await pace.rest();
  }
}

/** The sealed page of the slot, if its key begins with the prefix and `isWanted` says so of the slot. */
export function pageListedAt(
  parts: ListingParts,
  slot: number,
  prefix: Uint8Array | undefined,
  isWanted: (slot: number) => boolean,
): ObjectInfo | undefined {
  const stateWord = parts.slots.stateWord(slot);
  if ((stateWord & STATE_MASK) !== STATE_SEALED) return undefined;
  const info = objectAt(parts, slot, prefix, undefined);
  // What `isWanted` read was of this object if the slot is still the same after it.
  return info !== undefined && isWanted(slot) && parts.slots.stateWord(slot) === stateWord ? info : undefined;
}

/** A counter summed over every row, the dead ones included: rows are never set back. */
export function totalOf(parts: ListingParts, name: CounterName): number {
  let sum = 0;
  for (let row = 0; row < parts.geometry.maxNodes; row++)
    sum += parts.counters.get(counterIndex(parts.geometry, row, name));
  return sum;
}

export function statsOf(parts: ListingParts): PoolStats {
  const { geometry, shards, nodes } = parts;
  const control = geometry.regions.control.word;
  let granules = 0;
  let live = 0;
  let drafts = 0;
  let limbo = 0;
  let shardsOutOfSlots = 0;
  for (let shard = 0; shard < geometry.shards; shard++) {
    granules += shards.granules(shard);
    live += shards.live(shard);
    drafts += shards.drafts(shard);
    limbo += shards.limbo(shard);
    if (isOutOfSlots(shards.live(shard) + shards.limbo(shard), shards.capacity(shard))) shardsOutOfSlots++;
  }
  const bytesUsed = Math.min(granules * geometry.granuleBytes, geometry.dataBytes);
  const objects = Math.max(0, live - drafts);
  const pins = nodes.list(false).reduce((sum, node) => sum + node.pins, 0);
  const limitedBy = limitOf({
    ...{ shards: geometry.shards, shardsOutOfSlots, bytesData: geometry.dataBytes, bytesUsed, objects, pins },
    chunksFree: parts.words.read(control + Control.word.freeChunks),
  });
  return {
    bytesData: geometry.dataBytes,
    bytesUsed,
    bytesFree: geometry.dataBytes - bytesUsed,
    bytesMetadata: geometry.dataOffset,
    objects,
    drafts,
    limbo,
    pins,
    hits: totalOf(parts, 'nearHits') + totalOf(parts, 'tableHits'),
    misses: totalOf(parts, 'misses'),
    evictions: totalOf(parts, 'evictions'),
    restores: parts.words.read(control + Control.word.restores) >>> 0,
    damaged: parts.words.read(control + Control.word.damaged) >>> 0,
    checkpoints: parts.checkpoints.committedEntries().length,
    ...(limitedBy === undefined ? {} : { limitedBy }),
  };
}
