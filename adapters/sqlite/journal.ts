/**
 * The rollback journal of the writer. It is SQLite's own, byte for byte; what is looked at is whether it is live, which is
 * whether a stock SQLite would play it back, and the pages that it takes back, as far as there is room for them.
 */
import type { Files } from './files.js';
import type { FileHandle } from './handle.js';
import { identityOfJournal } from './identity.js';

/** What SQLite zeroes at the start of a journal that is over (journal_mode=PERSIST). */
const HEADER_SIZE = 28;

/** Of a record, which SQLite writes one after the other: the page's number, and the page as it was. */
const PAGE_NO_SIZE = 4;

/** Pages as they were before the transaction, from the writes of the journal that is live. */
class Originals {
  private readonly pages = new Map<number, Uint8Array>();
  private readonly bytesMax: number;
  private bytes = 0;
  /** The number written last, and where its page begins. */
  private pageNo = 0;
  private offset = -1;

  constructor(bytesMax: number) {
    this.bytesMax = bytesMax;
  }

  see(bytes: Uint8Array, offset: number): void {
    if (bytes.length === PAGE_NO_SIZE) {
      this.pageNo = new DataView(bytes.buffer, bytes.byteOffset).getUint32(0);
      this.offset = offset + PAGE_NO_SIZE;
      return;
    }
    const isPage = offset === this.offset;
    this.offset = -1;
    if (!isPage || this.pages.has(this.pageNo) || this.bytes + bytes.length > this.bytesMax) return;
    this.pages.set(this.pageNo, bytes.slice());
    this.bytes += bytes.length;
  }

  get(pageNo: number): Uint8Array | undefined {
    return this.pages.get(pageNo);
  }

  clear(): void {
    this.pages.clear();
    this.bytes = 0;
    this.offset = -1;
  }
}

export class Journal {
  private readonly files: Files;
  readonly originals: Originals;
  readonly path: string;
  isLive: boolean;
  /** Called before a live journal goes. */
  beforeEnd: () => void = () => {};

  constructor(files: Files, path: string, { originalBytesMax }: { originalBytesMax: number }) {
    this.files = files;
    this.path = path;
    this.originals = new Originals(originalBytesMax);
    this.isLive = identityOfJournal(files, path) !== undefined;
  }

  get exists(): boolean {
    return this.files.statusOf(this.path) !== undefined;
  }

  /** What ends the journal; it stays live when that fails. */
  end(step: () => void): void {
    if (this.isLive) this.beforeEnd();
    step();
    this.isLive = false;
    this.originals.clear();
  }

  remove(syncFolder: boolean): void {
    if (!this.exists) return;
    this.end(() => this.files.remove(this.path));
    if (syncFolder) this.files.syncFolder(this.path);
  }

  open(): FileHandle {
    return new JournalFile(this, this.files);
  }
}

class JournalFile implements FileHandle {
  private readonly journal: Journal;
  private readonly files: Files;
  private readonly descriptor: number;
  /** Its folder's entry is not known to be durable. */
  private isNew: boolean;

  constructor(journal: Journal, files: Files) {
    this.journal = journal;
    this.files = files;
    this.isNew = !journal.exists;
    this.descriptor = files.open(journal.path, { writable: true, create: true });
  }

  read(target: Uint8Array, offset: number): boolean {
    const count = this.files.read(this.descriptor, target, offset);
    target.fill(0, count);
    return count === target.length;
  }

  write(bytes: Uint8Array, offset: number): void {
    const step = () => this.files.write(this.descriptor, bytes, offset);
    if (offset === 0 && bytes.length === HEADER_SIZE && bytes.every((byte) => byte === 0)) {
      this.journal.end(step);
      return;
    }
    // Before: whatever of it is there when the write fails.
    this.journal.isLive = true;
    step();
    this.journal.originals.see(bytes, offset);
  }

  truncate(size: number): void {
    const step = () => this.files.truncate(this.descriptor, size);
    if (size === 0) this.journal.end(step);
    else step();
  }

  sync(): void {
    this.files.sync(this.descriptor);
    if (this.isNew) this.files.syncFolder(this.journal.path);
    this.isNew = false;
  }

  size(): number {
    return this.files.status(this.descriptor).size;
  }

  lock(): void {}
  unlock(): void {}
  beforeSync(): void {}
  hasMoved(): boolean {
    return false;
  }
  close(): void {
    this.files.close(this.descriptor);
  }
}
