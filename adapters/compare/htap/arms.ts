/**
 * The arms of the htap workload: what each spends the same bytes on.
 *
 * What counts against the memory, of the writer and the readers together: pages, and the index that finds them. SQLite's own page
 * cache of ENGINE_CACHE_KIB comes on top of it in every process of every arm, and is dropped by the engine at each new snapshot.
 *
 * (A1) the writer's pool is shared by all in the arm `shared` alone. In the others readers take of it only what is past, and what they
 *      take was read from the storage before, counted and waited for (Snapshot.load).
 * (A2) the past has the same bytes in every arm, and they are of the memory: `bytesPast`, shared. What is left is one pool, or a part
 *      of the same size for each process, the writer's pool then being its part and the past. Of the one pool the past may take
 *      as much, and leaves to pages what it does not need.
 */
import { PoolError } from '../../../lib/errors.js';
import { SNAPSHOT_SHARE, SNAPSHOT_SHARE_MAX } from '../../sqlite/index.js';
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
/** Of the writer's pool in the arms without another: heads and logs want some room as well. */
const OS_POOL_BYTES_MIN = 1 << 20;
/** Pages that a process remembers where they are: to look one up costs a microsecond or two, and an entry is a 25th of a page. */
const NEAR_ENTRIES_MAX = 256;
/** Pages of the past that a reader remembers where they are, in the arms in which it has them at second hand. */
export const PAST_NEAR_ENTRIES = 64;
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
  /** Of the index of the writer, and of a reader's own pool. */
  readonly nearEntries: number;
  /** Of a reader's index of the writer's pool. */
  readonly sharedNearEntries: number;
  /** KiB, of readers. */
  readonly engineCacheKiB: number;
  /** Of the OS page cache, where it is limited. */
  readonly cacheLimit: number | undefined;
  /** Bytes that processes hold each for themselves, summed, and bytes that all share. */
  readonly bytesPrivate: number;
  readonly bytesShared: number;
  /** (A2) Of the bytes shared: what the past may have. */
  readonly bytesPast: number;
  /** Of the writer's pool. */
  readonly snapshotShare: number;
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
  /** Of the memory, the share of the past. Default SNAPSHOT_SHARE. */
  readonly snapshotShare?: number;
}

const aligned = (bytes: number): number => Math.floor(bytes / ALIGNMENT) * ALIGNMENT;

/** Throws OPTION_INVALID where the memory is too little. */
export function planArm(name: HtapArm, options: ArmOptions): ArmPlan {
  const { readers, memory, fileSize, source, snapshotShare = SNAPSHOT_SHARE } = options;
  const processes = readers + 1;
  const nearOf = (bytes: number): number => Math.max(1, Math.min(Math.floor(bytes / PAGE_SIZE), NEAR_ENTRIES_MAX));
  const within = (bytes: number): number => {
    if (bytes >= PAGE_SIZE) return aligned(bytes);
    throw new PoolError('OPTION_INVALID', `${memory} bytes are too few for ${processes} processes.`, { memory });
  };
  const bytesPast = within(snapshotShare * memory);
  const engineBytes = processes * ENGINE_CACHE_KIB * 1024;
  const base = {
    name,
    readers,
    medium: source,
    engineCacheKiB: ENGINE_CACHE_KIB,
    cacheLimit: undefined,
    privateSize: 0,
  };
  if (name === 'alone' || name === 'shared') {
    const nearEntries = nearOf(memory);
    const index = processes * nearEntries * NEAR_ENTRY_SIZE;
    const poolSize = within(memory - index);
    const memoryOf = { poolSize, nearEntries, sharedNearEntries: nearEntries, bytesShared: poolSize, bytesPast };
    const own = { bytesPrivate: index + engineBytes, snapshotShare: bytesPast / poolSize };
    return { ...base, ...memoryOf, ...own, readers: name === 'alone' ? 0 : readers, store: 'pool', notes: [] };
  }
  const pastIndex = PAST_NEAR_ENTRIES * NEAR_ENTRY_SIZE;
  const share = Math.floor((memory - bytesPast) / processes);
  const nearEntries = nearOf(share);
  const writerSize = within(share - nearEntries * NEAR_ENTRY_SIZE) + bytesPast;
  const apart = { ...base, nearEntries, sharedNearEntries: PAST_NEAR_ENTRIES, bytesPast };
  const memoryOf = {
    ...{ poolSize: writerSize, snapshotShare: bytesPast / writerSize },
    ...{ bytesShared: bytesPast, bytesPrivate: memory - bytesPast + engineBytes },
  };
  switch (name) {
    case 'private-versioned': {
      const privateSize = within(share - nearEntries * NEAR_ENTRY_SIZE - pastIndex);
      const notes = [
        `Each of ${processes} processes has a pool of its own of ${bytesText(privateSize)}; ${bytesText(bytesPast)} are for the past.`,
      ];
      return { ...apart, ...memoryOf, privateSize, store: 'private', notes };
    }
    case 'private-engine': {
      const engineCacheKiB = ENGINE_CACHE_KIB + Math.floor((share - pastIndex) / 1024);
      const notes = [
        `Each reader's engine has a page cache of ${bytesText(engineCacheKiB * 1024)}, which it drops at each new snapshot; what it answers itself is no page request, so there are no hits.`,
      ];
      return { ...apart, ...memoryOf, engineCacheKiB, store: 'none', notes };
    }
    case 'os-cache':
    case 'os-cache-limited': {
      const poolSize = Math.max(bytesPast, OS_POOL_BYTES_MIN);
      const cacheLimit = name === 'os-cache' ? undefined : within(memory - poolSize);
      const ofSystem = {
        ...{ poolSize, nearEntries: PAST_NEAR_ENTRIES, snapshotShare: SNAPSHOT_SHARE_MAX },
        ...{ bytesShared: (cacheLimit ?? fileSize) + poolSize, bytesPrivate: engineBytes },
      };
      const notes = [
        'Its storage reads are the bytes that the kernel fetched from the device for it, in pages: what it read ahead is among them, wanted or not.',
      ];
      if (source === 'server') {
        notes.push('It reads a local file; where the kernel went to the device the read takes 1 ms more.');
      }
      const medium = source === 'server' ? 'os, remote' : 'os';
      return { ...apart, ...ofSystem, medium, cacheLimit, store: 'none', notes };
    }
  }
}
