/**
 * Subscriptions of one host: what it comes to know from the logs, in the order it does.
 *
 * (U1) of each host's pages the seal is told before the end, and each once. A page that others sealed and deleted between two looks is told of, too.
 *      Hosts have no order among one another, so `sequence` counts what this host came to know, and is no other's.
 * (U2) bounded: who takes no events is told how many he missed, once EVENTS_MAX wait for him, and goes on with the newest.
 */
import { PoolError } from '../../../lib/errors.js';
import { type Shown, showAs, UNCLONEABLE } from '../../../lib/shown.js';
import { whenAborted } from '../../../lib/signals.js';
import type { PoolEvent, Subscription } from '../../pool/index.js';

const EVENTS_MAX = 65_536;

type Result = IteratorResult<PoolEvent, undefined>;
const DONE: Result = { done: true, value: undefined };

interface Waiter {
  readonly resolve: (result: Result) => void;
  readonly reject: (error: Error) => void;
}

export interface FeedOwner {
  /** Throws DISCONNECTED, NODE_FENCED. */
  check(): void;
  /** Looks at the logs now: what is new is pushed to every feed. */
  look(): void;
  /** Somebody waits, or nobody does any more. */
  rearm(): void;
  close(feed: HostFeed): void;
}

export class HostFeed implements Subscription, Shown {
  readonly uncloneable = UNCLONEABLE;
  private readonly owner: FeedOwner;
  private readonly accepts: (keyBytes: Uint8Array) => boolean;
  private queue: PoolEvent[] = [];
  private place = 0;
  private missed = 0;
  private readonly waiters: Waiter[] = [];
  private isKeeping = true;
  private open = true;
  private failure: Error | undefined;
  private readonly stopListening: () => void;
  private sequence = 0;

  constructor(owner: FeedOwner, accepts: (keyBytes: Uint8Array) => boolean, signal: AbortSignal | undefined) {
    this.owner = owner;
    this.accepts = accepts;
    this.stopListening = whenAborted(signal, () => this.close());
    if (signal?.aborted === true) this.open = false;
  }

  /** Whether somebody waits. */
  get isWaiting(): boolean {
    return this.waiters.length > 0;
  }
  /** Whether somebody waits who keeps the process alive. */
  get keepsAlive(): boolean {
    return this.isKeeping && this.waiters.length > 0;
  }

  push(event: PoolEvent & { keyBytes: Uint8Array }): void {
    this.sequence = event.sequence;
    if (!this.open || !this.accepts(event.keyBytes)) return;
    if (this.queue.length - this.place >= EVENTS_MAX) {
      this.missed += this.queue.length - this.place;
      this.queue = [];
      this.place = 0;
    }
    this.queue.push(event);
    this.deliver();
  }

  private take(): PoolEvent | undefined {
    if (this.missed > 0) {
      const count = this.missed;
      this.missed = 0;
      return { type: 'missed', count, sequence: this.sequence };
    }
    const event = this.queue[this.place];
    if (event === undefined) return undefined;
    this.place++;
    if (this.place === this.queue.length) {
      this.queue = [];
      this.place = 0;
    }
    return event;
  }

  private deliver(): void {
    while (this.waiters.length > 0) {
      const event = this.take();
      if (event === undefined) return;
      this.waiters.shift()?.resolve({ done: false, value: event });
    }
  }

  private next(): Promise<Result> {
    if (this.failure !== undefined) return Promise.reject(this.failure);
    if (!this.open) return Promise.resolve(DONE);
    try {
      this.owner.check();
      const known = this.waiters.length === 0 ? this.take() : undefined;
      if (known !== undefined) return Promise.resolve({ done: false, value: known });
      this.owner.look();
      const event = this.waiters.length === 0 ? this.take() : undefined;
      if (event !== undefined) return Promise.resolve({ done: false, value: event });
    } catch (error) {
      // BUSY passes: the next look tells.
      if (!(error instanceof PoolError) || error.code !== 'BUSY') return Promise.reject(error);
    }
    return new Promise((resolve, reject) => {
      this.waiters.push({ resolve, reject });
      this.owner.rearm();
    });
  }

  ref(): void {
    this.isKeeping = true;
    this.owner.rearm();
  }
  unref(): void {
    this.isKeeping = false;
    this.owner.rearm();
  }

  close(): void {
    this.end(undefined);
  }

  /** With an error: who waits, and whoever asks from now on, gets it. */
  end(failure: Error | undefined): void {
    if (!this.open) return;
    this.open = false;
    this.failure = failure;
    this.stopListening();
    for (const { resolve, reject } of this.waiters.splice(0)) {
      if (failure === undefined) resolve(DONE);
      else reject(failure);
    }
    this.queue = [];
    this.place = 0;
    this.owner.close(this);
  }

  [Symbol.asyncIterator](): AsyncIterator<PoolEvent, undefined> {
    return {
      next: () => this.next(),
      return: async () => {
        this.close();
        return DONE;
      },
    };
  }

  toJSON(): object {
    const { sequence, open, queue, place } = this;
    return { state: open ? 'open' : 'closed', sequence, waiting: queue.length - place };
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

showAs(HostFeed, 'Subscription');
