/**
 * What goes on beside the calls of a node of a soak: loads that go wrong, waits, a subscription, further handles on this
 * pool and on others. All of it ends within a fraction of a second, so that a node can come to rest.
 */
import { connect, destroy, inspect, PoolError } from '../../src/index.js';
import { checkContent, contentOf, fillContent } from '../support/content.js';
import { pause } from '../support/pools.js';
import type { CutterTools } from './cutter.js';
import { Listener } from './listener.js';
import { keptOf } from './oracle.js';

const UNDER_WAY_MAX = 8;
const HANDLE_EVERY_MS = 700;
const WAIT_MS_MAX = 300;
const SLOW_MS_MAX = 60;
const KIB = 1024;
const ASKED = 'this load was asked to fail';

type Load = () => Promise<void>;

export class Background {
  private readonly tools: CutterTools;
  private readonly underWay = new Set<Promise<void>>();
  private readonly listener: Listener;
  private failure: unknown;
  private handleAtMs = 0;
  private isHandling = false;

  constructor(tools: CutterTools) {
    this.tools = tools;
    this.listener = new Listener(tools);
  }

  /** Throws what went wrong. */
  check(): void {
    if (this.failure !== undefined) throw this.failure;
  }

  private start(work: () => Promise<void>): void {
    if (this.underWay.size >= UNDER_WAY_MAX) return;
    const running: Promise<void> = work()
      .catch((error: unknown) => this.tools.excuse(error))
      .catch((error: unknown) => {
        this.failure ??= error;
      })
      .finally(() => this.underWay.delete(running));
    this.underWay.add(running);
  }

  async rest(): Promise<void> {
    await Promise.all(this.underWay);
    await this.listener.close();
    this.check();
  }

  subscribe(): void {
    if (!this.listener.isOpen) this.listener.open();
    else if (this.tools.below(40) === 0) this.start(() => this.listener.close());
  }

  /** A load that throws, rejects, is slow, is given up or gives what is no page; other callers may get its failure too. */
  loadBadly(): void {
    const { tools } = this;
    const index = tools.below(Math.min(40, tools.board.shape.sources));
    const loads = [this.loadKey(index), this.loadPage(index), this.abandonLoad(index), this.loadAtOnce(index)];
    const load = loads[tools.below(loads.length)] as Load;
    this.start(async () => {
      try {
        await load();
      } catch (error) {
        if (!isAsked(error)) throw error;
      }
      tools.tally('bad loads');
    });
  }

  private loadKey(index: number): Load {
    const { cache, board, oracle, below } = this.tools;
    const key = `source-${index}`;
    const place = board.source(index);
    const way = below(5);
    return async () => {
      const floor = board.floor(place);
      const page = await cache.fetch(key, async () => {
        if (way === 0) throw new Error(ASKED);
        const generation = board.begun(place);
        await pause(below(SLOW_MS_MAX));
        if (way === 1) throw new Error(ASKED);
        if (way === 2) return 'no bytes' as unknown as Uint8Array;
        // Its own key goes while it loads.
        if (way === 3) cache.delete(key);
        return contentOf(key, generation, 2000);
      });
      oracle.judge.meetLoaded(key, page.bytes, place, floor);
      page.release();
    };
  }

  private loadPage(index: number): Load {
    const { through, board, oracle, below } = this.tools;
    const place = board.source(index);
    const way = below(4);
    return async () => {
      const floor = board.floor(place);
      const page = await through.fetch(index, async (pageNo, target) => {
        const generation = board.begun(place);
        if (way === 0) throw new Error(ASKED);
        target.fill(0xee, 0, 700);
        await pause(below(SLOW_MS_MAX));
        if (way === 1) throw new Error(ASKED);
        fillContent(target, `through-${pageNo}`, generation);
      });
      oracle.judge.meetLoaded(`through-${index}`, page.bytes, place, floor);
      page.release();
    };
  }

  /** Given up after a moment, by a signal that its loader obeys or not. */
  private abandonLoad(index: number): Load {
    const { cache, board, oracle, below } = this.tools;
    const key = `source-${index}`;
    const place = board.source(index);
    const obeys = below(2) === 0;
    return async () => {
      const floor = board.floor(place);
      const giving = AbortSignal.timeout(1 + below(20));
      const load = async (_: unknown, { signal }: { signal: AbortSignal }) => {
        const generation = board.begun(place);
        for (let i = 0; i < 10 && !(obeys && signal.aborted); i++) await pause(3);
        return contentOf(key, generation, 1000);
      };
      const page = await cache.fetch(key, load, { signal: giving });
      oracle.judge.meetLoaded(key, page.bytes, place, floor);
      page.release();
    };
  }

  private loadAtOnce(index: number): Load {
    const { through, board, oracle, below } = this.tools;
    const place = board.source(index);
    const fails = below(2) === 0;
    return async () => {
      const floor = board.floor(place);
      const bytes = through.fetchSync(index, (pageNo, target) => {
        target.fill(0xdd, 0, 500);
        if (fails) throw new Error(ASKED);
        fillContent(target, `through-${pageNo}`, board.begun(place));
      });
      oracle.judge.meetLoaded(`through-${index}`, bytes, place, floor);
    };
  }

  /** For keys that may be there already; one that was there all the while cannot have been waited for in vain. */
  wait(): void {
    const { pool, oracle, plan, below, tally } = this.tools;
    const kept = [keptOf(oracle, plan.seats, below), keptOf(oracle, plan.seats, below)];
    const timeoutMs = 1 + below(WAIT_MS_MAX);
    const options = below(3) === 0 ? { timeoutMs, signal: AbortSignal.timeout(1 + below(100)) } : { timeoutMs };
    this.start(async () => {
      const watched = kept.map((one) => oracle.watch(one));
      try {
        const pages = await pool.waitForMany(
          kept.map(({ key }) => key),
          options,
        );
        for (const [i, one] of kept.entries()) {
          oracle.judgeKept(one, pages[i]?.bytes, watched[i] as ReturnType<typeof oracle.watch>, true);
          pages[i]?.release();
        }
      } catch (error) {
        const { code } = error as { code?: string };
        if (code !== 'TIMEOUT' && code !== 'ABORTED') throw error;
        if (code === 'TIMEOUT' && watched.every((one) => one.wasThere()))
          throw new Error(`${kept.map(({ key }) => key)}: waited for in vain, and there all the while`);
      }
      tally('waits');
    });
  }

  /** A second handle of this process, for a moment. */
  handle(): void {
    if (this.isHandling || performance.now() < this.handleAtMs) return;
    this.handleAtMs = performance.now() + HANDLE_EVERY_MS;
    this.isHandling = true;
    const ways = [
      () => this.attach(),
      () => this.attach(),
      () => this.look(),
      () => this.ownPool(),
      () => this.census(),
    ];
    const way = ways[this.tools.below(ways.length)] as () => Promise<void>;
    this.start(async () => {
      try {
        await way();
      } finally {
        this.isHandling = false;
      }
    });
  }

  private async attach(): Promise<void> {
    const { plan, oracle, below, tally } = this.tools;
    const pool = await connect(plan.scene.poolPath, { name: `again-${plan.seat}`, nearEntries: below(500) });
    for (let i = 0; i < 20; i++) {
      const kept = keptOf(oracle, plan.seats, below);
      const watched = oracle.watch(kept);
      const page = pool.get(kept.key);
      oracle.judgeKept(kept, page?.bytes, watched);
      // Some are left to the disconnect.
      if (below(2) === 0) page?.release();
    }
    await pool.disconnect();
    tally('handles');
  }

  private async look(): Promise<void> {
    const { plan, oracle, below, tally } = this.tools;
    const pool = await connect(plan.scene.poolPath, { readOnly: true });
    for (let i = 0; i < 20; i++) {
      const kept = keptOf(oracle, plan.seats, below);
      const watched = oracle.watch(kept);
      oracle.judgeKept(kept, pool.get(kept.key)?.bytes, watched);
    }
    await pool.disconnect();
    tally('read-only nodes');
  }

  private async ownPool(): Promise<void> {
    const { plan, tally } = this.tools;
    const path = `${plan.scene.poolPath}.own-${plan.seat}`;
    const pool = await connect(path, { create: { size: 512 * KIB, pageSize: 1024, maxNodes: 4 } });
    pool.put('key', contentOf('key', 1, 900));
    const page = pool.get('key');
    if (page === undefined) throw new Error('a page that was put into a pool of its own is not there');
    checkContent(page.bytes, 'key');
    await pool.disconnect();
    await destroy(path, { force: true });
    tally('pools of its own');
  }

  private async census(): Promise<void> {
    const { plan, tally } = this.tools;
    const { ok, problems } = await inspect(plan.scene.poolPath);
    const bad = problems.filter((problem) => !problem.repairable);
    if (!ok) throw new Error(`a census of the pool at work: ${bad.map(({ code, message }) => `${code}: ${message}`)}`);
    tally('inspections');
  }
}

/** What its own loader threw, what a caller gave up, or what a loader gave that is no page. */
export function isAsked(error: unknown): boolean {
  if (error instanceof PoolError) return ['ABORTED', 'OPTION_INVALID', 'LOAD_TIMEOUT'].includes(error.code);
  return error instanceof Error && error.message === ASKED;
}
