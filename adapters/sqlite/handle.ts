/** What the engine asks of an open file, and how it is told of failures: the border between SQLite's VFS and the adapter. */

/** As SQLite's: SHARED to read, RESERVED to prepare changes, EXCLUSIVE to write them to the file. */
export const LOCK_NONE = 0;
export const LOCK_SHARED = 1;
export const LOCK_RESERVED = 2;
export const LOCK_EXCLUSIVE = 4;

/** Methods throw: a SqliteFailure for a result code of its own, anything else is an I/O error of the method. */
export interface FileHandle {
  /** Fills the target; false where the file ends before, and then the rest is zeros. */
  read(target: Uint8Array, offset: number): boolean;
  write(bytes: Uint8Array, offset: number): void;
  truncate(size: number): void;
  sync(): void;
  size(): number;
  lock(level: number): void;
  unlock(level: number): void;
  /** All that SQLite wrote has to be in the file: it is going to sync it. */
  beforeSync(): void;
  hasMoved(): boolean;
  close(): void;
}

/** A database that a connection has open, under a name of its own. */
export interface Mount {
  openDatabase(): FileHandle;
  openJournal(): FileHandle;
  hasJournal(): boolean;
  removeJournal(syncFolder: boolean): void;
  /** Of a pragma that the connection asks for: why it is refused. */
  refusalOf(pragma: string, argument: string | undefined): string | undefined;
  /** Keeps what made a call fail: the engine passes only a number on. */
  lastError: unknown;
}

export class SqliteFailure extends Error {
  readonly resultCode: number;

  constructor(resultCode: number, message: string, cause?: unknown) {
    super(message, { cause });
    this.resultCode = resultCode;
  }
}

/** A temporary file, in memory. */
export class MemoryFile implements FileHandle {
  private bytes = new Uint8Array(0);
  private length = 0;

  read(target: Uint8Array, offset: number): boolean {
    const part = this.bytes.subarray(Math.min(offset, this.length), Math.min(offset + target.length, this.length));
    target.set(part);
    target.fill(0, part.length);
    return part.length === target.length;
  }
  write(bytes: Uint8Array, offset: number): void {
    const end = offset + bytes.length;
    if (end > this.bytes.length) {
      const larger = new Uint8Array(Math.max(end, 2 * this.bytes.length));
      larger.set(this.bytes);
      this.bytes = larger;
    }
    this.bytes.set(bytes, offset);
    this.length = Math.max(this.length, end);
  }
  truncate(size: number): void {
    this.bytes.fill(0, size, this.length);
    this.length = Math.min(this.length, size);
  }
  size(): number {
    return this.length;
  }
  sync(): void {}
  lock(): void {}
  unlock(): void {}
  beforeSync(): void {}
  hasMoved(): boolean {
    return false;
  }
  close(): void {}
}
