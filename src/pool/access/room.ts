/**
 * Room for one object in its shard: a slot and an extent, made by the eviction policy where there is none, and by what has
 * expired. Under the shard's lock.
 */
import type { Machine } from '../../../lib/machine.js';
import { NO_EXTENT } from '../layout/index.js';
import type { Shards } from '../objects/index.js';
import type { Chunks, Extents } from '../space/index.js';
import type { Evictor } from './evict.js';
import type { Reclaimer } from './reclaim.js';

const ROUNDS_MAX = 256;

interface RoomParts {
  readonly machine: Machine;
  readonly shards: Shards;
  readonly extents: Extents;
  readonly chunks: Chunks;
}

export class Room {
  private readonly parts: RoomParts;
  private readonly reclaimer: Reclaimer;
  private readonly evictor: Evictor;

  constructor(parts: RoomParts, reclaimer: Reclaimer, evictor: Evictor) {
    this.parts = parts;
    this.reclaimer = reclaimer;
    this.evictor = evictor;
  }

  /** A free slot is on the list, and an extent is reserved: its first granule. Undefined when there is no room. */
  reserve(shard: number, bytes: number, allowance: number, claimed: number): number | undefined {
    const { shards, extents } = this.parts;
    // What there was too little of last: bytes, or 0 for slots; -1 for nothing.
    let wanted = -1;
    for (let round = 0; round < ROUNDS_MAX; round++) {
      const overCapacity = shards.live(shard) >= shards.capacity(shard) + allowance;
      if (overCapacity || !shards.hasFreeSlot(shard)) {
        if (!this.makeRoom(shard, 0, overCapacity)) return undefined;
        wanted = 0;
        continue;
      }
      const extent = bytes === 0 ? NO_EXTENT : this.allocate(shard, bytes, claimed);
      if (bytes === 0 || extent !== NO_EXTENT) {
        if (wanted >= 0) this.evictor.retireAhead(shard, wanted);
        return extent;
      }
      // Nothing is evicted for a chunk that can be had in a moment.
      if (this.parts.chunks.busy !== undefined) return undefined;
      // A run is not made within one shard: the caller claims chunks across all of them.
      if (extents.isRun(bytes) || !this.makeRoom(shard, bytes, false)) return undefined;
      wanted = bytes;
    }
    return undefined;
  }

  /** Where the policy has nothing to give, what has expired makes room: it may be retained, or nothing is ever evicted. */
  private makeRoom(shard: number, bytes: number, overCapacity: boolean): boolean {
    const { reclaimer, evictor } = this;
    return evictor.makeRoom(shard, bytes, overCapacity) || reclaimer.sweep(shard, this.parts.machine.nowMs()) > 0;
  }

  private allocate(shard: number, bytes: number, claimed: number): number {
    const { extents, chunks } = this.parts;
    if (extents.isRun(bytes)) {
      const length = extents.runLengthOf(bytes);
      if (claimed >= 0 && chunks.takeClaimed(shard, claimed, length)) return extents.adoptRun(shard, claimed, length);
      return extents.allocateRun(shard, bytes);
    }
    const found = extents.allocate(shard, bytes);
    // A chunk that turned out not to be needed is not taken: it would stay, with nothing in it.
    if (found !== NO_EXTENT || claimed < 0 || !chunks.takeClaimedChunk(shard, claimed)) return found;
    return extents.allocateIn(shard, claimed, bytes);
  }
}
