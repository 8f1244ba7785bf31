import { expect } from 'chai';
import { PoolError } from '../../lib/errors.js';
import { type AttachedPool, connect } from '../../src/pool/index.js';
import { ChunkEntry, LockLine } from '../../src/pool/layout.js';
import { Yard } from './review-pool.js';

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
});
