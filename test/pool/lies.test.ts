import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { ownFolder } from '../../lib/linux/index.js';
import { connect, inspect, SharedCache } from '../../src/index.js';
import { ChunkUse, LockLine, Slot, STATE_DRAFT, STATE_MASK, STATE_SEALED } from '../../src/pool/layout/layout.js';
import type { AttachedPool } from '../../src/pool/pool.js';
import { expectCleanCensus } from '../support/census.js';
import { makePage, pageFault } from '../support/pages.js';
import { Place } from './census/place.js';
import { leave } from './hostile/acts.js';

const DIRTY = 0x800;
const MARKS = fileURLToPath(new URL('./marks.process.js', import.meta.url));

/** One lie, or one death at a bad moment, and what must not come of it. */
describe('a lie in the metadata', () => {
  let folder: string;
  let path: string;
  let pool: AttachedPool;
  let at: Place;
  beforeEach(async () => {
    folder = ownFolder(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'lies');
    path = join(folder, 'pool');
    pool = (await connect(path, {
      create: { size: '1MiB', pageSize: 512, maxObjects: 64, maxNodes: 4 },
    })) as AttachedPool;
    at = new Place(pool.session.parts);
    for (let i = 0; i < 10; i++) pool.put(`key-${i}`, makePage(`key-${i}`, i, 500));
  });
  afterEach(async () => {
    await leave(pool);
    rmSync(folder, { recursive: true, force: true });
  });

  it('in a bitmap does not give one extent to two pages, and is repaired', async () => {
    const chunk = at.chunkOf(at.of('key-1'));
    at.set(at.word('bitmaps', chunk), () => 0);
    at.set(at.word('chunkUses', chunk, ChunkUse.word.lowest), () => 0);
    expect(() => pool.put('new', makePage('new', 1, 500))).to.throw('POOL_CORRUPT');
    expect(pool.put('new', makePage('new', 1, 500))).to.equal(true);
    for (let i = 0; i < 10; i++)
      expect(pageFault(pool.get(`key-${i}`)?.bytes as Uint8Array, `key-${i}`)).to.equal(undefined);
    await expectCleanCensus(path);
  });

  it('in the count of a chunk does not give the chunk away with pages in it, and is repaired', async () => {
    const { extents, slots } = pool.session.parts;
    const slot = at.of('key-1');
    const granules = extents.granulesOf(slots.extentBytes(slot));
    at.set(at.word('chunkUses', at.chunkOf(slot), ChunkUse.word.used), () => granules);
    expect(() => pool.delete('key-1')).to.throw('POOL_CORRUPT');
    for (let i = 0; i < 20; i++) pool.put(`new-${i}`, makePage(`new-${i}`, i, 500));
    for (let i = 2; i < 10; i++)
      expect(pageFault(pool.get(`key-${i}`)?.bytes as Uint8Array, `key-${i}`)).to.equal(undefined);
    await expectCleanCensus(path);
  });

  it('in a slot, told in the middle of a get, does not change what the get says', async () => {
    const { slots } = pool.session.parts;
    const slot = at.of('key-1');
    // What a thread beside this one does: at once after the slot was found to be intact.
    slots.verify = (verified) => {
      Object.getPrototypeOf(slots).verify.call(slots, verified);
      for (const field of ['size', 'extent', 'metadataLength'] as const)
        at.set(at.slot(slot, Slot.word[field]), (word) => word + 1);
    };
    const page = pool.get('key-1');
    expect(pageFault(page?.bytes as Uint8Array, 'key-1')).to.equal(undefined);
    expect(page?.metadata.length).to.equal(0);
  });

  it('in the state of a freed slot does not bring its page back', async () => {
    const slot = at.of('key-1');
    pool.delete('key-1');
    at.set(at.word('slots', 0) + slot * Slot.words, (word) => (word & ~STATE_MASK) | STATE_SEALED);
    at.set(at.word('locks', 0), (word) => word | DIRTY);
    pool.put('new', makePage('new', 1, 500));
    expect(pool.get('key-1')).to.equal(undefined);
    await expectCleanCensus(path);
  });

  it('in the extent of a draft is met when the draft is sealed', async () => {
    const draft = pool.create('draft', 500);
    const { slots } = pool.session.parts;
    const other = slots.extent(at.of('key-2'));
    for (let slot = 0; slot < slots.total; slot++) {
      if ((slots.stateWord(slot) & STATE_MASK) === STATE_DRAFT) at.set(at.slot(slot, Slot.word.extent), () => other);
    }
    expect(() => draft.seal()).to.throw('POOL_CORRUPT');
    expect(pageFault(pool.get('key-2')?.bytes as Uint8Array, 'key-2')).to.equal(undefined);
    pool.put('new', new Uint8Array(1));
    await expectCleanCensus(path);
  });

  it('in the slot of a page that is held does not give its memory to another, and is repaired when it is let go', async () => {
    const page = pool.get('key-1');
    const { bytes } = page as NonNullable<typeof page>;
    at.set(at.slot(at.of('key-1'), Slot.word.size), (size) => size + 1);
    for (let i = 0; i < 40; i++) {
      at.set(at.word('locks', 0), (word) => word | DIRTY);
      expect(() => pool.put(`new-${i}`, makePage(`new-${i}`, i, 500))).to.throw('POOL_CORRUPT');
    }
    expect(pageFault(bytes, 'key-1')).to.equal(undefined);
    expect(pageFault(pool.get('key-2')?.bytes as Uint8Array, 'key-2')).to.equal(undefined);
    page?.release();
    // Borrows end with the run.
    await Promise.resolve();
    for (let i = 0; i < 40; i++) expect(pool.put(`new-${i}`, makePage(`new-${i}`, i, 500))).to.equal(true);
    expect(pool.get('key-1')).to.equal(undefined);
    await expectCleanCensus(path);
  });

  it('that names this node itself as owner of a lock is no reason to wait', () => {
    at.set(at.word('locks', 0, LockLine.word.word), () => pool.node.id + 1);
    pool.put('new', new Uint8Array(1));
    expect(pool.has('key-1')).to.equal(true);
  });

  it('in the words of the robust mutexes ends no process that disconnects or connects', async () => {
    const other = (await connect(path)) as AttachedPool;
    for (const row of [pool.node.id, other.node.id]) {
      for (let i = 0; i < 16; i++) at.set(at.word('nodeMarks', row, i), () => 0x41414141);
    }
    const third = (await connect(path)) as AttachedPool;
    await other.disconnect();
    await third.disconnect();
    expect((await inspect(path)).nodes.map((node) => node.id)).to.deep.equal([pool.node.id]);
  });

  it('in the list of robust futexes, told while nodes connect and disconnect, ends no process', async function () {
    this.timeout(60_000);
    const child = spawn(process.execPath, [MARKS, path, '2000'], { stdio: ['ignore', 'pipe', 'inherit'] });
    let said = '';
    child.stdout.on('data', (data: Buffer) => {
      said += data.toString();
    });
    const [code, signal] = await once(child, 'close');
    expect([code, signal]).to.deep.equal([0, null]);
    expect(said).to.match(/^connected [1-9]/);
  });

  it('or a repair does not enter a draft again over which a page was set', async () => {
    const cache = new SharedCache(pool);
    const draft = pool.create('\u0000key', 100);
    const drafted = at.inState(STATE_DRAFT);
    expect(cache.set('key', makePage('key', 2, 200))).to.equal(true);
    // As if the setter had died before it swapped the entry.
    at.set(at.entryOf(at.of('\u0000key')), () => drafted + 1);
    at.set(at.word('locks', 0), (word) => word | DIRTY);
    pool.put('new', new Uint8Array(1));
    draft.seal();
    expect(cache.get('key')?.size).to.equal(200);
    await expectCleanCensus(path);
  });
});
