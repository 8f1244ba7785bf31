/**
 * Owns the synchronous reads of one read-only file: buffered, or direct (O_DIRECT), which leaves the OS page cache out
 * so that a miss costs what the device costs.
 *
 * (S1) A direct read starts at a multiple of ALIGNMENT, is a multiple of it long, and lands in aligned memory: in the
 *      target itself where that is aligned, else in a scratch buffer that is copied from.
 * (S2) A read past the end is short, never an error.
 * (S3) Where the file system refuses O_DIRECT, at open or at the first read, reads are buffered and `note` says so.
 */
import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import { PoolError } from '../../lib/errors.js';
import { ALIGNMENT, alignedBuffer, isAligned } from '../../lib/linux/aligned.js';

const SCRATCH_SIZE = 1 << 20;

export interface StorageOptions {
  /** Read past the OS page cache. */
  readonly direct: boolean;
}

export interface Storage extends Disposable {
  readonly file: string;
  /** Bytes of the file when it was opened. */
  readonly size: number;
  /** Of the file as it was when it was opened: another file under the same name, or one that was written to, has another. */
  readonly identity: string;
  /** Whether reads go past the OS page cache; false also where that was asked for and refused. */
  readonly direct: boolean;
  /** Why reads are buffered although direct ones were asked for. */
  readonly note: string | undefined;
  readonly readCount: number;
  /** Bytes asked of the operating system. */
  readonly readBytes: number;
  /** Fills target from the byte offset on; returns the bytes read, fewer than target.length only at the end. */
  read(offset: number, target: Uint8Array): number;
  /** Idempotent. */
  close(): void;
}

/** Opens a file for reading. Throws OPTION_INVALID when it is no readable regular file. */
export function openStorage(file: string, options: StorageOptions): Storage {
  return new FileStorage(file, options.direct);
}

const refusals = new Set(['EINVAL', 'EOPNOTSUPP', 'ENOTSUP']);
const isRefusal = (error: unknown): boolean => refusals.has((error as NodeJS.ErrnoException).code ?? '');

class FileStorage implements Storage {
  readonly file: string;
  readonly size: number;
  readonly identity: string;
  direct = false;
  note: string | undefined;
  readCount = 0;
  readBytes = 0;
  private descriptor = -1;
  private scratch: Uint8Array | undefined;

  constructor(file: string, direct: boolean) {
    this.file = file;
    if (direct) this.openDirect();
    if (this.descriptor < 0) this.descriptor = openFile(file, constants.O_RDONLY);
    const status = fstatSync(this.descriptor, { bigint: true });
    if (!status.isFile()) {
      this.close();
      throw new PoolError('OPTION_INVALID', `${file} is not a regular file.`, { file });
    }
    this.size = Number(status.size);
    this.identity = [status.dev, status.ino, status.size, status.mtimeNs, status.ctimeNs].join('.');
    if (this.direct && this.size > 0) this.probe();
  }

  read(offset: number, target: Uint8Array): number {
    if (this.descriptor < 0) throw new PoolError('DISCONNECTED', `${this.file} was closed.`, { file: this.file });
    if (!this.direct) return this.readFully(target, offset);
    if (offset % ALIGNMENT === 0 && target.length % ALIGNMENT === 0 && isAligned(target)) {
      return this.readFully(target, offset);
    }
    return this.readThroughScratch(offset, target);
  }

  close(): void {
    if (this.descriptor >= 0) closeSync(this.descriptor);
    this.descriptor = -1;
  }

  [Symbol.dispose](): void {
    this.close();
  }

  private openDirect(): void {
    try {
      this.descriptor = openFile(this.file, constants.O_RDONLY | constants.O_DIRECT);
      this.direct = true;
    } catch (error) {
      if (!isRefusal((error as Error).cause)) throw error;
      this.fallBack();
    }
  }

  /** Some file systems take O_DIRECT at open and refuse the read. */
  private probe(): void {
    try {
      readSync(this.descriptor, this.getScratch(), 0, ALIGNMENT, 0);
    } catch (error) {
      if (!isRefusal(error)) throw error;
      closeSync(this.descriptor);
      this.descriptor = openFile(this.file, constants.O_RDONLY);
      this.fallBack();
    }
  }

  private fallBack(): void {
    this.direct = false;
    this.note = `The file system of ${this.file} refuses O_DIRECT: reads go through the OS page cache, so a miss costs little.`;
  }

  private getScratch(): Uint8Array {
    this.scratch ??= alignedBuffer(SCRATCH_SIZE);
    return this.scratch;
  }

  private readThroughScratch(offset: number, target: Uint8Array): number {
    const scratch = this.getScratch();
    let done = 0;
    while (done < target.length) {
      const start = Math.floor((offset + done) / ALIGNMENT) * ALIGNMENT;
      const skip = offset + done - start;
      const length = Math.min(Math.ceil((skip + target.length - done) / ALIGNMENT) * ALIGNMENT, SCRATCH_SIZE);
      const window = scratch.subarray(0, length);
      const usable = Math.min(this.readFully(window, start) - skip, target.length - done);
      if (usable <= 0) break;
      target.set(window.subarray(skip, skip + usable), done);
      done += usable;
    }
    return done;
  }

  /** One read as a rule; more only when a signal or a block boundary cuts it short before the end of the file. */
  private readFully(target: Uint8Array, offset: number): number {
    let done = 0;
    while (done < target.length && offset + done < this.size) {
      const count = readSync(this.descriptor, target, done, target.length - done, offset + done);
      this.readCount += 1;
      this.readBytes += count;
      if (count === 0) break;
      done += count;
      if (this.direct && count % ALIGNMENT !== 0) break;
    }
    return Math.min(done, Math.max(0, this.size - offset));
  }
}

function openFile(file: string, flags: number): number {
  try {
    return openSync(file, flags);
  } catch (error) {
    throw new PoolError('OPTION_INVALID', `${file} cannot be opened: ${(error as Error).message}.`, { file }, error);
  }
}
