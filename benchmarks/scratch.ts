/** Folders for what a benchmark makes: in shared memory where there is room, gone when the process ends. */
import { rmSync, statfsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ownFolder } from '../lib/linux/index.js';
import type { FormatOptions, Pool } from '../src/index.js';
import { connect, sealpool } from './build.js';

const SHARED_MEMORY = '/dev/shm';

function freeBytes(folder: string): number {
  try {
    const { bavail, bsize } = statfsSync(folder);
    return bavail * bsize;
  } catch {
    return 0;
  }
}

const made: string[] = [];

function removeAll(): void {
  for (const folder of made.splice(0)) rmSync(folder, { recursive: true, force: true });
}

/** A new folder with room for so many bytes. */
export function scratchFolder(bytes: number): string {
  return folderIn(freeBytes(SHARED_MEMORY) > bytes * 1.1 ? SHARED_MEMORY : tmpdir());
}

/** A new folder where temporary files go: on disk, unless the machine keeps those in memory. */
export function diskFolder(): string {
  return folderIn(tmpdir());
}

function folderIn(parent: string): string {
  if (made.length === 0) {
    sealpool.destroyStale?.();
    process.once('exit', removeAll);
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));
  }
  const folder = ownFolder(parent, 'bench');
  made.push(folder);
  return folder;
}

/** A node of a new pool. */
export function scratchPool(options: FormatOptions & { size: number }): Promise<Pool> {
  return connect(join(scratchFolder(options.size), 'pool'), { create: options, prefault: 'sync' });
}
