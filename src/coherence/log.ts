/**
 * A host's own log: a ring of records that it alone appends to. What is still needed of the oldest is copied forward, so that the
 * log runs for ever in its room.
 *
 * (G1) a place is written again only when its record lies below the tail that is in memory, and every host that counts has
 *      acknowledged more than it.
 * (G2) the tail moves on after a look at the deaths that came after the copies (M2): what a host does that was taken for dead never
 *      hides what counted.
 * (G3) of a DELETE a copy stays until the tail of the object's host has passed its last record: nobody who joins can meet the
 *      page without its end.
 *
 * A crash after a copy and before the tail leaves two records that say the same.
 */
import { assert } from '../../lib/assert.js';
import { PoolError } from '../../lib/errors.js';
import { bytesOf, type Directory, type Entry } from './directory.js';
import type { LongKeys } from './longkeys.js';
import type { Members, RowView } from './members.js';
import { CLAIM, DELETE, DRAFT, EVICTED, type Fields, NO_KEY, NO_MORE, PAGE, type Records, WON } from './records.js';

/** Places that are left free, of which records that end something may take all but the one that a copy needs. */
const SPARE = 3;
const SPARE_AT_LEAST = 1;
const POSITION_MAX = 2 ** 31 - 2 ** 20;

type Kept = Pick<Fields, 'kind' | 'host' | 'id'>;

export class OwnLog {
  head = 1;
  tail = 1;
  private publishedTail = 1;
  private readonly members: Members;
  private readonly records: Records;
  private readonly directory: Directory;
  readonly keys: LongKeys;
  private readonly kept = new Map<number, Kept>();
  /** Of every host that counts, this much of the log was acknowledged. */
  private acknowledged = 0;
  /** Records that were needed when they were last counted, and the head of then. */
  private counted = 0;
  private countedAt = 1;

  constructor(members: Members, records: Records, directory: Directory, keys: LongKeys) {
    this.keys = keys;
    this.members = members;
    this.records = records;
    this.directory = directory;
  }

  /** Where the log begins that a former incarnation left. */
  begin(tail: number): void {
    this.head = tail;
    this.countedAt = tail;
    this.tail = tail;
    this.publishedTail = tail;
  }

  /** What it left, in order. */
  adopt(position: number, fields: Fields): void {
    this.kept.set(position, fields);
    this.keys.note(position, fields);
    this.head = position + 1;
  }

  /** Makes room for a record that ends something. Throws as makeRoom does. */
  makeRoomForEnd(): void {
    this.makeRoom(1, SPARE_AT_LEAST);
  }

  /** Makes room for so many records. Throws POOL_FULL, BUSY, NODE_FENCED. */
  makeRoom(count: number, spare = SPARE): void {
    const { plan } = this.members;
    if (this.head > POSITION_MAX)
      throw new PoolError('POOL_FULL', 'The log of this host has come to the last position.');
    const size = plan.shape.logRecords;
    const bound = this.head;
    while (this.head + count + spare > this.tail + size) {
      if (this.tail >= bound)
        throw new PoolError('POOL_FULL', `The log of host ${this.members.self} holds only what is needed.`);
      this.moveOldest();
    }
    if (this.tail > this.publishedTail) this.publishTail();
    this.awaitReaders(this.head + count - 1);
  }

  private publishTail(): void {
    this.members.readDeaths();
    this.members.publishTail(this.tail);
    this.publishedTail = this.tail;
    // Who joined since the rows were read may read from the tail of before: he is in his row now, or reads the new one.
    this.acknowledged = 0;
    this.directory.forgetBelow(this.members.self, this.tail);
  }

  /**
   * Makes room for a new object's records. A quarter of the log is left to what ends objects: else a log full of pages could not say
   * that one of them is no more. Throws as makeRoom does.
   */
  makeRoomForObject(count: number): void {
    const most = (this.members.plan.shape.logRecords * 3) / 4 - count - SPARE;
    if (this.head - this.tail > most && this.neededAtMost() > most && this.needed() > most) {
      throw new PoolError(
        'POOL_FULL',
        `The log of host ${this.members.self} holds as many objects as it has room for.`,
      );
    }
    this.makeRoom(count);
  }

  /** By the last count and what was appended since: to count is to look at the whole log. */
  private neededAtMost(): number {
    return this.counted + this.head - this.countedAt;
  }

  private needed(): number {
    let count = 0;
    for (const [position, kept] of this.kept) if (this.copyOf(kept, position) !== undefined) count++;
    this.counted = count;
    this.countedAt = this.head;
    return count;
  }

  /**
   * Moves the oldest records on if some in the log are not needed: others keep their DELETE of a page until the tail has passed it, so
   * a host that has nothing to say must move its tail all the same. Throws as makeRoom does.
   */
  rotate(): void {
    const size = this.members.plan.shape.logRecords;
    if (this.needed() === this.kept.size) return;
    const until = Math.min(this.head, this.tail + Math.ceil(size / 4));
    while (this.tail < until) this.moveOldest();
    if (this.tail > this.publishedTail) this.publishTail();
  }

  /** Copies the oldest record forward, if it is needed. */
  private moveOldest(): void {
    const old = this.kept.get(this.tail);
    assert(old !== undefined, `the log has no record at ${this.tail}`);
    const copy = this.copyOf(old, this.tail);
    if (copy !== undefined) {
      if (this.head - this.members.plan.shape.logRecords >= this.publishedTail) this.publishTail();
      this.awaitReaders(this.head);
      this.append(copy);
    }
    this.kept.delete(this.tail);
    this.tail++;
  }

  private copyOf({ kind, host, id }: Kept, position: number): Fields | undefined {
    const entry = this.directory.entry(host, id);
    if (entry === undefined) return undefined;
    if (kind === DELETE) return entry.ownDelete === position ? fieldsOf(DELETE, entry) : undefined;
    if (entry.lastPosition !== position) return undefined;
    if (entry.state === 'draft' && (kind === CLAIM || kind === DRAFT)) return fieldsOf(DRAFT, entry);
    return kind === PAGE && !entry.isFreed ? fieldsOf(PAGE, entry) : undefined;
  }

  /** Throws BUSY while the place of the position holds what somebody has not read. */
  private awaitReaders(position: number): void {
    const { members } = this;
    const old = position - members.plan.shape.logRecords;
    if (old < this.acknowledged) return;
    if (old < 1) return;
    const least = this.leastRead(members.readRows());
    this.acknowledged = least;
    if (old >= least) throw new PoolError('BUSY', `Another host has not read the log of host ${members.self} yet.`);
  }

  /** Up to where every host that counts has read this log. */
  private leastRead(rows: readonly RowView[]): number {
    const { members } = this;
    let least = Number.POSITIVE_INFINITY;
    for (const host of members.others) {
      const view = rows[host];
      if (view !== undefined && members.counts(host, view)) least = Math.min(least, view.acks[members.self] ?? 0);
    }
    return least;
  }

  /** Gives back the lines of keys that nobody can read any more (K1). The rows were read after the last tail was published. */
  freeKeys(rows: readonly RowView[]): void {
    this.keys.freeBelow(Math.min(this.publishedTail, this.leastRead(rows)));
  }

  /** Stores the next record, for which there is room, writes it back, and notes it. Returns its position. */
  append(fields: Fields): number {
    const position = this.head;
    const record = { ...fields, position, incarnation: this.members.incarnation };
    this.records.store(this.members.self, record);
    this.members.lines.order();
    this.kept.set(position, fields);
    this.keys.note(position, fields);
    this.head = position + 1;
    this.directory.note(this.members.self, record);
    return position;
  }
}

export function fieldsOf(kind: number, entry: Entry): Fields {
  const { host, id, extent, byteLength, dataCheck, metadataLength, keyLine, expiresAtMs } = entry;
  const said = { kind, host, id, extent, byteLength, dataCheck };
  if (kind === DELETE || kind === WON) return { ...said, ...NO_MORE, flags: entry.flags & EVICTED, key: NO_KEY };
  return { ...said, metadataLength, keyLine, expiresAtMs, flags: entry.flags, key: bytesOf(entry.key) };
}
