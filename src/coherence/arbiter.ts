/**
 * The arbiter's judgement: a host whose heartbeat has stood still for longer than its lease, by host 0's own clock, is declared dead, and at once
 * one whose process this kernel knows to have ended.
 * It need not be right: a host that was taken for dead loses its work, and nothing that was acknowledged is lost (M2).
 */
import type { MonotonicMs } from '../../lib/clock.js';
import { PoolError } from '../../lib/errors.js';
import type { CoherenceHost } from './host.js';
import { decide } from './joining.js';
import { ARBITER } from './layout.js';
import { JOINED, JOINING } from './members.js';

interface Seen {
  readonly incarnation: number;
  readonly heartbeat: number;
  readonly since: MonotonicMs;
}

export class Arbiter {
  private readonly host: CoherenceHost;
  private readonly leaseMs: number;
  private readonly seen = new Map<number, Seen>();

  constructor(host: CoherenceHost, options: { readonly leaseMs: number }) {
    if (host.parts.members.self !== ARBITER) {
      throw new PoolError('OPTION_INVALID', 'Only host 0 declares others dead.', { option: 'host' });
    }
    this.host = host;
    this.leaseMs = options.leaseMs;
  }

  /** Looks at every heartbeat. Returns the hosts that it has declared dead. */
  judge(): number[] {
    const { members, surroundings } = this.host.parts;
    const rows = members.readRows();
    const now = surroundings.elapsedMs();
    const late: number[] = [];
    for (const host of members.others) {
      const row = rows[host];
      const isThere = row !== undefined && (row.state === JOINING || row.state === JOINED);
      if (!isThere || row.incarnation <= (members.deaths[host]?.incarnation ?? 0)) continue;
      if (surroundings.isGone?.(host, row) === true) {
        late.push(host);
        continue;
      }
      const before = this.seen.get(host);
      const isStill = before?.incarnation === row.incarnation && before.heartbeat === row.heartbeat;
      if (!isStill) this.seen.set(host, { incarnation: row.incarnation, heartbeat: row.heartbeat, since: now });
      else if (now - before.since > this.leaseMs) late.push(host);
    }
    for (const host of late) this.declare(host, rows[host]?.incarnation ?? 0);
    return late;
  }

  /** Declares a host dead, up to an incarnation. */
  declare(host: number, incarnation: number): void {
    const { parts } = this.host;
    parts.members.writeDeath(host, incarnation, undefined);
    parts.members.deaths[host] = { ...(parts.members.deaths[host] ?? { limit: 0 }), incarnation, isPending: true };
    decide(parts, host);
  }
}
