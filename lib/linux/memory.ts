/**
 * Memory that there is for a pool: what the kernel's files say, before it says so by killing. A guess, for a warning: limits change,
 * and others take memory meanwhile. What cannot be read limits nothing.
 */
import { readFileSync, statfsSync } from 'node:fs';
import { dirname } from 'node:path';

export interface MemoryReaders {
  /** The text of a file; undefined where it cannot be read. */
  text(path: string): string | undefined;
  /** Bytes of the file system of the folder that are free; undefined where it has no limit, or is none. */
  freeBytes(folder: string): number | undefined;
}

export const kernelFiles: MemoryReaders = {
  text(path) {
    try {
      return readFileSync(path, 'latin1');
    } catch {
      return undefined;
    }
  },
  freeBytes(folder) {
    try {
      const { bavail, blocks, bsize } = statfsSync(folder);
      return blocks === 0 ? undefined : bavail * bsize;
    } catch {
      return undefined;
    }
  },
};

export interface Room {
  /** What bounds it. */
  readonly of: string;
  readonly bytes: number;
  /** What there would be with nothing else in it. */
  readonly limit: number;
}

const MIB = 2 ** 20;
const KIB = 1024;
/** Where a group has no limit, version 1 shows the largest multiple of a page. */
const UNLIMITED = 2 ** 62;

interface Controller {
  readonly root: string;
  readonly limit: string;
  readonly usage: string;
  /** Of memory.stat: what the kernel takes back before it kills. */
  readonly reclaimable: readonly string[];
}

const VERSION_1: Controller = {
  root: '/sys/fs/cgroup/memory',
  limit: 'memory.limit_in_bytes',
  usage: 'memory.usage_in_bytes',
  reclaimable: ['total_inactive_file', 'total_active_file'],
};
const VERSION_2: Controller = {
  root: '/sys/fs/cgroup',
  limit: 'memory.max',
  usage: 'memory.current',
  reclaimable: ['inactive_file', 'active_file'],
};

function numberOf(text: string | undefined): number | undefined {
  const value = Number(text?.trim() || 'none');
  return Number.isFinite(value) ? value : undefined;
}

/** The values of lines such as `name 12` or `Name:   12 kB`. */
function fieldsOf(text: string | undefined, names: readonly string[]): (number | undefined)[] {
  return names.map((name) => {
    const found = new RegExp(`^${name}:?\\s+(\\d+)`, 'm').exec(text ?? '')?.[1];
    return found === undefined ? undefined : Number(found);
  });
}

/** The group and those above it. In a container its path may be the host's, of which nothing is there but the root. */
function groupsAbove(path: string): string[] {
  const groups = [''];
  for (let at = path; at !== '/' && at !== '.' && at !== ''; at = dirname(at)) groups.push(at);
  return groups;
}

function roomsIn({ root, limit, usage, reclaimable }: Controller, path: string, { text }: MemoryReaders): Room[] {
  return groupsAbove(path).flatMap((group) => {
    const bytes = numberOf(text(`${root}${group}/${limit}`));
    if (bytes === undefined || bytes >= UNLIMITED) return [];
    const used = numberOf(text(`${root}${group}/${usage}`)) ?? 0;
    const cache = fieldsOf(text(`${root}${group}/memory.stat`), reclaimable).reduce<number>((a, b) => a + (b ?? 0), 0);
    const of = `the memory limit of the control group ${group === '' ? '/' : group} (${limit})`;
    return [{ of, bytes: Math.max(0, bytes - Math.max(0, used - cache)), limit: bytes }];
  });
}

/** By every control group that this process is in. */
export function roomsInGroups(readers: MemoryReaders): Room[] {
  const groups = readers.text('/proc/self/cgroup') ?? '';
  const rooms: Room[] = [];
  for (const [, controllers = '', path = ''] of groups.matchAll(/^\d+:([^:]*):(.*)$/gm)) {
    if (controllers === '') rooms.push(...roomsIn(VERSION_2, path, readers));
    if (controllers.split(',').includes('memory')) rooms.push(...roomsIn(VERSION_1, path, readers));
  }
  return rooms;
}

function roomOfMachine({ text }: MemoryReaders): Room[] {
  const meminfo = text('/proc/meminfo');
  const [available, swap = 0, total] = fieldsOf(meminfo, ['MemAvailable', 'SwapFree', 'MemTotal']);
  if (available === undefined || total === undefined) return [];
  return [{ of: 'the free memory of the machine', bytes: (available + swap) * KIB, limit: (total + swap) * KIB }];
}

function roomOfFileSystem(path: string, { freeBytes }: MemoryReaders): Room[] {
  const bytes = freeBytes(dirname(path));
  return bytes === undefined ? [] : [{ of: `the file system of ${dirname(path)}`, bytes, limit: bytes }];
}

function inMiB(bytes: number): string {
  return `${Math.floor(bytes / MIB)} MiB`;
}

function sentence(path: string, what: string, size: number, rooms: readonly Room[]): string | undefined {
  const least = rooms.reduce<Room | undefined>((a, b) => (a === undefined || b.bytes < a.bytes ? b : a), undefined);
  if (least === undefined || least.bytes >= size) return undefined;
  const has = `${least.of} leaves ${inMiB(least.bytes)}${least.limit > least.bytes ? ` of ${inMiB(least.limit)}` : ''}`;
  return `${what} the pool ${path} takes ${inMiB(size)} of memory, and ${has}: the kernel may end processes to find the rest. Make the pool smaller, or raise that limit.`;
}

/** What to say before a pool of so many bytes is made in memory; undefined where there is room for it. */
export function shortageAtFormat(path: string, size: number, readers = kernelFiles): string | undefined {
  const rooms = [...roomsInGroups(readers), ...roomOfMachine(readers), ...roomOfFileSystem(path, readers)];
  return sentence(path, 'Making', size, rooms);
}

/** What to say before a node has all pages of a pool in memory mapped: its group may come to be charged for them. */
export function shortageAtPrefault(path: string, size: number, readers = kernelFiles): string | undefined {
  // The pool may be charged to the group already: what is in use says nothing.
  const rooms = roomsInGroups(readers).map(({ of, limit }) => ({ of, bytes: limit, limit }));
  return sentence(path, 'Mapping all of', size, rooms);
}
