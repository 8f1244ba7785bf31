import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import initialise from '@sqlite.org/sqlite-wasm';
import { expect } from 'chai';
import { openCacheLimit } from '../../../adapters/compare/cgroup.js';
import { privateArm, sharedArm } from '../../../adapters/compare/sqlite/arms.js';
import { conclusions } from '../../../adapters/compare/sqlite/conclusions.js';
import { generate, PAGE_SIZE } from '../../../adapters/compare/sqlite/generate.js';
import { bytesOf, type CompareSqliteOptions, compareSqlite } from '../../../adapters/compare/sqlite/index.js';
import { Latency } from '../../../adapters/compare/sqlite/latency.js';
import type { ReadTask } from '../../../adapters/compare/sqlite/messages.js';
import { runNodes } from '../../../adapters/compare/sqlite/nodes.js';
import type { ArmResult } from '../../../adapters/compare/types.js';
import { ownFolder } from '../../../lib/linux/index.js';
import * as sealpool from '../../../src/index.js';

const SCALE = 0.004;

function canLimit(): boolean {
  const limit = openCacheLimit();
  if (typeof limit === 'string') return false;
  limit[Symbol.dispose]();
  return true;
}

const defaultArms = ['private-lru', 'os-cache'] as const;

describe('the CH-benCHmark-derived database', () => {
  it('has the same bytes for the same seed and scale, and others for another', async () => {
    const sqlite3 = await initialise();
    const digest = (seed: number, scale: number): string =>
      createHash('sha256').update(generate(sqlite3, { seed, scale })).digest('hex');
    const first = digest(3, SCALE);
    expect(digest(3, SCALE)).to.equal(first);
    expect(digest(4, SCALE)).to.not.equal(first);
    expect(digest(3, 2 * SCALE)).to.not.equal(first);
  });
});

describe('compareSqlite', () => {
  let folder: string;
  beforeEach(() => {
    folder = ownFolder(tmpdir(), 'test');
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  const run = (options: Partial<CompareSqliteOptions> = {}) =>
    compareSqlite({
      nodes: 2,
      memory: '30%',
      eviction: 's3-fifo',
      seed: 5,
      scale: SCALE,
      storage: folder,
      progress: () => {},
      arms: defaultArms,
      ...options,
    });

  it('gives every arm the same requests, results equal to an uncached run, and memory within the limit', async () => {
    const seen = new Map<string, number>();
    const arms = [...defaultArms, ...('SharedCache' in sealpool ? (['shared'] as const) : [])];
    const result = await run({
      arms,
      scale: 0.02,
      rounds: 1,
      progress: ({ arm, fraction }) => seen.set(arm, fraction),
    });
    expect(result.checks.map(({ ok }) => ok)).to.deep.equal(arms.map(() => true));
    expect(result.checks[0]!.text).to.match(/all 44 query results/);
    const [local] = result.arms;
    expect(local!.requests).to.be.greaterThan(1000);
    expect(result.arms.map(({ requests }) => requests)).to.deep.equal(arms.map(() => local!.requests));
    expect(local!.hits).to.be.greaterThan(0);
    expect(local!.hits + local!.storageReads).to.equal(local!.requests);
    expect(local!.bytesPrivate - 2 * 2048 * 1024)
      .to.be.at.most(result.memory)
      .and.at.least(result.memory * 0.9);
    expect(local!.p50Us).to.be.greaterThan(0).and.at.most(local!.p99Us);
    expect(result.series![0]!.values['private-lru']).to.have.length(22);
    expect(seen.get('private-lru')).to.equal(1);
    expect(seen.get('os-cache')).to.equal(1);
  });

  it('has the nodes warm up over caches that are thrown away: what is measured begins cold', async () => {
    const options = { nodes: 1, memory: '400%', queries: [1, 3, 5, 7, 9] } as const;
    const { arms, checks } = await run({ ...options, arms: ['private-lru', 'shared', 'os-cache'] });
    const [local, shared, system] = arms as [ArmResult, ArmResult, ArmResult];
    expect(checks.map(({ ok }) => ok)).to.deep.equal([true, true, true]);
    // Each page once: nothing of it was there, and nothing was evicted.
    expect(local.storageReads).to.be.above(0);
    expect(shared.storageReads).to.equal(local.storageReads);
    expect(system.storageReads).to.be.above(local.storageReads / 2);
    for (const { notes } of arms)
      expect(notes.join(' ')).to.match(/Before, each node ran every other query for \d+\.\d s/);
  });

  it('leaves the limited OS cache out where no memory cgroup can be made, and says why', async () => {
    const groups = { list: join(folder, 'absent'), root: folder };
    const { arms, checks, notes } = await run({ queries: [1], arms: ['os-cache-limited', 'os-cache'], groups });
    expect(arms.map(({ name }) => name)).to.deep.equal(['os-cache']);
    expect(checks).to.have.length(1);
    expect(notes[0]).to.equal('os-cache-limited is left out: this process is in no group that limits memory.');
  });

  if (canLimit()) {
    it('gives the limited OS cache no more than the memory, and begins with a cold one', async () => {
      const { arms, checks, memory } = await run({ arms: ['os-cache-limited', 'os-cache'], scale: 0.05 });
      const [limited, unlimited] = arms as [ArmResult, ArmResult];
      const pages = unlimited.bytesShared / PAGE_SIZE;
      expect(limited.bytesShared)
        .to.equal(memory)
        .and.below(unlimited.bytesShared / 3);
      // It read the file again and again, the other each page but the unused ones once.
      expect(limited.storageReads).to.be.above(1.5 * pages);
      expect(unlimited.storageReads).to.be.within(pages / 2, 1.05 * pages);
      expect(limited.hits).to.be.below(unlimited.hits).and.above(0);
      expect(unlimited.hitRatio).to.be.within(0.9, 0.99999);
      expect(limited.notes.join(' ')).to.not.contain('had no effect');
      expect(checks.map(({ ok }) => ok)).to.deep.equal([true, true]);
    });

    it('says so where the limit of the OS cache had nothing to drop', async () => {
      const [limited] = (await run({ arms: ['os-cache-limited'], memory: '64MiB', queries: [1] })).arms;
      expect(limited!.notes.join(' ')).to.contain('had no effect');
    });
  }

  it('lets the last node come late where that is asked for, and draws how nodes become warm', async () => {
    const firsts = new Map<string, number>();
    const progress: CompareSqliteOptions['progress'] = ({ arm, fraction, text }) => {
      if (/^node 2/.test(text) && !firsts.has(arm)) firsts.set(arm, fraction);
    };
    const { arms, notes, series } = await run({ nodes: 3, lateJoiner: true, progress, memory: '100%' });
    expect(notes.join(' ')).to.contain('came late');
    // Of three nodes two have done an eighth, and the third a query.
    for (const arm of defaultArms) expect(firsts.get(arm)).to.be.at.least((2 * 0.125 + 1 / 22) / 3 - 1e-9);
    const [times, latencies, present, late, ...more] = series ?? [];
    expect(more).to.have.length(0);
    expect(times!.values['os-cache']).to.have.length(22);
    const steps = latencies!.values['private-lru']!;
    expect([...steps].sort((one, other) => one - other)).to.deep.equal(steps);
    expect(steps[latencies!.labels.indexOf('99')]).to.equal(arms[0]!.p99Us);
    for (const one of [present, late]) {
      expect(one!.labels).to.have.length(22);
      expect(Object.keys(one!.values)).to.deep.equal(['private-lru']);
    }
    const { hits, requests } = arms[0]!;
    const [last, lastLate] = [present!.values['private-lru']!.at(-1)!, late!.values['private-lru']!.at(-1)!];
    expect((2 * last + lastLate) / 3).to.be.closeTo((100 * hits) / requests, 1);
    expect((await run({ queries: [1] })).series).to.have.length(2);
  });

  it('reports a failed check when an arm reads other bytes than the uncached run did', async () => {
    await run({ queries: [1], arms: ['os-cache'] });
    const [name] = readdirSync(folder);
    const file = join(folder, name!);
    // Another database of the same name, under the same fingerprint: the references in memory are of the first.
    const { size } = statSync(file);
    const sqlite3 = await initialise();
    const fingerprint = Number.parseInt(/derived-(\w+)\.db/.exec(name!)![1]!, 16);
    writeFileSync(file, generate(sqlite3, { seed: 6, scale: SCALE, fingerprint }));
    expect(statSync(file).size).to.be.closeTo(size, size / 10);
    const result = await run({ queries: [1], arms: ['os-cache'] });
    expect(result.checks[0]!.ok).to.equal(false);
    expect(result.checks[0]!.text).to.match(/Not so: queries 1\./);
  });

  it('makes the database once and again when it was cut short', async () => {
    const made: boolean[] = [];
    const options = { queries: [1], arms: ['os-cache'] as const };
    for (let time = 0; time < 3; time += 1) {
      let generated = false;
      if (time === 2) truncateSync(join(folder, readdirSync(folder)[0]!), 20_000);
      const progress: CompareSqliteOptions['progress'] = ({ arm }) => {
        generated ||= arm === 'database';
      };
      await run({ ...options, progress });
      made.push(generated);
    }
    expect(made).to.deep.equal([true, false, true]);
    expect(readdirSync(folder)).to.have.length(1);
  });

  it('never overwrites a file that is not its own', async () => {
    const storage = join(folder, 'letter.txt');
    writeFileSync(storage, 'Dear reader, '.repeat(20));
    const error = await run({ storage }).catch((thrown: unknown) => thrown);
    expect(error).to.have.property('code', 'OPTION_INVALID');
    expect(statSync(storage).size).to.equal(260);
  });
});

describe('the nodes of a comparison', () => {
  const absent: ReadTask = {
    task: 'read',
    node: 0,
    file: '/absent/file.db',
    source: { kind: 'uncached', direct: false },
    queries: [],
    rounds: 1,
    seed: 1,
    engineCacheKiB: 64,
  };
  const failure = async (tasks: ReadTask[], options: object = {}): Promise<Error> => {
    const run = runNodes(tasks, { label: 'arm x', progress: () => {}, ...options });
    return run.then(
      () => new Error('nothing failed'),
      (error: Error) => error,
    );
  };

  it('a node that fails ends the run, with its reason', async () => {
    expect((await failure([absent, absent])).message).to.match(/^arm x: node [01] failed: .*absent/s);
  });

  it('a node that is killed ends the run, with its signal', async () => {
    const failed = failure([absent, absent]);
    const children = readFileSync(`/proc/self/task/${process.pid}/children`, 'utf8').trim().split(' ').map(Number);
    const reader = children.findLast((pid) => readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('reader.js'))!;
    process.kill(reader, 'SIGKILL');
    expect((await failed).message).to.match(/^arm x: node 1 ended early \(SIGKILL\)/);
  });

  it('silence ends the run, naming a node', async () => {
    const error = await failure([absent], { stallLimitMs: 1 });
    expect(error.message).to.match(/node 0 .*silent/);
  });

  it('an abort ends the run with its reason', async () => {
    const controller = new AbortController();
    setTimeout(() => controller.abort(new Error('enough')), 5);
    expect((await failure([absent], { signal: controller.signal })).message).to.equal('enough');
  });
});

describe('figures of a comparison', () => {
  it('no arm is given more index than the file has pages, nor more than its memory', () => {
    const [memory, fileSize] = [2 ** 30, 1000 * 8192];
    expect(privateArm(4, memory, fileSize).source).to.have.property('pagesMax', 1000);
    const { nodeBytes, sharedBytes, source } = sharedArm(4, memory, fileSize);
    expect(source).to.have.property('nearEntries', 1000);
    expect(4 * nodeBytes + sharedBytes)
      .to.be.at.most(memory)
      .and.above(memory - 4096);
    for (const make of [privateArm, sharedArm]) {
      expect(() => make(4, 8_000, fileSize))
        .to.throw()
        .with.property('code', 'OPTION_INVALID');
    }
  });

  it('quantiles of latencies are within 3 % and add up over processes', () => {
    const [low, high] = [new Latency(), new Latency()];
    for (let value = 1; value <= 100_000; value += 1) (value <= 50_000 ? low : high).record(value);
    low.add(high.export());
    for (const share of [0.00001, 0.0002, 0.01, 0.5, 0.99, 1]) {
      expect(low.quantile(share)).to.be.closeTo(share * 100_000, Math.max(1, share * 3_000));
    }
    expect(new Latency().quantile(0.5)).to.equal(0);
  });

  it('memory is bytes, a size with a unit, or a share of the file, and nothing else', () => {
    expect([4096, '4096', '1.5KiB', '2 MiB', '25%'].map((memory) => bytesOf(memory, 1000))).to.deep.equal([
      4096, 4096, 1536, 2_097_152, 250,
    ]);
    for (const memory of ['', '0', '-1', '1MB', 'all', Number.NaN, '%']) {
      expect(() => bytesOf(memory, 1000), String(memory))
        .to.throw()
        .with.property('code', 'OPTION_INVALID');
    }
  });

  it('the notes name the limits of the comparison even when an arm is missing', () => {
    const notes = conclusions([], { nodes: 4, memory: 1, fileSize: 1, engineCacheKiB: 2048 }).join(' ');
    expect(notes)
      .to.match(/O_DIRECT/)
      .and.match(/partitioning/)
      .and.match(/worst case of LRU/)
      .and.match(/2 MiB/);
  });
});
