/** Pages by number, and values by codecs, through the tier. */
import { expect } from 'chai';
import type { TieredPageSpace } from '../../../adapters/valkey/index.js';
import { type Codec, notFound, type PageLoader } from '../../../src/index.js';
import { codeOf } from '../../cache/pools.js';
import { fetchText, makeHost, type TestHost, until } from './hosts.js';
import { program, type Server, startServer } from './server.js';

const PAGE = 512;
/** Nothing that takes long is taken for gone. */
const PATIENT = { requestTimeoutMs: 10_000, vouchMs: 20_000, leaseMs: 10_000 };

function never(): never {
  throw new Error('loaded');
}
const filled = (value: number) => (_: number, target: Uint8Array) => void target.fill(value);
const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

interface PagesHost extends TestHost {
  readonly pages: TieredPageSpace;
}

async function makePagesHost(server: Server, options: { ttlMs?: number; zeroFill?: boolean } = {}): Promise<PagesHost> {
  const host = await makeHost(server.url, PATIENT);
  return { ...host, pages: await host.cache.pages('relation', { pageSize: PAGE, ...options }) };
}

async function makeTwo(): Promise<{ server: Server; one: PagesHost; other: PagesHost }> {
  const server = await startServer();
  return { server, one: await makePagesHost(server), other: await makePagesHost(server) };
}

/** What the page is full of. */
async function contentOf(host: PagesHost, pageNo: number, load: PageLoader = never): Promise<number> {
  const bytes = await host.pages.fetchCopy(pageNo, load);
  expect([bytes.length, new Set(bytes).size]).to.deep.equal([PAGE, 1]);
  return bytes[0] as number;
}

if (program !== undefined) {
  describe('pages in the tier', () => {
    it('are loaded once, however many hosts ask, and then read in place by number on each', async () => {
      const { one, other } = await makeTwo();
      let loads = 0;
      const load = async (pageNo: number, target: Uint8Array) => {
        loads++;
        await sleep(30);
        target.fill(pageNo);
      };
      const asked = [one, other, one, other].map(async ({ pages }) => (await pages.fetchCopy(7, load))[0]);
      expect(await Promise.all(asked)).to.deep.equal([7, 7, 7, 7]);
      for (const pageNo of [8, 9]) await one.pages.fetchCopy(pageNo, load);
      for (const pageNo of [9, 8]) expect(await contentOf(other, pageNo)).to.equal(pageNo);
      expect(loads).to.equal(3);
      const into: (Uint8Array | undefined)[] = [];
      expect([other.pages.borrow(7)?.[0], other.pages.borrowMany([7, 6, 9], into)]).to.deep.equal([7, 2]);
      expect([...other.pages.scan(7, 3)].map((bytes) => bytes?.[0])).to.deep.equal([7, 8, 9]);
    });

    it('that one puts or invalidates are what it says on the other once that is told; a load between is its own', async () => {
      const { one, other } = await makeTwo();
      await contentOf(one, 1, filled(1));
      await contentOf(other, 1);
      expect(await one.pages.put(1, new Uint8Array(PAGE).fill(2))).to.equal(true);
      expect(one.pages.borrow(1)).to.equal(undefined);
      await until(() => other.pages.borrow(1) === undefined);
      expect([await contentOf(other, 1), await contentOf(one, 1)]).to.deep.equal([2, 2]);
      await other.pages.invalidate(1);
      await until(() => one.pages.borrow(1) === undefined);
      // Its load began before the next invalidation: nobody else gets it, on no host.
      let isInvalidated = false;
      const slow = async (_: number, target: Uint8Array) => {
        await other.pages.invalidate(1);
        isInvalidated = true;
        target.fill(3);
      };
      expect([await contentOf(one, 1, slow), isInvalidated]).to.deep.equal([3, true]);
      expect([one.pages.borrow(1), other.pages.borrow(1)]).to.deep.equal([undefined, undefined]);
      expect(await contentOf(other, 1, filled(4))).to.equal(4);
      expect(await contentOf(one, 1)).to.equal(4);
    });

    it('go by ranges and all at once, and neither with the keys of the namespace nor with other spaces', async () => {
      const { one, other } = await makeTwo();
      const apart = await one.cache.pages('apart', { pageSize: PAGE });
      for (let pageNo = 0; pageNo < 6; pageNo++) {
        await contentOf(one, pageNo, filled(pageNo));
        await contentOf(other, pageNo);
      }
      await apart.fetchCopy(2, filled(9));
      await fetchText(one, '2', () => 'a key');
      await one.pages.invalidateRange(1, 2);
      await until(() => other.pages.borrow(1) === undefined && other.pages.borrow(2) === undefined);
      const there = (host: PagesHost) => [...host.pages.scan(0, 6)].map((bytes) => bytes !== undefined);
      const left = [true, false, false, true, true, true];
      expect([there(one), there(other)]).to.deep.equal([left, left]);
      await one.cache.clear();
      expect([there(one), one.cache.has('2'), apart.borrow(2)?.[0]]).to.deep.equal([left, false, 9]);
      await fetchText(one, '2', () => 'a key');
      await other.pages.invalidateRange(3, 100_000);
      await until(() => there(one).every((is) => !is));
      expect([there(other).some((is) => is), one.cache.has('2'), apart.borrow(2)?.[0]]).to.deep.equal([false, true, 9]);
      // Nor has the tier any of them.
      expect(await contentOf(one, 0, filled(10))).to.equal(10);
    });

    it('are whole, or reach nobody: a short load, bytes of another size, a failed load', async () => {
      const { server, one, other } = await makeTwo();
      const short = () => one.pages.fetch(1, () => PAGE - 1);
      expect(await codeOf(short)).to.equal('SHORT_LOAD');
      expect(await codeOf(() => one.pages.put(1, new Uint8Array(PAGE - 1)))).to.equal('OPTION_INVALID');
      await one.pages.fetch(1, never).catch(() => {});
      expect(await contentOf(other, 1, filled(5))).to.equal(5);
      expect(await contentOf(one, 1)).to.equal(5);
      const half = (_: number, target: Uint8Array) => {
        target.fill(6);
        return PAGE / 2;
      };
      using zeroed = await one.pages.fetch(2, half, { zeroFill: true });
      expect([zeroed.bytes[0], zeroed.bytes[PAGE - 1]]).to.deep.equal([6, 0]);
      expect((await other.pages.fetchCopy(2, never))[PAGE - 1]).to.equal(0);
      // A host that has opened it with another size.
      const odd = await makeHost(server.url, PATIENT);
      const pages = await odd.cache.pages('relation', { pageSize: PAGE * 2 });
      const why = await pages.fetch(1, filled(1)).then(String, (error: Error) => error.message);
      expect(why).to.contain(
        `pageSize: ${PAGE * 2}, but the tier has a page of ${PAGE} bytes. Drop the space to change it.`,
      );
      expect(pages.borrow(1)).to.equal(undefined);
    });

    it('keep what is left of their life, from when their load began', async () => {
      const server = await startServer();
      const [one, other] = [await makePagesHost(server, { ttlMs: 700 }), await makePagesHost(server)];
      const begunMs = performance.now();
      await one.pages.fetchCopy(1, filled(1));
      await sleep(200);
      const isThere = () => performance.now() - begunMs < 700;
      expect(await contentOf(other, 1, isThere() ? never : filled(1))).to.equal(1);
      await until(() => other.pages.borrow(1) === undefined && one.pages.borrow(1) === undefined);
      expect(isThere()).to.equal(false);
      expect(await contentOf(other, 1, filled(2))).to.equal(2);
    });

    it('have no versions and no synchronous loads: refused by name', async () => {
      const { one } = await makeTwo();
      const { pages } = one;
      const calls = [pages.fetchSync, pages.readThrough, pages.loadAhead, pages.lease, pages.retire];
      expect(await Promise.all(calls.map((call) => codeOf(call)))).to.deep.equal(calls.map(() => 'UNSUPPORTED'));
      const versioned = { from: 1 } as { ttlMs?: number };
      expect(await codeOf(() => pages.put(1, new Uint8Array(PAGE), versioned))).to.equal('UNSUPPORTED');
      expect(await codeOf(() => pages.fetch(1, filled(1), { asOf: 1 }))).to.equal('UNSUPPORTED');
      expect(await codeOf(() => pages.fetch(1, () => ({ from: 1 })))).to.equal('UNSUPPORTED');
      expect(await codeOf(() => pages.invalidate(-1))).to.equal('KEY_INVALID');
      expect(await codeOf(() => one.cache.pages('relation', { pageSize: 99 }))).to.equal('OPTION_INVALID');
    });
  });

  describe('values in the tier', () => {
    it('come to the other host as the codec makes them: JSON, strings, and codecs of one own', async () => {
      const server = await startServer();
      const [one, other] = [await makeHost(server.url, PATIENT), await makeHost(server.url, PATIENT)];
      const order = { id: 7, lines: ['tea', 'ÄÖ'] };
      const [json, otherJson] = [one.cache.values<typeof order>('json'), other.cache.values<typeof order>('json')];
      expect(await json.fetch('order', () => order)).to.deep.equal(order);
      expect(await otherJson.fetch('order', never)).to.deep.equal(order);
      expect(otherJson.get('order')).to.deep.equal(order);
      expect(await otherJson.set('order', { id: 8, lines: [] }, { ttlMs: 60_000 })).to.equal(true);
      expect(otherJson.get('order')).to.equal(undefined);
      await until(() => !json.has('order'));
      expect(await json.fetch('order', never)).to.deep.equal({ id: 8, lines: [] });
      await json.delete('order');
      expect(await json.fetch('order', () => order)).to.deep.equal(order);
      const text = one.cache.values('string');
      expect(await text.fetch('text', () => 'tea', { tags: ['t'] })).to.equal('tea');
      expect(await other.cache.values('string').fetch('text', never)).to.equal('tea');
      const twice: Codec<number> = {
        encode: (value) => Uint8Array.of(value * 2),
        decode: (bytes) => Number(bytes[0]) / 2,
      };
      expect(await one.cache.values(twice).set('number', 21)).to.equal(true);
      expect([await other.cache.values(twice).fetch('number', never), other.cache.borrow('number')?.[0]]).to.deep.equal(
        [21, 42],
      );
    });

    it('that are none reject, and what is not there does', async () => {
      const server = await startServer();
      const one = await makeHost(server.url, PATIENT);
      const text = one.cache.values('string');
      expect(await codeOf(() => text.set('key', 7 as unknown as string))).to.equal('OPTION_INVALID');
      expect(await codeOf(() => text.fetch('key', () => 7 as unknown as string))).to.equal('OPTION_INVALID');
      expect(await codeOf(() => text.fetch('none', () => notFound, { negativeTtlMs: 1000 }))).to.equal('KEY_NOT_FOUND');
      expect(await codeOf(() => one.cache.values('yaml' as 'string'))).to.equal('OPTION_INVALID');
      expect(
        await one.cache.with(
          'bytes',
          () => Uint8Array.of(5),
          async (bytes) => bytes[0],
        ),
      ).to.equal(5);
    });
  });
}
