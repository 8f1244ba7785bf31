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
 * (U5) That is done within calls that publish as well, which may be cut. So each event is in its next place before it
 *      leaves the last one, and it leaves by stores with no function's entry between them. A page of the replay is one such
 *      event: its slot is the place, and no generator stands there, which an error would end.
 * (U6) Who waits is entered last, and told before he is struck off; an end that was cut is gone on with by whoever comes next.
 */

import { PoolError } from '../../../lib/errors.js';
import { type Shown, showAs, UNCLONEABLE } from '../../../lib/shown.js';
import { whenAborted } from '../../../lib/signals.js';
import { displayToldKey, pageListedAt, startsWith } from '../access/index.js';
import { type EventRecord, type Fed, Feed, type Wait, type Waits } from '../events/index.js';
import { EVENT_DELETED, EVENT_SEALED, type PoolEvent, type Subscription } from '../layout/index.js';
import { TOLD_HEAD_BYTES, toldKey } from '../objects/index.js';
import type { NodeParts } from './parts.js';

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
  readonly parts: NodeParts;
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

/** Whether the key of the event begins so, as far as it is told. */
function isToldToStart({ key, keyLength }: EventRecord, prefix: Uint8Array): boolean {
  if (keyLength === key.length) return startsWith(key, prefix);
  return startsWith(key, prefix.subarray(0, TOLD_HEAD_BYTES));
}

export class OpenSubscription implements Subscription, Shown {
  readonly uncloneable = UNCLONEABLE;
  private readonly options: SubscriptionOptions;
  private readonly feed: Feed;
  /** The slot that the replay looks at next. */
  private replaySlot = 0;
  private queue: PoolEvent[] = [];
  private place = 0;
  private sequence: number;
  private readonly waiters: Waiter[] = [];
  private readonly ends: Wait[] = [];
  private isRetrying = false;
  private isKeeping = true;
  private open = true;
  private isCutOff = false;
  private isEnded = false;
  private readonly isFromBefore = (slot: number) => this.feed.isFromBefore(slot);

  constructor(options: SubscriptionOptions) {
    const { parts, waits, signal } = options;
    this.options = options;
    this.feed = new Feed(parts);
    this.sequence = this.feed.startedAt;
    if (!options.replay) this.replaySlot = Number.POSITIVE_INFINITY;
    if (signal?.aborted === true) {
      this.close();
      return;
    }
    this.ends.push({ stop: whenAborted(signal, () => this.close()) });
    this.ends.push(waits.onClose(() => this.end(this.disconnected())));
    // (U6)
    this.ends.push(
      waits.listen(
        () => this.pump(),
        () => this.isKeeping && this.waiters.length > 0,
      ),
    );
  }

  private disconnected(): PoolError {
    return new PoolError('DISCONNECTED', 'The pool was disconnected.');
  }

  /** Reads what has come into the queue, and gives it to whoever waits. */
  private pump(): void {
    if (!this.open) this.end(undefined);
    for (let takes = 0; this.open && this.queue.length - this.place < EVENTS_MAX; takes++) {
      const { feed } = this;
      const settled = feed.take();
      const { ready } = feed;
      const isEmpty = feed.next === ready.length;
      while (feed.next < ready.length) this.accept(ready[feed.next] as Fed);
      // Others may publish faster than a prefix lets through: the event loop has its turn in between.
      if (!settled || takes === TAKES_MAX) this.retry();
      if (!settled || takes === TAKES_MAX || isEmpty) break;
    }
    this.deliver();
  }

  /** (U5) Into the queue, and only then out of the feed. */
  private accept(fed: Fed): void {
    const { feed } = this;
    const event = this.eventOf(fed);
    if (event !== undefined) this.queue.push(event);
    feed.next++;
  }

  private eventOf(fed: Fed): PoolEvent | undefined {
    const { prefix } = this.options;
    if ('missed' in fed) return { type: 'missed', count: fed.missed, sequence: this.sequence };
    this.sequence = fed.stamp + 1;
    const { key: keyBytes, keyLength, size } = fed;
    if (prefix !== undefined && !isToldToStart(fed, prefix)) return undefined;
    const key = displayToldKey(keyBytes, keyLength);
    return { type: typeOf(fed.kind), key, keyBytes, keyLength, size, sequence: this.sequence };
  }

  /** There is more, in a moment: a writer is in the middle of an event, or publishes without a pause. */
  private retry(): void {
    if (this.isRetrying) return;
    void this.options.parts.machine.sleep(RETRY_MS).then(() => {
      this.isRetrying = false;
      if (this.open) this.pump();
    });
    // After that: one that is cut between is followed by another.
    this.isRetrying = true;
  }

  /** (U5) A waiter has its event before either is struck off; one that was given its event once takes no other. */
  private deliver(): void {
    for (let waiter = this.waiters[0]; waiter !== undefined; waiter = this.waiters[0]) {
      this.trim();
      const replayed = this.toReplay();
      const event = replayed ?? this.queue[this.place];
      if (event === undefined) return;
      waiter.resolve({ done: false, value: event });
      this.waiters.shift();
      if (replayed === undefined) this.place++;
      else this.replaySlot++;
    }
    this.options.waits.keepAlive();
  }

  /** The page in the slot that the replay has come to. */
  private toReplay(): PoolEvent | undefined {
    const { parts, prefix } = this.options;
    for (; this.replaySlot < parts.slots.total; this.replaySlot++) {
      const info = pageListedAt(parts, this.replaySlot, prefix, this.isFromBefore);
      if (info === undefined) continue;
      const { size } = info;
      const keyLength = info.keyBytes.length;
      const keyBytes = toldKey(info.keyBytes);
      const key = displayToldKey(keyBytes, keyLength);
      return { type: 'sealed', key, keyBytes, keyLength, size, sequence: this.feed.startedAt };
    }
    return undefined;
  }

  private shift(): PoolEvent | undefined {
    this.trim();
    const replayed = this.toReplay();
    const event = replayed ?? this.queue[this.place];
    // (U5)
    if (replayed !== undefined) this.replaySlot++;
    else if (event !== undefined) this.place++;
    return event;
  }

  /** What was given out leaves the queue. */
  private trim(): void {
    if (this.place === this.queue.length) {
      this.queue = [];
      this.place = 0;
    } else if (this.place > EVENTS_MAX) {
      this.queue = this.queue.slice(this.place);
      this.place = 0;
    }
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
    if (this.isKeeping) this.options.waits.keepAlive(true);
    return new Promise((resolve, reject) => {
      // (U6)
      this.waiters.push({ resolve, reject });
    });
  }

  private pumped(): PoolEvent | undefined {
    this.pump();
    return this.shift();
  }

  ref(): void {
    this.isKeeping = true;
    this.options.waits.keepAlive();
  }

  unref(): void {
    this.isKeeping = false;
    this.options.waits.keepAlive();
  }

  close(): void {
    this.end(undefined);
  }

  private end(error: Error | undefined): void {
    if (this.isEnded) return;
    if (this.open && error !== undefined) this.isCutOff = true;
    this.open = false;
    for (let waiter = this.waiters[0]; waiter !== undefined; waiter = this.waiters[0]) {
      if (error === undefined) waiter.resolve(DONE);
      else waiter.reject(error);
      this.waiters.shift();
    }
    // (U6) The look that would go on with it goes last.
    for (const wait of this.ends) wait.stop();
    this.queue = [];
    this.place = 0;
    this.replaySlot = Number.POSITIVE_INFINITY;
    this.isEnded = true;
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

showAs(OpenSubscription, 'Subscription');
