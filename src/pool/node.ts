/**
 * One node's session with a pool: what the object layer and the cache layer both do with keys, counted and checked. The
 * life of a node: attached → (drained) → detached; every call after that says DISCONNECTED.
 */
import { PoolError } from '../../lib/errors.js';
import type { Machine } from '../../lib/machine.js';
import { detach } from '../../lib/linux/index.js';
import type { Attached } from './attach.js';
import { binaryName, KeySpace } from './keys.js';
import type { NearEntry, NearKey, NearMap } from './near.js';
import { type CounterName, counterIndex, type Parts } from './parts.js';
import { nearAt, type Reader } from './reader.js';
import type { Repair } from './repair.js';
import type { Key } from './types.js';
import type { DraftPlace, Writer } from './writer.js';

export class NodeSession {
  readonly path: string;
  readonly seed: number;
  readonly parts: Parts;
  readonly reader: Reader;
  readonly writer: Writer;
  readonly repair: Repair;
  readonly machine: Machine;
  private open = true;
  private readonly drafts = new Map<DraftPlace, ArrayBuffer | undefined>();

  constructor(path: string, seed: number, attached: Attached) {
    this.path = path;
    this.seed = seed;
    this.parts = attached.parts;
    this.reader = attached.reader;
    this.writer = attached.writer;
    this.repair = attached.repair;
    this.machine = attached.parts.machine;
  }

  /** Throws DISCONNECTED. */
  check(): void {
    if (!this.open) throw new PoolError('DISCONNECTED', `The pool ${this.path} was disconnected.`);
  }

  get isOpen(): boolean {
    return this.open;
  }

  createKeySpace(prefix: Uint8Array, space: number): KeySpace {
    return new KeySpace({ seed: this.seed, prefix, near: this.reader.near, space });
  }

  count(name: CounterName, amount = 1): void {
    const { counters, geometry, nodes } = this.parts;
    counters.add(counterIndex(geometry, nodes.self, name), amount);
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
    if (near !== undefined && this.open && this.reader.isFresh(near)) {
      this.reader.touch(near);
      this.count('nearHits');
      return near;
    }
    this.check();
    return this.counted(this.reader.search(map, name, keys.encode(key), undefined));
  }

  /** The page of the number, exposed but not yet borrowed or pinned. */
  findPage(keys: KeySpace, pageNo: number, asOf: number | undefined): NearEntry | undefined {
    const near = nearAt(keys.strings, pageNo, asOf);
    if (near !== undefined && this.open && this.reader.isFresh(near)) {
      this.reader.touch(near);
      this.count('nearHits');
      return near;
    }
    this.check();
    return this.counted(this.reader.search(keys.strings, pageNo, keys.encodePage(pageNo), asOf));
  }

  private counted(found: NearEntry | undefined): NearEntry | undefined {
    if (found === undefined) {
      this.count('misses');
      return undefined;
    }
    this.reader.touch(found);
    this.count('tableHits');
    return found;
  }

  /** As find, without counting or touching. */
  glance(keys: KeySpace, key: Key): NearEntry | undefined {
    this.check();
    const isText = typeof key === 'string';
    const map = isText ? keys.strings : keys.binaries;
    const name = isText ? key : (keys.encode(key), binaryName(key));
    const near = map.entries.get(name);
    if (near !== undefined && this.reader.isFresh(near)) return near;
    return this.reader.search(map, name, keys.encode(key), undefined);
  }

  /** As findPage, without counting or touching. */
  glancePage(keys: KeySpace, pageNo: number, asOf: number | undefined): NearEntry | undefined {
    this.check();
    const near = nearAt(keys.strings, pageNo, asOf);
    if (near !== undefined && this.reader.isFresh(near)) return near;
    return this.reader.search(keys.strings, pageNo, keys.encodePage(pageNo), asOf);
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

  /** Gives everything back. What other nodes pin or read is theirs and stays. */
  close(): void {
    if (!this.open) return;
    this.open = false;
    const { locks, nodes, geometry, segment } = this.parts;
    for (const place of [...this.drafts.keys()]) {
      this.untrack(place);
      this.writer.abort(place);
    }
    this.reader.near.clear();
    const nodeLock = geometry.shards + 2;
    locks.acquire(nodeLock);
    nodes.leave();
    locks.release(nodeLock);
    // ORDER leave: the locks are free before the row's file lock: a joiner gets the row only after that; pairs with join.
    nodes.letGo();
    segment.unmap();
    segment.file.close();
  }
}
