/** Loads as of versions that meet each other, and against a source that changes, under fast-check. */
import { expect } from 'chai';
import fc from 'fast-check';
import type { LoadAnswer, PageSpace } from '../../src/index.js';
import { expectCleanCensus } from '../support/census.js';
import { codeOf, sleep } from './pools.js';
import { makeSpaces, options, page, SIZE, type Spaces, sourceOf } from './versioned.js';

describe('fetches as of versions', () => {
  it('of one version share a load, of the node and of others, and those of other versions neither wait for it nor go with it', async () => {
    const { spaces } = await makeSpaces();
    const asked: number[] = [];
    const open = new Map<number, () => void>();
    const load = async (_: number, target: Uint8Array, { asOf = 0 }: { asOf: number | undefined }) => {
      asked.push(asOf);
      await new Promise<void>((resolve) => open.set(asOf, resolve));
      const from = Math.floor(asOf / 10) * 10;
      target.set(page(from));
      return { from };
    };
    const versions = [15, 25, 35];
    const fetches = versions.flatMap((asOf) =>
      [spaces[0], spaces[0], spaces[1]].map((space) => space.fetchCopy(1, load, { asOf })),
    );
    for (let tries = 0; tries < 200 && open.size < 3; tries++) await sleep(1);
    expect(asked.toSorted()).to.deep.equal(versions);
    for (const asOf of [25, 15, 35]) {
      open.get(asOf)?.();
      await sleep(20);
      expect(asked).to.have.length(3);
      expect(spaces[1].borrow(1, asOf)?.[0]).to.equal(Math.floor(asOf / 10) * 10);
    }
    const found = (await Promise.all(fetches)).map((bytes) => bytes[0]);
    expect(found).to.deep.equal([10, 10, 10, 20, 20, 20, 30, 30, 30]);
    expect(asked).to.have.length(3);
  });

  it('take the place of a load of their version that takes too long, not of one of another', async () => {
    const { spaces } = await makeSpaces();
    const open: (() => void)[] = [];
    const hanging = async (_: number, target: Uint8Array) => {
      await new Promise<void>((resolve) => open.push(resolve));
      target.set(page(99));
      return { from: 1 };
    };
    const { fill } = sourceOf(10, 20);
    const hung: Promise<unknown>[] = [];
    for (const [pageNo, order] of [
      [1, [15, 25]],
      [2, [25, 15]],
    ] as const) {
      for (const asOf of [15, 25]) hung.push(spaces[0].fetchCopy(pageNo, hanging, { asOf }).catch(() => {}));
      for (const asOf of order) {
        const load = (_: number, target: Uint8Array, context: { asOf: number | undefined }) =>
          fill(target, context.asOf);
        await spaces[1].fetchCopy(pageNo, load, { asOf, loadTimeoutMs: 30 });
        expect(spaces[0].borrow(pageNo, asOf)?.[0], `page ${pageNo} as of ${asOf}`).to.equal(asOf - 5);
      }
    }
    for (const go of open) go();
    await Promise.all(hung);
    expect(spaces[1].borrow(1, 25)?.[0]).to.equal(20);
  });

  it('leave no claim when a synchronous one has returned or thrown', async () => {
    const { pool, spaces } = await makeSpaces();
    for (const [i, answer] of [{ from: 10 }, undefined, { from: 90 }].entries()) {
      try {
        spaces[0].fetchSync(i, () => answer, { asOf: 15 });
      } catch {}
      expect(pool.stats().drafts).to.equal(0);
    }
  });

  it('a loader may fetch an earlier version of its page, but not the very version that it loads', async () => {
    const { spaces } = await makeSpaces();
    const load = (_: number, target: Uint8Array, { asOf = 0 }: { asOf: number | undefined }): LoadAnswer => {
      const before = asOf <= 10 ? 0 : (spaces[0].fetchSync(1, load, { asOf: asOf - 10 })[0] as number);
      target.fill(before + 10);
      return { from: asOf };
    };
    expect(spaces[0].fetchSync(1, load, { asOf: 40 })[0]).to.equal(40);
    expect([10, 20, 30, 40].map((asOf) => spaces[1].borrow(1, asOf)?.[0])).to.deep.equal([10, 20, 30, 40]);
    const circle = async (): Promise<{ from: number }> => {
      await spaces[0].fetchCopy(2, circle, { asOf: 5 });
      return { from: 5 };
    };
    expect(await codeOf(() => spaces[0].fetchCopy(2, circle, { asOf: 5 }))).to.equal('LOAD_CYCLE');
  });

  it('that wait for a load which says no version load for themselves', async () => {
    const { spaces } = await makeSpaces();
    let loads = 0;
    const load = async (_: number, target: Uint8Array) => {
      loads++;
      await sleep(20);
      target.set(page(10));
    };
    const fetches = spaces.map((space) => space.fetchCopy(1, load, { asOf: 15 }));
    expect((await Promise.all(fetches)).map((bytes) => bytes[0])).to.deep.equal([10, 10]);
    expect(loads).to.equal(2);
  });
});

/** A source whose pages change, and which the pool is told of, and what loaders say of it. */
class Source {
  readonly versions: number[][] = [[1], [1], [1]];
  clock = 1;

  change(p: number): number {
    this.clock++;
    this.versions[p]?.push(this.clock);
    return this.clock;
  }

  at(p: number, asOf: number | undefined): { from: number; until: number } {
    const all = this.versions[p] as number[];
    const from = all.findLast((version) => asOf === undefined || version <= asOf) as number;
    return { from, until: all.find((version) => version > from) ?? Number.POSITIVE_INFINITY };
  }
}

interface Step {
  readonly kind: 'load' | 'change' | 'invalidate' | 'evict' | 'drop' | 'closed';
  readonly p: number;
  readonly node: number;
  readonly back: number;
  readonly says: 'from' | 'until' | 'nothing';
  readonly during?: Step | undefined;
}

class Play {
  readonly source = new Source();
  private readonly made: Spaces;

  constructor(made: Spaces) {
    this.made = made;
    made.spaces[0].drop();
  }

  space(node: number): PageSpace {
    return this.made.spaces[node % 2] as PageSpace;
  }

  do(step: Step): void {
    const { source } = this;
    const { kind, p, node } = step;
    const space = this.space(node);
    if (kind === 'load') this.load(step);
    else if (kind === 'change') space.put(p, page(source.change(p)), { from: source.clock });
    else if (kind === 'invalidate') space.invalidate(p, source.change(p));
    else if (kind === 'evict') this.made.pool.evict(SIZE * 3);
    else if (kind === 'drop') space.drop();
    else space.invalidate(p);
    this.check();
  }

  private load({ p, node, back, says, during }: Step): void {
    const { source } = this;
    const asOf = back === 0 ? undefined : Math.max(1, source.clock - back + 1);
    const load = (_: number, target: Uint8Array): LoadAnswer => {
      const truth = source.at(p, asOf);
      target.set(page(truth.from));
      if (during !== undefined) this.do(during);
      if (says === 'nothing' && asOf !== undefined) return undefined;
      return says === 'until' && asOf !== undefined ? truth : { from: truth.from };
    };
    const truth = source.at(p, asOf).from;
    const found = this.space(node).fetchSync(p, load, options(asOf));
    expect(found[0], `page ${p} as of ${asOf}`).to.equal(truth);
  }

  private check(): void {
    for (const p of [0, 1, 2]) {
      for (const asOf of [undefined, ...Array.from({ length: this.source.clock + 2 }, (_, version) => version)]) {
        for (const node of [0, 1]) {
          const found = this.space(node).borrow(p, asOf)?.[0];
          if (found === undefined) continue;
          const what = `page ${p} as of ${asOf}, changed at ${this.source.versions[p]?.join()}`;
          expect(found, what).to.equal(this.source.at(p, asOf).from);
        }
      }
    }
  }
}

describe('loads as of versions against a source that changes', () => {
  it('no answer is ever of another version, whatever changes, is told, evicted or dropped before, between and during loads', async () => {
    const made = await makeSpaces();
    const base = {
      kind: fc.constantFrom(...(['load', 'load', 'load', 'change', 'invalidate', 'evict', 'drop', 'closed'] as const)),
      p: fc.nat(2),
      node: fc.nat(1),
      back: fc.nat(12),
      says: fc.constantFrom(...(['from', 'from', 'until', 'nothing'] as const)),
    };
    const inner = fc.record<Step>(base);
    const step = fc.record<Step>({ ...base, during: fc.option(inner, { nil: undefined, freq: 2 }) });
    let shared = 0;
    const property = fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 30 }), async (steps) => {
      const play = new Play(made);
      for (const one of steps) {
        // What the checks borrowed would be kept from being evicted.
        await Promise.resolve();
        play.do(one);
      }
      shared += made.pool.stats().objects;
    });
    await fc.assert(property, { numRuns: 250 });
    expect(shared).to.be.greaterThan(250);
    await expectCleanCensus(made.pool.path);
  });
});
