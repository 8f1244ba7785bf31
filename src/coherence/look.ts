/**
 * One host's look at what the others have done: their logs from where it stopped, then the deaths, then what counts of it (M3).
 */

import type { MonotonicMs, WallMs } from '../../lib/clock.js';
import { PoolError } from '../../lib/errors.js';
import type { Directory } from './directory.js';
import type { Members, Tenant } from './members.js';
import type { LogRecord, Records } from './records.js';

/** The machine as this protocol needs it. */
export interface Surroundings {
  elapsedMs(): MonotonicMs;
  /** Lets others go on, where it is waited for them. */
  pause(): void;
  /** Of this machine's clock. Without it nothing expires. */
  nowMs?(): WallMs;
  /** Whether the process that has the host's row has ended, where a kernel can say so at once. Elsewhere heartbeats tell. */
  isGone?(host: number, tenant: Tenant): boolean;
}

export class Look {
  private readonly members: Members;
  private readonly records: Records;
  private readonly directory: Directory;
  private readonly surroundings: Surroundings;
  private readonly waitMs: number;
  /** By host, up to which incarnation unsealed objects were made void. */
  private readonly voided: number[];

  constructor(
    members: Members,
    records: Records,
    directory: Directory,
    surroundings: Surroundings,
    options: { readonly waitMs: number },
  ) {
    this.members = members;
    this.records = records;
    this.directory = directory;
    this.surroundings = surroundings;
    this.waitMs = options.waitMs;
    this.voided = members.next.map(() => 0);
  }

  /**
   * Everything that was in memory when it began is known when it ends. Throws NODE_FENCED; BUSY where a death was not decided in
   * time.
   */
  look(): void {
    const { members, surroundings } = this;
    members.assertLive();
    let until: MonotonicMs | undefined;
    for (;;) {
      const before = members.deaths.map(({ incarnation }) => incarnation);
      const news = this.fetchAll();
      members.readDeaths();
      if (this.noteAll(news, before)) return;
      until ??= surroundings.elapsedMs() + this.waitMs;
      if (surroundings.elapsedMs() > until) {
        throw new PoolError(
          'BUSY',
          'Host 0 has begun to declare another host dead, and has not said what counts of its log.',
        );
      }
      surroundings.pause();
    }
  }

  /** Records of all others that are new, in the order of their logs. */
  private fetchAll(): LogRecord[][] {
    const { members, records } = this;
    const news: LogRecord[][] = members.next.map(() => []);
    // The tails do not depend on one another: one order for all.
    for (const host of members.others) records.drop(host, members.next[host] as number);
    members.lines.order();
    for (const host of members.others) this.fetchRest(host, news[host] as LogRecord[]);
    return news;
  }

  /** The records of a host from where this one stopped; the head of the first was dropped. */
  private fetchRest(host: number, into: LogRecord[]): void {
    const { members, records } = this;
    const first = members.next[host] as number;
    // No more than a ring holds: what comes while it is read may wait.
    for (let position = first; position < first + members.plan.shape.logRecords; position++) {
      if (position > first) {
        records.drop(host, position);
        members.lines.order();
      }
      const record = records.load(host, position);
      if (record === undefined) return;
      into.push(record);
    }
  }

  /** All records of a host there are, whatever is said of its death. */
  fetch(host: number): LogRecord[] {
    const news: LogRecord[] = [];
    this.records.drop(host, this.members.next[host] as number);
    this.members.lines.order();
    this.fetchRest(host, news);
    return news;
  }

  /** `before`: who was known to be dead when the news were read. False where something of them cannot be judged, or not yet. */
  private noteAll(news: readonly LogRecord[][], before: readonly number[]): boolean {
    let isAll = true;
    for (const host of this.members.others) {
      const ofHost = news[host] ?? [];
      // (M3) What the deaths between did not count, this one may seem to.
      const isStale = ofHost.length > 0 && this.members.deaths[host]?.incarnation !== before[host];
      if (isStale || !this.noteOf(host, ofHost)) isAll = false;
    }
    return isAll;
  }

  /** Notes what counts of a host's records, which follow one another. */
  noteOf(host: number, news: readonly LogRecord[]): boolean {
    const { members, directory } = this;
    const death = members.deaths[host];
    for (const record of news) {
      if (death !== undefined && record.incarnation <= death.incarnation) {
        if (death.isPending) return false;
        if (record.position >= death.limit) break;
      }
      directory.note(host, record);
      members.next[host] = record.position + 1;
    }
    return death === undefined || this.noteDeath(host, death.incarnation, death.isPending ? undefined : death.limit);
  }

  private noteDeath(host: number, incarnation: number, limit: number | undefined): boolean {
    if (limit === undefined || incarnation <= (this.voided[host] as number)) return true;
    // Of what counts some was not read: it came between the look at the log and the look at the deaths.
    if ((this.members.next[host] as number) < limit) return false;
    this.directory.voidUnsealed(host, incarnation);
    this.voided[host] = incarnation;
    return true;
  }
}
