import { Worker } from 'node:worker_threads';
import { expect } from 'chai';
import { lockCount } from '../../src/pool/layout/geometry.js';
import type { Page } from '../../src/pool/layout/types.js';
import type { AttachedPool } from '../../src/pool/pool.js';
import { type NodeProcess, useProcesses } from '../process/child.js';
import { checkContent, contentOf, random } from '../support/content.js';
import { codeOf, eventually, KIB, LONG, MIB, pause, settle, usePools } from '../support/pools.js';

const SMALL = { size: 4 * MIB, pageSize: 2 * KIB, maxNodes: 12 } as const;

/** Everything left is whole, everything dead is gone, and all space comes back. */
async function expectSound(pool: AttachedPool, nodes: number): Promise<void> {
  const { geometry, locks } = pool.session.parts;
  await eventually(() => {
    expect(pool.nodes()).to.have.length(nodes);
    expect(pool.stats().drafts).to.equal(0);
    for (let lock = 0; lock < lockCount(geometry); lock++) expect(locks.ownerOf(lock)).to.equal(-1);
  });
  for (const { key, keyBytes, size } of [...pool.list()]) {
    using page = pool.get(keyBytes);
    if (page === undefined) continue;
    expect(page.size).to.equal(size);
    checkContent(page.bytes, key.slice(key.indexOf('\u0000') + 1));
  }
  // The pool still takes its whole size, twice.
  for (let i = 0; i < 4000; i++) expect(pool.put(`after-${i}`, new Uint8Array(2000))).to.equal(true);
  for (const { keyBytes } of [...pool.list()]) pool.delete(keyBytes);
  await settle(pool);
  const { objects, limbo, bytesUsed, pins } = pool.stats();
  expect({ objects, limbo, bytesUsed, pins }).to.deep.equal({ objects: 0, limbo: 0, bytesUsed: 0, pins: 0 });
}

describe('conformance: deaths', () => {
  const pools = usePools();
  const processes = useProcesses();

  it('a third sealed, a third aborted, a third left open: when the process is killed only the sealed remain', async () => {
    const pool = await pools.create(SMALL);
    const [dying] = await processes.connect(pool.path, 1);
    for (let i = 0; i < 90; i++) {
      await dying?.call('create', `k${i}`, 1000);
      await dying?.call('fillDraft', `k${i}`, i);
      if (i % 3 === 0) await dying?.call('seal', `k${i}`);
      if (i % 3 === 1) await dying?.call('abort', `k${i}`);
    }
    const { bytesUsed } = pool.stats();
    expect([pool.stats().objects, pool.stats().drafts]).to.deep.equal([30, 30]);
    await dying?.kill();
    await eventually(() => expect([pool.stats().drafts, pool.stats().bytesUsed]).to.deep.equal([0, bytesUsed / 2]));
    for (let i = 0; i < 90; i++) {
      using page = pool.get(`k${i}`);
      expect(page === undefined ? undefined : checkContent(page.bytes, `k${i}`)).to.equal(i % 3 === 0 ? i : undefined);
      expect(pool.put(`k${i}`, new Uint8Array(10))).to.equal(i % 3 !== 0);
    }
    expect(pool.nodes()).to.have.length(1);
  });

  it('the key of a draft whose node was killed is free for the very next create', async () => {
    const pool = await pools.create(SMALL);
    const [dying, other] = await processes.connect(pool.path, 2);
    await dying?.call('create', 'k', 1000);
    expect(await codeOf(() => other?.call('create', 'k', 10))).to.equal('KEY_EXISTS');
    await dying?.kill();
    expect(await other?.call('put', 'k', Uint8Array.of(1))).to.equal(true);
  });

  it('pins of a killed process stop counting: deleted pages are freed, and others may be evicted', async () => {
    const pool = await pools.create(SMALL);
    const [dying] = await processes.connect(pool.path, 1);
    for (let i = 0; i < 50; i++) {
      pool.put(`k${i}`, contentOf(`k${i}`, i, 3000));
      await dying?.call('pin', `k${i}`);
    }
    for (let i = 0; i < 25; i++) pool.delete(`k${i}`);
    await settle(pool);
    expect([pool.stats().limbo, pool.stats().pins, pool.evict(MIB)]).to.deep.equal([25, 50, 0]);
    await dying?.kill();
    await eventually(() => expect([pool.stats().limbo, pool.stats().pins]).to.deep.equal([0, 0]));
    expect(pool.evict(MIB)).to.be.above(25 * 3000);
    expect(pool.stats().bytesUsed).to.equal(0);
  });

  it('a process killed with every lock in its hand locks nobody out', async () => {
    const pool = await pools.create(SMALL);
    pool.put('k', contentOf('k', 1, 500));
    for (let round = 0; round < 3; round++) {
      const [dying, other] = await processes.connect(pool.path, 2);
      const locks = lockCount(pool.session.parts.geometry);
      for (let lock = 0; lock < locks; lock++) await dying?.call('acquire', lock);
      if (round === 1) dying?.signal('SIGSTOP');
      await dying?.kill();
      expect(await other?.call('check', 'k')).to.equal(1);
      const started = performance.now();
      for (let i = 0; i < 100; i++)
        expect(await other?.call('put', `k${round}-${i}`, contentOf(`k${round}-${i}`, 1, 300))).to.equal(true);
      expect(performance.now() - started).to.be.below(30_000);
      expect(await other?.call('check', 'k')).to.equal(1);
      await other?.call('disconnect');
    }
    await expectSound(pool, 1);
  });

  it('a killed process is told from one that came after it in the same row, with the same name', async () => {
    const pool = await pools.create({ ...SMALL, maxNodes: 2 });
    const seen = new Set<string>();
    for (let round = 0; round < 4; round++) {
      const [dying] = await processes.connect(pool.path, 1);
      await dying?.call('create', `draft-${round}`, 100);
      const info = pool.nodes().find(({ pid }) => pid === dying?.pid);
      seen.add(`${info?.id}`);
      expect(await codeOf(() => pools.connect(pool.path))).to.equal('TOO_MANY_NODES');
      await dying?.kill();
      // Nobody has cleaned up yet: the next one takes the row and does it.
      const next = await pools.connect(pool.path);
      expect(next.put(`draft-${round}`, Uint8Array.of(1))).to.equal(true);
      expect(pool.nodes().map(({ state }) => state)).to.deep.equal(['alive', 'alive']);
      await next.disconnect();
    }
    expect([...seen]).to.deep.equal(['1']);
  });

  it('a zombie, dead but not yet waited for, counts as dead', async () => {
    const pool = await pools.create(SMALL);
    const [parent] = await processes.connect(pool.path, 1);
    // Killed children of ours are zombies until the event loop runs: this check gives it no chance to.
    await parent?.call('create', 'k', 100);
    process.kill(parent?.pid as number, 'SIGKILL');
    const end = performance.now() + 5000;
    let isFree = false;
    while (!isFree && performance.now() < end) isFree = pool.put('k', Uint8Array.of(1));
    expect(isFree).to.equal(true);
  });

  it('after kill -9 of every node the sealed objects are whole and the drafts gone, with and without pins', async () => {
    const path = pools.path();
    const first = await processes.start();
    await first.call('connect', path, { create: SMALL });
    const others = await processes.connect(path, 3);
    const nodes = [first, ...others];
    for (const [i, node] of nodes.entries()) {
      for (let j = 0; j < 20; j++) await node.call('fill', `n${i}-${j}`, j, 1000 + j);
      await node.call('create', `draft-${i}`, 1000);
    }
    for (const node of nodes) for (let j = 0; j < 20; j++) await node.call('pin', `n1-${j}`);
    await Promise.all(nodes.map((node) => node.kill()));
    const pool = await pools.connect(path);
    expect([pool.stats().objects, pool.stats().drafts]).to.deep.equal([80, 0]);
    for (let i = 0; i < 4; i++) {
      for (let j = 0; j < 20; j++)
        expect(checkContent((pool.get(`n${i}-${j}`) as Page).copy(), `n${i}-${j}`)).to.equal(j);
    }
    expect(pool.nodes()).to.have.length(1);
    expect(pool.put('draft-0', Uint8Array.of(1))).to.equal(true);
  });
});

async function startDisturbing(node: NodeProcess, path: string, seed: number): Promise<void> {
  await node.call('connect', path);
  await node.call('disturb', { who: seed % 100, seed, keys: 60, sizeMax: 6 * KIB, durationMs: 600_000 });
}

describe('conformance: deaths at random moments', () => {
  const pools = usePools();
  const processes = useProcesses();
  const rounds = LONG ? 300 : 12;

  it('kill -9 of writers at random moments, some stopped first: nobody hangs, nothing is torn, all space comes back', async function () {
    this.timeout(LONG ? 1_800_000 : 120_000);
    const pool = await pools.create(SMALL);
    const below = random(Date.now() & 0xffff);
    const [witness] = await processes.connect(pool.path, 1);
    const shape = { keys: 60, sizeMax: 6 * KIB, durationMs: rounds * 250 + 1000 };
    const reading = witness?.call('readAndCheck', { ...shape, who: 99, seed: 99, single: false });
    let victims = await Promise.all([processes.start(), processes.start()]);
    for (let round = 0; round < rounds; round++) {
      await Promise.all(victims.map((victim, i) => startDisturbing(victim, pool.path, round * 2 + i + 1)));
      const spare = Promise.all([processes.start(), processes.start()]);
      await pause(60 + below(120));
      for (const victim of victims) expect(await victim.call('failure')).to.equal(undefined);
      for (const victim of victims) if (below(3) === 0) victim.signal('SIGSTOP');
      const killed = victims.map((victim) => victim.kill());
      // Work goes on while the dead are still warm.
      for (let i = 0; i < 200; i++) {
        const key = `page-${below(60)}`;
        pool.delete(key);
        pool.get(key)?.release();
      }
      await Promise.all(killed);
      victims = await spare;
    }
    expect(await reading).to.be.above(100);
    await witness?.call('disconnect');
    await expectSound(pool, 1);
  });

  const DRAFT_BYTES = 5000;

  /** What the worker of draft.worker.ts says before and after the seal. Ends with it. */
  async function drafting(path: string, isTransferred: boolean): Promise<unknown[]> {
    const workerData = { path, key: 'of a worker', size: DRAFT_BYTES, isTransferred };
    const worker = new Worker(new URL('../process/draft.worker.js', import.meta.url), { workerData });
    const answer = () => new Promise((resolve, reject) => worker.once('message', resolve).once('error', reject));
    const before = await answer();
    worker.postMessage('seal');
    const after = await answer();
    const code = await new Promise((resolve) => worker.once('exit', resolve));
    expect(code).to.equal(0);
    return [before, after];
  }

  it('a worker fills its drafts in private memory, which is no longer the page once it is sealed', async () => {
    const pool = await pools.create(SMALL);
    const [before, after] = await drafting(pool.path, false);
    expect(before).to.deep.equal({ buffer: DRAFT_BYTES, length: DRAFT_BYTES, scratch: DRAFT_BYTES });
    expect(after).to.deep.equal({ buffer: 0, length: 0, code: 'sealed' });
    const page = pool.get('of a worker');
    expect(page && checkContent(page.bytes, 'of a worker')).to.equal(7);
    page?.release();
    await expectSound(pool, 1);
  });

  it('a draft whose bytes a worker gave away is aborted, not sealed with what lay there before', async () => {
    const pool = await pools.create(SMALL);
    const [, after] = await drafting(pool.path, true);
    expect(after).to.deep.equal({ buffer: 0, length: 0, code: 'NOT_OWNER' });
    expect(pool.get('of a worker')).to.equal(undefined);
    expect(pool.put('of a worker', contentOf('of a worker', 1, 100))).to.equal(true);
    await expectSound(pool, 1);
  });

  it('worker.terminate at a random moment is a death like any other', async function () {
    this.timeout(120_000);
    const pool = await pools.create(SMALL);
    const below = random(Date.now() & 0xffff);
    for (let round = 0; round < (LONG ? 60 : 6); round++) {
      const options = { who: round, seed: round + 1, keys: 60, sizeMax: 6 * KIB, durationMs: 600_000 };
      const worker = new Worker(new URL('../process/worker.js', import.meta.url), {
        workerData: { path: pool.path, options },
      });
      const row = await new Promise((resolve, reject) => {
        worker.once('message', resolve);
        worker.once('error', reject);
      });
      expect(pool.nodes().find(({ id }) => id === row)?.state).to.equal('alive');
      await pause(30 + below(80));
      await worker.terminate();
      for (let i = 0; i < 60; i++) {
        pool.delete(`page-${i}`);
        pool.put(`page-${i}`, contentOf(`page-${i}`, i, 1000));
      }
    }
    await expectSound(pool, 1);
  });
});
