import { closeSync, openSync, writeSync } from 'node:fs';
import { expect } from 'chai';
import { PoolError } from '../../lib/errors.js';
import { Words } from '../../lib/words.js';
import { SharedCache } from '../../src/cache/index.js';
import { type AttachedPool, connect } from '../../src/pool/index.js';
import { ChunkEntry, LockLine, STATE_SEALED, Superblock } from '../../src/pool/layout/layout.js';
import { raiseUnsigned64, readUnsigned64, writeUnsigned64 } from '../../src/pool/layout/wide.js';
import { codeOf, SMALL, Yard } from './review-pool.js';

const page = (byte: number) => new Uint8Array(4096).fill(byte);

function tick(pool: AttachedPool): void {
  (pool as unknown as { upkeep: { tick(): void } }).upkeep.tick();
}

/** From now on sealing fails, until the function it returns is called. */
function stopSealing(pool: AttachedPool): () => void {
  const { writer } = pool.session;
  const { seal, abort } = writer;
  const busy = () => {
    throw new PoolError('BUSY', 'a stopped node');
  };
  writer.seal = busy;
  writer.abort = busy;
  return () => Object.assign(writer, { seal, abort });
}

describe('what an operation that fails gives back', () => {
  let yard: Yard;
  beforeEach(() => {
    yard = new Yard();
  });
  afterEach(() => yard.clear());

  it('a put that fails at its seal leaves neither key nor space taken', async () => {
    await yard.format();
    const pool = await yard.connect();
    const resume = stopSealing(pool);
    expect(codeOf(() => pool.put('key', page(1)))).to.equal('BUSY');
    resume();
    tick(pool);
    expect(pool.stats().drafts).to.equal(0);
    expect(pool.put('key', page(1))).to.equal(true);
  });

  it('a set that fails at its seal leaves no space taken', async () => {
    await yard.format();
    const pool = await yard.connect();
    const cache = new SharedCache(pool);
    const resume = stopSealing(pool);
    for (let i = 0; i < 3; i++) expect(codeOf(() => cache.set('key', page(1)))).to.equal('BUSY');
    resume();
    tick(pool);
    expect(pool.stats().drafts).to.equal(0);
    expect(pool.stats().bytesUsed).to.equal(0);
  });

  it('a load that cannot be published is served privately, and leaves the key to the next loader', async () => {
    await yard.format();
    const pool = await yard.connect();
    const pages = new SharedCache(pool).pages('table', { pageSize: 4096 });
    const resume = stopSealing(pool);
    // Served privately: a loading call never fails for what its shard's lock holder does.
    expect(pages.fetchSync(1, (_, target) => target.fill(1))[0]).to.equal(1);
    resume();
    tick(pool);
    const loaded = await pages.fetch(1, (_, target) => void target.fill(2));
    expect(loaded.bytes[0]).to.equal(2);
    expect(pages.borrow(1)?.[0]).to.equal(2);
  });

  it('evict leaves out a shard that cannot be had, and fails only when it freed nothing', async () => {
    await yard.format({ size: '64MiB', maxObjects: 8192 });
    const pool = await yard.connect();
    const { geometry } = pool.session.parts;
    expect(geometry.shards).to.be.above(2);
    for (let i = 0; i < 2000; i++) pool.put(`key ${i}`, page(1));
    const { evictor } = pool.session.writer;
    const { evictBytes } = evictor;
    let refused = 0;
    const damaged = new PoolError('POOL_CORRUPT', 'a damaged shard');
    const refuse = (isRefused: (shard: number) => boolean, error = damaged) => {
      evictor.evictBytes = (shard, bytes) => {
        if (!isRefused(shard)) return evictBytes.call(evictor, shard, bytes);
        refused++;
        throw error;
      };
    };
    refuse((shard) => shard === 0);
    expect(pool.evict(1_000_000)).to.be.at.least(1_000_000);
    expect(refused).to.equal(1);
    refuse(() => true);
    expect(codeOf(() => pool.evict(1_000_000))).to.equal('POOL_CORRUPT');
    expect(refused).to.equal(1 + geometry.shards);
    // Behind the chunk lock every shard would wait as long, and be left to repair.
    refuse(() => true, new PoolError('BUSY', 'a stopped node', { lock: geometry.shards }));
    expect(codeOf(() => pool.evict(1_000_000))).to.equal('BUSY');
    expect(refused).to.equal(2 + geometry.shards);
  });

  it('an aborted draft is taken back later when its shard is busy', async () => {
    await yard.format();
    const pool = await yard.connect();
    const draft = pool.create('key', 4096);
    const resume = stopSealing(pool);
    draft.abort();
    resume();
    tick(pool);
    expect(pool.stats().drafts).to.equal(0);
  });

  it('chunks claimed for an object are let go when emptying them fails', async () => {
    await yard.format();
    const pool = await yard.connect();
    for (let i = 0; i < 256; i++) pool.put(`key ${i}`, page(1));
    const { chunks, geometry } = pool.session.parts;
    const { evictor } = pool.session.writer;
    evictor.emptyChunks = () => {
      throw new PoolError('BUSY', 'a stopped node');
    };
    const size = geometry.chunkBytes * (geometry.chunks - 1);
    expect(codeOf(() => pool.create('large', size))).to.equal('BUSY');
    for (let chunk = 0; chunk < geometry.chunks; chunk++) expect(chunks.isClaimed(chunk)).to.equal(false);
  });

  it('chunks claimed for an object are let go when its creation fails', async () => {
    await yard.format();
    const pool = await yard.connect();
    for (let i = 0; i < 256; i++) pool.put(`key ${i}`, page(1));
    const { chunks, geometry } = pool.session.parts;
    chunks.takeClaimed = () => {
      throw new PoolError('BUSY', 'a stopped node');
    };
    expect(codeOf(() => pool.create('large', geometry.chunkBytes * (geometry.chunks - 1)))).to.equal('BUSY');
    for (let chunk = 0; chunk < geometry.chunks; chunk++) expect(chunks.isClaimed(chunk)).to.equal(false);
  });

  it('a connect that fails after it took a row gives the row back', async () => {
    await yard.format({ maxNodes: 2 });
    const pool = await yard.connect();
    const { words, geometry } = pool.session.parts;
    // The next row's last node died holding the chunk lock, and left the chunk table damaged.
    const lock = geometry.regions.locks.word + geometry.shards * LockLine.words;
    const kind = geometry.regions.chunkEntries.word + ChunkEntry.word.kind;
    const before = words.load(kind);
    words.store(lock, 2);
    words.store(kind, 77);
    const failed = await connect(yard.path).catch((error: PoolError) => error.code);
    expect(failed).to.equal('POOL_CORRUPT');
    const mutex = geometry.regions.nodeMarks.word + 16;
    expect(words.load(mutex) & 0x3fffffff).to.equal(0);
    words.store(kind, before);
    await yard.connect();
    expect(pool.nodes().map((node) => node.state)).to.deep.equal(['alive', 'alive']);
  });

  it('a format that was interrupted leaves nothing in the pool that is made of the file', async () => {
    await yard.format({ maxObjects: 64, eviction: 'none' });
    const file = openSync(yard.path, 'r+');
    const rest = Buffer.alloc(1024 * 1024, 0x7f);
    writeSync(file, rest, 0, rest.length, Superblock.bytes);
    writeSync(file, Buffer.alloc(4), 0, 4, Superblock.word.ready * 4);
    closeSync(file);
    const pool = await yard.connect({ create: { ...SMALL, maxObjects: 64, eviction: 'none' } });
    expect(pool.nodes()).to.have.length(1);
    expect(pool.stats()).to.include({ objects: 0, drafts: 0, limbo: 0, bytesUsed: 0 });
    for (let i = 0; i < 64; i++) expect(pool.put(`key ${i}`, page(1))).to.equal(true);
  });
});

describe('versions, spaces and listings', () => {
  let yard: Yard;
  beforeEach(() => {
    yard = new Yard();
  });
  afterEach(() => yard.clear());

  it('a bound of versions never falls, whichever of its two stores is the last', () => {
    for (const stores of [0, 1, 2]) {
      const words = new Words(new ArrayBuffer(64));
      const old = 2 ** 32 + 500;
      writeUnsigned64(words, 0, old);
      let left = stores;
      const store = words.store.bind(words);
      words.store = (index: number, value: number) => {
        if (left-- > 0) store(index, value);
      };
      raiseUnsigned64(words, 0, 2 ** 33 + 7);
      expect(readUnsigned64(words, 0)).to.be.at.least(old);
    }
  });

  it('the highest version is known before the version can be seen', async () => {
    await yard.format();
    const pool = await yard.connect();
    const pages = new SharedCache(pool).pages('table', { pageSize: 4096 });
    const { slots, spaces } = pool.session.parts;
    const highest: number[] = [];
    const transition = slots.transition.bind(slots);
    slots.transition = (slot, from, to) => {
      if (to === STATE_SEALED) highest.push(spaces.highest(slots.space(slot), slots.spaceGeneration(slot)));
      transition(slot, from, to);
    };
    pages.put(1, page(1), { from: 9 });
    expect(highest).to.deep.equal([9]);
  });

  it('no key of a cache is taken for a page of one of its spaces', async () => {
    await yard.format();
    const pool = await yard.connect();
    const cache = new SharedCache(pool);
    const pages = cache.pages('table', { pageSize: 4096 });
    cache.set('\u0000table\u0000\u0000\u0000\u0000\u0000\u0000\u0000\u0000\u0001', new Uint8Array(3));
    expect(pages.borrow(1)).to.equal(undefined);
  });

  it('readThrough says that it loaded even when its loader read another page from the cache', async () => {
    await yard.format();
    const [one, two] = [await yard.connect(), await yard.connect()];
    const space = (pool: AttachedPool) => new SharedCache(pool).pages('table', { pageSize: 4096 });
    const [mine, other] = [space(one), space(two)];
    const target = new Uint8Array(4096);
    const load = (_: number, into: Uint8Array) => {
      mine.readThrough(2, new Uint8Array(4096), () => {
        throw new Error('not to be loaded');
      });
      into.fill(1);
    };
    // Page 2 appears between the first look and the claim, so that the inner call meets another's load.
    const { session } = one;
    const find = session.findPage.bind(session);
    session.findPage = (keys, pageNo, asOf) => {
      const entry = find(keys, pageNo, asOf);
      if (pageNo === 2) other.put(2, new Uint8Array(4096).fill(2));
      return entry;
    };
    expect(mine.readThrough(1, target, load)).to.equal(false);
  });

  it('a listing of a read-only node says so once it is disconnected', async () => {
    await yard.format();
    const pool = await yard.connect();
    pool.put('key', page(1));
    pool.put('key 2', page(1));
    const reader = await connect(yard.path, { readOnly: true });
    const listing = reader.list();
    listing.next();
    await reader.disconnect();
    expect(codeOf(() => listing.next())).to.equal('DISCONNECTED');
  });

  it('a fetch leaves nothing behind on the signal it was given', async () => {
    await yard.format();
    const cache = new SharedCache(await yard.connect());
    const { signal } = new AbortController();
    let listeners = 0;
    const { addEventListener, removeEventListener } = signal;
    signal.addEventListener = (...args: Parameters<typeof addEventListener>) => {
      listeners++;
      addEventListener.apply(signal, args);
    };
    signal.removeEventListener = (...args: Parameters<typeof removeEventListener>) => {
      listeners--;
      removeEventListener.apply(signal, args);
    };
    (await cache.fetch('key', () => page(1), { signal })).release();
    expect(listeners).to.equal(0);
  });
});
