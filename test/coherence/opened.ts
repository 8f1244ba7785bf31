/** Pools with software coherence, disconnected after each test. */
import type { SoftwarePool } from '../../src/coherence/entry/pool.js';
import { type ConnectOptions, connect, type Pool } from '../../src/index.js';
import { Pools } from '../support/pools.js';

export const EMULATE = { emulate: 'noncoherent' } as const;
export const SMALL = { size: '1MiB', pageSize: 1024 } as const;
/** Of a page. */
export const bytes = Uint8Array.from({ length: 5000 }, (_, i) => (i * 7) & 0xff);

export class Opened {
  readonly pools = new Pools();
  private open: Pool[] = [];

  path(): string {
    return this.pools.path();
  }

  async connect(path: string, options: ConnectOptions): Promise<SoftwarePool> {
    const pool = await connect(path, options);
    this.open.push(pool);
    return pool as SoftwarePool;
  }

  async end(): Promise<void> {
    for (const pool of this.open.splice(0)) await pool.disconnect();
  }
}

export function useOpened(): Opened {
  const opened = new Opened();
  afterEach(() => opened.end());
  after(() => opened.pools.remove());
  return opened;
}
