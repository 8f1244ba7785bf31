/**
 * Upkeep: what some node has to do even when nobody asks. Once a second each node looks for dead rows and cleans up
 * after them, takes over locks that a dead owner or an error left, retires what has expired or was dropped, and drains
 * limbo. Whoever cleaned up after a dead node also drops what it left of checkpoints. Every node does it: there is no
 * daemon.
 *
 * It never waits for a living node: what is behind a lock that is held is left for a later tick.
 */
import type { WallMs } from '../../../lib/clock.js';
import { PoolError } from '../../../lib/errors.js';
import type { Ticker } from '../../../lib/machine.js';
import type { Checkpoints } from '../checkpoints/index.js';
import { lockCount } from '../layout/index.js';
import { lockOf } from '../nodes/index.js';
import type { NodeSession } from '../session/index.js';

const INTERVAL_MS = 1000;
/** Slots looked at in one tick, so that a tick stays short however large the pool is. */
const SLOTS_PER_TICK = 65_536;
/** Pages that are retired under one hold of their shard's lock: well under a millisecond of work. */
const ENDED_AT_ONCE = 64;

export class Upkeep {
  private readonly session: NodeSession;
  private readonly checkpoints: Checkpoints;
  private ticker: Ticker | undefined;
  private nextShard = 0;
  /** Of dead rows that could not be cleaned: a lock that a living node held. */
  private readonly blockers = new Map<number, number>();
  /** The last error met, for stats and tests; upkeep itself never throws. */
  lastError: PoolError | undefined;

  constructor(session: NodeSession, checkpoints: Checkpoints) {
    this.session = session;
    this.checkpoints = checkpoints;
  }

  /** Cleans up after the dead at once, and from time to time from now on. */
  start(): void {
    this.session.parts.locks.withPatience(0, () => {
      this.attempt(() => this.cleanDead(true));
      // A dead node whose row this one took over is in no list of the dead.
      this.attempt(() => this.checkpoints.collect());
    });
    this.ticker = this.session.machine.every(INTERVAL_MS, () => this.tick());
  }

  stop(): void {
    this.ticker?.stop();
  }

  tick(): void {
    if (!this.session.isOpen) {
      // One whose end was cut.
      this.attempt(() => this.session.close());
      this.stop();
      return;
    }
    if (!this.showLife()) return;
    this.session.lookForFile();
    this.session.tell();
    this.session.parts.calls.betweenRuns();
    for (const setBack of this.session.betweenRuns) setBack();
    this.attempt(() => this.session.settle());
    this.session.resting.look();
    const { locks, geometry } = this.session.parts;
    // What frees space waits for the chunk lock once it has begun.
    if (!locks.isHeldByLiving(geometry.shards)) locks.withPatience(0, () => this.work());
  }

  /** False where others took this node for dead: then it ends here. */
  private showLife(): boolean {
    if (this.session.parts.nodes.beat()) return true;
    this.attempt(() => this.session.close());
    this.stop();
    return false;
  }

  private work(): void {
    const dead = this.cleanDead(true);
    this.recoverLocks();
    if (dead > 0) this.attempt(() => this.checkpoints.collect());
    this.attempt(() => this.checkpoints.settleCuts());
    this.attempt(() => this.checkpoints.retry());
    this.attempt(() => this.takeBack());
    this.attempt(() => this.sweep());
    // What a cut kept from being told.
    this.session.parts.bells.flush();
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
    const { parts } = this.session;
    const { nodes, locks } = parts;
    const rows = nodes.dead(thorough);
    for (const row of rows) {
      // To look for a dead node's drafts takes a look at every slot: not in vain at each tick.
      const blocker = this.blockers.get(row);
      if (blocker !== undefined && locks.isHeldByLiving(blocker)) continue;
      this.blockers.delete(row);
      this.attempt(() => this.cleanRow(row));
    }
    return rows.length;
  }

  private cleanRow(row: number): void {
    try {
      this.session.repair.cleanRow(row);
    } catch (error) {
      const lock = lockOf(error);
      if (lock !== undefined) this.blockers.set(row, lock);
      throw error;
    }
  }

  /** What an error kept this node from giving back: drafts, and claims, of which it has none between two calls. */
  private takeBack(): void {
    const { writer, parts } = this.session;
    const { locks, chunks, nodes } = parts;
    writer.leftovers.clear(({ shard }) => locks.tryWithin(shard, () => {}));
    chunks.unclaimRow(nodes.self);
  }

  private recoverLocks(): void {
    const { locks, geometry } = this.session.parts;
    for (let lock = 0; lock < lockCount(geometry); lock++)
      if (locks.isDirty(lock)) this.attempt(() => locks.recover(lock));
  }

  private sweep(): void {
    const { parts, reader, machine } = this.session;
    const { geometry, shards } = parts;
    const count = Math.max(1, Math.min(geometry.shards, Math.floor(SLOTS_PER_TICK / geometry.slotsPerShard)));
    for (let i = 0; i < count; i++) {
      const shard = this.nextShard;
      this.nextShard = (shard + 1) % geometry.shards;
      reader.keepUp(shard);
      if (shards.live(shard) === 0 && shards.limbo(shard) === 0) continue;
      this.sweepShard(shard, machine.nowMs());
    }
  }

  /** Looks without the lock, and holds it for a batch at a time: writers wait for no walk over the shard. */
  private sweepShard(shard: number, now: WallMs): void {
    const { parts, writer } = this.session;
    const ended = writer.reclaimer.ended(shard, now);
    if (ended.length === 0 && parts.shards.limbo(shard) === 0) return;
    for (let first = 0; first === 0 || first < ended.length; first += ENDED_AT_ONCE) {
      const some = ended.slice(first, first + ENDED_AT_ONCE);
      if (!parts.locks.tryWithin(shard, () => void writer.reclaimer.sweep(shard, now, some))) return;
    }
  }
}
