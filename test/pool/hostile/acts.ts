/** What a node does with a pool whose bytes lie: every call gives a right result or throws a PoolError. */
import type { Draft, Page, PageSpace, PoolError, SharedCache } from '../../../src/index.js';
import { connect, inspect } from '../../../src/index.js';
import type { AttachedPool } from '../../../src/pool/pool.js';
import type { Chance } from '../../support/chance.js';
import { fillPage, makePage, PAGE_BYTES_MIN, pageFault } from '../../support/pages.js';

export const PAGE_SIZE = 512;
const KEYS = 160;
const PAGES = 60;

export class WrongPage extends Error {}

function isPoolError(error: unknown): error is PoolError {
  return error instanceof Error && error.name === 'PoolError';
}

export function judge(bytes: Uint8Array | undefined, key: string): void {
  const fault = bytes === undefined ? undefined : pageFault(bytes, key);
  if (fault !== undefined) throw new WrongPage(`${fault}, asked for ${key}`);
}

/** Some keys are too long for a slot and lie in the extent. */
export function keyOf(index: number): string {
  return index % 9 === 0 ? `key-${index}-${'long'.repeat(12)}` : `key-${index}`;
}

export function sizeOf(chance: Chance): number {
  const kind = chance.below(40);
  if (kind === 0) return 70_000;
  return PAGE_BYTES_MIN + (kind < 8 ? chance.below(6000) : chance.below(700));
}

/** What a node has in hand. */
export interface Hand {
  readonly path: string;
  readonly pool: AttachedPool;
  readonly chance: Chance;
  cache: SharedCache | undefined;
  pages: PageSpace | undefined;
  readonly held: { page: Page; key: string }[];
  readonly drafts: Draft[];
  version: number;
}

type Act = (hand: Hand) => void | Promise<void>;

const objectActs: Record<string, Act> = {
  put(hand) {
    const key = keyOf(hand.chance.below(KEYS));
    const options = hand.chance.below(20) === 0 ? { retain: true } : {};
    const metadata = hand.chance.below(4) === 0 ? { metadata: new Uint8Array(hand.chance.below(200)) } : {};
    hand.pool.put(key, makePage(key, hand.version++, sizeOf(hand.chance)), { ...options, ...metadata });
  },
  get(hand) {
    const key = keyOf(hand.chance.below(KEYS));
    const page = hand.pool.get(key);
    if (page === undefined) return;
    judge(page.bytes, key);
    page.metadata.at(-1);
    if (hand.chance.below(3) === 0) hand.held.push({ page, key });
    else page.release();
  },
  getMany(hand) {
    const keys = Array.from({ length: 8 }, () => keyOf(hand.chance.below(KEYS)));
    hand.pool.getMany(keys).forEach((page, i) => {
      if (page !== undefined) judge(page.bytes, keys[i] as string);
      page?.release();
    });
  },
  release(hand) {
    const last = hand.held.pop();
    last?.page.release();
  },
  delete(hand) {
    hand.pool.delete(keyOf(hand.chance.below(KEYS)));
  },
  create(hand) {
    const key = keyOf(hand.chance.below(KEYS));
    const draft = hand.pool.create(key, sizeOf(hand.chance));
    fillPage(draft.bytes, key, hand.version++);
    hand.drafts.push(draft);
  },
  seal(hand) {
    hand.drafts.pop()?.seal();
  },
  abort(hand) {
    hand.drafts.shift()?.abort();
  },
  list(hand) {
    let left = 50;
    for (const info of hand.pool.list(hand.chance.below(2) === 0 ? { prefix: 'key-1' } : {})) {
      hand.pool.has(info.keyBytes);
      if (left-- === 0) break;
    }
  },
  evict(hand) {
    hand.pool.evict(hand.chance.below(20_000));
  },
  stats(hand) {
    hand.pool.stats();
    hand.pool.nodes();
    void hand.pool.node;
  },
  async subscribe(hand) {
    const subscription = hand.pool.subscribe({ replay: hand.chance.below(2) === 0 });
    subscription.unref();
    const events = subscription[Symbol.asyncIterator]();
    for (let i = 0; i < 4; i++) {
      const key = keyOf(hand.chance.below(KEYS));
      if (!hand.pool.delete(key)) hand.pool.put(key, makePage(key, hand.version++, 200));
      const event = (await Promise.race([events.next(), Promise.resolve(undefined)]))?.value;
      if (event !== undefined && event.type !== 'missed') hand.pool.has(event.keyBytes);
    }
    subscription.close();
  },
  async waitFor(hand) {
    const key = keyOf(hand.chance.below(KEYS));
    const page = await hand.pool.waitFor(key, { timeoutMs: hand.chance.below(2) });
    judge(page.bytes, key);
    page.release();
  },
  tick(hand) {
    (hand.pool as unknown as { upkeep: { tick(): void } }).upkeep.tick();
  },
};

const pageActs: Record<string, Act> = {
  set(hand) {
    const key = keyOf(hand.chance.below(KEYS));
    const ttl = hand.chance.below(10) === 0 ? { ttlMs: 1 } : {};
    hand.cache?.set(key, makePage(key, hand.version++, sizeOf(hand.chance)), ttl);
  },
  setLeased(hand) {
    const key = keyOf(hand.chance.below(KEYS));
    const lease = hand.cache?.lease(key);
    if (lease !== undefined) hand.cache?.set(key, makePage(key, hand.version++, 300), { lease });
  },
  borrow(hand) {
    const key = keyOf(hand.chance.below(KEYS));
    judge(hand.cache?.borrow(key), key);
  },
  read(hand) {
    const key = keyOf(hand.chance.below(KEYS));
    const target = new Uint8Array(80_000);
    const length = hand.cache?.read(key, target) ?? -1;
    if (length >= 0) judge(target.subarray(0, length), key);
  },
  async fetch(hand) {
    const key = keyOf(hand.chance.below(KEYS));
    const page = await hand.cache?.fetch(key, () => makePage(key, hand.version++, 200));
    judge(page?.bytes, key);
    page?.release();
  },
  remove(hand) {
    hand.cache?.delete(keyOf(hand.chance.below(KEYS)));
  },
  fetchSync(hand) {
    const pageNo = hand.chance.below(PAGES);
    judge(
      hand.pages?.fetchSync(pageNo, (_, target) => fillPage(target, `page-${pageNo}`, hand.version++)),
      `page-${pageNo}`,
    );
  },
  readThrough(hand) {
    const pageNo = hand.chance.below(PAGES);
    const target = new Uint8Array(PAGE_SIZE);
    hand.pages?.readThrough(pageNo, target, (_, into) => fillPage(into, `page-${pageNo}`, hand.version++));
    if (hand.pages !== undefined) judge(target, `page-${pageNo}`);
  },
  putVersion(hand) {
    const pageNo = hand.chance.below(PAGES);
    hand.pages?.put(pageNo, makePage(`page-${pageNo}`, hand.version++, PAGE_SIZE), { from: hand.chance.below(40) });
  },
  asOf(hand) {
    const pageNo = hand.chance.below(PAGES);
    judge(hand.pages?.borrow(pageNo, hand.chance.below(40)), `page-${pageNo}`);
  },
  invalidate(hand) {
    if (hand.chance.below(2) === 0) hand.pages?.invalidate(hand.chance.below(PAGES));
    else hand.pages?.invalidate(hand.chance.below(PAGES), hand.chance.below(40));
  },
};

const rareActs: Record<string, Act> = {
  drop: (hand) => hand.pages?.drop(),
  clear: (hand) => hand.cache?.clear(),
  cacheStats(hand) {
    hand.cache?.stats();
    for (const _ of hand.cache?.keys() ?? []) void _;
  },
  async inspect(hand) {
    await inspect(hand.path);
  },
  async second(hand) {
    const pool = await connect(hand.path, { name: 'second' });
    try {
      for (let i = 0; i < 4; i++) {
        const key = keyOf(hand.chance.below(KEYS));
        const page = pool.get(key);
        judge(page?.bytes, key);
        page?.release();
        pool.put(key, makePage(key, hand.version++, sizeOf(hand.chance)));
      }
    } finally {
      await leave(pool as AttachedPool);
    }
  },
  async readOnly(hand) {
    const pool = await connect(hand.path, { readOnly: true, timeoutMs: 100 });
    try {
      const key = keyOf(hand.chance.below(KEYS));
      judge(pool.get(key)?.bytes, key);
      pool.stats();
      pool.nodes();
      let left = 20;
      for (const _ of pool.list()) if (left-- === 0) break;
    } finally {
      await pool.disconnect();
    }
  },
};

/** The more often a group stands here, the more often its acts are made. */
const groups = [objectActs, objectActs, objectActs, objectActs, pageActs, pageActs, pageActs, rareActs];

/** Makes one act. Returns its name and the code of the PoolError it threw, if any. */
export async function act(hand: Hand): Promise<{ name: string; code?: string }> {
  const [name, make] = hand.chance.pick(Object.entries(hand.chance.pick(groups)));
  try {
    await make(hand);
    return { name };
  } catch (error) {
    if (!isPoolError(error)) throw error;
    return { name, code: error.code };
  }
}

/** Disconnects; where the pool is too damaged for that, at least nothing of the node stays behind in this process. */
export async function leave(pool: AttachedPool): Promise<void> {
  try {
    await pool.disconnect();
  } catch (error) {
    if (!isPoolError(error)) throw error;
    const { nodes, segment } = pool.session.parts;
    nodes.letGo();
    segment.unmap();
    segment.file.close();
  }
}
