/** What is in the pool under each name, and removing it by name. */
import { expect } from 'chai';
import { nextSequence } from '../../lib/sequence.js';
import { connect, type Pool, SharedCache, type SpaceInfo } from '../../src/index.js';
import { listSpaces } from '../../src/pool/access/index.js';
import type { AttachedPool } from '../../src/pool/index.js';
import { expectCleanCensus } from '../support/census.js';
import { atEnd, bytesOf, codeOf, join, makePool, pattern, sleep } from './pools.js';

const SIZE = 512;

function sorted(spaces: readonly SpaceInfo[]): SpaceInfo[] {
  const nameOf = ({ namespace, kind, name }: SpaceInfo) => `${namespace} ${kind} ${name}`;
  return [...spaces].sort((a, b) => (nameOf(a) < nameOf(b) ? -1 : 1));
}

async function readOnly(path: string): Promise<Pool> {
  const pool = await connect(path, { readOnly: true });
  atEnd(() => pool.disconnect());
  return pool;
}

function named(pool: AttachedPool, name: string): SpaceInfo | undefined {
  return pool.spaces().find((space) => space.name === name);
}

/** The list, with something done before its step of that number. */
function listedWhile(pool: AttachedPool, at: number, act: () => void): SpaceInfo[] {
  const steps = listSpaces(pool.session.parts, () => {});
  for (let i = 0; ; i++) {
    if (i === at) act();
    const step = steps.next();
    if (step.done === true) return step.value;
  }
}

describe('spaces', () => {
  it('tells of each namespace and page space what is in it, on any node, and their bytes are all that are used', async () => {
    const pool = await makePool({ size: '16MiB' });
    const plain = new SharedCache(pool);
    const shop = new SharedCache(pool, { namespace: 'shop' });
    plain.pages('files', { pageSize: 600_000 }).put(3, pattern(600_000, 3));
    for (let i = 0; i < 10; i++) shop.set(`${'long '.repeat(20)}${i}`, pattern(100, i), { metadata: pattern(30, i) });
    const orders = shop.pages('orders', { pageSize: SIZE });
    for (let pageNo = 0; pageNo < 50; pageNo++) orders.put(pageNo, pattern(SIZE, pageNo));
    for (const from of [10, 20, 30]) orders.put(50, pattern(SIZE, from), { from });
    shop.pages('orders 2', { pageSize: SIZE });
    const chunks = Math.ceil(600_000 / pool.session.parts.geometry.chunkBytes);
    expect(chunks).to.be.above(1);
    const expected = [
      { kind: 'cache', name: '', namespace: '', objects: 0, bytes: 0, hits: 0 },
      {
        ...{ kind: 'pages', name: 'files', namespace: '', pageSize: 600_000 },
        ...{ objects: 1, bytes: chunks * pool.session.parts.geometry.chunkBytes, hits: 0 },
      },
      { kind: 'cache', name: 'shop', namespace: 'shop', objects: 10, bytes: 10 * 256, hits: 0 },
      { kind: 'pages', name: 'orders', namespace: 'shop', pageSize: SIZE, objects: 53, bytes: 53 * SIZE, hits: 0 },
      { kind: 'pages', name: 'orders 2', namespace: 'shop', pageSize: SIZE, objects: 0, bytes: 0, hits: 0 },
    ];
    for (const node of [pool, await join(pool.path), await readOnly(pool.path)]) {
      expect(sorted(node.spaces())).to.deep.equal(expected);
      expect(sorted(await node.spacesAsync())).to.deep.equal(expected);
    }
    const bytes = pool.spaces().reduce((sum, space) => sum + space.bytes, 0);
    expect(bytes).to.equal(pool.stats().bytesUsed);
  });

  it('counts neither objects without a name, nor drafts, nor what was superseded, invalidated, dropped or has expired', async () => {
    const pool = await makePool();
    const cache = new SharedCache(pool, { namespace: 'n' });
    const space = cache.pages('t', { pageSize: SIZE });
    pool.put('object', pattern(SIZE, 1));
    const writer = pool.checkpoint('state');
    writer.put('part', pattern(SIZE, 1));
    writer.commit();
    const held = [1, 2, 3].map((pageNo) => {
      space.put(pageNo, pattern(SIZE, pageNo));
      return space.get(pageNo);
    });
    cache.set('k', bytesOf('short'), { ttlMs: 20 });
    expect([named(pool, 't')?.objects, named(pool, 'n')?.objects]).to.deep.equal([3, 1]);
    space.put(1, pattern(SIZE, 10));
    space.invalidate(2);
    await sleep(40);
    let during: SpaceInfo | undefined;
    space.fetchSync(4, (pageNo, target) => {
      during = named(pool, 't');
      target.set(pattern(SIZE, pageNo));
    });
    expect([during?.objects, during?.bytes]).to.deep.equal([2, 2 * SIZE]);
    expect([named(pool, 't')?.objects, named(pool, 'n')?.objects]).to.deep.equal([3, 0]);
    space.drop();
    expect(pool.spaces().map(({ name }) => name)).to.deep.equal(['n']);
    cache.pages('t', { pageSize: 64 }).put(1, pattern(64, 1));
    expect(named(pool, 't')).to.include({ pageSize: 64, objects: 1, bytes: 64 });
    for (const page of held) page?.release();
  });

  it('answers while others hold every lock, and looks at no more than 512 slots or 64 names in a step', async () => {
    const pool = await makePool({ maxObjects: 4096, pageSize: SIZE });
    const other = await join(pool.path);
    const cache = new SharedCache(pool, { namespace: 'n' });
    for (let i = 0; i < 200; i++) cache.pages(`space ${i}`, { pageSize: SIZE }).put(i, pattern(SIZE, i));
    const { locks, geometry, slots, spaces } = other.session.parts;
    for (let lock = 0; lock < geometry.shards + 2; lock++) locks.acquire(lock);
    expect(pool.spaces()).to.have.length(201);
    for (let lock = 0; lock < geometry.shards + 2; lock++) locks.release(lock);
    const looks: number[] = [];
    let count = 0;
    const [stateWord, inUse] = [slots.stateWord.bind(slots), spaces.inUse.bind(spaces)];
    slots.stateWord = (slot) => {
      count++;
      return stateWord(slot);
    };
    spaces.inUse = (space) => {
      count += 16;
      return inUse(space);
    };
    const steps = listSpaces(other.session.parts, () => {});
    for (let step = steps.next(); step.done !== true; step = steps.next()) {
      looks.push(count);
      count = 0;
    }
    looks.push(count);
    // A slot with a page is looked at twice.
    expect(Math.max(...looks)).to.be.at.most(1024);
    expect(looks.reduce((sum, one) => sum + one)).to.be.at.least(slots.total + 201 * 16);
  });

  it('tells of a space that was dropped, stored in or got another name meanwhile only what is under its name by then', async () => {
    const pool = await makePool({ size: '4MiB', pageSize: 64, maxObjects: 4096, maxNodes: 4 });
    const cache = new SharedCache(pool);
    const { spaces } = pool.session.parts.geometry;
    for (let i = spaces; i > 2; i--) cache.pages(`kept ${i}`, { pageSize: 64 });
    const space = cache.pages('a', { pageSize: 64 });
    const fill = (count: number) => {
      for (let pageNo = 0; pageNo < count; pageNo++) space.put(pageNo, pattern(64, pageNo));
    };
    fill(2000);
    const all = Math.ceil(pool.session.parts.slots.total / 512);
    const dropped = listedWhile(pool, all >> 1, () => space.drop());
    expect(dropped.find(({ name }) => name === 'a')).to.equal(undefined);
    fill(2000);
    const again = listedWhile(pool, all, () => {
      space.drop();
      fill(7);
    });
    expect(again.find(({ name }) => name === 'a')).to.include({ objects: 0, bytes: 0 });
    fill(2000);
    const behind = listedWhile(pool, all >> 1, () => {
      space.drop();
      fill(1000);
    });
    expect(behind.find(({ name }) => name === 'a')?.objects).to.be.within(1, 1000);
    const renamed = listedWhile(pool, all, () => {
      space.drop();
      cache.pages('b', { pageSize: 64 });
    });
    expect(renamed.find(({ name }) => name === 'a')).to.equal(undefined);
    expect(renamed.find(({ name }) => name === 'b')).to.include({ objects: 0, bytes: 0 });
  });

  it('leaves a name out that changes while it is read', async () => {
    const pool = await makePool();
    new SharedCache(pool).pages('whole', { pageSize: SIZE });
    const { spaces, words, geometry } = pool.session.parts;
    expect(named(pool, 'whole')).to.include({ pageSize: SIZE });
    const number = spaces.find(bytesOf('\0whole'));
    const tenure = geometry.regions.spaces.word + (number - 1) * geometry.regions.spaces.stride + 2;
    const { pageSize } = Object.getPrototypeOf(spaces);
    spaces.pageSize = (space: number) => {
      if (space === number) words.store(tenure, nextSequence(words.load(tenure)));
      return pageSize.call(spaces, space);
    };
    expect(named(pool, 'whole')).to.equal(undefined);
  });

  it('says DISCONNECTED, also where the pool is disconnected while the loop turns', async () => {
    const path = (await makePool()).path;
    for (const node of [await join(path), (await readOnly(path)) as unknown as AttachedPool]) {
      const { machine } = (node.session ?? node) as { machine: { elapsedMs(): number } };
      let nowMs = 0;
      machine.elapsedMs = () => {
        nowMs += 10;
        return nowMs;
      };
      const list = node.spacesAsync();
      await node.disconnect();
      expect(await codeOf(() => list)).to.equal('DISCONNECTED');
      expect(await codeOf(() => node.spacesAsync())).to.equal('DISCONNECTED');
      expect(await codeOf(() => node.spaces())).to.equal('DISCONNECTED');
      expect(await codeOf(() => node.removeSpace('n'))).to.equal('DISCONNECTED');
    }
  });
});

describe('removeSpace', () => {
  it('hides all of a page space or of a cache on every node, and leaves its neighbours', async () => {
    const pool = await makePool();
    const other = await join(pool.path);
    const [mine, theirs] = [pool, other].map((node) => new SharedCache(node, { namespace: 'n' })) as [
      SharedCache,
      SharedCache,
    ];
    const pages = (cache: SharedCache) => ['a', 'b'].map((name) => cache.pages(name, { pageSize: SIZE }));
    const seen = () =>
      [mine, theirs].map((cache) => [cache.has('k'), ...pages(cache).map((space) => space.borrow(1) !== undefined)]);
    mine.set('k', bytesOf('v'));
    for (const space of pages(theirs)) space.put(1, pattern(SIZE, 1));
    expect(seen()).to.deep.equal([Array(3).fill(true), Array(3).fill(true)]);
    expect(other.removeSpace('a')).to.equal(true);
    expect(seen()).to.deep.equal([
      [true, false, true],
      [true, false, true],
    ]);
    expect(pool.removeSpace({ kind: 'cache', name: 'n' })).to.equal(true);
    expect(seen()).to.deep.equal([
      [false, false, true],
      [false, false, true],
    ]);
    // Opened again by `seen`, with nothing in it.
    expect(named(pool, 'a')).to.include({ objects: 0 });
    const [left] = other.spaces().filter(({ name }) => name === 'b');
    expect(pool.removeSpace(left as SpaceInfo)).to.equal(true);
    expect(pool.removeSpace(left as SpaceInfo)).to.equal(false);
    expect(pool.removeSpace('never')).to.equal(false);
    expect(named(other, 'b')).to.equal(undefined);
    await expectCleanCensus(pool.path);
  });

  it('keeps a load under way from publishing, and who has the space open goes on with what he stores later', async () => {
    const pool = await makePool();
    const space = new SharedCache(pool, { namespace: 'n' }).pages('t', { pageSize: SIZE });
    const loaded = space.fetchSync(1, (pageNo, target) => {
      expect(pool.removeSpace('t')).to.equal(true);
      target.set(pattern(SIZE, pageNo));
    });
    expect([loaded.slice(), space.borrow(1)]).to.deep.equal([pattern(SIZE, 1), undefined]);
    expect(named(pool, 't')).to.equal(undefined);
    expect(space.put(1, pattern(SIZE, 2))).to.equal(true);
    expect(named(pool, 't')).to.include({ objects: 1, bytes: SIZE, pageSize: SIZE });
  });

  it('frees the name where all are taken', async () => {
    const pool = await makePool({ size: '4MiB', pageSize: 64, maxObjects: 512, maxNodes: 4 });
    const cache = new SharedCache(pool);
    for (let i = pool.session.parts.geometry.spaces; i > 1; i--) cache.pages(`p${i}`, { pageSize: 64 });
    expect(await codeOf(() => cache.pages('more', { pageSize: 64 }))).to.equal('TOO_MANY_SPACES');
    expect(pool.removeSpace('p77')).to.equal(true);
    cache.pages('more', { pageSize: 64 });
    expect(await codeOf(() => cache.pages('p77', { pageSize: 64 }))).to.equal('TOO_MANY_SPACES');
  });

  it('refuses a name that several have, what is no name, and a read-only node', async () => {
    const pool = await makePool();
    const caches = ['', 'x', 'y'].map((namespace) => new SharedCache(pool, { namespace })) as SharedCache[];
    for (const cache of caches) cache.pages('x', { pageSize: SIZE }).put(1, pattern(SIZE, 1));
    expect(await codeOf(() => pool.removeSpace('x'))).to.equal('OPTION_INVALID');
    expect(pool.removeSpace({ kind: 'pages', name: 'x', namespace: 'y' })).to.equal(true);
    expect(pool.removeSpace({ kind: 'pages', name: 'x' })).to.equal(true);
    expect(caches.map((cache) => cache.pages('x', { pageSize: SIZE }).borrow(1)?.length)).to.deep.equal([
      undefined,
      SIZE,
      undefined,
    ]);
    caches[1]?.set('k', bytesOf('v'));
    for (const wrong of [
      { kind: 'pages', name: '', namespace: 'x' },
      { kind: 'cache', name: 'x\0x' },
      { name: 'x' },
      7,
    ]) {
      expect(await codeOf(() => pool.removeSpace(wrong as unknown as string)), String(wrong)).to.equal(
        'OPTION_INVALID',
      );
    }
    expect(caches[1]?.has('k')).to.equal(true);
    const reader = await readOnly(pool.path);
    expect(await codeOf(() => reader.removeSpace('y'))).to.equal('READ_ONLY');
  });
});
