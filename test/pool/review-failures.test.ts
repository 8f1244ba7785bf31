import { closeSync, openSync, writeSync } from 'node:fs';
import { expect } from 'chai';
import { PoolError } from '../../lib/errors.js';
import { type AttachedPool, connect } from '../../src/pool/index.js';
import { ChunkEntry, LockLine, Superblock } from '../../src/pool/layout.js';
import { SMALL, Yard } from './review-pool.js';

const page = (byte: number) => new Uint8Array(4096).fill(byte);

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
