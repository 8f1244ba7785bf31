/**
 * Files and folders of our own commands (compare, benchmarks, tests) that tell whose they are, and the removal of those whose maker
 * is gone. A name carries his process id, its start time and its pid namespace, so that neither a reused id nor another container's
 * looks dead. What has another name is never looked at.
 *
 * A crash leaves files and folders under such names: the next run of any of those commands removes them.
 */
import { type Dirent, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** kind, process id, start time, namespace, and what follows. With a dot: the bells of such a pool. */
const NAME = /^\.?sealpool-[a-z]+-(\d+)-(\d+)-(\d+)(?:[.-].*)?$/;

/** Clock ticks since boot; '0' when there is no such process. */
function startTime(pid: number): string {
  try {
    const status = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The second field is the command in parentheses and may hold spaces; the 22nd is the start time.
    return status.slice(status.lastIndexOf(')') + 2).split(' ')[19] ?? '0';
  } catch {
    return '0';
  }
}

function pidNamespace(): string {
  try {
    return /\d+/.exec(readlinkSync('/proc/self/ns/pid'))?.[0] ?? '0';
  } catch {
    return '0';
  }
}

/** A name that belongs to this process. `kind` is of small letters. */
export function ownName(kind: string): string {
  return `sealpool-${kind}-${process.pid}-${startTime(process.pid)}-${pidNamespace()}`;
}

/** A new folder that belongs to this process, for this user only. */
export function ownFolder(parent: string, kind: string): string {
  return mkdtempSync(join(parent, `${ownName(kind)}-`));
}

/** Where our commands put what they make, unless they are told otherwise. */
export function scratchFolders(): string[] {
  return [...new Set(['/dev/shm', tmpdir()])];
}

function isOfTheDead(name: string): boolean {
  const [, pid, started, namespace] = NAME.exec(name) ?? [];
  return pid !== undefined && namespace === pidNamespace() && startTime(Number(pid)) !== started;
}

/** Regular files: the path itself, or all in it where it is a folder. */
function* filesIn(path: string): Generator<string> {
  const entries = readdirSync(path, { withFileTypes: true, recursive: true });
  for (const entry of entries) if (entry.isFile()) yield join(entry.parentPath, entry.name);
}

export interface Leftovers {
  readonly removed: string[];
  /** Somebody is still in them, or they are another user's. */
  readonly kept: string[];
}

/** Removes what dead processes left in the folder, but nothing in which `isLivedIn` finds somebody. Paths. */
export function removeLeftovers(folder: string, isLivedIn: (file: string) => boolean): Leftovers {
  const found: Leftovers = { removed: [], kept: [] };
  let entries: Dirent[] = [];
  try {
    entries = readdirSync(folder, { withFileTypes: true });
  } catch {
    // There is none, or it is not ours to look at.
  }
  for (const entry of entries) {
    if (!isOfTheDead(entry.name)) continue;
    const path = join(folder, entry.name);
    try {
      const files = entry.isDirectory() ? [...filesIn(path)] : entry.isFile() ? [path] : [];
      if (files.some(isLivedIn)) found.kept.push(path);
      else {
        rmSync(path, { recursive: true });
        found.removed.push(path);
      }
    } catch {
      found.kept.push(path);
    }
  }
  return found;
}
