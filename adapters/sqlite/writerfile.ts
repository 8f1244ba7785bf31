/**
 * The database file of the writer, as its engine sees it: reads through the overlay and the pool, writes held back to one flush
 * before SQLite syncs, locks as SQLite has them, and each commit published when its lock goes.
 *
 * (X1) at every moment the file and its journal are what a stock SQLite recovers: SQLite's own order of journal, pages and
 *      syncs is kept, as pages are only ever written later than it asked, and never after it asked for their sync.
 * (X2) while a journal that takes pages back is there, and pages were written, no lock is given back: another SQLite would
 *      take the journal for one of a writer at work, and read what is half written.
 * (X3) nothing is written after the file was changed by others, or is no longer the one at the path, or has another writer.
 */
import { PoolError } from '../../lib/errors.js';
import { type FileStatus, type Files, isSameFile, isSameState } from './files.js';
import { type FileHandle, LOCK_EXCLUSIVE, LOCK_NONE, LOCK_SHARED, SqliteFailure } from './handle.js';
import { bootId, HEADER_SIZE, identityOfJournal, parseHeader } from './identity.js';
import type { DatabaseLocks } from './locks.js';
import { Overlay } from './overlay.js';
import type { Publication } from './publication.js';

export interface WriterFileParts {
  readonly files: Files;
  readonly path: string;
  readonly descriptor: number;
  readonly locks: DatabaseLocks;
  readonly overlayBytesMax: number;
  readonly resultCodes: { readonly busy: number };
  /** Whether there is a journal that takes pages back. */
  isJournalLive(): boolean;
  /** Fills the target with what the journal takes the page back to; false where that is not known. */
  originalOf(pageNo: number, target: Uint8Array): boolean;
}

export class WriterFile implements FileHandle {
  private readonly parts: WriterFileParts;
  private readonly overlay: Overlay;
  /** Bytes of the file with what the overlay has. */
  private logicalSize: number;
  private pageSize: number;
  private level = LOCK_NONE;
  private failure: PoolError | undefined;
  /** Pages were written under the journal that is live. */
  private isDirty = false;
  private isOpen = false;
  /** The file as this writer left it. */
  private known: FileStatus;
  /** Undefined as long as it is not known which database this is: a journal of somebody else is played back first. */
  publication: Publication | undefined;

  constructor(parts: WriterFileParts, pageSize: number) {
    this.parts = parts;
    this.overlay = new Overlay(parts.overlayBytesMax);
    this.known = parts.files.status(parts.descriptor);
    this.logicalSize = this.known.size;
    this.pageSize = pageSize;
  }

  size(): number {
    return this.logicalSize;
  }

  /** What later calls throw. */
  poison(failure: PoolError): never {
    this.failure ??= failure;
    throw failure;
  }

  read(target: Uint8Array, offset: number): boolean {
    const available = Math.max(0, Math.min(target.length, this.logicalSize - offset));
    for (let done = 0; done < available; ) {
      const { pageSize } = this;
      const pageNo = pageSize === 0 ? 1 : Math.floor((offset + done) / pageSize) + 1;
      const skip = offset + done - (pageNo - 1) * pageSize;
      const count = pageSize === 0 ? available : Math.min(pageSize - skip, available - done);
      this.readPart(pageNo, skip, target.subarray(done, done + count));
      done += count;
    }
    target.fill(0, available);
    return available === target.length;
  }

  private readPart(pageNo: number, skip: number, target: Uint8Array): void {
    const { publication, pageSize, overlay } = this;
    const written = overlay.get(pageNo) ?? publication?.written(pageNo);
    if (written instanceof Uint8Array) {
      target.set(written.subarray(skip, skip + target.length));
      return;
    }
    const offset = (pageNo - 1) * pageSize;
    if (publication === undefined || written === 'file' || pageSize === 0) this.readFile(target, offset + skip);
    else if (pageNo === 1) target.set(publication.head.page1.subarray(skip, skip + target.length));
    else if (target.length === pageSize) publication.read(pageNo, target, (page) => this.readFile(page, offset));
    else {
      const page = new Uint8Array(pageSize);
      publication.read(pageNo, page, () => this.readFile(page, offset));
      target.set(page.subarray(skip, skip + target.length));
    }
  }

  private readFile(target: Uint8Array, offset: number): void {
    const count = this.parts.files.read(this.parts.descriptor, target, offset);
    target.fill(0, count);
  }

  write(bytes: Uint8Array, offset: number): void {
    if (this.pageSize === 0) this.pageSize = parseHeader(bytes)?.pageSize ?? bytes.length;
    const { pageSize, overlay } = this;
    for (let done = 0; done < bytes.length; ) {
      const pageNo = Math.floor((offset + done) / pageSize) + 1;
      const skip = offset + done - (pageNo - 1) * pageSize;
      const count = Math.min(pageSize - skip, bytes.length - done);
      const page = new Uint8Array(pageSize);
      if (count < pageSize) this.read(page, (pageNo - 1) * pageSize);
      page.set(bytes.subarray(done, done + count), skip);
      overlay.set(pageNo, page);
      done += count;
    }
    this.logicalSize = Math.max(this.logicalSize, offset + bytes.length);
    if (overlay.isFull) this.flush();
  }

  truncate(size: number): void {
    const { pageSize, overlay } = this;
    // SQLite cuts within a page where VACUUM makes pages smaller.
    const whole = Math.ceil(size / (pageSize || 1));
    overlay.cut(whole + 1);
    overlay.get(whole)?.fill(0, size - (whole - 1) * pageSize);
    this.logicalSize = size;
  }

  beforeSync(): void {
    this.flush();
  }

  sync(): void {
    this.flush();
    this.parts.files.sync(this.parts.descriptor);
  }

  /** (O1) Throws what a write throws; then all of it is still in the overlay, whatever the file has of it. */
  private flush(): void {
    const { overlay, parts, publication } = this;
    const { files, descriptor } = parts;
    // What a commit cuts off goes after it.
    const isCut = parts.isJournalLive() && this.isTooLong();
    if (overlay.isEmpty && !isCut) return;
    this.checkFence();
    const pages = overlay.sorted();
    this.announce(pages.map(([pageNo]) => pageNo));
    this.isDirty = true;
    try {
      for (const [pageNo, bytes] of pages)
        files.write(descriptor, this.within(pageNo, bytes), (pageNo - 1) * this.pageSize);
      if (isCut) files.truncate(descriptor, this.logicalSize);
    } finally {
      this.known = files.status(descriptor);
    }
    overlay.clear();
    if (publication !== undefined) for (const [pageNo, bytes] of pages) publication.keep(pageNo, bytes);
  }

  private isTooLong(): boolean {
    return this.logicalSize < this.parts.files.status(this.parts.descriptor).size;
  }

  /** What of the page lies within the file, where that ends in it. */
  private within(pageNo: number, bytes: Uint8Array): Uint8Array {
    const left = this.logicalSize - (pageNo - 1) * this.pageSize;
    return left < bytes.length ? bytes.subarray(0, Math.max(0, left)) : bytes;
  }

  private announce(pages: readonly number[]): void {
    const { publication, parts, pageSize } = this;
    if (publication === undefined) return;
    const journal = identityOfJournal(parts.files, `${parts.path}-journal`);
    const { descriptor, files } = parts;
    publication.announce(pages, this.logicalSize, { file: this.known, journal }, (pageNo, target) => {
      if (parts.originalOf(pageNo, target)) return true;
      return files.read(descriptor, target, (pageNo - 1) * pageSize) === pageSize;
    });
  }

  /** The journal is about to go: the commit, or the end of a rollback. */
  beforeCommit(): void {
    this.flush();
    if (!this.publication?.isWriting) return;
    this.checkFence();
    this.publication.tell('sealing', { file: this.known });
  }

  lock(level: number): void {
    const { locks, resultCodes } = this.parts;
    if (this.failure !== undefined) throw this.failure;
    if (level <= this.level) return;
    if (this.level === LOCK_NONE) {
      this.checkFence();
      if (!this.isHeldBack() && !locks.tryShare()) throw new SqliteFailure(resultCodes.busy, 'the database is locked');
      this.level = LOCK_SHARED;
      this.settle();
    }
    if (level === LOCK_EXCLUSIVE && !locks.tryExclude()) {
      throw new SqliteFailure(resultCodes.busy, 'another SQLite reads the database');
    }
    this.level = level;
  }

  unlock(level: number): void {
    if (level >= this.level) return;
    if (level <= LOCK_SHARED && this.level > LOCK_SHARED) {
      if (!this.parts.isJournalLive()) this.flush();
      if (!this.parts.isJournalLive() && this.isTooLong()) this.cut();
      this.isDirty &&= this.parts.isJournalLive();
      this.settle();
    }
    this.level = level;
    if (!this.isHeldBack()) this.parts.locks.unlock(level >= LOCK_SHARED);
  }

  /** (X2) */
  private isHeldBack(): boolean {
    return this.isDirty && this.parts.isJournalLive();
  }

  /** The transaction is over, and the file longer than it says. */
  private cut(): void {
    const { files, descriptor } = this.parts;
    this.checkFence();
    this.settle('cutting');
    // What is beyond is of snapshots that do not take it from the file any more; else it is cut off the next time.
    if (this.publication?.isWriting) return;
    try {
      files.truncate(descriptor, this.logicalSize);
    } finally {
      this.known = files.status(descriptor);
    }
    this.publication?.tell('quiet', { file: this.known });
  }

  /** Publishes a transaction that is over; one that could not be is tried again at the next lock. */
  settle(state: 'quiet' | 'cutting' = 'quiet'): void {
    const { publication, parts } = this;
    if (publication === undefined || !publication.isWriting || parts.isJournalLive() || !this.overlay.isEmpty) return;
    try {
      this.publishNow(publication, state);
    } catch (error) {
      if (!(error instanceof PoolError) || error.code !== 'BUSY') throw error;
    }
  }

  private publishNow(publication: Publication, state: 'quiet' | 'cutting'): void {
    const page1 = this.readFirstPage();
    publication.publish(state, this.known, this.logicalSize, page1);
    this.pageSize = publication.head.pageSize;
  }

  /** From the file, which nobody else writes. */
  readFirstPage(): Uint8Array {
    const header = new Uint8Array(HEADER_SIZE);
    if (this.logicalSize === 0) return header.slice(0, 0);
    this.readFile(header, 0);
    const page = new Uint8Array(parseHeader(header)?.pageSize ?? 0);
    this.readFile(page, 0);
    return page;
  }

  /** (X3) Throws DATABASE_CHANGED, NODE_FENCED, and then always. */
  private checkFence(): void {
    if (this.failure !== undefined) throw this.failure;
    const { files, path, descriptor } = this.parts;
    if (this.hasMoved()) {
      this.poison(new PoolError('DATABASE_CHANGED', `${path} is another file by now.`, { file: path }));
    }
    if (!isSameState(this.known, files.status(descriptor))) {
      this.publication?.tell('ended', {});
      this.poison(new PoolError('DATABASE_CHANGED', `${path} was changed by another program.`, { file: path }));
    }
    try {
      this.publication?.checkTerm();
    } catch (error) {
      if (!(error instanceof PoolError) || error.code !== 'NODE_FENCED') throw error;
      this.poison(error);
    }
  }

  hasMoved(): boolean {
    return !isSameFile(this.known, this.parts.files.statusOf(this.parts.path));
  }

  /** The state that a history may begin with: the file as it is now. */
  status(): FileStatus {
    return this.known;
  }

  headOfNow(changes: { epoch: number; lsn: number; term: number }) {
    const page1 = this.readFirstPage();
    const pageSize = parseHeader(page1)?.pageSize ?? 0;
    this.pageSize = pageSize;
    return {
      boot: bootId(),
      parent: 0,
      state: 'quiet' as const,
      pageSize,
      size: this.logicalSize,
      file: this.known,
      publishedMs: Date.now(),
      page1,
      ...changes,
    };
  }

  /** Once at a time: two connections over one file object would not see each other's locks. */
  open(): this {
    if (this.isOpen) throw new PoolError('UNSUPPORTED', `${this.parts.path} is open in this connection, or another.`);
    this.isOpen = true;
    return this;
  }

  close(): void {
    this.isOpen = false;
  }
}
