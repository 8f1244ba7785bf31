/**
 * Upkeep: what some node has to do even when nobody asks. Once a second each node looks for dead rows and cleans up
 * after them, takes over locks that a dead owner or an error left, retires what has expired or was dropped, and drains
 * limbo. Whoever cleaned up after a dead node also drops what it left of checkpoints. Every node does it: there is no
 * daemon.
 */
import { PoolError } from '../../lib/errors.js';
import type { Ticker } from '../../lib/machine.js';
import type { Checkpoints } from './checkpoints.js';
import { lockCount } from './geometry.js';
import type { NodeSession } from './node.js';

const INTERVAL_MS = 1000;
/** Slots looked at in one tick, so that a tick stays short however large the pool is. */
const SLOTS_PER_TICK = 65_536;

export class Upkeep {
  private readonly session: NodeSession;
  private readonly checkpoints: Checkpoints;
  private ticker: Ticker | undefined;
  private nextShard = 0;
  /** The last error met, for stats and tests; upkeep itself never throws. */
  lastError: PoolError | undefined;

  constructor(session: NodeSession, checkpoints: Checkpoints) {
    this.session = session;
    this.checkpoints = checkpoints;
  }

  /** Cleans up after the dead at once, and from time to time from now on. */
  start(): void {
    this.attempt(() => this.cleanDead(true));
    // A dead node whose row this one took over is in no list of the dead.
    this.attempt(() => this.checkpoints.collect());
    this.ticker = this.session.machine.every(INTERVAL_MS, () => this.tick());
  }

  stop(): void {
    this.ticker?.stop();
  }

  tick(): void {
    if (!this.session.isOpen) return;
    const dead = this.cleanDead(true);
    this.recoverLocks();
    if (dead > 0) this.attempt(() => this.checkpoints.collect());
    this.attempt(() => this.checkpoints.retry());
    this.attempt(() => this.takeBack());
    this.attempt(() => this.sweep());
    this.attempt(() => this.session.waits.upkeep());
  }

  /** What cannot be done now, behind a stopped node or in a damaged shard, keeps nothing else from being done. */
  private attempt(work: () => void): void {
    try {
      work();
    } catch (error) {
      if (!(error instanceof PoolError)) throw error;
      this.lastError = error;
    }
  }

  /** Cleans up after every dead node. Returns how many there were. */
  cleanDead(thorough: boolean): number {
    const { repair, parts } = this.session;
    const rows = parts.nodes.dead(thorough);
    for (const row of rows) this.attempt(() => repair.cleanRow(row));
    return rows.length;
  }

  /** What an error kept this node from giving back: drafts, and claims, of which it has none between two calls. */
  private takeBack(): void {
    const { writer, parts } = this.session;
    const { locks, chunks, nodes } = parts;
    writer.leftovers.clear(({ shard }) => {
      if (!locks.tryAcquire(shard)) return false;
      locks.release(shard);
      return true;
    });
    chunks.unclaimRow(nodes.self);
  }

  private recoverLocks(): void {
    const { locks, geometry } = this.session.parts;
    for (let lock = 0; lock < lockCount(geometry); lock++)
      if (locks.isDirty(lock)) this.attempt(() => locks.recover(lock));
  }

  private sweep(): void {
    const { parts, writer, machine } = this.session;
    const { geometry, locks, shards } = parts;
    const count = Math.max(1, Math.min(geometry.shards, Math.floor(SLOTS_PER_TICK / geometry.slotsPerShard)));
    for (let i = 0; i < count; i++) {
      const shard = this.nextShard;
      this.nextShard = (shard + 1) % geometry.shards;
      if (shards.live(shard) === 0 && shards.limbo(shard) === 0) continue;
      if (!locks.tryAcquire(shard)) continue;
      try {
        writer.reclaimer.sweep(shard, machine.nowMs());
      } catch (error) {
        locks.releaseDirty(shard);
        throw error;
      }
      locks.release(shard);
    }
  }
}
