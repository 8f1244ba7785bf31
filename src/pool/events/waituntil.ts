/** One wait: for several places at once, until each was found to be there (W6). */
import { PoolError } from '../../../lib/errors.js';
import { whenAborted } from '../../../lib/signals.js';
import type { Wait, WaitParts, Waits } from './waits.js';
import type { Place } from './watches.js';

/** What may end a wait from outside. */
export interface WaitLimits {
  readonly timeoutMs?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onTimeout?: () => PoolError;
}

/** A timer of the machine takes no longer times. */
const TIMER_MS_MAX = 2 ** 31 - 1;

/** A wait for several places, each of which is looked at now and whenever it may have changed, until it is there. */
class Waiting {
  private readonly waits: Waits;
  private readonly limits: WaitLimits;
  /** Not found yet. The last is taken out by nobody: then it is over. */
  private readonly open: Set<Place>;
  private readonly watches = new Map<Place, Wait>();
  private readonly others: Wait[] = [];
  /** Until it is over. */
  private waiter: { readonly resolve: () => void; readonly reject: (error: unknown) => void } | undefined;
  /** Whoever waits has the promise. */
  private isBegun = false;
  private unlisten = () => {};

  constructor(waits: Waits, places: readonly Place[], limits: WaitLimits) {
    this.waits = waits;
    this.open = new Set(places);
    this.limits = limits;
  }

  run(parts: WaitParts): Promise<void> {
    return new Promise<void>((resolve, reject) => {
      this.waiter = { resolve, reject };
      try {
        this.begin(parts);
      } catch (error) {
        this.end(error);
      }
      // (W6)
      this.isBegun = true;
    });
  }

  private begin(parts: WaitParts): void {
    this.unlisten = whenAborted(this.limits.signal, this.onAbort);
    this.others.push(
      this.waits.onClose(() => this.endNow(new PoolError('DISCONNECTED', 'The pool was disconnected.'))),
    );
    this.startTimer(parts);
    for (const place of this.open)
      this.watches.set(
        place,
        this.waits.watch(place, () => this.lookAgain(place)),
      );
    if (this.open.size === 0) this.end();
    for (const place of [...this.open]) if (this.waiter !== undefined) this.lookAt(place);
  }

  private startTimer(parts: WaitParts): void {
    const { timeoutMs, onTimeout } = this.limits;
    if (timeoutMs === undefined) return;
    const startedMs = parts.machine.elapsedMs();
    const check = () => {
      if (parts.machine.elapsedMs() - startedMs < timeoutMs) return;
      for (const place of [...this.open]) this.lookAgain(place);
      this.endNow(onTimeout?.());
    };
    this.others.push(parts.machine.every(Math.min(Math.max(1, timeoutMs), TIMER_MS_MAX), check));
  }

  private lookAgain(place: Place): void {
    if (!this.isBegun || this.waiter === undefined) this.endNow();
    else if (this.open.has(place)) this.lookAt(place);
    // It was found, and the look that found it was cut.
    else this.watches.get(place)?.stop();
  }

  private lookAt(place: Place): void {
    try {
      if (!place.look()) return;
    } catch (error) {
      this.end(error);
      return;
    }
    if (this.open.size === 1) {
      this.end();
      return;
    }
    this.open.delete(place);
    this.watches.get(place)?.stop();
  }

  private readonly onAbort = () =>
    this.endNow(new PoolError('ABORTED', 'Waiting was aborted.', undefined, this.limits.signal?.reason));

  /** In a later run. (W6) What nobody waits for is only taken back. */
  private endNow(error?: unknown): void {
    if (!this.isBegun) this.waiter = undefined;
    this.end(error);
  }

  private end(error?: unknown): void {
    const { waiter } = this;
    // (W6)
    this.waiter = undefined;
    if (error === undefined) waiter?.resolve();
    else waiter?.reject(error);
    for (const wait of [...this.watches.values(), ...this.others]) wait.stop();
    this.unlisten();
  }
}

/**
 * Resolves once each place was found to be there. Rejects with what a look throws, with ABORTED, DISCONNECTED, and after
 * `timeoutMs` with what `onTimeout` makes.
 */
export function waitUntil(parts: WaitParts, waits: Waits, places: readonly Place[], limits: WaitLimits): Promise<void> {
  return new Waiting(waits, places, limits).run(parts);
}
