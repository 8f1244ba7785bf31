/** Synchronous loads as of a version, in several processes: whose load is waited for, and that each page is loaded once. */
import { expect } from 'chai';
import { type PageLoadSyncOptions, type PageSpace, SharedCache } from '../../src/index.js';
import { expectCleanCensus } from '../support/census.js';
import { Peer } from './peer.js';
import { makePool } from './pools.js';

const SIZE = 64;
const PEERS = 4;
const PAGES = 400;

interface Loaded {
  readonly loads: number[];
  readonly wrong: number[];
}

/** The peer reads page 1 as of 10, which its loader says has been the same from 5 on, and takes a while. */
const slowly = (peer: Peer, until: string, blockMs = 25): Promise<unknown> =>
  peer.call(
    'run',
    `return pages('t').readThrough(1, new Uint8Array(${SIZE}), (_, target) => {
      process.send({ event: 'loading' });
      for (const end = Date.now() + ${blockMs}; Date.now() < end; );
      target.fill(5);
      return { from: 5, until: ${until} };
    }, { asOf: 10, joins: 'page' });`,
  );

/** What page 1 is read to be, and which versions had to be loaded for it; loaded pages have the number of their version. */
function read(space: PageSpace, options: PageLoadSyncOptions): { value: number | undefined; loads: unknown[] } {
  const loads: unknown[] = [];
  const target = new Uint8Array(SIZE);
  const load = (_: number, page: Uint8Array, { asOf }: { asOf: number | undefined }) => {
    loads.push(asOf);
    page.fill(asOf as number);
    return { from: asOf as number };
  };
  space.readThrough(1, target, load, options);
  return { value: target[0], loads };
}

/** However busy the machine is: a load is waited for 50 ms only. */
function untilThere(space: PageSpace, asOf: number): void {
  for (const end = Date.now() + 10_000; space.borrow(1, asOf) === undefined && Date.now() < end; );
}

function fillFrom7(pageNo: number, target: Uint8Array): { from: number } {
  target.fill(pageNo);
  return { from: 7 };
}

describe('a synchronous load as of a version that joins by the page', () => {
  it('is that of another process as of an earlier version, where its page is the same by then', async () => {
    const pool = await makePool();
    const space = new SharedCache(pool, { namespace: 'n' }).pages('t', { pageSize: SIZE });
    const peer = await Peer.start(pool.path);
    const loading = slowly(peer, 'Infinity');
    await peer.saw('loading');
    const onWait = () => untilThere(space, 12);
    expect(read(space, { asOf: 12, joins: 'page', onWait })).to.deep.equal({ value: 5, loads: [] });
    expect(await loading).to.equal(false);
    await expectCleanCensus(pool.path);
  });

  it('follows it where its page has ended by then, and where its process is killed', async () => {
    for (const kill of [false, true]) {
      const pool = await makePool();
      const space = new SharedCache(pool, { namespace: 'n' }).pages('t', { pageSize: SIZE });
      const peer = await Peer.start(pool.path);
      const loading = slowly(peer, '11', kill ? 10_000 : 25).catch(() => {});
      await peer.saw('loading');
      if (kill) await peer.kill();
      const onWait = () => (kill ? undefined : untilThere(space, 10));
      expect(read(space, { asOf: 12, joins: 'page', onWait })).to.deep.equal({ value: 12, loads: [12] });
      await loading;
      expect(space.borrow(1, 10)?.[0]).to.equal(kill ? undefined : 5);
      expect(pool.stats().drafts).to.equal(0);
      if (!kill) await expectCleanCensus(pool.path);
    }
  });

  it('by default waits for nobody who loads another version', async () => {
    const pool = await makePool();
    const cache = new SharedCache(pool, { namespace: 'n' });
    const peer = await Peer.start(pool.path);
    const loading = slowly(peer, 'Infinity');
    await peer.saw('loading');
    expect(read(cache.pages('t', { pageSize: SIZE }), { asOf: 12 }).loads).to.deep.equal([12]);
    await loading;
  });

  it('may load what comes next while another loads, and only then', async () => {
    const pool = await makePool();
    const space = new SharedCache(pool, { namespace: 'n' }).pages('t', { pageSize: SIZE });
    const peer = await Peer.start(pool.path);
    const loading = slowly(peer, 'Infinity', 40);
    await peer.saw('loading');
    const came: unknown[] = [];
    const ahead = (no: number) => space.loadAhead(no, fillFrom7, { asOf: 12, joins: 'page' });
    const onWait = () => {
      came.push(ahead(1), ahead(2), ahead(2));
      untilThere(space, 12);
    };
    for (let i = 0; i < 2; i++) {
      expect(read(space, { asOf: 12, joins: 'page', onWait })).to.deep.equal({ value: 5, loads: [] });
      expect(came).to.deep.equal(['busy', 'loaded', 'there']);
    }
    expect([6, 7, 12, 13].map((asOf) => space.borrow(2, asOf)?.[0])).to.deep.equal([undefined, 2, 2, undefined]);
    await loading;
    expect(pool.stats().drafts).to.equal(0);
  });

  it('refuses another word for whom it joins', async () => {
    const space = new SharedCache(await makePool()).pages('t', { pageSize: SIZE });
    expect(() => read(space, { asOf: 1, joins: 'all' as 'page' })).to.throw('joins');
  });

  for (const joins of ['version', 'page'] as const) {
    it(`loads each page once, of processes that all read all of them (joins: ${joins})`, async () => {
      const pool = await makePool();
      const peers = await Promise.all(Array.from({ length: PEERS }, () => Peer.start(pool.path)));
      const results = await Promise.all(
        peers.map((peer, i) => {
          const asOf = joins === 'page' ? 20 + i : 20;
          return peer.call<Loaded>(
            'run',
            `const [loads, wrong] = [[], []];
            const target = new Uint8Array(${SIZE});
            for (let no = 0; no < ${PAGES}; no++) {
              pages('t').readThrough(no, target, (_, page) => {
                loads.push(no);
                for (const end = performance.now() + 0.3; performance.now() < end; );
                page.fill(no & 0xff);
                return { from: 10, until: Infinity };
              }, { asOf: ${asOf}, joins: '${joins}' });
              if (target.some((byte) => byte !== (no & 0xff))) wrong.push(no);
            }
            return { loads, wrong };`,
          );
        }),
      );
      expect(results.flatMap(({ wrong }) => wrong)).to.deep.equal([]);
      const loads = results.flatMap((one) => one.loads);
      expect(new Set(loads).size).to.equal(PAGES);
      // A loader that was not scheduled for 50 ms is not waited for; those loads are counted as unshared.
      const { unsharedCount } = new SharedCache(pool, { namespace: 'n' }).stats().total;
      expect(loads.length).to.equal(PAGES + unsharedCount);
      await expectCleanCensus(pool.path);
    });
  }
});

describe('a page as of a version that is said to have no end, and that the pool takes for older than it is', () => {
  it('is stored from the version asked for on, and answers later ones until it changes', async () => {
    // One stripe and few ways: pages that changed and are gone are no longer told apart.
    const pool = await makePool({ size: '2MiB' });
    const space = new SharedCache(pool).pages('t', { pageSize: SIZE });
    for (let no = 1000; no < 60_000; no++) {
      space.put(no, new Uint8Array(SIZE), { from: 50 });
      space.invalidate(no);
    }
    const refused = Array.from({ length: 200 }, (_, no) => no).filter(
      (no) => !space.put(no, new Uint8Array(SIZE), { from: 10, lease: space.lease(no) }),
    );
    expect(refused).to.not.have.length(0);
    for (const no of refused) {
      const load = (_: number, target: Uint8Array) => {
        target.fill(7);
        return { from: 10, until: Number.POSITIVE_INFINITY };
      };
      space.readThrough(no, new Uint8Array(SIZE), load, { asOf: 60 });
      expect([59, 60, 61, 1000].map((asOf) => space.borrow(no, asOf)?.[0])).to.deep.equal([undefined, 7, 7, 7]);
      space.put(no, new Uint8Array(SIZE).fill(9), { from: 70 });
      expect([60, 69, 70].map((asOf) => space.borrow(no, asOf)?.[0])).to.deep.equal([7, 7, 9]);
    }
  });

  it('is not stored twice where another has stored it meanwhile', async () => {
    const pool = await makePool();
    const space = new SharedCache(pool).pages('t', { pageSize: SIZE });
    const answer = { from: 10, until: Number.POSITIVE_INFINITY };
    const load = () => {
      space.readThrough(1, new Uint8Array(SIZE), () => answer, { asOf: 15 });
      return answer;
    };
    space.readThrough(1, new Uint8Array(SIZE), load, { asOf: 20 });
    expect([10, 15, 20, 30].map((asOf) => space.borrow(1, asOf)?.[0])).to.deep.equal([0, 0, 0, 0]);
    expect(pool.stats().objects).to.equal(1);
  });
});
