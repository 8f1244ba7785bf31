import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { ownFolder } from '../../lib/linux/index.js';
import { connect, inspect, type PoolError, SharedCache } from '../../src/index.js';
import { FINDINGS } from '../../src/pool/census/findings.js';
import type { AttachedPool } from '../../src/pool/pool.js';
import { expectCleanCensus, expectSoundCensus } from '../support/census.js';
import { Chance } from '../support/chance.js';
import { faults, Place } from './census/faults.js';
import { act, type Hand, leave } from './hostile/acts.js';

const WRITER = fileURLToPath(new URL('./census/writer.js', import.meta.url));

describe('the census', () => {
  let folder: string;
  let path: string;
  beforeEach(() => {
    folder = ownFolder(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'census');
    path = join(folder, 'pool');
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  /** A pool of one shard with something of everything in it. */
  async function makePool(): Promise<AttachedPool> {
    const create = { size: '1MiB', pageSize: 512, maxObjects: 48, maxNodes: 4 };
    const pool = (await connect(path, { create })) as AttachedPool;
    for (let i = 0; i < 20; i++) pool.put(`key-${i}`, new Uint8Array(500));
    pool.put('retained', new Uint8Array(100), { retain: true });
    pool.put('run', new Uint8Array(70_000));
    const cache = new SharedCache(pool, { namespace: 'one' });
    const pages = cache.pages('two', { pageSize: 512 });
    for (const from of [5, 9]) pages.put(1, new Uint8Array(512), { from });
    pool.create('draft', 300);
    pool.get('key-19');
    pool.delete('key-19');
    const writer = pool.checkpoint('one');
    writer.put('part', new Uint8Array(100));
    writer.commit();
    return pool;
  }

  it('finds nothing in a pool at rest', async () => {
    const pool = await makePool();
    const report = await expectCleanCensus(path);
    expect(report.info.poolId).to.equal(pool.info.poolId);
    expect(report.stats).to.deep.equal(pool.stats());
    expect(report.nodes.map((node) => node.id)).to.deep.equal([pool.node.id]);
    await leave(pool);
    await expectCleanCensus(path);
  });

  for (const policy of ['adaptive-2q', 's3-fifo', 'sieve', 'lru', 'none'] as const) {
    it(`finds nothing after thousands of mixed calls under ${policy}`, async () => {
      const create = { size: '2MiB', pageSize: 512, maxObjects: 2048, eviction: policy };
      const pool = (await connect(path, { create })) as AttachedPool;
      const cache = new SharedCache(pool, { namespace: 'mixed' });
      const pages = cache.pages('table', { pageSize: 512 });
      const hand: Hand = { path, pool, chance: new Chance(5), cache, pages, held: [], drafts: [], version: 1 };
      for (let i = 0; i < 6000; i++) {
        await act(hand);
        if (i % 1000 === 0) await expectCleanCensus(path);
      }
      await expectCleanCensus(path);
      await leave(pool);
    });
  }

  for (const fault of faults) {
    it(`reports ${fault.code}: ${fault.what}`, async () => {
      const pool = await makePool();
      fault.make(new Place(pool.session.parts));
      const report = await inspect(path);
      const found = report.problems.filter(({ code, where }) => code === fault.code && fault.where.test(where));
      expect(found, JSON.stringify(report.problems, undefined, 1)).to.not.have.length(0);
      for (const problem of found) expect(problem.repairable).to.equal(fault.repairable === true);
      expect(report.ok).to.equal(report.problems.every((problem) => problem.repairable));
      await leave(pool);
    });
  }

  it('has a fault made by hand for each thing that it can find', () => {
    const made = new Set(faults.map((fault) => fault.code));
    const all = Object.keys(FINDINGS).filter((code) => code !== 'SHARD_BUSY');
    expect([...made]).to.have.members(all);
  });

  it('takes what disagrees with the slots for repairable while the lock over it was left behind', async () => {
    const pool = await makePool();
    const at = new Place(pool.session.parts);
    at.set(at.entryOf(at.of('key-1')), () => 0);
    expect((await inspect(path)).ok).to.equal(false);
    at.set(at.word('locks', 0), (word) => word | 0x800);
    expect((await inspect(path)).ok).to.equal(true);
    pool.put('another', new Uint8Array(10));
    await expectCleanCensus(path);
    expect(pool.has('key-1')).to.equal(true);
    await leave(pool);
  });

  it('says BUSY and nothing else of a shard whose writer is stopped in the middle', async () => {
    const pool = await makePool();
    const at = new Place(pool.session.parts);
    // Held over the end of the run, after which it would be given back as a cut call's.
    pool.session.parts.calls.settle = undefined;
    pool.session.parts.locks.acquire(0);
    at.set(at.entryOf(at.of('key-1')), () => 0);
    const { ok, problems } = await inspect(path);
    expect(problems.map(({ code, where }) => [code, where])).to.deep.equal([['SHARD_BUSY', 'shard 0']]);
    expect(ok).to.equal(true);
    pool.session.parts.locks.release(0);
    await leave(pool);
  });

  describe('of a pool with writers', () => {
    const writers: ChildProcess[] = [];
    afterEach(() => {
      for (const writer of writers.splice(0)) writer.kill('SIGKILL');
    });

    async function startWriter(seed: number): Promise<ChildProcess> {
      const writer = spawn(process.execPath, [WRITER, path, String(seed)], { stdio: ['ignore', 'pipe', 'inherit'] });
      writers.push(writer);
      await once(writer.stdout as NonNullable<typeof writer.stdout>, 'data');
      return writer;
    }

    it('gives no false alarm while two processes write', async () => {
      await startWriter(1);
      await startWriter(2);
      for (let i = 0; i < 40; i++) {
        const report = await expectSoundCensus(path);
        expect(report.problems.map(({ code }) => code).filter((code) => code !== 'SHARD_BUSY')).to.deep.equal([]);
      }
    });

    it('finds only what can be repaired after kill -9, and nothing after the upkeep of another node', async () => {
      const pool = (await connect(path, {
        create: { size: '2MiB', pageSize: 512, maxObjects: 2048, maxNodes: 8 },
      })) as AttachedPool;
      const { upkeep } = pool as unknown as { upkeep: { tick(): void; stop(): void } };
      // From here on it comes when this test says so.
      upkeep.stop();
      for (let kill = 0; kill < 12; kill++) {
        const writer = await startWriter(kill);
        await new Promise((resolve) => setTimeout(resolve, 20 + kill * 3));
        writer.kill('SIGKILL');
        await once(writer, 'exit');
        const report = await expectSoundCensus(path);
        expect(report.problems.map(({ code }) => code)).to.include('NODE_DEAD');
        upkeep.tick();
        await expectCleanCensus(path);
      }
      await leave(pool);
    });
  });

  async function codeOf(work: Promise<unknown>): Promise<string> {
    return work.then(
      () => 'none',
      (error: PoolError) => error.code,
    );
  }

  it('refuses what is no pool, with the codes of connect', async () => {
    expect(await codeOf(inspect(path))).to.equal('POOL_NOT_FOUND');
    writeFileSync(path, '', { mode: 0o600 });
    expect(await codeOf(inspect(path))).to.equal('FORMAT_MISMATCH');
    writeFileSync(path, 'short');
    expect(await codeOf(inspect(path))).to.equal('FORMAT_MISMATCH');
    writeFileSync(path, new Uint8Array(300_000).fill(0xa5));
    expect(await codeOf(inspect(path))).to.equal('FORMAT_MISMATCH');
  });

  it('refuses a pool whose superblock is cut off, damaged, interrupted or of another layout', async () => {
    const pool = await makePool();
    const { words } = pool.session.parts;
    const spoil = async (word: number, value: number) => {
      const before = words.read(word);
      words.write(word, value);
      const codes = [await codeOf(inspect(path)), await codeOf(connect(path, { timeoutMs: 50 }))];
      words.write(word, before);
      return codes;
    };
    expect(await spoil(0, 1)).to.deep.equal(['FORMAT_MISMATCH', 'FORMAT_MISMATCH']);
    expect(await spoil(2, 77)).to.deep.equal(['FORMAT_MISMATCH', 'FORMAT_MISMATCH']);
    expect(await spoil(3, 77)).to.deep.equal(['FORMAT_MISMATCH', 'FORMAT_MISMATCH']);
    expect(await spoil(12, 77)).to.deep.equal(['POOL_CORRUPT', 'POOL_CORRUPT']);
    expect(await spoil(19, 0)).to.deep.equal(['POOL_CORRUPT', 'POOL_CORRUPT']);
    await leave(pool);
    truncateSync(path, 500_000);
    expect(await codeOf(inspect(path))).to.equal('POOL_CORRUPT');
    expect(await codeOf(connect(path))).to.equal('POOL_CORRUPT');
  });
});
