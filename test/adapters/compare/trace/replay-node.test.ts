import { expect } from 'chai';
import { KnownAccesses } from '../../../../adapters/compare/trace/accesses.js';
import { type PageSource, PatternPages, StoragePages } from '../../../../adapters/compare/trace/pages.js';
import {
  PrivateLruCache,
  PrivatePolicyCache,
  type ReplayCache,
} from '../../../../adapters/compare/trace/replay-cache.js';
import { ReplayError, refuseWrongPages } from '../../../../adapters/compare/trace/replay-driver.js';
import { CountedSource, replay } from '../../../../adapters/compare/trace/replay-node.js';
import { WINDOW_ACCESSES } from '../../../../adapters/compare/trace/replay-protocol.js';
import { RequestRouter } from '../../../../adapters/compare/trace/routing.js';
import { openSharedCache, type PoolModule } from '../../../../adapters/compare/trace/shared-cache.js';
import { createPolicy } from '../../../../adapters/compare/trace/simulate.js';
import { madeUpIds, naive, TemporaryFolder } from './traces.js';

const PAGE_SIZE = 1024;

/** A node alone: whoever it would wait for is done. */
function aloneTurns() {
  const board = { publish: () => {}, minimum: () => 2 ** 31 - 1 };
  return { board, node: 0, yieldProcessor: () => {}, watch: () => {} };
}

/** All accesses go to node 0. */
function traceOf(ids: Uint32Array) {
  return { accesses: new KnownAccesses(ids), nodes: 1, seed: 1 };
}

/** There is a second node, but all accesses are one request, which goes to node 0. */
function traceOfTwo(ids: Uint32Array) {
  const starts = new Uint8Array(Math.ceil(ids.length / 8));
  const seed = [1, 2, 3, 4, 5].find(
    (one) => new RequestRouter({ nodes: 2, seed: one }).route({ ids, starts })[0] === 0,
  )!;
  return { accesses: new KnownAccesses(ids, starts), nodes: 2, seed };
}

function replayAlone(ids: Uint32Array, source: CountedSource, cache: ReplayCache) {
  return replay(traceOf(ids), aloneTurns(), cache, source);
}

describe('the pages of a replay', () => {
  const folder = new TemporaryFolder();
  after(() => folder.remove());

  function checkSource(source: PageSource, pageSize: number): void {
    const page = new Uint8Array(pageSize);
    for (const id of [0, 1, 255, 256, 70_000]) {
      source.fill(id, page);
      expect(source.check(id, page), `page ${id}`).to.equal(true);
      expect(source.check(id + 1, page), `page ${id} taken for its neighbour`).to.equal(false);
    }
  }

  it('made up or read from storage are told from those of other ids, in pages never filled here too', () => {
    checkSource(new PatternPages(), 64);
    checkSource(new PatternPages(), 4096);
    const file = folder.write('storage', new Uint8Array(madeUpIds(5 * 1024, 2 ** 32).buffer));
    const storage = new StoragePages(file, 4096, 5);
    checkSource(storage, 4096);
    const page = new Uint8Array(4096);
    storage.fill(3, page);
    const other = new StoragePages(file, 4096, 5);
    expect([2, 3, 8].map((id) => other.check(id, page))).to.deep.equal([false, true, true]);
  });

  it('that are torn, half one id and half another, are told from whole ones', () => {
    const source = new PatternPages();
    const [one, two] = [new Uint8Array(4096), new Uint8Array(4096)];
    source.fill(1, one);
    source.fill(2, two);
    one.set(two.subarray(2048), 2048);
    expect(source.check(1, one)).to.equal(false);
    expect(source.check(2, one)).to.equal(false);
  });

  it('come from no storage that is missing or smaller than a page', () => {
    expect(() => new StoragePages(`${folder.path}/none`, 4096, 5)).to.throw(/OPTION_INVALID.*none/);
    expect(() => new StoragePages(folder.write('small', 'x'), 4096, 5)).to.throw(/OPTION_INVALID.*small/);
  });
});

describe('a node of a replay', () => {
  const ids = madeUpIds(4000, 300);

  it('counts the hits of the policy and one storage read for each miss, with real pages in its cache', () => {
    for (const name of ['lru', 'sieve', 's3-fifo', 'adaptive-2q'] as const) {
      const source = new CountedSource(new PatternPages());
      const cache = new PrivatePolicyCache({ policy: createPolicy(name, 40), pageSize: PAGE_SIZE, source });
      const tally = replayAlone(ids, source, cache);
      expect(tally.hits).to.equal(naive[name]([...ids], 40).filter(Boolean).length);
      expect(tally).to.include({ requests: 4000, storageReads: 4000 - tally.hits, wrongPages: 0 });
      expect(tally.latencies).to.have.length(4000);
      expect(Math.min(...tally.latencies)).to.be.greaterThan(0);
    }
  });

  it('sees lru-cache serve the hits of an exact LRU, no page wrong though it reuses evicted buffers', () => {
    const source = new CountedSource(new PatternPages());
    const tally = replayAlone(ids, source, new PrivateLruCache({ capacity: 40, pageSize: PAGE_SIZE, source }));
    expect(tally.hits).to.equal(naive.lru([...ids], 40).filter(Boolean).length);
    expect(tally.wrongPages).to.equal(0);
  });

  it('counts every hit whose page is another page, and the run is refused with arm, node and page id', () => {
    const source = new CountedSource(new PatternPages());
    const page = new Uint8Array(PAGE_SIZE);
    source.fill(5, page);
    const liar: ReplayCache = {
      page,
      isShared: true,
      access: () => true,
      shared: () => ({ bytes: 0, objects: 0 }),
      close: async () => {},
    };
    const tally = replayAlone(Uint32Array.of(5, 6, 5, 7), source, liar);
    expect(tally).to.include({ hits: 4, wrongPages: 2, firstWrongId: 6 });
    const report = { ...tally, bytesPrivate: 0, shared: { bytes: 0, objects: 0 } };
    expect(() => refuseWrongPages('shared', [{ ...report, wrongPages: 0 }, report])).to.throw(
      ReplayError,
      'shared: node 1 was served 2 wrong pages, the first for page id 6',
    );
    expect(() => refuseWrongPages('shared', [{ ...report, wrongPages: 0 }])).to.not.throw();
  });

  it('serves no access while another node is more than the window behind, and waits no longer than that', () => {
    const published = [0, 0];
    const board = {
      publish: (node: number, position: number) => {
        published[node] = position;
      },
      minimum: () => Math.min(...published),
    };
    const leads: number[] = [];
    const page = new Uint8Array(0);
    const access = () => {
      leads.push(published[0]! - published[1]!);
      return false;
    };
    const yieldProcessor = () => {
      published[1]! += 100;
    };
    const turns = { board, node: 0, yieldProcessor, watch: () => {} };
    const cache: ReplayCache = {
      page,
      isShared: true,
      access,
      shared: () => ({ bytes: 0, objects: 0 }),
      close: async () => {},
    };
    replay(traceOfTwo(ids), turns, cache, new CountedSource(new PatternPages()));
    expect(leads).to.have.length(ids.length);
    expect(Math.max(...leads)).to.equal(WINDOW_ACCESSES);
    expect(published[0]).to.equal(ids.length);
  });

  it('watches its peers while it waits for a node that never comes', () => {
    const board = { publish: () => {}, minimum: () => 0 };
    let yields = 0;
    const yieldProcessor = () => {
      yields += 1;
    };
    const watch = () => {
      if (yields > 0) throw new Error('the driver is gone');
    };
    const source = new CountedSource(new PatternPages());
    const cache = new PrivateLruCache({ capacity: 40, pageSize: PAGE_SIZE, source });
    const turns = { board, node: 0, yieldProcessor, watch };
    expect(() => replay(traceOfTwo(ids), turns, cache, source)).to.throw('the driver is gone');
  });
});

describe('the shared arm', () => {
  /** As much of the package as the arm uses, over a map of pages that never evicts. */
  function poolOf(calls: string[]): PoolModule {
    const pages = new Map<number, Uint8Array>();
    const pool = {
      info: { size: 4096 },
      stats: () => ({ objects: pages.size }),
      disconnect: async () => calls.push('disconnect'),
    };
    class SharedCache {
      pages(space: string, options: { pageSize: number }) {
        calls.push(`pages ${space} ${options.pageSize}`);
        const readThrough = (id: number, target: Uint8Array, load: (id: number, target: Uint8Array) => void) => {
          const page = pages.get(id);
          if (page === undefined) load(id, target);
          else target.set(page);
          if (page === undefined) pages.set(id, target.slice());
          return page !== undefined;
        };
        return { pageSize: options.pageSize, readThrough };
      }
    }
    const connect = async (path: string) => {
      calls.push(`connect ${path}`);
      return pool;
    };
    return { connect, SharedCache } as unknown as PoolModule;
  }

  it('reads through the page space, checks the copy it was given, and disconnects', async () => {
    const calls: string[] = [];
    const source = new CountedSource(new PatternPages());
    const cache = await openSharedCache({ path: '/pool', pageSize: PAGE_SIZE, source }, poolOf(calls));
    const tally = replayAlone(Uint32Array.of(1, 2, 1, 3, 2), source, cache);
    expect(tally).to.include({ requests: 5, hits: 2, storageReads: 3, wrongPages: 0 });
    expect(cache.shared()).to.deep.equal({ bytes: 4096, objects: 3 });
    await cache.close();
    expect(calls).to.deep.equal(['connect /pool', `pages trace ${PAGE_SIZE}`, 'disconnect']);
  });
});
