/**
 * Subscriptions: what `subscribe` gives. First the replay, if asked for, then a feed of what is published.
 *
 * (U2) The replay tells of each page that was sealed when `subscribe` was called and still is when its turn comes, with
 *      the sequence of the call. What is sealed after the call is told by the feed only, what was sealed before it by the
 *      replay only: no page twice, none left out. What is deleted before its turn in the replay is told as deleted only.
 * (U3) Bounded: the queue holds about EVENTS_MAX events and is not filled any further; then the logs overtake the feed,
 *      and it tells how many were missed. Publishers never look at subscribers.
 * (U4) Events are read from the logs at each ring, whether somebody waits for the next one or not: a loop that is busy
 *      for a while misses nothing that fits the queue.
 */
import { PoolError } from '../../lib/errors.js';
import { type Fed, Feed } from './feed.js';
import { displayKey, startsWith } from './keys.js';
import { EVENT_DELETED, EVENT_SEALED } from './layout.js';
import { listObjects } from './listing.js';
import type { Parts } from './parts.js';
import type { PoolEvent, Subscription } from './types.js';
import type { Wait, Waits } from './waits.js';

const EVENTS_MAX = 65_536;
const RETRY_MS = 1;
const TAKES_MAX = 16;

type Result = IteratorResult<PoolEvent, undefined>;

interface Waiter {
  readonly resolve: (result: Result) => void;
  readonly reject: (error: Error) => void;
}

const DONE: Result = { done: true, value: undefined };

export interface SubscriptionOptions {
  readonly parts: Parts;
  readonly waits: Waits;
  /** Throws DISCONNECTED. */
  readonly check: () => void;
  readonly prefix: Uint8Array | undefined;
  readonly replay: boolean;
  readonly signal: AbortSignal | undefined;
}

function typeOf(kind: number): 'sealed' | 'deleted' | 'evicted' {
  if (kind === EVENT_SEALED) return 'sealed';
  return kind === EVENT_DELETED ? 'deleted' : 'evicted';
}

export class OpenSubscription implements Subscription {
  private readonly options: SubscriptionOptions;
  private readonly feed: Feed;
  private replay: Iterator<PoolEvent> | undefined;
  private queue: PoolEvent[] = [];
  private place = 0;
  private sequence: number;
  private readonly waiters: Waiter[] = [];
  private readonly ends: Wait[];
  private isRetrying = false;
  private isKeeping = true;
  private open = true;
  private isCutOff = false;

  constructor(options: SubscriptionOptions) {
    const { parts, waits, signal } = options;
    this.options = options;
    this.feed = new Feed(parts);
    this.sequence = this.feed.startedAt;
    if (options.replay) this.replay = this.replayed();
    this.ends = [waits.onClose(() => this.end(this.disconnected())), waits.listen(() => this.pump())];
    if (signal?.aborted === true) this.close();
    else signal?.addEventListener('abort', this.onAbort, { once: true });
  }

  private readonly onAbort = () => this.close();

  private disconnected(): PoolError {
    return new PoolError('DISCONNECTED', 'The pool was disconnected.');
  }

  private *replayed(): IterableIterator<PoolEvent> {
    const { parts, prefix } = this.options;
    const { startedAt: sequence } = this.feed;
    for (const info of listObjects(parts, prefix, undefined, (slot) => this.feed.isFromBefore(slot))) {
      if (info.state !== 'sealed') continue;
      yield { type: 'sealed', key: info.key, keyBytes: info.keyBytes, size: info.size, sequence };
    }
  }

  /** Reads what has come into the queue, and gives it to whoever waits. */
  private pump(): void {
    for (let takes = 0; this.open && this.queue.length - this.place < EVENTS_MAX; takes++) {
      const { events, settled } = this.feed.take();
      for (const fed of events) this.accept(fed);
      // Others may publish faster than a prefix lets through: the event loop has its turn in between.
      if (!settled || takes === TAKES_MAX) this.retry();
      if (!settled || takes === TAKES_MAX || events.length === 0) break;
    }
    this.deliver();
  }

  private accept(fed: Fed): void {
    const { prefix } = this.options;
    if ('missed' in fed) {
      this.queue.push({ type: 'missed', count: fed.missed, sequence: this.sequence });
      return;
    }
    this.sequence = fed.stamp + 1;
    const { key: keyBytes, size } = fed;
    if (prefix !== undefined && !startsWith(keyBytes, prefix)) return;
    this.queue.push({ type: typeOf(fed.kind), key: displayKey(keyBytes), keyBytes, size, sequence: this.sequence });
  }

  /** There is more, in a moment: a writer is in the middle of an event, or publishes without a pause. */
  private retry(): void {
    if (this.isRetrying) return;
    this.isRetrying = true;
    void this.options.parts.machine.sleep(RETRY_MS).then(() => {
      this.isRetrying = false;
      if (this.open) this.pump();
    });
  }

  private deliver(): void {
    while (this.waiters.length > 0) {
      const event = this.shift();
      if (event === undefined) return;
      this.unwait(this.waiters.shift() as Waiter).resolve({ done: false, value: event });
    }
  }

  private shift(): PoolEvent | undefined {
    const replayed = this.replay?.next();
    if (replayed !== undefined && replayed.done !== true) return replayed.value;
    this.replay = undefined;
    const event = this.queue[this.place];
    if (event === undefined) return undefined;
    this.place++;
    if (this.place === this.queue.length) {
      this.queue = [];
      this.place = 0;
    } else if (this.place > EVENTS_MAX) {
      this.queue = this.queue.slice(this.place);
      this.place = 0;
    }
    return event;
  }

  private next(): Promise<Result> {
    if (!this.open) return this.isCutOff ? Promise.reject(this.disconnected()) : Promise.resolve(DONE);
    try {
      this.options.check();
      if (this.waiters.length === 0) {
        const event = this.shift() ?? this.pumped();
        if (event !== undefined) return Promise.resolve({ done: false, value: event });
      }
    } catch (error) {
      return Promise.reject(error);
    }
    if (!this.open) return Promise.resolve(DONE);
    return new Promise((resolve, reject) => {
      this.waiters.push({ resolve, reject });
      if (this.isKeeping) this.options.waits.keep(1);
    });
  }

  private pumped(): PoolEvent | undefined {
    this.pump();
    return this.shift();
  }

  private unwait(waiter: Waiter): Waiter {
    if (this.isKeeping) this.options.waits.keep(-1);
    return waiter;
  }

  ref(): void {
    if (this.isKeeping) return;
    this.isKeeping = true;
    for (const _ of this.waiters) this.options.waits.keep(1);
  }

  unref(): void {
    if (!this.isKeeping) return;
    for (const _ of this.waiters) this.options.waits.keep(-1);
    this.isKeeping = false;
  }

  close(): void {
    this.end(undefined);
  }

  private end(error: Error | undefined): void {
    if (!this.open) return;
    this.open = false;
    this.isCutOff = error !== undefined;
    for (const wait of this.ends) wait.stop();
    this.options.signal?.removeEventListener('abort', this.onAbort);
    for (const waiter of this.waiters.splice(0)) {
      const { resolve, reject } = this.unwait(waiter);
      if (error === undefined) resolve(DONE);
      else reject(error);
    }
    this.queue = [];
    this.place = 0;
    this.replay = undefined;
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

  [Symbol.dispose](): void {
    this.close();
  }
}
