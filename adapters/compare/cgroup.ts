/**
 * An OS page cache of so many bytes: a memory cgroup (version 1, or 2) below this process's own, for the children of one arm.
 *
 * (C1) the cache alone is limited: the kernel charges all memory of a group to one sum, and a limit of that would end an engine
 *      whose heap grows. So the group has no limit but for a moment, every few milliseconds, in which the kernel drops what the
 *      cache has too much. In between it may have more, which is in its favour.
 * (C2) version 2 is told by the other kind of limit, which throttles and kills nobody.
 * (C3) where no group can be made there is none, and why; the arm is left out.
 * (C4) a page is charged to the group that first read it, so the cache has nothing of the file when the arm begins (`dropCache`). Where
 *      it had, the limit may never have had anything to drop: `hasDropped` says so.
 *
 * What a crash leaves: an empty group.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ownName } from '../../lib/linux/index.js';

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
  /** Whether the cache ever had more than it may. */
  readonly hasDropped: boolean;
}

/** Where this process's groups are, and are mounted. Tests pass others. */
export interface GroupPlaces {
  readonly list: string;
  readonly root: string;
}

const PLACES: GroupPlaces = { list: '/proc/self/cgroup', root: '/sys/fs/cgroup' };

/** (C3) Why not, as the end of a sentence, where it cannot be limited. */
export function openCacheLimit(places: GroupPlaces = PLACES): CacheLimit | string {
  let why = 'this process is in no group that limits memory';
  for (const names of VERSIONS) {
    const own = ownGroup(names.controller, places);
    if (own === undefined) continue;
    const folder = join(own, ownName('compare'));
    const failure = failureOf(() => mkdirSync(folder));
    if (failure !== undefined) {
      why = `a memory cgroup cannot be made here: ${failure}`;
    } else {
      if (existsSync(join(folder, names.limit))) return new Group(folder, names);
      rmdirSync(folder);
    }
  }
  return why;
}

/** Undefined where the machine has no such version, or shows it elsewhere. */
function ownGroup(controller: string, { list, root }: GroupPlaces): string | undefined {
  const lines = existsSync(list) ? readFileSync(list, 'utf8').split('\n') : [];
  const line = lines.find((text) => text.split(':')[1] === controller);
  const folder = line && join(root, controller, line.slice(line.indexOf(':', line.indexOf(':') + 1) + 1));
  return folder !== undefined && existsSync(folder) ? folder : undefined;
}

/** (C4) By posix_fadvise, of a file that is on its device. Where that is refused the cache begins warm. */
export function dropCache(file: string): void {
  spawnSync('dd', [`if=${file}`, 'iflag=nocache', 'count=0']);
}

class Group implements CacheLimit {
  hasDropped = false;
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
    const write = (value: string) => failureOf(() => writeFileSync(join(this.folder, limit), value));
    this.timer = setInterval(() => {
      const surplus = this.cacheBytes() - bytes;
      if (surplus <= 0) return;
      this.hasDropped = true;
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
    failureOf(() => rmdirSync(this.folder));
  }
}

/** Undefined where it did not fail. */
function failureOf(step: () => void): string | undefined {
  try {
    step();
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}
