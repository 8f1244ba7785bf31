/**
 * The one place where this workload meets the pool: formatting it, and reading pages through it. The package's entry is
 * imported late, so that the other arms run where the pool does not.
 */
import { PoolError } from '../../../lib/errors.js';
import type { PageSpace } from '../../../src/cache/index.js';
import type { ConnectOptions, Eviction, FormatOptions, Pool, PoolInfo } from '../../../src/pool/index.js';
import { type PageSource, poolPageSource, type Storage } from '../../sqlite-wasm/index.js';

interface PoolModule {
  format(path: string, options: FormatOptions): Promise<PoolInfo>;
  connect(path: string, options?: ConnectOptions): Promise<Pool>;
  SharedCache: new (pool: Pool) => { pages(space: string, options: { pageSize: number }): PageSpace };
}

/** Bytes that a node's near index takes for one page: an estimate of its map entry, record and view, on the high side. */
export const NEAR_ENTRY_SIZE = 256;

const SPACE = 'db';

async function poolModule(): Promise<PoolModule> {
  const loaded = (await import('../../../src/index.js')) as unknown as Partial<PoolModule>;
  if (!loaded.format || !loaded.connect || !loaded.SharedCache) {
    throw new PoolError('UNSUPPORTED', 'This build has no pool: format, connect or SharedCache is missing.');
  }
  return loaded as PoolModule;
}

export interface SharedPoolOptions {
  readonly size: number;
  readonly pageSize: number;
  readonly maxNodes: number;
  readonly eviction: Eviction;
}

export async function formatPool(path: string, options: SharedPoolOptions): Promise<void> {
  const { format } = await poolModule();
  await format(path, { ...options });
}

export interface SharedSource {
  readonly source: PageSource;
  close(): Promise<void>;
}

export async function openSharedSource(
  path: string,
  storage: Storage,
  options: { pageSize: number; nearEntries: number; name: string },
): Promise<SharedSource> {
  const { connect, SharedCache } = await poolModule();
  const pool = await connect(path, { nearEntries: options.nearEntries, name: options.name });
  const space = new SharedCache(pool).pages(SPACE, { pageSize: options.pageSize });
  return { source: poolPageSource(space, storage), close: () => pool.disconnect() };
}
