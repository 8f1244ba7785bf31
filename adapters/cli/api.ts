/** The calls of the pool that the commands stand on. */
import type { ConnectOptions, FormatOptions, Pool, PoolInfo, PoolReport } from '../../src/pool/index.js';

export interface Api {
  connect(path: string, options?: ConnectOptions): Promise<Pool>;
  format(path: string, options: FormatOptions): Promise<PoolInfo>;
  destroy(path: string, options?: { force?: boolean; trustUids?: number[] }): Promise<void>;
  destroyStale(folders?: readonly string[]): { removed: string[]; kept: string[] };
  inspect(path: string, options?: { trustUids?: number[] }): Promise<PoolReport>;
}
