/**
 * A feed: one reader's way through the event logs of all shards, merged into the pool's one order.
 *
 * (V1) Order. `take` loads the stamp count first, then reads every shard that has no event under way to its end: every
 *      event below that count is then in hand (T2), and is given out in the order of stamps; later ones wait for the next
 *      call. A shard whose writer is in the middle of an event holds everything up, which is some hundred nanoseconds;
 *      one that was stopped there is passed over after HOLD_MS, and its events come late, with their own sequences.
 * (V2) Nothing twice, nothing left out: a position and a count per shard. What was overwritten is told by its exact
 *      number, and the feed goes on at the oldest event that is still there.
 *      What a feed has in hand is at most what the logs hold.
 * (V3) What is read is checked (T3); what does not hold is treated as overwritten, so a damaged log ends no reader.
 * (V4) A call that publishes reads its own node's feeds, and may be cut there. An event goes from one place to the next by
 *      stores with no function's entry between them, and from `ready` only when its taker has it: none is lost, or told twice.
 */

import { type MonotonicMs, msBetween } from '../../../lib/clock.js';
import type { Machine } from '../../../lib/machine.js';
import { nextSequence, sequenceAfter, stepsSince } from '../../../lib/sequence.js';
import type { Geometry } from '../layout/index.js';
import type { Shards, Slots } from '../objects/index.js';
import type { EventLog, EventRecord } from './eventlog.js';

/** What of a node it works with. */
export interface FeedParts {
  readonly geometry: Geometry;
  readonly machine: Machine;
  readonly shards: Shards;
  readonly slots: Slots;
  readonly events: EventLog;
}

/** Longer than a writer is off its processor on a busy machine. */
const HOLD_MS = 250;
const SPINS = 200;
/** A publisher who overtakes a feed again and again is followed from the end of the log on. */
const SKIPS_MAX = 3;

/** What a feed gives out: an event, or how many were missed before those that follow. */
export type Fed = EventRecord | { readonly missed: number };

export class Feed {
  private readonly parts: FeedParts;
  private readonly log: EventLog;
  private readonly positions: Int32Array;
  private readonly counts: Int32Array;
  /** The shards' publish sequences when the feed began, and what was under way just then: for the replay. */
  private readonly published: Int32Array;
  private readonly unsettled: Int32Array;
  /** Read, but not yet known to be next; in no order. */
  private held: EventRecord[] = [];
  /** What `take` gives out, from `next` on: the taker raises that by one for each that it has put elsewhere (V4). */
  ready: Fed[] = [];
  next = 0;
  private readonly heldMax: number;
  private missed = 0;
  private heldSinceMs: MonotonicMs | undefined;
  /** Events told before the feed began. */
  readonly startedAt: number;

  constructor(parts: FeedParts) {
    const { shards } = parts.geometry;
    this.parts = parts;
    this.log = parts.events;
    this.positions = new Int32Array(shards);
    this.counts = new Int32Array(shards);
    this.published = new Int32Array(shards);
    this.unsettled = new Int32Array(shards);
    this.heldMax = shards * this.log.lines;
    this.startedAt = this.log.stamps();
    for (let shard = 0; shard < shards; shard++) this.begin(shard);
  }

  /** The log's end and the publish sequence of one moment between two events. */
  private begin(shard: number): void {
    const { log, parts } = this;
    for (let spin = 0; ; spin++) {
      const pending = log.pendingSlot(shard);
      const { end, count } = log.mark(shard);
      const published = parts.shards.publishSequence(shard);
      const isOneMoment = pending === -1 && log.pendingSlot(shard) === -1 && log.end(shard) === end;
      if (!isOneMoment && spin < SPINS) continue;
      this.positions[shard] = end;
      this.counts[shard] = count;
      this.published[shard] = published;
      // Behind a stopped writer: its event will be told when it is, so the replay leaves it out.
      this.unsettled[shard] = isOneMoment ? -1 : log.untoldSeal(shard);
      return;
    }
  }

  /** Whether the sealed page was there when the feed began, so that no event to come will tell of it. */
  isFromBefore(slot: number): boolean {
    const { shards, slots } = this.parts;
    const shard = shards.of(slot);
    // A page may be of any age, also of more seals than a sequence tells apart: so it is from before unless it is known to
    // be from between the beginning and the seal that is under way now.
    const began = this.published[shard] as number;
    const since = stepsSince(began, slots.publishSequence(slot));
    const now = stepsSince(began, nextSequence(shards.publishSequence(shard)));
    return (since === 0 || since > now) && slot !== this.unsettled[shard];
  }

  /** Adds what has come to `ready`. False when something is under way, and more is to come in a moment. */
  take(): boolean {
    const stamps = this.log.stamps();
    let settled = true;
    for (let shard = 0; shard < this.positions.length; shard++) {
      if (!this.isSettled(shard)) settled = false;
      this.readShard(shard);
    }
    if (settled) this.heldSinceMs = undefined;
    // More than all logs hold is held back by a count that lies.
    const bound = this.held.length > this.heldMax ? Number.POSITIVE_INFINITY : stamps;
    if (settled || this.isTooLate()) this.release(bound);
    else this.hand(this.ahead(), this.held);
    return settled;
  }

  private isSettled(shard: number): boolean {
    for (let spin = 0; spin < SPINS; spin++) if (this.log.isSettled(shard)) return true;
    return false;
  }

  private isTooLate(): boolean {
    const now = this.parts.machine.elapsedMs();
    this.heldSinceMs ??= now;
    return msBetween(this.heldSinceMs, now) > HOLD_MS;
  }

  private readShard(shard: number): void {
    const { log, positions, counts } = this;
    let end = log.end(shard);
    for (let skips = 0; positions[shard] !== end; ) {
      const at = positions[shard] as number;
      const number = counts[shard] as number;
      const record = log.isInRing(at, end) ? log.read(shard, at, number) : undefined;
      // ORDER event-2: the end once more, after the record: it may have been overwritten meanwhile; pairs with append.
      if (record === undefined || !log.isInRing(at, log.end(shard))) {
        this.skip(shard, skips === SKIPS_MAX);
        if (skips++ === SKIPS_MAX) return;
        end = log.end(shard);
        continue;
      }
      const after = sequenceAfter(at, record.lines);
      const count = nextSequence(number);
      // (V4)
      this.held.push(record);
      positions[shard] = after;
      counts[shard] = count;
    }
  }

  /** Goes on at the oldest event that is still there, or at the end of the log: what lies between was missed. */
  private skip(shard: number, toEnd: boolean): void {
    const { log, positions, counts } = this;
    const number = counts[shard] as number;
    const { end, count } = toEnd ? log.mark(shard) : log.oldest(shard, positions[shard] as number, number);
    const missed = this.missed + Math.max(1, stepsSince(number, count));
    // (V4)
    this.missed = missed;
    positions[shard] = end;
    counts[shard] = count;
  }

  /** What is ready and not taken yet, and before what follows how many were missed. */
  private ahead(): Fed[] {
    const events = this.ready.slice(this.next);
    if (this.missed > 0) events.push({ missed: this.missed });
    return events;
  }

  private release(bound: number): void {
    const ready = this.held.filter((record) => record.stamp < bound);
    const held = ready.length === 0 ? this.held : this.held.filter((record) => record.stamp >= bound);
    ready.sort((a, b) => a.stamp - b.stamp);
    this.hand(this.ahead().concat(ready), held);
  }

  private hand(ready: Fed[], held: EventRecord[]): void {
    // (V4)
    this.ready = ready;
    this.next = 0;
    this.missed = 0;
    this.held = held;
  }
}
