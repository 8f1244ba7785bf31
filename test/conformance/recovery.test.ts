/** Deaths at exact stores of real processes, and who repairs what they leave, how often, and unasked. */

import { spawnSync } from 'node:child_process';
import { Worker } from 'node:worker_threads';
import { expect } from 'chai';
import { inspect } from '../../src/index.js';
import { lockCount } from '../../src/pool/layout/geometry.js';
import { LockLine, NodeRow } from '../../src/pool/layout/layout.js';
import type { AttachedPool } from '../../src/pool/pool.js';
import { useProcesses } from '../process/child.js';
import { expectCleanCensus } from '../support/census.js';
import { checkContent, contentOf, random } from '../support/content.js';
import { codeOf, eventually, KIB, LONG, MIB, pause, settle, usePools } from '../support/pools.js';

const SMALL = { size: 4 * MIB, pageSize: 2 * KIB, maxNodes: 12 } as const;
/** The term is above the owner, the waiters' bit and the dirty bit. */
const TERM_SHIFT = 12;

/** Every page is whole, nothing is left of the dead, and the census finds nothing. */
async function expectSound(pool: AttachedPool, nodes: number): Promise<void> {
  await eventually(async () => {
    await settle(pool);
    expect([pool.nodes().length, pool.stats().drafts]).to.deep.equal([nodes, 0]);
    await expectCleanCensus(pool.path);
  });
  for (const { key, keyBytes } of [...pool.list()]) {
    using page = pool.get(keyBytes);
    if (page !== undefined) checkContent(page.bytes, key.slice(key.indexOf('\u0000') + 1));
  }
}

function fill(pool: AttachedPool, count: number): void {
  for (let i = 0; i < count; i++) pool.put(`page-${i}`, contentOf(`page-${i}`, i, 500 + i));
}

describe('conformance: who repairs', () => {
  const pools = usePools();
  const processes = useProcesses();

  it('of many survivors that meet the locks of a dead node at once, one repairs each', async () => {
    const pool = await pools.create({ ...SMALL, size: 16 * MIB });
    const { locks, geometry, words, shards } = pool.session.parts;
    const count = lockCount(geometry);
    expect(geometry.shards).to.be.at.least(4);
    fill(pool, 60);
    const [dying, ...others] = await processes.connect(pool.path, 5);
    const all = Array.from({ length: count }, (_, lock) => lock);
    for (const lock of all) await dying?.call('acquire', lock);
    const terms = () =>
      all.map((lock) => words.load(geometry.regions.locks.word + lock * LockLine.words) >>> TERM_SHIFT);
    const sequences = () => all.slice(0, geometry.shards).map((shard) => shards.retireSequence(shard));
    const before = { terms: terms(), sequences: sequences() };
    const gone = dying?.kill();
    await pause(1);
    await Promise.all(others.map((node) => node.call('recoverAll')));
    await gone;
    await eventually(() => {
      for (const lock of all) expect([locks.ownerOf(lock), locks.isDirty(lock)]).to.deep.equal([-1, false]);
    });
    // One take-over and one release, and whoever has had the lock since.
    terms().forEach((term, lock) => {
      expect(term).to.be.at.least((before.terms[lock] as number) + 2);
    });
    // Each repair takes the sequence past the ring three times.
    expect(sequences()).to.deep.equal(before.sequences.map((sequence) => sequence + 3 * (geometry.ringRecords + 1)));
    for (const node of others) await node.call('disconnect');
    await expectSound(pool, 1);
  });

  it('a repairer killed at any of its stores is repaired after, and so is the one after it', async function () {
    this.timeout(LONG ? 900_000 : 120_000);
    const pool = await pools.create(SMALL);
    const below = random(5);
    let deaths = 0;
    for (let round = 0; round < (LONG ? 100 : 6); round++) {
      fill(pool, 60);
      const [dying, second, third] = await processes.connect(pool.path, 3);
      await dying?.call('create', `draft-${round}`, 700);
      for (let lock = 0; lock < lockCount(pool.session.parts.geometry); lock++) await dying?.call('acquire', lock);
      for (const repairer of [second, third]) await repairer?.call('dieAtStore', below(4000));
      await dying?.kill();
      for (const repairer of [second, third]) {
        // Or it had fewer stores to make.
        await repairer?.call('recoverAll').catch(() => deaths++);
        await repairer?.kill();
      }
      expect(pool.put(`draft-${round}`, contentOf(`draft-${round}`, round, 100))).to.equal(true);
      await expectSound(pool, 1);
    }
    expect(deaths).to.be.above(2);
  });

  it('survivors that do nothing but exist clean up after the dead, and leave nothing', async function () {
    this.timeout(120_000);
    const path = pools.path();
    const [dying, , stopped] = [await processes.start(), await processes.start(), await processes.start()];
    await dying.call('connect', path, { create: SMALL });
    for (let i = 0; i < 30; i++) await dying.call('fill', `page-${i}`, i, 900);
    const idle = await processes.connect(path, 2);
    for (let i = 0; i < 10; i++) {
      await stopped.call(i === 0 ? 'connect' : 'node', path);
      await stopped.call('pin', `page-${i}`);
      await dying.call('delete', `page-${i}`);
      await dying.call('create', `draft-${i}`, 900);
    }
    for (let lock = 0; lock < 3; lock++) await dying.call('acquire', lock);
    await Promise.all([dying.kill(), stopped.kill()]);
    // Nobody calls anything: this process is no node, it only looks.
    await eventually(async () => {
      const report = await inspect(path);
      expect(report.problems).to.deep.equal([]);
      expect([report.nodes.length, report.stats.drafts, report.stats.limbo, report.stats.pins]).to.deep.equal([
        2, 0, 0, 0,
      ]);
      expect(report.stats.objects).to.equal(20);
    });
    await Promise.all(idle.map((node) => node.call('disconnect')));
  });

  it('the last nodes die all at once under load: whoever comes next finds whole pages only', async function () {
    this.timeout(LONG ? 600_000 : 120_000);
    for (let round = 0; round < (LONG ? 40 : 3); round++) {
      const path = pools.path();
      const nodes = await Promise.all(Array.from({ length: 4 }, () => processes.start()));
      await nodes[0]?.call('connect', path, { create: SMALL });
      await Promise.all(nodes.slice(1).map((node) => node.call('connect', path)));
      for (const [who, node] of nodes.entries()) {
        await node.call('disturb', { who, seed: round * 4 + who + 1, keys: 40, sizeMax: 6 * KIB, durationMs: 600_000 });
      }
      await pause(40 + round * 7);
      await Promise.all(nodes.map((node) => node.kill()));
      const pool = await pools.connect(path);
      await expectSound(pool, 1);
      await pool.disconnect();
    }
  });

  it('a node that leaves while a stopped one holds the locks waits for one of them, and others undo its drafts', async () => {
    const pool = await pools.create(SMALL);
    const leaving = await pools.connect(pool.path);
    for (let i = 0; i < 6; i++) leaving.create(`draft-${i}`, 100);
    const [stopped] = await processes.connect(pool.path, 1);
    for (let lock = 0; lock < pool.session.parts.geometry.shards; lock++) await stopped?.call('acquire', lock);
    stopped?.signal('SIGSTOP');
    const { writer } = leaving.session;
    const abort = writer.abort.bind(writer);
    let tried = 0;
    writer.abort = (place) => {
      tried++;
      return abort(place);
    };
    await leaving.disconnect();
    expect([tried, pool.stats().drafts]).to.deep.equal([1, 6]);
    await stopped?.kill();
    await expectSound(pool, 1);
  });

  it('a process killed while it waits for a page leaves nothing', async () => {
    const pool = await pools.create(SMALL);
    const nodes = await processes.connect(pool.path, 3);
    const waiting = nodes.map((node) => codeOf(() => node.call('waitFor', 'page-1', 60_000)).catch(() => 'died'));
    await pause(50);
    await Promise.all(nodes.map((node) => node.kill()));
    expect(await Promise.all(waiting)).to.deep.equal(['died', 'died', 'died']);
    fill(pool, 3);
    await expectSound(pool, 1);
  });
});

describe('conformance: deaths at exact stores of real processes', () => {
  const pools = usePools();
  const processes = useProcesses();
  const rounds = LONG ? 60 : 5;

  it('a process killed at a store of its join or its leave is no hindrance to the next', async function () {
    this.timeout(LONG ? 900_000 : 120_000);
    const pool = await pools.create({ ...SMALL, maxNodes: 3 });
    fill(pool, 20);
    let deaths = 0;
    for (let round = 0; round < rounds; round++) {
      for (const way of ['connect', 'disconnect'] as const) {
        const node = await processes.start();
        if (way === 'disconnect') {
          await node.call('connect', pool.path);
          await node.call('pin', 'page-1');
          await node.call('create', 'draft', 300);
        }
        await node.call('dieAtStore', way === 'connect' ? round * 61 : round * 5);
        await (way === 'connect' ? node.call('connect', pool.path) : node.call('disconnect')).catch(() => deaths++);
        await node.kill();
        const next = await pools.connect(pool.path);
        expect(next.put('draft', contentOf('draft', 1, 20))).to.equal(true);
        pool.delete('draft');
        await next.disconnect();
        await expectSound(pool, 1);
      }
    }
    expect(deaths).to.be.at.least(rounds);
  });

  it('a format killed at any store is redone by the next opener that may create, and refused to the others', async function () {
    this.timeout(LONG ? 900_000 : 120_000);
    const codes = new Set<string>();
    for (let round = 0; round < rounds * 2; round++) {
      const path = pools.path();
      const node = await processes.start();
      await node.call('dieAtStore', Math.floor(round ** 3 * 7));
      await node.call('format', path, SMALL).catch(() => {});
      await node.kill();
      const code = await codeOf(async () => (await pools.connect(path)).disconnect());
      codes.add(code);
      const pool = await pools.connect(path, { create: { ...SMALL, pageSize: 4 * KIB } });
      expect(pool.info.pageSize).to.equal(code === 'nothing thrown' ? 2 * KIB : 4 * KIB);
      fill(pool, 40);
      await expectSound(pool, 1);
      await pool.disconnect();
    }
    expect(codes).to.include('POOL_CORRUPT');
  });

  it('worker.terminate inside a loop that never yields is a death like any other', async function () {
    this.timeout(LONG ? 600_000 : 120_000);
    const pool = await pools.create(SMALL);
    const below = random(Date.now() & 0xffff);
    for (let round = 0; round < (LONG ? 150 : 8); round++) {
      const workers = await Promise.all(
        [1, 2].map(async (who) => {
          const workerData = { path: pool.path, seed: round * 2 + who };
          const worker = new Worker(new URL('../process/tight.js', import.meta.url), { workerData });
          await new Promise((resolve, reject) => worker.once('message', resolve).once('error', reject));
          return worker;
        }),
      );
      await pause(below(40));
      await Promise.all(workers.map((worker) => worker.terminate()));
      for (let i = 0; i < 50; i++) {
        pool.delete(`page-${i}`);
        expect(pool.put(`page-${i}`, contentOf(`page-${i}`, i, 1000))).to.equal(true);
      }
      await expectSound(pool, 1);
    }
  });
});

/** Runs a program as the first process of a pid namespace of its own, which dies with this one. */
const ELSEWHERE = ['unshare', '--user', '--map-root-user', '--pid', '--fork', '--mount-proc', '--kill-child'];

function canUnshare(): boolean {
  const [program = '', ...rest] = ELSEWHERE;
  return spawnSync(program, [...rest, 'true']).status === 0;
}

describe('conformance: process numbers mean nothing', () => {
  const pools = usePools();
  const processes = useProcesses();

  it('a row with the number of a living process is dead all the same, and one with a number of none is alive', async () => {
    const pool = await pools.create(SMALL);
    const [dying, living] = await processes.connect(pool.path, 2);
    const { words, geometry } = pool.session.parts;
    const idOf = (pid: number | undefined) => pool.nodes().find((node) => node.pid === pid)?.id as number;
    const [dead, alive] = [idOf(dying?.pid), idOf(living?.pid)];
    await dying?.call('create', 'draft', 100);
    await living?.call('create', 'kept', 100);
    const write = (row: number, pid: number) =>
      words.write(geometry.regions.nodeRows.word + row * NodeRow.words + NodeRow.word.processId, pid);
    write(dead, process.pid);
    write(alive, 0x3fffffff);
    await dying?.kill();
    expect(pool.put('draft', contentOf('draft', 1, 20))).to.equal(true);
    await eventually(() => expect(pool.nodes().map(({ state }) => state)).to.deep.equal(['alive', 'alive']));
    expect(await codeOf(() => pool.create('kept', 10))).to.equal('KEY_EXISTS');
    await living?.call('abort', 'kept');
  });

  if (canUnshare()) {
    it('nodes of other pid namespaces, where each is process 1, share a pool and are told dead or alive', async () => {
      // Of a process elsewhere nobody sees whether it stands still or only has no processor.
      const pool = await pools.create(SMALL, { syncWaitMs: 2000 });
      const nodes = await Promise.all([1, 2, 3].map(() => processes.start({}, ELSEWHERE)));
      for (const node of nodes) await node.call('connect', pool.path);
      expect(pool.nodes().map(({ pid }) => pid)).to.deep.equal([process.pid, 1, 1, 1]);
      const [dying, living, reader] = nodes;
      await dying?.call('create', 'draft', 100);
      await living?.call('create', 'kept', 100);
      await living?.call('fill', 'page-1', 1, 500);
      expect(await reader?.call('pin', 'page-1')).to.equal(true);
      for (let lock = 0; lock < lockCount(pool.session.parts.geometry); lock++) await dying?.call('acquire', lock);
      await dying?.kill();
      expect(await living?.call('put', 'draft', contentOf('draft', 2, 100))).to.equal(true);
      pool.delete('page-1');
      for (let i = 0; i < 3000; i++) pool.put(`more-${i}`, contentOf(`more-${i}`, i, 1500));
      expect(await reader?.call('checkPinned', 'page-1')).to.equal(1);
      expect(await codeOf(() => pool.create('kept', 10))).to.equal('KEY_EXISTS');
      await eventually(() => expect(pool.nodes().map(({ state }) => state)).to.deep.equal(['alive', 'alive', 'alive']));
      await Promise.all([living?.call('abort', 'kept'), reader?.call('release', 'page-1')]);
      await Promise.all([living?.call('disconnect'), reader?.call('disconnect')]);
      await expectSound(pool, 1);
    });
  }
});
