/**
 * What a node of a soak does: all that one of a storm does, and what a storm has not: keys whose absence is a lie, keys with
 * an end, checkpoints, waits, subscriptions, loads that go wrong, further handles, and calls that are cut short.
 */
import { PoolError, SharedCache } from '../../src/index.js';
import type { AttachedPool } from '../../src/pool/pool.js';
import { Actor, VERSION_PAGE_BYTES } from '../storm/actor.js';
import type { Board } from '../storm/board.js';
import { contentOf } from '../support/content.js';
import { Background, isAsked } from './background.js';
import { Cutter, type CutterTools, change, dropRelation } from './cutter.js';
import { briefContent, keptOf, Oracle } from './oracle.js';
import { BRIEF_KEYS, type Disturbance, KEPT_KEYS, type SoakPlan, TALLIES, type Tally } from './plan.js';

const REFUSED = ['BUSY', 'POOL_FULL', 'KEY_EXISTS', 'TOO_MANY_PINS'];
const BRIEF_MS_MAX = 400;

export class SoakActor {
  private readonly actor: Actor;
  private readonly cutter: Cutter;
  private readonly background: Background;
  private readonly tools: CutterTools;
  private readonly off: ReadonlySet<Disturbance>;

  constructor(pool: AttachedPool, board: Board, plan: SoakPlan, below: (limit: number) => number) {
    this.actor = new Actor(pool, board, plan, below);
    const cache = new SharedCache(pool, { namespace: 'storm' });
    const pageSize = VERSION_PAGE_BYTES;
    this.tools = {
      pool,
      cache,
      through: cache.pages('through', { pageSize }),
      versions: cache.pages('versions', { pageSize }),
      relation: cache.pages(`relation-${plan.seat}`, { pageSize }),
      board,
      oracle: new Oracle(pool, board, plan.seat),
      plan,
      below,
      changes: { count: 0 },
      tally: (name) => board.tally(plan.seat, TALLIES.indexOf(name)),
      excuse: (error) => this.excuse(error),
    };
    this.cutter = new Cutter(this.tools);
    this.background = new Background(this.tools);
    this.off = new Set(plan.without);
  }

  private excuse(error: unknown): void {
    if (!(error instanceof PoolError) || !REFUSED.includes(error.code)) throw error;
    this.tools.tally('refused');
  }

  /** One that waits for another's load in this node may share how it ends. */
  private excuseLoad(error: unknown): void {
    if (!isAsked(error)) throw error;
    this.tools.tally('refused');
  }

  private is(disturbance: Disturbance): boolean {
    return !this.off.has(disturbance);
  }

  async act(): Promise<void> {
    const { background } = this;
    background.check();
    const way = this.tools.below(1000);
    if (way < 900) return this.actor.act().catch((error: unknown) => this.excuseLoad(error));
    if (way < 940) return this.attempt('kept', 'kept reads', () => this.lookAtKept());
    if (way < 950) return this.attempt('kept', 'kept writes', () => this.changeKept());
    if (way < 960) return this.attempt('brief', 'brief reads', () => this.brief());
    if (way < 963) return this.attempt('checkpoint', 'checkpoints', () => this.commitCheckpoint());
    if (way < 966) return this.attempt('checkpoint', 'restores', () => this.restore());
    if (way < 967) return this.attempt('drop', 'drops', () => dropRelation(this.tools));
    if (way < 980 && this.is('overflow')) return this.cutter.overflow();
    if (way < 982 && this.is('timeout')) return this.cutter.timeout();
    if (way < 990 && this.is('load')) return background.loadBadly();
    if (way < 995 && this.is('wait')) return background.wait();
    if (way < 996 && this.is('subscribe')) return background.subscribe();
    if (way < 997 && this.is('handle')) return background.handle();
  }

  private attempt(disturbance: Disturbance, name: Tally, work: () => void): void {
    if (!this.is(disturbance)) return;
    try {
      work();
      this.tools.tally(name);
    } catch (error) {
      this.tools.excuse(error);
    }
  }

  private lookAtKept(): void {
    const { pool, oracle, plan, below } = this.tools;
    const kept = keptOf(oracle, plan.seats, below);
    const watched = oracle.watch(kept);
    const page = pool.get(kept.key);
    oracle.judgeKept(kept, page?.bytes, watched);
    page?.release();
  }

  private changeKept(): void {
    const { oracle, plan, below } = this.tools;
    change(this.tools, oracle.kept(plan.seat, below(KEPT_KEYS)));
  }

  /** Some are not stored anew for a long time, and are long over when they are looked for. */
  private brief(): void {
    const { pool, oracle, plan, below } = this.tools;
    const key = `brief-${below(plan.seats)}-${below(BRIEF_KEYS)}`;
    if (below(200) === 0) {
      const ttlMs = 1 + below(BRIEF_MS_MAX);
      const { bytes, metadata } = briefContent(key, Date.now() + ttlMs, below(3000));
      pool.put(key, bytes, { ttlMs, metadata });
      return;
    }
    const lookedAtMs = Date.now();
    const page = pool.get(key);
    if (page === undefined) return;
    oracle.judgeBrief(key, page, lookedAtMs);
    page.release();
  }

  private commitCheckpoint(): void {
    const { oracle, below } = this.tools;
    const { hands } = this.cutter;
    hands.letGo();
    try {
      oracle.commitCheckpoint(hands, 16 + below(4000));
    } finally {
      hands.letGo();
    }
  }

  private restore(): void {
    const { oracle, plan, below } = this.tools;
    try {
      oracle.restore(below(plan.seats), this.cutter.hands);
    } finally {
      this.cutter.hands.letGo();
    }
  }

  /** Pins whatever it can get, and forgets it. */
  hoard(): void {
    const { pool, plan, tally, below } = this.tools;
    try {
      for (let i = 0; i < 2000; i++) {
        const key = `shared-${below(plan.scene.sharedKeys)}`;
        pool.get(key);
        if (i % 4 === 0) pool.put(key, contentOf(key, i, 3000), { retain: false });
      }
    } catch (error) {
      this.excuse(error);
    }
    tally('pinned all it could');
  }

  /** Everything is over and given back, as in a program that ends well. Throws what went wrong in the background. */
  async rest(): Promise<void> {
    await this.background.rest();
    for (let tries = 0; tries < 50; tries++) {
      try {
        this.actor.end();
        this.cutter.hands.letGo();
        return;
      } catch (error) {
        this.excuse(error);
      }
      await Promise.resolve();
    }
  }
}
