import { expect } from 'chai';
import { PoolError } from '../../lib/errors.js';
import { Words } from '../../lib/words.js';
import { SharedCache } from '../../src/cache/index.js';
import { ChunkEntry } from '../../src/pool/layout/layout.js';
import { Locks } from '../../src/pool/nodes/locks.js';
import { expectCleanCensus } from '../support/census.js';
import { settle } from '../support/pools.js';
import { codeOf, Yard } from './review-pool.js';

const page = (byte: number) => new Uint8Array(4096).fill(byte);

describe('what repair and cleaning leave alone', () => {
  let yard: Yard;
  beforeEach(() => {
    yard = new Yard();
  });
  afterEach(() => yard.clear());

  it('a node that joined in a row since it was found dead keeps the row, and its pins count', async () => {
    await yard.format();
    const cleaner = await yard.connect();
    const joiner = await yard.connect();
    cleaner.put('key', page(1));
    const held = joiner.get('key');
    const { nodes } = joiner.session.parts;
    // As after cleaner.dead() found the row's last node, and before it began to clean.
    cleaner.session.repair.cleanRow(nodes.self);
    expect(nodes.isTaken(nodes.self)).to.equal(true);
    cleaner.delete('key');
    for (let i = 0; i < 2000; i++) cleaner.put(`other ${i}`, page(2));
    expect(held?.bytes[0]).to.equal(1);
  });

  it('the drafts of a node whose death only its file lock tells are undone with its row', async () => {
    await yard.format();
    const pool = await yard.connect();
    const gone = await yard.connect();
    gone.create('key', 4096);
    // As after a restart of the machine: no kernel has marked the row's mutex.
    const { nodes, segment } = gone.session.parts;
    segment.file.unlock(nodes.self);
    (pool as unknown as { upkeep: { tick(): void } }).upkeep.tick();
    expect(pool.stats().drafts).to.equal(0);
  });

  it('a page remembered while a repair goes on is forgotten when that repair retires it', async () => {
    await yard.format();
    const [writer, repairer, reader] = [await yard.connect(), await yard.connect(), await yard.connect()];
    const caches = [writer, repairer, reader].map((pool) => new SharedCache(pool));
    const [first, , third] = caches as [SharedCache, SharedCache, SharedCache];
    first.set('key', page(1));
    const { reclaimer } = writer.session.writer;
    // Cut off between the two pages' stores: both are sealed.
    reclaimer.announceEnd = () => {
      throw new PoolError('ABORTED', 'cut off');
    };
    expect(codeOf(() => first.set('key', page(2)))).to.equal('ABORTED');
    const { stripes, locks, geometry } = repairer.session.parts;
    let seen: number | undefined;
    const advanceAll = stripes.advanceAll.bind(stripes);
    // After everybody was made to forget the shard, and before the repair looks at its slots.
    stripes.advanceAll = (shard) => {
      seen ??= third.borrow('key')?.[0];
      advanceAll(shard);
    };
    for (let lock = 0; lock < geometry.shards; lock++) locks.recover(lock);
    expect(seen).to.equal(1);
    expect(third.borrow('key')?.[0]).to.equal(2);
  });

  it('a joining node does not take a lock of its row from one who is just taking it over', () => {
    const words = new (class extends Words {
      racing = true;
      override load(index: number): number {
        const seen = super.load(index);
        // Row 2 found row 0 dead before it was joined anew, and takes over right after this look.
        if (this.racing) super.compareExchange(index, seen, 0x1000 | 3);
        this.racing = false;
        return seen;
      }
    })(new ArrayBuffer(64));
    words.write(0, 1);
    const locks = new Locks({
      words,
      machine: { afterRun: () => {} } as never,
      judge: { isDead: () => false },
      regionWord: 0,
      row: 0,
      repair: () => {},
    });
    expect(locks.recoverOwn(1)).to.equal(0);
    expect(locks.ownerOf(0)).to.equal(2);
  });

  it('a lock is not taken from a node that joined the row of the owner found dead', () => {
    const words = new Words(new ArrayBuffer(64));
    const options = { words, regionWord: 0, repair: () => {} };
    const hooks = { afterRun: () => {} };
    const hold = () => new Locks({ ...options, machine: hooks as never, judge: { isDead: () => false }, row: 0 });
    const owner = hold();
    owner.acquire(0);
    let now = 0;
    let judgements = 0;
    const judge = {
      isDead: () => {
        if (judgements++ > 0) return false;
        // Between the look at the word and the take-over: the owner leaves, and another node takes its row and the lock.
        owner.release(0);
        hold().acquire(0);
        return true;
      },
    };
    const machine = { ...hooks, elapsedMs: () => (now += 500), park: () => {}, unpark: () => {} } as never;
    const other = new Locks({ ...options, machine, judge, row: 1 });
    expect(codeOf(() => other.acquire(0))).to.equal('BUSY');
    expect([judgements > 1, other.ownerOf(0)]).to.deep.equal([true, 0]);
  });

  it('a node that cannot give a claim back keeps its row, for others to clean', async () => {
    await yard.format();
    const [pool, leaving] = [await yard.connect(), await yard.connect()];
    const { locks, geometry, nodes, chunks, calls } = pool.session.parts;
    // Held over the end of the run, after which it would be given back as a cut call's.
    calls.settle = undefined;
    leaving.session.parts.chunks.claim(0, 1);
    locks.acquire(geometry.shards);
    await leaving.disconnect();
    locks.release(geometry.shards);
    expect(nodes.isTaken(leaving.session.parts.nodes.self)).to.equal(true);
    (pool as unknown as { upkeep: { tick(): void } }).upkeep.tick();
    expect(nodes.isTaken(leaving.session.parts.nodes.self)).to.equal(false);
    expect(chunks.claim(0, 1)).to.equal(true);
    chunks.unclaim(0, 1);
    await expectCleanCensus(yard.path);
  });

  it('a clear that was cut off is finished, and takes no page that was set since', async () => {
    await yard.format();
    const [dying, other] = [await yard.connect(), await yard.connect()];
    const [one, two] = [new SharedCache(dying), new SharedCache(other)];
    one.set('before', page(1));
    expect(two.borrow('before')?.[0]).to.equal(1);
    const { words, spaces, geometry } = dying.session.parts;
    const store = words.store.bind(words);
    words.store = (index, value) => {
      if (index === spaces.dropWord) throw new PoolError('ABORTED', 'cut off');
      store(index, value);
    };
    expect(codeOf(() => one.clear())).to.equal('ABORTED');
    words.store = store;
    const spaceLock = geometry.shards + 1;
    two.set('since', page(2));
    other.session.parts.locks.recover(spaceLock);
    expect(['before', 'since'].map((key) => two.borrow(key)?.[0])).to.deep.equal([undefined, 2]);
    expect(['before', 'since'].map((key) => one.borrow(key)?.[0])).to.deep.equal([undefined, 2]);
  });

  it('a chunk that was taken for a page is not left empty when somebody claims it at that moment', async () => {
    await yard.format({ size: '16MiB', maxObjects: 2048 });
    const [pool, other] = [await yard.connect(), await yard.connect()];
    const { chunks, shards } = pool.session.parts;
    const keysOf: string[][] = [[], []];
    for (let i = 0; i < 1200; i++) {
      const before = shards.live(0);
      pool.put(`key-${i}`, page(1));
      keysOf[shards.live(0) > before ? 0 : 1]?.push(`key-${i}`);
      pool.delete(`key-${i}`);
    }
    await settle(pool);
    // One shard takes all there is, so that another has to take a chunk from it.
    for (const key of keysOf[1] as string[]) pool.put(key, new Uint8Array(60_000));
    let claimed = -1;
    const takeClaimedChunk = chunks.takeClaimedChunk.bind(chunks);
    chunks.takeClaimedChunk = (shard, chunk) => {
      const isTaken = takeClaimedChunk(shard, chunk);
      if (isTaken && other.session.parts.chunks.claim(chunk, 1)) claimed = chunk;
      return isTaken;
    };
    expect(pool.put((keysOf[0] as string[])[0] as string, page(2))).to.equal(true);
    expect(claimed).to.not.equal(-1);
    other.session.parts.chunks.unclaim(claimed, 1);
    await settle(pool);
    await expectCleanCensus(yard.path);
  });

  it('a chunk being freed never looks like one of another shard', async () => {
    await yard.format({ size: '16MiB', maxObjects: 2048 });
    const pool = await yard.connect();
    const { chunks, words, geometry } = pool.session.parts;
    const chunk = chunks.takeFree(1);
    const entry = geometry.regions.chunkEntries.word + chunk * ChunkEntry.words;
    const seen: [number, number][] = [];
    const watch = (name: 'write' | 'store') => {
      const original = words[name].bind(words);
      words[name] = (index: number, value: number) => {
        original(index, value);
        if (index >= entry && index < entry + ChunkEntry.words) seen.push([chunks.kind(chunk), chunks.shard(chunk)]);
      };
    };
    watch('write');
    watch('store');
    chunks.free(chunk, 1);
    expect(seen).to.not.have.length(0);
    for (const [kind, shard] of seen)
      expect(kind === 1 || shard === 1, `kind ${kind} of shard ${shard}`).to.equal(true);
  });

  it('one row that cannot be cleaned keeps no other work of upkeep from being done', async () => {
    await yard.format();
    const pool = await yard.connect();
    const { nodes, locks } = pool.session.parts;
    nodes.dead = () => [5, 6];
    const cleaned: number[] = [];
    pool.session.repair.cleanRow = (row) => {
      cleaned.push(row);
      throw new PoolError('BUSY', 'a stopped node');
    };
    locks.acquire(0);
    locks.releaseDirty(0);
    (pool as unknown as { upkeep: { tick(): void } }).upkeep.tick();
    expect(cleaned).to.deep.equal([5, 6]);
    expect(locks.isDirty(0)).to.equal(false);
  });
});
