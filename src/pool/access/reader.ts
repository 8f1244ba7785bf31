/**
 * The way to a page: near index first, then the table. No lock, and only this node's own lines are written.
 *
 * near hit: hazard, then retire sequence and drop count; unchanged since this node last looked, so the remembered view is
 * good. near miss: hazard, then slot state, then key; a page found so is remembered.
 *
 * (F1) a hit is decided by slot state, generation and the whole key; a hash is never trusted.
 * (F2) a miss is reported only when the shard's publish and retire sequences are what they were before the probe and no
 *      entry moved under it: a page just being superseded must not look like a missing one.
 * (F3) after a few tries the probe is made under the shard's lock; when its holder does not run, what the table says is
 *      the answer: readers never wait for writers.
 * (F4) the near entry is made from fields that the hazard keeps from changing. It is remembered under what this node had
 *      seen of the sequence before the probe, so a retirement since then will still be read.
 * (F5) a key has the page that its entry names until the entry names another or none. So a retired page that is named
 *      still is an answer, but is not remembered: the record of its retirement may have been read already. A writer who
 *      stops between the two stores leaves the old page to every reader, and to none of them its successor. A page that
 *      ends where a later version begins is the exception: it ends first, so until that one is sealed there is none.
 * (F6) what a slot's check covers is read, then the slot is verified, then only what was read is used: a stray write in
 *      between is noticed, one after it changes nothing.
 */
import { isOver } from '../../../lib/clock.js';
import type { Counters } from '../../../lib/counters.js';
import type { CopyMode, Machine } from '../../../lib/machine.js';
import type { Words } from '../../../lib/words.js';
import {
  type Geometry,
  NO_EXTENT,
  type Segment,
  ShardHead,
  STATE_BITS,
  STATE_MASK,
  STATE_RETIRED,
  STATE_SEALED,
} from '../layout/index.js';
import {
  Hazards,
  NearEntry,
  NearIndex,
  type NearKey,
  NearMap,
  poison,
  type RetireLog,
  Touches,
} from '../near/index.js';
import { counterIndex, type Fences, type Locks, type Nodes } from '../nodes/index.js';
import { Probe, type Shards, type Slots, type Spaces, type Table, type Tags } from '../objects/index.js';

/** What of a node it works with. */
export interface ReaderParts {
  readonly segment: Segment;
  readonly geometry: Geometry;
  readonly words: Words;
  readonly counters: Counters;
  readonly machine: Machine;
  readonly nodes: Nodes;
  readonly locks: Locks;
  readonly fences: Fences;
  readonly shards: Shards;
  readonly slots: Slots;
  readonly table: Table;
  readonly spaces: Spaces;
  readonly tags: Tags;
  readonly log: RetireLog;
}

const HEAD_WORDS = ShardHead.words;
const TRIES_MAX = 8;
const LOCK_TRIES = 500;
const PATIENCE_MS = 2;
const NOTHING = new Uint8Array(0);

/** A key in the forms that looking up takes: its bytes [0, length) and hash. Reused from call to call. */
export interface SoughtKey {
  bytes: Uint8Array;
  length: number;
  hashLow: number;
  hashHigh: number;
}

export class Reader {
  readonly hazards: Hazards;
  readonly near: NearIndex;
  readonly touches: Touches;
  private readonly parts: ReaderParts;
  private readonly words: Words;
  private readonly machine: Machine;
  private readonly counters: Counters;
  private readonly tags: Tags;
  private readonly nearHits: number;
  private readonly sequences: number;
  private readonly seen: Int32Array;
  private readonly dropWord: number;
  private readonly slotsPerShard: number;
  private readonly copies: boolean;
  /** Copies are overwritten when nobody may look at them any more (SEALPOOL_DEBUG=poison). */
  readonly poisons: boolean;
  /** Copies of this run, where they are poisoned at its end. */
  private readonly handed: NearEntry[] = [];
  /** Of what is opened by its place, not by its key. */
  private readonly loose = new NearMap(0, 0);
  /** Of pages looked up as long as they are kept, fresh or not: it remembers none. */
  private readonly kept = new NearMap(0, 0);
  private readonly probe = new Probe();
  private drops: number;
  private metMove = false;

  /** `copies`: hand out private copies instead of views (SEALPOOL_DEBUG). */
  constructor(parts: ReaderParts, nearEntries: number, copies: CopyMode) {
    const { words, geometry, machine, nodes, log, spaces } = parts;
    this.parts = parts;
    this.words = words;
    this.machine = machine;
    this.hazards = new Hazards(words, geometry, machine, nodes, parts.fences);
    this.near = new NearIndex(nearEntries, geometry.slotsPerShard);
    this.touches = new Touches(words, geometry, nodes.self);
    this.counters = parts.counters;
    this.tags = parts.tags;
    this.nearHits = counterIndex(geometry, nodes.self, 'nearHits');
    this.sequences = log.sequenceWord(0);
    this.seen = log.seen;
    this.dropWord = spaces.dropWord;
    this.slotsPerShard = geometry.slotsPerShard;
    this.copies = copies !== 'none';
    this.poisons = copies === 'poison';
    this.drops = spaces.dropCount();
  }

  /** Whether what is remembered is still true. Leaves the page exposed. */
  isFresh(entry: NearEntry): boolean {
    // ORDER hazard-1: interest, then sequence; pairs with announceEnd and the scan.
    this.hazards.expose(entry.slot);
    if (this.words.loadAfterStore(this.sequences + entry.shard * HEAD_WORDS) !== this.seen[entry.shard]) return false;
    // ORDER drop-1: after that load a plain read sees every drop that returned before; pairs with Spaces.drop.
    if (this.words.read(this.dropWord) !== this.drops) return false;
    return entry.freshUntil === 0 || this.isStillFresh(entry);
  }

  /** Of a page that may have ended by itself. */
  private isStillFresh({ tags, expiry }: NearEntry): boolean {
    return (tags === undefined || this.tags.isFresh(tags)) && (expiry === 0 || this.machine.nowMs() < expiry);
  }

  /** A near hit, if the entry is still true: exposed, counted, and the eviction policy told. */
  hit(entry: NearEntry): boolean {
    if (!this.isFresh(entry)) return false;
    this.touches.record(entry.shard, entry.slot);
    this.counters.add(this.nearHits, 1);
    return true;
  }

  /** The hit was taken: tell the eviction policy. */
  touch(entry: NearEntry): void {
    this.touches.record(entry.shard, entry.slot);
  }

  /** Brings the near index up to date with the key's shard, and looks there again. */
  private catchUpAndLook(map: NearMap, key: NearKey, shard: number, asOf: number | undefined): NearEntry | undefined {
    const { spaces, log } = this.parts;
    const drops = spaces.dropCount();
    if (drops !== this.drops) {
      // ORDER drop-1: count, then generations; pairs with Spaces.drop.
      this.near.forgetStale((space) => spaces.generation(space));
      this.drops = drops;
    }
    log.catchUp(shard, this.near);
    const entry = nearAt(map, key, asOf);
    return entry !== undefined && this.isFresh(entry) ? entry : undefined;
  }

  /**
   * Forgets what has ended in the shard. Nothing relies on it but that a node which makes no calls lets go of what is no more,
   * and never lags by as much as a sequence can count.
   */
  keepUp(shard: number): void {
    this.parts.log.catchUp(shard, this.near);
  }

  /** After a near miss. The page of the key, exposed, and remembered if it may be (F5), or undefined. Throws POOL_CORRUPT. */
  search(map: NearMap, key: NearKey, sought: SoughtKey, asOf: number | undefined): NearEntry | undefined {
    const shard = this.parts.shards.ofHash(sought.hashLow);
    const found = this.attempt(map, key, sought, shard, asOf);
    return found === 'unsettled' ? this.decide(map, key, sought, shard, asOf) : found;
  }

  /** The page of the key, exposed, also where it has expired and is kept. As search. */
  searchKept(sought: SoughtKey): NearEntry | undefined {
    return this.search(this.kept, '', sought, undefined);
  }

  /** Without the lock: the page, undefined where a miss may be believed (F2), 'unsettled' after too many tries. */
  private attempt(
    map: NearMap,
    key: NearKey,
    sought: SoughtKey,
    shard: number,
    asOf: number | undefined,
  ): NearEntry | undefined | 'unsettled' {
    const { shards } = this.parts;
    for (let tries = 0; tries < TRIES_MAX; tries++) {
      const known = this.catchUpAndLook(map, key, shard, asOf);
      if (known !== undefined) return known;
      const published = shards.publishSequence(shard);
      const retired = this.seen[shard];
      const found = this.lookUp(map, key, sought, shard, asOf);
      if (found !== undefined) return found;
      if (this.metMove) continue;
      if (shards.publishSequence(shard) === published && shards.retireSequence(shard) === retired) return undefined;
    }
    return 'unsettled';
  }

  /** Under the lock, if it can be had: at once, from a dead owner, or within PATIENCE_MS; otherwise behind its holder. */
  private decide(
    map: NearMap,
    key: NearKey,
    sought: SoughtKey,
    shard: number,
    asOf: number | undefined,
  ): NearEntry | undefined {
    const { locks } = this.parts;
    const started = this.machine.elapsedMs();
    const limitMs = Math.min(PATIENCE_MS, locks.limitMs(shard, started));
    do {
      for (let tries = 0; tries < LOCK_TRIES; tries++) {
        if (!locks.tryAcquire(shard)) continue;
        try {
          return this.lookUp(map, key, sought, shard, asOf);
        } finally {
          locks.release(shard);
        }
      }
      locks.recover(shard);
    } while (this.machine.elapsedMs() - started < limitMs);
    return this.decideBehind(map, key, sought, shard, asOf);
  }

  /** Its holder may be alive and have stopped: the table, which nobody changes then, has the answer. */
  private decideBehind(
    map: NearMap,
    key: NearKey,
    sought: SoughtKey,
    shard: number,
    asOf: number | undefined,
  ): NearEntry | undefined {
    const found = this.attempt(map, key, sought, shard, asOf);
    return found === 'unsettled' ? undefined : found;
  }

  private lookUp(
    map: NearMap,
    key: NearKey,
    sought: SoughtKey,
    shard: number,
    asOf: number | undefined,
  ): NearEntry | undefined {
    const { table, slots } = this.parts;
    const { probe } = this;
    this.metMove = false;
    table.begin(probe, shard, sought.hashLow, sought.hashHigh);
    for (let local = table.next(probe); local >= 0; local = table.next(probe)) {
      const slot = shard * this.slotsPerShard + local;
      this.hazards.expose(slot);
      // ORDER hazard-1: interest, then state; pairs with announceEnd and the scan.
      const word = slots.stateWord(slot);
      const state = word & STATE_MASK;
      if (state !== STATE_SEALED && state !== STATE_RETIRED) continue;
      // ORDER supersede-1: entry once more: a slot reused since it was read may hold a successor that is sealed but not
      // yet announced, and the next get would answer with the page before it; pairs with publishDetached.
      // ORDER hazard-1: of a retired page the state once more, after the entry: the scan that frees it comes after the
      // entry has gone, and meets the hazard; pairs with retire and refuseIfHeld.
      if (!table.stillNames(probe, local) || (state === STATE_RETIRED && slots.stateWord(slot) !== word)) {
        this.metMove = true;
        continue;
      }
      const found = this.answer(map, key, sought, slot, asOf);
      if (found === undefined) continue;
      if (state === STATE_SEALED) this.near.remember(found);
      return found;
    }
    return undefined;
  }

  /** The page of an exposed slot, when it is the key's and answers. */
  private answer(
    map: NearMap,
    key: NearKey,
    sought: SoughtKey,
    slot: number,
    asOf: number | undefined,
  ): NearEntry | undefined {
    const { slots, spaces, shards } = this.parts;
    // ORDER seal-1: state, then everything it vouches for; pairs with makeSealed.
    if (!slots.keyEquals(slot, sought.bytes, sought.length)) return undefined;
    const extent = slots.extent(slot);
    const size = slots.size(slot);
    const metadataLength = slots.metadataLength(slot);
    const metadataOffset = slots.metadataOffset(slot);
    const expiry = slots.expiry(slot);
    const end = map === this.kept ? slots.end(slot) : expiry;
    const space = slots.space(slot);
    const spaceGeneration = slots.spaceGeneration(slot);
    const from = slots.from(slot);
    const tags = this.tags.soughtAt(slot);
    // (F6)
    slots.verify(slot);
    if (!spaces.isCurrent(space, spaceGeneration)) return undefined;
    const until = slots.until(slot);
    if (!isAnsweredBy(asOf, from, until)) return undefined;
    // Most pages end by nobody's clock.
    if ((end !== 0 || tags !== undefined) && this.isEnded(end, tags, map === this.kept)) return undefined;
    const found = new NearEntry(map, key, {
      slot,
      shard: shards.of(slot),
      generation: slots.generation(slot),
      bytes: this.view(extent, 0, size),
      metadata: this.view(extent, metadataOffset, metadataLength),
      expiry,
      tags,
      space,
      spaceGeneration,
      from,
      until,
    });
    if (this.poisons) this.poisonLater(found);
    return found;
  }

  private isEnded(end: number, tags: Int32Array | undefined, mayBeStale: boolean): boolean {
    const now = this.machine.nowMs();
    return isOver(end, now) || this.tags.isEnded(tags, mayBeStale, now);
  }

  private poisonLater(entry: NearEntry): void {
    if (this.handed.length === 0) {
      this.machine.afterRun(() => {
        for (const over of this.handed.splice(0)) poison(over);
      });
    }
    this.handed.push(entry);
  }

  /**
   * The page that the slot has in that generation, exposed, whether its key leads to it or not; undefined where it has gone,
   * is over, or was never sealed. Throws POOL_CORRUPT; BUSY where it is retired and its shard's lock cannot be had.
   */
  open(slot: number, generation: number): NearEntry | undefined {
    const { slots, shards, locks, fences } = this.parts;
    this.hazards.expose(slot);
    // ORDER hazard-1: interest, then state; pairs with announceEnd and the scan.
    const word = slots.stateWord(slot);
    if (word >>> STATE_BITS !== generation) return undefined;
    if ((word & STATE_MASK) === STATE_SEALED) return this.entryAt(slot);
    if ((word & STATE_MASK) !== STATE_RETIRED) return undefined;
    // Its hazards may have been scanned for already: nobody frees it under the lock, nor before one more scan.
    const shard = shards.of(slot);
    locks.acquire(shard);
    try {
      this.hazards.expose(slot);
      // ORDER fence-1: interest, then the fence to wait for; pairs with make.
      shards.setLimboFence(shard, fences.due());
      return slots.stateWord(slot) === word ? this.entryAt(slot) : undefined;
    } finally {
      locks.release(shard);
    }
  }

  private entryAt(slot: number): NearEntry | undefined {
    const { slots } = this.parts;
    const bytes = slots.keyBytes(slot);
    return this.answer(
      this.loose,
      '',
      { bytes, length: bytes.length, hashLow: 0, hashHigh: 0 },
      slot,
      slots.from(slot),
    );
  }

  /** Of fields that were verified after they were read. */
  private view(extent: number, offset: number, length: number): Uint8Array {
    const bytes =
      extent === NO_EXTENT || length === 0 ? NOTHING : this.parts.segment.sealedBytes(extent, offset, length);
    return this.copies ? bytes.slice() : bytes;
  }
}

/** Whether a page valid from `from` to before `until` answers: for no version asked, the open-ended one does. */
export function isAnsweredBy(asOf: number | undefined, from: number, until: number): boolean {
  return asOf === undefined ? until === Number.POSITIVE_INFINITY : from <= asOf && asOf < until;
}

/** The near entry that answers, fresh or not. */
export function nearAt(map: NearMap, key: NearKey, asOf: number | undefined): NearEntry | undefined {
  let entry = map.entries.get(key);
  if (entry?.isOpen === true && asOf === undefined) return entry;
  while (entry !== undefined && !isAnsweredBy(asOf, entry.from, entry.until)) entry = entry.nextVersion;
  return entry;
}
