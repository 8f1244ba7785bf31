/**
 * What a sync promises, on images of a pool as a machine that lost its memory may leave them: each page of the file of a
 * moment of its own since it was last synced. One seed makes one image; SEALPOOL_SEED=n replays it alone.
 */
import { rmSync, writeFileSync } from 'node:fs';
import { expect } from 'chai';
import { Words } from '../../lib/words.js';
import { SharedCache } from '../../src/cache/index.js';
import type { FormatOptions } from '../../src/pool/layout/types.js';
import type { AttachedPool } from '../../src/pool/pool.js';
import { expectCleanCensus } from '../support/census.js';
import { Chance } from '../support/chance.js';
import { checkContent, contentOf } from '../support/content.js';
import { diskFolder, RecordedDisk, type Sealing, sealedPages, useDisk, wordsStoredBy } from '../support/disk.js';
import { KIB, LONG, MIB, settle, usePools } from '../support/pools.js';

/** One shard that is always full, and several that take chunks from one another. */
const SHAPES = [
  { size: 3 * MIB, pageSize: 2 * KIB, maxNodes: 4, maxObjects: 150 },
  { size: 3 * MIB, pageSize: 512, maxNodes: 4, maxObjects: 4096, eviction: 'lru' },
] as const;
const IMAGES = LONG ? 3000 : 36;
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

interface Recording {
  readonly disk: RecordedDisk;
  /** When the sync that counts was asked for. */
  readonly syncedAt: number;
  readonly end: number;
}

/** A pool at work on a recorded disk. Two syncs, the second with work going on meanwhile; then more work. */
async function record(pool: AttachedPool, seed: number): Promise<Recording> {
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
  return { disk, syncedAt, end: disk.now };
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
    // Between the seal of the next one and its own end either is right: repair goes on to the next.
    const isSuperseded = sealings.some((next) => {
      return next.name === name && next.sealedAt > sealedAt && next.sealedAt <= stoppedAt;
    });
    if (!isSuperseded) expect(Buffer.compare(kept?.bytes as Uint8Array, sealing.bytes), name).to.equal(0);
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

function bufferOf(words: Words): ArrayBuffer {
  return (words as unknown as { array: Int32Array<ArrayBuffer> }).array.buffer;
}

/**
 * The stores to the words of the pool that `work` opens, meanwhile: word and value, in order. Others of the process store in
 * words as well, such as the rehearsal of the pool opened before.
 */
async function storesOf(work: () => Promise<AttachedPool>): Promise<[word: number, value: number][]> {
  const stores: [buffer: ArrayBuffer, word: number, value: number][] = [];
  const originals = { ...wordsMethods };
  for (const [name, original] of Object.entries(originals)) {
    const noted = function (this: Words, word: number, ...rest: unknown[]): number {
      const result = (original as (...all: unknown[]) => number).call(this, word, ...rest);
      for (let i = 0; i < wordsStoredBy(name, rest[0]); i++) {
        stores.push([bufferOf(this), word + i, this.read(word + i)]);
      }
      return result;
    };
    Object.assign(Words.prototype, { [name]: noted });
  }
  let opened: ArrayBuffer;
  try {
    opened = bufferOf((await work()).session.parts.words);
  } finally {
    Object.assign(Words.prototype, originals);
  }
  return stores.flatMap(([buffer, word, value]) => (buffer === opened ? [[word, value]] : []));
}

const { write, store, exchange, add, compareExchange, fill, copyIn } = Words.prototype;
const wordsMethods = { write, store, exchange, add, compareExchange, fill, copyIn };

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

    /** Opens the image as a pool, and compares it with what was sealed. Returns how many pages had to be there. */
    async function check(
      image: Buffer,
      from: Recording,
      stoppedAt: number,
    ): Promise<{ wanted: number; damaged: number }> {
      const copy = path();
      writeFileSync(copy, image, { mode: 0o600 });
      const pool = await pools.connect(copy);
      const wanted = compare(pool, from.disk.sealings, from.syncedAt, stoppedAt);
      const { drafts, damaged } = pool.stats();
      expect([drafts, pool.nodes().length]).to.deep.equal([0, 1]);
      await expectCleanCensus(copy);
      await use(pool);
      await pool.disconnect();
      rmSync(copy);
      return { wanted, damaged };
    }

    /** Does `work` for each seed of each recording, or for the one seed that was asked for. */
    async function forEachSeed(
      images: number,
      work: (from: Recording, chance: Chance, i: number) => Promise<unknown>,
    ): Promise<void> {
      for (let recording = 1; recording <= RECORDINGS; recording++) {
        const source = await pools.connect(path(), { create: SHAPES[recording % SHAPES.length] as FormatOptions });
        const from = await record(source, recording);
        await source.disconnect();
        for (let i = 0; i < images / RECORDINGS; i++) {
          const seed = recording * 1_000_000 + i;
          if (only !== undefined && Number(only) !== seed) continue;
          try {
            await work(from, new Chance(seed), i);
          } catch (error) {
            throw new Error(`SEALPOOL_SEED=${seed}: ${(error as Error).stack}`);
          }
        }
      }
    }

    it('every page sealed before sync is there afterwards, and the others are whole or absent', async function () {
      this.timeout(LONG ? 3_600_000 : 240_000);
      let wanted = 0;
      let damaged = 0;
      await forEachSeed(IMAGES, async (from, chance, i) => {
        const { disk, end } = from;
        const stoppedAt = i === 0 ? end : disk.afterSync + chance.below(end - disk.afterSync);
        const found = await check(disk.image(stoppedAt, chance, i % 3 === 2), from, stoppedAt);
        wanted += found.wanted;
        damaged += found.damaged;
      });
      // Otherwise nothing was put to the test.
      expect(wanted).to.be.above(10);
      expect(only !== undefined || damaged > 0).to.equal(true);
    });

    it('and so they are when the machine stops once more, while the pool is restored', async function () {
      this.timeout(LONG ? 3_600_000 : 240_000);
      await forEachSeed(IMAGES / 3, async (from, chance) => {
        const stoppedAt = from.disk.afterSync + chance.below(from.end - from.disk.afterSync);
        const first = from.disk.image(stoppedAt, chance, false);
        const copy = path();
        writeFileSync(copy, first, { mode: 0o600 });
        const stores = await storesOf(() => pools.connect(copy));
        await pools.disconnect();
        const done = stores.slice(0, chance.below(stores.length + 1));
        const moments = new Map<number, number>();
        const momentOf = (page: number) => {
          const known = moments.get(page) ?? chance.pick([0, done.length, chance.below(done.length + 1)]);
          moments.set(page, known);
          return known;
        };
        done.forEach(([word, value], at) => {
          if (at < momentOf(word >>> 10)) first.writeInt32LE(value, word * 4);
        });
        await check(first, from, stoppedAt);
      });
    });
  });
}
