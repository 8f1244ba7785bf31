import { expect } from 'chai';
import type { Page } from '../../src/pool/layout/types.js';
import { type NodeProcess, useProcesses } from '../process/child.js';
import type { Commands } from '../process/main.js';
import { checkContent, contentOf, random } from '../support/content.js';
import { faultIn, type Operation } from '../support/linearizable.js';
import { codeOf, eventually, KIB, LONG, MIB, settle, usePools } from '../support/pools.js';

const SMALL = { size: 8 * MIB, pageSize: 2 * KIB, maxNodes: 12 } as const;

/** Of few size classes. */
const SIZES = [16, 700, 4000, 9000, 120_000];

function soon(): bigint {
  return process.hrtime.bigint() + 100_000_000n;
}

describe('conformance: several processes at once', () => {
  const pools = usePools();
  const processes = useProcesses();

  it('of four processes that create one key at once, exactly one wins, for each of 3,000 keys', async function () {
    this.timeout(120_000);
    const pool = await pools.create(SMALL);
    const nodes = await processes.connect(pool.path, 4);
    const startAt = soon();
    const won = await Promise.all(nodes.map((node) => node.call('contend', 'k', 3000, startAt)));
    expect(won.flat().sort((a, b) => a - b)).to.deep.equal(Array.from({ length: 3000 }, (_, i) => i));
    expect(won.filter((keys) => keys.length > 0).length, 'winners').to.be.at.least(2);
    for (const [i, node] of nodes.entries()) {
      for (const key of won[i] ?? []) {
        using page = pool.get(`k${key}`) as Page;
        expect(new TextDecoder().decode(page.bytes)).to.equal(String(node.pid));
      }
    }
    expect(pool.stats().drafts).to.equal(0);
  });

  it('readers never meet a torn, foreign or older page while a writer replaces pages in a full pool', async function () {
    this.timeout(180_000);
    const pool = await pools.create(SMALL);
    const [writer, ...readers] = await processes.connect(pool.path, 3);
    const shape = { keys: 600, sizeMax: 20 * KIB, durationMs: LONG ? 60_000 : 5000 };
    const work = [
      writer?.call('supersede', { ...shape, who: 1, seed: 1 }),
      ...readers.map((reader, i) => reader.call('readAndCheck', { ...shape, who: 2 + i, seed: 2 + i, single: true })),
    ];
    for (const count of await Promise.all(work)) expect(count).to.be.above(1000);
    expect(pool.stats().evictions).to.be.above(100);
  });

  it('readers never meet a torn or foreign page while three writers replace the same few pages', async function () {
    this.timeout(180_000);
    const pool = await pools.create({ ...SMALL, size: 2 * MIB, maxObjects: 64 });
    const [reader, ...writers] = await processes.connect(pool.path, 4);
    const shape = { keys: 12, sizeMax: 8 * KIB, durationMs: LONG ? 60_000 : 4000 };
    const work = [
      reader?.call('readAndCheck', { ...shape, who: 0, seed: 9, single: false }),
      ...writers.map((writer, i) => writer.call('supersede', { ...shape, who: 1 + i, seed: 1 + i })),
    ];
    for (const count of await Promise.all(work)) expect(count).to.be.above(500);
  });

  it('extents that four processes allocate at once do not overlap, and hold what each wrote', async () => {
    const pool = await pools.create({ ...SMALL, size: 128 * MIB, eviction: 'none' });
    const nodes = await processes.connect(pool.path, 4);
    const fill = async (node: NodeProcess, who: number) => {
      const below = random(who + 1);
      for (let i = 0; i < 200; i++) await node.call('fill', `n${who}-${i}`, i, SIZES[below(SIZES.length)] as number);
    };
    await Promise.all(nodes.map(fill));
    const ranges: [start: number, end: number][] = [];
    for (const { key, size } of pool.list()) {
      const page = pool.get(key) as Page;
      expect(checkContent(page.bytes, key)).to.equal(Number(key.split('-')[1]));
      ranges.push([page.bytes.byteOffset, page.bytes.byteOffset + size]);
    }
    expect(ranges.length).to.equal(800);
    ranges.sort(([a], [b]) => a - b);
    for (let i = 1; i < ranges.length; i++) expect(ranges[i]?.[0]).to.be.at.least(ranges[i - 1]?.[1] as number);
  });
});

describe('conformance: nodes that are stopped', () => {
  const pools = usePools();
  const processes = useProcesses();

  it('readers keep reading while a stopped process holds every lock; writers get BUSY; SIGCONT is harmless', async () => {
    const pool = await pools.create({ ...SMALL, maxObjects: 200 });
    const { shards } = pool.session.parts.geometry;
    for (let i = 0; i < 100; i++) pool.put(`k${i}`, contentOf(`k${i}`, i, 1000));
    const [holder, reader] = await processes.connect(pool.path, 2);
    const pinned = pool.get('k1') as Page;
    for (let lock = 0; lock < shards; lock++) await holder?.call('acquire', lock);
    holder?.signal('SIGSTOP');
    const refused = codeOf(() => reader?.call('put', 'new', new Uint8Array(10)));
    // The other process is busy waiting; this one goes on reading.
    for (let i = 0; i < 100; i++) {
      using page = pool.get(`k${i}`) as Page;
      expect(checkContent(page.bytes, `k${i}`)).to.equal(i);
    }
    expect([pool.get('nothing'), pool.has('nothing')]).to.deep.equal([undefined, false]);
    expect(await refused).to.equal('BUSY');
    expect(await reader?.call('check', 'k7')).to.equal(7);
    expect(await reader?.call('get', 'nothing')).to.equal(undefined);
    const late = await pools.connect(pool.path);
    expect(late.get('k9')?.size).to.equal(1000);
    holder?.signal('SIGCONT');
    for (let lock = 0; lock < shards; lock++) await holder?.call('releaseLock', lock);
    expect(await reader?.call('put', 'new', new Uint8Array(10))).to.equal(true);
    expect(await holder?.call('check', 'k5')).to.equal(5);
    expect(await holder?.call('delete', 'k1')).to.equal(true);
    expect(checkContent(pinned.bytes, 'k1')).to.equal(1);
    expect(pool.has('k1')).to.equal(false);
  });

  it('whoever finds BUSY leaves nothing behind: every draft and claim is gone when the others run again', async () => {
    const pool = await pools.create({ ...SMALL, maxObjects: 200 });
    const other = await pools.connect(pool.path);
    const { segment, locks, geometry } = pool.session.parts;
    const { locks: othersLocks, calls: othersCalls } = other.session.parts;
    // Locks held over the end of the run, after which they would be given back as a cut call's.
    othersCalls.settle = undefined;
    // The other node stops with the lock at the worst moment: after the draft was made, before it is sealed.
    const write = segment.writeDraft.bind(segment);
    segment.writeDraft = (...parameters) => {
      for (let lock = 0; lock < geometry.shards; lock++) othersLocks.acquire(lock);
      write(...parameters);
    };
    expect(await codeOf(() => pool.put('k', new Uint8Array(100)))).to.equal('BUSY');
    segment.writeDraft = write;
    for (let lock = 0; lock < geometry.shards; lock++) othersLocks.release(lock);
    await eventually(() => expect([pool.stats().drafts, pool.stats().bytesUsed]).to.deep.equal([0, 0]), 3000);
    expect(pool.put('k', new Uint8Array(10))).to.equal(true);

    const draft = pool.create('d', 100);
    othersLocks.acquire(pool.session.parts.shards.of(0));
    for (let lock = 1; lock < geometry.shards; lock++) othersLocks.acquire(lock);
    expect(await codeOf(() => draft.seal())).to.equal('BUSY');
    const aborted = await codeOf(() => draft.abort());
    expect(aborted).to.be.oneOf(['BUSY', 'nothing thrown']);
    for (let lock = 0; lock < geometry.shards; lock++) othersLocks.release(lock);
    if (aborted === 'BUSY') draft.abort();
    await eventually(() => expect(pool.stats().drafts).to.equal(0), 3000);
    expect(pool.put('d', new Uint8Array(10))).to.equal(true);
    expect(locks.ownerOf(0)).to.equal(-1);
  });

  it('a process stopped and continued at random moments of its writes disturbs nobody', async function () {
    this.timeout(180_000);
    const pool = await pools.create(SMALL);
    const [stopped, witness] = await processes.connect(pool.path, 2);
    const shape = { keys: 40, sizeMax: 8 * KIB, durationMs: LONG ? 60_000 : 4000 };
    const work = stopped?.call('supersede', { ...shape, who: 1, seed: 1 });
    const reading = witness?.call('readAndCheck', { ...shape, who: 2, seed: 2, single: false });
    const below = random(77);
    let isOver = false;
    work?.finally(() => {
      isOver = true;
    });
    while (!isOver) {
      stopped?.signal('SIGSTOP');
      let code = 'nothing thrown';
      for (let i = 0; i < 20 && code !== 'BUSY'; i++) {
        const key = `page-${below(40)}`;
        code = await codeOf(() => pool.delete(key));
        expect(code).to.be.oneOf(['nothing thrown', 'BUSY']);
        using page = pool.get(key);
        if (page !== undefined) expect(page.size).to.be.above(0);
      }
      stopped?.signal('SIGCONT');
      await new Promise((resolve) => setTimeout(resolve, 20 + below(40)));
    }
    expect(await work).to.be.above(0);
    expect(await reading).to.be.above(0);
    await settle(pool);
    expect(pool.put('last', new Uint8Array(10))).to.equal(true);
  });
});

type Histories = Awaited<ReturnType<Commands['record']>>;

function faultOf(histories: readonly Histories[]): string | undefined {
  for (const key of histories[0]?.keys() ?? []) {
    const all = histories.flatMap((history) => history.get(key) ?? []);
    const fault = faultIn(all);
    if (fault !== undefined) return `${key}, ${all.length} operations, ${fault}`;
  }
  return undefined;
}

describe('conformance: recorded histories', () => {
  const pools = usePools();
  const processes = useProcesses();

  for (const layer of ['pool', 'cache'] as const) {
    const what = layer === 'pool' ? 'put, delete and get' : 'set, delete and borrow';
    it(`of four processes that ${what} a few keys are linearizable for each key`, async function () {
      this.timeout(600_000);
      const nodes = await Promise.all(Array.from({ length: 4 }, () => processes.start()));
      for (let round = 0; round < (LONG ? 40 : 4); round++) {
        const pool = await pools.create({ ...SMALL, eviction: 'none' });
        await Promise.all(nodes.map((node) => node.call('connect', pool.path)));
        const startAt = soon();
        const histories = await Promise.all(
          nodes.map((node, i) =>
            node.call('record', { who: i + 1, seed: round * 10 + i + 1, keys: 3, operations: 8000, layer, startAt }),
          ),
        );
        const fault = faultOf(histories);
        if (fault !== undefined) expect.fail(fault);
        await Promise.all(nodes.map((node) => node.call('disconnect')));
        await pools.disconnect();
      }
    });
  }
});

describe('the check of histories', () => {
  const one = (kind: Operation['kind'], value: number, start: number, end: number, result = true): Operation => ({
    ...{ who: 0, kind, value, result },
    start: BigInt(start),
    end: BigInt(end),
  });

  it('accepts what a variable could have done', () => {
    const good: Operation[][] = [
      [one('set', 1, 0, 1), one('get', 1, 2, 3), one('delete', 0, 4, 5), one('get', 0, 6, 7)],
      [one('set', 1, 0, 9), one('get', 0, 1, 2), one('get', 1, 3, 4)],
      [one('set', 1, 0, 9), one('set', 2, 0, 9), one('get', 2, 10, 11)],
      [one('put', 1, 0, 9), one('put', 2, 1, 2, false), one('get', 0, 3, 4), one('get', 1, 10, 11)],
      [one('put', 1, 0, 1), one('delete', 0, 0, 9), one('put', 2, 2, 8)],
      [{ ...one('set', 1, 0, 0), end: undefined }, one('get', 0, 5, 6), one('get', 1, 7, 8)],
    ];
    for (const history of good) expect(faultIn(history)).to.equal(undefined);
  });

  it('finds the operation that no order explains', () => {
    const bad: Operation[][] = [
      [one('set', 1, 0, 1), one('get', 0, 2, 3)],
      [one('set', 1, 0, 1), one('set', 2, 2, 3), one('get', 1, 4, 5)],
      [one('set', 1, 0, 9), one('get', 1, 1, 2), one('get', 0, 3, 4)],
      [one('set', 1, 0, 1), one('delete', 0, 2, 3, false)],
      [one('put', 1, 0, 1), one('put', 2, 2, 3)],
      [one('put', 1, 0, 1), one('delete', 0, 2, 3), one('put', 2, 4, 5, false)],
      [one('put', 1, 0, 9), one('put', 2, 1, 2, false), one('put', 3, 3, 4)],
      [one('get', 5, 0, 1)],
    ];
    for (const history of bad) expect(faultIn(history)).to.match(/no order explains/);
  });
});
