/**
 * Readers of a database, in any number of processes: `openReader`, and `openReadOnly`, which is the same for a database that
 * nobody writes.
 *
 * (G1) a snapshot changes by `refresh` alone, between transactions; then the engine is made to notice, whatever the change
 *      counters say.
 * (G2) a reader takes no lock of the file, writes nothing but its own lines of the pool, and holds nothing back: the writer keeps what
 *      it needs of the past as long as there is room for it (retention.ts).
 */
import { basename } from 'node:path';
import type { Database, Sqlite3Static } from '@sqlite.org/sqlite-wasm';
import { PoolError } from '../../lib/errors.js';
import { yieldProcessor } from '../../lib/linux/index.js';
import { type Files, isSameFile, nodeFiles } from './files.js';
import { type FileHandle, LOCK_NONE, type Mount, SqliteFailure } from './handle.js';
import { SharedState } from './head.js';
import { bootId } from './identity.js';
import { DatabaseLocks } from './locks.js';
import { Presence } from './presence.js';
import { type Base, findBase, type PageStore, Snapshot, type Source } from './snapshot.js';
import { fileSystemOf, VFS_NAME } from './vfs.js';
import { type OpenOptions, realPath, refusalOf } from './writer.js';

export interface ReaderOptions extends OpenOptions {
  /** By which the writer's `readers()` tells it. Default: the name of the pool's node. */
  readonly name?: string;
  /** The system calls, for tests. */
  readonly files?: Files;
  /** Where the reader keeps its pages in place of the pool, which stays the source of what is past: for comparisons. */
  readonly storeOf?: (shared: PageStore, pageSize: number) => PageStore;
}

export interface SnapshotInfo {
  /** Of the commit that the snapshot ends with. Grows from commit to commit. */
  readonly lsn: number;
  /** Milliseconds since it was published. */
  readonly ageMs: number;
}

export interface Reader extends Disposable {
  /** The engine's own connection; closing it closes the reader. */
  readonly db: Database;
  readonly snapshot: SnapshotInfo;
  /** What made the last call of the file system fail, if one has: the engine passes only a number on. */
  readonly lastError: unknown;
  /**
   * Goes to the newest commit; true where that is another. Throws BUSY in the middle of a transaction or statement,
   * DATABASE_CHANGED where the path leads to another database by now, and what openReader throws.
   */
  refresh(): boolean;
  /** Idempotent. */
  close(): void;
}

/** Of the header: change counter, page count, free pages. The engine reads it before each transaction. */
const VERSION_OFFSET = 24;
const VERSION_SIZE = 16;

class ReaderFile implements FileHandle {
  private readonly source: Source;
  private readonly readonlyCode: number;
  snapshot: Snapshot;
  level = LOCK_NONE;
  /** The next look at the version has to differ from all before. */
  private isNew = false;
  private isOpen = false;

  constructor(source: Source, snapshot: Snapshot, readonlyCode: number) {
    this.source = source;
    this.snapshot = snapshot;
    this.readonlyCode = readonlyCode;
  }

  move(snapshot: Snapshot): void {
    this.snapshot = snapshot;
    this.isNew = true;
  }

  size(): number {
    return this.snapshot.head.size;
  }

  read(target: Uint8Array, offset: number): boolean {
    const { pageSize, size } = this.snapshot.head;
    const available = Math.max(0, Math.min(target.length, size - offset));
    for (let done = 0; done < available; ) {
      const pageNo = Math.floor((offset + done) / pageSize) + 1;
      const skip = offset + done - (pageNo - 1) * pageSize;
      const count = Math.min(pageSize - skip, available - done);
      this.readPart(pageNo, skip, target.subarray(done, done + count));
      done += count;
    }
    target.fill(0, available);
    if (this.isNew && offset === VERSION_OFFSET && target.length === VERSION_SIZE) {
      // (G1)
      target[0] = (target[0] as number) ^ 0xff;
      this.isNew = false;
    }
    return available === target.length;
  }

  private readPart(pageNo: number, skip: number, target: Uint8Array): void {
    const { snapshot } = this;
    const { pageSize } = snapshot.head;
    if (pageNo === 1) target.set(snapshot.page1.subarray(skip, skip + target.length));
    else if (target.length === pageSize) snapshot.read(pageNo, target);
    else {
      const page = new Uint8Array(pageSize);
      snapshot.read(pageNo, page);
      target.set(page.subarray(skip, skip + target.length));
    }
  }

  lock(level: number): void {
    this.level = Math.max(this.level, level);
  }
  unlock(level: number): void {
    this.level = Math.min(this.level, level);
  }
  private refuse(): never {
    throw new SqliteFailure(this.readonlyCode, `${this.source.path} is open for reading`);
  }
  write(): void {
    this.refuse();
  }
  truncate(): void {
    this.refuse();
  }
  sync(): void {}
  beforeSync(): void {}
  hasMoved(): boolean {
    return false;
  }
  /** Once at a time: a second connection would not follow its snapshot. */
  open(): this {
    if (this.isOpen) throw new PoolError('UNSUPPORTED', `${this.source.path} is open in this connection, or another.`);
    this.isOpen = true;
    return this;
  }
  close(): void {
    this.isOpen = false;
  }
}

class ReaderMount implements Mount {
  lastError: unknown;
  readonly file: ReaderFile;

  constructor(file: ReaderFile) {
    this.file = file;
  }
  openDatabase() {
    return this.file.open();
  }
  openJournal(): never {
    throw new Error('a reader has no journal');
  }
  hasJournal(): boolean {
    return false;
  }
  removeJournal(): void {}
  refusalOf = refusalOf;
}

function openSource({ file, pool, files = nodeFiles, storeOf }: ReaderOptions): Source {
  const path = realPath(file);
  let descriptor: number;
  try {
    descriptor = files.open(path, { writable: false, create: false });
  } catch (error) {
    throw new PoolError('OPTION_INVALID', `file: ${file} cannot be opened (${String(error)}).`, { file }, error);
  }
  const state = new SharedState(pool, files.status(descriptor));
  return { files, path, descriptor, locks: new DatabaseLocks(descriptor), state, storeOf };
}

/** The writer is in the middle of a commit: asked again for so long, milliseconds. */
const SETTLE_MS = 3;

/** (K3 of retention.ts) The base, or a later one, once the writer is known to know of it. */
function settle(source: Source, presence: Presence, found: Base): Base {
  const until = performance.now() + SETTLE_MS;
  for (let base = found; ; base = findBase(source)) {
    const { lsn, epoch } = base.head;
    presence.tell(lsn);
    const now = source.state.read(bootId());
    const isKnown = now === undefined || (now.epoch === epoch && now.lsn === lsn && now.state === 'quiet');
    if (base.isDerived || isKnown || performance.now() > until) return base;
    yieldProcessor();
  }
}

/**
 * Opens the database for reading, at its newest commit. Neither waits for a writer nor holds one up. Throws OPTION_INVALID for
 * what is no database, UNSUPPORTED where a -wal or a journal has what the file has not, BUSY while a writer opens it.
 */
export function openReader(sqlite3: Sqlite3Static, options: ReaderOptions): Reader {
  const source = openSource(options);
  const system = fileSystemOf(sqlite3);
  system.opened += 1;
  const name = `${system.opened}/${basename(source.path).replaceAll(/[?#%]/g, '_')}`;
  const presence = new Presence(options.pool, source.files.status(source.descriptor), options.name);
  const end = () => {
    system.mounts.delete(name);
    presence.end();
    source.state.close();
    source.files.close(source.descriptor);
  };
  let db: Database | undefined;
  let mount: ReaderMount | undefined;
  try {
    const file = new ReaderFile(
      source,
      new Snapshot(source, settle(source, presence, findBase(source))),
      sqlite3.capi.SQLITE_READONLY,
    );
    mount = new ReaderMount(file);
    system.mounts.set(name, mount);
    db = new sqlite3.oo1.DB({ filename: name, flags: 'r', vfs: VFS_NAME });
    db.selectValue('SELECT count(*) FROM sqlite_schema');
    return new OpenReader(db, mount, { source, presence, end });
  } catch (error) {
    db?.close();
    end();
    throw mount?.lastError ?? error;
  }
}

/** A database that nobody writes, as openReader: closing the connection ends it. Throws what openReader throws. */
export function openReadOnly(sqlite3: Sqlite3Static, options: ReaderOptions): Database {
  return openReader(sqlite3, options).db;
}

class OpenReader implements Reader {
  readonly db: Database;
  private readonly mount: ReaderMount;
  private readonly source: Source;
  private readonly presence: Presence;

  constructor(db: Database, mount: ReaderMount, parts: { source: Source; presence: Presence; end: () => void }) {
    const { source, presence, end } = parts;
    this.db = db;
    this.mount = mount;
    this.source = source;
    this.presence = presence;
    db.onclose = { after: end };
  }

  get snapshot(): SnapshotInfo {
    const { lsn, publishedMs } = this.mount.file.snapshot.head;
    return { lsn, ageMs: Math.max(0, Date.now() - publishedMs) };
  }

  get lastError(): unknown {
    return this.mount.lastError;
  }

  refresh(): boolean {
    const { source, mount } = this;
    const { file } = mount;
    if (!this.db.isOpen()) throw new PoolError('DISCONNECTED', `The reader of ${source.path} was closed.`);
    if (file.level !== LOCK_NONE) {
      throw new PoolError('BUSY', `The snapshot of ${source.path} is in use: end the transaction, or the statement.`);
    }
    if (!isSameFile(source.files.status(source.descriptor), source.files.statusOf(source.path))) {
      throw this.changed('is another file by now');
    }
    const found = findBase(source);
    const { head } = file.snapshot;
    if (found.head.epoch === head.epoch && found.head.lsn === head.lsn) return false;
    const base = settle(source, this.presence, found);
    // Another history may have the same counters and cookies of other contents.
    if (base.head.epoch !== head.epoch && base.head.parent !== head.epoch)
      throw this.changed('was changed by another program');
    file.move(new Snapshot(source, base, file.snapshot));
    return true;
  }

  private changed(how: string): PoolError {
    const { path } = this.source;
    return new PoolError('DATABASE_CHANGED', `${path} ${how}.`, { file: path });
  }

  close(): void {
    if (this.db.isOpen()) this.db.close();
  }
  [Symbol.dispose](): void {
    this.close();
  }
}
