/**
 * The objects that checkpoints consist of: ordinary sealed objects, retained, under keys that nobody else can ask for.
 * Each belongs to one id for ever, so looking one up, or dropping it twice, can never meet another.
 */
import { PoolError } from '../../../lib/errors.js';
import { type DraftPlace, fillAndSeal, KeySpace, PassOver, poolFull, RESERVED_PREFIX } from '../access/index.js';
import {
  FLAG_RETAINED,
  INTERNAL_KEY_BYTES,
  NO_EXTENT,
  type RegionName,
  STATE_MASK,
  STATE_SEALED,
} from '../layout/index.js';
import { type NearEntry, REASON_DELETED } from '../near/index.js';
import { type ObjectId, Probe } from '../objects/index.js';
import type { NodeSession } from '../session/index.js';
import { bytesOfId, ID_BYTES, idOfBytes } from './manifest.js';

/** Objects dropped under one hold of a shard's lock. */
const BATCH_MAX = 128;

export class CheckpointObjects {
  private readonly session: NodeSession;
  private readonly keys: KeySpace;
  private readonly probe = new Probe();
  /** Undefined until it is asked for; a file's kind does not change. */
  private isOnDisk: boolean | undefined;

  constructor(session: NodeSession) {
    const { seed, reader } = session;
    this.session = session;
    this.keys = new KeySpace({ seed, prefix: RESERVED_PREFIX, near: reader.near, space: 0 });
  }

  /** Reserves the object. Throws POOL_FULL, OBJECT_TOO_LARGE, BUSY. */
  create(id: ObjectId, size: number): DraftPlace {
    const place = this.session.writer.create(this.keys.encode(bytesOfId(id)).fields({ size, flags: FLAG_RETAINED }));
    if (place === 'exists') throw new PoolError('POOL_CORRUPT', 'An object of a new checkpoint is there already.');
    if (place === 'full') throw poolFull(this.session.path, size);
    return place;
  }

  /** As create, filled and sealed. */
  put(id: ObjectId, bytes: Uint8Array): DraftPlace {
    const { writer, parts, path } = this.session;
    const place = this.create(id, bytes.length);
    const outcome = fillAndSeal(parts.segment, writer, place, bytes);
    if (outcome === 'full') throw poolFull(path, bytes.length);
    if (outcome !== 'sealed') throw new PoolError('NOT_OWNER', 'The draft is gone.');
    return place;
  }

  /** The sealed object of the id, exposed. */
  find(id: ObjectId): NearEntry | undefined {
    return this.session.glance(this.keys, bytesOfId(id));
  }

  /** Of the lock over the shard in which the object would lie. */
  restingWord(id: ObjectId): number | undefined {
    const { shards, locks } = this.session.parts;
    return locks.restingWord(shards.ofHash(this.keys.encode(bytesOfId(id)).hashLow));
  }

  /** Ids of all sealed objects of checkpoints: a look without locks, at the shards where something is retained. */
  all(): ObjectId[] {
    const { slots, shards, geometry } = this.session.parts;
    const found: ObjectId[] = [];
    for (let shard = 0; shard < geometry.shards; shard++) {
      if (shards.retained(shard) === 0) continue;
      for (let local = 0; local < geometry.slotsPerShard; local++) {
        const slot = shard * geometry.slotsPerShard + local;
        const before = slots.stateWord(slot);
        if ((before & STATE_MASK) !== STATE_SEALED || !slots.isInternal(slot)) continue;
        const key = slots.keyBytes(slot);
        // Without the lock: the slot may have become another object's while its key was read.
        if (key.length !== INTERNAL_KEY_BYTES || slots.stateWord(slot) !== before) continue;
        const id = idOfBytes(key.subarray(INTERNAL_KEY_BYTES - ID_BYTES));
        if (id.entry >= 0 && id.entry < geometry.checkpoints) found.push(id);
      }
    }
    return found;
  }

  /** Retires the objects; those that readers hold live until they let go. Throws BUSY, POOL_CORRUPT. */
  drop(ids: Iterable<ObjectId>): void {
    const { shards } = this.session.parts;
    const byShard = new Map<number, ObjectId[]>();
    for (const id of ids) {
      const shard = shards.ofHash(this.keys.encode(bytesOfId(id)).hashLow);
      const others = byShard.get(shard);
      if (others === undefined) byShard.set(shard, [id]);
      else others.push(id);
    }
    const passing = new PassOver();
    for (const [shard, all] of byShard) {
      passing.attempt(shard, () => {
        for (let from = 0; from < all.length; from += BATCH_MAX) this.dropIn(shard, all.slice(from, from + BATCH_MAX));
      });
    }
    passing.tell();
  }

  private dropIn(shard: number, ids: readonly ObjectId[]): void {
    const { locks } = this.session.parts;
    const { reclaimer } = this.session.writer;
    locks.within(shard, () => {
      for (const id of ids) this.retire(shard, id);
      reclaimer.reclaim(shard);
    });
  }

  private retire(shard: number, id: ObjectId): void {
    const { table, slots, geometry } = this.session.parts;
    const { probe } = this;
    const { bytes, length, hashLow, hashHigh } = this.keys.encode(bytesOfId(id));
    table.begin(probe, shard, hashLow, hashHigh);
    for (let local = table.next(probe); local >= 0; local = table.next(probe)) {
      const slot = shard * geometry.slotsPerShard + local;
      if ((slots.stateWord(slot) & STATE_MASK) !== STATE_SEALED || !slots.keyEquals(slot, bytes, length)) continue;
      this.session.writer.reclaimer.retire(shard, local, REASON_DELETED, probe.entryWord);
      return;
    }
  }

  /** Whether what is committed has to be brought to a disk. */
  private get needsSync(): boolean {
    const { file } = this.session.parts.segment;
    // A device has nothing to write back to.
    this.isOnDisk ??= !file.isVolatile() && file.device === undefined;
    return this.isOnDisk;
  }

  /**
   * Has the objects reach the disk, with all that is not derived from them: their bytes, every slot, and who owns which
   * chunk. Every slot, because an object that is long gone from memory may still be on the disk, in a slot that claims
   * space which a part has now: a repair after a restart could believe either.
   */
  sync(places: readonly DraftPlace[]): void {
    if (!this.needsSync) return;
    const { segment, slots } = this.session.parts;
    for (const { slot, extent } of places) {
      if (extent !== NO_EXTENT) segment.syncExtentNow(extent, slots.extentBytes(slot));
    }
    this.syncRegion('slots');
    this.syncRegion('chunkEntries');
  }

  /** Has the checkpoint directory reach the disk. */
  syncDirectory(): void {
    if (this.needsSync) this.syncRegion('checkpoints');
  }

  private syncRegion(name: RegionName): void {
    const { segment, geometry } = this.session.parts;
    const { word, stride, count } = geometry.regions[name];
    segment.syncWordsNow(word, stride * count);
  }
}
