/**
 * The pool's file: who may be trusted with it, its size, its reserved memory, its byte locks.
 *
 * Descriptors are opened through node:fs: close-on-exec, and closed with the worker that opened them, which is what
 * makes a terminated worker's file locks fall.
 *
 * (J1) a mapping keeps its open file description alive, and with it every lock of it. So mappings are made through a
 *      description of their own (`withMappable`), and the one that holds the locks has none.
 */
import {
  closeSync,
  constants,
  fchmodSync,
  fstatSync,
  fsyncSync,
  ftruncateSync,
  openSync,
  readSync,
  type Stats,
  statfsSync,
  statSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { userInfo } from 'node:os';
import { dirname } from 'node:path';
import { PoolError } from '../errors.js';
import { errorNameOf, libc } from './libc.js';

const F_OFD_GETLK = 36;
const F_OFD_SETLK = 37;
const F_WRLCK = 1;
const F_UNLCK = 2;
/** tmpfs, ramfs, hugetlbfs. */
const MEMORY_FILE_SYSTEMS = new Set([0x01021994, 0x858458f6, 0x958458f6]);
/** Byte locks lie far beyond any data. */
const LOCK_BASE = 2 ** 48;

export function errnoNameOf(error: unknown): string {
  return (error as NodeJS.ErrnoException)?.code ?? '';
}

function describeAccess(path: string, error: unknown): PoolError {
  const name = errnoNameOf(error);
  if (name === 'ENOENT' || name === 'ENOTDIR')
    return new PoolError('POOL_NOT_FOUND', `There is no file ${path}.`, { path });
  if (name === 'ELOOP') return new PoolError('ACCESS_DENIED', `${path} is a symbolic link.`, { path });
  if (name === 'EACCES' || name === 'EPERM' || name === 'EROFS' || name === 'EISDIR') {
    return new PoolError('ACCESS_DENIED', `${path} cannot be opened (${name}).`, { path }, error);
  }
  if (name === 'ENOSPC')
    return new PoolError('NO_SPACE', `${path} cannot be created: the file system is full.`, { path });
  return new PoolError('ACCESS_DENIED', `${path} cannot be opened (${name || String(error)}).`, { path }, error);
}

export interface OpenFileOptions {
  writable: boolean;
  /** Create it when it is missing, with this mode. */
  createMode?: number;
  trustUids: readonly number[];
}

/** lock type, whence and the range in the kernel's struct flock of 64-bit systems. */
function flockOf(type: number, byte: number): Buffer {
  const flock = Buffer.alloc(32);
  flock.writeInt16LE(type, 0);
  flock.writeBigInt64LE(BigInt(LOCK_BASE + byte), 8);
  flock.writeBigInt64LE(1n, 16);
  return flock;
}

export class PoolFile {
  readonly path: string;
  private readonly descriptor: number;
  private readonly writable: boolean;
  private open = true;

  private constructor(path: string, descriptor: number, writable: boolean) {
    this.path = path;
    this.descriptor = descriptor;
    this.writable = writable;
  }

  /** Throws POOL_NOT_FOUND, ACCESS_DENIED, NO_SPACE. */
  static open(path: string, options: OpenFileOptions): PoolFile {
    const flags =
      (options.writable ? constants.O_RDWR : constants.O_RDONLY) |
      constants.O_NOFOLLOW |
      constants.O_NONBLOCK |
      (options.createMode === undefined ? 0 : constants.O_CREAT);
    let file: PoolFile;
    try {
      file = new PoolFile(path, openSync(path, flags, options.createMode ?? 0), options.writable);
    } catch (error) {
      throw describeAccess(path, error);
    }
    try {
      file.checkTrust(options.trustUids);
    } catch (error) {
      file.close();
      throw error;
    }
    return file;
  }

  private checkTrust(trustUids: readonly number[]): void {
    const stats = this.stats();
    const refuse = (why: string) => new PoolError('ACCESS_DENIED', `${this.path} ${why}.`, { path: this.path });
    if (!stats.isFile() && !stats.isCharacterDevice()) throw refuse('is neither a file nor a memory device');
    if ((stats.mode & 0o002) !== 0) throw refuse('is world-writable');
    const self = userInfo().uid;
    if (stats.uid !== self && stats.uid !== 0 && !trustUids.includes(stats.uid)) {
      throw refuse(`belongs to uid ${stats.uid}, which is not trusted`);
    }
  }

  /** Calls `map` with a descriptor of the same file that holds no locks. */
  withMappable<T>(map: (descriptor: number) => T): T {
    const flags = this.writable ? constants.O_RDWR : constants.O_RDONLY;
    const mappable = openSync(`/proc/self/fd/${this.descriptor}`, flags);
    try {
      return map(mappable);
    } finally {
      closeSync(mappable);
    }
  }

  stats(): Stats {
    return fstatSync(this.descriptor);
  }

  /** Whether the path still leads to this file. */
  isCurrent(): boolean {
    try {
      const [here, there] = [this.stats(), statSync(this.path)];
      return here.ino === there.ino && here.dev === there.dev;
    } catch {
      return false;
    }
  }

  /** Whether the file lives in memory only and is gone after a restart of the machine. A device may outlive it. */
  isVolatile(): boolean {
    return this.stats().isFile() && MEMORY_FILE_SYSTEMS.has(statfsSync(`/proc/self/fd/${this.descriptor}`).type);
  }

  /** A word that tells this file from a copy of it; zero for a device. */
  identity(): number {
    const { ino, dev } = this.stats();
    return this.stats().isFile() ? Math.imul(ino % 2 ** 32, 0x9e3779b1) ^ Math.imul(dev % 2 ** 32, 0x85ebca6b) : 0;
  }

  /** Makes the name of a new file survive a restart of the machine. */
  syncFolder(): void {
    const folder = openSync(dirname(this.path), constants.O_RDONLY);
    try {
      fsyncSync(folder);
    } finally {
      closeSync(folder);
    }
  }

  /** The first bytes of the file; shorter where the file is. */
  readStart(byteLength: number): Buffer {
    const buffer = Buffer.alloc(byteLength);
    return buffer.subarray(0, readSync(this.descriptor, buffer, 0, byteLength, 0));
  }

  writeStart(bytes: Uint8Array): void {
    writeSync(this.descriptor, bytes, 0, bytes.length, 0);
  }

  setMode(mode: number): void {
    fchmodSync(this.descriptor, mode);
  }

  truncate(byteLength: number): void {
    ftruncateSync(this.descriptor, byteLength);
  }

  /** Sets the size and has the file system reserve every byte of it. Throws NO_SPACE. */
  reserve(byteLength: number): Promise<void> {
    return new Promise((resolve, reject) => {
      libc().posixFallocate.async(this.descriptor, 0, byteLength, (failure: Error | null, errno: number) => {
        if (failure === null && errno === 0) return resolve();
        const reason = failure === null ? errorNameOf(errno) : failure.message;
        const details = { path: this.path, byteLength, reason };
        reject(
          new PoolError('NO_SPACE', `${this.path}: ${byteLength} bytes could not be reserved (${reason}).`, details),
        );
      });
    });
  }

  /** Takes the byte's lock for this descriptor; false when another descriptor has it. */
  tryLock(byte: number): boolean {
    return libc().fcntl(this.descriptor, F_OFD_SETLK, flockOf(F_WRLCK, byte)) === 0;
  }

  unlock(byte: number): void {
    libc().fcntl(this.descriptor, F_OFD_SETLK, flockOf(F_UNLCK, byte));
  }

  /** Whether another descriptor has the byte's lock. When the kernel cannot say, it is taken to be locked. */
  isLockedByOther(byte: number): boolean {
    const flock = flockOf(F_WRLCK, byte);
    if (libc().fcntl(this.descriptor, F_OFD_GETLK, flock) !== 0) return true;
    return flock.readInt16LE(0) !== F_UNLCK;
  }

  unlink(): void {
    unlinkSync(this.path);
  }

  close(): void {
    if (!this.open) return;
    this.open = false;
    closeSync(this.descriptor);
  }
}
