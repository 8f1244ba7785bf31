/** What a comparison showed and what that does not mean, in sentences. */
import { countText, PERFECT_PARTITIONING } from '../figures.js';
import type { ArmName, ArmResult } from '../types.js';

export interface Setting {
  readonly nodes: number;
  readonly memory: number;
  readonly fileSize: number;
  readonly engineCacheKiB: number;
}

const percent = (share: number): string => `${(share * 100).toFixed(1)} %`;
const mib = (bytes: number): string => `${(bytes / 2 ** 20).toFixed(1)} MiB`;
const seconds = (arm: ArmResult): string => `${(arm.elapsedMs / 1_000).toFixed(1)} s`;

export function conclusions(arms: readonly ArmResult[], setting: Setting): string[] {
  const find = (name: ArmName): ArmResult | undefined => arms.find((arm) => arm.name === name);
  const local = find('private-lru');
  const shared = find('shared');
  const system = find('os-cache');
  const notes: string[] = [];
  if (local && shared) {
    const reads = `${countText(shared.storageReads)} storage reads against ${countText(local.storageReads)}`;
    const hits = `${percent(shared.hitRatio)} of the pages found against ${percent(local.hitRatio)}`;
    notes.push(`One shared pool against ${setting.nodes} private caches of the same total of ${mib(setting.memory)}:
      ${reads}, ${hits}, ${seconds(shared)} against ${seconds(local)}.`);
  }
  if (shared && system) {
    notes.push(`The OS page cache, shared by nature and holding all ${mib(setting.fileSize)}, took ${seconds(system)}:
      where the whole file fits the machine's memory and is local, it needs no help.`);
  }
  notes.push(
    'The private and shared arms read with O_DIRECT, which hides the OS page cache: a miss costs a device read, as it would on remote or larger-than-memory storage.',
    PERFECT_PARTITIONING,
    "Scans that come round again are the worst case of LRU; a private cache that just holds a node's working set would do far better.",
    `SQLite's own cache of ${setting.engineCacheKiB / 1_024} MiB a node is private memory in every arm, on top of the memory given, and takes the hottest reads before any of these caches is asked.`,
    'The database is derived from the CH-benCHmark, scaled down and read-only; its figures are not comparable to published ones.',
  );
  return notes.map((note) => note.replaceAll(/\s+/g, ' '));
}
