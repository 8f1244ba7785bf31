/** Pools for tests: in memory where there is room, each in a file of its own, gone when its claims are through. */
import { rmSync, statfsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ownFolder } from '../../lib/linux/index.js';
import { SoftwarePool } from '../../src/coherence/entry/pool.js';
import { connect, destroyStale, type PoolErrorCode } from '../../src/index.js';
import type { ConnectOptions, FormatOptions, Pool } from '../../src/pool/layout/types.js';
import type { AttachedPool } from '../../src/pool/pool.js';
import { inMode, type Mode, modeOfLoad } from './mode.js';

export const KIB = 1024;
export const MIB = 1024 * KIB;
export const GIB = 1024 * MIB;

/** The long form of a claim that always runs in small form: SEALPOOL_LONG=1. */
export const LONG = process.env['SEALPOOL_LONG'] === '1';

/** Bytes that a file system could still take; 0 where there is none at the path. */
export function roomAt(path: string): number {
  try {
    const { bavail, bsize } = statfsSync(path);
    return bavail * bsize;
  } catch {
    return 0;
  }
}

const MEMORY = '/dev/shm';

/** Where pools of so many bytes are put. */
export function folderFor(bytes: number): string {
  return roomAt(MEMORY) > bytes * 1.25 ? MEMORY : tmpdir();
}

let isTidied = false;

/** What tests, benchmarks and comparisons have left that were killed. */
function removeStaleOnce(): void {
  if (!isTidied) destroyStale();
  isTidied = true;
}

export class Pools {
  private folder: string | undefined;
  private files = 0;
  private open: Pool[] = [];
  private readonly mode: Mode;

  constructor(mode: Mode = 'coherent') {
    this.mode = mode;
  }

  /** A path where nothing is yet. */
  path(): string {
    removeStaleOnce();
    this.folder ??= ownFolder(folderFor(256 * MIB), 'test');
    return join(this.folder, `pool-${this.files++}`);
  }

  /** A node of a new pool. */
  async create(create: FormatOptions, options: Omit<ConnectOptions, 'create'> = {}): Promise<AttachedPool> {
    return this.connect(this.path(), { ...options, create });
  }

  /** One more node; it is disconnected after the claim. */
  async connect(path: string, options: ConnectOptions = {}): Promise<AttachedPool> {
    const pool = await connect(path, inMode(this.mode, options));
    this.open.push(pool);
    return pool as AttachedPool;
  }

  async disconnect(): Promise<void> {
    const open = this.open;
    this.open = [];
    for (const pool of open) await pool.disconnect();
  }

  remove(): void {
    if (this.folder !== undefined) rmSync(this.folder, { recursive: true, force: true });
    this.folder = undefined;
  }
}

/** For use directly inside a `describe`. */
export function usePools(): Pools {
  const pools = new Pools(modeOfLoad());
  afterEach(() => pools.disconnect());
  after(() => pools.remove());
  return pools;
}

/** Within it every host has said what it read and holds. */
const BEATS_MS = 110;

async function settleHost(pool: SoftwarePool): Promise<void> {
  for (let rounds = 0; rounds < 2; rounds++) {
    pool.parts.host.beat();
    pool.parts.host.reclaim();
    if (pool.stats().limbo === 0 || pool.nodes().length === 1) return;
    await pause(BEATS_MS);
  }
  pool.parts.host.reclaim();
}

/** Scans the hazards of every shard and frees what nobody holds, as upkeep does once a second. */
export async function settle(pool: AttachedPool): Promise<void> {
  // Borrows end with the run.
  await Promise.resolve();
  if (pool instanceof SoftwarePool) return settleHost(pool);
  const { parts, writer } = pool.session;
  for (let shard = 0; shard < parts.geometry.shards; shard++) {
    parts.locks.acquire(shard);
    writer.reclaimer.reclaim(shard);
    parts.locks.release(shard);
  }
}

/** The code of the PoolError that `work` throws or rejects with; the error itself when it is of another kind. */
export async function codeOf(work: () => unknown): Promise<PoolErrorCode | 'nothing thrown'> {
  try {
    await work();
  } catch (error) {
    const { code } = error as { code?: PoolErrorCode };
    if (code === undefined || (error as Error).name !== 'PoolError') throw error;
    return code;
  }
  return 'nothing thrown';
}

export function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

/** Looks until the check holds; its last failure when it never does. */
export async function eventually(check: () => unknown, limitMs = 10_000): Promise<void> {
  const end = Date.now() + limitMs;
  for (;;) {
    try {
      await check();
      return;
    } catch (error) {
      if (Date.now() > end) throw error;
    }
    await pause(25);
  }
}
