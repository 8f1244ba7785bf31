/**
 * shared-cache: the arm of the one pool that all nodes share. The only file here that knows the pool.
 *
 * The pool is imported when the arm runs, so that a private arm never maps anything.
 */
import type { PageSpace } from '../../../src/cache/index.js';
import type { Eviction, Pool } from '../../../src/pool/index.js';
import type { PageSource } from './pages.js';
import type { ReplayCache } from './replay-cache.js';

/** What a node takes from the package. */
export interface PoolModule {
  connect(path: string): Promise<Pool>;
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

/** Bytes of the file of a pool whose capacity in objects is what limits it. */
export async function sharedPoolSize(options: Omit<SharedPoolOptions, 'path'>): Promise<number> {
  const { poolSizeFor } = await import('../../../src/index.js');
  const { objects, pageSize, nodes, eviction } = options;
  return poolSizeFor({ maxObjects: objects, pageSize, maxNodes: nodes + NODES_SPARE, eviction });
}

export async function formatSharedPool(options: SharedPoolOptions): Promise<void> {
  const { format } = await import('../../../src/index.js');
  await format(options.path, {
    size: await sharedPoolSize(options),
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
  const { connect, SharedCache } = module ?? (await import('../../../src/index.js'));
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
