/**
 * shared-cache: the arm of the one pool that all nodes share. The only file here that knows the pool.
 *
 * The pool is imported when the arm runs, so that a private arm never maps anything.
 */
import type { PageSpace } from '../../../src/cache/index.js';
import type { Eviction, Pool } from '../../../src/pool/index.js';
import type { PageSource } from './pages.js';
import type { ReplayCache, Shared } from './replay-cache.js';

/** What a node takes from the package. */
export interface PoolModule {
  connect(path: string, options: { nearEntries?: number }): Promise<Pool>;
  readonly SharedCache: new (pool: Pool) => { pages(space: string, options: { pageSize: number }): PageSpace };
}

export interface SharedPoolOptions {
  readonly pageSize: number;
  readonly maxObjects: number;
  readonly nodes: number;
  readonly eviction: Eviction;
}

const SPACE = 'trace';
/** The driver and one reader of its statistics attach beside the nodes. */
const NODES_SPARE = 2;

/** Bytes of the file of a pool whose capacity in objects is what limits it. */
export async function sharedPoolSize({ nodes, ...options }: SharedPoolOptions): Promise<number> {
  const { poolSizeFor } = await import('../../../src/index.js');
  return poolSizeFor({ ...options, maxNodes: nodes + NODES_SPARE });
}

export async function formatSharedPool(
  path: string,
  size: number,
  { nodes, ...options }: SharedPoolOptions,
): Promise<void> {
  const { format } = await import('../../../src/index.js');
  await format(path, { ...options, size, maxNodes: nodes + NODES_SPARE });
}

export async function openSharedCache(
  config: { path: string; pageSize: number; source: PageSource; nearEntries?: number | undefined },
  module?: PoolModule,
): Promise<ReplayCache> {
  const { connect, SharedCache } = module ?? (await import('../../../src/index.js'));
  const { nearEntries } = config;
  const pool = await connect(config.path, nearEntries === undefined ? {} : { nearEntries });
  const space = new SharedCache(pool).pages(SPACE, { pageSize: config.pageSize });
  return new SharedReplayCache(pool, space, config.source);
}

class SharedReplayCache implements ReplayCache {
  readonly isShared = true;
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

  /** The whole file, with what is free in it: nobody else can use that. */
  shared(): Shared {
    return { bytes: this.pool.info.size, objects: this.pool.stats().objects };
  }

  close(): Promise<void> {
    return this.pool.disconnect();
  }
}
