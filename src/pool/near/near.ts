/**
 * The near index: what this node remembers of where pages lie, with the view ready made. Private memory of one node;
 * nothing here is shared. It is kept true by the retire log and the drop count, not by checking slots.
 *
 * A plain Map per name space of keys, bounded together: entries leave when their page is retired, so order of use matters
 * only for a node whose index is smaller than its working set. docs/ARCHITECTURE.md has the figures by which it is not
 * lru-cache. Once it is full, one page of thirty-two that it meets takes the place of the oldest: making room costs more than
 * looking a page up in the table, and what is used often comes in soon all the same.
 *
 * Whatever is forgotten costs what is forgotten: one entry by its place in the ring,
 * a page by its slot, a shard by its own chains, a space by its own maps.
 *
 * A call may be cut at any function's entry (see calls.ts). So:
 * (P1) whatever a hit can find, the end of its slot finds: an entry is in its slot's chain before it is in its map, and
 *      leaves the map before the chain.
 * (P2) forgetting starts from the chain and takes an entry off it last, so what was cut is done again; what was read of the
 *      retire log counts as seen only after that.
 * (P3) an entry has a place in the ring before it is in a chain, and gives it back after it has left. One that a cut left
 *      with nothing but its place gives it back when its turn comes.
 * (P4) a map remembers pages of its own space only, and while the space has the map's generation all of them have it.
 */
import type { WallMs } from '../../../lib/clock.js';
import type { Forgetful } from './retirelog.js';

export type NearKey = string | number;

/** Makes keys of page numbers. */
export interface PageKeys {
  pageKey(pageNo: number): Uint8Array;
}

/** Eight bytes each. */
const SHORTCUTS_MIN = 16;
const SHORTCUTS_MAX = 65_536;
const NOWHERE = -1;
/** Of a key that is remembered, in characters. */
const KEY_LENGTH_MAX = 1024;
/** A time that is always over. */
const ASK = -1;

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
  /** When a hit has to ask for more than this: its expiry; below zero, so at once, for a page with tags; 0 for never. */
  readonly freshUntil: WallMs;
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
  /** 0 for never. */
  readonly expiry: WallMs;
  /** Of a page with tags: when it was loaded, and what tells that one was invalidated since (tags.ts). */
  readonly tags: Int32Array | undefined;
  /** The next entry of the same slot under another key form. */
  nextOfSlot: NearEntry | undefined = undefined;
  /** The next version of the same key. */
  nextVersion: NearEntry | undefined = undefined;
  /** In the ring. */
  place = NOWHERE;

  constructor(owner: NearMap, key: NearKey, at: NearFields) {
    this.key = key;
    this.slot = at.slot;
    this.shard = at.shard;
    this.bytes = at.bytes;
    this.freshUntil = at.tags === undefined ? at.expiry : ASK;
    this.isOpen = at.until === Number.POSITIVE_INFINITY;
    this.until = at.until;
    this.from = at.from;
    this.metadata = at.metadata;
    this.generation = at.generation;
    this.space = at.space;
    this.spaceGeneration = at.spaceGeneration;
    this.owner = owner;
    this.expiry = at.expiry;
    this.tags = at.tags;
  }
}

export interface NearFields {
  slot: number;
  shard: number;
  generation: number;
  bytes: Uint8Array;
  metadata: Uint8Array;
  expiry: WallMs;
  tags: Int32Array | undefined;
  space: number;
  spaceGeneration: number;
  from: number;
  until: number;
}

/** What a view of a page shows after its end, with SEALPOOL_DEBUG=poison. */
const POISON = 0xdb;

/** With bytes of its own. */
export function copyOfEntry(entry: NearEntry): NearEntry {
  const at = { ...entry, bytes: entry.bytes.slice(), metadata: entry.metadata.slice() };
  return new NearEntry(entry.owner, entry.key, at);
}

/** The entry has bytes of its own, and nobody may look at them any more. */
export function poison({ bytes, metadata }: NearEntry): void {
  bytes.fill(POISON);
  metadata.fill(POISON);
}

/**
 * The keys of one name space: strings for keys, numbers for pages. Public for the hot path only.
 *
 * `shortcuts` leads from a page number's low bits to the entry that was found there last, past the map: a third of its
 * cost. It names entries that the index knows and that are open-ended, no others: one that is forgotten leaves it, which
 * also gives its view back to the collector. There are about as many as the map has pages.
 */
export class NearMap {
  readonly entries = new Map<NearKey, NearEntry>();
  space: number;
  /** Of the space, when the map was last known to hold nothing else (P4). */
  generation = 0;
  shortcuts: (NearEntry | undefined)[];
  mask: number;
  private readonly shortcutsMax: number;
  private readonly pageKeys: PageKeys | undefined;

  /** `shortcutsMax`: how many there may be, a power of two; 0 for names that are no numbers. */
  constructor(space: number, shortcutsMax: number, pageKeys?: PageKeys) {
    this.space = space;
    this.pageKeys = pageKeys;
    this.shortcutsMax = shortcutsMax;
    this.shortcuts = new Array(Math.min(shortcutsMax, SHORTCUTS_MIN)).fill(undefined);
    this.mask = this.shortcuts.length - 1;
  }

  /** The key of a page of the space. */
  keyOf(pageNo: number): Uint8Array {
    return (this.pageKeys as PageKeys).pageKey(pageNo);
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

  /** Has room for as many shortcuts as there are pages, as far as that may be. */
  growShortcuts(): void {
    const { length } = this.shortcuts;
    if (this.entries.size <= length || length >= this.shortcutsMax) return;
    const grown: (NearEntry | undefined)[] = new Array(Math.min(length * 4, this.shortcutsMax)).fill(undefined);
    for (const entry of this.shortcuts) {
      if (entry !== undefined) grown[(entry.key as number) & (grown.length - 1)] = entry;
    }
    this.shortcuts = grown;
    this.mask = grown.length - 1;
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
  /** The chains of each shard's slots. */
  private readonly chains: Map<number, NearEntry>[] = [];
  private readonly maps: NearMap[] = [];
  /** What is remembered, each in a place of its own; in a place that is free, the next free one. */
  private readonly ring: (NearEntry | number)[] = [];
  private free = NOWHERE;
  /** The place that is given up next. */
  private hand = 0;
  private count = 0;
  private chance = 1;

  constructor(capacity: number, slotsPerShard: number) {
    this.capacity = capacity;
    this.slotsPerShard = slotsPerShard;
  }

  /** For keys of the space; 0 is that of keys which are in none. Of pages by number with `pageKeys`. */
  createMap(space: number, pageKeys?: PageKeys): NearMap {
    const wanted = pageKeys === undefined ? 0 : Math.min(this.capacity, SHORTCUTS_MAX);
    const map = new NearMap(space, wanted > 0 ? 2 ** Math.ceil(Math.log2(wanted)) : 0, pageKeys);
    this.maps.push(map);
    return map;
  }

  get size(): number {
    return this.count;
  }

  /** The map's keys are of another space from now on: nothing of before is remembered. */
  move(map: NearMap, space: number): void {
    for (const first of map.entries.values()) this.forgetStaleVersions(first, 0);
    map.space = space;
  }

  remember(entry: NearEntry): void {
    const { owner } = entry;
    // (P4) A page of a cache may be asked for by its whole key as well: then it is looked up each time.
    if (this.capacity === 0 || entry.space !== owner.space) return;
    // As many as the index takes would be more private memory than anybody means to give: such a key is looked up each time.
    if (typeof entry.key === 'string' && entry.key.length > KEY_LENGTH_MAX) return;
    if (this.isFull() && !this.isAdmitted()) return;
    const { entries } = owner;
    const first = entries.get(entry.key);
    if (first !== undefined) this.forgetSame(first, entry);
    if (this.isFull()) this.forgetAtHand();
    // Only now: what was at the hand may have been of this key.
    entry.nextVersion = first === undefined ? undefined : entries.get(entry.key);
    if (entries.size === 0) owner.generation = entry.spaceGeneration;
    this.takePlace(entry);
    // (P1)
    this.link(entry);
    entries.set(entry.key, entry);
    owner.growShortcuts();
    if (typeof entry.key === 'number') owner.shorten(entry.key, entry);
  }

  private isFull(): boolean {
    return this.free === NOWHERE && this.ring.length >= this.capacity;
  }

  /** One of thirty-two, in no order that accesses could be in step with. */
  private isAdmitted(): boolean {
    this.chance = (Math.imul(this.chance, 1_664_525) + 1_013_904_223) | 0;
    return this.chance >>> 27 === 0;
  }

  private takePlace(entry: NearEntry): void {
    const { ring, free } = this;
    entry.place = free === NOWHERE ? ring.length : free;
    if (free !== NOWHERE) this.free = ring[free] as number;
    ring[entry.place] = entry;
    this.count++;
  }

  private givePlace(entry: NearEntry): void {
    const { place } = entry;
    if (place === NOWHERE || this.ring[place] !== entry) return;
    this.ring[place] = this.free;
    this.free = place;
    this.count--;
  }

  private forgetAtHand(): void {
    const { hand } = this;
    this.hand = hand + 1 === this.ring.length ? 0 : hand + 1;
    this.forget(this.ring[hand] as NearEntry);
  }

  private link(entry: NearEntry): void {
    let chains = this.chains[entry.shard];
    if (chains === undefined) {
      for (let shard = this.chains.length; shard <= entry.shard; shard++) this.chains.push(new Map());
      chains = this.chains[entry.shard] as Map<number, NearEntry>;
    }
    entry.nextOfSlot = chains.get(entry.slot);
    chains.set(entry.slot, entry);
  }

  /** Other versions of the key stay behind the new entry; the same slot or version goes. */
  private forgetSame(first: NearEntry, entry: NearEntry): void {
    for (let old: NearEntry | undefined = first; old !== undefined; old = old.nextVersion) {
      if (old.slot !== entry.slot && old.from !== entry.from) continue;
      this.forget(old);
      return;
    }
  }

  /** Takes one entry out of its map, of its slot's chain and of the ring. */
  forget(entry: NearEntry): void {
    this.unlinkVersion(entry);
    this.unlink(entry);
    this.givePlace(entry);
  }

  private unlink(entry: NearEntry): void {
    const chains = this.chains[entry.shard];
    const first = chains?.get(entry.slot);
    if (chains === undefined || first === undefined) return;
    if (first === entry) {
      if (entry.nextOfSlot === undefined) chains.delete(entry.slot);
      else chains.set(entry.slot, entry.nextOfSlot);
      return;
    }
    for (let at: NearEntry | undefined = first; at !== undefined; at = at.nextOfSlot) {
      if (at.nextOfSlot === entry) at.nextOfSlot = entry.nextOfSlot;
    }
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
    const chains = this.chains[Math.floor(slot / this.slotsPerShard)];
    if (chains !== undefined) this.forgetChain(chains, slot);
  }

  private forgetChain(chains: Map<number, NearEntry>, slot: number): void {
    for (let entry = chains.get(slot); entry !== undefined; entry = entry.nextOfSlot) {
      this.unlinkVersion(entry);
      // (P2)
      if (entry.nextOfSlot === undefined) chains.delete(slot);
      else chains.set(slot, entry.nextOfSlot);
      this.givePlace(entry);
    }
  }

  forgetShard(shard: number): void {
    const chains = this.chains[shard];
    if (chains === undefined) return;
    for (const slot of chains.keys()) this.forgetChain(chains, slot);
  }

  /** Forgets the pages whose space has another generation by now. Looks at pages of such spaces only. */
  forgetStale(generationOf: (space: number) => number): void {
    for (const map of this.maps) {
      if (map.space === 0 || map.entries.size === 0) continue;
      const generation = generationOf(map.space);
      if (generation === map.generation) continue;
      for (const first of map.entries.values()) this.forgetStaleVersions(first, generation);
      // (P4)
      map.generation = generation;
    }
  }

  private forgetStaleVersions(first: NearEntry, generation: number): void {
    for (let entry: NearEntry | undefined = first; entry !== undefined; ) {
      const next: NearEntry | undefined = entry.nextVersion;
      if (entry.spaceGeneration !== generation) this.forget(entry);
      entry = next;
    }
  }

  clear(): void {
    for (const chains of this.chains) {
      for (const slot of chains.keys()) this.forgetChain(chains, slot);
    }
    for (const map of this.maps) map.entries.clear();
    this.chains.length = 0;
    this.ring.length = 0;
    this.free = NOWHERE;
    this.hand = 0;
    this.count = 0;
  }
}
