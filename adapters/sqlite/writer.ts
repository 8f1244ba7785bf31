/** The one process that changes a database: `openWriter`. */
import { randomInt } from 'node:crypto';
import { existsSync, realpathSync } from 'node:fs';
import { basename, resolve } from 'node:path';
import type { Database, Sqlite3Static } from '@sqlite.org/sqlite-wasm';
import { PoolError } from '../../lib/errors.js';
import type { Pool } from '../../src/index.js';
import { type Files, isSameFile, isSameState, nodeFiles } from './files.js';
import type { Mount } from './handle.js';
import { type Head, SharedState } from './head.js';
import {
  bootId,
  deriveEpoch,
  firstLsn,
  identityOfJournal,
  randomEpoch,
  readFirstPage,
  refuseSuperJournal,
  refuseWal,
  settledStatus,
} from './identity.js';
import { Journal } from './journal.js';
import { DatabaseLocks, TERM_MAX } from './locks.js';
import { listReaders, type ReaderInfo } from './presence.js';
import { Publication } from './publication.js';
import { SNAPSHOT_SHARE, SNAPSHOT_SHARE_MAX } from './retention.js';
import { fileSystemOf, VFS_NAME } from './vfs.js';
import { WriterFile } from './writerfile.js';

const OVERLAY_BYTES_MAX = 64 << 20;

export interface OpenOptions {
  /** Path of the database. A writer makes it where it is missing. */
  readonly file: string;
  readonly pool: Pool;
}

export interface WriterOptions extends OpenOptions {
  /**
   * What of a transaction is held back from the file until its commit, in bytes; more is written before, and is not in the pool
   * after it. Default 64 MiB.
   */
  readonly overlayBytesMax?: number;
  /**
   * Share of the pool's bytes in which the past is kept for readers that need it, 0 to 0.8. Default 0.25. It is pinned: beyond 0.4
   * connect the pool with a `maxPinShare` of somewhat more.
   */
  readonly snapshotShare?: number;
  /** The system calls, for tests. */
  readonly files?: Files;
}

export interface Writer extends Disposable {
  /** The engine's own connection; closing it closes the writer. */
  readonly db: Database;
  /** Of the newest commit that readers can see. */
  readonly lsn: number;
  /** What made the last call of the file system fail, if one has: the engine passes only a number on. */
  readonly lastError: unknown;
  /** Who reads at which snapshot, the longest there first. */
  readers(): ReaderInfo[];
  /** Idempotent. The database is whole whether it is called or not. */
  close(): void;
}

export const realPath = (file: string): string => (existsSync(file) ? realpathSync(file) : resolve(file));

/** A refusal in the engine's words and in ours. */
function busy(sqlite3: Sqlite3Static, path: string): PoolError {
  const message = `SQLITE_BUSY: ${path} has a writer.`;
  const resultCode = sqlite3.capi.SQLITE_BUSY;
  return Object.assign(new PoolError('BUSY', message, { file: path, resultCode }), { resultCode });
}

/** What is asked of a connection that would change how the file is kept safe. */
export function refusalOf(pragma: string, argument: string | undefined): string | undefined {
  const value = argument?.toLowerCase();
  if (pragma === 'journal_mode' && value !== undefined && !['delete', 'truncate', 'persist'].includes(value)) {
    return `sealpool keeps a rollback journal on disk: journal_mode=${value} is refused`;
  }
  if (pragma === 'locking_mode' && value !== undefined && value !== 'normal') {
    return `sealpool reads between transactions: locking_mode=${value} is refused`;
  }
  return undefined;
}

class WriterMount implements Mount {
  lastError: unknown;
  readonly file: WriterFile;
  readonly journal: Journal;

  constructor(file: WriterFile, journal: Journal) {
    this.file = file;
    this.journal = journal;
  }
  openDatabase() {
    return this.file.open();
  }
  openJournal() {
    return this.journal.open();
  }
  hasJournal(): boolean {
    return this.journal.exists;
  }
  removeJournal(syncFolder: boolean): void {
    this.journal.remove(syncFolder);
  }
  refusalOf = refusalOf;
}

/** The parts of a writer before it has a connection. */
class Opening {
  readonly files: Files;
  readonly path: string;
  readonly descriptor: number;
  readonly term = randomInt(1, TERM_MAX);
  readonly locks: DatabaseLocks;
  readonly overlayBytesMax: number;
  private readonly limits: { readonly keptBytesMax: number; readonly snapshotShare: number };
  private readonly pool: Pool;

  constructor(options: WriterOptions) {
    const {
      file,
      pool,
      files = nodeFiles,
      overlayBytesMax = OVERLAY_BYTES_MAX,
      snapshotShare = SNAPSHOT_SHARE,
    } = options;
    if (!(snapshotShare >= 0 && snapshotShare <= SNAPSHOT_SHARE_MAX)) {
      throw new PoolError('OPTION_INVALID', `snapshotShare is ${snapshotShare}; it is 0 to ${SNAPSHOT_SHARE_MAX}.`);
    }
    this.limits = { keptBytesMax: overlayBytesMax, snapshotShare };
    this.files = files;
    this.overlayBytesMax = overlayBytesMax;
    this.pool = pool;
    this.path = realPath(file);
    try {
      this.descriptor = files.open(this.path, { writable: true, create: true });
    } catch (error) {
      throw new PoolError('OPTION_INVALID', `file: ${file} cannot be opened (${String(error)}).`, { file }, error);
    }
    this.locks = new DatabaseLocks(this.descriptor);
  }

  /** The history that this writer goes on with, told to readers before the file is touched; undefined where there is none. */
  adopt(page1: Uint8Array): Publication | undefined {
    const { files, descriptor, path, term } = this;
    const file = files.status(descriptor);
    const state = new SharedState(this.pool, file);
    const head = state.read(bootId());
    if (head === undefined) return undefined;
    if (head.state === 'quiet' || head.state === 'cutting') {
      // Whatever a journal that is there puts back is told as any other change.
      const isSame = head.state === 'cutting' || isSameState(head.file, file);
      if (!isSame || Buffer.compare(head.page1, page1) !== 0) return undefined;
      return this.goOn({ ...head, state: 'quiet', term, file });
    }
    const isUnderJournal = head.journal !== undefined && head.journal === identityOfJournal(files, `${path}-journal`);
    const isCommitted = head.state === 'sealing' && isSameState(head.file, file);
    const log = state.log(head.epoch, head.lsn + 1);
    if (log === undefined || !(isUnderJournal || isCommitted)) return undefined;
    const publication = this.goOn({ ...head, term });
    publication.inherit(log.pages, log.sizeMin);
    return publication;
  }

  private goOn(head: Head): Publication {
    const publication = new Publication(this.pool, head, this.limits);
    publication.tell(head.state, {});
    return publication;
  }

  /** A history of its own for the file as it is. */
  begin(mount: WriterMount, wasRecovered: boolean): Publication {
    const { files, descriptor, term } = this;
    const status = settledStatus(files, descriptor);
    const head = mount.file.headOfNow({ epoch: 0, lsn: firstLsn(status), term });
    const epoch = wasRecovered ? randomEpoch() : deriveEpoch(status, head.page1);
    const publication = new Publication(this.pool, { ...head, epoch }, this.limits);
    publication.tell('quiet', {});
    return publication;
  }
}

/**
 * Opens the database for changes: one process at a time does, and readers in others follow it. Throws BUSY (with SQLite's
 * resultCode) where another writer lives or another SQLite writes, UNSUPPORTED for a database in WAL mode, OPTION_INVALID for what
 * is no database.
 */
export function openWriter(sqlite3: Sqlite3Static, options: WriterOptions): Writer {
  const opening = new Opening(options);
  const { files, descriptor, locks, path, term } = opening;
  let publication: Publication | undefined;
  const system = fileSystemOf(sqlite3);
  system.opened += 1;
  const name = `${system.opened}/${basename(path).replaceAll(/[?#%]/g, '_')}`;
  const end = () => {
    system.mounts.delete(name);
    try {
      publication?.close();
    } finally {
      files.close(descriptor);
    }
  };
  try {
    if (!locks.tryTakeRole(term) || !isSameFile(files.status(descriptor), files.statusOf(path)))
      throw busy(sqlite3, path);
    refuseWal(files, path);
    refuseSuperJournal(files, path);
    const { page1, header } = readFirstPage(files, descriptor, path);
    if (header?.isWal) {
      const message = `${path} is in WAL mode. Set PRAGMA journal_mode=DELETE with another SQLite.`;
      throw new PoolError('UNSUPPORTED', message, { file: path });
    }
    const { overlayBytesMax } = opening;
    const journal = new Journal(files, `${path}-journal`, { originalBytesMax: overlayBytesMax });
    const wasHot = journal.isLive;
    const resultCodes = { busy: sqlite3.capi.SQLITE_BUSY };
    const isJournalLive = () => journal.isLive;
    const originalOf = (pageNo: number, target: Uint8Array): boolean => {
      const bytes = journal.originals.get(pageNo);
      if (bytes?.length !== target.length) return false;
      target.set(bytes);
      return true;
    };
    const parts = { files, path, descriptor, locks, overlayBytesMax, resultCodes, isJournalLive, originalOf };
    const mount = new WriterMount(new WriterFile(parts, header?.pageSize ?? 0), journal);
    journal.beforeEnd = () => mount.file.beforeCommit();
    publication = opening.adopt(page1);
    mount.file.publication = publication;
    system.mounts.set(name, mount);
    const db = connect(sqlite3, name, mount);
    publication ??= opening.begin(mount, wasHot);
    mount.file.publication = publication;
    mount.file.settle();
    return new OpenWriter(db, { mount, publication, pool: options.pool, end });
  } catch (error) {
    end();
    throw error;
  }
}

/** Has the engine look at the database, which plays a journal back. */
function connect(sqlite3: Sqlite3Static, name: string, mount: WriterMount): Database {
  let db: Database | undefined;
  try {
    db = new sqlite3.oo1.DB({ filename: name, flags: 'cw', vfs: VFS_NAME });
    db.selectValue('SELECT count(*) FROM sqlite_schema');
    return db;
  } catch (error) {
    db?.close();
    throw mount.lastError ?? error;
  }
}

class OpenWriter implements Writer {
  readonly db: Database;
  private readonly mount: WriterMount;
  private readonly publication: Publication;
  private readonly pool: Pool;

  constructor(db: Database, parts: { mount: WriterMount; publication: Publication; pool: Pool; end: () => void }) {
    this.db = db;
    this.mount = parts.mount;
    this.publication = parts.publication;
    this.pool = parts.pool;
    db.onclose = { after: parts.end };
  }
  get lsn(): number {
    return this.publication.head.lsn;
  }
  get lastError(): unknown {
    return this.mount.lastError;
  }
  readers(): ReaderInfo[] {
    return listReaders(this.pool, this.publication.head.file);
  }
  close(): void {
    if (this.db.isOpen()) this.db.close();
  }
  [Symbol.dispose](): void {
    this.close();
  }
}
