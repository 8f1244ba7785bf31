import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import fc from 'fast-check';
import { KnownAccesses } from '../../../../adapters/compare/trace/accesses.js';
import { capacityOfNode, RequestRouter, simulatePrivate } from '../../../../adapters/compare/trace/routing.js';
import { createPolicy, type PolicyName, simulateShared } from '../../../../adapters/compare/trace/simulate.js';
import { readTrace } from '../../../../adapters/compare/trace/trace-file.js';
import { madeUpIds, NaiveTwoQueues, naive, realTraces, TemporaryFolder } from './traces.js';

const names: readonly PolicyName[] = ['lru', 'sieve', 's3-fifo', 'adaptive-2q'];
const printedNames = { lru: 'LRU', sieve: 'SIEVE', 's3-fifo': 'S3-FIFO' } as const;
const published = ['lru', 'sieve', 's3-fifo'] as const;

interface Baseline {
  readonly requests: number;
  readonly unique: number;
  readonly hitRatioPct: Record<string, Record<string, number>>;
  readonly privateVsShared: Record<string, { privateRandom: Record<string, Record<string, number>> }>;
}

describe('the exact policies', () => {
  for (const name of names) {
    it(`${name} hits and misses as a naive implementation does, access by access`, () => {
      fc.assert(
        fc.property(
          fc.array(fc.nat({ max: 24 }), { maxLength: 400, size: 'max' }),
          fc.integer({ min: 1, max: 22 }),
          (ids, capacity) => {
            const policy = createPolicy(name, capacity);
            expect(ids.map((id) => policy.access(id))).to.deep.equal(naive[name](ids, capacity));
          },
        ),
        { numRuns: 300 },
      );
    });

    it(`${name} keeps at most its capacity of pages, each in a slot of its own, the last one always`, () => {
      fc.assert(
        fc.property(fc.array(fc.nat({ max: 24 })), fc.integer({ min: 1, max: 22 }), (ids, capacity) => {
          const policy = createPolicy(name, capacity);
          for (const id of ids) {
            policy.access(id);
            const slots = Array.from({ length: 25 }, (_, page) => policy.slotOf(page)).filter((slot) => slot >= 0);
            expect(new Set(slots).size).to.equal(slots.length);
            expect(Math.max(...slots)).to.be.lessThan(capacity);
            expect(policy.slotOf(id)).to.be.at.least(0);
          }
        }),
      );
    });
  }

  it('adaptive-2q sizes its queues anew as a naive implementation does, access by access', () => {
    // A loop, then recency, and again: long enough for many decisions.
    const ids = Array.from({ length: 6_000 }, (_, index) =>
      index % 3_000 < 1_500 ? index % 45 : 100 + Math.floor(index / 7) + ((index * 5) % 12),
    );
    let resized = 0;
    for (const capacity of [8, 20, 40, 64]) {
      const policy = createPolicy('adaptive-2q', capacity);
      const found = ids.map((id) => policy.access(id));
      expect(found).to.deep.equal(naive['adaptive-2q'](ids, capacity));
      const fixed = new NaiveTwoQueues(capacity, [10, 200, 50]);
      if (ids.some((id, index) => fixed.access(id) !== found[index])) resized += 1;
    }
    expect(resized).to.be.at.least(2);
  });

  it('adaptive-2q in parts, as of a large cache, holds each page once and hits about as often as in one', () => {
    const trace = new KnownAccesses(madeUpIds(60_000, 20_000));
    const policy = createPolicy('adaptive-2q', 8192);
    for (const { ids } of trace.chunks()) for (const id of ids) policy.access(id);
    const slots = Array.from({ length: 20_000 }, (_, id) => policy.slotOf(id)).filter((slot) => slot >= 0);
    expect(slots.toSorted((a, b) => a - b)).to.deep.equal(Array.from({ length: 8192 }, (_, slot) => slot));
    const [parted, single] = [8192, 8191].map((objects) => simulateShared('adaptive-2q', objects, trace) / 600);
    expect(parted).to.be.closeTo(single!, 0.5);
  });

  it('differ on a skewed trace with a loop, where S3-FIFO and SIEVE do better than LRU', () => {
    const trace = new KnownAccesses(madeUpIds(40_000, 2000));
    const [lru, sieve, s3] = names.map((name) => simulateShared(name, 200, trace));
    expect(sieve).to.be.greaterThan(lru!);
    expect(s3).to.be.greaterThan(lru!);
    expect(s3).to.not.equal(sieve);
  });
});

describe('private caches', () => {
  it('divide the memory so that no object is lost and no node has two more than another', () => {
    fc.assert(
      fc.property(fc.nat({ max: 10_000 }), fc.integer({ min: 1, max: 64 }), (objects, nodes) => {
        const shares = Array.from({ length: nodes }, (_, node) => capacityOfNode(objects, nodes, node));
        expect(shares.reduce((total, share) => total + share, 0)).to.equal(objects);
        expect(Math.max(...shares) - Math.min(...shares)).to.be.at.most(1);
      }),
    );
  });

  it('see only the accesses routed to them', () => {
    const ids = madeUpIds(5000, 300);
    const nodeOf = new RequestRouter({ nodes: 3, seed: 5 }).route({ ids });
    const hits = simulatePrivate('lru', new KnownAccesses(ids), { objects: 100, nodes: 3, seed: 5 });
    const expected = [34, 33, 33].map(
      (capacity, node) =>
        naive
          .lru(
            [...ids].filter((_, index) => nodeOf[index] === node),
            capacity,
          )
          .filter(Boolean).length,
    );
    expect(hits).to.deep.equal(expected);
  });
});

if (existsSync(realTraces)) {
  const baselines = JSON.parse(readFileSync(join(realTraces, 'baselines.json'), 'utf8')) as {
    traces: Record<string, Baseline>;
  };
  describe('the published figures of the real traces', () => {
    const folder = new TemporaryFolder();
    after(() => folder.remove());
    const read = (name: string) => readTrace(join(realTraces, `${name}.u32.br`), { directory: folder.path });

    for (const traceName of ['lirs-multi3', 'web12']) {
      const baseline = baselines.traces[traceName]!;
      for (const share of ['0.01', '0.05', '0.1', '0.2']) {
        it(`are met to two decimals by each policy on ${traceName} with ${Number(share) * 100} % of its pages`, async () => {
          const { accesses, pages } = await read(traceName);
          expect(accesses.accesses).to.equal(baseline.requests);
          expect(pages).to.equal(baseline.unique);
          for (const name of published) {
            const hits = simulateShared(name, Math.round(Number(share) * pages), accesses);
            const percent = ((100 * hits) / accesses.accesses).toFixed(2);
            expect(percent, name).to.equal(baseline.hitRatioPct[share]![printedNames[name]]!.toFixed(2));
          }
        });
      }

      it(`are met within half a point by private caches on ${traceName}, whose routing has another seed`, async () => {
        const { accesses, pages } = await read(traceName);
        const objects = Math.round(0.1 * pages);
        for (const nodes of [2, 4, 8]) {
          for (const name of published) {
            const hitsOfNodes = simulatePrivate(name, accesses, { objects, nodes, seed: 7 });
            const hits = hitsOfNodes.reduce((sum, count) => sum + count, 0);
            const stated = baseline.privateVsShared['0.1']!.privateRandom[nodes]![printedNames[name]]!;
            expect((100 * hits) / accesses.accesses, `${name} on ${nodes} nodes`).to.be.closeTo(stated, 0.5);
          }
        }
      });
    }
  });
}
