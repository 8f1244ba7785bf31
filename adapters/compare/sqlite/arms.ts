/**
 * The arms of the sqlite workload: what each spends the same bytes on, and its figures.
 *
 * What counts against the memory: pages and the index that finds them, wherever a node keeps them. SQLite's own page
 * cache (ENGINE_CACHE_KIB a node) is the same in every arm, comes on top of it, and is counted as private bytes.
 */
import { PoolError } from '../../../lib/errors.js';
import { destroyStale } from '../../../src/pool/index.js';
import { LRU_ENTRY_OVERHEAD } from '../../sqlite-wasm/index.js';
import { bytesText } from '../figures.js';
import { poolFolder } from '../pool-folder.js';
import { type ArmName, type ArmResult, isOsCache } from '../types.js';
import { PAGE_SIZE } from './generate.js';
import { Latency } from './latency.js';
import { ownPath } from './leftovers.js';
import type { NodeResult, SourceSpec } from './messages.js';
import type { RunResult } from './nodes.js';
import { NEAR_ENTRY_SIZE } from './shared-source.js';

export const ENGINE_CACHE_KIB = 2048;

export interface Arm {
  readonly name: ArmName;
  readonly source: SourceSpec;
  /** Bytes of each node. */
  readonly nodeBytes: number;
  readonly sharedBytes: number;
  readonly notes: readonly string[];
}

/** No index is larger than the file it finds pages of. */
const pagesOf = (fileSize: number): number => Math.ceil(fileSize / PAGE_SIZE);

export function privateArm(nodes: number, memory: number, fileSize: number): Arm {
  const entry = PAGE_SIZE + LRU_ENTRY_OVERHEAD;
  const pagesMax = Math.min(Math.floor(memory / nodes / entry), pagesOf(fileSize));
  if (pagesMax < 1) {
    throw new PoolError('OPTION_INVALID', `${memory} bytes do not hold one page for each of ${nodes} nodes.`, {
      memory,
    });
  }
  const notes = [`Each node caches ${pagesMax} pages; ${LRU_ENTRY_OVERHEAD} bytes a page are counted for lru-cache.`];
  return {
    name: 'private-lru',
    source: { kind: 'private-lru', direct: true, pagesMax },
    nodeBytes: pagesMax * entry,
    sharedBytes: 0,
    notes,
  };
}

export interface SharedArm extends Arm {
  readonly name: 'shared';
  readonly poolPath: string;
  readonly poolSize: number;
  /** Of a pool that is there while the nodes warm up. */
  readonly warmUpPath: string;
}

export function sharedArm(nodes: number, memory: number, fileSize: number): SharedArm {
  const nearEntries = Math.max(1, Math.min(Math.floor(memory / PAGE_SIZE), pagesOf(fileSize)));
  const nodeBytes = nearEntries * NEAR_ENTRY_SIZE;
  const poolSize = Math.floor((memory - nodes * nodeBytes) / 4096) * 4096;
  if (poolSize < PAGE_SIZE) {
    const message = `${memory} bytes are used up by the lookup indexes of ${nodes} nodes.`;
    throw new PoolError('OPTION_INVALID', message, { memory, nodes });
  }
  const { folder, note } = poolFolder(poolSize);
  destroyStale([folder]);
  const poolPath = ownPath(folder, 'pool');
  const index = `The pool file has ${bytesText(poolSize)}, its metadata included; the nodes' lookup indexes have the rest.`;
  return {
    name: 'shared',
    source: { kind: 'shared', direct: true, poolPath, nearEntries },
    nodeBytes,
    sharedBytes: poolSize,
    notes: note === undefined ? [index] : [index, note],
    poolPath,
    poolSize,
    warmUpPath: ownPath(folder, 'warmup'),
  };
}

/** Where the arm's nodes read from while they warm up: a cache of the same kind and size, filled through the operating system's. */
export function warmUpSource(arm: Arm | SharedArm): SourceSpec {
  const source = { ...arm.source, direct: false };
  return source.kind === 'shared' && 'warmUpPath' in arm ? { ...source, poolPath: arm.warmUpPath } : source;
}

/** `limit`: bytes that the cache may have; absent: it is not limited. */
export function osCacheArm(fileSize: number, limit?: number): Arm {
  const notes = [
    limit === undefined
      ? 'The operating system caches the whole file, shared by all nodes and not limited to the given memory.'
      : "The operating system's cache, shared by all nodes, is cut back to the given memory every few milliseconds (a memory cgroup), and may have a little more in between.",
    'Its storage reads are the bytes that the kernel says it fetched from the device (/proc/self/io), in pages: what it read ahead is among them, wanted or not.',
  ];
  return {
    name: limit === undefined ? 'os-cache' : 'os-cache-limited',
    source: { kind: 'uncached', direct: false },
    nodeBytes: 0,
    sharedBytes: Math.min(fileSize, limit ?? fileSize),
    notes,
  };
}

function warmUpText(nodes: readonly NodeResult[]): string {
  const seconds = nodes.reduce((sum, { warmUpMs }) => sum + warmUpMs, 0) / nodes.length / 1_000;
  return `Before, each node ran every other query for ${seconds.toFixed(1)} s over a cache that was thrown away, so that its code was compiled; a process pays that once.`;
}

export function armResult(arm: Arm, { results, elapsedMs }: RunResult): ArmResult {
  const nodes = results as readonly NodeResult[];
  const sum = (pick: (node: NodeResult) => number): number => nodes.reduce((total, node) => total + pick(node), 0);
  const latency = new Latency();
  for (const node of nodes) latency.add(node.latencyCounts);
  const requests = sum((node) => node.requests);
  const storageNotes = new Set(nodes.flatMap(({ note }) => note ?? []));
  const notes = [...arm.notes, warmUpText(nodes), ...storageNotes];
  const hits = sum((node) => node.hits);
  let storageReads = sum((node) => node.storageReads);
  if (isOsCache(arm.name)) {
    if (nodes.some(({ deviceBytes }) => deviceBytes === undefined)) {
      notes.push('/proc/self/io cannot be read here: the storage reads of this arm are not known and stand as 0.');
    }
    storageReads = Math.ceil(sum((node) => node.deviceBytes ?? 0) / PAGE_SIZE);
  }
  return {
    name: arm.name,
    requests,
    hits,
    hitRatio: requests === 0 ? 0 : hits / requests,
    storageReads,
    bytesPrivate: nodes.length * (arm.nodeBytes + ENGINE_CACHE_KIB * 1024),
    bytesShared: arm.sharedBytes,
    p50Us: latency.quantile(0.5) / 1_000,
    p99Us: latency.quantile(0.99) / 1_000,
    elapsedMs,
    notes,
  };
}
