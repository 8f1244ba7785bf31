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
  existsSync,
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
import { dirname } from 'node:path';
import { PoolError } from '../errors.js';
import { ByteLocks } from './bytelocks.js';
import { type Device, deviceOf } from './device.js';
import { describeRefusal, describeShortage, errnoNameOf } from './failures.js';
import { type LockHolder, lockHolders } from './holders.js';
import { errorNameOf, libc } from './libc.js';
import { Mapping, WholeMapping } from './mapping.js';

/** tmpfs, ramfs, hugetlbfs. */
const MEMORY_FILE_SYSTEMS = new Set([0x01021994, 0x858458f6, 0x958458f6]);
/** Byte locks lie far beyond any data. The same for all time: see residents.ts of the pool's layout. */
const LOCK_BASE = 2 ** 48;
/** Times that a file may come and go while it is opened. */
const CREATE_TRIES = 100;

function describeAccess(path: string, error: unknown): PoolError {
  const name = errnoNameOf(error);
  if (name === 'ENOENT' || name === 'ENOTDIR')
    return new PoolError('POOL_NOT_FOUND', `There is no file ${path}.`, { path });
  if (name === 'ELOOP') return new PoolError('ACCESS_DENIED', `${path} is a symbolic link.`, { path });
  const what = `${path} cannot be opened`;
  const known = describeRefusal(what, name, { path }, error);
  if (known !== undefined) return known;
  if (name === 'EISDIR') return notAFile(path, error);
  const why = name === 'EACCES' ? describeOwner(path) : REFUSALS[name];
  const message = why === undefined ? `${what} (${name || String(error)}).` : `${what} (${name}): ${why}.`;
  return new PoolError('ACCESS_DENIED', message, { path }, error);
}

function notAFile(path: string, cause?: unknown): PoolError {
  return new PoolError('OPTION_INVALID', `path: ${path} is a folder: give the path of a file in it.`, { path }, cause);
}

const REFUSALS: Readonly<Record<string, string>> = {
  EPERM: 'the system forbids it, by a flag of the file (chattr), a seal or a policy',
  EROFS: 'its file system is mounted read-only',
  ETXTBSY: 'it is a program that runs',
  ENXIO: 'it is a socket, or a device without a driver',
};

/** Why its mode lets this process not in. */
function describeOwner(path: string): string {
  try {
    const { uid, mode } = statSync(path);
    const octal = (mode & 0o777).toString(8);
    return `it belongs to uid ${uid} and has mode ${octal}, which does not let uid ${process.geteuid?.()} in`;
  } catch {
    return 'the mode of a folder on the way does not let this user in';
  }
}

/** What is neither a file nor a device, in words. */
function kindOf(stats: Stats): string {
  return stats.isFIFO() ? 'is a named pipe (FIFO)' : 'is neither a file nor a memory device';
}

/** Calls `work` of the open file. What the kernel refuses is a PoolError: SYSTEM_LIMIT, NO_SPACE, ACCESS_DENIED. */
function told<T>(path: string, verb: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof Error) || typeof (error as NodeJS.ErrnoException).errno !== 'number') throw error;
    const name = errnoNameOf(error);
    const what = `${path} cannot be ${verb}`;
    throw (
      describeRefusal(what, name, { path }, error) ??
      new PoolError('ACCESS_DENIED', `${what} (${name}).`, { path }, error)
    );
  }
}

/** What is wrong with a path at which no file can be made; undefined for another error. */
function describeCreation(path: string, options: OpenFileOptions, error: unknown): PoolError | undefined {
  if (options.createMode === undefined) return undefined;
  const name = errnoNameOf(error);
  const reasons: Readonly<Record<string, string>> = {
    ENOENT: existsSync(dirname(path))
      ? `the file system of ${dirname(path)} takes no files`
      : `there is no folder ${dirname(path)}`,
    ENOTDIR: `${dirname(path)} is no folder`,
    ENAMETOOLONG: 'it is too long a name',
  };
  const reason = reasons[name];
  if (reason === undefined) return undefined;
  return new PoolError('OPTION_INVALID', `path: ${path} cannot be created: ${reason} (${name}).`, { path }, error);
}

export interface OpenFileOptions {
  writable: boolean;
  /** Create it when it is missing, with this mode. */
  createMode?: number;
  /** 'all': for who reads nothing of it. */
  trustUids: readonly number[] | 'all';
}

/**
 * Opens the file, or makes it where there is none. Never with O_CREAT where there is one: in a sticky folder the kernel refuses
 * that for files of another user (fs.protected_regular, fs.protected_fifos), whatever their mode.
 */
export function openOrCreate(path: string, flags: number, mode: number | undefined, open = openSync): number {
  for (let tries = 0; ; tries++) {
    try {
      return open(path, flags);
    } catch (error) {
      if (mode === undefined || errnoNameOf(error) !== 'ENOENT') throw error;
    }
    try {
      return open(path, flags | constants.O_CREAT | constants.O_EXCL, mode);
    } catch (error) {
      // Another was faster; or a link that leads nowhere is there, which is one.
      if (errnoNameOf(error) !== 'EEXIST' || tries === CREATE_TRIES) throw error;
    }
  }
}

/** What a path leads to: the file, another one, or none. */
export type Whereabouts = 'here' | 'replaced' | 'removed';

export class PoolFile {
  readonly path: string;
  private readonly descriptor: number;
  private readonly locks: ByteLocks;
  private readonly writable: boolean;
  /** Undefined for an ordinary file. */
  readonly device: Device | undefined;
  private open = true;

  private constructor(path: string, descriptor: number, writable: boolean) {
    this.path = path;
    this.descriptor = descriptor;
    this.locks = new ByteLocks(descriptor);
    this.writable = writable;
    this.device = deviceOf(descriptor, this.stats());
  }

  /** Throws POOL_NOT_FOUND, ACCESS_DENIED, NO_SPACE. */
  static open(path: string, options: OpenFileOptions): PoolFile {
    const flags =
      (options.writable ? constants.O_RDWR : constants.O_RDONLY) | constants.O_NOFOLLOW | constants.O_NONBLOCK;
    let file: PoolFile;
    try {
      file = new PoolFile(path, openOrCreate(path, flags, options.createMode), options.writable);
    } catch (error) {
      throw describeCreation(path, options, error) ?? describeAccess(path, error);
    }
    try {
      file.checkTrust(options.trustUids);
    } catch (error) {
      file.close();
      throw error;
    }
    return file;
  }

  private checkTrust(trustUids: OpenFileOptions['trustUids']): void {
    const stats = this.stats();
    if (stats.isDirectory()) throw notAFile(this.path);
    const refuse = (why: string) => new PoolError('ACCESS_DENIED', `${this.path} ${why}.`, { path: this.path });
    if (!stats.isFile() && !stats.isCharacterDevice()) throw refuse(kindOf(stats));
    if (trustUids === 'all') return;
    if ((stats.mode & 0o002) !== 0) throw refuse('is world-writable');
    // Not os.userInfo: a uid need not have a name.
    const self = process.geteuid?.() ?? 0;
    if (stats.uid !== self && stats.uid !== 0 && !trustUids.includes(stats.uid)) {
      throw refuse(`belongs to uid ${stats.uid}, which is not trusted`);
    }
  }

  /** Calls `map` with a descriptor of the same file that holds no locks. */
  withMappable<T>(map: (descriptor: number) => T): T {
    const flags = this.writable ? constants.O_RDWR : constants.O_RDONLY;
    const mappable = told(this.path, 'opened once more', () => openSync(`/proc/self/fd/${this.descriptor}`, flags));
    try {
      return map(mappable);
    } finally {
      closeSync(mappable);
    }
  }

  /** What makes mappings of the first `byteLength` bytes, and of no others. */
  mapper(byteLength: number): (offset: number, length: number, writable: boolean) => Mapping {
    const { device } = this;
    if (device === undefined) return (...range) => this.withMappable((descriptor) => new Mapping(descriptor, ...range));
    const whole = Math.ceil(byteLength / device.alignment) * device.alignment;
    const mapped = new Map<boolean, WholeMapping>();
    return (offset, length, writable) => {
      const known = mapped.get(writable);
      const source = known ?? this.withMappable((descriptor) => new WholeMapping(descriptor, whole, writable));
      mapped.set(writable, source);
      return new Mapping(source, offset, length, writable);
    };
  }

  /** Whether a device can be mapped so far; true for a file. Not all of them tell their size. */
  isMappable(byteLength: number): boolean {
    if (this.device === undefined) return true;
    if (this.device.byteLength !== undefined) return byteLength <= this.device.byteLength;
    try {
      this.withMappable((descriptor) => new WholeMapping(descriptor, byteLength, false)).unmap();
      return true;
    } catch (error) {
      if (error instanceof PoolError && error.code === 'NO_SPACE') return false;
      throw error;
    }
  }

  /** Calls `use` of the first bytes of a device. */
  private withStart<T>(byteLength: number, writable: boolean, use: (bytes: Uint8Array) => T): T {
    const mapping = this.mapper(byteLength)(0, byteLength, writable);
    try {
      return use(new Uint8Array(mapping.buffer));
    } finally {
      mapping.unmapUnshared();
    }
  }

  stats(): Stats {
    return fstatSync(this.descriptor);
  }

  /** Whether the path still leads to this file. */
  isCurrent(): boolean {
    return this.whereabouts() === 'here';
  }

  /** Whether the path leads to this file, to another one, or to none. */
  whereabouts(): Whereabouts {
    try {
      const [here, there] = [this.stats(), statSync(this.path)];
      return here.ino === there.ino && here.dev === there.dev ? 'here' : 'replaced';
    } catch {
      return 'removed';
    }
  }

  /** Whether the file lives in memory only and is gone after a restart of the machine. A device may outlive it. */
  isVolatile(): boolean {
    return this.device === undefined && MEMORY_FILE_SYSTEMS.has(statfsSync(`/proc/self/fd/${this.descriptor}`).type);
  }

  /** A word that tells this file from a copy of it; zero for a device. */
  identity(): number {
    const { ino, dev } = this.stats();
    return this.device === undefined ? Math.imul(ino % 2 ** 32, 0x9e3779b1) ^ Math.imul(dev % 2 ** 32, 0x85ebca6b) : 0;
  }

  /** Makes the name of a new file survive a restart of the machine. */
  syncFolder(): void {
    const folder = told(dirname(this.path), 'opened', () => openSync(dirname(this.path), constants.O_RDONLY));
    try {
      told(dirname(this.path), 'written back', () => fsyncSync(folder));
    } finally {
      closeSync(folder);
    }
  }

  /** The first bytes of the file; shorter where the file is. */
  readStart(byteLength: number): Buffer {
    if (this.device !== undefined) return this.withStart(byteLength, false, (bytes) => Buffer.from(bytes));
    const buffer = Buffer.alloc(byteLength);
    return buffer.subarray(
      0,
      told(this.path, 'read', () => readSync(this.descriptor, buffer, 0, byteLength, 0)),
    );
  }

  writeStart(bytes: Uint8Array): void {
    if (this.device !== undefined) this.withStart(bytes.length, true, (start) => start.set(bytes));
    else told(this.path, 'written', () => writeSync(this.descriptor, bytes, 0, bytes.length, 0));
  }

  setMode(mode: number): void {
    told(this.path, 'given its mode', () => fchmodSync(this.descriptor, mode));
  }

  truncate(byteLength: number): void {
    told(this.path, 'given its size', () => ftruncateSync(this.descriptor, byteLength));
  }

  /** Sets the size and has the file system reserve every byte of it. Throws NO_SPACE. */
  reserve(byteLength: number): Promise<void> {
    return new Promise((resolve, reject) => {
      libc().posixFallocate.async(this.descriptor, 0, byteLength, (failure: Error | null, errno: number) => {
        if (failure === null && errno === 0) return resolve();
        const reason = failure === null ? errorNameOf(errno) : failure.message;
        const details = { path: this.path, byteLength, reason };
        const what = `${this.path}: ${byteLength} bytes could not be reserved`;
        reject(describeShortage(what, reason, details) ?? new PoolError('NO_SPACE', `${what} (${reason}).`, details));
      });
    });
  }

  /** Takes the byte's lock for this descriptor; false when another descriptor has it. */
  tryLock(byte: number): boolean {
    return this.locks.tryTake('write', LOCK_BASE + byte);
  }

  unlock(byte: number): void {
    this.locks.release(LOCK_BASE + byte);
  }

  /** Whether another descriptor has the byte's lock. When the kernel cannot say, it is taken to be locked. */
  isLockedByOther(byte: number): boolean {
    return this.locks.isTakenByOther(LOCK_BASE + byte);
  }

  /** How many of the bytes from `first` to before `end` others have locked. Where the kernel cannot say, all of them. */
  countLockedByOthers(first: number, end: number): number {
    return this.locks.countTakenByOthers(LOCK_BASE + first, LOCK_BASE + end);
  }

  /** The processes that have locked any of the bytes, as far as this user is shown them. */
  lockHolders(first: number, end: number): LockHolder[] {
    return lockHolders(this.stats().ino, LOCK_BASE + first, LOCK_BASE + end - 1);
  }

  unlink(): void {
    told(this.path, 'removed', () => unlinkSync(this.path));
  }

  close(): void {
    if (!this.open) return;
    this.open = false;
    closeSync(this.descriptor);
  }
}
