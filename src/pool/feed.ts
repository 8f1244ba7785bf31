/**
 * A feed: one reader's way through the event logs of all shards, merged into the pool's one order.
 *
 * (V1) Order. `take` loads the stamp count first, then reads every shard that has no event under way to its end: every
 *      event below that count is then in hand (T2), and is given out in the order of stamps; later ones wait for the next
 *      call. A shard whose writer is in the middle of an event holds everything up, which is some hundred nanoseconds;
 *      one that was stopped there is passed over after HOLD_MS, and its events come late, with their own sequences.
 * (V2) Nothing twice, nothing left out: a position and a count per shard. What was overwritten is told by its exact
 *      number, and the feed goes on at the end of that shard's log.
 *      What a feed has in hand is at most what the logs hold.
 * (V3) What is read is checked (T3); what does not hold is treated as overwritten, so a damaged log ends no reader.
 */
import type { EventLog, EventRecord } from './eventlog.js';
import type { Parts } from './parts.js';

/** Longer than a writer is off its processor on a busy machine. */
const HOLD_MS = 250;
const SPINS = 200;

/** What a feed gives out: an event, or how many were missed before those that follow. */
export type Fed = EventRecord | { readonly missed: number };

export class Feed {
  private readonly parts: Parts;
  private readonly log: EventLog;
  private readonly positions: Int32Array;
  private readonly counts: Int32Array;
  /** The shards' publish sequences when the feed began, and what was under way just then: for the replay. */
  private readonly published: Int32Array;
  private readonly unsettled: Int32Array;
  /** Read, but not yet known to be next; in no order. */
  private held: EventRecord[] = [];
  private readonly heldMax: number;
  private missed = 0;
  private heldSinceMs: number | undefined;
  /** Events told before the feed began. */
  readonly startedAt: number;

  constructor(parts: Parts) {
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
    const sealed = slots.publishSequence(slot);
    return ((sealed - (this.published[shard] as number)) | 0) <= 0 && slot !== this.unsettled[shard];
  }

  /** Takes what has come. `settled`: false when something is under way, and more is to come in a moment. */
  take(): { events: Fed[]; settled: boolean } {
    const stamps = this.log.stamps();
    let settled = true;
    for (let shard = 0; shard < this.positions.length; shard++) {
      if (!this.isSettled(shard)) settled = false;
      this.readShard(shard);
    }
    if (settled) this.heldSinceMs = undefined;
    // More than all logs hold is held back by a count that lies.
    const bound = this.held.length > this.heldMax ? Number.POSITIVE_INFINITY : stamps;
    return { events: settled || this.isTooLate() ? this.release(bound) : this.tellMissed(), settled };
  }

  private isSettled(shard: number): boolean {
    for (let spin = 0; spin < SPINS; spin++) if (this.log.isSettled(shard)) return true;
    return false;
  }

  private isTooLate(): boolean {
    const now = this.parts.machine.elapsedMs();
    this.heldSinceMs ??= now;
    return now - this.heldSinceMs > HOLD_MS;
  }

  private readShard(shard: number): void {
    const { log, positions, counts } = this;
    const end = log.end(shard);
    while (positions[shard] !== end) {
      const at = positions[shard] as number;
      const number = counts[shard] as number;
      const record = log.isInRing(at, end) ? log.read(shard, at, number) : undefined;
      // ORDER event-2: the end once more, after the record: it may have been overwritten meanwhile; pairs with append.
      if (record === undefined || !log.isInRing(at, log.end(shard))) {
        this.skip(shard);
        return;
      }
      this.held.push(record);
      positions[shard] = (at + record.lines) | 0;
      counts[shard] = (number + 1) | 0;
    }
  }

  /** Goes on at the end of the log: what lay between was missed. */
  private skip(shard: number): void {
    const { end, count } = this.log.mark(shard);
    this.missed += Math.max(1, (count - (this.counts[shard] as number)) | 0);
    this.positions[shard] = end;
    this.counts[shard] = count;
  }

  private tellMissed(): Fed[] {
    if (this.missed === 0) return [];
    const fed = { missed: this.missed };
    this.missed = 0;
    return [fed];
  }

  private release(bound: number): Fed[] {
    const events: Fed[] = this.tellMissed();
    const ready = this.held.filter((record) => record.stamp < bound);
    if (ready.length === 0) return events;
    this.held = this.held.filter((record) => record.stamp >= bound);
    ready.sort((a, b) => a.stamp - b.stamp);
    for (const record of ready) events.push(record);
    return events;
  }
}
