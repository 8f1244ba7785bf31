/** A process of one emulated host of the benchmark `tier`: reads keys as often as it is told, in one arm. */
import { BasicClientSideCache, createClient } from '@redis/client';
import { LRUCache } from 'lru-cache';
import { openTier, tiered } from '../adapters/valkey/index.js';
import { connect, SharedCache } from '../src/index.js';
import { quantile } from './frame.js';
import { ZipfKeys } from './sharing.world.js';
import { type Answer, type Arm, LOAD_MS, type Order, pageOf, type Task } from './tier.pages.js';

interface Reading {
  /** At once, or undefined. */
  hit(key: number): Uint8Array | undefined;
  miss(key: number): Promise<Uint8Array>;
  requests(): number;
  /** Those among the misses that the client has answered from its own cache. */
  hits?(): number;
}

let loads = 0;

async function load(key: number): Promise<Buffer> {
  loads++;
  await new Promise((resolve) => setTimeout(resolve, LOAD_MS));
  return pageOf(key);
}

const AS_BYTES = { typeMapping: { 36: Buffer } };

/** As an application does it with the client alone. */
async function byItself({ arm, socket, prefix, held }: Task): Promise<Reading> {
  const client = createClient({ socket: { path: socket, tls: false } });
  await client.connect();
  const lru = arm === 'tier alone' ? undefined : new LRUCache<number, Uint8Array>({ max: held });
  let requests = 0;
  return {
    hit: (key) => lru?.get(key),
    async miss(key) {
      requests++;
      let page = (await client.sendCommand(['GET', `${prefix}:${key}`], AS_BYTES)) as Buffer | null;
      if (page === null) {
        page = await load(key);
        requests++;
        await client.sendCommand(['SET', `${prefix}:${key}`, page]);
      }
      lru?.set(key, page);
      return page;
    },
    requests: () => requests,
  };
}

/**
 * With the cache that the client keeps by itself. It has bytes only where they are asked for by the options of the client: a mapping of the call
 * goes past it. A hit is a copy.
 */
async function byOwnCache({ socket, prefix, held }: Task): Promise<Reading> {
  const cache = new BasicClientSideCache({ ttl: 0, maxEntries: held, evictPolicy: 'LRU' });
  const client = createClient({
    socket: { path: socket, tls: false },
    RESP: 3,
    commandOptions: AS_BYTES,
    clientSideCache: cache,
  });
  await client.connect();
  let sets = 0;
  return {
    hit: () => undefined,
    async miss(key) {
      const name = `${prefix}:${key}`;
      const found = (await client.get(name)) as unknown as Uint8Array | null;
      if (found !== null) return found;
      const page = await load(key);
      sets++;
      await client.set(name, page);
      return page;
    },
    requests: () => cache.stats().missCount + sets,
    hits: () => cache.stats().hitCount,
  };
}

async function byPool({ socket, pool: path, prefix }: Task): Promise<Reading> {
  const pool = await connect(path);
  const tier = openTier({
    pool,
    prefix,
    connect: (settings) => createClient({ socket: { path: socket, tls: false }, ...settings }),
    requestTimeoutMs: 10_000,
    vouchMs: 20_000,
  });
  const cache = await tiered(new SharedCache(pool), tier);
  return {
    hit: (key) => cache.borrow(String(key)),
    miss: (key) => cache.fetchCopy(String(key), () => load(key)),
    requests: () => cache.stats().tier.requests,
  };
}

const task = JSON.parse(process.argv[2] as string) as Task;
const ways: Partial<Record<Arm, (task: Task) => Promise<Reading>>> = {
  'cache of the client and tier': byOwnCache,
  'pool and tier': byPool,
};
const reading = await (ways[task.arm] ?? byItself)(task);
const zipf = new ZipfKeys(task.seed * 64 + task.process, task.keys);

async function readOften({ reads }: Order): Promise<Answer> {
  const took: number[] = [];
  const hitTook: number[] = [];
  const keys = new Set<number>();
  const [requestsBefore, loadsBefore] = [reading.requests(), loads];
  let sum = 0;
  for (let i = 0; i < reads; i++) {
    const key = zipf.next();
    keys.add(key);
    const hitsBefore = reading.hits?.();
    const startedMs = performance.now();
    const known = reading.hit(key);
    const page = known ?? (await reading.miss(key));
    const us = (performance.now() - startedMs) * 1000;
    took.push(us);
    if (known !== undefined || reading.hits?.() !== hitsBefore) hitTook.push(us);
    const found = new DataView(page.buffer, page.byteOffset).getUint32(0, true);
    if (found !== key) throw new Error(`Key ${key} has the page of ${found}.`);
    sum = (sum + found * (i + 1)) % 4294967291;
    // As in a program that serves: nodes do their upkeep there.
    if (i % 64 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  return {
    reads,
    hits: hitTook.length,
    requests: reading.requests() - requestsBefore,
    loads: loads - loadsBefore,
    keys: [...keys],
    p50: quantile(took, 0.5),
    p99: quantile(took, 0.99),
    hitP99: hitTook.length === 0 ? 0 : quantile(hitTook, 0.99),
    sum,
  };
}

process.on('message', (order: Order) => void readOften(order).then((answer) => process.send?.(answer)));
process.once('disconnect', () => process.exit(0));
process.send?.('ready');
