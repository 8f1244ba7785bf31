/**
 * One node's session with a pool: what the object layer and the cache layer both do with keys, counted and checked. The
 * life of a node: attached → (drained) → detached; every call after that says DISCONNECTED.
 */
import { takeAway } from '../../../lib/bytes.js';
import type { Counters } from '../../../lib/counters.js';
import { PoolError } from '../../../lib/errors.js';
import type { Machine } from '../../../lib/machine.js';
import { UNCLONEABLE } from '../../../lib/shown.js';
import { type DraftPlace, KeySpace, nearAt, type Reader, type Writer } from '../access/index.js';
import { Waits } from '../events/index.js';
import { type Key, lockCount } from '../layout/index.js';
import { type NearEntry, type NearKey, type NearMap, Resting } from '../near/index.js';
import { COUNTER_NAMES, type CounterName, counterIndex, lockOf } from '../nodes/index.js';
import { Holdings } from './holdings.js';
import type { NodeParts } from './parts.js';
import { Turns } from './turns.js';

/** What a session and its upkeep ask of repair, which stands above. */
export interface Repairer {
  /** Repairs what the lock guards, which the caller holds. */
  repair(lock: number): void;
  /** Takes back drafts of the row. Throws BUSY, POOL_CORRUPT. */
  undoDraftsOf(row: number, isLost: (slot: number) => boolean): void;
  /** Gives back what the dead node of the row left. */
  cleanRow(row: number): void;
}

/** One attached node: what the pool and the cache are made of. */
export interface Attached {
  readonly parts: NodeParts;
  readonly reader: Reader;
  readonly writer: Writer;
  readonly repair: Repairer;
}

function isSame(one: Uint8Array, other: Uint8Array): boolean {
  return one.length === other.length && one.every((byte, i) => byte === other[i]);
}

export class NodeSession {
  // First: every handle leads here.
  readonly uncloneable = UNCLONEABLE;
  readonly path: string;
  readonly poolId: string;
  readonly seed: number;
  readonly parts: NodeParts;
  readonly reader: Reader;
  readonly writer: Writer;
  readonly repair: Repairer;
  readonly machine: Machine;
  readonly waits: Waits;
  readonly holdings: Holdings;
  readonly resting: Resting;
  private open = true;
  /** How far the node's leaving has come. */
  private isGivenBack = false;
  private hasLetGo = false;
  private isClosed = false;
  private readonly counters: Counters;
  private readonly tableHits: number;
  private readonly misses: number;
  /** Counts of earlier nodes of this row: rows are never set back. */
  private readonly countedBefore: Partial<Record<CounterName, number>> = {};
  private readonly keySpaces = new Map<number, KeySpace>();
  /** For asynchronous calls, which hold up nobody behind a lock. */
  readonly turns: Turns;
  private readonly drafts = new Map<DraftPlace, ArrayBuffer | undefined>();
  /**
   * Pins of a call under way that takes several: it adds each as it is made, and empties the list as it hands them over. What
   * a cut call leaves here is let go.
   */
  readonly inHand: { release(): void }[] = [];
  /** Sets back, at upkeep, what the end of a run sets back: where that was cut it never comes. */
  readonly betweenRuns: (() => void)[] = [];
  /** Tell the pool what this node has counted in private: at upkeep, at its end, and before it is asked for. */
  readonly tellers: (() => void)[] = [];

  constructor(path: string, seed: number, attached: Attached, poolId = '') {
    this.path = path;
    this.poolId = poolId;
    this.seed = seed;
    this.parts = attached.parts;
    this.reader = attached.reader;
    this.writer = attached.writer;
    this.repair = attached.repair;
    this.machine = attached.parts.machine;
    this.waits = new Waits(attached.parts, seed);
    this.turns = new Turns(attached.parts, () => this.check());
    this.resting = new Resting(attached.reader.hazards, attached.reader.touches);
    this.holdings = new Holdings(path, this.machine, attached.reader.hazards);
    attached.parts.calls.settle = () => this.trySettle();
    const { counters, geometry, nodes } = attached.parts;
    this.counters = counters;
    this.tableHits = counterIndex(geometry, nodes.self, 'tableHits');
    this.misses = counterIndex(geometry, nodes.self, 'misses');
    for (const name of COUNTER_NAMES) this.countedBefore[name] = counters.get(counterIndex(geometry, nodes.self, name));
  }

  private hasLostFile = false;
  /** Told of it in place of the process. */
  onMoved: ((lost: 'removed' | 'replaced') => unknown) | undefined;

  /** Tells once where the path no longer leads to the pool. For upkeep. */
  lookForFile(): void {
    if (this.hasLostFile) return;
    const { lost } = this.parts.segment.lost();
    if (lost === undefined) return;
    this.hasLostFile = true;
    const { onMoved } = this;
    if (onMoved !== undefined) {
      // What it throws, or rejects with, is the caller's, and upkeep goes on.
      this.machine.afterRun(() => void onMoved(lost));
      return;
    }
    const what = lost === 'removed' ? 'was removed or renamed' : 'was replaced by another file';
    this.machine.warn(
      'SEALPOOL_FILE_LOST',
      `The file of the pool ${this.path} ${what}. This node goes on with the pool it has, but who connects from now on does not find that. Disconnect and connect again (onMoved is told when); stats() tells it as lost. Look for what tidies up the folder (systemd's RemoveIPC, a job that cleans /dev/shm).`,
    );
  }

  /** Throws DISCONNECTED, NODE_FENCED. */
  check(): void {
    if (this.open) return;
    if (this.parts.nodes.isFenced) throw new PoolError('NODE_FENCED', `This node of ${this.path} was taken for dead.`);
    throw new PoolError('DISCONNECTED', `The pool ${this.path} was disconnected.`);
  }

  get isOpen(): boolean {
    return this.open;
  }

  /** The keys that begin with the prefix, in the space. Whoever asks again for a space gets what this node knows of it. */
  createKeySpace(prefix: Uint8Array, space: number): KeySpace {
    const known = this.keySpaces.get(space);
    // Of another prefix where the space had another name then.
    if (known !== undefined && isSame(known.prefix(), prefix)) return known;
    const created = new KeySpace({ seed: this.seed, prefix, near: this.reader.near, space });
    this.keySpaces.set(space, created);
    return created;
  }

  /** Their name was found to have another space. */
  moveKeySpace(keys: KeySpace, space: number): void {
    if (this.keySpaces.get(keys.space) === keys) this.keySpaces.delete(keys.space);
    keys.moveTo(space);
    this.keySpaces.set(space, keys);
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
    return this.findIn(keys.binaries, keys.encode(key).binaryName(), keys, key);
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
    const map = typeof key === 'string' ? keys.strings : keys.binaries;
    const name = typeof key === 'string' ? key : keys.encode(key).binaryName();
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

  /** A draft in hand goes into the books: it is undone at disconnect. */
  track(place: DraftPlace, buffer: ArrayBuffer | undefined): void {
    this.drafts.set(place, buffer);
    // (Q1) With no function's entry on the way back to the caller: a draft in the books has an owner.
    this.parts.calls.open--;
  }

  /** A draft is in hand again, to be sealed once or abandoned: its bytes are taken away. */
  untrack(place: DraftPlace): void {
    if (!this.drafts.has(place)) return;
    this.parts.calls.begin();
    this.closeBook(place);
  }

  /** The draft is over. */
  closeBook(place: DraftPlace): void {
    const buffer = this.drafts.get(place);
    if (buffer !== undefined) takeAway(buffer);
    this.drafts.delete(place);
  }

  /** Lets go of what a call that takes several pins and was cut had in hand. */
  letGoInHand(): void {
    for (let page = this.inHand.at(-1); page !== undefined; page = this.inHand.at(-1)) {
      page.release();
      this.inHand.pop();
    }
  }

  /** The lock behind which it could not be settled, as long as it is held. */
  private settleBlocker: number | undefined;
  /** How many times something was taken back. */
  cuts = 0;

  /**
   * Takes back what calls that were cut have left (Q3). Between two runs. Throws BUSY, POOL_CORRUPT: then the rest is for
   * the next time.
   */
  settle(): void {
    if (!this.open) return;
    const { calls, locks, chunks, nodes, bells, geometry } = this.parts;
    this.reader.hazards.settle();
    this.letGoInHand();
    if (calls.open === 0 || calls.settle === undefined) return;
    locks.resetPatience();
    locks.withPatience(0, () => {
      locks.recoverOwn(lockCount(geometry));
      this.undoUnknownDrafts();
      chunks.unclaimRow(nodes.self);
    });
    bells.flush();
    calls.open = 0;
    this.cuts++;
  }

  private undoUnknownDrafts(): void {
    // By generation: a book that a cut call did not close may name a slot that has another draft by now.
    const known = new Map([...this.drafts.keys()].map(({ slot, generation }) => [slot, generation]));
    for (const { slot, generation } of this.writer.leftovers.all()) known.set(slot, generation);
    const { slots, nodes } = this.parts;
    this.repair.undoDraftsOf(nodes.self, (slot) => known.get(slot) !== slots.generation(slot));
  }

  private trySettle(): void {
    const { locks } = this.parts;
    if (this.settleBlocker !== undefined && locks.isHeldByLiving(this.settleBlocker)) return;
    this.settleBlocker = undefined;
    try {
      this.settle();
    } catch (error) {
      // Upkeep tries again.
      if (!(error instanceof PoolError)) throw error;
      this.settleBlocker = lockOf(error);
    }
  }

  private isLockFree(lock: number): boolean {
    return this.parts.locks.tryWithin(lock, () => {});
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

  /**
   * Gives everything back. What other nodes pin or read is theirs and stays. One that was cut is gone on with when it is called
   * again, as upkeep does: but from the moment on at which the row may be another's, nothing is stored in it.
   */
  close(): void {
    if (this.isClosed) return;
    this.open = false;
    try {
      if (this.parts.nodes.isTakenOver()) this.abandon();
      else if (!this.isGivenBack) this.giveBack();
    } finally {
      // Who waits is told in any case.
      this.waits.close();
      this.detach();
    }
  }

  tell(): void {
    for (const teller of this.tellers) teller();
  }

  private giveBack(): void {
    this.tell();
    const { nodes, calls, locks, geometry } = this.parts;
    const { leftovers } = this.writer;
    this.holdings.close();
    this.waits.close();
    for (const place of [...this.drafts.keys()]) {
      this.untrack(place);
      // One lock that cannot be had is waited for, not one for each draft.
      if (leftovers.count > 0 && !this.isLockFree(place.shard)) leftovers.add(place);
      else leftovers.abandon(place);
    }
    if (calls.open !== 0 && calls.settle !== undefined) locks.recoverOwn(lockCount(geometry));
    if (calls.open !== 0) this.undoUnknownDrafts();
    this.reader.near.clear();
    this.reader.hazards.close();
    if (this.isBare()) nodes.leave();
  }

  /** The row is others' now: nothing is given back, and nothing more is stored. What is handed out goes with the mapping. */
  private abandon(): void {
    this.holdings.close();
    this.reader.hazards.abandon();
    this.reader.near.clear();
  }

  private detach(): void {
    this.isGivenBack = true;
    const { nodes, bells, segment } = this.parts;
    // Drafts given up after the waits were closed may have rung others.
    bells.port?.close();
    // ORDER leave-1: the row's file lock goes last: a joiner gets the row only after that; pairs with takeRow.
    if (!this.hasLetGo && !nodes.isFenced) nodes.letGo();
    this.hasLetGo = true;
    segment.unmap();
    segment.file.close();
    this.isClosed = true;
  }
}
