/**
 * Operations that are cut: prepared beforehand, done at the end of a stack or under vm's timeout, and judged after it. What
 * a call hands out is in `hands` with no function's entry in between, so that nothing is lost but what the pool has to
 * take back itself.
 */
import type { Checkpoint, CheckpointWriter, Draft, Page, PageSpace, Pool, SharedCache } from '../../src/index.js';
import { VERSION_PAGE_BYTES } from '../storm/actor.js';
import type { Board } from '../storm/board.js';
import { CONTENT_BYTES_MIN, checkContent, contentOf, fillContent } from '../support/content.js';
import { overflowIn, Terminator } from './cuts.js';
import { type Kept, keptOf, type Oracle } from './oracle.js';
import { KEPT_KEYS, RELATION_PAGES, type SoakPlan, type Tally } from './plan.js';

/** A call that seals takes some hundred frames of room while it is interpreted, and one that is compiled first still more. */
const FRAMES_BITS = 10;
const SIZE_MAX = 6000;
const BORROWED = 6;
/** After so many operations in one run a borrow may be over: it is good for 1,024 further ones. */
const OPERATIONS_MAX = 200;

/** What the calls of a cut have handed out. */
class Hands {
  page: Page | undefined;
  pages: (Page | undefined)[] | undefined;
  draft: Draft | undefined;
  writer: CheckpointWriter | undefined;
  checkpoint: Checkpoint | undefined;

  /** Throws where a draft cannot be given up yet, which is then still in hand. */
  letGo(): void {
    this.page?.release();
    this.page = undefined;
    for (const page of this.pages ?? []) page?.release();
    this.pages = undefined;
    this.checkpoint?.release();
    this.checkpoint = undefined;
    this.draft?.abort();
    this.draft = undefined;
    this.writer?.abort();
    this.writer = undefined;
  }

  /** Whether something is still in hand: nothing new may be taken then. */
  get isFull(): boolean {
    return this.draft !== undefined || this.writer !== undefined;
  }
}

export interface CutterTools {
  readonly pool: Pool;
  readonly cache: SharedCache;
  /** The storm's pages that are loaded and invalidated, and those of versions. */
  readonly through: PageSpace;
  readonly versions: PageSpace;
  /** The seat's own, to be dropped. */
  readonly relation: PageSpace;
  readonly board: Board;
  readonly oracle: Oracle;
  readonly plan: SoakPlan;
  readonly below: (limit: number) => number;
  /** Kept keys that this node has sealed, by calls that returned. */
  readonly changes: { count: number };
  tally(name: Tally): void;
  /** Takes what may well be refused; throws anything else. */
  excuse(error: unknown): void;
}

type Operation = (cutter: Cutter) => void;

export class Cutter {
  readonly tools: CutterTools;
  readonly hands = new Hands();
  private terminator: Terminator | undefined;

  constructor(tools: CutterTools) {
    this.tools = tools;
  }

  private operation(): Operation {
    return OPERATIONS[this.tools.below(OPERATIONS.length)] as Operation;
  }

  /** In one run: bytes that were borrowed before are the same after the cut, of so many operations. */
  private whileBorrowing(cut: () => number): void {
    const { cache, below, plan, board } = this.tools;
    const seen: { key: string; bytes: Uint8Array; generation: number }[] = [];
    for (let i = 0; i < BORROWED; i++) {
      const key = `own-${below(plan.seats)}-${below(Math.min(40, board.shape.ownKeys))}`;
      const bytes = cache.borrow(key);
      if (bytes !== undefined) seen.push({ key, bytes, generation: checkContent(bytes, key) });
    }
    if (cut() > OPERATIONS_MAX) return;
    for (const { key, bytes, generation } of seen) {
      const now = checkContent(bytes, key);
      if (now !== generation) throw new Error(`${key}: borrowed ${generation}, and after a cut it is ${now}`);
    }
  }

  /** An operation at the end of the stack, some frames more or less. */
  async overflow(): Promise<void> {
    const { below, tally, excuse } = this.tools;
    if (this.hands.isFull) return this.endRun();
    const operation = this.operation();
    const frames = 1 + below(2 ** (3 + below(FRAMES_BITS - 2)));
    this.whileBorrowing(() => {
      try {
        if (overflowIn(frames, () => operation(this))) tally('overflow');
      } catch (error) {
        excuse(error);
      }
      return 1;
    });
    await this.endRun();
  }

  /** Operations one after another, until vm ends them. */
  async timeout(): Promise<void> {
    const { below, tally, excuse } = this.tools;
    if (this.hands.isFull) return this.endRun();
    const operation = this.operation();
    this.terminator ??= new Terminator();
    const { terminator } = this;
    this.whileBorrowing(() => {
      let count = 0;
      try {
        terminator.run(1 + below(3), () => {
          count++;
          try {
            operation(this);
          } catch (error) {
            excuse(error);
          }
          this.hands.letGo();
        });
      } catch (error) {
        excuse(error);
      }
      return count;
    });
    tally('vm timeout');
    await this.endRun();
  }

  /** What the cut left comes back with the end of the run; what was handed out is given back by its owner. */
  private async endRun(): Promise<void> {
    await Promise.resolve();
    try {
      this.hands.letGo();
    } catch (error) {
      this.tools.excuse(error);
    }
  }
}

/** What is cut: each names what it did to the board, so that whatever came of it can be judged by anybody. */
const OPERATIONS: readonly Operation[] = [
  function lookAtKept({ tools, hands }) {
    const { pool, oracle, plan, below } = tools;
    const kept = keptOf(oracle, plan.seats, below);
    const watched = oracle.watch(kept);
    hands.page = pool.get(kept.key);
    oracle.judgeKept(kept, hands.page?.bytes, watched);
  },
  function changeKept({ tools }) {
    change(tools, tools.oracle.kept(tools.plan.seat, tools.below(KEPT_KEYS)));
  },
  function borrow({ tools }) {
    const { key, place } = someKey(tools, tools.below(tools.plan.seats));
    const floor = tools.board.floor(place);
    const bytes = tools.cache.borrow(key);
    if (bytes !== undefined) tools.oracle.judge.meet(key, bytes, place, floor);
  },
  function get({ tools, hands }) {
    const { key, place } = someKey(tools, tools.below(tools.plan.seats));
    const floor = tools.board.floor(place);
    hands.page = tools.cache.get(key);
    if (hands.page !== undefined) tools.oracle.judge.meet(key, hands.page.bytes, place, floor);
  },
  function set({ tools }) {
    const { board, cache, plan } = tools;
    const { key, place } = someKey(tools, plan.seat);
    const generation = board.nextGeneration(plan.seat);
    board.begin(place, generation);
    if (tools.below(6) === 0) cache.delete(key);
    else cache.set(key, contentOf(key, generation, sizeFor(tools)));
    board.finish(place, generation);
  },
  function putAndDelete({ tools }) {
    const key = sharedKey(tools);
    if (tools.below(2) === 0) tools.pool.delete(key);
    tools.pool.put(key, contentOf(key, 1, sizeFor(tools)));
  },
  function createAndSeal({ tools, hands }) {
    const key = sharedKey(tools);
    tools.pool.delete(key);
    hands.draft = tools.pool.create(key, sizeFor(tools));
    fillContent(hands.draft.bytes, key, 2);
    if (tools.below(4) > 0) hands.draft.seal();
  },
  function getMany({ tools, hands }) {
    const keys = [sharedKey(tools), sharedKey(tools), sharedKey(tools), sharedKey(tools)];
    hands.pages = tools.pool.getMany(keys);
    for (let i = 0; i < keys.length; i++) {
      const page = hands.pages[i];
      if (page !== undefined) checkContent(page.bytes, keys[i] as string);
    }
  },
  function fetchSync({ tools }) {
    const { board, through, below } = tools;
    const index = below(Math.min(40, board.shape.sources));
    const place = board.source(index);
    const floor = board.floor(place);
    const bytes = through.fetchSync(index, (pageNo, into) => {
      fillContent(into, `through-${pageNo}`, board.begun(place));
    });
    tools.oracle.judge.meetLoaded(`through-${index}`, bytes, place, floor);
  },
  function invalidate({ tools }) {
    const { board, through, cache, below } = tools;
    const index = below(Math.min(40, board.shape.sources));
    const place = board.source(index);
    const generation = board.change(place);
    cache.delete(`source-${index}`);
    through.invalidate(index);
    board.raise(place, generation);
  },
  function commitVersion({ tools }) {
    const { board, versions, plan, below } = tools;
    const index = below(Math.min(40, board.shape.ownPages));
    const pageNo = plan.seat * board.shape.ownPages + index;
    const place = board.page(plan.seat, index);
    const version = board.nextVersion();
    board.begin(place, version);
    versions.put(pageNo, contentOf(`version-${pageNo}`, version, VERSION_PAGE_BYTES), { from: version });
    board.finish(place, version);
  },
  function drop({ tools }) {
    dropRelation(tools);
  },
  function commitCheckpoint({ tools, hands }) {
    tools.oracle.commitCheckpoint(hands, sizeFor(tools));
  },
  function restore({ tools, hands }) {
    tools.oracle.restore(tools.below(tools.plan.seats), hands);
  },
  function lookAround({ tools }) {
    const way = tools.below(5);
    if (way === 0) tools.pool.evict(20_000);
    else if (way === 1) tools.pool.stats();
    else if (way === 2) tools.pool.nodes();
    else if (way === 3) for (const _ of tools.pool.list({ prefix: 'kept-' }));
    else tools.pool.checkpoints();
  },
];

function someKey({ below, board }: CutterTools, seat: number): { key: string; place: number } {
  const index = below(Math.min(40, board.shape.ownKeys));
  return { key: `own-${seat}-${index}`, place: board.key(seat, index) };
}

function sharedKey({ below, plan }: CutterTools): string {
  return `shared-${below(Math.min(40, plan.scene.sharedKeys))}`;
}

function sizeFor({ below }: CutterTools): number {
  return CONTENT_BYTES_MIN + below(SIZE_MAX);
}

/** One change of one of the seat's own kept keys. False: it could not be put, where another draft of it is not yet undone. */
export function change(tools: CutterTools, kept: Kept): void {
  const { pool, oracle, below } = tools;
  const stays = below(8) > 0;
  oracle.change(kept, stays, (generation) => {
    pool.delete(kept.key);
    if (!stays) return true;
    const isPut = pool.put(kept.key, contentOf(kept.key, generation, sizeFor(tools)), { retain: true });
    if (isPut) tools.changes.count++;
    return isPut;
  });
}

/** Pages of a space that ends: the seat's own, so that it knows that it is empty then. */
export function dropRelation({ relation, below, plan }: CutterTools): void {
  const first = below(RELATION_PAGES);
  for (let pageNo = first; pageNo < first + 3; pageNo++) {
    relation.put(pageNo, contentOf(`relation-${plan.seat}-${pageNo}`, pageNo, VERSION_PAGE_BYTES));
  }
  relation.drop();
  for (let pageNo = first; pageNo < first + 3; pageNo++) {
    if (relation.borrow(pageNo) !== undefined) throw new Error(`page ${pageNo} of a space that was dropped is found`);
  }
}
