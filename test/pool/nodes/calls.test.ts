/** Calls that the engine really cuts: caught stack overflows at every depth around the limit, and vm's timeouts. */
import vm from 'node:vm';
import { expect } from 'chai';
import { type Draft, inspect, SharedCache } from '../../../src/index.js';
import { lockCount } from '../../../src/pool/layout/index.js';
import type { AttachedPool } from '../../../src/pool/pool.js';
import { LONG, MIB, usePools } from '../../support/pools.js';

const PAGE_BYTES = 512;
const ROUNDS = LONG ? 200 : 3;
const CUTS = LONG ? 400 : 25;

function page(value: number): Uint8Array {
  return new Uint8Array(PAGE_BYTES).fill(value);
}

/** Calls `work` below so many frames. */
function dive(depth: number, work: () => void): void {
  if (depth === 0) work();
  else dive(depth - 1, work);
}

function overflows(work: () => void): boolean {
  try {
    work();
    return false;
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    return true;
  }
}

/** The greatest depth at which `work` is through, just now: frames become smaller when the engine compiles what stands in them. */
function searchDepth(work: () => void): number {
  let [low, high] = [1, 200_000];
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (overflows(() => dive(middle, work))) high = middle;
    else low = middle;
  }
  return low;
}

/** The same once it moves no more. */
function depthOf(work: () => void): number {
  let depth = searchDepth(work);
  for (let tries = 0; tries < 50; tries++) {
    const before = depth;
    depth = searchDepth(work);
    if (Math.abs(depth - before) <= 2) break;
  }
  return depth;
}

interface Stage {
  readonly pool: AttachedPool;
  readonly cache: SharedCache;
  readonly other: SharedCache;
}

let drafts = 0;
/** The caller's, whose handle he has, also when the call after it was cut. */
let lastDraft: Draft | undefined;

/** What is done at the end of the stack; `key` holds a page that the node knows and another node has superseded. */
const OPERATIONS: Readonly<Record<string, (stage: Stage, key: string) => void>> = {
  borrow: ({ cache }, key) => void cache.borrow(key),
  'get and release': ({ cache }, key) => cache.get(key)?.release(),
  set: ({ cache }, key) => void cache.set(key, page(3)),
  'put and delete': ({ pool }, key) => {
    pool.put(`put ${key}`, page(4));
    pool.delete(`put ${key}`);
  },
  'create and seal': ({ pool }) => {
    const name = `draft ${++drafts}`;
    lastDraft?.abort();
    lastDraft = pool.create(name, PAGE_BYTES);
    lastDraft.seal();
    pool.delete(name);
  },
  'fetchSync and drop': ({ cache }) => {
    const pages = cache.pages('pages', { pageSize: PAGE_BYTES });
    pages.fetchSync(1, (_, target) => target.fill(5));
    pages.drop();
  },
};

function heldLocks({ session }: AttachedPool): number[] {
  const { locks, geometry, nodes } = session.parts;
  return Array.from({ length: lockCount(geometry) }, (_, lock) => lock).filter(
    (lock) => locks.ownerOf(lock) === nodes.self,
  );
}

describe('a call that the engine cuts', function () {
  this.timeout(LONG ? 3_600_000 : 120_000);
  const pools = usePools();

  async function setUp(): Promise<Stage & { path: string }> {
    const pool = await pools.create({ size: 16 * MIB, pageSize: PAGE_BYTES, maxObjects: 2000 });
    const second = await pools.connect(pool.path);
    return { path: pool.path, pool, cache: new SharedCache(pool), other: new SharedCache(second) };
  }

  /** Nothing is left that nobody owns. */
  async function check(pool: AttachedPool, path: string): Promise<void> {
    (pool as unknown as { upkeep: { tick(): void } }).upkeep.tick();
    const { drafts, pins } = pool.stats();
    expect({ drafts, pins, locks: heldLocks(pool) }).to.deep.equal({ drafts: 0, pins: 0, locks: [] });
    expect((await inspect(path)).problems).to.deep.equal([]);
  }

  for (const [name, work] of Object.entries(OPERATIONS)) {
    it(`by an overflow at any depth around the limit leaves nothing, and old pages to nobody: ${name}`, async () => {
      const stage = await setUp();
      let count = 0;
      for (let round = 0; round < ROUNDS; round++) {
        const limit = depthOf(() => work(stage, 'nothing'));
        await Promise.resolve();
        for (let depth = limit - 4; depth < limit + 40; depth++) {
          const key = `${round}.${depth}`;
          stage.other.set(key, page(1));
          stage.cache.borrow(key);
          stage.other.set(key, page(2));
          if (overflows(() => dive(depth, () => work(stage, key)))) count++;
          const mine = stage.cache.borrow(key)?.[0];
          expect(mine).to.be.oneOf(name === 'set' ? [2, 3] : [2]);
          lastDraft?.abort();
          // What the other node waits for comes with the end of the run; both are of one thread here.
          await Promise.resolve();
          expect(heldLocks(stage.pool)).to.deep.equal([]);
          // A set that was cut before its entry is swapped is finished by then.
          const settled = stage.cache.borrow(key)?.[0] as number;
          expect(settled).to.be.at.least(mine as number);
          expect(settled).to.equal(stage.other.borrow(key)?.[0]);
          stage.other.delete(key);
          expect(stage.cache.has(key)).to.equal(false);
        }
      }
      expect(count).to.be.greaterThan(ROUNDS);
      await check(stage.pool, stage.path);
    });

    it(`by a timeout of vm at any moment leaves nothing that others wait for: ${name}`, async () => {
      const stage = await setUp();
      const context = vm.createContext({ work: () => work(stage, 'key') });
      const script = new vm.Script('for (;;) work()');
      let longestMs = 0;
      for (let cut = 0; cut < CUTS; cut++) {
        stage.other.set('key', page(1));
        stage.cache.borrow('key');
        expect(() => script.runInContext(context, { timeout: 1 + (cut % 3) })).to.throw(/timed out/);
        await Promise.resolve();
        expect(heldLocks(stage.pool)).to.deep.equal([]);
        const startedMs = performance.now();
        stage.other.set('key', page(2));
        longestMs = Math.max(longestMs, performance.now() - startedMs);
        expect(stage.cache.borrow('key')?.[0]).to.equal(2);
        stage.other.delete('key');
        expect(stage.cache.has('key')).to.equal(false);
        lastDraft?.abort();
        // Pages that the script had when it was cut are the collector's.
        await new Promise((resolve) => setImmediate(resolve));
      }
      expect(longestMs).to.be.greaterThan(0);
      (stage.pool as unknown as { upkeep: { tick(): void } }).upkeep.tick();
      expect(stage.pool.stats().drafts).to.equal(0);
      expect(heldLocks(stage.pool)).to.deep.equal([]);
      expect((await inspect(stage.path)).problems).to.deep.equal([]);
    });
  }
});

describe('a call about a checkpoint that is cut', () => {
  const pools = usePools();

  /** Cuts the method once, as an overflow at its entry or at its end does. */
  function cutOnce(object: object, name: string, end: 'entry' | 'end'): void {
    const methods = object as Record<string, (...all: unknown[]) => unknown>;
    const method = methods[name] as (...all: unknown[]) => unknown;
    methods[name] = (...all) => {
      methods[name] = method;
      if (end === 'end') method.apply(object, all);
      throw new RangeError('cut');
    };
  }

  it('in its abort leaves its name to nobody once upkeep has been there', async () => {
    const pool = await pools.create({ size: MIB });
    const { named, upkeep, session } = pool as unknown as {
      named: object;
      upkeep: { tick(): void };
      session: AttachedPool['session'];
    };
    const writer = pool.checkpoint('state');
    cutOnce(named, 'ended', 'entry');
    expect(overflows(() => writer.abort())).to.equal(true);
    await Promise.resolve();
    upkeep.tick();
    const { checkpoints, geometry } = session.parts;
    const terms = Array.from({ length: geometry.checkpoints }, (_, entry) => checkpoints.openTerm(entry));
    expect(Math.max(...terms)).to.equal(-1);
  });

  it('after it took a name keeps its own node from that name for no moment', async () => {
    for (const isInOneRun of [true, false]) {
      const pool = await pools.create({ size: MIB });
      pool.checkpoint('state').commit();
      cutOnce(pool.session.parts.checkpoints, 'open', 'end');
      expect(overflows(() => pool.checkpoint('state'))).to.equal(true);
      if (!isInOneRun) await new Promise(setImmediate);
      const writer = pool.checkpoint('state');
      writer.put('part', page(1));
      expect(writer.commit().name).to.equal('state');
    }
  });
});
