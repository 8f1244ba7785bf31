/**
 * Waits: everything in this node that sleeps until the pool changes. One bell serves all of them.
 *
 * A *watch* is for the page of one key, or the end of its draft; it is called when its shard has published or given up a
 * draft. A *listener* is for everything; it is called at each ring.
 *
 * (W1) whoever begins a wait registers it first and looks itself afterwards; and after each ring the node arms again
 *      before it looks (ORDER bell-1). So nothing that is published is slept through.
 * (W2) what this node publishes itself is looked at when the synchronous run ends.
 * (W3) nobody rings for the dead: a writer killed between publishing and ringing, or with a draft open. While there are
 *      watches they look every TICK_MS, so a dead loader's key is taken over well within 100 ms; listeners do at upkeep.
 * (W4) where there is no bell, or somebody could not ring it, the node looks every POLL_MS.
 * (W5) the process is kept alive while somebody who wants that waits, and not otherwise.
 */
import { PoolError } from '../../lib/errors.js';
import type { Bell, Ticker } from '../../lib/machine.js';
import type { Parts } from './parts.js';

const TICK_MS = 40;
const POLL_MS = 5;
/** Arming again meets something new this often at most; then the next ring or tick goes on. */
const LOOKS_MAX = 16;

interface Group {
  seen: number;
  readonly watches: Set<Watch>;
}

/** One registered wait. `stop` is idempotent. */
export interface Wait {
  stop(): void;
}

class Watch implements Wait {
  readonly shard: number;
  readonly tag: number;
  readonly look: () => void;
  private readonly end: (watch: Watch) => void;

  constructor(shard: number, tag: number, look: () => void, end: (watch: Watch) => void) {
    this.shard = shard;
    this.tag = tag;
    this.look = look;
    this.end = end;
  }

  stop(): void {
    this.end(this);
  }
}

export class Waits {
  private readonly parts: Parts;
  private readonly groups = new Map<number, Group>();
  private readonly listeners = new Set<() => void>();
  /** Told when the pool is disconnected. */
  private readonly closers = new Set<() => void>();
  private bell: Bell | undefined;
  private hasBell: boolean | undefined;
  private ticker: Ticker | undefined;
  private tickerMs = 0;
  private watchCount = 0;
  private keeping = 0;
  private isHolding = false;
  private isLooking = false;
  private isScheduled = false;
  private wasIdle = false;
  private open = true;

  constructor(parts: Parts) {
    this.parts = parts;
    parts.bells.onOwn = () => this.published();
  }

  /** Calls `look` whenever the shard may have published or given up something under the tag. The caller looks itself now. */
  watch(shard: number, tag: number, look: () => void): Wait {
    const watch = new Watch(shard, tag, look, (ended) => this.endWatch(ended));
    let group = this.groups.get(shard);
    if (group === undefined) {
      group = { seen: this.parts.shards.publishSequence(shard), watches: new Set() };
      this.groups.set(shard, group);
    }
    group.watches.add(watch);
    this.watchCount++;
    this.parts.bells.want(tag);
    this.keep(1);
    this.ready();
    return watch;
  }

  private endWatch(watch: Watch): void {
    const group = this.groups.get(watch.shard);
    if (group === undefined || !group.watches.delete(watch)) return;
    if (group.watches.size === 0) this.groups.delete(watch.shard);
    this.watchCount--;
    if (this.open) this.parts.bells.unwant(watch.tag);
    this.keep(-1);
    this.settle();
  }

  /** Calls `look` whenever anything may have been published. The caller looks itself now. */
  listen(look: () => void): Wait {
    this.listeners.add(look);
    if (this.listeners.size === 1) this.parts.bells.wantAll();
    this.ready();
    return {
      stop: () => {
        if (!this.listeners.delete(look)) return;
        if (this.open && this.listeners.size === 0) this.parts.bells.unwantAll();
        this.settle();
      },
    };
  }

  /** Keeps the process alive by so many more, or fewer. */
  keep(by: 1 | -1): void {
    this.keeping += by;
    if (this.keeping === 0) this.bell?.unref();
    if (this.keeping !== 1 || by !== 1) return;
    this.bell?.ref();
    if (this.bell === undefined && !this.isHolding) void this.hold();
  }

  /** Without a bell nothing else keeps the process alive. */
  private async hold(): Promise<void> {
    this.isHolding = true;
    while (this.keeping > 0 && this.bell === undefined && this.open) await this.parts.machine.sleep(POLL_MS);
    this.isHolding = false;
  }

  /** Calls back when the pool is disconnected. */
  onClose(callback: () => void): Wait {
    this.closers.add(callback);
    return { stop: () => this.closers.delete(callback) };
  }

  private get isIdle(): boolean {
    return this.watchCount === 0 && this.listeners.size === 0;
  }

  /** There is something to wait for: the bell hangs and is armed. */
  private ready(): void {
    if (this.hasBell === undefined) this.hangUp();
    if (this.hasBell === true) this.parts.bells.arm();
    this.settle();
  }

  private hangUp(): void {
    const { bells, nodes, machine } = this.parts;
    const name = machine.randomWord() || 1;
    this.bell = bells.port?.open(nodes.self, name, () => this.rung());
    this.hasBell = this.bell !== undefined;
    if (this.bell === undefined) return;
    bells.hangUp(name);
    if (this.keeping > 0) this.bell.ref();
  }

  /** A node that waits no more leaves nothing that outlives its death. */
  private takeDown(): void {
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
    const wanted = this.isIdle ? 0 : this.hasBell !== true ? POLL_MS : this.watchCount > 0 ? TICK_MS : 0;
    if (wanted === this.tickerMs) return;
    this.ticker?.stop();
    this.tickerMs = wanted;
    this.ticker = wanted === 0 ? undefined : this.parts.machine.every(wanted, () => this.tick());
  }

  private rung(): void {
    if (this.open && !this.isIdle) this.look(false);
  }

  /** This node published something itself. */
  private published(): void {
    if (this.isIdle) return;
    // A long synchronous run must not overtake this node's own listeners, which have no turn in it.
    if (this.listeners.size > 0 && this.parts.events.isCrowded()) for (const listener of this.listeners) listener();
    if (this.isScheduled) return;
    this.isScheduled = true;
    this.parts.machine.afterRun(() => {
      this.isScheduled = false;
      if (this.open && !this.isIdle) this.look(false);
    });
  }

  /** For upkeep, once a second. */
  upkeep(): void {
    if (!this.open) return;
    if (!this.isIdle) this.tick();
    else if (this.wasIdle) this.takeDown();
    this.wasIdle = this.isIdle;
  }

  /** Looks at everything, whether it was rung for or not. */
  private tick(): void {
    if (!this.open || this.isIdle) return;
    if (this.hasBell === true && this.parts.bells.isUnheard()) this.hasBell = false;
    this.look(true);
    this.settle();
  }

  /** Arms and looks, until nothing has moved since it armed. */
  private look(all: boolean): void {
    if (this.isLooking) return;
    this.isLooking = true;
    try {
      let isAll = all;
      for (let looks = 0; looks < LOOKS_MAX && !this.isIdle; looks++) {
        if (this.hasBell === true) this.parts.bells.arm();
        for (const listener of [...this.listeners]) listener();
        if (!this.lookAtGroups(isAll)) break;
        isAll = false;
      }
    } finally {
      this.isLooking = false;
    }
  }

  private lookAtGroups(all: boolean): boolean {
    let moved = false;
    for (const [shard, group] of [...this.groups]) {
      const sequence = this.parts.shards.publishSequence(shard);
      if (sequence === group.seen && !all) continue;
      if (sequence !== group.seen) moved = true;
      group.seen = sequence;
      for (const watch of [...group.watches]) if (group.watches.has(watch)) watch.look();
    }
    return moved;
  }

  /** The node leaves: every wait is told, the bell is taken down. */
  close(): void {
    if (!this.open) return;
    const { bells } = this.parts;
    bells.onOwn = undefined;
    this.takeDown();
    this.open = false;
    this.ticker?.stop();
    for (const closer of [...this.closers]) closer();
    this.closers.clear();
    this.groups.clear();
    this.listeners.clear();
    bells.port?.close();
  }
}

/** What may end a wait from outside. */
export interface WaitLimits {
  readonly timeoutMs?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onTimeout?: () => PoolError;
}

/** One thing to wait for: `look` says whether it is there by now. */
export interface Place {
  readonly shard: number;
  readonly tag: number;
  look(): boolean;
}

/** A timer of the machine takes no longer times. */
const TIMER_MS_MAX = 2 ** 31 - 1;

/** A wait for several places, each of which is looked at now and whenever it may have changed, until it is there. */
class Waiting {
  private readonly waits: Waits;
  private readonly limits: WaitLimits;
  private readonly open = new Map<Place, Wait>();
  private readonly others: Wait[] = [];
  private settle: ((error?: unknown) => void) | undefined;

  constructor(waits: Waits, limits: WaitLimits) {
    this.waits = waits;
    this.limits = limits;
  }

  run(parts: Parts, places: readonly Place[]): Promise<void> {
    return new Promise<void>((resolve, reject) => {
      this.settle = (error) => (error === undefined ? resolve() : reject(error));
      this.limits.signal?.addEventListener('abort', this.onAbort, { once: true });
      this.others.push(this.waits.onClose(() => this.end(new PoolError('DISCONNECTED', 'The pool was disconnected.'))));
      this.startTimer(parts);
      for (const place of places) {
        const { shard, tag } = place;
        this.open.set(
          place,
          this.waits.watch(shard, tag, () => this.lookAt(place)),
        );
      }
      for (const place of places) this.lookAt(place);
      if (this.open.size === 0) this.end();
    });
  }

  private startTimer(parts: Parts): void {
    const { timeoutMs, onTimeout } = this.limits;
    if (timeoutMs === undefined) return;
    const startedMs = parts.machine.elapsedMs();
    const check = () => {
      if (parts.machine.elapsedMs() - startedMs < timeoutMs) return;
      for (const place of [...this.open.keys()]) this.lookAt(place);
      this.end(onTimeout?.());
    };
    this.others.push(parts.machine.every(Math.min(Math.max(1, timeoutMs), TIMER_MS_MAX), check));
  }

  private lookAt(place: Place): void {
    const wait = this.open.get(place);
    if (wait === undefined) return;
    try {
      if (!place.look()) return;
    } catch (error) {
      this.end(error);
      return;
    }
    this.open.delete(place);
    wait.stop();
    if (this.open.size === 0) this.end();
  }

  private readonly onAbort = () =>
    this.end(new PoolError('ABORTED', 'Waiting was aborted.', undefined, this.limits.signal?.reason));

  private end(error?: unknown): void {
    const { settle } = this;
    if (settle === undefined) return;
    this.settle = undefined;
    for (const wait of [...this.open.values(), ...this.others]) wait.stop();
    this.open.clear();
    this.limits.signal?.removeEventListener('abort', this.onAbort);
    settle(error);
  }
}

/**
 * Resolves once each place was found to be there. Rejects with what a look throws, with ABORTED, DISCONNECTED, and after
 * `timeoutMs` with what `onTimeout` makes.
 */
export function waitUntil(parts: Parts, waits: Waits, places: readonly Place[], limits: WaitLimits): Promise<void> {
  return new Waiting(waits, limits).run(parts, places);
}
