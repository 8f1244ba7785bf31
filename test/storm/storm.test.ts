import { rmSync } from 'node:fs';
import { expect } from 'chai';
import { Words } from '../../lib/words.js';
import { contentOf } from '../support/content.js';
import { MIB, Pools } from '../support/pools.js';
import { Board } from './board.js';
import { HISTOGRAM_WORDS, recordTime, timesOf } from './histogram.js';
import { Judge } from './judge.js';
import { sceneFor } from './plan.js';
import { Spares, StormProcess } from './process.js';
import { Storm } from './storm.js';

const KILLS = 60;

describe('a storm', () => {
  const pools = new Pools();
  const boards: string[] = [];
  after(() => {
    for (const path of boards) rmSync(path, { force: true });
    pools.remove();
  });

  function makeBoard(): Board {
    const path = pools.path();
    boards.push(path);
    return Board.create(path, { ownKeys: 10, ownPages: 10, sources: 10 });
  }

  it(`of ${KILLS} kills tears no page, brings none back, and leaves nothing behind`, async function () {
    this.timeout(600_000);
    const storm = await Storm.prepare({
      path: pools.path(),
      poolBytes: 24 * MIB,
      nodes: 4,
      seed: Date.now() & 0xffff,
      touchOneIn: 1,
      lifeMs: 120,
      ownProgramOneIn: 1,
      survivors: 0,
      fusedPercent: 25,
      lullEvery: 30,
    });
    try {
      await storm.blow(KILLS, true);
      const settled = await storm.account();
      expect(settled.pagesChecked).to.be.above(1000);
      expect(storm.ended).to.be.at.least(KILLS);
      expect(storm.lulls.length).to.be.at.least(1);
      expect(storm.board.total('pagesRead')).to.be.above(1000);
      expect(storm.board.total('takeovers')).to.be.above(0);
      expect([...storm.ends.keys()]).to.include.members(['at random', 'by its own hand']);
    } finally {
      await storm.close(false);
    }
  });

  it('is judged by pages older than a write that returned, newer than any begun, or older than one seen before', () => {
    const board = makeBoard();
    const judge = new Judge(board, 0);
    const place = board.key(0, 3);
    const page = (generation: number) => contentOf('key', generation, 100);
    board.begin(place, 8);
    board.finish(place, 5);
    expect(judge.meet('key', page(6), place, board.floor(place))).to.equal(6);
    expect(() => judge.meet('key', page(4), place, board.floor(place))).to.throw('stale');
    expect(() => judge.meet('key', page(9), place, board.floor(place))).to.throw('only 8 was begun');
    expect(() => judge.meet('key', page(5), place, board.floor(place))).to.throw('generation 5 after 6');
    expect(() => judge.meet('other', page(7), place, board.floor(place))).to.throw('another key');
    const torn = page(7);
    torn[50] = (torn[50] as number) ^ 1;
    expect(() => judge.meet('key', torn, place, board.floor(place))).to.throw('torn');
  });

  it('tells a process that ends by itself from one that was killed, with what it said', async () => {
    const spares = new Spares(1, () => new StormProcess());
    const scene = sceneFor(pools.path(), pools.path(), MIB, 1);
    const process = await spares.bear({ scene, seat: 0, seats: 1, seed: 1 });
    const { code, signal, output } = await process.ended;
    expect([code, signal]).to.deep.equal([3, null]);
    expect(output).to.match(/ENOENT/);
    await spares.close();
  });

  it('has histograms whose quantiles are within an eighth, and whose maximum is exact', () => {
    const words = new Words(new ArrayBuffer(HISTOGRAM_WORDS * 2 * 4));
    for (let i = 1; i <= 1000; i++) recordTime(words, i % 2 === 0 ? 0 : HISTOGRAM_WORDS, i);
    const { count, p50, p99, p999, max, over100 } = timesOf(words, [0, HISTOGRAM_WORDS]);
    expect([count, max]).to.deep.equal([1000, 1000]);
    expect(p50).to.be.within(500, 500 * 1.13);
    expect(p99).to.be.within(990, 1000);
    expect(p999).to.be.within(999, 1000);
    expect(over100).to.be.within(890, 910);
  });
});
