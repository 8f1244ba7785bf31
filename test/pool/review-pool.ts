/** Pools for the tests of what races and failures leave, each in a directory of its own, and their insides. */
import { rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ownFolder } from '../../lib/linux/index.js';
import { AttachedPool, type ConnectOptions, connect, type FormatOptions, format } from '../../src/pool/index.js';

export const SMALL: FormatOptions = { size: '8MiB', pageSize: 4096, maxObjects: 256, maxNodes: 8 };

export class Yard {
  private readonly directory = ownFolder(tmpdir(), 'review');
  private readonly pools: AttachedPool[] = [];
  readonly path = join(this.directory, 'pool');

  async format(options: Partial<FormatOptions> = {}): Promise<void> {
    await format(this.path, { ...SMALL, ...options });
  }

  async connect(options: ConnectOptions = {}): Promise<AttachedPool> {
    const pool = await connect(this.path, options);
    if (!(pool instanceof AttachedPool)) throw new Error('not a writable node');
    this.pools.push(pool);
    return pool;
  }

  /** Leaves no node behind and no file. */
  async clear(): Promise<void> {
    for (const pool of this.pools) await pool.disconnect();
    rmSync(this.directory, { recursive: true, force: true });
  }
}

/** The code of the PoolError that `work` throws, or undefined. */
export function codeOf(work: () => unknown): string | undefined {
  try {
    work();
    return undefined;
  } catch (error) {
    return (error as { code?: string }).code ?? String(error);
  }
}
