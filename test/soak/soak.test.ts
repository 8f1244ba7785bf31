import { expect } from 'chai';
import { MIB, Pools } from '../support/pools.js';
import { overflowIn } from './cuts.js';
import { type Look, refuseGrowth } from './looks.js';
import { growthOf, slopeOf } from './memory.js';
import type { Canary } from './plan.js';
import { Soak, type SoakOptions } from './soak.js';

describe('a soak', function () {
  this.timeout(300_000);
  const pools = new Pools();
  after(() => pools.remove());

  async function prepare(options: Partial<SoakOptions>): Promise<Soak> {
    return Soak.prepare({
      ...{ folder: pools.path(), poolBytes: 24 * MIB, nodes: 3, survivors: 2, seed: Date.now() & 0xffff },
      ...{ durationMs: 6000, lookMs: 2000, flatFromMs: Number.POSITIVE_INFINITY, lifeMs: 400, without: [] },
      ...options,
    });
  }

  it('of some seconds finds nothing wrong, and nothing left whenever all are at rest', async () => {
    const soak = await prepare({});
    try {
      await soak.run();
      const settled = await soak.account();
      expect(settled.pagesChecked).to.be.above(100);
      expect(soak.looks.length).to.be.above(0);
      expect(soak.board.total('pagesRead')).to.be.above(20);
      expect([...soak.disturbances.keys()]).to.include('stop');
    } finally {
      await soak.close(false);
    }
  });

  const found: Readonly<Partial<Record<Canary, RegExp>>> = {
    stale: /Error: .*(stale|after \d|a miss|in vain|is found|another key|torn|ended it|it is \d)/,
    pin: /there is left: .*\d+ pins/,
    memory: /heapBytes of seat 0 grew by \d{7}/,
  };
  for (const [canary, message] of Object.entries(found)) {
    it(`notices a fault put into one of its nodes: ${canary}`, async () => {
      const durationMs = 60_000;
      const flatFromMs = canary === 'memory' ? 0 : Number.POSITIVE_INFINITY;
      const lookMs = canary === 'stale' ? durationMs : 600;
      const soak = await prepare({
        canary: canary as Canary,
        nodes: 2,
        durationMs,
        lookMs,
        flatFromMs,
        censusMs: 1500,
      });
      try {
        const failure = await soak.run().then(
          () => 'nothing was wrong',
          (error: unknown) => String(error),
        );
        expect(failure).to.match(message);
      } finally {
        await soak.close(false);
      }
    });
  }

  function look(minute: number, heapBytes: number): Look {
    const figures = { heapBytes, externalBytes: 0, nearEntries: 0, resources: 0 };
    const memory = { privateBytes: 0, descriptors: 20, mappings: 100, poolMappings: 3 };
    return {
      minute,
      processes: [{ seat: 0, survives: true, ...figures, ...memory }],
      shared: { sharedBytes: 0, files: 2, bells: 1, bytesUsed: 0, objects: 0, rows: 0 },
    };
  }

  it('takes what grows for a leak, whatever it does in between, and what only moves for none', () => {
    const flat = [9, 2, 5, 9, 3, 4, 8, 2].map((heap, i) => look(1 + i, heap * MIB));
    expect(() => refuseGrowth(flat, 1)).not.to.throw();
    const growing = [0, 5, 0, 4, 5, 9, 4, 9].map((heap, i) => look(1 + i, (heap + i) * MIB));
    expect(() => refuseGrowth(growing, 1)).to.throw('heapBytes of seat 0 grew by');
    // What was before the first minute is not judged.
    expect(() => refuseGrowth([look(0.2, 0), look(0.5, 3 * MIB), ...flat], 1)).not.to.throw();
    expect([growthOf([1, 2]), growthOf([1, 2, 3, 4, 5, 6])]).to.deep.equal([undefined, 4]);
    expect(slopeOf([1, 2, 3], [10, 30, 50])).to.equal(20);
  });

  it('cuts calls at the end of the stack, nearer to it and farther from it', () => {
    const outcomes = [3, 10, 30, 100, 300, 3000].map((frames) => overflowIn(frames, () => deep(100)));
    expect(outcomes[0]).to.equal(true);
    expect(outcomes.at(-1)).to.equal(false);
    const broken = () => {
      throw new TypeError('of its own');
    };
    expect(() => overflowIn(3000, broken)).to.throw(TypeError);
  });
});

function deep(frames: number): number {
  return frames === 0 ? 0 : deep(frames - 1) + 1;
}
