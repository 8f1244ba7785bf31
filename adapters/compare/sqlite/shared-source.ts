/** The one place where this workload meets the pool: formatting it, and reading pages through it. */
import { connect, format, SharedCache } from '../../../src/index.js';
import type { Eviction } from '../../../src/pool/index.js';
import { type PageSource, poolPageSource, type Storage } from '../../sqlite-wasm/index.js';

/** Bytes that a node's near index takes for one page: map entry, record and view, measured on the heap of Node 20. */
export const NEAR_ENTRY_SIZE = 320;

const SPACE = 'db';

export interface SharedPoolOptions {
  readonly size: number;
  readonly pageSize: number;
  readonly maxNodes: number;
  readonly eviction: Eviction;
}

export async function formatPool(path: string, options: SharedPoolOptions): Promise<void> {
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
  const pool = await connect(path, { nearEntries: options.nearEntries, name: options.name });
  const space = new SharedCache(pool).pages(SPACE, { pageSize: options.pageSize });
  return { source: poolPageSource(space, storage), close: () => pool.disconnect() };
}
