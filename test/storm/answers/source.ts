/**
 * The source of a storm of answers, as one process asks it: at any moment some keys are not there, and some cannot be asked, by the clock, so
 * that all processes see the same. A loader gives a page that says of itself how it is to be judged.
 */
import { type FetchOptions, type LoaderAnswer, loadedFor, notFound } from '../../../src/index.js';
import { type Asked, NOTHING_MS_MAX } from './judge.js';
import type { AnswerLedger } from './ledger.js';
import { RECORD_BYTES_MIN, recordPage, UNKNOWN } from './record.js';

const DOWN_MS = 60;
const ABSENT_MS = 90;
/** After a load that nobody waits for has ended: what comes of it is in the pool by then, however busy the machine is. */
const SETTLED_MS = 3000;
const LOADS_KEPT = 4096;
/** Longer than any call asks. */
const FORGET_MS = 20_000;
const SIZE_MAX = 6000;
/** A load that takes longer than some wait for it. */
export const LONG_LOAD_MS = 70;
export const SHORT_TIMEOUT_MS = 40;

export class Down extends Error {}

/** How one call wants its key loaded. */
export interface Order {
  readonly asked: Asked;
  /** By whom the end of what is loaded is told: the options of the fetch, the loader, or the moment it is stored. */
  readonly life: 'windows' | 'loader' | 'plain';
  readonly ttlMs: number;
  readonly negativeTtlMs: number;
  /** One bit each. */
  readonly tags: number;
  /** The tags are told once the load has answered. */
  readonly isTaggedLater: boolean;
}

export function namesOf(tags: number): string[] {
  return [...Array(31).keys()].filter((tag) => (tags & (1 << tag)) !== 0).map((tag) => `tag-${tag}`);
}

export function keptMsOf({ asked }: Order): number {
  return Math.max(asked.staleMs, asked.staleOnErrorMs);
}

/** What a call of `fetch` says. */
export function optionsOf(order: Order): FetchOptions {
  const { asked, ttlMs, negativeTtlMs, tags, isTaggedLater, life } = order;
  const names = namesOf(tags);
  const { staleMs, staleOnErrorMs, errorMs, loadTimeoutMs } = asked;
  const given = tags === 0 ? {} : { tags: isTaggedLater ? () => names : names };
  const windows = life === 'plain' ? {} : { staleMs, staleOnErrorMs, errorMs };
  return { ttlMs, negativeTtlMs, loadTimeoutMs, ...windows, ...given };
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** One call of `fetch` or `fetchMany`: what it loads may be joined as long as it is under way. */
export class SourceCall {
  private readonly source: Source;
  private readonly loads: number[] = [];
  private isOver = false;

  constructor(source: Source) {
    this.source = source;
  }

  get hasLoaded(): boolean {
    return this.loads.length > 0;
  }

  private begin(): number {
    const began = this.source.begin();
    this.loads.push(began);
    return began;
  }

  /** Throws Down. */
  async load(order: Order): Promise<LoaderAnswer> {
    const { source } = this;
    const began = this.begin();
    const startedMs = source.ledger.nowMs();
    try {
      await source.pause();
      return source.answer(order, began, startedMs);
    } finally {
      // Its caller has had a stale page: nobody is told when what was loaded is in the pool.
      if (this.isOver) source.ended(began, SETTLED_MS);
    }
  }

  /** All of them or none. Throws Down. */
  async loadMany(orders: readonly Order[]): Promise<LoaderAnswer[]> {
    const { source } = this;
    try {
      return orders.map((order) => source.answer(order, this.begin(), source.ledger.nowMs()));
    } catch (error) {
      for (const { asked } of orders) source.ledger.loadFailed(asked.key);
      throw error;
    }
  }

  end(): void {
    this.isOver = true;
    for (const began of this.loads) this.source.ended(began, 0);
  }
}

export class Source {
  readonly ledger: AnswerLedger;
  private readonly below: (limit: number) => number;
  /** Of loads of this process: until when they may be joined. */
  private readonly loads = new Map<number, number>();

  constructor(ledger: AnswerLedger, below: (limit: number) => number) {
    this.ledger = ledger;
    this.below = below;
  }

  call(): SourceCall {
    return new SourceCall(this);
  }

  wasLoading(began: number, atMs: number): boolean {
    const until = this.loads.get(began);
    return until !== undefined && atMs <= until;
  }

  begin(): number {
    const began = this.ledger.begin();
    this.loads.set(began, Number.POSITIVE_INFINITY);
    this.ledger.tally('loads');
    return began;
  }

  ended(began: number, settledMs: number): void {
    const nowMs = this.ledger.nowMs();
    this.loads.set(began, nowMs + settledMs);
    if (this.loads.size <= LOADS_KEPT) return;
    for (const [load, untilMs] of this.loads) if (untilMs < nowMs - FORGET_MS) this.loads.delete(load);
  }

  async pause(): Promise<void> {
    const { below } = this;
    if (below(60) === 0) await pause(LONG_LOAD_MS);
    else if (below(2) === 0) await pause(below(8));
  }

  private isDown(key: number): boolean {
    return (Math.floor(this.ledger.nowMs() / DOWN_MS) + key) % 5 === 0;
  }
  private isAbsent(key: number): boolean {
    return (Math.floor(this.ledger.nowMs() / ABSENT_MS) + key * 7) % 4 === 0;
  }

  /** Of a load that began then. Throws Down. */
  answer(order: Order, began: number, startedMs: number): LoaderAnswer {
    const { ledger } = this;
    const { key } = order.asked;
    if (this.isDown(key)) {
      ledger.loadFailed(key);
      ledger.tally('loads that failed');
      throw new Down(`key ${key} cannot be asked`);
    }
    return this.isAbsent(key) ? this.nothing(order, began, startedMs) : this.page(order, began, startedMs);
  }

  private nothing(order: Order, began: number, startedMs: number): LoaderAnswer {
    const { life, negativeTtlMs, tags, isTaggedLater, asked } = order;
    const untilMs = startedMs + Math.min(negativeTtlMs, NOTHING_MS_MAX);
    // A function is not asked for the tags of nothing.
    const isTagged = life === 'loader' || !isTaggedLater;
    this.ledger.noteNothing(asked.key, { began, untilMs, tags: isTagged ? tags : 0 });
    if (life !== 'loader') return notFound;
    return loadedFor(notFound, { expiresAtMs: this.ledger.wallMs(untilMs), tags: namesOf(tags) });
  }

  private page(order: Order, began: number, startedMs: number): LoaderAnswer {
    const { asked, life, ttlMs, tags } = order;
    const keptMs = life === 'plain' ? 0 : keptMsOf(order);
    // What is not kept for stale answers lives from when it is stored, unless its loader says when it ends.
    const expiresMs = life === 'loader' || keptMs > 0 ? startedMs + ttlMs : UNKNOWN;
    const record = { key: asked.key, began, expiresMs, keptMs, tags, isExact: life === 'loader' };
    const bytes = recordPage(record, RECORD_BYTES_MIN + this.below(SIZE_MAX));
    if (life !== 'loader') return bytes;
    return loadedFor(bytes, { expiresAtMs: this.ledger.wallMs(expiresMs), keptMs, tags: namesOf(tags) });
  }
}
