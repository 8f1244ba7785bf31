/**
 * An OS page cache of so many bytes: a memory cgroup (version 1, or 2) below this process's own, for the children of one arm.
 *
 * (C1) the cache alone is limited: the kernel charges all memory of a group to one sum, and a limit of that would end an engine
 *      whose heap grows. So the group has no limit but for a moment, every few milliseconds, in which the kernel drops what the
 *      cache has too much. In between it may have more, which is in its favour.
 * (C2) version 2 is told by the other kind of limit, which throttles and kills nobody.
 * (C3) where no group can be made there is none, and the arm is left out.
 *
 * What a crash leaves: an empty group.
 */
import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ownName } from '../../../lib/linux/index.js';

const ROOT = '/sys/fs/cgroup';
const TRIM_MS = 10;

/** The names of the files, by version: limit, what is used, what of it is cache (in memory.stat); and what is no limit. */
const VERSIONS = [
  { controller: 'memory', limit: 'memory.limit_in_bytes', used: 'memory.usage_in_bytes', cache: 'cache', none: '-1' },
  { controller: '', limit: 'memory.high', used: 'memory.current', cache: 'file', none: 'max' },
] as const;

export interface CacheLimit extends Disposable {
  /** The process and its children to come. */
  add(processId: number): void;
  /** From now on the cache has `bytes`. */
  begin(bytes: number): void;
}

/** (C3) */
export function openCacheLimit(): CacheLimit | undefined {
  for (const names of VERSIONS) {
    const own = ownGroup(names.controller);
    const folder = own && join(own, ownName('htap'));
    if (folder === undefined || !attempt(() => mkdirSync(folder))) continue;
    if (existsSync(join(folder, names.limit))) return new Group(folder, names);
    rmdirSync(folder);
  }
  return undefined;
}

function ownGroup(controller: string): string | undefined {
  const lines = readFileSync('/proc/self/cgroup', 'utf8').split('\n');
  const line = lines.find((text) => text.split(':')[1] === controller);
  return line && join(ROOT, controller, line.slice(line.indexOf(':', line.indexOf(':') + 1) + 1));
}

class Group implements CacheLimit {
  private readonly folder: string;
  private readonly names: (typeof VERSIONS)[number];
  private timer: NodeJS.Timeout | undefined;

  constructor(folder: string, names: (typeof VERSIONS)[number]) {
    this.folder = folder;
    this.names = names;
  }

  add(processId: number): void {
    writeFileSync(join(this.folder, 'cgroup.procs'), String(processId));
  }

  begin(bytes: number): void {
    const { limit, used, none } = this.names;
    const write = (value: string): boolean => attempt(() => writeFileSync(join(this.folder, limit), value));
    this.timer = setInterval(() => {
      const surplus = this.cacheBytes() - bytes;
      if (surplus <= 0) return;
      write(String(Number(readFileSync(join(this.folder, used), 'utf8')) - surplus));
      write(none);
    }, TRIM_MS);
  }

  /** Of files. Shared memory counts as cache, too, in version 1. */
  private cacheBytes(): number {
    const statistics = readFileSync(join(this.folder, 'memory.stat'), 'utf8');
    const of = (name: string): number => Number(new RegExp(`^${name} (\\d+)$`, 'm').exec(statistics)?.[1] ?? 0);
    return of(this.names.cache) - of('shmem');
  }

  /** After the children are gone. */
  [Symbol.dispose](): void {
    clearInterval(this.timer);
    attempt(() => rmdirSync(this.folder));
  }
}

/** Whether it did not fail. */
function attempt(step: () => void): boolean {
  try {
    step();
    return true;
  } catch {
    return false;
  }
}
