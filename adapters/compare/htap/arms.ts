/**
 * The arms of the htap workload: what each spends the same bytes on.
 *
 * What counts against the memory, of the writer and the readers together: pages, and the index that finds them. SQLite's own page
 * cache of ENGINE_CACHE_KIB comes on top of it in every process of every arm, and is dropped by the engine at each new snapshot.
 *
 * (A1) the writer's pool is shared by all in the arm `shared` alone. In the others it is what a storage has that serves versions: what
 *      readers take of it was read from the storage before, counted and waited for (Snapshot.read), and VERSION_BYTES of it are
 *      nobody's memory. So these arms lose few snapshots for want of room, which is in their favour.
 */
import { PoolError } from '../../../lib/errors.js';
import { bytesText } from '../figures.js';
import { PAGE_SIZE } from '../sqlite/generate.js';
import { NEAR_ENTRY_SIZE } from '../sqlite/shared-source.js';

export const htapArms = [
  'alone',
  'private-engine',
  'private-versioned',
  'shared',
  'os-cache',
  'os-cache-limited',
] as const;
export type HtapArm = (typeof htapArms)[number];
export type MissSource = 'direct' | 'server';

/** See medium.ts. */
export type MediumKind = 'direct' | 'server' | 'os' | 'os, remote';
/** See stores.ts. */
export type StoreKind = 'pool' | 'private' | 'none';

export const ENGINE_CACHE_KIB = 2048;
const VERSION_BYTES = 16 << 20;
const ALIGNMENT = 4096;

export interface ArmPlan {
  readonly name: HtapArm;
  readonly readers: number;
  readonly store: StoreKind;
  readonly medium: MediumKind;
  /** Bytes of the file. */
  readonly poolSize: number;
  /** Of each reader's own pool; 0 for none. */
  readonly privateSize: number;
  readonly nearEntries: number;
  /** KiB, of readers. */
  readonly engineCacheKiB: number;
  /** Of the OS page cache, where it is limited. */
  readonly cacheLimit: number | undefined;
  /** Bytes that processes hold each for themselves, summed, and bytes that all share. */
  readonly bytesPrivate: number;
  readonly bytesShared: number;
  readonly notes: readonly string[];
}

export interface ArmOptions {
  /** Readers. */
  readonly readers: number;
  /** Total bytes. */
  readonly memory: number;
  /** Of the database, bytes. */
  readonly fileSize: number;
  readonly source: MissSource;
}

const aligned = (bytes: number): number => Math.floor(bytes / ALIGNMENT) * ALIGNMENT;

export function planArm(name: HtapArm, { readers, memory, fileSize, source }: ArmOptions): ArmPlan {
  const processes = readers + 1;
  const share = Math.floor(memory / processes);
  const pagesMax = Math.ceil(fileSize / PAGE_SIZE);
  const nearOf = (bytes: number): number => Math.max(1, Math.min(Math.floor(bytes / PAGE_SIZE), pagesMax));
  const engineBytes = processes * ENGINE_CACHE_KIB * 1024;
  const base = {
    name,
    readers,
    medium: source,
    engineCacheKiB: ENGINE_CACHE_KIB,
    cacheLimit: undefined,
    privateSize: 0,
  };
  const within = (bytes: number): number => {
    if (bytes >= PAGE_SIZE) return aligned(bytes);
    throw new PoolError('OPTION_INVALID', `${memory} bytes are too few for ${processes} processes.`, { memory });
  };
  switch (name) {
    case 'alone':
    case 'shared': {
      const nearEntries = nearOf(memory);
      const index = processes * nearEntries * NEAR_ENTRY_SIZE;
      const poolSize = within(memory - index);
      const memoryOf = { poolSize, nearEntries, bytesShared: poolSize, bytesPrivate: index + engineBytes };
      return { ...base, ...memoryOf, readers: name === 'alone' ? 0 : readers, store: 'pool', notes: [] };
    }
    case 'private-versioned': {
      const nearEntries = nearOf(share);
      const privateSize = within(share - nearEntries * NEAR_ENTRY_SIZE);
      const poolSize = privateSize + VERSION_BYTES;
      const memoryOf = { poolSize, privateSize, nearEntries, bytesShared: 0, bytesPrivate: memory + engineBytes };
      const notes = [`Each of ${processes} processes has a pool of its own of ${bytesText(privateSize)}.`];
      return { ...base, ...memoryOf, store: 'private', notes };
    }
    case 'private-engine': {
      const poolSize = within(share) + VERSION_BYTES;
      const engineCacheKiB = ENGINE_CACHE_KIB + Math.floor(share / 1024);
      const memoryOf = { poolSize, nearEntries: nearOf(share), bytesShared: 0, bytesPrivate: memory + engineBytes };
      const notes = [
        `Each reader's engine has a page cache of ${bytesText(engineCacheKiB * 1024)}, which it drops at each new snapshot; what it answers itself is no page request, so there are no hits.`,
      ];
      return { ...base, ...memoryOf, engineCacheKiB, store: 'none', notes };
    }
    case 'os-cache':
    case 'os-cache-limited': {
      const cacheLimit = name === 'os-cache' ? undefined : memory;
      const memoryOf = { bytesShared: cacheLimit ?? fileSize, bytesPrivate: engineBytes };
      const notes = [
        'Its storage reads are the bytes that the kernel fetched from the device for it, in pages: what it read ahead is among them, wanted or not.',
      ];
      if (source === 'server') {
        notes.push(
          'It reads a local file; where the kernel went to the device the read takes the 1 ms of the page server more.',
        );
      }
      const medium = source === 'server' ? 'os, remote' : 'os';
      const nearEntries = nearOf(share);
      return { ...base, ...memoryOf, medium, cacheLimit, nearEntries, poolSize: VERSION_BYTES, store: 'none', notes };
    }
  }
}
