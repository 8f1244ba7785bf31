/**
 * The file-system calls that the adapter makes, in one interface: what a test fails, counts or records goes through here,
 * and nothing else touches the database file or its journal.
 */
import {
  type BigIntStats,
  closeSync,
  constants,
  fstatSync,
  fsyncSync,
  ftruncateSync,
  openSync,
  readSync,
  statSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { dirname } from 'node:path';

/** What tells one state of a file from another: a write to it changes mtime and ctime, and nobody can set ctime back. */
export interface FileStatus {
  readonly device: string;
  readonly inode: string;
  readonly size: number;
  readonly mtimeNs: string;
  readonly ctimeNs: string;
}

export interface Files {
  /** Opens for reading, or for reading and writing; with `create` a missing file is made. */
  open(path: string, options: { writable: boolean; create: boolean }): number;
  close(descriptor: number): void;
  /** Bytes read, fewer than the target only at the end of the file. */
  read(descriptor: number, target: Uint8Array, offset: number): number;
  write(descriptor: number, bytes: Uint8Array, offset: number): void;
  truncate(descriptor: number, size: number): void;
  sync(descriptor: number): void;
  status(descriptor: number): FileStatus;
  /** Undefined where there is none. */
  statusOf(path: string): FileStatus | undefined;
  remove(path: string): void;
  /** Makes the making and removing of files in the path's folder durable. */
  syncFolder(path: string): void;
}

function describe(stats: BigIntStats): FileStatus {
  return {
    device: String(stats.dev),
    inode: String(stats.ino),
    size: Number(stats.size),
    mtimeNs: String(stats.mtimeNs),
    ctimeNs: String(stats.ctimeNs),
  };
}

export function isSameFile(one: FileStatus | undefined, other: FileStatus | undefined): boolean {
  return one !== undefined && one.device === other?.device && one.inode === other.inode;
}

/** Whether nothing was written to the file between the two. */
export function isSameState(one: FileStatus | undefined, other: FileStatus | undefined): boolean {
  if (one === undefined || !isSameFile(one, other)) return false;
  return one.size === other?.size && one.mtimeNs === other.mtimeNs && one.ctimeNs === other.ctimeNs;
}

export const nodeFiles: Files = {
  open(path, { writable, create }) {
    const flags = (writable ? constants.O_RDWR : constants.O_RDONLY) | (create ? constants.O_CREAT : 0);
    return openSync(path, flags, 0o644);
  },
  close: closeSync,
  read(descriptor, target, offset) {
    let done = 0;
    while (done < target.length) {
      const count = readSync(descriptor, target, done, target.length - done, offset + done);
      if (count === 0) break;
      done += count;
    }
    return done;
  },
  write(descriptor, bytes, offset) {
    for (let done = 0; done < bytes.length; ) {
      done += writeSync(descriptor, bytes, done, bytes.length - done, offset + done);
    }
  },
  truncate: ftruncateSync,
  sync: fsyncSync,
  status: (descriptor) => describe(fstatSync(descriptor, { bigint: true })),
  statusOf(path) {
    const stats = statSync(path, { bigint: true, throwIfNoEntry: false });
    return stats === undefined ? undefined : describe(stats);
  },
  remove: unlinkSync,
  syncFolder(path) {
    const descriptor = openSync(dirname(path), constants.O_RDONLY);
    try {
      fsyncSync(descriptor);
    } finally {
      closeSync(descriptor);
    }
  },
};
