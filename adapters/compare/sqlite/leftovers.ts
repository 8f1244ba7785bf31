/**
 * Names for temporary files that tell whose they are, and the removal of those whose process is gone. A name carries the
 * process id, its start time and its pid namespace, so that neither a reused id nor another container's looks dead.
 *
 * What a crash leaves: files under such names, removed by the next run in the same folder.
 */
import { readdirSync, readFileSync, readlinkSync, rmSync } from 'node:fs';
import { join } from 'node:path';

const PREFIX = 'sealpool-compare';
const pattern = new RegExp(`^${PREFIX}-(\\d+)-(\\d+)-(\\d+)\\.[a-z]+$`);

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

/** A path in the folder that belongs to this process. */
export function ownPath(folder: string, extension: string): string {
  return join(folder, `${PREFIX}-${process.pid}-${startTime(process.pid)}-${pidNamespace()}.${extension}`);
}

/** Removes what dead processes left in the folder; returns the names. Files of other users stay. */
export function removeLeftovers(folder: string): string[] {
  const removed: string[] = [];
  for (const name of readdirSync(folder)) {
    const [, pid, started, namespace] = pattern.exec(name) ?? [];
    if (pid === undefined || namespace !== pidNamespace() || startTime(Number(pid)) === started) continue;
    try {
      rmSync(join(folder, name));
      removed.push(name);
    } catch {
      // Not ours to remove.
    }
  }
  return removed;
}
