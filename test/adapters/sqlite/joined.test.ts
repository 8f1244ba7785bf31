/** Readers in several processes that miss the same pages: each page is read from the file once, whoever is killed over it. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { openWriter } from '../../../adapters/sqlite/index.js';
import { type Pool, SharedCache } from '../../../src/index.js';
import { join as joinPool, makePool, sleep } from '../../cache/pools.js';
import { Engine, makeWorld, SCHEMA, transfer, type World } from './world.js';

const READERS = 4;
const QUERY = 'SELECT count(*), sum(balance), sum(length(text)) FROM account';

/** A database of some pages, which no pool has anything of but the one it was made with. */
async function makeDatabase(): Promise<World> {
  const world = await makeWorld();
  const writing = await world.writer();
  writing.db.exec(`${SCHEMA} INSERT INTO account SELECT id + 400, 100, text FROM account;
    INSERT INTO account SELECT id + 800, 100, text FROM account`);
  writing.close();
  return world;
}

/** Tells which pages were read, one number for each read. */
class Log {
  readonly path: string;

  constructor(folder: string) {
    this.path = join(folder, 'reads');
    writeFileSync(this.path, '');
  }

  /** Page and process of each read. */
  get lines(): { page: number; by: number }[] {
    const lines = readFileSync(this.path, 'latin1').split('\n').filter(Boolean);
    return lines.map((line) => line.split(' ').map(Number) as [number, number]).map(([page, by]) => ({ page, by }));
  }

  /** Of all reads, how many were not the first of their page. */
  get again(): number {
    const { lines } = this;
    const pages = new Set(lines.map(({ page }) => page));
    expect(pages.size).to.be.greaterThan(60);
    return lines.length - pages.size;
  }
}

/** Readers that were not scheduled for 50 ms are not waited for; what others then load is counted as unshared. */
function unshared(pool: Pool): number {
  return new SharedCache(pool, { namespace: 'sealpool-sqlite' }).stats().total.unsharedCount;
}

describe('readers that miss the same pages', () => {
  it('have each read from the file once, at one snapshot', async () => {
    const { file, folder } = await makeDatabase();
    const pool = await makePool({ size: '16MiB' });
    const log = new Log(folder);
    const engines = Array.from({ length: READERS }, () => new Engine(pool.path, file));
    for (const engine of engines) await engine.call('watchedReader', log.path);
    const answers = await Promise.all(engines.map((engine) => engine.call('rows', QUERY)));
    for (const answer of answers) expect(answer).to.deep.equal([[1_600, 160_000, 320_000]]);
    expect(log.again).to.equal(unshared(pool));
  });

  it('have each read from the file once, each at another snapshot of a database that is being changed', async () => {
    const { sqlite3, file, folder } = await makeDatabase();
    const pool = await makePool({ size: '16MiB' });
    const log = new Log(folder);
    const writer = openWriter(sqlite3, { file, pool: await joinPool(pool.path) });
    const engines = Array.from({ length: READERS }, () => new Engine(pool.path, file));
    const expected: unknown[] = [];
    for (const [round, engine] of engines.entries()) {
      transfer(writer.db, round);
      await engine.call('watchedReader', log.path);
      // Of ten rows a digit more. The writer does not read them here: all of it would be in the pool.
      expected.push([[1_600, 160_000, 320_000 + 10 * (round + 1)]]);
    }
    // The youngest snapshot first: what it reads has to answer the others.
    const last = engines.pop() as Engine;
    const youngest = last.call('rows', QUERY);
    const answers = await Promise.all(engines.map((engine) => engine.call('rows', QUERY)));
    expect([...answers, await youngest]).to.deep.equal(expected);
    expect(log.again).to.be.at.most(unshared(pool));
    writer.close();
  });

  for (const step of ['before', 'after', 'proof'])
    it(`have each read once more at most, of which one was killed over it: ${step}`, async () => {
      const { file, folder } = await makeDatabase();
      const pool = await makePool({ size: '16MiB' });
      const log = new Log(folder);
      const engines = Array.from({ length: READERS }, () => new Engine(pool.path, file));
      for (const [i, engine] of engines.entries())
        await engine.call('watchedReader', `${log.path} ${i === 0 ? step : ''}`);
      const killed = (engines.shift() as Engine).call('rows', QUERY).then(
        () => 'alive',
        () => 'dead',
      );
      while (log.lines.length === 0) await sleep(1);
      const others = engines.map((engine) => engine.call('rows', QUERY));
      for (const answer of await Promise.all(others)) expect(answer).to.deep.equal([[1_600, 160_000, 320_000]]);
      expect(await killed).to.equal('dead');
      expect(log.again).to.be.within(1, 1 + unshared(pool));
      expect(pool.stats().drafts).to.equal(0);
    });

  it('in their order go on to the next one while another takes long over theirs', async () => {
    const { file, folder } = await makeDatabase();
    const pool = await makePool({ size: '16MiB' });
    const log = new Log(folder);
    const [first, second] = [new Engine(pool.path, file), new Engine(pool.path, file)];
    await first.call('watchedReader', `${log.path} hang`);
    await second.call('watchedReader', log.path);
    const slow = first.call('rows', QUERY);
    while (log.lines.length < 20) await sleep(1);
    const answers = [await second.call('rows', QUERY), await slow];
    for (const answer of answers) expect(answer).to.deep.equal([[1_600, 160_000, 320_000]]);
    const [, hung, ahead] = log.lines.slice(18);
    expect(ahead?.by).to.not.equal(hung?.by);
    expect((ahead?.page ?? 0) - (hung?.page ?? 0)).to.be.within(1, 8);
  });
});
