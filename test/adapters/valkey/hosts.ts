/** Hosts for tests: a pool each, in this process. They share no memory but this process's, of which the cache knows nothing. */
import { openTier, type TieredCache, type TierOptions, tiered } from '../../../adapters/valkey/index.js';
import { SharedCache } from '../../../src/index.js';
import type { AttachedPool } from '../../../src/pool/index.js';
import { atEnd, join, makePool } from '../../cache/pools.js';
import { connectTo } from './client.js';
import { bytesOf, textOf } from './texts.js';

export { bytesOf, textOf };

export interface TestHost {
  readonly pool: AttachedPool;
  readonly cache: TieredCache;
}

export type HostOptions = Partial<TierOptions> & { namespace?: string };

async function onPool(pool: AttachedPool, url: string, options: HostOptions): Promise<TestHost> {
  const { namespace = 'n', ...others } = options;
  const tier = openTier({ pool, connect: connectTo(url), ...others });
  atEnd(() => tier.close());
  return { pool, cache: await tiered(new SharedCache(pool, { namespace }), tier) };
}

export async function makeHost(url: string, options: HostOptions = {}): Promise<TestHost> {
  return onPool(await makePool({ size: '8MiB' }), url, options);
}

/** One more node of the host's pool, as another process would have it. */
export async function joinHost(host: TestHost, url: string, options: HostOptions = {}): Promise<TestHost> {
  return onPool(await join(host.pool.path), url, options);
}

export async function fetchText(host: TestHost, key: string, load: () => Promise<string> | string): Promise<string> {
  return textOf(await host.cache.fetchCopy(key, async () => bytesOf(await load()))) as string;
}

/** Resolves once it holds. That it never does the time limit of the test tells. */
export async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await holds())) await new Promise((resolve) => setTimeout(resolve, 5));
}
