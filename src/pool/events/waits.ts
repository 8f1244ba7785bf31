/**
 * Waits: everything in this node that sleeps until the pool changes. One bell serves all of them.
 *
 * A *watch* is for the page of one key, or the end of its draft; it is called when such a thing may have come (watches.ts).
 * A *listener* is for everything; it is called at each ring.
 *
 * (W1) whoever begins a wait registers it first and looks itself afterwards; and after each ring the node arms again
 *      before it looks (ORDER bell-1). So nothing that is published is slept through.
 * (W2) what this node publishes itself is looked at when the synchronous run ends.
 * (W3) nobody rings for the dead: a writer killed between publishing and ringing, or with a draft open. While there are
 *      watches the node looks every TICK_MS at what has moved, at who has died, and at a few watches in turn; so a dead
 *      loader's key is taken over well within 100 ms, and 50,000 watches cost no more than some hundred. Listeners look at
 *      upkeep.
 * (W4) where there is no bell, or somebody could not ring it, the node looks every POLL_MS.
 * (W5) the process is kept alive while somebody who wants that waits, and not otherwise. Who does is asked, not counted.
 * (W6) a call may be cut (see calls.ts). Registering is the last step, with no function's entry before the caller has what it
 *      is given. Who waits is told first, and what he registered is taken back after that, by whoever looks next if need be:
 *      also where nobody has the promise, because its call was cut.
 */
import type { Bell, Machine, Ticker } from '../../../lib/machine.js';
import type { Bells, Nodes } from '../nodes/index.js';
import type { Shards } from '../objects/index.js';
import type { EventLog } from './eventlog.js';
import { type Place, Watch, Watches } from './watches.js';

/** What of a node it works with. */
export interface WaitParts {
  readonly machine: Machine;
  readonly nodes: Nodes;
  readonly shards: Shards;
  readonly bells: Bells;
  readonly events: EventLog;
}

const TICK_MS = 40;
const POLL_MS = 5;
/** Arming again meets something new this often at most; then the next ring or tick goes on. */
const LOOKS_MAX = 16;
/** Watches that are looked at every TICK_MS whatever happens, and in each tick after a death until all were. */
const LOOKS_IN_TURN = 16;
const LOOKS_AFTER_DEATH = 2000;

/** One registered wait. `stop` is idempotent. */
export interface Wait {
  stop(): void;
}

export class Waits {
  private readonly parts: WaitParts;
  private readonly watches: Watches;
  /** Who was alive at the last tick. */
  private readonly living: Int32Array;
  /** With each, whether it wants the process kept alive. */
  private readonly listeners = new Map<() => void, () => boolean>();
  /** Told when the pool is disconnected. */
  private readonly closers = new Set<() => void>();
  private bell: Bell | undefined;
  private hasBell: boolean | undefined;
  private ticker: Ticker | undefined;
  private tickerMs = 0;
  private isKeeping = false;
  private isHolding = false;
  private isLooking = false;
  private isScheduled = false;
  private wasIdle = false;
  /** Watches that have not had their turn since somebody died. */
  private toLookAt = 0;
  private open = true;
  private isClosed = false;

  /** `seed`: of the pool's key hashes. */
  constructor(parts: WaitParts, seed: number) {
    this.parts = parts;
    this.watches = new Watches(parts, seed);
    this.living = new Int32Array(parts.nodes.rows);
    parts.bells.onOwn = () => this.published();
  }

  /** Calls `look` whenever the shard may have published or given up something under the tag. The caller looks itself now. */
  watch(place: Pick<Place, 'shard' | 'tag' | 'wantsPage'>, look: () => void): Wait {
    const { shard, tag } = place;
    const watch = new Watch(shard, tag, place.wantsPage === true, look);
    if (this.watches.size === 0) this.parts.nodes.hasLost(this.living);
    this.parts.bells.want(tag);
    this.ready(TICK_MS);
    this.keepAlive(true);
    // (W6)
    this.watches.add(watch);
    return { stop: () => this.endWatch(watch) };
  }

  private endWatch(watch: Watch): void {
    if (!this.watches.delete(watch)) return;
    if (this.open) this.parts.bells.unwant(watch.tag);
    this.settle();
  }

  /**
   * Calls `look` whenever anything may have been published. The caller looks itself now. `keepsAlive`: whether it wants the
   * process kept alive; whoever answers otherwise from now on calls `keepAlive`.
   */
  listen(look: () => void, keepsAlive: () => boolean): Wait {
    this.parts.bells.wantAll();
    this.ready(0);
    // (W6)
    this.listeners.set(look, keepsAlive);
    return {
      stop: () => {
        if (!this.listeners.delete(look)) return;
        if (this.open && this.listeners.size === 0) this.parts.bells.unwantAll();
        this.settle();
      },
    };
  }

  private isWantedAlive(): boolean {
    if (this.watches.size > 0) return true;
    for (const keepsAlive of this.listeners.values()) if (keepsAlive()) return true;
    return false;
  }

  /** (W5) */
  keepAlive(isWanted = this.isWantedAlive()): void {
    if (isWanted === this.isKeeping) return;
    if (isWanted) this.bell?.ref();
    else this.bell?.unref();
    if (isWanted && this.bell === undefined && !this.isHolding) this.hold();
    this.isKeeping = isWanted;
  }

  /** Without a bell nothing else keeps the process alive. */
  private hold(): void {
    void this.parts.machine.sleep(POLL_MS).then(() => {
      this.isHolding = false;
      if (this.isKeeping && this.bell === undefined && this.open) this.hold();
    });
    this.isHolding = true;
  }

  /** Calls back when the pool is disconnected. */
  onClose(callback: () => void): Wait {
    this.closers.add(callback);
    return { stop: () => this.closers.delete(callback) };
  }

  private get isIdle(): boolean {
    return this.watches.size === 0 && this.listeners.size === 0;
  }

  /** There is about to be something to wait for: the bell hangs and is armed. `tickMs`: how often it wants to be looked at. */
  private ready(tickMs: number): void {
    if (this.hasBell === undefined) this.hangUp();
    if (this.hasBell === true) this.parts.bells.arm();
    this.tickEvery(this.hasBell === true ? Math.max(tickMs, this.tickerMs) : POLL_MS);
  }

  private hangUp(): void {
    const { bells, nodes, machine } = this.parts;
    // One that was cut while it was hung up.
    this.bell?.close();
    const name = machine.randomWord() || 1;
    this.bell = bells.port?.open(nodes.self, name, () => this.rung());
    if (this.bell !== undefined) bells.hangUp(name);
    if (this.isKeeping) this.bell?.ref();
    this.hasBell = this.bell !== undefined;
  }

  /** A node that waits no more leaves nothing that outlives its death. */
  private takeDown(): void {
    this.parts.bells.wantNothing();
    if (this.bell === undefined) return;
    this.parts.bells.disarm();
    this.parts.bells.hangUp(0);
    this.bell.close();
    this.bell = undefined;
    this.hasBell = undefined;
  }

  /** Nothing waits: nobody has to ring. The clock runs as it has to. */
  private settle(): void {
    if (!this.open) return;
    if (this.isIdle && this.hasBell === true) this.parts.bells.disarm();
    this.tickEvery(this.isIdle ? 0 : this.hasBell !== true ? POLL_MS : this.watches.size > 0 ? TICK_MS : 0);
    this.keepAlive();
  }

  private tickEvery(wantedMs: number): void {
    if (wantedMs === this.tickerMs && (wantedMs !== 0 || this.ticker === undefined)) return;
    this.tickerMs = 0;
    this.ticker?.stop();
    this.ticker = undefined;
    if (wantedMs === 0) return;
    this.ticker = this.parts.machine.every(wantedMs, () => this.tick());
    this.tickerMs = wantedMs;
  }

  private rung(): void {
    if (this.open && !this.isIdle) this.look();
  }

  /** This node published something itself. */
  private published(): void {
    if (this.isIdle) return;
    // A long synchronous run must not overtake this node's own listeners, which have no turn in it.
    if (this.listeners.size > 0 && this.parts.events.isCrowded()) {
      for (const listener of this.listeners.keys()) listener();
    }
    if (this.isScheduled) return;
    this.parts.machine.afterRun(() => {
      this.isScheduled = false;
      if (this.open && !this.isIdle) this.look();
    });
    // After that: a publish that is cut between would keep the next ones from being looked at.
    this.isScheduled = true;
  }

  /** For upkeep, once a second. */
  upkeep(): void {
    if (!this.open) return;
    // Nobody is looking between two runs: who was, was cut.
    this.isLooking = false;
    this.isScheduled = false;
    if (!this.isIdle) this.tick();
    else if (this.wasIdle) this.takeDown();
    this.settle();
    this.wasIdle = this.isIdle;
  }

  /** Looks whether it was rung for or not. */
  private tick(): void {
    if (!this.open) return;
    if (this.isIdle) {
      // A wait that was cut before it began.
      this.settle();
      return;
    }
    if (this.hasBell === true && this.parts.bells.isUnheard()) this.hasBell = false;
    this.look();
    this.lookWithoutCause();
    this.settle();
  }

  /** (W3) */
  private lookWithoutCause(): void {
    if (this.watches.size === 0) return;
    if (this.parts.nodes.hasLost(this.living)) {
      this.toLookAt = this.watches.size;
      this.watches.lookAtEnds();
    }
    const count = Math.min(this.toLookAt, LOOKS_AFTER_DEATH);
    this.toLookAt -= count;
    const inTurn = Math.ceil((LOOKS_IN_TURN * this.tickerMs) / TICK_MS);
    this.watches.lookAtSome(Math.max(count, inTurn));
  }

  /** Arms and looks, until nothing has moved since it armed. */
  private look(): void {
    if (this.isLooking) return;
    this.isLooking = true;
    try {
      for (let looks = 0; looks < LOOKS_MAX && !this.isIdle; looks++) {
        if (this.hasBell === true) this.parts.bells.arm();
        for (const listener of [...this.listeners.keys()]) listener();
        if (!this.watches.lookAtMoved()) break;
      }
    } finally {
      this.isLooking = false;
    }
  }

  /** The node leaves: every wait is told, the bell is taken down. To be called again where it was cut. */
  close(): void {
    if (this.isClosed) return;
    const { bells } = this.parts;
    bells.onOwn = undefined;
    // A fenced node's line may be another's.
    if (this.parts.nodes.isFenced) this.bell?.close();
    else this.takeDown();
    this.open = false;
    this.ticker?.stop();
    for (const closer of [...this.closers]) closer();
    this.closers.clear();
    this.watches.clear();
    this.listeners.clear();
    bells.port?.close();
    this.isClosed = true;
  }
}
