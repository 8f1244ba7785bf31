import { expect } from 'chai';
import fc from 'fast-check';
import { RequestRouter } from '../../../../adapters/compare/trace/routing.js';

/** The nodes of a trace of so many accesses. */
function route({ requests, starts, ...how }: { requests: number; nodes: number; seed: number; starts?: Uint8Array }) {
  return new RequestRouter(how).route({ ids: new Uint32Array(requests), starts });
}

describe('the routing', () => {
  it('keeps all accesses of a request on one node', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ minLength: 1, maxLength: 60 }),
        fc.integer({ min: 1, max: 16 }),
        fc.integer(),
        (starts, nodes, seed) => {
          const nodeOf = route({ requests: starts.length * 8, nodes, seed, starts });
          for (let index = 1; index < nodeOf.length; index += 1) {
            const begins = ((starts[index >>> 3]! >>> (index & 7)) & 1) === 1;
            if (!begins) expect(nodeOf[index], `access ${index}`).to.equal(nodeOf[index - 1]);
          }
        },
      ),
    );
  });

  it('reads the bitmap of starts from the least significant bit', () => {
    const starts = new Uint8Array(1000).fill(0b0000_0010);
    const nodeOf = route({ requests: 8000, nodes: 16, seed: 3, starts });
    const changes = [...nodeOf.keys()].filter((index) => index > 0 && nodeOf[index] !== nodeOf[index - 1]);
    expect(changes).to.have.length.greaterThan(800);
    expect(new Set(changes.map((index) => index % 8))).to.deep.equal(new Set([1]));
  });

  it('gives each node its share of the requests, within one percent of them', () => {
    for (const nodes of [2, 3, 8]) {
      const counts = new Array<number>(nodes).fill(0);
      for (const node of route({ requests: 100_000, nodes, seed: 7 })) counts[node]! += 1;
      for (const count of counts) expect(count / 100_000).to.be.closeTo(1 / nodes, 0.01);
    }
  });

  it('is the same for the same seed and another for another, from seed 0 on', () => {
    const routed = (seed: number) => route({ requests: 64, nodes: 8, seed }).join('');
    expect(routed(0)).to.equal(routed(0));
    expect(new Set([0, 1, 2, 3, 4, 5].map(routed)).size).to.equal(6);
  });

  it('is the same in chunks of any size, a request that runs over two of them included', () => {
    const requests = 4096;
    const starts = Uint8Array.from({ length: requests / 8 }, (_, index) => (index * 37) & 0b0101_0010);
    const whole = [...route({ requests, nodes: 5, seed: 9, starts })];
    const router = new RequestRouter({ nodes: 5, seed: 9 });
    const parts: number[] = [];
    for (let at = 0; at < requests; at += 64) {
      parts.push(...router.route({ ids: new Uint32Array(64), starts: starts.subarray(at / 8, at / 8 + 8) }));
    }
    expect(parts).to.deep.equal(whole);
  });
});
