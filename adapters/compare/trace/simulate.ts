/**
 * Exact single-cache policies over dense ids: LRU, SIEVE, S3-FIFO and adaptive 2Q (simulate-adaptive.ts), counted in
 * objects, all of one size.
 *
 * A policy also says in which slot 0..capacity-1 a resident id lies, so that the same class can hold real pages.
 *
 * (P1) At most `capacity` ids are resident, each in a slot of its own.
 * (P2) access(id) returns whether id was resident before; afterwards it is resident.
 * (P3) The sequence of accesses decides everything: no clock, no chance.
 */
import type { Eviction } from '../../../src/pool/index.js';
import type { Accesses } from './accesses.js';
import { Adaptive2QPolicy } from './simulate-adaptive.js';
import { NONE, SlotLinks, SlotList } from './slot-list.js';
import { type CachePolicy, SlotTable } from './slot-table.js';

export type { CachePolicy };

export type PolicyName = Exclude<Eviction, 'none'>;

export class LruPolicy implements CachePolicy {
  readonly capacity: number;
  private readonly table: SlotTable;
  private readonly links: SlotLinks;
  private readonly queue: SlotList;

  constructor(capacity: number) {
    this.capacity = capacity;
    this.table = new SlotTable(capacity);
    this.links = new SlotLinks(capacity);
    this.queue = new SlotList(this.links);
  }

  slotOf(id: number): number {
    return this.table.slotOf(id);
  }

  access(id: number): boolean {
    const slot = this.table.slotOf(id);
    if (slot !== NONE) {
      this.queue.moveToHead(slot);
      return true;
    }
    if (this.table.full) {
      const victim = this.queue.tail;
      this.queue.remove(victim);
      this.table.release(victim);
    }
    this.queue.pushHead(this.table.take(id));
    return false;
  }
}

/** Zhang et al., "SIEVE is Simpler than LRU", NSDI 2024, Algorithm 1. */
export class SievePolicy implements CachePolicy {
  readonly capacity: number;
  private readonly table: SlotTable;
  private readonly links: SlotLinks;
  private readonly queue: SlotList;
  private readonly visited: Uint8Array;
  /** The next candidate, or NONE to begin at the tail. */
  private hand = NONE;

  constructor(capacity: number) {
    this.capacity = capacity;
    this.table = new SlotTable(capacity);
    this.links = new SlotLinks(capacity);
    this.queue = new SlotList(this.links);
    this.visited = new Uint8Array(capacity);
  }

  slotOf(id: number): number {
    return this.table.slotOf(id);
  }

  access(id: number): boolean {
    const slot = this.table.slotOf(id);
    if (slot !== NONE) {
      this.visited[slot] = 1;
      return true;
    }
    if (this.table.full) this.evict();
    const taken = this.table.take(id);
    this.visited[taken] = 0;
    this.queue.pushHead(taken);
    return false;
  }

  private evict(): void {
    const { newer } = this.links;
    let candidate = this.hand === NONE ? this.queue.tail : this.hand;
    while (this.visited[candidate] === 1) {
      this.visited[candidate] = 0;
      const next = newer[candidate]!;
      candidate = next === NONE ? this.queue.tail : next;
    }
    this.hand = newer[candidate]!;
    this.queue.remove(candidate);
    this.table.release(candidate);
  }
}

const S3_SMALL_SHARE = 0.1;
const S3_GHOST_SHARE = 0.9;
const S3_COUNT_MAX = 3;

/**
 * Yang et al., "FIFO queues are all you need for cache eviction", SOSP 2023, Algorithm 1: small 10 %, main 90 %,
 * ghost = main entries, two-bit counter, promotion from small at count > 1.
 *
 * Where the paper leaves room: a promoted page starts at count 0; a full main makes room before a page is promoted
 * into it, which ends the eviction; the ghost is asked before the eviction; a page that comes back leaves the ghost.
 */
export class S3FifoPolicy implements CachePolicy {
  readonly capacity: number;
  private readonly smallCapacity: number;
  private readonly mainCapacity: number;
  private readonly table: SlotTable;
  private readonly links: SlotLinks;
  private readonly small: SlotList;
  private readonly main: SlotList;
  private readonly count: Uint8Array;
  private readonly ghostTable: SlotTable;
  private readonly ghostLinks: SlotLinks;
  private readonly ghost: SlotList;

  constructor(capacity: number) {
    this.capacity = capacity;
    this.smallCapacity = Math.max(1, Math.floor(capacity * S3_SMALL_SHARE));
    this.mainCapacity = capacity - this.smallCapacity;
    this.table = new SlotTable(capacity);
    this.links = new SlotLinks(capacity);
    this.small = new SlotList(this.links);
    this.main = new SlotList(this.links);
    this.count = new Uint8Array(capacity);
    const ghostCapacity = Math.floor(capacity * S3_GHOST_SHARE);
    this.ghostTable = new SlotTable(ghostCapacity);
    this.ghostLinks = new SlotLinks(ghostCapacity);
    this.ghost = new SlotList(this.ghostLinks);
  }

  slotOf(id: number): number {
    return this.table.slotOf(id);
  }

  access(id: number): boolean {
    const slot = this.table.slotOf(id);
    if (slot !== NONE) {
      if (this.count[slot]! < S3_COUNT_MAX) this.count[slot]! += 1;
      return true;
    }
    // Before the eviction, which could push this very id out of the ghost.
    const remembered = this.forget(id);
    while (this.table.full) this.evict();
    const taken = this.table.take(id);
    this.count[taken] = 0;
    if (remembered) this.main.pushHead(taken);
    else this.small.pushHead(taken);
    return false;
  }

  private evict(): void {
    if (this.small.count >= this.smallCapacity || this.main.count === 0) this.evictSmall();
    else this.evictMain();
  }

  private evictSmall(): void {
    while (this.small.count > 0) {
      const slot = this.small.tail;
      this.small.remove(slot);
      if (this.count[slot]! > 1) {
        this.count[slot] = 0;
        const mainFull = this.main.count > 0 && this.main.count >= this.mainCapacity;
        // Before the promoted page enters, so that pages given another round lie behind it.
        if (mainFull) this.evictMain();
        this.main.pushHead(slot);
        if (mainFull) return;
      } else {
        this.remember(this.table.release(slot));
        return;
      }
    }
  }

  private evictMain(): void {
    while (this.main.count > 0) {
      const slot = this.main.tail;
      if (this.count[slot]! > 0) {
        this.count[slot]! -= 1;
        this.main.moveToHead(slot);
      } else {
        this.main.remove(slot);
        this.table.release(slot);
        return;
      }
    }
  }

  /** True when the ghost held the id, which it no longer does. */
  private forget(id: number): boolean {
    const slot = this.ghostTable.slotOf(id);
    if (slot === NONE) return false;
    this.ghost.remove(slot);
    this.ghostTable.release(slot);
    return true;
  }

  private remember(id: number): void {
    if (this.ghostTable.capacity === 0) return;
    if (this.ghostTable.full) {
      const oldest = this.ghost.tail;
      this.ghost.remove(oldest);
      this.ghostTable.release(oldest);
    }
    this.ghost.pushHead(this.ghostTable.take(id));
  }
}

/** `capacity` >= 1. */
export function createPolicy(name: PolicyName, capacity: number): CachePolicy {
  if (name === 'lru') return new LruPolicy(capacity);
  if (name === 'sieve') return new SievePolicy(capacity);
  if (name === 'adaptive-2q') return new Adaptive2QPolicy(capacity);
  return new S3FifoPolicy(capacity);
}

/** Hits of one cache of `capacity` objects over the whole trace, from cold. */
export function simulateShared(name: PolicyName, capacity: number, trace: Accesses): number {
  const policy = createPolicy(name, capacity);
  let hits = 0;
  for (const { ids } of trace.chunks()) for (const id of ids) if (policy.access(id)) hits += 1;
  return hits;
}
