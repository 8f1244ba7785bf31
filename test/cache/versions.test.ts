/**
 * Versions: an answer for asOf is the page that was valid then, or a miss; never another, whatever was evicted, put late
 * or refused. Checked by hand where the order matters, and against a history of versions under fast-check.
 */
import { expect } from 'chai';
import fc from 'fast-check';
import { KeyHash } from '../../lib/hash.js';
import type { Lease, PageSpace } from '../../src/index.js';
import { SharedCache } from '../../src/index.js';
import type { AttachedPool } from '../../src/pool/index.js';
import { makePool, sleep } from './pools.js';
import { makeSpaces, page, SIZE } from './twospaces.js';

/** Numbers of pages of the space whose keys share one stripe, as keys by the thousand must. */
function numbersOfOneStripe(pool: AttachedPool, space: PageSpace, count: number): number[] {
  const { seed, parts } = pool.session;
  space.put(0, page(0));
  const key = [...pool.list()].find((object) => object.keyBytes.length > 8)?.keyBytes.slice() as Uint8Array;
  space.invalidate(0);
  const hash = new KeyHash(seed);
  const found: number[] = [];
  const view = new DataView(key.buffer, key.byteOffset);
  let first = -1;
  for (let no = 0; found.length < count; no++) {
    view.setUint32(key.length - 4, no);
    hash.of(key, key.length);
    const stripe = parts.stripes.wordOf(parts.shards.ofHash(hash.low), hash.high);
    if (first < 0) first = stripe;
    if (stripe === first) found.push(no);
  }
  return found;
}

/** What both nodes answer for the page at the versions. */
function answers(spaces: readonly PageSpace[], pageNo: number, versions: readonly (number | undefined)[]) {
  const [one = [], two] = spaces.map((space) => versions.map((asOf) => space.borrow(pageNo, asOf)?.[0]));
  expect(one).to.deep.equal(two);
  return one;
}

describe('versions of a page', () => {
  it('answer from their own from to before the next one, and without a version the newest answers', async () => {
    const { spaces } = await makeSpaces();
    for (const from of [10, 20, 30])
      expect(spaces[from % 20 === 0 ? 0 : 1].put(1, page(from), { from })).to.equal(true);
    const asked = [0, 9, 10, 19, 20, 29, 30, 1000, undefined];
    const expected = [undefined, undefined, 10, 10, 20, 20, 30, 30, 30];
    for (let again = 0; again < 3; again++) expect(answers(spaces, 1, asked)).to.deep.equal(expected);
    const target = new Uint8Array(SIZE);
    expect([spaces[0].read(1, target, 0, 25), target[0]]).to.deep.equal([true, 20]);
    expect([spaces[0].read(1, target, 0, 9), target[0]]).to.deep.equal([false, 20]);
    const held = spaces[1].get(1, 15);
    expect(held?.bytes[0]).to.equal(10);
    held?.release();
  });

  it('with until answer up to it only, and not without a version', async () => {
    const { spaces } = await makeSpaces();
    expect(spaces[0].put(1, page(10), { from: 10, until: 20 })).to.equal(true);
    expect(answers(spaces, 1, [9, 10, 19, 20, undefined])).to.deep.equal([undefined, 10, 10, undefined, undefined]);
    expect(spaces[1].put(1, page(30), { from: 30 })).to.equal(true);
    expect(spaces[1].put(1, page(20), { from: 20, until: 30 })).to.equal(true);
    expect(answers(spaces, 1, [10, 19, 20, 29, 30, undefined])).to.deep.equal([10, 10, 20, 20, 30, 30]);
  });

  it('never overlap: a page said to be valid beyond the next version present ends there', async () => {
    const { spaces } = await makeSpaces();
    spaces[0].put(1, page(20), { from: 20 });
    spaces[1].put(1, page(10), { from: 10, until: 40 });
    expect(answers(spaces, 1, [9, 10, 19, 20, 30, 50])).to.deep.equal([undefined, 10, 10, 20, 20, 20]);
    await sleep(0);
    spaces[0].invalidate(1, 20);
    expect(answers(spaces, 1, [19, 20, 30])).to.deep.equal([10, undefined, undefined]);
  });

  it('an open-ended page older than the newest version known is refused, installed or invalidated, evicted or not', async () => {
    const { pool, spaces } = await makeSpaces();
    spaces[0].put(1, page(20), { from: 20 });
    expect(spaces[1].put(1, page(10), { from: 10 })).to.equal(false);
    expect(spaces[1].put(1, page(7))).to.equal(false);
    expect(answers(spaces, 1, [10, 20, undefined])).to.deep.equal([undefined, 20, 20]);
    await sleep(0);
    pool.evict(2 ** 30);
    expect(spaces[1].put(1, page(10), { from: 10 })).to.equal(false);
    expect(answers(spaces, 1, [10, 20, undefined])).to.deep.equal([undefined, undefined, undefined]);
    expect(spaces[1].put(1, page(10), { from: 10, until: 20 })).to.equal(true);
    spaces[0].invalidate(2, 50);
    expect(spaces[1].put(2, page(40), { from: 40 })).to.equal(false);
    expect(spaces[1].put(2, page(50), { from: 50 })).to.equal(true);
  });

  it('invalidate with a version ends the page there and keeps it for those before; without, hides all', async () => {
    const { spaces } = await makeSpaces();
    spaces[0].put(1, page(10), { from: 10 });
    spaces[0].put(1, page(20), { from: 20 });
    spaces[1].invalidate(1, 30);
    expect(answers(spaces, 1, [15, 25, 29, 30, undefined])).to.deep.equal([10, 20, 20, undefined, undefined]);
    spaces[1].invalidate(1);
    expect(answers(spaces, 1, [15, 25, undefined])).to.deep.equal([undefined, undefined, undefined]);
  });

  it('evicting the newest does not make an older one answer in its place', async () => {
    const { pool, spaces } = await makeSpaces();
    for (let from = 1; from <= 200; from++) spaces[from % 2 === 0 ? 0 : 1].put(1, page(from), { from });
    for (let round = 0; round < 100; round++) {
      // What this run borrowed is not evicted.
      await sleep(0);
      pool.evict(64);
      for (let asOf = 1; asOf <= 210; asOf++) {
        const [found] = answers(spaces, 1, [asOf]);
        if (found !== undefined) expect(found).to.equal(Math.min(asOf, 200));
      }
      const [newest] = answers(spaces, 1, [undefined]);
      expect([undefined, 200]).to.include(newest);
    }
  });

  it('a put that is refused for what another page of its stripe installed still ends its predecessor', async () => {
    const { pool, spaces } = await makeSpaces();
    const [mine, other] = numbersOfOneStripe(pool, spaces[0], 2) as [number, number];
    spaces[0].put(mine, page(10), { from: 10 });
    spaces[0].put(other, page(100), { from: 100 });
    const stored = spaces[1].put(mine, page(50), { from: 50 });
    const newest = stored ? 50 : undefined;
    expect(answers(spaces, mine, [10, 49, 50, 99, 100, undefined])).to.deep.equal([
      10,
      10,
      newest,
      newest,
      newest,
      newest,
    ]);
  });

  it('a put that is refused ends the loads under way too', async () => {
    const { pool, spaces } = await makeSpaces();
    const [mine, other] = numbersOfOneStripe(pool, spaces[0], 2) as [number, number];
    spaces[0].put(other, page(100), { from: 100 });
    spaces[0].put(mine, page(60), { from: 60 });
    spaces[0].invalidate(mine);
    const lease = spaces[0].lease(mine);
    expect(spaces[1].put(mine, page(50), { from: 50 })).to.equal(false);
    expect(spaces[0].put(mine, page(10), { from: 10, until: 200, lease })).to.equal(false);
    expect(answers(spaces, mine, [50])).to.deep.equal([undefined]);
  });

  it('of one space decide nothing about the pages of another, installed or invalidated, evicted or not', async () => {
    const { pool, spaces } = await makeSpaces();
    const cache = new SharedCache(pool);
    const others = ['times', 'more times'].map((name) => cache.pages(name, { pageSize: SIZE }));
    const { geometry } = pool.session.parts;
    for (let no = 0; no < 4 * geometry.shards * geometry.stripesPerShard; no++) {
      if (no % 2 === 0) others[0]?.put(no, page(1), { from: 1_700_000_000_000 + no });
      else others[1]?.invalidate(no, 1_700_000_000_000 + no);
    }
    for (const from of [undefined, 5, 5, 6, 2 ** 26 + 1, 2 ** 26 + 2]) {
      expect(spaces[0].put(1, page(2), from === undefined ? {} : { from }), `from ${from}`).to.equal(true);
    }
    await sleep(0);
    pool.evict(2 ** 30);
    for (const from of [undefined, 5, 2 ** 26 + 1]) {
      expect(spaces[1].put(1, page(3), from === undefined ? {} : { from }), `again from ${from}`).to.equal(false);
    }
    expect(spaces[1].put(1, page(3), { from: 2 ** 26 + 2 })).to.equal(true);
  });

  it('that find no room hide what they would have superseded, and no newer ones', async () => {
    const pool = await makePool({ size: '2MiB', pageSize: SIZE, maxObjects: 256, maxNodes: 4 });
    const space = new SharedCache(pool).pages('t', { pageSize: SIZE });
    const fill = [10, 20, 30].map((from) => {
      space.put(1, page(from), { from });
      return space.get(1);
    });
    for (let no = 2; no < 1000; no++) if (space.put(no, page(no), { from: 10 })) fill.push(space.get(no));
    const seen = () => [15, 20, 25, 35, undefined].map((asOf) => space.borrow(1, asOf)?.[0]);
    expect(seen()).to.deep.equal([10, 20, 20, 30, 30]);
    expect(space.put(1, page(22), { from: 22, until: 24 })).to.equal(false);
    expect([...seen(), space.borrow(1, 21)?.[0]]).to.deep.equal([10, 20, undefined, 30, 30, 20]);
    for (const closed of [{ until: 5 }, { from: 5, until: 40 }, { from: 31, until: 40 }]) {
      expect(space.put(1, page(1), closed)).to.equal(false);
    }
    expect([space.borrow(1, 30)?.[0], space.borrow(1, 31), space.borrow(1)]).to.deep.equal([30, undefined, undefined]);
    expect(seen().slice(0, 2)).to.deep.equal([10, 20]);
    for (const held of fill) held?.release();
  });

  it('a put without room ends its predecessor all the same', async () => {
    const pool = await makePool({ size: '2MiB', pageSize: SIZE, maxObjects: 256, maxNodes: 4 });
    const space = new SharedCache(pool).pages('t', { pageSize: SIZE });
    space.put(1, page(10), { from: 10 });
    const held = [space.get(1)];
    for (let no = 2; no < 1000; no++) if (space.put(no, page(no), { from: 10 })) held.push(space.get(no));
    expect(space.put(1, page(20), { from: 20 })).to.equal(false);
    expect([15, 20, 30, undefined].map((asOf) => space.borrow(1, asOf)?.[0])).to.deep.equal([
      10,
      undefined,
      undefined,
      undefined,
    ]);
    for (const one of held) one?.release();
  });
});

/** What happened to one page: versions at which it got a new content, oldest first. */
interface History {
  versions: number[];
}

class World {
  readonly pool: AttachedPool;
  readonly spaces: readonly PageSpace[];
  readonly numbers: readonly number[];
  clock = 0;
  histories: History[] = [];
  leases: { p: number; version: number; from: number; lease: Lease }[] = [];

  constructor(pool: AttachedPool, spaces: readonly PageSpace[], numbers: readonly number[]) {
    this.pool = pool;
    this.spaces = spaces;
    this.numbers = numbers;
  }

  begin(): void {
    this.spaces[0]?.drop();
    this.clock++;
    this.leases = [];
    this.histories = this.numbers.map(() => ({ versions: [this.clock] }));
  }

  newest(p: number): number {
    return (this.histories[p] as History).versions.at(-1) as number;
  }

  /** The version whose content the page had at a moment. */
  truth(p: number, asOf: number | undefined): number | undefined {
    if (asOf === undefined) return this.newest(p);
    return (this.histories[p] as History).versions.findLast((version) => version <= asOf);
  }

  space(node: number): PageSpace {
    return this.spaces[node % 2] as PageSpace;
  }

  check(p: number, asOf: number | undefined, node: number): void {
    const found = this.space(node).borrow(this.numbers[p] as number, asOf);
    if (found === undefined) return;
    const view = new DataView(found.buffer, found.byteOffset);
    const what = `page ${p} asOf ${asOf} of ${this.histories[p]?.versions.join()}`;
    expect([view.getUint32(0), view.getFloat64(8)], what).to.deep.equal([p, this.truth(p, asOf)]);
  }

  checkAll(): void {
    for (let p = 0; p < this.numbers.length; p++) {
      const versions = (this.histories[p] as History).versions;
      for (const asOf of [undefined, this.clock, ...versions, ...versions.map((version) => version - 1)]) {
        for (const node of [0, 1]) this.check(p, asOf, node);
      }
    }
  }
}

function content(p: number, version: number): Uint8Array {
  const bytes = new Uint8Array(SIZE);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, p);
  view.setFloat64(8, version);
  return bytes;
}

interface Step {
  kind:
    | 'write'
    | 'invalidate'
    | 'writeLater'
    | 'stale'
    | 'closed'
    | 'current'
    | 'evict'
    | 'lease'
    | 'leased'
    | 'forget';
  p: number;
  node: number;
  pick: number;
}

/** Does the step in the pool and in the history. */
function apply(world: World, step: Step, later: { p: number; version: number }[]): void {
  const { p, node, pick } = step;
  const space = world.space(node);
  const no = world.numbers[p] as number;
  const { versions } = world.histories[p] as History;
  const at = pick % versions.length;
  const version = versions[at] as number;
  const next = versions[at + 1];
  if (step.kind === 'write' || step.kind === 'invalidate') {
    const pending = later.findIndex((entry) => entry.p === p);
    const made = pending >= 0 ? (later.splice(pending, 1)[0]?.version as number) : ++world.clock;
    if (step.kind === 'write') space.put(no, content(p, made), { from: made });
    else space.invalidate(no, made);
    versions.push(made);
  } else if (step.kind === 'writeLater') {
    if (!later.some((entry) => entry.p === p)) later.push({ p, version: ++world.clock });
  } else if (step.kind === 'stale') {
    const stored = space.put(no, content(p, version), { from: version });
    if (next !== undefined) expect(stored, `open-ended ${version} before ${next}`).to.equal(false);
  } else if (step.kind === 'closed') {
    if (next !== undefined) space.put(no, content(p, version), { from: version, until: next });
  } else if (step.kind === 'current') {
    const isPending = later.some((entry) => entry.p === p);
    if (!isPending) space.put(no, content(p, world.newest(p)), { from: world.clock });
  } else if (step.kind === 'evict') world.pool.evict(64 * (1 + (pick % 8)));
  else if (step.kind === 'forget') space.invalidate(no);
  else if (step.kind === 'lease') {
    world.leases.push({ p, version: world.newest(p), from: world.newest(p), lease: space.lease(no) });
  } else {
    const taken = world.leases.splice(pick % Math.max(1, world.leases.length), 1)[0];
    if (taken === undefined) return;
    const { from, lease } = taken;
    const bytes = content(taken.p, taken.version);
    const stored = space.put(world.numbers[taken.p] as number, bytes, { from, lease });
    if (world.newest(taken.p) !== taken.version) expect(stored).to.equal(false);
  }
}

describe('versions against a history', () => {
  it('no answer is ever outside its validity, whatever is evicted, late, stale, refused or shares a stripe', async () => {
    const { pool, spaces } = await makeSpaces();
    const numbers = [...numbersOfOneStripe(pool, spaces[0], 5), 1_000_001];
    const world = new World(pool, spaces, numbers);
    const step = fc.record<Step>({
      kind: fc.constantFrom(
        ...(['write', 'write', 'write', 'invalidate', 'writeLater', 'stale', 'stale', 'closed', 'closed'] as const),
        ...(['current', 'evict', 'lease', 'leased', 'forget'] as const),
      ),
      p: fc.nat(numbers.length - 1),
      node: fc.nat(1),
      pick: fc.nat(100),
    });
    const property = fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 40 }), async (steps) => {
      world.begin();
      const later: { p: number; version: number }[] = [];
      for (const one of steps) {
        // What the checks borrowed would be kept from being evicted.
        await Promise.resolve();
        apply(world, one, later);
        world.checkAll();
      }
    });
    await fc.assert(property, { numRuns: 250 });
  });
});
