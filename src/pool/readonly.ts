/**
 * A read-only node: it maps nothing writable, takes no row, and cannot disturb the pool. It can publish no interest
 * either, so it copies: bytes out, then state and generation again. What it hands out is a private copy.
 *
 * (U1) a slot's state becomes FREE before its extent can be reused, and its generation grows before it is another page's. So a
 *      copy between two loads of a state word that say SEALED or RETIRED, of one generation, is a copy of that page. The
 *      second load comes after the copy by way of `fence`.
 * (U5) a key that always has a page is never missed: its entry names a page at every moment, never moves (B1), and whatever
 *      became of the slot that it named is looked at again. What changes without end is BUSY, not a miss.
 */
import { isOver } from '../../lib/clock.js';
import { PoolError } from '../../lib/errors.js';
import type { Machine } from '../../lib/machine.js';
import { type Shown, showAs, UNCLONEABLE } from '../../lib/shown.js';
import { atOnce, Pace } from '../../lib/steps.js';
import { Words } from '../../lib/words.js';
import {
  bytesOfPrefix,
  KeySpace,
  keyOfBytes,
  type Listing,
  listObjects,
  listObjectsAsync,
  listSpaces,
  RESERVED_PREFIX,
  statsOf,
  withHoldings,
} from './access/index.js';
import { partsFor } from './attach.js';
import { bytesOfId, type Held, listCheckpoints, type ObjectSource, restoreFrom } from './checkpoints/index.js';
import { Waits } from './events/index.js';
import {
  type Checkpoint,
  type CheckpointInfo,
  type CheckpointWriter,
  checkSubscribe,
  checkWait,
  type Draft,
  type Key,
  NO_EXTENT,
  type NodeInfo,
  type ObjectInfo,
  type Page,
  type Pool,
  type PoolInfo,
  type PoolStats,
  type Segment,
  type SpaceInfo,
  STATE_BITS,
  STATE_MASK,
  STATE_RETIRED,
  STATE_SEALED,
  type SubscribeOptions,
  type Subscription,
  type WaitOptions,
} from './layout/index.js';
import { NearIndex } from './near/index.js';
import { isBusy, type Nodes } from './nodes/index.js';
import { type CheckpointDirectory, type ObjectId, Probe } from './objects/index.js';
import { isWhole } from './recovery/index.js';
import { type NodeParts, OpenSubscription, PrivatePage, pagesWhenSealed, placeOf } from './session/index.js';

/** Until then tries are for nothing: a copy of a large page takes long, one of a small page no time. */
const TRIES_MIN = 8;
const TRIES_MAX = 64;
const TRIES_MS = 50;
const TRIES_MIN_MS = 10;
const NOTHING = new Uint8Array(0);

export class ReadOnlyPool implements Pool, ObjectSource, Shown {
  readonly uncloneable = UNCLONEABLE;
  readonly path: string;
  readonly info: PoolInfo;
  private readonly segment: Segment;
  private readonly nodeRows: Nodes;
  private readonly machine: Machine;
  private readonly parts: NodeParts;
  readonly directory: CheckpointDirectory;
  private readonly keys: KeySpace;
  private readonly internalKeys: KeySpace;
  private readonly fence = new Words(new ArrayBuffer(64));
  private readonly probe = new Probe();
  private readonly waits: Waits;
  private readonly name: string;
  private readonly isRestored: boolean;
  private readonly connectedAt: Date;
  private isOpen = true;

  constructor(options: {
    segment: Segment;
    nodes: Nodes;
    machine: Machine;
    seed: number;
    info: PoolInfo;
    name: string;
  }) {
    this.path = options.info.path;
    this.info = options.info;
    this.segment = options.segment;
    this.nodeRows = options.nodes;
    this.machine = options.machine;
    this.name = options.name;
    this.isRestored = isWhole(options.segment, options.machine);
    this.connectedAt = new Date(options.machine.nowMs());
    this.parts = partsFor(options.segment, options.machine, options.nodes, () => {});
    this.waits = new Waits(this.parts, options.seed);
    const near = new NearIndex(0, options.segment.geometry.slotsPerShard);
    this.keys = new KeySpace({ seed: options.seed, prefix: NOTHING, near, space: 0 });
    this.internalKeys = new KeySpace({ seed: options.seed, prefix: RESERVED_PREFIX, near, space: 0 });
    this.directory = this.parts.checkpoints;
  }

  private check(): void {
    if (!this.isOpen) throw new PoolError('DISCONNECTED', `The pool ${this.path} was disconnected.`);
  }

  get node(): NodeInfo {
    this.check();
    const bootId = [...this.machine.bootId].map((word) => (word >>> 0).toString(16).padStart(8, '0')).join('');
    const { processId: pid } = this.machine;
    return {
      id: -1,
      name: this.name,
      pid,
      bootId,
      state: 'alive',
      connectedAt: this.connectedAt,
      readOnly: true,
      pins: 0,
      pinnedBytes: 0,
      drafts: 0,
      claims: 0,
    };
  }

  get(key: Key): PrivatePage | undefined {
    this.check();
    return this.find(this.keys.encode(key), key);
  }

  /** The page of the key encoded last, under the name its holder knows it by. */
  private find(keys: KeySpace, name: Key): PrivatePage | undefined {
    return this.settled(keys, name, (slot) => this.copyIfInside(name, slot));
  }

  /** What `take` makes of the slot of the key's page; undefined for a miss. Throws BUSY, POOL_CORRUPT. */
  private settled<T>(keys: KeySpace, name: Key, take: (slot: number) => T | undefined): T | undefined {
    const { machine } = this;
    const { shards } = this.parts;
    const shard = shards.ofHash(keys.hashLow);
    const started = machine.elapsedMs();
    for (let tries = 1; ; tries++) {
      const published = shards.publishSequence(shard);
      const retired = shards.retireSequence(shard);
      const found = this.lookUp(keys, shard, take);
      if (found !== undefined && found !== 'changing') return found;
      const still = shards.publishSequence(shard) === published && shards.retireSequence(shard) === retired;
      // (U5)
      if (found === undefined && (still || tries >= TRIES_MIN)) return undefined;
      const elapsed = machine.elapsedMs() - started;
      if (tries < TRIES_MIN || elapsed < TRIES_MIN_MS || (tries < TRIES_MAX && elapsed < TRIES_MS)) continue;
      const what = `The page of the key ${JSON.stringify(name)} was superseded in each of ${tries} tries to copy it.`;
      throw new PoolError('BUSY', what, { key: name });
    }
  }

  /** What `take` makes of it, undefined for no page, 'changing' when a writer was at work on it. */
  private lookUp<T>(keys: KeySpace, shard: number, take: (slot: number) => T | undefined): T | undefined | 'changing' {
    const { table, slots, spaces, tags, geometry } = this.parts;
    const { probe } = this;
    let changing = false;
    table.begin(probe, shard, keys.hashLow, keys.hashHigh);
    for (let local = table.next(probe); local >= 0; local = table.next(probe)) {
      const slot = shard * geometry.slotsPerShard + local;
      const before = slots.stateWord(slot);
      const state = before & STATE_MASK;
      const isPage = state === STATE_SEALED || state === STATE_RETIRED;
      const isKeys = isPage && slots.keyEquals(slot, keys.bytes, keys.length);
      // As Reader.lookUp: a page is the key's as long as the entry names it, retired or not. And a slot that was another's by
      // the time it was looked at may have been the key's when its entry was (U5).
      if (!table.stillNames(probe, local)) {
        changing = true;
        continue;
      }
      if (!isKeys) continue;
      if (!slots.isIntact(slot)) {
        if (slots.stateWord(slot) === before) slots.verify(slot);
        return 'changing';
      }
      const expiry = slots.expiry(slot);
      if (isOver(expiry, this.machine.nowMs()) || !tags.isFreshAt(slot)) return undefined;
      if (!spaces.isCurrent(slots.space(slot), slots.spaceGeneration(slot))) continue;
      // A read-only node restores nothing: until somebody has, each page is looked at by itself.
      if (!this.isRestored && !slots.isWhole(slot)) return slots.stateWord(slot) === before ? undefined : 'changing';
      const taken = take(slot);
      this.fence.add(0, 1);
      return taken !== undefined && isSamePage(before, slots.stateWord(slot)) ? taken : 'changing';
    }
    return changing ? 'changing' : undefined;
  }

  /** Undefined when its fields do not fit together: they are being changed. */
  private copyIfInside(key: Key, slot: number): PrivatePage | undefined {
    const { slots } = this.parts;
    const extent = slots.extent(slot);
    const size = slots.size(slot);
    const length = slots.metadataLength(slot);
    const offset = slots.metadataOffset(slot);
    const isEmpty = extent === NO_EXTENT && size === 0 && length === 0;
    if (!isEmpty && !this.segment.isInside(extent, Math.max(size, offset + length))) return undefined;
    const bytes = this.segment.sealedBytes(extent, 0, size).slice();
    const metadata = this.segment.sealedBytes(extent, offset, length).slice();
    return new PrivatePage(key, bytes, metadata, slots.generation(slot));
  }

  open(descriptor: string): PrivatePage | undefined {
    this.check();
    const { slots, spaces, tags } = this.parts;
    const { slot, generation } = placeOf(descriptor, this.info.poolId, slots.total);
    for (let tries = 0; tries < TRIES_MAX; tries++) {
      const before = slots.stateWord(slot);
      const state = before & STATE_MASK;
      if (before >>> STATE_BITS !== generation || (state !== STATE_SEALED && state !== STATE_RETIRED)) return undefined;
      if (!slots.isIntact(slot) && slots.stateWord(slot) === before) slots.verify(slot);
      const expiry = slots.expiry(slot);
      if (isOver(expiry, this.machine.nowMs()) || !tags.isFreshAt(slot)) return undefined;
      if (!spaces.isCurrent(slots.space(slot), slots.spaceGeneration(slot))) return undefined;
      if (!this.isRestored && !slots.isWhole(slot)) return undefined;
      const page = this.copyIfInside(keyOfBytes(slots.keyBytes(slot)), slot);
      this.fence.add(0, 1);
      if (slots.stateWord(slot) === before && page !== undefined) return page;
    }
    return undefined;
  }

  getMany(keys: readonly Key[]): (Page | undefined)[] {
    return keys.map((key) => this.get(key));
  }

  hold(id: ObjectId, name: string): Held | undefined {
    const page = this.find(this.internalKeys.encode(bytesOfId(id)), name);
    return page === undefined ? undefined : { page, again: () => page.again() };
  }

  restingWord(id: ObjectId): number | undefined {
    const { shards, locks } = this.parts;
    return locks.restingWord(shards.ofHash(this.internalKeys.encode(bytesOfId(id)).hashLow));
  }

  restore(name: string): Checkpoint | undefined {
    this.check();
    return restoreFrom(this, name);
  }

  checkpoints(): CheckpointInfo[] {
    this.check();
    return listCheckpoints(this);
  }

  async waitForMany(keys: readonly Key[], options?: WaitOptions): Promise<Page[]> {
    const { parts, waits } = this;
    const hold = (key: Key) => this.getUnlessBusy(key);
    const host = { parts, waits, check: () => this.check(), hold };
    return pagesWhenSealed(host, this.keys, [...keys], checkWait(options));
  }

  /** For whoever looks again in a moment. */
  private getUnlessBusy(key: Key): PrivatePage | undefined {
    try {
      return this.get(key);
    } catch (error) {
      if (isBusy(error)) return undefined;
      throw error;
    }
  }

  async waitFor(key: Key, options?: WaitOptions): Promise<Page> {
    return (await this.waitForMany([key], options))[0] as Page;
  }

  has(key: Key): boolean {
    this.check();
    return this.settled(this.keys.encode(key), key, () => true) === true;
  }

  list(options?: { prefix?: Key }): IterableIterator<ObjectInfo> {
    return listObjects(this.listing(options));
  }

  listAsync(options?: { prefix?: Key }): AsyncIterableIterator<ObjectInfo> {
    return listObjectsAsync(this.listing(options));
  }

  /** A listing that is still open when the pool is disconnected says so instead of reading memory that is gone. */
  private listing(options?: { prefix?: Key }): Listing {
    this.check();
    const prefix = options?.prefix === undefined ? undefined : bytesOfPrefix(options.prefix);
    return { parts: this.parts, prefix, check: () => this.check() };
  }

  /** Without a line to say that it sleeps, this node looks for events every few milliseconds. */
  subscribe(options?: SubscribeOptions): Subscription {
    this.check();
    const { prefix, replay, signal } = checkSubscribe(options);
    return new OpenSubscription({
      parts: this.parts,
      waits: this.waits,
      check: () => this.check(),
      prefix: prefix === undefined ? undefined : bytesOfPrefix(prefix).slice(),
      replay: replay === true,
      signal,
    });
  }

  spaces(): SpaceInfo[] {
    this.check();
    return atOnce(listSpaces(this.parts, () => {}));
  }

  async spacesAsync(): Promise<SpaceInfo[]> {
    this.check();
    return new Pace(this.machine).run(listSpaces(this.parts, () => this.check()));
  }

  stats(): PoolStats {
    this.check();
    return { ...statsOf(this.parts), ...this.segment.lost() };
  }

  nodes(): NodeInfo[] {
    this.check();
    return withHoldings(this.parts, this.nodeRows.list(true));
  }

  private refuse(what: string): never {
    this.check();
    throw new PoolError('READ_ONLY', `${what} on a read-only node of ${this.path}.`);
  }
  create(): Draft {
    return this.refuse('create');
  }
  checkpoint(): CheckpointWriter {
    return this.refuse('checkpoint');
  }
  forget(): boolean {
    return this.refuse('forget');
  }
  put(): boolean {
    return this.refuse('put');
  }
  delete(): boolean {
    return this.refuse('delete');
  }
  evict(): number {
    return this.refuse('evict');
  }
  removeSpace(): boolean {
    return this.refuse('removeSpace');
  }
  async sync(): Promise<void> {
    this.refuse('sync');
  }

  async disconnect(): Promise<void> {
    // All of it may be done again, where it was cut.
    this.isOpen = false;
    this.waits.close();
    this.segment.unmap();
    this.segment.file.close();
  }
  toJSON(): object {
    const { path, info, isOpen } = this;
    return { path, poolId: info.poolId, readOnly: true, state: isOpen ? 'connected' : 'disconnected' };
  }
  [Symbol.asyncDispose](): Promise<void> {
    return this.disconnect();
  }
}

showAs(ReadOnlyPool, 'Pool');
/** Whether the page of the slot, of which the one state word was loaded before the other, was there all the time. */
function isSamePage(before: number, after: number): boolean {
  const state = after & STATE_MASK;
  return (before & ~STATE_MASK) === (after & ~STATE_MASK) && (state === STATE_SEALED || state === STATE_RETIRED);
}
