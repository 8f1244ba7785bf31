/**
 * Loads under way in this node, by key. Whoever misses a key that is being loaded here joins the load.
 *
 * (L1) a load is of all who wait for it: one who goes leaves it to the others, and the last who goes ends it.
 * (L2) it ends once: by its loader, by its limit, by the last who goes, or because the node leaves. What the loader does after
 *      that reaches nobody: the claim is given up, the answer not looked at, the scratch not used again.
 * (L3) the claim is in hand (Writer.create) until the loader has returned to us, and whatever ends the load is in place; going
 *      into the books is the last step. So a call that is cut anywhere before leaves neither a claim nor a load to wait for.
 *      After that the load goes on for whoever comes, also where the call that began it is cut before it has joined.
 *      Who joins is entered last, with no function's entry before he has the promise: else a page would be pinned, or
 *      an error told, for nobody. What the loader gave is listened to at once: its error is never one that nobody handles.
 * (L4) all who wait here share a failure. Of a load that took too long, or whose caller called it on a stack with no room left,
 *      they are told nothing: they load for themselves, as where a source of many keys has nothing for theirs. So do they when an invalidation overtakes it, at once: the claim has
 *      lost its key then. Its caller gets what it loads.
 */
import { PoolError } from '../../lib/errors.js';
import type { Ticker } from '../../lib/machine.js';
import { whenAborted } from '../../lib/signals.js';
import {
  type Key,
  type NearEntry,
  NegativePage,
  type NodeSession,
  type Page,
  PinnedPage,
  PrivatePage,
} from '../pool/index.js';
import type { KnownTags } from './domain.js';
import { Failures } from './failures.js';
import type { Lease } from './types.js';

/** A timer of the machine takes no longer times. */
const TIMER_MS_MAX = 2 ** 31 - 1;

export interface Content {
  readonly bytes: Uint8Array;
  readonly metadata: Uint8Array | undefined;
}

/** What a load came to: the page in the pool, exposed, or content that is in nobody else's hands. */
export type Loaded =
  | { readonly kind: 'shared'; readonly entry: NearEntry }
  | ({ readonly kind: 'private' | 'stale' } & Content)
  /** The source has nothing. Not `isOfAll`: it was asked before an invalidation. */
  | { readonly kind: 'negative'; readonly isOfAll: boolean };

/** What a run does for its key. */
export interface Work {
  readonly name: string;
  /** The claim, as others name it; undefined for a load without one. */
  readonly id: string | undefined;
  /** Of the key, from before the load. */
  readonly lease: Lease;
  readonly tags: KnownTags;
  /** Calls the loader. */
  call(signal: AbortSignal): unknown;
  /** Checks what it answered, and publishes it. Throws what the answer is refused with, and BUSY. */
  finish(answer: unknown): Loaded;
  /** What to wait for before `finish` is called again, where that may help. */
  turnAfter(error: unknown): Promise<unknown> | undefined;
  /** Calls back when the claim, if there is one, has lost its key. */
  watch(onLost: () => void): { stop(): void } | undefined;
  /** Puts the claim, if there is one, into the books. */
  keep(): void;
  /** Gives the claim, if there is one, up. */
  giveUp(reason: unknown): void;
  /** Counts the load. */
  count(failed: boolean): void;
  /** The source has failed, and was waited for. */
  failed(error: unknown): void;
}

export interface Limits {
  readonly loadTimeoutMs: number;
  readonly signal?: AbortSignal | undefined;
}

/** One who waits for a run. */
interface Asker {
  readonly key: Key;
  readonly began: boolean;
  resolve(page: Page | undefined): void;
  reject(error: unknown): void;
  stop(): void;
}

/** Calls back once, after so many milliseconds; never for Infinity. */
function after(session: NodeSession, ms: number, callback: () => void): Ticker | undefined {
  if (ms === Number.POSITIVE_INFINITY) return undefined;
  const { machine } = session;
  const startedMs = machine.elapsedMs();
  const ticker = machine.every(Math.max(1, Math.min(ms, TIMER_MS_MAX)), () => {
    if (machine.elapsedMs() - startedMs < ms - 1) return;
    ticker.stop();
    callback();
  });
  return ticker;
}

export function aborted(signal: AbortSignal | undefined): PoolError {
  return new PoolError('ABORTED', 'The fetch was aborted.', undefined, signal?.reason);
}

/** The source has nothing for the key: of that only who asked it is told. */
export class Absent extends Error {}

/** The stack of the caller had no room left: no failure of the source. */
function isOverflow(error: unknown): boolean {
  return error instanceof RangeError && error.message.includes('call stack');
}

export class Run {
  readonly lease: Lease;
  readonly tags: KnownTags;
  /** No other load has it. */
  readonly id: unknown;
  private readonly session: NodeSession;
  private readonly runs: Runs;
  private readonly work: Work;
  private readonly limitMs: number;
  private readonly controller = new AbortController();
  private readonly askers = new Set<Asker>();
  private readonly ends: { stop(): void }[] = [];
  private open = true;
  private isWatched = false;

  constructor(session: NodeSession, runs: Runs, work: Work, limitMs: number) {
    this.session = session;
    this.runs = runs;
    this.work = work;
    this.lease = work.lease;
    this.tags = work.tags;
    this.id = work.id ?? this;
    this.limitMs = limitMs;
  }

  /** Calls the loader, and gives the page to the one who asks first. */
  begin(key: Key, signal: AbortSignal | undefined): Promise<Page | undefined> {
    const { work, session, runs } = this;
    this.callLoader();
    const limit = after(session, this.limitMs, () => this.expire());
    if (limit !== undefined) this.ends.push(limit);
    this.ends.push(session.waits.onClose(() => this.fail(disconnected(session))));
    runs.enter(work.name, this);
    work.keep();
    return this.join(key, { signal, loadTimeoutMs: Number.POSITIVE_INFINITY }, true);
  }

  private callLoader(): void {
    const { work, runs } = this;
    const onAnswer = (answer: unknown) => this.answered(answer);
    const onError = (error: unknown) => this.refused(error);
    runs.starting(work.name, 1);
    try {
      Promise.resolve(work.call(this.controller.signal)).then(onAnswer, onError);
    } catch (error) {
      Promise.reject(error).catch(onError);
    } finally {
      runs.starting(work.name, -1);
    }
  }

  /** By the loader. */
  private refused(error: unknown): void {
    const isOfSource = !(error instanceof Absent) && !isOverflow(error);
    if (isOfSource && this.open) this.work.failed(error);
    this.fail(error, isOfSource);
  }

  /**
   * The page, when the load has ended well; undefined where whoever asks has to look again. Rejects with the error of the
   * load, and with ABORTED.
   */
  join(key: Key, limits: Limits, began = false): Promise<Page | undefined> {
    const { signal, loadTimeoutMs } = limits;
    return new Promise((resolve, reject) => {
      const onAbort = () => {
        const error = aborted(signal);
        const wasAsking = this.askers.delete(asker);
        reject(error);
        this.left(asker, wasAsking, signal?.reason);
      };
      const patience = after(this.session, loadTimeoutMs, () => this.sendAway(asker));
      const unlisten = whenAborted(signal, onAbort);
      const stop = () => {
        patience?.stop();
        unlisten();
      };
      const asker: Asker = { key, began, resolve, reject, stop };
      if (!began && !this.isWatched) this.watch();
      // The loader may have aborted it.
      const isAborted = signal?.aborted === true;
      // (L3)
      this.askers.add(asker);
      if (isAborted) onAbort();
    });
  }

  private watch(): void {
    const watch = this.work.watch(() => this.letFollowersGo());
    if (watch !== undefined) this.ends.push(watch);
    this.isWatched = true;
  }

  private letFollowersGo(): void {
    if (!this.open) {
      // An end that was cut.
      for (const end of this.ends) end.stop();
      return;
    }
    for (const asker of this.askers) {
      if (!asker.began) this.sendAway(asker);
    }
  }

  /** To look again. */
  private sendAway(asker: Asker): void {
    const wasAsking = this.askers.delete(asker);
    asker.resolve(undefined);
    this.left(asker, wasAsking, undefined);
  }

  /** After the asker was struck off, with no function's entry before he was answered: else what is loaded would be pinned for one who has gone. */
  private left(asker: Asker, wasAsking: boolean, reason: unknown): void {
    asker.stop();
    // One that was cut before it had joined leaves nobody.
    if (wasAsking && this.askers.size === 0) this.end(reason, true);
  }

  get isOpen(): boolean {
    return this.open;
  }

  /** The load is over for everybody. False where it was already. */
  private end(reason: unknown, failed: boolean): boolean {
    if (!this.open) return false;
    // Nobody joins it from now on, even if the rest is cut.
    this.open = false;
    this.runs.leave(this.work.name, this);
    for (const end of this.ends) end.stop();
    for (const asker of this.askers) asker.stop();
    this.work.count(failed);
    if (failed) {
      this.work.giveUp(reason);
      this.controller.abort(reason);
    }
    return true;
  }

  /** Unless the error is of all, only who began the load is told it. */
  private fail(error: unknown, isOfAll = true): void {
    if (!this.end(error, true)) return;
    for (const asker of this.askers) {
      if (isOfAll || asker.began) asker.reject(error);
      else asker.resolve(undefined);
    }
  }

  private expire(): void {
    const message = `The load took longer than ${this.limitMs} ms.`;
    const error = new PoolError('LOAD_TIMEOUT', message, { loadTimeoutMs: this.limitMs });
    this.fail(error, false);
  }

  private answered(answer: unknown): void {
    if (!this.open) return;
    let loaded: Loaded;
    try {
      loaded = this.work.finish(answer);
    } catch (error) {
      const turn = this.work.turnAfter(error);
      if (turn === undefined) this.fail(error);
      else
        turn.then(
          () => this.answered(answer),
          (reason) => this.fail(reason),
        );
      return;
    }
    this.end(undefined, false);
    for (const asker of this.askers) this.give(asker, loaded);
  }

  private give(asker: Asker, loaded: Loaded): void {
    const { session } = this;
    try {
      if (loaded.kind === 'shared') {
        if (!asker.began) session.reader.touch(loaded.entry);
        asker.resolve(new PinnedPage(session, asker.key, loaded.entry));
      } else if (loaded.kind === 'negative') {
        asker.resolve(asker.began || loaded.isOfAll ? new NegativePage(asker.key) : undefined);
      } else if (loaded.kind === 'stale' && !asker.began) asker.resolve(undefined);
      else asker.resolve(new PrivatePage(asker.key, new Uint8Array(loaded.bytes), loaded.metadata?.slice()));
    } catch (error) {
      asker.reject(error);
    }
  }
}

function disconnected(session: NodeSession): PoolError {
  return new PoolError('DISCONNECTED', `The pool ${session.path} was disconnected.`);
}

/** The runs of one set of keys in this node, whatever caches ask for them. */
export class Runs {
  readonly failures = new Failures();
  private readonly session: NodeSession;
  private readonly open = new Map<string, Run>();
  /** How many loaders of a key are on the stack. Set back when the run of the event loop ends, as a cut call counts nothing off, and at upkeep where that was cut. */
  private readonly onStack = new Map<string, number>();

  constructor(session: NodeSession) {
    this.session = session;
    session.betweenRuns.push(() => this.onStack.clear());
  }

  get(name: string): Run | undefined {
    const run = this.open.get(name);
    return run?.isOpen === true ? run : undefined;
  }

  enter(name: string, run: Run): void {
    this.open.set(name, run);
  }

  leave(name: string, run: Run): void {
    if (this.open.get(name) === run) this.open.delete(name);
  }

  starting(name: string, by: number): void {
    if (this.onStack.size === 0) this.session.machine.afterRun(() => this.onStack.clear());
    const count = this.depthOf(name) + by;
    if (count <= 0) this.onStack.delete(name);
    else this.onStack.set(name, count);
  }

  /** Calls one loader for loads of all these names, each with as many loaders of it on the stack as are given. */
  callFor<T>(depths: ReadonlyMap<string, number>, load: () => T): T {
    for (const [name, depth] of depths) this.starting(name, depth);
    try {
      return load();
    } finally {
      for (const [name, depth] of depths) this.starting(name, -depth);
    }
  }

  /** How many loaders of the key have called what is running now. */
  depthOf(name: string): number {
    return this.onStack.get(name) ?? 0;
  }
}

const known = new WeakMap<NodeSession, Map<number, Runs>>();

/** Of all caches and page spaces of the node with these keys. */
export function runsOf(session: NodeSession, space: number): Runs {
  let ofNode = known.get(session);
  if (ofNode === undefined) {
    ofNode = new Map();
    known.set(session, ofNode);
  }
  let runs = ofNode.get(space);
  if (runs === undefined) {
    runs = new Runs(session);
    ofNode.set(space, runs);
  }
  return runs;
}
