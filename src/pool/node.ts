/**
 * One node's session with a pool: what the object layer and the cache layer both do with keys, counted and checked. The
 * life of a node: attached → (drained) → detached; every call after that says DISCONNECTED.
 */
import type { Counters } from '../../lib/counters.js';
import { PoolError } from '../../lib/errors.js';
import { detach } from '../../lib/linux/index.js';
import type { Machine } from '../../lib/machine.js';
import type { Attached } from './attach.js';
import { binaryName, KeySpace } from './keys.js';
import type { NearEntry, NearKey, NearMap } from './near.js';
import { COUNTER_NAMES, type CounterName, counterIndex, type Parts } from './parts.js';
import { nearAt, type Reader } from './reader.js';
import type { Repair } from './repair.js';
import type { Key } from './types.js';
import { Waits } from './waits.js';
import type { DraftPlace, Writer } from './writer.js';

export class NodeSession {
  readonly path: string;
  readonly seed: number;
  readonly parts: Parts;
  readonly reader: Reader;
  readonly writer: Writer;
  readonly repair: Repair;
  readonly machine: Machine;
  readonly waits: Waits;
  private open = true;
  private readonly counters: Counters;
  private readonly tableHits: number;
  private readonly misses: number;
  /** Counts of earlier nodes of this row: rows are never set back. */
  private readonly countedBefore: Partial<Record<CounterName, number>> = {};
  private readonly keySpaces = new Map<number, KeySpace>();
  private readonly drafts = new Map<DraftPlace, ArrayBuffer | undefined>();

  constructor(path: string, seed: number, attached: Attached) {
    this.path = path;
    this.seed = seed;
    this.parts = attached.parts;
    this.reader = attached.reader;
    this.writer = attached.writer;
    this.repair = attached.repair;
    this.machine = attached.parts.machine;
    this.waits = new Waits(attached.parts);
    const { counters, geometry, nodes } = attached.parts;
    this.counters = counters;
    this.tableHits = counterIndex(geometry, nodes.self, 'tableHits');
    this.misses = counterIndex(geometry, nodes.self, 'misses');
    for (const name of COUNTER_NAMES) this.countedBefore[name] = counters.get(counterIndex(geometry, nodes.self, name));
  }

  /** Throws DISCONNECTED. */
  check(): void {
    if (!this.open) throw new PoolError('DISCONNECTED', `The pool ${this.path} was disconnected.`);
  }

  get isOpen(): boolean {
    return this.open;
  }

  /** The keys that begin with the prefix, in the space. Whoever asks again for a space gets what this node knows of it. */
  createKeySpace(prefix: Uint8Array, space: number): KeySpace {
    const known = this.keySpaces.get(space);
    if (known !== undefined) return known;
    const created = new KeySpace({ seed: this.seed, prefix, near: this.reader.near, space });
    this.keySpaces.set(space, created);
    return created;
  }

  count(name: CounterName, amount = 1): void {
    this.counters.add(counterIndex(this.parts.geometry, this.parts.nodes.self, name), amount);
  }

  /** What this node has counted since it connected. */
  counted(name: CounterName): number {
    const now = this.counters.get(counterIndex(this.parts.geometry, this.parts.nodes.self, name));
    return now - (this.countedBefore[name] ?? 0);
  }

  /** The page of the key, exposed but not yet borrowed or pinned. Throws DISCONNECTED, KEY_INVALID, POOL_CORRUPT. */
  find(keys: KeySpace, key: Key): NearEntry | undefined {
    return typeof key === 'string' ? this.findIn(keys.strings, key, keys, key) : this.findBinary(keys, key);
  }

  private findBinary(keys: KeySpace, key: Uint8Array): NearEntry | undefined {
    this.check();
    keys.encode(key);
    return this.findIn(keys.binaries, binaryName(key), keys, key);
  }

  private findIn(map: NearMap, name: NearKey, keys: KeySpace, key: Key): NearEntry | undefined {
    const near = map.entries.get(name);
    if (near !== undefined && this.reader.hit(near)) return near;
    this.check();
    return this.tally(this.reader.search(map, name, keys.encode(key), undefined));
  }

  /** The page of the number, exposed but not yet borrowed or pinned. */
  findPage(keys: KeySpace, pageNo: number, asOf: number | undefined): NearEntry | undefined {
    const { pages } = keys;
    const near = nearAt(pages, pageNo, asOf);
    if (near !== undefined && this.reader.hit(near)) {
      pages.shorten(pageNo, near);
      return near;
    }
    this.check();
    return this.tally(this.reader.search(pages, pageNo, keys.encodePage(pageNo), asOf));
  }

  private tally(found: NearEntry | undefined): NearEntry | undefined {
    if (found === undefined) {
      this.counters.add(this.misses, 1);
      return undefined;
    }
    this.reader.touch(found);
    this.counters.add(this.tableHits, 1);
    return found;
  }

  /** As find, without counting or touching. */
  glance(keys: KeySpace, key: Key): NearEntry | undefined {
    this.check();
    if (typeof key !== 'string') keys.encode(key);
    const map = typeof key === 'string' ? keys.strings : keys.binaries;
    const name = typeof key === 'string' ? key : binaryName(key);
    const near = map.entries.get(name);
    if (near !== undefined && this.reader.isFresh(near)) return near;
    return this.reader.search(map, name, keys.encode(key), undefined);
  }

  /** As findPage, without counting or touching. */
  glancePage(keys: KeySpace, pageNo: number, asOf: number | undefined): NearEntry | undefined {
    this.check();
    const near = nearAt(keys.pages, pageNo, asOf);
    if (near !== undefined && this.reader.isFresh(near)) return near;
    return this.reader.search(keys.pages, pageNo, keys.encodePage(pageNo), asOf);
  }

  /** A draft of this node: it is undone at disconnect. */
  track(place: DraftPlace, buffer: ArrayBuffer | undefined): void {
    this.drafts.set(place, buffer);
  }

  /** The draft is over: its writable view is taken away where the runtime can. */
  untrack(place: DraftPlace): void {
    const buffer = this.drafts.get(place);
    if (buffer !== undefined) detach(buffer);
    this.drafts.delete(place);
  }

  private isLockFree(lock: number): boolean {
    const { locks } = this.parts;
    const isFree = locks.tryAcquire(lock);
    if (isFree) locks.release(lock);
    return isFree;
  }

  /** Whether no draft and no claim is left for want of a lock. If one is, the row stays taken: others clean it as a dead one. */
  private isBare(): boolean {
    const { chunks, nodes } = this.parts;
    try {
      chunks.unclaimRow(nodes.self);
    } catch (error) {
      if (!(error instanceof PoolError)) throw error;
      return false;
    }
    return this.writer.leftovers.count === 0;
  }

  /** Gives everything back. What other nodes pin or read is theirs and stays. */
  close(): void {
    if (!this.open) return;
    this.open = false;
    const { nodes, segment } = this.parts;
    const { leftovers } = this.writer;
    try {
      this.waits.close();
      for (const place of [...this.drafts.keys()]) {
        this.untrack(place);
        // One lock that cannot be had is waited for, not one for each draft.
        if (leftovers.count > 0 && !this.isLockFree(place.shard)) leftovers.add(place);
        else leftovers.abandon(place);
      }
      this.reader.near.clear();
      this.reader.hazards.close();
      if (this.isBare()) nodes.leave();
    } finally {
      // Drafts given up after the waits were closed may have rung others.
      this.parts.bells.port?.close();
      // ORDER leave-1: the row's file lock goes last: a joiner gets the row only after that; pairs with takeRow.
      nodes.letGo();
      segment.unmap();
      segment.file.close();
    }
  }
}
