/** What a host tells of its pool: who is there, and what is in it. */
import { LINE_BYTES } from '../../../lib/struct.js';
import { displayKey, type NodeInfo, type ObjectInfo, type PoolStats } from '../../pool/index.js';
import type { Entry } from '../directory.js';
import { extentLines } from '../layout.js';
import { ABSENT, LEFT, type RowView } from '../members.js';
import { RETAINED } from '../records.js';
import type { SoftwarePoolParts } from './parts.js';

function hex(word: number): string {
  return (word >>> 0).toString(16).padStart(8, '0');
}

/** Each host that is there, or was declared dead and may not know it. Of others than this one nobody knows what they hold. */
export function nodesOf({ host }: SoftwarePoolParts, isSelfOnly: boolean): NodeInfo[] {
  const { members, directory, surroundings } = host.parts;
  const rows: RowView[] = isSelfOnly ? [] : members.readRows();
  rows[members.self] = members.loadRow(members.self);
  return rows.flatMap((row, id) => {
    if (row === undefined || row.state === ABSENT || (row.state === LEFT && id !== members.self)) return [];
    const isSelf = id === members.self;
    if (!isSelf && surroundings.isGone?.(id, row) === true) return [];
    const isDead = (members.deaths[id]?.incarnation ?? 0) >= row.incarnation;
    const own = directory.all().filter((entry) => isSelf && entry.host === id);
    const held = directory.all().filter(({ pins }) => isSelf && pins > 0);
    return {
      id,
      name: `host ${id}`,
      pid: row.process,
      bootId: hex(row.boot),
      state: isSelf && members.isFenced ? 'fenced' : isDead ? 'dead' : 'alive',
      connectedAt: new Date(row.sinceSeconds * 1000),
      readOnly: false,
      pins: held.length,
      pinnedBytes: held.reduce((sum, { byteLength }) => sum + byteLength, 0),
      drafts: own.filter(({ state }) => state === 'draft' || state === 'claim').length,
      claims: 0,
    };
  });
}

/** A draft or a page. */
export function objectOf(entry: Entry, keyBytes: Uint8Array): ObjectInfo {
  const { byteLength: size, id: generation, metadataLength: metadataSize, expiresAtMs } = entry;
  const state = entry.state === 'page' ? 'sealed' : 'draft';
  const retained = (entry.flags & RETAINED) !== 0;
  const expires = expiresAtMs === 0 ? {} : { expiresAt: new Date(expiresAtMs) };
  return { key: displayKey(keyBytes), keyBytes, size, state, generation, metadataSize, retained, ...expires };
}

function linesIn(entries: readonly Entry[]): number {
  return entries.reduce((sum, entry) => sum + extentLines(entry), 0);
}

/** As this host knows it. */
export function statsOf(
  { host, device, info }: SoftwarePoolParts,
  counted: { readonly hits: number; readonly misses: number },
): PoolStats {
  const { directory, members } = host.parts;
  const { shape } = members.plan;
  const all = directory.all();
  const pages = all.filter(({ state }) => state === 'page');
  const drafts = all.filter(({ state }) => state === 'draft' || state === 'claim');
  const limbo = all.filter(({ state, isFreed, lastPosition }) => state === 'retired' && !isFreed && lastPosition > 0);
  const bytesData = shape.hosts * shape.dataLines * LINE_BYTES;
  const bytesUsed = (linesIn(pages) + linesIn(drafts) + linesIn(limbo)) * LINE_BYTES;
  return {
    bytesData,
    bytesUsed,
    bytesFree: bytesData - bytesUsed,
    bytesMetadata: info.size - bytesData,
    objects: pages.length,
    drafts: drafts.length,
    limbo: limbo.length,
    pins: all.filter(({ pins }) => pins > 0).length,
    ...counted,
    ...{ evictions: 0, restores: 0, damaged: 0, checkpoints: 0 },
    ...(device.isEmulated ? { emulation: 'noncoherent' as const } : {}),
  };
}
