/** What a loader of pages answers, and what becomes of its target: no page holds bytes that its loader did not give it. */
import { expect } from 'chai';
import type { PageSpace } from '../../src/index.js';
import { PoolError, SharedCache } from '../../src/index.js';
import { codeOf, makePool, pattern, sleep } from './pools.js';

const PAGE_BYTES = 64;

type Load = (pageNo: number, target: Uint8Array) => unknown;
type Way = (space: PageSpace, load: Load, options?: { zeroFill?: boolean }) => Promise<Uint8Array>;

/** Every call that loads page 1, and gives its bytes. */
const WAYS: Readonly<Record<string, Way>> = {
  fetchSync: async (space, load, options) => space.fetchSync(1, load as () => void, options).slice(),
  readThrough: async (space, load, options) => {
    const target = new Uint8Array(PAGE_BYTES);
    space.readThrough(1, target, load as () => void, options);
    return target;
  },
  fetch: async (space, load, options) => {
    using page = await space.fetch(1, load as () => void, options);
    return page.copy();
  },
  'fetch of an asynchronous loader': async (space, load, options) => {
    using page = await space.fetch(
      1,
      async (pageNo, target) => {
        await sleep(1);
        return load(pageNo, target) as number;
      },
      options,
    );
    return page.copy();
  },
  fetchCopy: (space, load, options) => space.fetchCopy(1, load as () => void, options),
  with: (space, load, options) => space.with(1, load as () => void, (bytes) => bytes.slice(), options),
};

async function makeSpace(options: { zeroFill?: boolean } = {}) {
  const pool = await makePool();
  const cache = new SharedCache(pool, { namespace: 'n' });
  return { pool, cache, space: cache.pages('t', { pageSize: PAGE_BYTES, ...options }) };
}

/** What a space's memory for loads may hold from earlier: another page's bytes. */
function leaveBytes(space: PageSpace): void {
  space.fetchSync(99, (_, target) => target.fill(0xee));
  space.invalidate(99);
}

for (const [name, way] of Object.entries(WAYS)) {
  describe(`${name}: a loader's answer`, () => {
    it('of nothing, of its target, or of a whole page in numbers is taken for all of the page', async () => {
      const { space } = await makeSpace();
      const whole = pattern(PAGE_BYTES, 7);
      const answers: ((target: Uint8Array) => unknown)[] = [
        () => undefined,
        (target) => target,
        (target) => Buffer.from(target.buffer, target.byteOffset, target.byteLength),
        () => PAGE_BYTES,
        (target) => ({ bytesRead: PAGE_BYTES, buffer: target }),
      ];
      for (const answer of answers) {
        space.invalidate(1);
        const load: Load = (_, target) => {
          target.set(whole);
          return answer(target);
        };
        expect(await way(space, load)).to.deep.equal(whole);
        expect(space.borrow(1)?.slice()).to.deep.equal(whole);
      }
    });

    it('of fewer bytes than a page, also past the end, is refused; nothing is published and nobody has the claim', async () => {
      const { pool, space } = await makeSpace();
      for (const answer of [0, 1, PAGE_BYTES - 1, { bytesRead: 0 }, { bytesRead: 20 }]) {
        leaveBytes(space);
        const error: unknown = await way(space, () => answer).catch((thrown) => thrown);
        expect(error).to.be.instanceOf(PoolError);
        const { code, details } = error as PoolError;
        const bytes = typeof answer === 'number' ? answer : answer.bytesRead;
        expect([code, details]).to.deep.equal(['SHORT_LOAD', { pageNo: 1, bytes, pageSize: PAGE_BYTES }]);
        expect([space.borrow(1), pool.stats().drafts]).to.deep.equal([undefined, 0]);
      }
      expect((await way(space, (_, target) => target.fill(3)))[0]).to.equal(3);
    });

    it('of fewer bytes is followed by zeros where that was asked for, whatever the loader left behind them', async () => {
      const { space, cache } = await makeSpace();
      const zeroing = cache.pages('zeroing', { pageSize: PAGE_BYTES, zeroFill: true });
      for (const [where, options] of [
        [space, { zeroFill: true }],
        [zeroing, undefined],
      ] as const) {
        for (const count of [0, 1, 40]) {
          leaveBytes(where);
          where.invalidate(1);
          const expected = pattern(PAGE_BYTES, 5).fill(0, count);
          const load: Load = (_, target) => {
            target.set(pattern(PAGE_BYTES, 5));
            return count;
          };
          expect(await way(where, load, options)).to.deep.equal(expected);
          expect(where.borrow(1)?.slice()).to.deep.equal(expected);
        }
      }
      zeroing.invalidate(1);
      expect(await codeOf(() => way(zeroing, () => 5, { zeroFill: false }))).to.equal('SHORT_LOAD');
    });

    it('that says nothing of bytes is refused, by name, and leaves nothing', async () => {
      const { pool, space } = await makeSpace();
      const wrong = [null, true, 'all', -1, 1.5, Number.NaN, PAGE_BYTES + 1, 64n, {}, { bytesRead: '9' }, () => 1];
      for (const answer of [...wrong, new Uint8Array(PAGE_BYTES)]) {
        const error: unknown = await way(space, () => answer).catch((thrown) => thrown);
        expect((error as PoolError).code, String(answer)).to.equal('OPTION_INVALID');
        expect((error as PoolError).message).to.match(/load: it answered/);
        expect([space.borrow(1), pool.stats().drafts]).to.deep.equal([undefined, 0]);
      }
    });

    it('whatever it throws reaches the caller as it is, and leaves nothing', async () => {
      const { pool, space } = await makeSpace();
      for (const thrown of [undefined, null, 0, 'text', Object.freeze(new Error('frozen')), Symbol('s'), {}]) {
        let caught: unknown = 'nothing';
        try {
          await way(space, () => {
            throw thrown;
          });
        } catch (error) {
          caught = error;
        }
        expect(caught).to.equal(thrown);
        expect([space.borrow(1), pool.stats().drafts]).to.deep.equal([undefined, 0]);
      }
    });

    it('finds zeros in its target, never what an earlier load left there', async () => {
      const { space } = await makeSpace();
      leaveBytes(space);
      expect(await way(space, () => {})).to.deep.equal(new Uint8Array(PAGE_BYTES));
      await way(space, () => 5).catch(() => {});
    });

    it('what is no function is refused before anything is claimed', async () => {
      const { pool, space } = await makeSpace();
      if (name.includes('asynchronous')) return;
      expect(await codeOf(() => way(space, 5 as unknown as Load))).to.equal('OPTION_INVALID');
      expect(pool.stats().drafts).to.equal(0);
    });
  });
}

describe('a promise given to a synchronous load', () => {
  const late: unknown[] = [];
  const onRejection = (reason: unknown) => late.push(reason);
  before(() => process.on('unhandledRejection', onRejection));
  after(() => process.off('unhandledRejection', onRejection));

  for (const name of ['fetchSync', 'readThrough']) {
    it(`is refused by ${name} before anything is published, and what it does later reaches no page`, async () => {
      const { pool, space } = await makeSpace();
      const way = WAYS[name] as Way;
      const loaders: Load[] = [
        async (_, target) => {
          await sleep(5);
          target.fill(0xaa);
        },
        async () => Promise.reject(new Error('late')),
        // biome-ignore lint/suspicious/noThenProperty: a thenable is what is to be refused.
        () => ({ then: () => {} }),
      ];
      for (const load of loaders) {
        expect(await codeOf(() => way(space, load))).to.equal('OPTION_INVALID');
        expect([space.borrow(1), pool.stats().drafts]).to.deep.equal([undefined, 0]);
      }
      const next = space.fetchSync(2, (_, target) => target.fill(2)).slice();
      await sleep(15);
      expect(space.fetchSync(3, () => {}).slice()).to.deep.equal(new Uint8Array(PAGE_BYTES));
      expect(space.borrow(2)?.slice()).to.deep.equal(next);
      expect(late).to.deep.equal([]);
    });
  }

  it('is refused by the types as well', async () => {
    const { space } = await makeSpace();
    const wrong = (): void => {
      // @ts-expect-error a promise is no answer of a synchronous loader
      space.fetchSync(1, async () => {});
      // @ts-expect-error nor of this one
      space.readThrough(1, new Uint8Array(PAGE_BYTES), async () => PAGE_BYTES);
    };
    expect(wrong).to.throw('OPTION_INVALID');
  });
});

describe('a load that writes late', () => {
  it('after it was rejected, aborted, timed out, or overtaken by its double, writes into no page of anybody', async () => {
    const { space } = await makeSpace();
    const controller = new AbortController();
    const scribble = async (target: Uint8Array, ms: number) => {
      await sleep(ms);
      target.fill(0xbb);
    };
    const ways: ((target: Uint8Array) => Promise<void>)[] = [
      (target) => Promise.race([scribble(target, 20), sleep(5).then(() => Promise.reject(new Error('timed out')))]),
      (target) => scribble(target, 20),
      (target) => Promise.race([scribble(target, 20), sleep(2).then(() => void target.fill(1))]),
    ];
    const loads = [
      space.fetch(1, (_, target) => ways[0]?.(target)),
      space.fetch(2, (_, target) => ways[1]?.(target), { loadTimeoutMs: 4 }),
      space.fetch(3, (_, target) => ways[1]?.(target), { signal: controller.signal }),
      space.fetch(4, (_, target) => ways[2]?.(target)),
    ];
    controller.abort();
    const first = await Promise.allSettled(loads);
    expect(first.map(({ status }) => status)).to.deep.equal(['rejected', 'rejected', 'rejected', 'fulfilled']);
    // While those still write, and after.
    const later = await Promise.all(
      Array.from({ length: 8 }, (_, i) =>
        space.fetch(10 + i, async (__, target) => {
          target.fill(i);
          await sleep(30);
        }),
      ),
    );
    for (const [i, page] of later.entries()) {
      expect(page.copy()).to.deep.equal(new Uint8Array(PAGE_BYTES).fill(i));
      page.release();
    }
    expect(space.borrow(4)?.slice()).to.deep.equal(new Uint8Array(PAGE_BYTES).fill(1));
  });

  it('a synchronous load that threw has its target for itself from then on', async () => {
    const { space } = await makeSpace();
    let kept = new Uint8Array(0);
    const failing = (_: number, target: Uint8Array) => {
      kept = target as typeof kept;
      throw new Error('after the read began');
    };
    expect(await codeOf(() => space.fetchSync(1, failing))).to.equal('Error: after the read began');
    const page = space.fetchSync(2, (_, target) => {
      target.fill(2);
      kept.fill(0xcc);
    });
    expect(page.slice()).to.deep.equal(new Uint8Array(PAGE_BYTES).fill(2));
  });

  it('bytes that a loader of a cache gave, and changes later, stay as they were for who has no shared page', async () => {
    const pool = await makePool({ maxObjects: 64, eviction: 'none' });
    const cache = new SharedCache(pool);
    for (let i = 0; cache.set(`k${i}`, pattern(8, i)); i++);
    const own = Buffer.from('first');
    using page = await cache.fetch('no room', () => own);
    const copy = page.copy();
    own.write('other');
    expect([Buffer.from(page.bytes).toString(), Buffer.from(copy).toString()]).to.deep.equal(['first', 'first']);
  });
});
