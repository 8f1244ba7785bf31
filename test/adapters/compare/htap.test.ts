/** The htap workload: its transactions, what compares two arms, who has which memory, and the private arm's versions. */
import { rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import initialise, { type Database } from '@sqlite.org/sqlite-wasm';
import { expect } from 'chai';
import { htapArms, planArm } from '../../../adapters/compare/htap/arms.js';
import { resultOf } from '../../../adapters/compare/htap/compare.js';
import { type ArmFigures, equalWork, joinerOf, spreadOf } from '../../../adapters/compare/htap/figures.js';
import { runHtap } from '../../../adapters/compare/htap/index.js';
import type { QueryRun, ReaderResult } from '../../../adapters/compare/htap/messages.js';
import { openCopy } from '../../../adapters/compare/htap/oracle.js';
import { CountingStore, PrivateStore } from '../../../adapters/compare/htap/stores.js';
import { Transactions, violated } from '../../../adapters/compare/htap/transactions.js';
import { generate, PAGE_SIZE } from '../../../adapters/compare/sqlite/generate.js';
import { hashOf } from '../../../adapters/compare/sqlite/hash.js';
import { cardinality } from '../../../adapters/compare/sqlite/schema.js';
import { nodeFiles } from '../../../adapters/sqlite/files.js';
import { SharedState } from '../../../adapters/sqlite/head.js';
import { bootId } from '../../../adapters/sqlite/identity.js';
import { openReader, openWriter } from '../../../adapters/sqlite/index.js';
import { ownFolder } from '../../../lib/linux/index.js';
import { atEnd, join as joinPool, makePool } from '../../cache/pools.js';

const SCALE = 0.004;
const counts = cardinality(SCALE);
const DISTRICTS = 10 * counts.warehouses;

function folder(): string {
  const path = ownFolder(tmpdir(), 'test');
  atEnd(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

async function makeFile(): Promise<{ sqlite3: Awaited<ReturnType<typeof initialise>>; file: string }> {
  const sqlite3 = await initialise();
  const file = join(folder(), 'database.db');
  writeFileSync(file, generate(sqlite3, { seed: 1, scale: SCALE }));
  return { sqlite3, file };
}

const contents = (db: Database): string =>
  hashOf(
    ['warehouse', 'district', 'customer', 'stock', 'order_line'].map((name) =>
      db.selectArrays(`SELECT * FROM ${name}`),
    ),
  );

const all = (db: Database): string[] =>
  Array.from({ length: DISTRICTS }, (_, index) => violated(db, counts, index)).flat();

function runOf(changes: Partial<QueryRun>): QueryRun {
  const none = {
    query: 1,
    lsn: 1,
    startMs: 0,
    ms: 1,
    ageMs: 0,
    requests: 0,
    hits: 0,
    storageReads: 0,
    hash: '',
    snapshotsLost: 0,
  };
  return { ...none, ...changes };
}

const reader = (...runs: Partial<QueryRun>[]) => ({ runs: runs.map(runOf) }) as unknown as ReaderResult;

describe('the transactions of the htap workload', () => {
  it('lead two databases to the same contents, keep the sums, and change something each', async () => {
    const { sqlite3, file } = await makeFile();
    const [one, other] = [openCopy(sqlite3, file), openCopy(sqlite3, file)];
    const works = [one, other].map((db) => new Transactions(db, 3, counts));
    const third = new Transactions(openCopy(sqlite3, file), 4, counts);
    for (let n = 0; n < 300; n++) {
      const before = one.changes(true);
      for (const work of [...works, third]) work.next();
      expect(one.changes(true)).to.be.greaterThan(before);
    }
    expect(all(one)).to.deep.equal([]);
    expect(contents(other)).to.equal(contents(one));
    third.close();
    for (const work of works) work.close();
    for (const db of [one, other]) db.close();
  });

  it('are told from a database in which one of the sums does not hold', async () => {
    const { sqlite3, file } = await makeFile();
    for (const damage of [
      'UPDATE district SET d_ytd = d_ytd + 1 WHERE d_id = 3',
      'UPDATE district SET d_next_o_id = d_next_o_id + 1 WHERE d_id = 3',
      'DELETE FROM order_line WHERE ol_d_id = 3 AND ol_o_id = 1 AND ol_number = 1',
      'DELETE FROM new_order WHERE no_d_id = 3 AND no_o_id = (SELECT max(no_o_id) - 1 FROM new_order WHERE no_d_id = 3)',
    ]) {
      const db = openCopy(sqlite3, file);
      expect(all(db)).to.deep.equal([]);
      db.exec(damage);
      expect(all(db), damage).to.not.have.length(0);
      db.close();
    }
  });
});

describe('the figures of the htap workload', () => {
  it('compare the queries that both arms finished, of each reader', () => {
    const one = { readers: [reader({ ms: 1, storageReads: 2 }, { ms: 3 }), reader({ ms: 100, storageReads: 50 })] };
    const other = { readers: [reader({ ms: 10, storageReads: 7 }), reader()] };
    expect(equalWork(one, other)).to.deep.equal({ queries: 1, ms: [1, 10], storageReads: [2, 7] });
  });

  it('are of the same work in a comparison: the queries that all arms finished', () => {
    const nothing = {
      ...{
        notes: [],
        wrong: [],
        violations: [],
        commitsPerSecond: 50,
        queriesPerHour: 100,
        snapshotsLost: 0,
        checked: 1,
        compared: 1,
      },
      ...{
        commitMs: { p50: 1, p99: 2 },
        lagLsn: { p50: 3, p99: 4 },
        requestUs: { p50: 5, p99: 6 },
        bytesPrivate: 1,
        bytesShared: 2,
      },
    };
    const arm = (name: string, ...runs: Partial<QueryRun>[]) =>
      ({ ...nothing, name, readers: [reader(...runs)], queries: runs.length }) as unknown as ArmFigures;
    const first = { ms: 1, requests: 10, hits: 8, storageReads: 2 };
    const fast = arm('shared', first, { ms: 5, requests: 90, hits: 10, storageReads: 80 });
    const slow = {
      ...arm('private-versioned', { ms: 7, requests: 12, hits: 3, storageReads: 9 }),
      violations: ['a sum'],
    };
    const run = { arms: [fast, slow], fileSize: 29_409_280, memory: 50, leftOut: ['one is left out'] };
    const result = resultOf(run, { nodes: 3, seed: 9, durationMs: 20_000 });
    expect(result.done).to.match(
      /^3 readers looped over 22 queries for 20 s .* asked for 50 transactions a second; the last .* 8 s\. .* same 1 queries/,
    );
    expect(resultOf(run, { nodes: 1, seed: 9, durationMs: 20_000 }).done)
      .to.match(/^One reader looped/)
      .and.not.contain('the last');
    expect(result.workload).to.match(/over 28 MiB$/);
    expect(result.shares).to.equal(4);
    expect(result.beside?.rows).to.deep.equal([
      ['shared', '100', '50.0', '1.0', '2.0', '3', '0'],
      ['private-versioned', '100', '50.0', '1.0', '2.0', '3', '0'],
    ]);
    expect(result.beside?.heads).to.have.length(7);
    const [shared, privately] = result.arms;
    expect(shared).to.include({ requests: 10, hits: 8, storageReads: 2, elapsedMs: 1 });
    expect(privately).to.include({ requests: 12, hits: 3, storageReads: 9, elapsedMs: 7 });
    expect(result.checks.map(({ ok }) => ok)).to.deep.equal([true, true, true, false]);
    expect(result.notes).to.include('one is left out');
  });

  it('take the rank that 99 of 100 do not exceed', () => {
    expect(spreadOf(Array.from({ length: 200 }, (_, i) => 200 - i))).to.deep.equal({ p50: 100, p99: 198 });
    expect(spreadOf([])).to.deep.equal({ p50: 0, p99: 0 });
  });

  it('tell from when on the last reader finds as much as the others do meanwhile', () => {
    const hits = (startMs: number, storageReads: number) => ({ startMs, ms: 10, requests: 100, storageReads });
    const others = reader(hits(0, 100), hits(50, 20), hits(70, 20));
    const late = (second: number) => reader(hits(40, 90), hits(50, second), hits(60, 22));
    expect(joinerOf([others, late(20)], 35)).to.deep.include({ warmMs: 15 });
    expect(joinerOf([others, late(20)], 35)?.ratioAfterOneQuery).to.be.closeTo(79 / 80, 1e-9);
    expect(joinerOf([others, late(90)], 35)?.ratioAfterOneQuery).to.be.lessThan(0.9);
    expect(joinerOf([others, late(90)], 35)?.warmMs).to.equal(25);
    expect(joinerOf([others, reader(hits(40, 1))], 35)).to.equal(undefined);
  });

  it('are of arms that have the memory given and no more, the past included, but for the engines own caches', () => {
    const [memory, readers, entry] = [14_000_000, 4, 320];
    for (const name of htapArms) {
      const plan = planArm(name, { readers, memory, fileSize: 28_000_000, source: 'server' });
      const engines = (readers + 1) * 2048 * 1024;
      if (name === 'os-cache') continue;
      expect(plan.bytesPrivate + plan.bytesShared - engines, name).to.be.within(0.99 * memory, memory);
      // The same from what the processes are given.
      const pools = plan.poolSize + plan.readers * plan.privateSize;
      const own = plan.privateSize > 0 ? plan.nearEntries : 0;
      const index = entry * (plan.nearEntries + readers * (plan.sharedNearEntries + own));
      const caches = plan.readers * (plan.engineCacheKiB - 2048) * 1024 + (plan.cacheLimit ?? 0);
      expect(pools + index + caches, name).to.be.within(0.98 * memory, 1.01 * memory);
    }
  });

  it('are of arms of which each has as much for the past, which its writer may keep', () => {
    for (const snapshotShare of [0.1, 0.25]) {
      const past = htapArms.map((name) => {
        const options = {
          readers: 4,
          memory: 14_000_000,
          fileSize: 28_000_000,
          source: 'server',
          snapshotShare,
        } as const;
        const { bytesPast, poolSize, snapshotShare: share, bytesShared, store } = planArm(name, options);
        expect(bytesPast, name).to.be.at.most(Math.min(bytesShared, poolSize));
        if (!name.startsWith('os')) expect(share * poolSize, name).to.be.closeTo(bytesPast, 1);
        if (store === 'private') expect(bytesShared, name).to.equal(bytesPast);
        return bytesPast;
      });
      expect(new Set(past).size).to.equal(1);
      expect(past[0]).to.be.closeTo(14_000_000 * snapshotShare, 4096);
    }
  });
});

describe('a private store of page versions', () => {
  it('serves its reader the snapshot after it was told of the changes, from its own pool where they left the page as it was', async () => {
    const { sqlite3, file } = await makeFile();
    const shared = await makePool({ size: '16MiB', pageSize: PAGE_SIZE });
    const own = await makePool({ size: '16MiB', pageSize: PAGE_SIZE });
    using writer = openWriter(sqlite3, { file, pool: await joinPool(shared.path) });
    const store = new PrivateStore(own);
    const counting = new CountingStore();
    using reading = openReader(sqlite3, { file, pool: shared, storeOf: () => counting.over(store) });
    reading.db.exec('PRAGMA cache_size = 10');
    const state = new SharedState(shared, nodeFiles.statusOf(file) as never);
    const changes = { head: () => state.read(bootId()), log: (epoch: number, lsn: number) => state.log(epoch, lsn) };
    const transactions = new Transactions(writer.db, 2, counts);
    const seen = contents(reading.db);
    for (let round = 0; round < 20; round++) {
      transactions.next();
      const before = reading.snapshot.lsn;
      const now = contents(writer.db);
      expect(reading.refresh()).to.equal(true);
      store.follow(changes, before, reading.snapshot.lsn);
      const [requests, hits] = [counting.requests, counting.hits];
      expect(contents(reading.db)).to.equal(now).and.not.equal(seen);
      expect((counting.hits - hits) / (counting.requests - requests)).to.be.greaterThan(0.5);
    }
    transactions.close();
    state.close();
  });
});

describe('runHtap', () => {
  it('runs an arm, finds nothing wrong, and holds every result against the engine alone', async () => {
    const { arms } = await runHtap({
      ...{ arms: ['shared', 'private-versioned', 'os-cache'], readers: 2, rate: 20, memory: '200%', source: 'direct' },
      ...{ durationMs: 5_000, seed: 1, scale: SCALE, storage: folder(), progress: () => {} },
    });
    for (const arm of arms) {
      expect(arm.writer.commitMs).to.not.have.length(0);
      expect(arm.queries, arm.name).to.be.greaterThan(0);
      expect(arm.compared, arm.name).to.equal(Math.min(arm.queries, 66));
      expect([...arm.wrong, ...arm.violations]).to.deep.equal([]);
      expect(arm.requests).to.be.at.least(arm.storageReads);
      const hits = arm.readers.flatMap(({ runs }) => runs).reduce((total, run) => total + run.hits, 0);
      expect(hits, arm.name).to.be.within(1, arm.requests);
    }
  }).timeout(60_000);
});
