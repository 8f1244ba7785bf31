import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { PageServer, PrivatePages } from '../../benchmarks/sharing.caches.js';
import { makePages, makeTrace } from '../../benchmarks/sharing.data.js';
import { PAGE, payloadOf, SCALES, updatesOf, ZipfKeys } from '../../benchmarks/sharing.world.js';

describe('the benchmark of sharing', () => {
  let folder: string;
  let server: PageServer;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'sealpool-sharing-'));
    makePages(join(folder, 'pages'), 8);
    server = new PageServer(join(folder, 'pages'), { latencyMs: 0, isDirect: false });
  });
  afterEach(() => {
    server.close();
    rmSync(folder, { recursive: true });
  });

  it('has private caches that hold as many pages as they were given, and read again what was changed', () => {
    const pages = new PrivatePages(server, 4, 'lru');
    const target = new Uint8Array(PAGE);
    for (const pageNo of [0, 1, 2, 3, 0, 1, 2, 3]) pages.read(pageNo, target);
    expect(server.reads).to.equal(4);
    pages.forget([1, 7]);
    expect([0, 1, 1, 2].map((pageNo) => pages.read(pageNo, target))).to.deep.equal([true, false, true, true]);
    expect(server.reads).to.equal(5);
    pages.read(4, target);
    expect(pages.read(3, target), 'the page that was used longest ago').to.equal(false);
  });

  it('waits as long as a page server would, before each read', () => {
    const slow = new PageServer(join(folder, 'pages'), { latencyMs: 20, isDirect: false });
    const started = performance.now();
    for (const pageNo of [0, 1, 2]) slow.read(pageNo * PAGE, new Uint8Array(PAGE));
    expect(performance.now() - started).to.be.at.least(59);
    expect(slow.reads).to.equal(3);
    slow.close();
  });

  it('has keys by the law of Zipf, the first more often than the second, and all of them within the table', () => {
    const keys = new ZipfKeys(1, 700);
    const counts = new Map<number, number>();
    for (let i = 0; i < 20_000; i++) {
      const key = keys.next();
      expect(key).to.be.within(0, 699);
      counts.set(key, (counts.get(key) ?? 0) + 1);
    }
    const [first = 0, second = 0] = [...counts.values()].sort((a, b) => b - a);
    // One of the sum of 1/rank^0.99, some 7.3.
    expect(first / 20_000).to.be.within(0.11, 0.16);
    expect(first / second).to.be.within(1.5, 2.5);
  });

  it('updates one row for nineteen that are read, other ones each round, and leaves no row longer than it was', () => {
    const what = { nodes: 4, scale: SCALES.usual };
    const [one, other] = [updatesOf(1, 1, what), updatesOf(1, 2, what)];
    expect(one.length).to.be.within(80, 127);
    expect(one).to.not.deep.equal(other);
    expect(updatesOf(1, 1, what)).to.deep.equal(one);
    expect(payloadOf(1, 0).length).to.equal(payloadOf(28_671, 12_345).length);
    expect(payloadOf(1, 0)).to.not.equal(payloadOf(1, 1));
  });

  it('makes the same trace of the same seed, numbered as pages first appear', () => {
    const one = makeTrace(folder, 1, SCALES.smoke);
    expect(one.pages).to.be.within(300, 1_024);
    expect(one.files.accesses).to.equal(SCALES.smoke.accesses);
    expect(makeTrace(folder, 1, SCALES.smoke)).to.deep.equal(one);
    expect(makeTrace(folder, 2, SCALES.smoke).pages).to.not.equal(one.pages);
  });
});
