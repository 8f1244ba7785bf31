/**
 * Who reads a database, and since when at which snapshot: an entry of the pool for each reader, so that a read transaction that
 * somebody forgot is found by name. An entry is pinned by its reader. It keeps nothing of the snapshot: that is the pool's to keep.
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

interface Entry {
  readonly node: number;
  readonly connectedAt: string;
  readonly name: string;
  readonly pid: number;
  readonly lsn: number;
  readonly sinceMs: number;
}

let made = 0;

const prefixOf = ({ device, inode }: FileStatus): string => `reader/${device}.${inode}/`;

export class Presence {
  private readonly pool: Pool;
  private readonly cache: SharedCache;
  private readonly key: string;
  private readonly name: string;
  private pin: Page | undefined;

  constructor(pool: Pool, file: FileStatus, name: string | undefined) {
    this.pool = pool;
    this.cache = openSharedCache(pool);
    this.name = name ?? pool.node.name;
    this.key = `${prefixOf(file)}${pool.node.id}.${process.pid}.${made++}`;
  }

  /** The reader goes to that snapshot. */
  tell(lsn: number): void {
    const { id, pid, connectedAt } = this.pool.node;
    const entry: Entry = {
      node: id,
      connectedAt: String(+connectedAt),
      name: this.name,
      pid,
      lsn,
      sinceMs: Date.now(),
    };
    this.cache.set(this.key, new TextEncoder().encode(JSON.stringify(entry)));
    const pin = this.cache.get(this.key);
    this.pin?.release();
    this.pin = pin;
  }

  end(): void {
    this.pin?.release();
    this.pin = undefined;
    try {
      this.cache.delete(this.key);
    } catch (error) {
      // Of a node that is gone, or a lock that cannot be had: the entry is of a reader that is not listed, or is evicted.
      if (!(error instanceof PoolError)) throw error;
    }
  }
}

/** The longest at their snapshot first. */
export function listReaders(pool: Pool, file: FileStatus): ReaderInfo[] {
  const cache = openSharedCache(pool);
  const nodes = pool.nodes();
  const found: ReaderInfo[] = [];
  for (const key of cache.keys()) {
    if (!key.startsWith(prefixOf(file))) continue;
    const page = cache.get(key);
    if (page === undefined) continue;
    const { node, connectedAt, sinceMs, name, pid, lsn }: Entry = JSON.parse(new TextDecoder().decode(page.bytes));
    page.release();
    const isAlive = nodes.some(
      (other) => other.id === node && other.state === 'alive' && String(+other.connectedAt) === connectedAt,
    );
    if (isAlive) found.push({ name, pid, lsn, heldMs: Math.max(0, Date.now() - sinceMs) });
  }
  return found.sort((one, other) => other.heldMs - one.heldMs);
}
