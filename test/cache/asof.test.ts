/**
 * Loads as of a version: what is loaded answers for the versions that its loader said it is right for, and for no others,
 * whatever happens while it is loaded. Of every call that loads.
 */
import { expect } from 'chai';
import type { LoadAnswer, PageSpace } from '../../src/index.js';
import { SharedCache } from '../../src/index.js';
import { expectCleanCensus } from '../support/census.js';
import { codeOf, makePool, sleep } from './pools.js';
import { makeSpaces, options, page, SIZE, type Spaces, sourceOf } from './versioned.js';

/** Fills the target with a page of that version, and says of it what is wanted. */
type Fill = (target: Uint8Array, asOf: number | undefined) => LoadAnswer;
type Way = (space: PageSpace, fill: Fill, asOf?: number) => Promise<number | undefined>;

/** Every call that loads page 1, and gives the version of what it got. */
const WAYS: Readonly<Record<string, Way>> = {
  fetchSync: async (space, fill, asOf) =>
    space.fetchSync(1, (_, target, context) => fill(target, context.asOf), options(asOf))[0],
  readThrough: async (space, fill, asOf) => {
    const target = new Uint8Array(SIZE);
    space.readThrough(1, target, (_, into, context) => fill(into, context.asOf), options(asOf));
    return target[0];
  },
  fetch: async (space, fill, asOf) => {
    using found = await space.fetch(1, (_, target, context) => fill(target, context.asOf), options(asOf));
    return found.bytes[0];
  },
  'fetch of an asynchronous loader': async (space, fill, asOf) => {
    const load = async (_: number, target: Uint8Array, context: { asOf: number | undefined }) => {
      await sleep(1);
      return fill(target, context.asOf);
    };
    using found = await space.fetch(1, load, options(asOf));
    return found.bytes[0];
  },
  fetchCopy: async (space, fill, asOf) =>
    (await space.fetchCopy(1, (_, target, context) => fill(target, context.asOf), options(asOf)))[0],
  with: (space, fill, asOf) =>
    space.with(
      1,
      (_, target, context) => fill(target, context.asOf),
      (bytes) => bytes[0],
      options(asOf),
    ),
};

/** What both nodes have for page 1 at the versions, without loading. */
function answers({ spaces }: Spaces, versions: readonly (number | undefined)[]) {
  const [one = [], two] = spaces.map((space) => versions.map((asOf) => space.borrow(1, asOf)?.[0]));
  expect(one).to.deep.equal(two);
  return one;
}

for (const [name, way] of Object.entries(WAYS)) {
  describe(`${name} as of a version`, () => {
    it('asks the loader for it, and shares the page from its from up to the version, on both nodes', async () => {
      const made = await makeSpaces();
      const { asked, fill } = sourceOf(10, 20, 30);
      expect(await way(made.spaces[0], fill, 15)).to.equal(10);
      expect(answers(made, [9, 10, 15, 16, 20, undefined])).to.deep.equal([
        undefined,
        10,
        10,
        ...Array(3).fill(undefined),
      ]);
      for (const asOf of [10, 12, 15]) expect(await way(made.spaces[1], fill, asOf)).to.equal(10);
      expect(asked).to.deep.equal([15]);
      expect(await way(made.spaces[1], fill, 25)).to.equal(20);
      expect(answers(made, [15, 19, 20, 25, 26])).to.deep.equal([10, undefined, 20, 20, undefined]);
      expect(await way(made.spaces[0], fill, 18)).to.equal(10);
      expect(asked).to.deep.equal([15, 25, 18]);
      expect(answers(made, [9, 10, 15, 18, 19, 20, 25, 26])).to.deep.equal([
        ...[undefined, 10, 10, 10, undefined, 20, 20, undefined],
      ]);
      await expectCleanCensus(made.pool.path);
    });

    it('takes an end that the loader knows, never beyond a version that the pool knows', async () => {
      const made = await makeSpaces();
      const [one, two] = made.spaces;
      const told = (from: number, until: number) => (target: Uint8Array) => {
        target.set(page(from));
        return { from, until, bytesRead: SIZE };
      };
      expect(await way(one, told(10, 20), 12)).to.equal(10);
      expect(answers(made, [9, 10, 19, 20])).to.deep.equal([undefined, 10, 10, undefined]);
      expect(await way(two, told(30, Number.POSITIVE_INFINITY), 31)).to.equal(30);
      expect(answers(made, [19, 29, 30, 1000, undefined])).to.deep.equal([10, undefined, 30, 30, 30]);
      expect(await way(one, told(20, 900), 25)).to.equal(20);
      expect(answers(made, [19, 20, 29, 30, 899, undefined])).to.deep.equal([10, 20, 20, 30, 30, 30]);
      await expectCleanCensus(made.pool.path);
    });

    it('ends with the version asked for where an older page is said to have no end, and leaves the newer one', async () => {
      const made = await makeSpaces();
      made.spaces[0].put(1, page(20), { from: 20 });
      const fill = (target: Uint8Array) => {
        target.set(page(10));
        return { from: 10, until: Number.POSITIVE_INFINITY };
      };
      for (const space of made.spaces) expect(await way(space, fill, 15)).to.equal(10);
      expect(answers(made, [9, 10, 15, 16, 19, 20, undefined])).to.deep.equal([
        ...[undefined, 10, 10, undefined, undefined, 20, 20],
      ]);
    });

    it('is private where the loader does not say from which version on: then it answers nobody, and ends no page', async () => {
      const made = await makeSpaces();
      const { pool, spaces } = made;
      const unshared = () => new SharedCache(pool).stats().total.unsharedCount;
      for (const [i, answer] of [undefined, SIZE, { bytesRead: SIZE }].entries()) {
        const before = unshared();
        const fill = (target: Uint8Array) => {
          target.set(page(10));
          return answer as LoadAnswer;
        };
        expect(await way(spaces[i % 2] as PageSpace, fill, 15)).to.equal(10);
        expect(unshared() - before).to.equal(1);
        expect(answers(made, [10, 14, 15, 16, undefined])).to.deep.equal(Array(5).fill(undefined));
      }
      expect(spaces[1].put(1, page(10), { from: 10 })).to.equal(true);
      expect(answers(made, [9, 10, 15, 16, undefined])).to.deep.equal([undefined, 10, 10, 10, 10]);
      expect(pool.stats()).to.include({ drafts: 0, objects: 1 });
    });

    it('refuses an answer that does not fit the version asked for, publishes nothing, and loads when asked again', async () => {
      const made = await makeSpaces();
      const wrong: [number | undefined, object][] = [
        [15, { from: 16 }],
        [15, { from: 10, until: 15 }],
        [15, { from: 10, until: 12 }],
        [15, { until: 20 }],
        [15, { from: -1 }],
        [15, { from: 1.5 }],
        [15, { from: '10' }],
        [15, { from: 10n }],
        [15, { from: 10, until: Number.NaN }],
        [undefined, { from: 10, until: 20 }],
        [undefined, { from: 2 ** 53 }],
      ];
      for (const [asOf, answer] of wrong) {
        const text = Object.entries(answer).join(' ');
        expect(await codeOf(() => way(made.spaces[0], () => answer as LoadAnswer, asOf)), text).to.equal(
          'OPTION_INVALID',
        );
      }
      for (const asOf of [-1, 1.5, Number.NaN, 2 ** 53, '15', null]) {
        const call = () => way(made.spaces[0], () => ({ from: 0 }), asOf as number);
        expect(await codeOf(call), String(asOf)).to.equal('OPTION_INVALID');
      }
      const short = () => ({ from: 10, bytesRead: 5 });
      expect(await codeOf(() => way(made.spaces[0], short, 15))).to.equal('SHORT_LOAD');
      expect(answers(made, [10, 12, 15, undefined])).to.deep.equal(Array(4).fill(undefined));
      expect(made.pool.stats()).to.include({ drafts: 0, objects: 0 });
      expect(await way(made.spaces[1], sourceOf(10).fill, 15)).to.equal(10);
      expect(answers(made, [15])).to.deep.equal([10]);
    });

    for (const [what, act, later] of [
      ['a newer version is sealed', (space: PageSpace) => space.put(1, page(20), { from: 20 }), [20, 20]],
      ['an older version is sealed', (space: PageSpace) => space.put(1, page(5), { from: 5, until: 7 }), []],
      ['the page is invalidated', (space: PageSpace) => space.invalidate(1), []],
      ['it is invalidated from a version on', (space: PageSpace) => space.invalidate(1, 12), []],
      ['the space is dropped', (space: PageSpace) => space.drop(), []],
    ] as const) {
      it(`is its caller's alone where ${what} meanwhile; what was sealed stays, and the next load is shared`, async () => {
        const made = await makeSpaces();
        const [one, two] = made.spaces;
        const { asked, fill } = sourceOf(10);
        const during: Fill = (target, asOf) => {
          act(two);
          return fill(target, asOf);
        };
        expect(await way(one, during, 15)).to.equal(10);
        const newest = later.length === 0 ? [undefined, undefined] : later;
        expect(answers(made, [10, 15, 20, undefined])).to.deep.equal([undefined, undefined, ...newest]);
        expect(await way(two, fill, 15)).to.equal(10);
        expect(await way(one, fill, 14)).to.equal(10);
        expect(asked).to.deep.equal([15, 15]);
        expect(answers(made, [10, 15, 16, 20, undefined])).to.deep.equal([10, 10, undefined, ...newest]);
        await expectCleanCensus(made.pool.path);
      });
    }

    it('of the newest page takes the version that the loader says it is of', async () => {
      const made = await makeSpaces();
      const source = sourceOf(10, 20);
      expect(await way(made.spaces[0], source.fill)).to.equal(20);
      expect(answers(made, [15, 19, 20, 500, undefined])).to.deep.equal([undefined, undefined, 20, 20, 20]);
      expect(await way(made.spaces[1], source.fill, 15)).to.equal(10);
      expect(answers(made, [9, 10, 15, 16, 20])).to.deep.equal([undefined, 10, 10, undefined, 20]);
      made.spaces[1].put(1, page(30), { from: 30 });
      made.spaces[0].invalidate(1);
      expect(await way(made.spaces[0], source.fill)).to.equal(20);
      expect(answers(made, [15, 20, 30, undefined])).to.deep.equal(Array(4).fill(undefined));
      expect(await way(made.spaces[0], sourceOf(10, 30).fill)).to.equal(30);
      expect(answers(made, [29, 30, undefined])).to.deep.equal([undefined, 30, 30]);
    });

    it('leaves the newest of a page that never changed to be shared, whichever was loaded first', async () => {
      for (const order of [
        [15, undefined],
        [undefined, 15],
      ]) {
        const made = await makeSpaces();
        const fill = (target: Uint8Array, asOf: number | undefined) => {
          target.set(page(7));
          return asOf === undefined ? undefined : { from: 0 };
        };
        for (const asOf of order) expect(await way(made.spaces[0], fill, asOf)).to.equal(7);
        expect(answers(made, [0, 15, 16, undefined])).to.deep.equal([7, 7, 7, 7]);
        await expectCleanCensus(made.pool.path);
      }
    });

    it('is private where there is no room', async () => {
      const made = await makeSpaces({ size: '2MiB', pageSize: SIZE, maxObjects: 256, maxNodes: 4 });
      const [one] = made.spaces;
      const held = [];
      for (let no = 2; no < 1000; no++) if (one.put(no, page(no), { from: 10 })) held.push(one.get(no));
      expect(await way(one, sourceOf(10).fill, 15)).to.equal(10);
      expect(answers(made, [10, 15])).to.deep.equal([undefined, undefined]);
      for (const each of held) each?.release();
    });

    it('leaves what is known for longer, where that was loaded meanwhile', async () => {
      const made = await makeSpaces();
      const { asked, fill } = sourceOf(10, 20);
      const during: Fill = (target, asOf) => {
        made.spaces[1].fetchSync(1, (_, into, context) => fill(into, context.asOf), { asOf: 17 });
        return fill(target, asOf);
      };
      expect(await way(made.spaces[0], during, 12)).to.equal(10);
      expect(asked).to.deep.equal([17, 12]);
      expect(answers(made, [9, 10, 12, 17, 18, 20])).to.deep.equal([undefined, 10, 10, 10, undefined, undefined]);
    });

    it('lives as long as it should, from when its load began', async () => {
      const pool = await makePool();
      const space = new SharedCache(pool).pages('t', { pageSize: SIZE, ttlMs: 60_000 });
      const { fill } = sourceOf(10);
      let beganMs = 0;
      const slow: Fill = (target, asOf) => {
        beganMs = Date.now();
        while (Date.now() < beganMs + 20);
        return fill(target, asOf);
      };
      expect(await way(space, slow, 15)).to.equal(10);
      const [info] = [...pool.list()];
      expect((info?.expiresAt?.getTime() ?? Number.POSITIVE_INFINITY) - beganMs).to.be.at.most(60_001);
    });
  });
}
