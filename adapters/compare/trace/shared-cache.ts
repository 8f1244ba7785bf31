/**
 * shared-cache: the arm of the one pool that all nodes share. The only file here that knows the pool.
 *
 * The pool is imported when the arm runs, so that a private arm never maps anything.
 */
import { PoolError } from '../../../lib/errors.js';
import type { PageSpace } from '../../../src/cache/index.js';
import type { Eviction, FormatOptions, Pool, PoolInfo } from '../../../src/pool/index.js';
import type { PageSource } from './pages.js';
import type { ReplayCache } from './replay-cache.js';

/** What this file takes from the package. */
export interface PoolModule {
  connect(path: string): Promise<Pool>;
  format(path: string, options: FormatOptions): Promise<PoolInfo>;
  destroy(path: string, options?: { force?: boolean }): Promise<void>;
  readonly SharedCache: new (pool: Pool) => { pages(space: string, options: { pageSize: number }): PageSpace };
}

export interface SharedPoolOptions {
  readonly path: string;
  readonly pageSize: number;
  /** Capacity in objects. */
  readonly objects: number;
  readonly nodes: number;
  readonly eviction: Eviction;
}

const SPACE = 'trace';
/** The driver and one reader of its statistics attach beside the nodes. */
const NODES_SPARE = 2;
/** The capacity in objects is what limits the pool; the file has room for the metadata of each and of each node. */
const OBJECT_METADATA_SIZE = 1024;
const NODE_METADATA_SIZE = 1024 * 1024;
const POOL_METADATA_SIZE = 16 * 1024 * 1024;

export async function importPool(): Promise<PoolModule> {
  const module = (await import('../../../src/index.js')) as unknown as Partial<PoolModule>;
  if (module.connect === undefined || module.format === undefined || module.SharedCache === undefined) {
    throw new PoolError('UNSUPPORTED', 'This build has no shared pool to compare with.');
  }
  return module as PoolModule;
}

/** Bytes of the file of a pool of that capacity. */
export function sharedPoolSize(options: Pick<SharedPoolOptions, 'objects' | 'pageSize' | 'nodes'>): number {
  const { objects, pageSize, nodes } = options;
  return objects * (pageSize + OBJECT_METADATA_SIZE) + (nodes + NODES_SPARE) * NODE_METADATA_SIZE + POOL_METADATA_SIZE;
}

export async function formatSharedPool(options: SharedPoolOptions, module?: PoolModule): Promise<void> {
  const { format } = module ?? (await importPool());
  await format(options.path, {
    size: sharedPoolSize(options),
    pageSize: options.pageSize,
    maxObjects: options.objects,
    maxNodes: options.nodes + NODES_SPARE,
    eviction: options.eviction,
  });
}

export async function openSharedCache(
  config: { path: string; pageSize: number; source: PageSource },
  module?: PoolModule,
): Promise<ReplayCache> {
  const { connect, SharedCache } = module ?? (await importPool());
  const pool = await connect(config.path);
  const space = new SharedCache(pool).pages(SPACE, { pageSize: config.pageSize });
  return new SharedReplayCache(pool, space, config.source);
}

class SharedReplayCache implements ReplayCache {
  readonly page: Uint8Array;
  private readonly pool: Pool;
  private readonly space: PageSpace;
  private readonly load: (pageNo: number, target: Uint8Array) => void;

  constructor(pool: Pool, space: PageSpace, source: PageSource) {
    this.pool = pool;
    this.space = space;
    this.page = new Uint8Array(space.pageSize);
    this.load = (pageNo, target) => source.fill(pageNo, target);
  }

  access(id: number): boolean {
    return this.space.readThrough(id, this.page, this.load);
  }

  bytesShared(): number {
    const { bytesUsed, bytesMetadata } = this.pool.stats();
    return bytesUsed + bytesMetadata;
  }

  close(): Promise<void> {
    return this.pool.disconnect();
  }
}
