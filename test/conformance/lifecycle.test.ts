import { expect } from 'chai';
import { connect } from '../../src/index.js';
import { STATE_DRAFT, STATE_MASK } from '../../src/pool/layout/layout.js';
import { useProcesses } from '../process/child.js';
import { contentOf } from '../support/content.js';
import { codeOf, folderFor, GIB, KIB, MIB, pause, roomAt, settle, usePools } from '../support/pools.js';

const SMALL = { size: 4 * MIB, pageSize: 4 * KIB, maxNodes: 8 } as const;

function bytesOf(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

function text(bytes: Uint8Array | undefined): string | undefined {
  return bytes === undefined ? undefined : new TextDecoder().decode(bytes);
}

describe('conformance: the life of an object', () => {
  const pools = usePools();

  it('connect to a path where nothing is: POOL_NOT_FOUND, without waiting for the time limit', async () => {
    const started = performance.now();
    expect(await codeOf(() => connect(pools.path(), { timeoutMs: 600_000 }))).to.equal('POOL_NOT_FOUND');
    expect(await codeOf(() => connect(pools.path(), { readOnly: true, timeoutMs: 600_000 }))).to.equal(
      'POOL_NOT_FOUND',
    );
    expect(performance.now() - started).to.be.below(60_000);
  });

  for (const size of [0, 1, 63, 64, 65, 4095, 4096, 4097, 2 * MIB - 1, 2 * MIB, 2 * MIB + 1]) {
    it(`create, fill, seal and get give equal bytes of ${size} bytes, on the same node and on another`, async () => {
      const pool = await pools.create({ size: 12 * MIB });
      const other = await pools.connect(pool.path);
      const expected = new Uint8Array(size).map((_, i) => (i * 131 + (i >> 8)) & 0xff);
      const draft = pool.create('k', size);
      expect(draft.bytes.length).to.equal(size);
      draft.bytes.set(expected);
      draft.seal();
      for (const node of [pool, other]) {
        const page = node.get('k');
        expect(page?.size).to.equal(size);
        expect(Buffer.compare(page?.bytes ?? Buffer.from('none'), expected)).to.equal(0);
        page?.release();
      }
    });
  }

  it('create of a live key is refused and leaks nothing, sealed or draft', async () => {
    const pool = await pools.create(SMALL);
    const draft = pool.create('draft', 5000);
    pool.put('sealed', new Uint8Array(5000));
    const before = pool.stats();
    for (let i = 0; i < 100; i++) {
      expect(await codeOf(() => pool.create('draft', 100_000))).to.equal('KEY_EXISTS');
      expect(await codeOf(() => pool.create('sealed', 100_000))).to.equal('KEY_EXISTS');
      expect(pool.put('sealed', new Uint8Array(10))).to.equal(false);
      expect(pool.put('draft', new Uint8Array(10))).to.equal(false);
    }
    const after = pool.stats();
    expect([after.bytesUsed, after.objects, after.drafts]).to.deep.equal([before.bytesUsed, 1, 1]);
    draft.abort();
  });

  it('seal twice says ALREADY_SEALED, and seal after abort NOT_OWNER', async () => {
    const pool = await pools.create(SMALL);
    const sealed = pool.create('a', 10);
    sealed.seal();
    expect(await codeOf(() => sealed.seal())).to.equal('ALREADY_SEALED');
    sealed.abort();
    expect(pool.has('a')).to.equal(true);
    const aborted = pool.create('b', 10);
    aborted.abort();
    aborted.abort();
    expect(await codeOf(() => aborted.seal())).to.equal('NOT_OWNER');
    expect(pool.has('b')).to.equal(false);
  });

  it('a draft that was aborted does not seal the draft that another node made in its place', async () => {
    const pool = await pools.create(SMALL);
    const other = await pools.connect(pool.path);
    const mine = pool.create('k', 10);
    mine.abort();
    const theirs = other.create('k', 10);
    expect(await codeOf(() => mine.seal())).to.equal('NOT_OWNER');
    expect(pool.has('k')).to.equal(false);
    theirs.seal();
    expect(pool.has('k')).to.equal(true);
  });

  it('a draft that others undid does not seal what they made in its place, and says NOT_OWNER', async () => {
    const pool = await pools.create({ ...SMALL, maxObjects: 1 });
    const other = await pools.connect(pool.path);
    const { parts, writer } = pool.session;
    for (const owner of [pool, other]) {
      const mine = pool.create('k', 10);
      // What a node does that takes this one for dead.
      parts.locks.acquire(0);
      const slots = Array.from({ length: parts.slots.total }, (_, slot) => slot);
      const slot = slots.find((one) => (parts.slots.stateWord(one) & STATE_MASK) === STATE_DRAFT) as number;
      writer.reclaimer.undoDraft(0, slot);
      parts.locks.release(0);
      const theirs = owner.create('k', 10);
      expect(await codeOf(() => mine.seal())).to.equal('NOT_OWNER');
      expect(other.has('k')).to.equal(false);
      mine.abort();
      theirs.seal();
      expect(other.delete('k')).to.equal(true);
      await settle(pool);
    }
  });

  it('getMany keeps the order, tells the missing, and takes a key twice', async () => {
    const pool = await pools.create(SMALL);
    for (const key of ['a', 'b', 'c']) pool.put(key, bytesOf(key));
    const pages = pool.getMany(['c', 'nothing', 'a', 'c', 'a', 'b', 'nothing']);
    expect(pages.map((page) => text(page?.bytes))).to.deep.equal(['c', undefined, 'a', 'c', 'a', 'b', undefined]);
    pages[0]?.release();
    expect(text(pages[3]?.bytes)).to.equal('c');
    for (const page of pages) page?.release();
    expect(pool.stats().pins).to.equal(0);
    const waited = await pool.waitForMany(['b', 'a', 'b'], { timeoutMs: 1000 });
    expect(waited.map((page) => text(page.bytes))).to.deep.equal(['b', 'a', 'b']);
    for (const page of waited) page.release();
    expect(pool.stats().pins).to.equal(0);
  });

  it('waitForMany that times out leaves no pin behind', async () => {
    const pool = await pools.create(SMALL);
    pool.put('a', bytesOf('a'));
    expect(await codeOf(() => pool.waitForMany(['a', 'never'], { timeoutMs: 30 }))).to.equal('TIMEOUT');
    const ended = new AbortController();
    const waiting = codeOf(() => pool.waitForMany(['a', 'never'], { signal: ended.signal }));
    await pause(10);
    ended.abort();
    expect(await waiting).to.equal('ABORTED');
    expect(pool.stats().pins).to.equal(0);
  });

  it('abort gives back key and space', async () => {
    const pool = await pools.create(SMALL);
    for (const size of [0, 1, 100, 5000, 700_000]) {
      const draft = pool.create('k', size, { metadata: new Uint8Array(30) });
      expect(pool.stats().drafts).to.equal(1);
      draft.abort();
      expect([pool.stats().drafts, pool.stats().bytesUsed, [...pool.list()].length]).to.deep.equal([0, 0, 0]);
    }
    {
      using draft = pool.create('k', 10);
      draft.bytes[0] = 1;
    }
    expect(pool.put('k', bytesOf('new'))).to.equal(true);
  });

  it('one key created and deleted 1,000 times gives all space back', async () => {
    const pool = await pools.create(SMALL);
    for (let i = 0; i < 1000; i++) {
      expect(pool.put('k', contentOf('k', i, 16 + ((i * 37) % 9000)))).to.equal(true);
      expect(pool.delete('k')).to.equal(true);
    }
    expect(pool.delete('k')).to.equal(false);
    await settle(pool);
    const { bytesUsed, objects, limbo } = pool.stats();
    expect([bytesUsed, objects, limbo]).to.deep.equal([0, 0, 0]);
  });

  it('whoever holds only the metadata of a page keeps the page', async () => {
    const pool = await pools.create(SMALL);
    const metadata = bytesOf('about the page');
    pool.put('k', contentOf('k', 1, 3000), { metadata });
    const page = pool.get('k');
    const held = page?.metadata;
    pool.delete('k');
    await settle(pool);
    expect(pool.stats().limbo).to.equal(1);
    for (let i = 0; i < 2000; i++) pool.put(`other-${i}`, new Uint8Array(3014).fill(0xee));
    expect(held).to.deep.equal(metadata);
    page?.release();
    await settle(pool);
    expect(pool.stats().limbo).to.equal(0);
  });

  it('list tells keys, sizes, states, generations, metadata and retention; stats count the same', async () => {
    const pool = await pools.create(SMALL);
    const binary = Uint8Array.of(0xff, 0, 1);
    pool.put('a', new Uint8Array(10), { metadata: new Uint8Array(3) });
    pool.put('b', new Uint8Array(0), { retain: true, ttlMs: 100_000 });
    pool.put(binary, new Uint8Array(1));
    pool.put('x'.repeat(1024), new Uint8Array(2));
    const draft = pool.create('d', 20);
    const found = [...pool.list()].sort((a, b) => a.size - b.size);
    const short = found.map(({ key, size, state, metadataSize, retained }) => ({
      key,
      size,
      state,
      metadataSize,
      retained,
    }));
    const plain = { state: 'sealed', metadataSize: 0, retained: false };
    expect(short).to.deep.equal([
      { ...plain, key: 'b', size: 0, retained: true },
      { ...plain, key: Buffer.from(binary).toString('base64url'), size: 1 },
      { ...plain, key: 'x'.repeat(1024), size: 2 },
      { ...plain, key: 'a', size: 10, metadataSize: 3 },
      { ...plain, key: 'd', size: 20, state: 'draft' },
    ]);
    expect(found.every((info) => info.generation > 0)).to.equal(true);
    expect(found[0]?.expiresAt?.getTime()).to.be.above(Date.now());
    for (const { keyBytes, state } of found) expect(pool.has(keyBytes)).to.equal(state === 'sealed');
    expect([...pool.list({ prefix: 'x' })].map((info) => info.size)).to.deep.equal([2]);
    expect([...pool.list({ prefix: binary.subarray(0, 2) })].map((info) => info.size)).to.deep.equal([1]);
    const stats = pool.stats();
    expect([stats.objects, stats.drafts, stats.pins]).to.deep.equal([4, 1, 0]);
    expect(stats.bytesUsed + stats.bytesFree).to.equal(stats.bytesData);
    draft.abort();
  });

  it('expired is a miss, and the key is free again', async () => {
    const pool = await pools.create(SMALL);
    pool.put('k', bytesOf('old'), { ttlMs: 20 });
    const page = pool.get('k');
    await pause(30);
    expect([pool.get('k'), pool.has('k'), pool.delete('k')]).to.deep.equal([undefined, false, false]);
    expect(text(page?.bytes)).to.equal('old');
    expect(pool.put('k', bytesOf('new'))).to.equal(true);
    expect(text(pool.get('k')?.bytes)).to.equal('new');
  });

  it('keys of 0, 65,536 and 21,846 three-byte characters are refused by every call that takes one', async () => {
    const pool = await pools.create(SMALL);
    for (const key of [
      '',
      'k'.repeat(65_536),
      '\u20ac'.repeat(21_846),
      new Uint8Array(0),
      new Uint8Array(65_536),
      '\ud800',
    ]) {
      const calls = [
        () => pool.create(key, 1),
        () => pool.put(key, new Uint8Array(1)),
        () => pool.get(key),
        () => pool.getMany([key]),
        () => pool.waitFor(key, { timeoutMs: 1 }),
        () => pool.has(key),
        () => pool.delete(key),
      ];
      for (const call of calls) expect(await codeOf(call)).to.equal('KEY_INVALID');
    }
    for (const key of ['k'.repeat(65_535), '\u20ac'.repeat(21_845), new Uint8Array(65_535), new Uint8Array(1024)]) {
      expect(pool.put(key, bytesOf('v'))).to.equal(true);
      expect(text(pool.get(key)?.bytes)).to.equal('v');
      expect(pool.delete(key)).to.equal(true);
    }
  });
});

describe('conformance: the life of an object, across processes', () => {
  const pools = usePools();
  const processes = useProcesses();

  it('get before the seal is a miss, and a waiting process has the page as soon as it is sealed', async () => {
    const pool = await pools.create(SMALL);
    const [one] = await processes.connect(pool.path, 1);
    const draft = pool.create('k', 10);
    draft.bytes.fill(7);
    expect(await one?.call('get', 'k')).to.equal(undefined);
    expect(await one?.call('has', 'k')).to.equal(false);
    let isFound = false;
    const waiting = one?.call('waitFor', 'k', 30_000).then((bytes) => {
      isFound = true;
      return bytes;
    });
    await pause(50);
    expect(isFound).to.equal(false);
    draft.seal();
    expect(await waiting).to.deep.equal(new Uint8Array(10).fill(7));
  });

  it('a waiter waits through drafts that are aborted or whose node dies', async () => {
    const pool = await pools.create(SMALL);
    const [dying, waiter] = await processes.connect(pool.path, 2);
    await dying?.call('create', 'k', 10);
    const waiting = waiter?.call('waitFor', 'k', 30_000);
    await dying?.call('abort', 'k');
    await dying?.call('create', 'k', 10);
    await dying?.kill();
    expect(pool.put('k', bytesOf('at last'))).to.equal(true);
    expect(text(await waiting)).to.equal('at last');
  });

  it('of a draft another process cannot be seal or abort: its key is taken, its bytes are not seen', async () => {
    const pool = await pools.create(SMALL);
    const [one] = await processes.connect(pool.path, 1);
    const draft = pool.create('k', 10);
    expect(await codeOf(() => one?.call('create', 'k', 10))).to.equal('KEY_EXISTS');
    expect(await one?.call('put', 'k', bytesOf('x'))).to.equal(false);
    expect(await one?.call('delete', 'k')).to.equal(false);
    draft.seal();
    expect(await one?.call('delete', 'k')).to.equal(true);
  });

  it('a sealed page may not be written: the process that does dies by SIGSEGV, and the page is unharmed', async () => {
    const pool = await pools.create(SMALL);
    const expected = contentOf('k', 3, 9000);
    pool.put('k', expected);
    const [vandal, witness] = await processes.connect(pool.path, 2);
    vandal?.call('scribble', 'k').catch(() => {});
    expect(await vandal?.ended).to.equal('SIGSEGV');
    expect(await witness?.call('check', 'k')).to.equal(3);
    expect(Buffer.compare(pool.get('k')?.bytes ?? Buffer.alloc(0), expected)).to.equal(0);
  });

  it('with SEALPOOL_DEBUG=copy the process that writes a page lives on with its private copy', async () => {
    const pool = await pools.create(SMALL);
    pool.put('k', contentOf('k', 3, 9000));
    const vandal = await processes.start({ SEALPOOL_DEBUG: 'copy' });
    await vandal.call('connect', pool.path);
    expect(await vandal.call('scribble', 'k')).to.equal('survived');
    const page = pool.get('k');
    expect(page?.copy()).to.deep.equal(contentOf('k', 3, 9000));
  });
});

describe('conformance: objects of gigabytes', () => {
  const pools = usePools();
  const processes = useProcesses();

  for (const wanted of [GIB, 3 * GIB]) {
    const size = roomAt(folderFor(wanted)) > wanted * 1.25 ? wanted : 48 * MIB + 1;
    const why = size === wanted ? '' : ` (no room here for ${wanted})`;
    it(`an object of ${size} bytes comes through whole${why}`, async function () {
      this.timeout(180_000);
      // A process of its own: with it goes its mapping, and so the memory.
      const node = await processes.start();
      const found = await node.call('large', pools.path(), size);
      expect(found).to.deep.equal({ size, differs: -1, used: 0 });
      pools.remove();
    });
  }
});
