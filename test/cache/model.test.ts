/**
 * SharedCache on two nodes against a Map. The map says what a key may answer: its last value, or a miss where something
 * may have been evicted; never an older value, another key's, an expired or a cleared one.
 */
import { expect } from 'chai';
import fc from 'fast-check';
import type { Page } from '../../src/index.js';
import { SharedCache } from '../../src/index.js';
import type { AttachedPool } from '../../src/pool/index.js';
import { join, makePool, pattern, sleep } from './pools.js';

const KEYS = 30;
const TTL_MS = 8;
const TOO_LARGE = 8 * 1024 * 1024;
const SIZES = [0, 1, 63, 64, 65, 500, 1000, 4096, 20_000];

interface Known {
  version: number;
  size: number;
  /** The value is a miss for certain from then on, and until shortly before may be either. */
  expiresMs: number;
}

type Step =
  | { kind: 'set'; key: number; node: number; size: number; ttl: boolean }
  | { kind: 'setTooLarge' | 'delete' | 'get' | 'borrow' | 'pin' | 'fetch' | 'fill'; key: number; node: number }
  | { kind: 'clear' | 'release' | 'wait' | 'evict' | 'turn'; node: number };

const key = fc.nat(KEYS - 1);
const node = fc.nat(1);
const stepArbitrary: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      kind: fc.constant('set' as const),
      key,
      node,
      size: fc.constantFrom(...SIZES),
      ttl: fc.boolean(),
    }),
  },
  {
    weight: 10,
    arbitrary: fc.record({ kind: fc.constantFrom('get' as const, 'borrow' as const, 'pin' as const), key, node }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constantFrom('setTooLarge' as const, 'delete' as const, 'fetch' as const, 'fill' as const),
      key,
      node,
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constantFrom('release' as const, 'wait' as const, 'evict' as const, 'turn' as const),
      node,
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('clear' as const), node }) },
);

function nameOf(number: number): string {
  return number % 5 === 0 ? `a key too long for the slot of an object in the table, number ${number}` : `k${number}`;
}

class Model {
  readonly caches: readonly SharedCache[];
  readonly pool: AttachedPool;
  readonly known = new Map<number, Known>();
  private readonly pins: { page: Page; number: number; version: number; size: number }[] = [];
  private version = 0;
  private filled = 0;

  constructor(pool: AttachedPool, caches: readonly SharedCache[]) {
    this.pool = pool;
    this.caches = caches;
  }

  private cache(step: { node: number }): SharedCache {
    return this.caches[step.node] as SharedCache;
  }

  private expectBytes(bytes: Uint8Array, number: number, at: { version: number; size: number }, what: string): void {
    const same = Buffer.compare(bytes, pattern(at.size, number, at.version)) === 0;
    expect(same, `${what} of ${nameOf(number)}: ${bytes.length} bytes, version ${at.version} has ${at.size}`).to.equal(
      true,
    );
  }

  /** Looks at the key as every call answers. */
  look(number: number, cache: SharedCache): void {
    const beforeMs = Date.now();
    const bytes = cache.borrow(nameOf(number));
    const known = this.known.get(number);
    if (bytes === undefined) return;
    if (known === undefined || known.expiresMs <= beforeMs) expect.fail(`${nameOf(number)} is there, and must not be`);
    this.expectBytes(bytes, number, known as Known, 'borrow');
  }

  private set(step: { key: number; node: number; size: number; ttl: boolean }): void {
    const version = ++this.version;
    const bytes = pattern(step.size, step.key, version);
    const stored = this.cache(step).set(nameOf(step.key), bytes, step.ttl ? { ttlMs: TTL_MS } : {});
    this.known.delete(step.key);
    const expiresMs = step.ttl ? Date.now() + TTL_MS : Number.POSITIVE_INFINITY;
    if (stored) this.known.set(step.key, { version, size: step.size, expiresMs });
  }

  private async fetch(step: { key: number; node: number }): Promise<void> {
    const known = this.known.get(step.key);
    const made = { version: ++this.version, size: 300, expiresMs: Number.POSITIVE_INFINITY };
    let loaded = false;
    const page = await this.cache(step).fetch(nameOf(step.key), () => {
      loaded = true;
      return pattern(made.size, step.key, made.version);
    });
    const expected = loaded ? made : known;
    expect(expected, 'a fetch answers by a load or by what is known').to.not.equal(undefined);
    this.expectBytes(page.bytes, step.key, expected as Known, 'fetch');
    page.release();
    if (loaded) this.known.set(step.key, made);
  }

  private pin(step: { key: number; node: number }): void {
    const known = this.known.get(step.key);
    const page = this.cache(step).get(nameOf(step.key));
    if (page === undefined) return;
    this.expectBytes(page.bytes, step.key, known as Known, 'get');
    this.pins.push({ page, number: step.key, version: (known as Known).version, size: (known as Known).size });
  }

  private release(index: number): void {
    const [pin] = this.pins.splice(index, 1);
    if (pin === undefined) return;
    this.expectBytes(pin.page.bytes, pin.number, pin, 'pin');
    pin.page.release();
  }

  async apply(step: Step): Promise<void> {
    const cache = this.cache(step);
    if (step.kind === 'set') this.set(step);
    else if (step.kind === 'setTooLarge') {
      expect(cache.set(nameOf(step.key), new Uint8Array(TOO_LARGE))).to.equal(false);
      this.known.delete(step.key);
    } else if (step.kind === 'delete') {
      const known = this.known.get(step.key);
      const found = cache.delete(nameOf(step.key));
      if (known === undefined) expect(found, 'deleted what was not there').to.equal(false);
      this.known.delete(step.key);
    } else if (step.kind === 'clear') {
      cache.clear();
      this.known.clear();
    } else if (step.kind === 'fetch') await this.fetch(step);
    else if (step.kind === 'pin') this.pin(step);
    else if (step.kind === 'release') this.release(0);
    else if (step.kind === 'wait') await sleep(TTL_MS / 2);
    else if (step.kind === 'evict') this.pool.evict(30_000);
    else if (step.kind === 'turn') await sleep(0);
    else if (step.kind === 'fill') this.fill(cache);
    else if (step.kind === 'get' || step.kind === 'borrow') this.look(step.key, cache);
  }

  private fill(cache: SharedCache): void {
    for (let i = 0; i < 40; i++) cache.set(`filler ${this.filled++ % 400}`, pattern(8000, i));
  }

  lookAtAll(): void {
    for (const cache of this.caches) for (let number = 0; number < KEYS; number++) this.look(number, cache);
    const listed = new Set(this.caches[0]?.keys());
    for (let number = 0; number < KEYS; number++) {
      const has = this.caches[1]?.has(nameOf(number)) === true;
      if (has && !this.known.has(number)) expect.fail(`${nameOf(number)} is there`);
      if (has && this.known.get(number)?.expiresMs === Number.POSITIVE_INFINITY)
        expect(listed).to.include(nameOf(number));
      if (listed.has(nameOf(number)) && !this.known.has(number)) expect.fail(`${nameOf(number)} is listed`);
    }
  }

  /** Lets everything go: then nothing may be left of pins, drafts and bytes. */
  async end(): Promise<void> {
    while (this.pins.length > 0) this.release(0);
    for (const name of [...(this.caches[0]?.keys() ?? [])]) expect(this.caches[1]?.delete(name)).to.be.a('boolean');
    await sleep(0);
    for (let shard = 0; shard < this.pool.session.parts.geometry.shards; shard++) {
      this.pool.session.parts.locks.acquire(shard);
      this.pool.session.writer.reclaimer.sweep(shard, Date.now() + TTL_MS);
      this.pool.session.parts.locks.release(shard);
    }
    const { objects, drafts, pins, limbo, bytesUsed } = this.pool.stats();
    expect({ objects, drafts, pins, limbo, bytesUsed }).to.deep.equal({
      objects: 0,
      drafts: 0,
      pins: 0,
      limbo: 0,
      bytesUsed: 0,
    });
  }
}

describe('a cache against a map', () => {
  for (const eviction of ['adaptive-2q', 's3-fifo', 'none'] as const) {
    it(`two nodes answer with the last value or a miss, and in the end the pool is empty (${eviction})`, async () => {
      const pool = await makePool({ size: '3MiB', pageSize: 4096, eviction });
      const second = await join(pool.path);
      const caches = [pool, second].map((one) => new SharedCache(one, { namespace: 'm' }));
      const property = fc.asyncProperty(fc.array(stepArbitrary, { minLength: 10, maxLength: 80 }), async (steps) => {
        const model = new Model(pool, caches);
        for (const step of steps) await model.apply(step);
        model.lookAtAll();
        await model.end();
      });
      await fc.assert(property, { numRuns: 120 });
    });
  }

  it('where nothing is evicted or refused, every key answers with its last value', async () => {
    const pool = await makePool({ size: '8MiB', pageSize: 4096, eviction: 'none' });
    const second = await join(pool.path);
    const caches = [pool, second].map((one) => new SharedCache(one, { namespace: 'm' }));
    const step = fc.record({ key, node, size: fc.constantFrom(...SIZES), isDelete: fc.boolean() });
    const property = fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
      const known = new Map<string, Uint8Array>();
      caches[0]?.clear();
      for (const [version, one] of steps.entries()) {
        const cache = caches[one.node] as SharedCache;
        const name = nameOf(one.key);
        if (one.isDelete) expect(cache.delete(name)).to.equal(known.delete(name));
        else {
          const bytes = pattern(one.size, one.key, version);
          expect(cache.set(name, bytes)).to.equal(true);
          known.set(name, bytes);
        }
        for (const other of caches) {
          const found = other.borrow(name);
          expect(found === undefined).to.equal(!known.has(name));
          if (found !== undefined) expect(Buffer.compare(found, known.get(name) as Uint8Array)).to.equal(0);
        }
      }
      for (const cache of caches) expect(new Set(cache.keys())).to.deep.equal(new Set(known.keys()));
      await sleep(0);
    });
    await fc.assert(property, { numRuns: 120 });
  });
});
