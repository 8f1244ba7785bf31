/**
 * Who reads a database, and at which snapshots: an entry of the pool for each node that does, so that a read transaction that somebody
 * forgot is found by name, and the writer keeps what snapshots need (retention.ts). An entry is pinned by its reader.
 *
 * (N1) one entry a node, of all its readers of the file: who knows the nodes finds the readers, without a look through the pool.
 */
import { PoolError } from '../../lib/errors.js';
import type { Page, Pool, SharedCache } from '../../src/index.js';
import type { FileStatus } from './files.js';
import { openSharedCache } from './head.js';

export interface ReaderInfo {
  /** As given to openReader; by default the name of its node. */
  readonly name: string;
  readonly pid: number;
  /** Of its snapshot. */
  readonly lsn: number;
  /** Milliseconds since it went there. */
  readonly heldMs: number;
}

interface Told {
  readonly name: string;
  lsn: number;
  sinceMs: number;
}

interface Entry {
  readonly connectedAt: string;
  readonly pid: number;
  readonly readers: readonly Told[];
}

const keyOf = ({ device, inode }: FileStatus, nodeId: number): string => `reader/${device}.${inode}/${nodeId}`;

/** A node's readers of one file. */
class Registry {
  readonly readers = new Set<Told>();
  private readonly pool: Pool;
  private readonly cache: SharedCache;
  private readonly key: string;
  private pin: Page | undefined;

  constructor(pool: Pool, key: string) {
    this.pool = pool;
    this.cache = openSharedCache(pool);
    this.key = key;
  }

  tell(): void {
    const { pid, connectedAt } = this.pool.node;
    const entry: Entry = { connectedAt: String(+connectedAt), pid, readers: [...this.readers] };
    this.cache.set(this.key, new TextEncoder().encode(JSON.stringify(entry)));
    const pin = this.cache.get(this.key);
    this.pin?.release();
    this.pin = pin;
  }

  end(): void {
    this.pin?.release();
    this.pin = undefined;
    this.cache.delete(this.key);
  }
}

const registries = new WeakMap<Pool, Map<string, Registry>>();

function registryOf(pool: Pool, file: FileStatus): Registry {
  const known = registries.get(pool) ?? new Map<string, Registry>();
  registries.set(pool, known);
  const key = keyOf(file, pool.node.id);
  const registry = known.get(key) ?? new Registry(pool, key);
  known.set(key, registry);
  return registry;
}

export class Presence {
  private readonly registry: Registry;
  private readonly told: Told;

  constructor(pool: Pool, file: FileStatus, name: string | undefined) {
    this.registry = registryOf(pool, file);
    this.told = { name: name ?? pool.node.name, lsn: 0, sinceMs: 0 };
  }

  /** The reader goes to that snapshot. */
  tell(lsn: number): void {
    this.told.lsn = lsn;
    this.told.sinceMs = Date.now();
    this.registry.readers.add(this.told);
    this.registry.tell();
  }

  end(): void {
    const { registry, told } = this;
    registry.readers.delete(told);
    try {
      if (registry.readers.size === 0) registry.end();
      else registry.tell();
    } catch (error) {
      // Of a node that is gone, or a lock that cannot be had: the entry is of a reader that is not listed, or is evicted.
      if (!(error instanceof PoolError)) throw error;
    }
  }
}

/** The longest at their snapshot first. */
export function listReaders(pool: Pool, file: FileStatus, cache = openSharedCache(pool)): ReaderInfo[] {
  const found: ReaderInfo[] = [];
  for (const node of pool.nodes()) {
    const page = node.state === 'alive' ? cache.get(keyOf(file, node.id)) : undefined;
    if (page === undefined) continue;
    const { connectedAt, pid, readers }: Entry = JSON.parse(new TextDecoder().decode(page.bytes));
    page.release();
    // Of an earlier node in that row.
    if (connectedAt !== String(+node.connectedAt)) continue;
    for (const { name, lsn, sinceMs } of readers) {
      found.push({ name, pid, lsn, heldMs: Math.max(0, Date.now() - sinceMs) });
    }
  }
  return found.sort((one, other) => other.heldMs - one.heldMs);
}
