/** Who holds byte locks of a file, as far as /proc shows it to this user. For messages: it looks at every process. */
import { readdirSync, readFileSync } from 'node:fs';

export interface LockHolder {
  readonly pid: number;
  /** Of its program, as the kernel keeps it: 15 bytes at most. */
  readonly name: string;
}

/** What a descriptor's `fdinfo` says of its locks: inode, first and last byte. */
const LOCK = /^lock:\s.* OFDLCK .*:(\d+) (\d+) (\d+)$/gm;

function read(path: string): string {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    // It has ended, or is another user's.
    return '';
  }
}

function entriesOf(path: string): string[] {
  try {
    return readdirSync(path);
  } catch {
    return [];
  }
}

/** Whether the text of an fdinfo tells of a lock of the inode within the bytes `first` to `last`. */
export function tellsOfLock(text: string, inode: number, first: number, last: number): boolean {
  for (const [, ino, start, end] of text.matchAll(LOCK)) {
    if (Number(ino) === inode && Number(start) <= last && Number(end) >= first) return true;
  }
  return false;
}

/** The processes that hold a lock of the inode within the bytes; none of another pid namespace, nor, mostly, of another user. */
export function lockHolders(inode: number, first: number, last: number): LockHolder[] {
  const holders: LockHolder[] = [];
  for (const entry of entriesOf('/proc')) {
    if (!/^\d+$/.test(entry)) continue;
    const folder = `/proc/${entry}/fdinfo`;
    if (!entriesOf(folder).some((descriptor) => tellsOfLock(read(`${folder}/${descriptor}`), inode, first, last)))
      continue;
    holders.push({ pid: Number(entry), name: read(`/proc/${entry}/comm`).trim() });
  }
  return holders;
}
