/**
 * Repair: a shard's derived state is rebuilt from its slots, by whoever took its lock from a dead owner or found it
 * left half-done. Rebuilding, never guessing.
 *
 * (D1) before anything is freed every node is made to forget the shard: the retire sequence goes past the ring. A death
 *      between RETIRED and the sequence would otherwise leave near hits on memory that is reused. And again after the
 *      repair itself has retired, before anything tells of the page that stays: a page may have been remembered between.
 * (D2) every fill under way in the shard is refused: its lease may be from before a change that was cut off.
 * (D3) drafts of dead nodes are undone; of two sealed slots with one key and from-version the one published later stays;
 *      retired ones stay in limbo until a scan finds them free.
 * (D4) a damaged slot is dropped, not believed; which version of which page it was nobody knows then (VersionBounds.doubt).
 * (D5) a draft over which a page was set has no entry, and gets none: its seal finds that and undoes it.
 * (D6) a damaged slot that a node holds cannot be dropped: nobody knows what else lies where its page does. Then the repair
 *      throws, and the shard takes no writes until the page is let go.
 *
 * A repair is planned on private copies of slots and table, and then written. Each store may be the last: the lock stays
 * dirty until all of them are made, and all is done again from the start.
 */
import { PoolError } from '../../../lib/errors.js';
import type { Machine } from '../../../lib/machine.js';
import { nextSequence, stepsSince } from '../../../lib/sequence.js';
import { atOnce, type Steps } from '../../../lib/steps.js';
import type { Words } from '../../../lib/words.js';
import { PassOver, type Reclaimer } from '../access/index.js';
import type { EventLog } from '../events/index.js';
import {
  EVENT_EVICTED,
  FLAG_DETACHED,
  FLAG_RETAINED,
  type Geometry,
  lockCount,
  STATE_DRAFT,
  STATE_FREE,
  STATE_MASK,
  STATE_RETIRED,
  STATE_SEALED,
} from '../layout/index.js';
import type { HazardScan, RetireLog } from '../near/index.js';
import { assertHeld, type Bells, type Calls, type Locks, type Nodes } from '../nodes/index.js';
import {
  type CheckpointDirectory,
  type Shards,
  SlotImage,
  type Slots,
  type Spaces,
  type Stripes,
  type Table,
  type VersionBounds,
} from '../objects/index.js';
import type { Policy } from '../policy/index.js';
import { type Chunks, ExtentClaims, type Extents } from '../space/index.js';

/** What of a node it works with. */
export interface RepairParts {
  readonly geometry: Geometry;
  readonly words: Words;
  readonly machine: Machine;
  readonly nodes: Nodes;
  readonly calls: Calls;
  readonly locks: Locks;
  readonly shards: Shards;
  readonly slots: Slots;
  readonly table: Table;
  readonly chunks: Chunks;
  readonly extents: Extents;
  readonly stripes: Stripes;
  readonly spaces: Spaces;
  readonly versionBounds: VersionBounds;
  readonly checkpoints: CheckpointDirectory;
  readonly log: RetireLog;
  readonly policies: readonly Policy[];
  readonly scan: HazardScan;
  readonly bells: Bells;
  readonly events: EventLog;
}

/** What a repair does with the slots and the table of a shard, worked out in private memory. Slots are local. */
interface Plan {
  /** To be freed. */
  readonly dropped: readonly number[];
  /** To be retired. */
  readonly outdated: readonly number[];
  /** Of the table, as Table.apply takes them. */
  readonly changes: readonly number[];
  /** Sealed and in no entry. */
  readonly missing: readonly number[];
}

export class Repair {
  private readonly parts: RepairParts;
  private readonly reclaimer: Reclaimer;
  private readonly slotsPerShard: number;
  /** Of the shard under repair: its slots, and whose space is whose. */
  private readonly image: SlotImage;
  private readonly claims: ExtentClaims;
  /** Drafts of the shard under repair over which a page was set. */
  private readonly displaced = new Set<number>();

  constructor(parts: RepairParts, reclaimer: Reclaimer) {
    this.parts = parts;
    this.reclaimer = reclaimer;
    this.slotsPerShard = parts.geometry.slotsPerShard;
    this.image = new SlotImage(parts.words, parts.geometry, parts.slots);
    this.claims = new ExtentClaims(parts.words, parts.geometry, parts.chunks, parts.extents);
  }

  /** Repairs what the lock guards. Called with the lock held. */
  repair(lock: number): void {
    assertHeld(this.parts, lock);
    const { shards } = this.parts.geometry;
    if (lock < shards) this.repairShard(lock);
    else if (lock === shards) this.parts.chunks.repair();
    else if (lock === shards + 1) this.parts.spaces.repair();
    else if (lock === shards + 3) this.parts.checkpoints.repair();
  }

  private repairShard(shard: number): void {
    const { log, shards, stripes, table, policies, events, bells } = this.parts;
    // ORDER retire-1: the sequence goes past the ring before anything is freed; pairs with announceEnd.
    log.overrun(shard);
    stripes.advanceAll(shard);
    const { dropped, outdated, changes, missing } = atOnce(this.plan(shard));
    if (dropped.some((local) => this.image.isUnknown(local))) this.parts.versionBounds.doubt(shard);
    for (const local of dropped) this.drop(shard, local);
    for (const local of outdated) this.retire(shard, local);
    // ORDER retire-1: and before an entry names the newer twin: a reader may have remembered the older one; pairs with catchUp.
    log.overrun(shard);
    table.apply(changes);
    table.recount(shard, this.image.lows);
    const squeezedOut = missing.filter((local) => !this.enter(shard, local));
    // ORDER retire-1: once more for what was retired since: a reader may have remembered it meanwhile; pairs with catchUp.
    log.overrun(shard);
    const { order, retained } = this.queueOf(shard);
    shards.rebuild(shard, this.image.states, retained);
    this.reclaimer.awaitFence(shard);
    policies[shard]?.refill(order, this.image.lows);
    this.claims.finish();
    shards.advancePublish(shard);
    events.recover(shard);
    for (const local of squeezedOut) {
      events.begin(shard, this.slotOf(shard, local), EVENT_EVICTED);
      events.commit(shard);
    }
    bells.noteAll();
    this.image.forget();
    this.claims.forget();
  }

  /** What is to be done with the shard. Stores nothing in shared memory. */
  private *plan(shard: number): Steps<Plan> {
    this.image.takeSlots(shard);
    yield;
    this.claims.begin(shard);
    const dropped = this.settleSlots();
    yield;
    const outdated = this.olderTwins(shard);
    yield;
    return { dropped, outdated, ...this.entriesFor(shard) };
  }

  /** Plans a repair and does nothing with it: rehearsal.ts. The slots in use. What it reads may be torn. */
  *practise(shard: number): Steps<number> {
    yield* this.plan(shard);
    yield;
    this.queueOf(shard);
    yield;
    this.parts.table.overflows(shard, this.image.lows);
    return this.image.used;
  }

  private slotOf(shard: number, local: number): number {
    return shard * this.slotsPerShard + local;
  }

  /**
   * Claims the extents of the slots that stay. The others: drafts of the dead, and what is damaged.
   * ORDER draft-1: a draft's fields were stored before its state, so they are trusted; pairs with writeDraft.
   */
  private settleSlots(): number[] {
    const { image, claims } = this;
    const { states, intact } = image;
    const { nodes } = this.parts;
    const dropped: number[] = [];
    for (let local = 0; local < this.slotsPerShard; local++) {
      const state = states[local];
      if (state === STATE_FREE) continue;
      const isOrphan = state === STATE_DRAFT && nodes.isGone(image.ownerRow(local), image.ownerIncarnation(local));
      const isIntact = intact[local] === 1;
      if (isIntact && !isOrphan && claims.claim(image.extent(local), image.extentBytes(local))) continue;
      states[local] = STATE_FREE;
      dropped.push(local);
    }
    return dropped;
  }

  private drop(shard: number, local: number): void {
    const { slots, versionBounds } = this.parts;
    const slot = this.slotOf(shard, local);
    const state = slots.stateWord(slot) & STATE_MASK;
    // ORDER version-1: as announceEnd; pairs with isOutdated.
    if (state === STATE_SEALED && this.image.intact[local] === 1) versionBounds.outlive(shard, slot);
    if (state !== STATE_DRAFT) this.refuseIfHeld(shard, local, state);
    slots.force(slot, state, STATE_FREE);
  }

  private retire(shard: number, local: number): void {
    const slot = this.slotOf(shard, local);
    // ORDER version-1: as announceEnd; pairs with isOutdated.
    this.parts.versionBounds.outlive(shard, slot);
    this.parts.slots.force(slot, STATE_SEALED, STATE_RETIRED);
  }

  /** (D6) */
  private refuseIfHeld(shard: number, local: number, state: number): void {
    const { slots, scan, table, log } = this.parts;
    const slot = this.slotOf(shard, local);
    // ORDER hazard-1: no entry and no page any more before the scan; pairs with lookUp.
    table.apply(table.changes(shard, (other) => (other === local ? -1 : other)));
    slots.force(slot, state, STATE_RETIRED);
    // ORDER retire-1: a reader may have remembered it since the shard's repair began; pairs with catchUp.
    log.overrun(shard);
    scan.now();
    if (!scan.isHeld(slot)) return;
    throw new PoolError('POOL_CORRUPT', `The metadata of slot ${slot}, whose page a node holds, are damaged.`, {
      slot,
    });
  }

  /** Of two sealed pages of one key and from-version the one to retire (D3). */
  private olderTwins(shard: number): number[] {
    const { image } = this;
    const outdated: number[] = [];
    const { states, highs } = image;
    // Sealed slots of one hash, each leading to the next.
    const first = new Map<number, number>();
    const next = new Int32Array(this.slotsPerShard);
    const sealedTwin = (local: number) => {
      let other = first.get(highs[local] as number) ?? -1;
      while (other >= 0 && !(states[other] === STATE_SEALED && this.isTwin(shard, local, other)))
        other = next[other] as number;
      return other;
    };
    const drafts: number[] = [];
    // One more than was published: a page may have been sealed and its sequence not yet stored.
    const now = nextSequence(this.parts.shards.publishSequence(shard));
    for (let local = 0; local < this.slotsPerShard; local++) {
      if (states[local] === STATE_DRAFT) drafts.push(local);
      if (states[local] !== STATE_SEALED) continue;
      const twin = sealedTwin(local);
      if (twin >= 0) {
        const isNewer = stepsSince(image.publishSequence(local), now) < stepsSince(image.publishSequence(twin), now);
        const older = isNewer ? twin : local;
        states[older] = STATE_RETIRED;
        outdated.push(older);
        if (!isNewer) continue;
      }
      next[local] = first.get(highs[local] as number) ?? -1;
      first.set(highs[local] as number, local);
    }
    this.displaced.clear();
    for (const local of drafts) if (sealedTwin(local) >= 0) this.displaced.add(local);
    return outdated;
  }

  private isTwin(shard: number, one: number, other: number): boolean {
    const { slots } = this.parts;
    const { lows, highs } = this.image;
    if (lows[one] !== lows[other] || highs[one] !== highs[other]) return false;
    if (slots.from(this.slotOf(shard, one)) !== slots.from(this.slotOf(shard, other))) return false;
    const key = slots.keyBytes(this.slotOf(shard, one));
    return slots.keyEquals(this.slotOf(shard, other), key, key.length);
  }

  /** Whether the slot has an entry in its bucket: sealed pages, and drafts that hold their key. */
  private isEntered(local: number): boolean {
    const state = this.image.states[local];
    if (state !== STATE_DRAFT || this.displaced.has(local)) return state === STATE_SEALED;
    return (this.image.flags(local) & FLAG_DETACHED) === 0;
  }

  /**
   * The slot that an entry naming this one is to name: itself, or the page that took its key, which has no other entry when
   * its writer was cut off before that; -1 for none. By one store, as no reader may miss the key meanwhile.
   */
  private successorOf(shard: number, local: number): number {
    const { states } = this.image;
    if (this.isEntered(local)) return local;
    if (states[local] !== STATE_RETIRED) return -1;
    for (let other = 0; other < this.slotsPerShard; other++) {
      if (states[other] === STATE_SEALED && this.isTwin(shard, local, other)) return other;
    }
    return -1;
  }

  /** How the table's entries are to change, and which sealed pages have none. */
  private entriesFor(shard: number): Pick<Plan, 'changes' | 'missing'> {
    const { table } = this.parts;
    const { lows, highs, states } = this.image;
    const entered = new Uint8Array(this.slotsPerShard);
    const changes = table.changes(shard, (local, tag, entryWord) => {
      const isInPlace = tag === highs[local] && table.isReachable(shard, lows[local] as number, entryWord);
      const settled = isInPlace ? this.successorOf(shard, local) : -1;
      if (settled < 0 || entered[settled] === 1) return -1;
      entered[settled] = 1;
      return settled;
    });
    const missing: number[] = [];
    for (let local = 0; local < this.slotsPerShard; local++) {
      // A living node's draft without an entry was displaced by a set: its seal finds that out.
      if (entered[local] === 1 || states[local] !== STATE_SEALED) continue;
      missing.push(local);
    }
    return { changes, missing };
  }

  /** Gives the page an entry; false, and the page retired, when the table has no room for it. */
  private enter(shard: number, local: number): boolean {
    const { table } = this.parts;
    const { lows, highs, states } = this.image;
    if (table.insert(shard, lows[local] as number, highs[local] as number, local)) return true;
    this.retire(shard, local);
    states[local] = STATE_RETIRED;
    return false;
  }

  /** The pages that may be evicted, oldest first, and how many may not. */
  private queueOf(shard: number): { order: Int32Array; retained: number } {
    const { image, slotsPerShard } = this;
    const now = nextSequence(this.parts.shards.publishSequence(shard));
    // One number for each, as typed arrays are sorted natively.
    const places = new Float64Array(slotsPerShard);
    let count = 0;
    let retained = 0;
    for (let local = 0; local < slotsPerShard; local++) {
      if (image.states[local] !== STATE_SEALED) continue;
      if ((image.flags(local) & FLAG_RETAINED) !== 0) retained++;
      else places[count++] = local - stepsSince(image.publishSequence(local), now) * slotsPerShard;
    }
    const order = new Int32Array(count);
    places.subarray(0, count).sort();
    for (let i = 0; i < count; i++) {
      const place = places[i] as number;
      order[i] = place - Math.floor(place / slotsPerShard) * slotsPerShard;
    }
    return { order, retained };
  }

  /** Undoes everything a dead node of the row left, and gives the row back. */
  cleanRow(row: number): void {
    const { nodes, locks, geometry, chunks, bells } = this.parts;
    const incarnation = nodes.incarnationOf(row);
    // Since it was found dead, somebody may have cleaned it and a new node may have joined: that one is not ours to clean.
    if (!nodes.isTaken(row) || !nodes.isDead(row, true)) return;
    for (let lock = 0; lock < lockCount(geometry); lock++) if (locks.ownerOf(lock) === row) locks.recover(lock);
    this.undoDraftsOf(row, (_, owner) => owner === incarnation || nodes.isGone(row, owner));
    chunks.unclaimRow(row);
    const nodeLock = geometry.shards + 2;
    locks.within(nodeLock, () => {
      if (nodes.incarnationOf(row) === incarnation) {
        bells.clearRow(row);
        nodes.markCleaned(row, incarnation);
      }
      // It may have died between what it published and the bells.
      bells.noteAll();
    });
  }

  /**
   * Undoes the drafts of the row that `isLost` tells, from slot and incarnation. Throws BUSY, POOL_CORRUPT. Looks through
   * shards that count drafts; a lock that is held or dirty vouches for no count (S2).
   */
  undoDraftsOf(row: number, isLost: (slot: number, incarnation: number) => boolean): void {
    atOnce(this.undoDraftsInSteps(row, isLost));
  }

  /** A shard a step, of those that are looked through. */
  *undoDraftsInSteps(row: number, isLost: (slot: number, incarnation: number) => boolean): Steps {
    const { geometry, slots, locks, shards } = this.parts;
    const isOrphan = (slot: number) =>
      (slots.stateWord(slot) & STATE_MASK) === STATE_DRAFT &&
      slots.ownerRow(slot) === row &&
      isLost(slot, slots.ownerIncarnation(slot));
    const passing = new PassOver();
    for (let shard = 0; shard < geometry.shards; shard++) {
      if (shards.drafts(shard) === 0 && locks.ownerOf(shard) < 0 && !locks.isDirty(shard)) continue;
      yield;
      let local = 0;
      while (local < this.slotsPerShard && !isOrphan(this.slotOf(shard, local))) local++;
      if (local === this.slotsPerShard) continue;
      passing.attempt(shard, () =>
        locks.within(shard, () => {
          for (; local < this.slotsPerShard; local++) {
            if (isOrphan(this.slotOf(shard, local))) this.reclaimer.undoDraft(shard, local);
          }
        }),
      );
    }
    passing.tell();
  }
}
