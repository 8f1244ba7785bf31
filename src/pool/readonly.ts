/**
 * A read-only node: it maps nothing writable, takes no row, and cannot disturb the pool. It can publish no interest
 * either, so it copies: bytes out, then state and generation again. What it hands out is a private copy.
 *
 * (U1) a slot's state becomes FREE before its extent can be reused, so a copy between two equal loads of a state word that
 *      is SEALED or RETIRED is a copy of that page. The second load comes after the copy by way of `fence`.
 */
import { PoolError } from '../../lib/errors.js';
import type { Machine } from '../../lib/machine.js';
import { Words } from '../../lib/words.js';
import { partsFor } from './attach.js';
import type { CheckpointDirectory } from './checkpointdirectory.js';
import { bytesOfKey, KeySpace, RESERVED_PREFIX } from './keys.js';
import { NO_EXTENT, STATE_MASK, STATE_RETIRED, STATE_SEALED } from './layout.js';
import { listObjects, statsOf } from './listing.js';
import { bytesOfId, type ObjectId } from './manifest.js';
import { NearIndex } from './near.js';
import type { Nodes } from './nodes.js';
import { checkSubscribe, checkWait } from './options.js';
import { PrivatePage } from './page.js';
import type { Parts } from './parts.js';
import { isWhole } from './restore.js';
import { type Held, listCheckpoints, type ObjectSource, restoreFrom } from './restoring.js';
import type { Segment } from './segment.js';
import { OpenSubscription } from './subscription.js';
import type {
  Checkpoint,
  CheckpointInfo,
  CheckpointWriter,
  Draft,
  Key,
  NodeInfo,
  ObjectInfo,
  Page,
  Pool,
  PoolInfo,
  PoolStats,
  SubscribeOptions,
  Subscription,
  WaitOptions,
} from './types.js';
import { Waits } from './waits.js';

const TRIES_MAX = 64;
const NOTHING = new Uint8Array(0);
const PAUSE_MS = 2;

export class ReadOnlyPool implements Pool, ObjectSource {
  readonly path: string;
  readonly info: PoolInfo;
  private readonly segment: Segment;
  private readonly nodeRows: Nodes;
  private readonly machine: Machine;
  private readonly parts: Parts;
  readonly directory: CheckpointDirectory;
  private readonly keys: KeySpace;
  private readonly internalKeys: KeySpace;
  private readonly fence = new Words(new ArrayBuffer(64));
  private readonly waits: Waits;
  private readonly name: string;
  private readonly isRestored: boolean;
  private readonly connectedAt: Date;
  private open = true;

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
    this.waits = new Waits(this.parts);
    const near = new NearIndex(0, options.segment.geometry.slotsPerShard);
    this.keys = new KeySpace({ seed: options.seed, prefix: NOTHING, near, space: 0 });
    this.internalKeys = new KeySpace({ seed: options.seed, prefix: RESERVED_PREFIX, near, space: 0 });
    this.directory = this.parts.checkpoints;
  }

  private check(): void {
    if (!this.open) throw new PoolError('DISCONNECTED', `The pool ${this.path} was disconnected.`);
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
    };
  }

  get(key: Key): PrivatePage | undefined {
    this.check();
    return this.find(this.keys.encode(key), key);
  }

  /** The page of the key encoded last, under the name its holder knows it by. */
  private find(keys: KeySpace, name: Key): PrivatePage | undefined {
    const { shards } = this.parts;
    const shard = shards.ofHash(keys.hashLow);
    for (let tries = 0; tries < TRIES_MAX; tries++) {
      const published = shards.publishSequence(shard);
      const retired = shards.retireSequence(shard);
      const page = this.copyOf(keys, name, shard);
      if (page !== undefined && page !== 'changing') return page;
      const still = shards.publishSequence(shard) === published && shards.retireSequence(shard) === retired;
      if (page === undefined && still) return undefined;
    }
    return undefined;
  }

  /** A copy of the page, undefined for none, 'changing' when a writer was at work on it. */
  private copyOf(keys: KeySpace, name: Key, shard: number): PrivatePage | undefined | 'changing' {
    const { table, slots, spaces, geometry } = this.parts;
    let changing = false;
    table.begin(shard, keys.hashLow, keys.hashHigh);
    for (let local = table.next(); local >= 0; local = table.next()) {
      const slot = shard * geometry.slotsPerShard + local;
      const before = slots.stateWord(slot);
      const state = before & STATE_MASK;
      if (state !== STATE_SEALED && state !== STATE_RETIRED) continue;
      if (!slots.keyEquals(slot, keys.bytes, keys.length)) continue;
      // As Reader.probe: a page is the key's as long as the entry names it, retired or not.
      if (!table.stillNames(local)) {
        changing = true;
        continue;
      }
      if (!slots.isIntact(slot)) {
        if (slots.stateWord(slot) === before) slots.verify(slot);
        return 'changing';
      }
      const expiry = slots.expiry(slot);
      if (expiry !== 0 && expiry <= this.machine.nowMs()) return undefined;
      if (!spaces.isCurrent(slots.space(slot), slots.spaceGeneration(slot))) continue;
      // A read-only node restores nothing: until somebody has, each page is looked at by itself.
      if (!this.isRestored && !slots.isWhole(slot)) return slots.stateWord(slot) === before ? undefined : 'changing';
      const page = this.copyIfInside(name, slot);
      this.fence.add(0, 1);
      return slots.stateWord(slot) === before && page !== undefined ? page : 'changing';
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

  getMany(keys: readonly Key[]): (Page | undefined)[] {
    return keys.map((key) => this.get(key));
  }

  hold(id: ObjectId, name: string): Held | undefined {
    const page = this.find(this.internalKeys.encode(bytesOfId(id)), name);
    return page === undefined ? undefined : { page, again: () => page.again() };
  }

  isBlocked(id: ObjectId): boolean {
    const { shards, locks } = this.parts;
    const shard = shards.ofHash(this.internalKeys.encode(bytesOfId(id)).hashLow);
    return locks.ownerOf(shard) >= 0 || locks.isDirty(shard);
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
    const { timeoutMs, signal } = checkWait(options);
    const started = this.machine.nowMs();
    for (;;) {
      if (signal?.aborted === true) throw new PoolError('ABORTED', 'Waiting was aborted.', undefined, signal.reason);
      const pages = this.getMany(keys);
      if (pages.every((page) => page !== undefined)) return pages as Page[];
      if (timeoutMs !== undefined && this.machine.nowMs() - started >= timeoutMs) {
        throw new PoolError('TIMEOUT', `The keys did not appear within ${timeoutMs} ms.`);
      }
      await this.machine.sleep(PAUSE_MS);
    }
  }

  async waitFor(key: Key, options?: WaitOptions): Promise<Page> {
    return (await this.waitForMany([key], options))[0] as Page;
  }

  has(key: Key): boolean {
    return this.get(key) !== undefined;
  }

  list(options?: { prefix?: Key }): IterableIterator<ObjectInfo> {
    this.check();
    const prefix = options?.prefix === undefined ? undefined : bytesOfKey(options.prefix);
    return this.guardedList(listObjects(this.parts, prefix));
  }

  private *guardedList(objects: IterableIterator<ObjectInfo>): IterableIterator<ObjectInfo> {
    for (;;) {
      this.check();
      const next = objects.next();
      if (next.done === true) return;
      yield next.value;
    }
  }

  /** Without a line to say that it sleeps, this node looks for events every few milliseconds. */
  subscribe(options?: SubscribeOptions): Subscription {
    this.check();
    const { prefix, replay, signal } = checkSubscribe(options);
    return new OpenSubscription({
      parts: this.parts,
      waits: this.waits,
      check: () => this.check(),
      prefix: prefix === undefined ? undefined : bytesOfKey(prefix).slice(),
      replay: replay === true,
      signal,
    });
  }

  stats(): PoolStats {
    this.check();
    return statsOf(this.parts);
  }

  nodes(): NodeInfo[] {
    this.check();
    return this.nodeRows.list(true);
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
  async sync(): Promise<void> {
    this.refuse('sync');
  }

  async disconnect(): Promise<void> {
    if (!this.open) return;
    this.open = false;
    this.waits.close();
    this.segment.unmap();
    this.segment.file.close();
  }
  [Symbol.asyncDispose](): Promise<void> {
    return this.disconnect();
  }
}
