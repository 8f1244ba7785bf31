/** Restoring a pool after a restart of the machine: what starts it, what it stands, and what it never gives back. */
import { AsyncLocalStorage } from 'node:async_hooks';
import { copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import { expect } from 'chai';
import { Words } from '../../lib/words.js';
import { SharedCache } from '../../src/cache/index.js';
import { inspect } from '../../src/index.js';
import type { RegionName } from '../../src/pool/layout/geometry.js';
import { Control } from '../../src/pool/layout/layout.js';
import type { Page } from '../../src/pool/layout/types.js';
import type { AttachedPool } from '../../src/pool/pool.js';
import { useProcesses } from '../process/child.js';
import { expectCleanCensus } from '../support/census.js';
import { Chance } from '../support/chance.js';
import { checkContent, contentOf } from '../support/content.js';
import { diskFolder, useDisk } from '../support/disk.js';
import { codeOf, KIB, LONG, MIB, pause, settle, usePools } from '../support/pools.js';

const SHAPE = { size: 4 * MIB, pageSize: 512, maxNodes: 4, maxObjects: 2048 } as const;
const PAGES = 120;

function keyOf(i: number): string {
  return i % 5 === 0 ? `${'k'.repeat(50)}${i}` : `k${i}`;
}

function fill(pool: AttachedPool): void {
  for (let i = 0; i < PAGES; i++) {
    const bytes = contentOf(keyOf(i), i, i % 40 === 0 ? 100 * KIB : 16 + i * 20);
    pool.put(keyOf(i), bytes, { metadata: Uint8Array.of(i), retain: i % 3 === 0 });
  }
}

function expectAll(pool: AttachedPool, but: (i: number) => boolean = () => false): void {
  for (let i = 0; i < PAGES; i++) {
    using page = pool.get(keyOf(i));
    if (but(i)) continue;
    expect(page, keyOf(i)).to.not.equal(undefined);
    expect([checkContent((page as Page).bytes, keyOf(i)), page?.metadata[0]]).to.deep.equal([i, i]);
  }
}

const folder = diskFolder();
if (folder !== undefined) {
  describe('restoring after a restart of the machine', () => {
    const pools = usePools();
    const processes = useProcesses();
    const path = useDisk(folder);

    /** A copy of a pool's file is what a machine leaves that stopped at that moment with everything written. */
    async function filled(): Promise<{ copy: string; pool: AttachedPool }> {
      const pool = await pools.connect(path(), { create: SHAPE });
      fill(pool);
      const copy = path();
      copyFileSync(pool.path, copy);
      return { copy, pool };
    }

    it('another boot id or another file starts it, once; deaths of processes do not', async () => {
      const { copy, pool } = await filled();
      expect((await pools.connect(copy)).stats().restores).to.equal(1);
      expect((await pools.connect(copy)).stats().restores).to.equal(1);
      await pools.disconnect();
      expect((await pools.connect(copy)).stats().restores).to.equal(1);
      const [dying] = await processes.connect(pool.path, 1);
      await dying?.call('create', 'draft', 100);
      await dying?.kill();
      const next = await pools.connect(pool.path);
      expect([next.stats().restores, next.put('draft', new Uint8Array(1))]).to.deep.equal([0, true]);
      await pools.disconnect();
      const bytes = readFileSync(pool.path);
      const { geometry } = pool.session.parts;
      bytes.writeInt32LE(0x1234, (geometry.regions.control.word + Control.word.boot) * 4);
      writeFileSync(pool.path, bytes);
      const restored = await pools.connect(pool.path);
      expect([restored.stats().restores, restored.stats().damaged]).to.deep.equal([1, 0]);
      expectAll(restored);
    });

    it('drops pages with tags, as an invalidation of one may be lost, and none that has none', async () => {
      const pool = await pools.connect(path(), { create: SHAPE });
      const cache = new SharedCache(pool);
      cache.set('plain', new Uint8Array(10), { metadata: new Uint8Array(20) });
      cache.set('tagged', new Uint8Array(10), { tags: ['t'] });
      const copy = path();
      copyFileSync(pool.path, copy);
      const restored = new SharedCache(await pools.connect(copy));
      expect([restored.has('plain'), restored.has('tagged'), cache.has('tagged')]).to.deep.equal([true, false, true]);
      restored.set('tagged', new Uint8Array(10), { tags: ['t'] });
      expect(restored.has('tagged')).to.equal(true);
      restored.invalidateTags(['t']);
      expect(restored.has('tagged')).to.equal(false);
    });

    it('a pool in memory has no checksums and is never restored', async () => {
      const pool = await pools.create(SHAPE);
      const isInMemory = !pool.session.parts.segment.survivesRestart;
      fill(pool);
      const copy = pools.path();
      copyFileSync(pool.path, copy);
      const { slots } = pool.session.parts;
      let withChecksum = 0;
      for (let slot = 0; slot < slots.total; slot++) if (slots.isIntact(slot) && slots.isWhole(slot)) withChecksum++;
      expect(withChecksum).to.equal(isInMemory ? 0 : PAGES);
      expect((await pools.connect(copy)).stats().restores).to.equal(isInMemory ? 0 : 1);
      // Copied to a disk, it has nothing to show that its pages are whole.
      const onDisk = path();
      copyFileSync(pool.path, onDisk);
      expect((await pools.connect(onDisk)).stats().objects).to.equal(isInMemory ? 0 : PAGES);
    });

    const NOT_DERIVED: readonly RegionName[] = ['superblock', 'slots'];
    for (const what of ['zeroes', 'ones', 'noise'] as const) {
      it(`a region of ${what} costs none of the pages, whichever it is but the slots`, async function () {
        this.timeout(120_000);
        const { copy, pool } = await filled();
        const { regions } = pool.session.parts.geometry;
        const original = readFileSync(copy);
        const chance = new Chance(7);
        for (const name of Object.keys(regions) as RegionName[]) {
          if (NOT_DERIVED.includes(name)) continue;
          const { word, stride, count } = regions[name];
          const bytes = Buffer.from(original);
          for (let i = word; i < word + stride * count; i++) {
            bytes.writeInt32LE(what === 'zeroes' ? 0 : what === 'ones' ? -1 : chance.word(), i * 4);
          }
          const damaged = path();
          writeFileSync(damaged, bytes, { mode: 0o600 });
          try {
            const restored = await pools.connect(damaged);
            expectAll(restored);
            await expectCleanCensus(damaged);
            new SharedCache(restored).pages('t', { pageSize: KIB }).put(1, contentOf('t', 1, KIB), { from: 1 });
            expect(restored.put('new', new Uint8Array(3000))).to.equal(true);
            await restored.disconnect();
          } catch (error) {
            throw new Error(`${what} in ${name}: ${(error as Error).stack}`);
          }
        }
      });
    }

    it('noise in some slots costs the pages of those slots only', async () => {
      const { copy, pool } = await filled();
      const { slots } = pool.session.parts;
      const bytes = readFileSync(copy);
      const chance = new Chance(11);
      const hit = new Set<string>();
      for (let i = 0; i < 60; i++) {
        const slot = chance.below(slots.total);
        hit.add(Buffer.from(slots.keyBytes(slot)).toString());
        for (let word = 0; word < 32; word++) bytes.writeInt32LE(chance.word(), (slots.wordOf(slot) + word) * 4);
      }
      writeFileSync(copy, bytes);
      const restored = await pools.connect(copy);
      expectAll(restored, (i) => hit.has(keyOf(i)));
      await expectCleanCensus(copy);
    });

    it('one bit turned over in a page, its key, its metadata or its fields costs that page and is counted', async () => {
      const { copy, pool } = await filled();
      const original = readFileSync(copy);
      const { slots, geometry } = pool.session.parts;
      const chance = new Chance(13);
      const { word } = (await import('../../src/pool/layout/layout.js')).Slot;
      // owner, its incarnation and the lease are of the draft; until only ever comes down.
      const unbound = [word.state, word.owner, word.ownerIncarnation, word.leaseCount, word.until, word.until + 1];
      for (let round = 0; round < 30; round++) {
        const i = chance.below(PAGES);
        const slot = pool.session.reader.search(
          (pool as unknown as { keys: { strings: never } }).keys.strings,
          keyOf(i),
          (pool as unknown as { keys: { encode(key: string): never } }).keys.encode(keyOf(i)),
          undefined,
        )?.slot as number;
        const extent = geometry.dataOffset + slots.extent(slot) * geometry.granuleBytes;
        const inSlot = [...Array(word.key + Math.ceil(Math.min(40, slots.keyLength(slot)) / 4)).keys()];
        const field = chance.pick(inSlot.filter((at) => !unbound.includes(at) && (at < word.key || i % 5 !== 0)));
        const isShortKey = field >= word.key && slots.keyLength(slot) - (field - word.key) * 4 < 4;
        const inData = extent + chance.below(slots.extentBytes(slot));
        const at = round % 2 === 0 ? inData : (slots.wordOf(slot) + field) * 4 + (isShortKey ? 0 : chance.below(4));
        const bytes = Buffer.from(original);
        bytes[at] = (bytes[at] as number) ^ (1 << chance.below(8));
        writeFileSync(copy, bytes);
        const damaged = path();
        copyFileSync(copy, damaged);
        const restored = await pools.connect(damaged);
        expect(restored.stats().damaged, `byte ${at}, slot ${slot}, field ${field}`).to.equal(1);
        expect(restored.has(keyOf(i))).to.equal(false);
        expectAll(restored, (other) => other === i);
        await restored.disconnect();
      }
    });

    it('a slot of two moments is no page, though each half agrees with itself', async () => {
      const pool = await pools.connect(path(), { create: { ...SHAPE, maxObjects: 64 } });
      const { slots } = pool.session.parts;
      const slotOf = () => {
        for (let slot = 0; slot < slots.total; slot++)
          if (Buffer.from(slots.keyBytes(slot)).toString() === 'k') return slot;
        throw new Error('the page is not there');
      };
      pool.put('k', contentOf('k', 1, 1000));
      const slot = slotOf();
      const older = readFileSync(pool.path);
      pool.delete('k');
      await settle(pool);
      while (!pool.has('k') || slotOf() !== slot) {
        pool.delete('k');
        await settle(pool);
        pool.put('k', contentOf('k', 2, 1000));
      }
      const mixed = readFileSync(pool.path);
      // The second line and the bytes of the first page, the first line of the second.
      const line = slots.wordOf(slot) * 4 + 64;
      older.copy(mixed, line, line, line + 64);
      const { dataOffset } = pool.session.parts.geometry;
      older.copy(mixed, dataOffset, dataOffset);
      const copy = path();
      writeFileSync(copy, mixed, { mode: 0o600 });
      const restored = await pools.connect(copy);
      expect([restored.has('k'), restored.stats().damaged]).to.deep.equal([false, 1]);
    });

    it('drafts and what was retired take no room afterwards, whoever held it', async () => {
      const pool = await pools.connect(path(), { create: SHAPE });
      pool.put('gone', new Uint8Array(5000));
      pool.put('stays', new Uint8Array(1000));
      const page = pool.get('gone');
      pool.create('draft', 3000);
      pool.delete('gone');
      expect([page?.size, pool.stats().limbo, pool.stats().drafts]).to.deep.equal([5000, 1, 1]);
      const copy = path();
      copyFileSync(pool.path, copy);
      const { objects, drafts, limbo, bytesUsed, pins } = (await pools.connect(copy)).stats();
      expect([objects, drafts, limbo, bytesUsed, pins]).to.deep.equal([1, 0, 0, 1024, 0]);
    });

    it('a dropped space stays dropped, and a space whose name was lost gives its pages to no other', async () => {
      const pool = await pools.connect(path(), { create: SHAPE });
      const cache = new SharedCache(pool);
      const pages = cache.pages('t', { pageSize: KIB });
      pages.put(1, contentOf('old', 1, KIB));
      pages.drop();
      pages.put(2, contentOf('new', 2, KIB));
      const { words, geometry } = pool.session.parts;
      const copy = path();
      copyFileSync(pool.path, copy);
      const restored = await pools.connect(copy);
      const again = new SharedCache(restored).pages('t', { pageSize: KIB });
      expect([again.borrow(1), again.borrow(2)?.[4]]).to.deep.equal([undefined, 2]);
      await restored.disconnect();
      // The space table as it was before the cache and its pages were entered.
      const bytes = readFileSync(pool.path);
      const { word, stride, count } = geometry.regions.spaces;
      for (let i = 0; i < stride * count; i++) bytes.writeInt32LE(i % stride === 0 ? 1 : 0, (word + i) * 4);
      expect(words.read(word)).to.equal(2);
      const lost = path();
      writeFileSync(lost, bytes, { mode: 0o600 });
      const other = await pools.connect(lost);
      for (const name of ['x', 't', 'y', 't']) new SharedCache(other).pages(name, { pageSize: KIB }).drop();
      expect(new SharedCache(other).pages('t', { pageSize: KIB }).borrow(2)).to.equal(undefined);
      expect(other.stats().objects).to.equal(0);
    });

    it('cut off anywhere, it is done again from the start by the next opener', async function () {
      this.timeout(LONG ? 1_200_000 : 120_000);
      const { copy } = await filled();
      const chance = new Chance(17);
      // Of the call that is cut: the timers of other pools store as well.
      const ours = new AsyncLocalStorage<true>();
      const { write, store, copyIn } = Words.prototype;
      let cutOff = 0;
      for (let round = 0; round < (LONG ? 300 : 30); round++) {
        const damaged = path();
        copyFileSync(copy, damaged);
        for (const most of [30_000, 30_000, 1000]) {
          let left = chance.below(most);
          const counted = (original: typeof write) =>
            function (this: Words, index: number, value: number): void {
              if (ours.getStore() === true && left-- === 0) throw new Error('cut off');
              original.call(this, index, value);
            };
          Words.prototype.write = counted(write);
          Words.prototype.store = counted(store);
          Words.prototype.copyIn = function (index, source) {
            if (ours.getStore() !== true) return copyIn.call(this, index, source);
            // Each word is a store.
            copyIn.call(this, index, source.subarray(0, Math.max(0, left)));
            const isLast = left >= 0 && left < source.length;
            left -= source.length;
            if (isLast) throw new Error('cut off');
          };
          try {
            await ours.run(true, async () => (await pools.connect(damaged)).disconnect());
          } catch (error) {
            expect((error as Error).message).to.equal('cut off');
            cutOff++;
          } finally {
            Object.assign(Words.prototype, { write, store, copyIn });
          }
        }
        const restored = await pools.connect(damaged);
        expectAll(restored);
        await expectCleanCensus(damaged);
        await restored.disconnect();
      }
      expect(cutOff).to.be.above(10);
    });

    it('a process killed while it restores leaves the work to the next', async function () {
      this.timeout(LONG ? 600_000 : 120_000);
      const { copy } = await filled();
      for (let round = 0; round < (LONG ? 40 : 4); round++) {
        const damaged = path();
        copyFileSync(copy, damaged);
        const node = await processes.start();
        node.call('connect', damaged).catch(() => {});
        await pause(round * 3);
        await node.kill();
        const restored = await pools.connect(damaged);
        expectAll(restored);
        await expectCleanCensus(damaged);
        await restored.disconnect();
      }
    });

    it('of nodes that open it at once one restores and the others find it whole', async () => {
      const { copy } = await filled();
      const nodes = await Promise.all([1, 2, 3].map(() => processes.start()));
      await Promise.all(nodes.map((node) => node.call('connect', copy)));
      const pool = await pools.connect(copy);
      expect([pool.stats().restores, pool.nodes().length]).to.deep.equal([1, 4]);
      expectAll(pool);
    });

    it('before it, a read-only node hands out whole pages only, and inspect says that it is due', async () => {
      const { copy, pool } = await filled();
      const bytes = readFileSync(copy);
      const { slots, geometry } = pool.session.parts;
      const broken: string[] = [];
      for (let slot = 0; slot < slots.total; slot += 3) {
        if (!slots.isIntact(slot) || slots.size(slot) === 0) continue;
        broken.push(Buffer.from(slots.keyBytes(slot)).toString());
        const at = geometry.dataOffset + slots.extent(slot) * geometry.granuleBytes;
        bytes[at] = (bytes[at] as number) ^ 1;
      }
      writeFileSync(copy, bytes);
      const report = await inspect(copy);
      expect([report.ok, report.problems[0]?.code]).to.deep.equal([true, 'NOT_RESTORED']);
      const reader = await pools.connect(copy, { readOnly: true });
      for (let i = 0; i < PAGES; i++) {
        const page = reader.get(keyOf(i));
        expect(page === undefined, keyOf(i)).to.equal(broken.includes(keyOf(i)));
        if (page !== undefined) checkContent(page.bytes, keyOf(i));
      }
      expect(broken.length).to.be.above(10);
      const restored = await pools.connect(copy);
      expect(restored.stats().damaged).to.equal(broken.length);
      await expectCleanCensus(copy);
    });

    it('a signal that is aborted ends it, and the pool is there for the next', async () => {
      const pool = await pools.connect(path(), { create: { ...SHAPE, size: 128 * MIB, pageSize: 64 * KIB } });
      const bytes = new Uint8Array(512 * KIB);
      for (let i = 0; i < 220; i++) pool.put(`k${i}`, bytes.fill(i));
      const { objects } = pool.stats();
      const copy = path();
      copyFileSync(pool.path, copy);
      const code = await codeOf(() => connectAborted(pools, copy));
      expect(code).to.equal('ABORTED');
      expect((await pools.connect(copy)).stats()).to.include({ objects, restores: 1, damaged: 0 });
    });
  });
}

async function connectAborted(pools: ReturnType<typeof usePools>, path: string): Promise<unknown> {
  const controller = new AbortController();
  const connecting = pools.connect(path, { signal: controller.signal });
  controller.abort();
  return connecting;
}
