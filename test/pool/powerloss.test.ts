/**
 * What a sync promises, on images of a pool as a machine that lost its memory may leave them: each page of the file of a
 * moment of its own since it was last synced. One seed makes one image; SEALPOOL_SEED=n replays it alone.
 */
import { writeFileSync } from 'node:fs';
import { expect } from 'chai';
import { SharedCache } from '../../src/cache/index.js';
import type { AttachedPool } from '../../src/pool/pool.js';
import type { FormatOptions } from '../../src/pool/types.js';
import { expectCleanCensus } from '../support/census.js';
import { Chance } from '../support/chance.js';
import { checkContent, contentOf } from '../support/content.js';
import { diskFolder, RecordedDisk, type Sealing, sealedPages, useDisk } from '../support/disk.js';
import { KIB, LONG, MIB, settle, usePools } from '../support/pools.js';

/** One shard that is always full, and several that take chunks from one another. */
const SHAPES = [
  { size: 3 * MIB, pageSize: 2 * KIB, maxNodes: 4, maxObjects: 150 },
  { size: 3 * MIB, pageSize: 512, maxNodes: 4, maxObjects: 4096, eviction: 'lru' },
] as const;
const IMAGES = LONG ? 3000 : 60;
const RECORDINGS = LONG ? 20 : 4;

/** Keys of every length, some that do not fit a slot. */
function keyOf(number: number): string {
  return number % 7 === 0 ? `${'long-'.repeat(12)}${number}` : `key-${number}`;
}

/** Everything that stores pages, at random. */
class Workload {
  private readonly pool: AttachedPool;
  private readonly chance: Chance;
  private readonly caches: SharedCache[];
  private round = 0;

  constructor(pool: AttachedPool, chance: Chance) {
    this.pool = pool;
    this.chance = chance;
    this.caches = ['a', 'b'].map((namespace) => new SharedCache(pool, { namespace }));
  }

  steps(count: number): void {
    for (let i = 0; i < count; i++) this.step();
  }

  private step(): void {
    const { chance, pool } = this;
    const round = ++this.round;
    const cache = chance.pick(this.caches);
    const key = keyOf(chance.below(80));
    const way = chance.below(20);
    const size = chance.below(12) === 0 ? 20 * KIB + chance.below(60 * KIB) : 16 + chance.below(5 * KIB);
    if (way < 7)
      cache.set(key, contentOf(key, round, size), { metadata: new Uint8Array(chance.below(200)).fill(round) });
    else if (way < 11) pool.put(key, contentOf(key, round, size), { retain: chance.below(20) === 0 });
    else if (way === 11) pool.put(`empty-${chance.below(9)}`, new Uint8Array(0));
    else if (way < 14) pool.delete(key);
    else if (way === 14) cache.delete(key);
    else if (way === 15) this.draft(`draft-${chance.below(6)}`, size);
    else if (way < 19) this.version(cache);
    else if (chance.below(12) === 0) cache.pages(`t${chance.below(4)}`, { pageSize: KIB }).drop();
    else pool.evict(8 * KIB);
  }

  private draft(key: string, size: number): void {
    if (this.pool.has(key)) return;
    try {
      const draft = this.pool.create(key, size);
      if (this.chance.below(2) === 0) draft.abort();
    } catch (error) {
      expect((error as { code?: string }).code).to.be.oneOf(['KEY_EXISTS', 'POOL_FULL']);
    }
  }

  private version(cache: SharedCache): void {
    const { chance } = this;
    // There are ever more spaces.
    const pages = cache.pages(`t${chance.below(4 + this.round / 64)}`, { pageSize: KIB });
    const pageNo = chance.below(12);
    if (chance.below(6) === 0) pages.invalidate(pageNo, this.round);
    else pages.put(pageNo, contentOf(`page ${pageNo}`, this.round, KIB), { from: this.round });
  }
}

/** A pool at work on a recorded disk. Two syncs, the second with work going on meanwhile; then more work. */
async function record(pool: AttachedPool, seed: number): Promise<{ disk: RecordedDisk; syncedAt: number }> {
  const disk = new RecordedDisk(pool);
  const work = new Workload(pool, new Chance(seed));
  work.steps(300);
  await pool.sync();
  work.steps(300);
  const syncedAt = disk.now;
  const syncing = pool.sync();
  for (let i = 0; i < 5; i++) {
    work.steps(5);
    await new Promise(setImmediate);
  }
  await syncing;
  work.steps(400);
  return { disk, syncedAt };
}

/** Everything sealed before the sync and not retired since is there; everything there was there since, whole. */
function compare(pool: AttachedPool, sealings: readonly Sealing[], syncedAt: number, stoppedAt: number): number {
  const found = sealedPages(pool);
  const possible = new Map<string, Sealing[]>();
  let wanted = 0;
  for (const sealing of sealings) {
    const { name, sealedAt, retiredAt } = sealing;
    if (sealedAt > stoppedAt || retiredAt < syncedAt) continue;
    possible.set(name, [...(possible.get(name) ?? []), sealing]);
    if (sealedAt > syncedAt || retiredAt <= stoppedAt) continue;
    wanted++;
    const kept = found.find((page) => page.name === name);
    expect(kept, `${name}, sealed at ${sealedAt}`).to.not.equal(undefined);
    expect(Buffer.compare(kept?.bytes as Uint8Array, sealing.bytes), name).to.equal(0);
  }
  for (const { name, bytes } of found) {
    const same = possible.get(name)?.some((sealing) => Buffer.compare(sealing.bytes, bytes) === 0);
    expect(same, `${name}, which is torn, foreign or of before the sync`).to.equal(true);
  }
  return wanted;
}

/** Gets find what is there, and the pool gives all its space back. */
async function use(pool: AttachedPool): Promise<void> {
  for (const { key, keyBytes } of [...pool.list()]) {
    using page = pool.get(keyBytes);
    if (page !== undefined && page.size >= 16 && /^(key|long)-/.test(key)) checkContent(page.bytes, key);
  }
  for (let i = 0; i < 600; i++) pool.put(`after-${i}`, new Uint8Array(1500));
  for (const { keyBytes } of [...pool.list()]) while (pool.delete(keyBytes));
  await settle(pool);
  const { objects, limbo, bytesUsed } = pool.stats();
  expect({ objects, limbo, bytesUsed }).to.deep.equal({ objects: 0, limbo: 0, bytesUsed: 0 });
}

const folder = diskFolder();
if (folder === undefined) {
  describe('a pool where no disk is', () => {
    it('is in memory only, which no machine keeps', () => expect(folder).to.equal(undefined));
  });
} else {
  describe('a machine that loses its memory', () => {
    const pools = usePools();
    const path = useDisk(folder);
    const only = process.env['SEALPOOL_SEED'];

    it('every page sealed before sync is there afterwards, and the others are whole or absent', async function () {
      this.timeout(LONG ? 3_600_000 : 240_000);
      let wanted = 0;
      let damaged = 0;
      for (let recording = 1; recording <= RECORDINGS; recording++) {
        const source = await pools.connect(path(), { create: SHAPES[recording % SHAPES.length] as FormatOptions });
        const { disk, syncedAt } = await record(source, recording);
        const endOfSync = disk.now;
        await source.disconnect();
        for (let i = 0; i < IMAGES / RECORDINGS; i++) {
          const seed = recording * 1_000_000 + i;
          if (only !== undefined && Number(only) !== seed) continue;
          const chance = new Chance(seed);
          const stoppedAt = i === 0 ? disk.now : disk.afterSync + chance.below(endOfSync - disk.afterSync);
          const copy = path();
          writeFileSync(copy, disk.image(stoppedAt, chance, i % 3 === 2), { mode: 0o600 });
          try {
            const pool = await pools.connect(copy);
            wanted += compare(pool, disk.sealings, syncedAt, stoppedAt);
            expect([pool.stats().drafts, pool.stats().restores, pool.nodes().length]).to.deep.equal([0, 1, 1]);
            damaged += pool.stats().damaged;
            await expectCleanCensus(copy);
            await use(pool);
            await pool.disconnect();
          } catch (error) {
            throw new Error(`SEALPOOL_SEED=${seed}: ${(error as Error).stack}`);
          }
        }
      }
      // Otherwise nothing was put to the test.
      expect(wanted).to.be.above(10);
      expect(only !== undefined || damaged > 0).to.equal(true);
    });
  });
}
