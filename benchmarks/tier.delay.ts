/** How long an invalidation takes to the pool of another host, beside a round trip to the tier. Both hosts are in this process. */
import { createClient } from '@redis/client';
import { openTier, type TieredCache, tiered } from '../adapters/valkey/index.js';
import { SharedCache } from '../src/index.js';
import { scratchPool } from './scratch.js';

const MIB = 2 ** 20;

async function makeHost(socket: string): Promise<{ cache: TieredCache; close(): Promise<void> }> {
  const pool = await scratchPool({ size: 8 * MIB, pageSize: 4096 });
  const tier = openTier({
    pool,
    prefix: 'delay',
    connect: (settings) => createClient({ socket: { path: socket, tls: false }, ...settings }),
  });
  const cache = await tiered(new SharedCache(pool), tier);
  return {
    cache,
    async close() {
      tier.close();
      await pool.disconnect();
    },
  };
}

/** Microseconds: of invalidations, from the call until the other pool has lost the page, and of round trips, in turn with them. */
export async function measureDelays(socket: string, count: number): Promise<{ delays: number[]; trips: number[] }> {
  const [one, other] = [await makeHost(socket), await makeHost(socket)];
  const client = createClient({ socket: { path: socket, tls: false } });
  await client.connect();
  const [delays, trips]: [number[], number[]] = [[], []];
  for (let i = 0; i < count; i++) {
    const key = `key ${i % 16}`;
    (await other.cache.fetch(key, () => new Uint8Array(64))).release();
    const askedMs = performance.now();
    await client.sendCommand(['PING']);
    trips.push((performance.now() - askedMs) * 1000);
    const toldMs = performance.now();
    const told = one.cache.delete(key);
    while (other.cache.has(key)) await new Promise((resolve) => setImmediate(resolve));
    delays.push((performance.now() - toldMs) * 1000);
    await told;
  }
  client.destroy();
  await one.close();
  await other.close();
  return { delays, trips };
}
