import { expect } from 'chai';
import fc from 'fast-check';
import { routeRequests } from '../../../../adapters/compare/trace/routing.js';

describe('the routing', () => {
  it('keeps all accesses of a request on one node', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ minLength: 1, maxLength: 60 }),
        fc.integer({ min: 1, max: 16 }),
        fc.integer(),
        (starts, nodes, seed) => {
          const nodeOf = routeRequests({ requests: starts.length * 8, nodes, seed, starts });
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
    const nodeOf = routeRequests({ requests: 8000, nodes: 16, seed: 3, starts });
    const changes = [...nodeOf.keys()].filter((index) => index > 0 && nodeOf[index] !== nodeOf[index - 1]);
    expect(changes).to.have.length.greaterThan(800);
    expect(new Set(changes.map((index) => index % 8))).to.deep.equal(new Set([1]));
  });

  it('gives each node its share of the requests, within one percent of them', () => {
    for (const nodes of [2, 3, 8]) {
      const counts = new Array<number>(nodes).fill(0);
      for (const node of routeRequests({ requests: 100_000, nodes, seed: 7 })) counts[node]! += 1;
      for (const count of counts) expect(count / 100_000).to.be.closeTo(1 / nodes, 0.01);
    }
  });

  it('is the same for the same seed and another for another, from seed 0 on', () => {
    const route = (seed: number) => [...routeRequests({ requests: 64, nodes: 8, seed })].join('');
    expect(route(0)).to.equal(route(0));
    expect(new Set([0, 1, 2, 3, 4, 5].map(route)).size).to.equal(6);
  });
});
