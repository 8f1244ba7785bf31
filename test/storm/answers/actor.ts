/**
 * What a node of a storm of answers does: asks for keys in every way there is, with lives of some ten milliseconds and several calls
 * under way at a time, while all invalidate keys and tags, say that there is nothing, and fill the pool with other things. Each
 * answer is judged (judge.ts).
 */
import { PoolError, SharedCache } from '../../../src/index.js';
import type { AttachedPool } from '../../../src/pool/pool.js';
import type { Board, TimeKind } from '../board.js';
import type { LifePlan } from '../plan.js';
import { AnswerJudge, type Asked, NOTHING_MS_MAX, PLAINLY, type Verdict } from './judge.js';
import { AnswerLedger, type Floors, KEYS, ledgerPath, OPEN, TAGS } from './ledger.js';
import { NEVER_OLD, RECORD_BYTES_MIN, recordPage, UNKNOWN } from './record.js';
import { Down, namesOf, type Order, optionsOf, SHORT_TIMEOUT_MS, Source } from './source.js';

const UNDER_WAY_MAX = 6;
const TIMEOUT_MS = 5000;
/** Between two changes of one node, on average half of it. */
const CHANGE_MS = 40;
const BALLAST_KEYS = 600;
const BALLAST_BYTES_MAX = 24_000;

function nameOf(key: number): string {
  return `answer-${key}`;
}

export class AnswersActor {
  private readonly pool: AttachedPool;
  private readonly cache: SharedCache;
  private readonly board: Board;
  private readonly seat: number;
  private readonly below: (limit: number) => number;
  private readonly ledger: AnswerLedger;
  private readonly judge: AnswerJudge;
  private readonly source: Source;
  private readonly underWay = new Set<Promise<void>>();
  private failure: unknown;
  private isLeaving = false;
  private nextChangeMs = 0;

  constructor(pool: AttachedPool, board: Board, plan: LifePlan, below: (limit: number) => number) {
    this.pool = pool;
    this.board = board;
    this.seat = plan.seat;
    this.below = below;
    this.ledger = new AnswerLedger(ledgerPath(plan.scene.boardPath));
    this.source = new Source(this.ledger, below);
    this.judge = new AnswerJudge(this.ledger, (began, atMs) => this.source.wasLoading(began, atMs));
    this.cache = new SharedCache(pool, { namespace: 'answers' });
  }

  /** Does one thing, or begins it. Throws what was wrong, here or in what was begun before. */
  async act(): Promise<void> {
    const { board, seat, underWay } = this;
    if (this.failure !== undefined) throw this.failure;
    if (performance.now() >= this.nextChangeMs) {
      this.nextChangeMs = performance.now() + this.below(CHANGE_MS);
      this.at('write', () => this.change());
    } else if (this.below(8) < 5) this.at('read', () => this.look());
    else {
      this.begin(this.below(5) === 0 ? this.fetchMany() : this.fetch());
      board.enterOperation(seat, 'fetch');
      if (underWay.size >= UNDER_WAY_MAX) await Promise.race(underWay);
      board.leaveOperation(seat);
    }
    board.count(seat, 'operations');
  }

  private at(kind: TimeKind, work: () => void): void {
    const { board, seat } = this;
    const started = performance.now();
    board.enterOperation(seat, kind);
    try {
      work();
    } catch (error) {
      this.excuse(error);
    } finally {
      board.leaveOperation(seat);
    }
    board.record(seat, kind, performance.now() - started);
  }

  private begin(work: Promise<void>): void {
    const started = performance.now();
    const done = work
      .catch((error: unknown) => this.excuse(error))
      .catch((error: unknown) => {
        this.failure ??= error;
      })
      .then(() => {
        this.underWay.delete(done);
        this.board.record(this.seat, 'fetch', performance.now() - started);
      });
    this.underWay.add(done);
  }

  /** The source may fail, a load may take too long, a lock be held by who does not run. */
  private excuse(error: unknown): void {
    if (error instanceof Down) this.ledger.tally('errors');
    else if (!(error instanceof PoolError)) throw error;
    else if (error.code === 'LOAD_TIMEOUT') this.ledger.tally('timeouts');
    else if (error.code === 'BUSY') this.ledger.tally('busy');
    else if (error.code !== 'POOL_FULL' && !(this.isLeaving && error.code === 'DISCONNECTED')) throw error;
  }

  private key(): number {
    return this.below(KEYS);
  }
  /** None, one or two. */
  private tags(): number {
    const one = 1 << this.below(TAGS);
    return [0, one, one | (1 << this.below(TAGS))][this.below(3)] as number;
  }
  private met(verdict: Verdict): void {
    this.ledger.tally(verdict);
    this.board.count(this.seat, 'pagesRead');
  }

  private look(): void {
    const { cache } = this;
    const key = this.key();
    const floors = this.ledger.floors(key);
    const way = this.below(5);
    if (way === 0) this.lookAtMany();
    else if (way === 1) {
      const page = cache.get(nameOf(key));
      this.meetFound(key, page?.bytes, floors);
      page?.release();
    } else this.meetFound(key, way === 2 ? cache.peek(nameOf(key)) : cache.borrow(nameOf(key)), floors);
  }

  private lookAtMany(): void {
    const keys = [this.key(), this.key(), this.key()];
    const floors = keys.map((key) => this.ledger.floors(key));
    const pages = this.cache.getMany(keys.map(nameOf));
    keys.forEach((key, i) => {
      this.meetFound(key, pages[i]?.bytes, floors[i] as Floors);
    });
    for (const page of pages) page?.release();
  }

  private meetFound(key: number, bytes: Uint8Array | undefined, floors: Floors): void {
    if (bytes === undefined) this.ledger.tally('misses');
    else this.met(this.judge.meet(bytes, 'fresh', { key, ...PLAINLY }, floors));
  }

  private order(key: number): Order {
    const { below } = this;
    const life = (['windows', 'windows', 'loader', 'plain'] as const)[below(4)] as Order['life'];
    const isPatient = life === 'plain';
    const asked: Asked = {
      key,
      staleMs: isPatient || below(2) === 0 ? 0 : 10 + below(300),
      staleOnErrorMs: isPatient || below(3) === 0 ? 0 : 20 + below(900),
      errorMs: isPatient || below(4) > 0 ? 0 : below(40),
      loadTimeoutMs: below(4) === 0 ? SHORT_TIMEOUT_MS : TIMEOUT_MS,
    };
    const ttlMs = 5 + below(80);
    const negativeTtlMs = 5 + below(NOTHING_MS_MAX - 5);
    return { asked, life, ttlMs, negativeTtlMs, tags: this.tags(), isTaggedLater: below(4) === 0 };
  }

  private async fetch(): Promise<void> {
    const order = this.order(this.key());
    const { key } = order.asked;
    const call = this.source.call();
    const load = () => call.load(order);
    const floors = this.ledger.floors(key);
    using page = await this.cache.fetch(nameOf(key), load, optionsOf(order)).finally(() => call.end());
    if (page.freshness === 'negative') {
      this.met(this.judge.meetNothing(key, floors));
      if (!call.hasLoaded) this.ledger.tally('nothing, remembered');
    } else this.met(this.judge.meet(page.bytes, page.freshness, order.asked, floors));
  }

  private async fetchMany(): Promise<void> {
    const { ledger, judge } = this;
    const keys = [...new Set([this.key(), this.key(), this.key()])];
    const orders = new Map(keys.map((key) => [nameOf(key), { ...this.order(key), ...PLAIN_OF_MANY }] as const));
    const call = this.source.call();
    const load = (names: readonly unknown[]) => call.loadMany(names.map((name) => orders.get(name as string) as Order));
    const before = new Map(keys.map((key) => [nameOf(key), ledger.floors(key)] as const));
    const pages = await this.cache.fetchMany([...orders.keys()], load).finally(() => call.end());
    for (const key of keys) {
      const name = nameOf(key);
      const page = pages.get(name);
      const floors = before.get(name) as Floors;
      // Whatever it says of itself: what is stale is no answer here.
      if (page !== undefined) this.met(judge.meet(page.bytes, 'fresh', { key, ...PLAINLY }, floors));
      else {
        this.met(judge.meetNothing(key, floors));
        if (!call.hasLoaded) ledger.tally('nothing, remembered');
      }
    }
    for (const page of pages.values()) page.release();
  }

  private change(): void {
    const way = this.below(100);
    if (way < 30) this.invalidateTags();
    else if (way < 55) this.deleteKey();
    else if (way < 70) this.setLeased();
    else if (way < 75) this.setPlainly();
    else if (way < 83) this.setNothing();
    else if (way < 85) this.clear();
    else this.loadBallast();
    this.board.count(this.seat, 'writes');
  }

  private invalidateTags(): void {
    const { ledger, below } = this;
    const tags = [...new Set([below(TAGS), below(TAGS)])];
    const staleFor = below(2) === 0 ? undefined : 5 + below(200);
    const began = ledger.begin();
    const names = tags.flatMap((tag) => namesOf(1 << tag));
    this.cache.invalidateTags(names, staleFor === undefined ? undefined : { staleFor });
    const untilMs = staleFor === undefined ? undefined : ledger.nowMs() + staleFor;
    for (const tag of tags) ledger.tagEnded(tag, began, untilMs);
    ledger.tally('tags invalidated');
  }

  private deleteKey(): void {
    const key = this.key();
    const began = this.ledger.begin();
    this.cache.delete(nameOf(key));
    this.ledger.keyEnded(key, began);
    this.ledger.tally('keys invalidated');
  }

  private clear(): void {
    const began = this.ledger.begin();
    this.cache.clear();
    this.ledger.allEnded(began);
  }

  /** As a load by hand: what it read is from after the lease. */
  private setLeased(): void {
    const key = this.key();
    const lease = this.cache.lease(nameOf(key));
    if (lease === undefined) return;
    const began = this.ledger.begin();
    const tags = this.tags();
    const [staleMs, ttlMs] = [this.below(100), 5 + this.below(100)];
    const record = { key, began, expiresMs: UNKNOWN, keptMs: staleMs, tags, isExact: false };
    this.cache.set(nameOf(key), this.page(record), { lease, ttlMs, staleMs, tags: namesOf(tags) });
  }

  private setPlainly(): void {
    const key = this.key();
    const began = this.ledger.begin();
    const record = { key, began: NEVER_OLD, expiresMs: UNKNOWN, keptMs: 0, tags: 0, isExact: false };
    this.cache.set(nameOf(key), this.page(record), { ttlMs: 5 + this.below(100) });
    this.ledger.keyEnded(key, began);
  }

  private page(record: Parameters<typeof recordPage>[0]): Uint8Array {
    return recordPage(record, RECORD_BYTES_MIN + this.below(3000));
  }

  private setNothing(): void {
    const { ledger } = this;
    const key = this.key();
    const ttlMs = 5 + this.below(NOTHING_MS_MAX - 5);
    const began = ledger.begin();
    const entry = ledger.noteNothing(key, { began: OPEN, untilMs: OPEN, tags: 0 });
    this.cache.setNegative(nameOf(key), { ttlMs });
    ledger.keyEnded(key, began);
    // What is invalidated from now on ends it.
    ledger.settleNothing(entry, ledger.begin(), ledger.nowMs() + ttlMs);
  }

  /** Other objects, for which pages have to go. */
  private loadBallast(): void {
    const key = `ballast-${this.below(BALLAST_KEYS)}`;
    if (this.below(3) === 0) this.pool.delete(key);
    else this.pool.put(key, new Uint8Array(1 + this.below(BALLAST_BYTES_MAX)));
  }

  /** Something of everything, for the first node. */
  fill(): void {
    for (let i = 0; i < BALLAST_KEYS; i++) this.at('write', () => this.loadBallast());
    for (let i = 0; i < KEYS * 4; i++) this.at('write', () => this.setLeased());
  }

  /** Every key there may be. How many were there. */
  async lookAtAll(): Promise<number> {
    let found = 0;
    for (let key = 0; key < KEYS; key++) {
      const floors = this.ledger.floors(key);
      const bytes = this.cache.peek(nameOf(key));
      this.meetFound(key, bytes, floors);
      if (bytes !== undefined) found++;
    }
    return found;
  }

  end(): void {
    this.isLeaving = true;
  }
}

/** What is loaded by many keys at a time has no stale answers, and its options say nothing. */
const PLAIN_OF_MANY = { life: 'loader', isTaggedLater: false } as const;
