/**
 * The near index: what this node remembers of where pages lie, with the view ready made. Private memory of one node;
 * nothing here is shared. It is kept true by the retire log and the drop count, not by checking slots.
 *
 * A plain Map per name space of keys, bounded together, first in first out: entries leave when their page is retired,
 * so order of use matters only for a node whose index is smaller than its working set. docs/ARCHITECTURE.md has the
 * figures by which it is not lru-cache.
 */
import type { Forgetful } from './retirelog.js';

export type NearKey = string | number;

/** Eight bytes each. */
const SHORTCUTS_MAX = 65_536;

/**
 * What a node remembers of one sealed page. The fields that a hit reads come first, so that they share a cache line; all
 * are set once, in one order, for one hidden class.
 */
export class NearEntry {
  /** Page number or string. */
  readonly key: NearKey;
  readonly slot: number;
  readonly shard: number;
  readonly bytes: Uint8Array;
  /** Milliseconds since the epoch, 0 for never. */
  readonly expiry: number;
  /** Whether it is open-ended: the newest version. */
  readonly isOpen: boolean;
  /** Infinity while it is open-ended. */
  readonly until: number;
  readonly from: number;
  readonly metadata: Uint8Array;
  readonly generation: number;
  readonly space: number;
  readonly spaceGeneration: number;
  readonly owner: NearMap;
  /** The next entry of the same slot under another key form. */
  nextOfSlot: NearEntry | undefined = undefined;
  /** The next version of the same key. */
  nextVersion: NearEntry | undefined = undefined;

  constructor(owner: NearMap, key: NearKey, at: NearFields) {
    this.key = key;
    this.slot = at.slot;
    this.shard = at.shard;
    this.bytes = at.bytes;
    this.expiry = at.expiry;
    this.isOpen = at.until === Number.POSITIVE_INFINITY;
    this.until = at.until;
    this.from = at.from;
    this.metadata = at.metadata;
    this.generation = at.generation;
    this.space = at.space;
    this.spaceGeneration = at.spaceGeneration;
    this.owner = owner;
  }
}

export interface NearFields {
  slot: number;
  shard: number;
  generation: number;
  bytes: Uint8Array;
  metadata: Uint8Array;
  expiry: number;
  space: number;
  spaceGeneration: number;
  from: number;
  until: number;
}

/**
 * The keys of one name space: strings for keys, numbers for pages. Public for the hot path only.
 *
 * `shortcuts` leads from a page number's low bits to the entry that was found there last, past the map: a third of its
 * cost. It names entries that the index knows and that are open-ended, no others: one that is forgotten leaves it, which
 * also gives its view back to the collector.
 */
export class NearMap {
  readonly entries = new Map<NearKey, NearEntry>();
  readonly shortcuts: (NearEntry | undefined)[];
  readonly mask: number;

  /** `shortcuts`: how many, a power of two; 0 for names that are no numbers. */
  constructor(shortcuts: number) {
    this.shortcuts = new Array(shortcuts).fill(undefined);
    this.mask = shortcuts - 1;
  }

  /** The page's open-ended entry by the shortcut; not yet known to be fresh. */
  atShortcut(pageNo: number): NearEntry | undefined {
    const entry = this.shortcuts[pageNo & this.mask];
    return entry !== undefined && entry.key === pageNo ? entry : undefined;
  }

  /** The entry is one that the index knows. */
  shorten(pageNo: number, entry: NearEntry): void {
    if (entry.isOpen) this.shortcuts[pageNo & this.mask] = entry;
  }

  /** The entry is forgotten. */
  lengthen(entry: NearEntry): void {
    const at = (entry.key as number) & this.mask;
    if (this.shortcuts[at] === entry) this.shortcuts[at] = undefined;
  }
}

export class NearIndex implements Forgetful {
  private readonly capacity: number;
  private readonly slotsPerShard: number;
  private readonly bySlot = new Map<number, NearEntry>();
  private readonly maps: NearMap[] = [];
  private count = 0;

  constructor(capacity: number, slotsPerShard: number) {
    this.capacity = capacity;
    this.slotsPerShard = slotsPerShard;
  }

  createMap(ofPages: boolean): NearMap {
    const wanted = Math.min(this.capacity, SHORTCUTS_MAX);
    const map = new NearMap(ofPages && wanted > 0 ? 2 ** Math.ceil(Math.log2(wanted)) : 0);
    this.maps.push(map);
    return map;
  }

  get size(): number {
    return this.count;
  }

  remember(entry: NearEntry): void {
    if (this.capacity === 0) return;
    if (this.count >= this.capacity) this.dropOldest(entry.owner);
    const { entries } = entry.owner;
    const first = entries.get(entry.key);
    if (first !== undefined) this.replaceOrChain(first, entry);
    entries.set(entry.key, entry);
    entry.nextOfSlot = this.bySlot.get(entry.slot);
    this.bySlot.set(entry.slot, entry);
    this.count++;
  }

  /** Other versions of the key stay behind the new entry; the same slot or version goes. */
  private replaceOrChain(first: NearEntry, entry: NearEntry): void {
    for (let old: NearEntry | undefined = first; old !== undefined; old = old.nextVersion) {
      if (old.slot === entry.slot || old.from === entry.from) {
        this.forget(old);
        break;
      }
    }
    entry.nextVersion = entry.owner.entries.get(entry.key);
  }

  private dropOldest(preferred: NearMap): void {
    for (const map of [preferred, ...this.maps]) {
      const oldest = map.entries.values().next().value;
      if (oldest !== undefined) {
        this.forget(oldest);
        return;
      }
    }
  }

  /** Takes one entry out of its map and of its slot's chain. */
  forget(entry: NearEntry): void {
    this.unlinkVersion(entry);
    const first = this.bySlot.get(entry.slot);
    if (first === entry) {
      if (entry.nextOfSlot === undefined) this.bySlot.delete(entry.slot);
      else this.bySlot.set(entry.slot, entry.nextOfSlot);
    } else {
      for (let at = first; at !== undefined; at = at.nextOfSlot) {
        if (at.nextOfSlot === entry) at.nextOfSlot = entry.nextOfSlot;
      }
    }
    this.count--;
  }

  private unlinkVersion(entry: NearEntry): void {
    const { entries } = entry.owner;
    entry.owner.lengthen(entry);
    const first = entries.get(entry.key);
    if (first === entry) {
      if (entry.nextVersion === undefined) entries.delete(entry.key);
      else entries.set(entry.key, entry.nextVersion);
      return;
    }
    for (let at = first; at !== undefined; at = at.nextVersion) {
      if (at.nextVersion === entry) at.nextVersion = entry.nextVersion;
    }
  }

  forgetSlot(slot: number): void {
    let entry = this.bySlot.get(slot);
    if (entry === undefined) return;
    this.bySlot.delete(slot);
    for (; entry !== undefined; entry = entry.nextOfSlot) {
      this.unlinkVersion(entry);
      this.count--;
    }
  }

  forgetShard(shard: number): void {
    const first = shard * this.slotsPerShard;
    const last = first + this.slotsPerShard;
    for (const slot of [...this.bySlot.keys()]) if (slot >= first && slot < last) this.forgetSlot(slot);
  }

  /** Forgets the pages whose space has another generation by now. */
  forgetStale(generationOf: (space: number) => number): void {
    for (const entry of [...this.bySlot.values()]) {
      for (let at: NearEntry | undefined = entry; at !== undefined; ) {
        const next: NearEntry | undefined = at.nextOfSlot;
        if (at.space !== 0 && generationOf(at.space) !== at.spaceGeneration) this.forget(at);
        at = next;
      }
    }
  }

  clear(): void {
    for (const slot of [...this.bySlot.keys()]) this.forgetSlot(slot);
    for (const map of this.maps) map.entries.clear();
    this.bySlot.clear();
    this.count = 0;
  }
}
