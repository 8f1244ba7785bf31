/**
 * Rows and deaths: who is there, how far each has read, and who is dead from which position on.
 *
 * (M1) a host's death is one decision, the arbiter's: `pending` first, written back; only then is the log of the dead read to its
 *      end; that end is the limit. What an incarnation up to the dead one wrote from the limit on does not count.
 * (M2) *acknowledge after looking*: nothing is told to a caller before a look at the deaths that began when all it rests on was
 *      written back. Where that look finds no death, whoever declares one later reads the log later still: its limit lies beyond.
 * (M3) *believe after looking*: a record counts only if a look at the deaths, begun after it was read, finds it below the limit.
 *      So no two hosts differ in what counts. Only the newest death of a host is told. Where it is another than was known when the
 *      record was read, the host may have come again between, and written over what the death before did not count: it is read again.
 * (M4) an acknowledgement is written back after every pin that was made before it: who reads it reads those pins.
 */

import { PoolError } from '../../lib/errors.js';
import { LINE_WORDS } from '../../lib/struct.js';
import { ARBITER, Deaths, HostRow, type Plan, type PoolId } from './layout.js';
import type { Lines } from './lines.js';
import type { Pins } from './pins.js';

export const ABSENT = 0;
export const JOINING = 1;
export const JOINED = 2;
export const LEFT = 3;

const row = HostRow.word;
const DEATH = Deaths.word.deaths;

export interface Death {
  /** Up to this one all are dead; 0 is none. */
  readonly incarnation: number;
  readonly isPending: boolean;
  readonly limit: number;
}

/** Who has a row: a word of its kernel's boot id, its process, and since when. */
export interface Tenant {
  readonly boot: number;
  readonly process: number;
  readonly sinceSeconds: number;
}

export const NO_TENANT: Tenant = { boot: 0, process: 0, sinceSeconds: 0 };

export interface RowView extends Tenant {
  readonly state: number;
  readonly incarnation: number;
  readonly heartbeat: number;
  readonly tail: number;
  readonly acks: readonly number[];
}

const NOBODY: RowView = { state: ABSENT, incarnation: 0, heartbeat: 0, tail: 1, acks: [], ...NO_TENANT };

export class Members {
  readonly lines: Lines;
  readonly plan: Plan;
  readonly pool: PoolId;
  readonly self: number;
  /** Of every other host. */
  readonly others: readonly number[];
  incarnation = 0;
  isFenced = false;
  /** By host: the position of its log that is to be read next. */
  readonly next: number[];
  readonly deaths: Death[];

  constructor(lines: Lines, plan: Plan, pool: PoolId, self: number) {
    this.lines = lines;
    this.plan = plan;
    this.pool = pool;
    this.self = self;
    const hosts = [...Array(plan.shape.hosts).keys()];
    this.others = hosts.filter((host) => host !== self);
    this.next = hosts.map(() => 1);
    this.deaths = hosts.map(() => ({ incarnation: 0, isPending: false, limit: 0 }));
  }

  assertLive(): void {
    if (!this.isFenced) return;
    throw new PoolError('NODE_FENCED', `Host ${this.self} was declared dead in its incarnation ${this.incarnation}.`);
  }

  /** One look at the deaths. Throws NODE_FENCED where it finds this host, or another pool. */
  readDeaths(): void {
    const { lines, plan, self } = this;
    if (self !== ARBITER) {
      lines.invalidate(plan.deaths, 1);
      lines.order();
    }
    const first = plan.deaths * LINE_WORDS;
    const isOther =
      lines.load(first + Deaths.word.poolLow) !== this.pool.low ||
      lines.load(first + Deaths.word.poolHigh) !== this.pool.high;
    for (let host = 0; host < this.next.length; host++) {
      const word = lines.load(first + DEATH + 2 * host);
      const limit = lines.load(first + DEATH + 2 * host + 1);
      this.deaths[host] = { incarnation: word >>> 1, isPending: (word & 1) === 1, limit };
    }
    const isDead = this.incarnation > 0 && (this.deaths[self]?.incarnation ?? 0) >= this.incarnation;
    if (isOther || isDead) this.isFenced = true;
    this.assertLive();
  }

  /** The arbiter's: stores a death. `limit` is undefined while it is pending. */
  writeDeath(host: number, incarnation: number, limit: number | undefined): void {
    const { lines, plan } = this;
    const word = plan.deaths * LINE_WORDS + DEATH + 2 * host;
    // The limit before the word that says it is one: of one line what leaves early is a prefix.
    if (limit !== undefined) lines.store(word + 1, limit);
    lines.store(word, (incarnation << 1) | (limit === undefined ? 1 : 0));
    lines.writeback(plan.deaths, 1);
    lines.order();
  }

  /** Begins to drop the rows of the others. */
  dropRows(): void {
    for (const host of this.others) this.lines.invalidate(this.plan.row(host), 1);
  }

  /** A row, as the cache has it. */
  loadRow(host: number): RowView {
    const { lines, plan, pool } = this;
    const first = plan.row(host) * LINE_WORDS;
    const state = lines.load(first + row.state);
    const isOurs = lines.load(first + row.poolLow) === pool.low && lines.load(first + row.poolHigh) === pool.high;
    if (!isOurs || state < JOINING || state > LEFT) return NOBODY;
    const acks: number[] = [];
    for (let other = 0; other < plan.shape.hosts; other++) acks.push(lines.load(first + row.acks + other));
    return {
      ...{ state, incarnation: lines.load(first + row.incarnation), heartbeat: lines.load(first + row.heartbeat) },
      ...{ tail: lines.load(first + row.tail), acks },
      ...{ boot: lines.load(first + row.boot), process: lines.load(first + row.process) },
      sinceSeconds: lines.load(first + row.sinceSeconds) >>> 0,
    };
  }

  /** The rows of all others, fresh, by host. */
  readRows(): RowView[] {
    const rows: RowView[] = this.next.map(() => NOBODY);
    this.dropRows();
    this.lines.order();
    for (const host of this.others) rows[host] = this.loadRow(host);
    return rows;
  }

  /** Whether a host's acknowledgement is waited for. The arbiter's always is, and shows by itself that what it read counts. */
  counts(host: number, view: RowView): boolean {
    if (host === ARBITER) return true;
    const isThere = view.state === JOINING || view.state === JOINED;
    return isThere && view.incarnation > (this.deaths[host]?.incarnation ?? 0);
  }

  private isOwnRow(): boolean {
    return this.loadRow(this.self).state !== ABSENT;
  }

  private storeRow(field: number, value: number): void {
    this.lines.store(this.plan.row(this.self) * LINE_WORDS + field, value);
  }

  private publishRow(): void {
    this.lines.writeback(this.plan.row(this.self), 1);
    this.lines.order();
  }

  /** This host's row as joining, with what it will not read below. */
  enter(incarnation: number, tail: number, acks: readonly number[], tenant = NO_TENANT): void {
    // A row of this pool stays one throughout: it tells where the log begins.
    if (!this.isOwnRow()) {
      this.storeRow(row.state, ABSENT);
      this.storeRow(row.poolLow, this.pool.low);
      this.storeRow(row.poolHigh, this.pool.high);
      this.storeRow(row.tail, tail);
    }
    this.storeRow(row.incarnation, incarnation);
    this.storeRow(row.boot, tenant.boot);
    this.storeRow(row.process, tenant.process);
    this.storeRow(row.sinceSeconds, tenant.sinceSeconds);
    for (let host = 0; host < acks.length; host++) this.storeRow(row.acks + host, acks[host] as number);
    this.storeRow(row.state, JOINING);
    this.publishRow();
    this.incarnation = incarnation;
  }

  become(state: number): void {
    this.storeRow(row.state, state);
    this.publishRow();
  }

  publishTail(tail: number): void {
    this.storeRow(row.tail, tail);
    this.publishRow();
  }

  /** A sign of life, and how far this host has read; pins first (M4). `head` is of its own log. */
  beat(pins: Pins, head: number): void {
    pins.publish();
    for (const host of this.others) this.storeRow(row.acks + host, this.next[host] as number);
    this.storeRow(row.acks + this.self, head);
    const heartbeat = this.plan.row(this.self) * LINE_WORDS + row.heartbeat;
    this.lines.store(heartbeat, (this.lines.load(heartbeat) + 1) | 0);
    this.publishRow();
  }
}
