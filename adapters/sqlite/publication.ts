/**
 * The writer's side of the pool: what of a transaction readers are told, and when.
 *
 * | step     | by       | stores in the pool                                        | file meanwhile                         |
 * |----------|----------|-----------------------------------------------------------|----------------------------------------|
 * | preserve | flush    | pages that a reader's snapshot has, until the next LSN    | journal synced, pages untouched        |
 * | announce | flush    | log of the next LSN, head: writing                        | the same                               |
 * | preserve | flush    | for the first reader, if it has come meanwhile            | the same                               |
 * |          | flush    |                                                           | pages written, then synced by SQLite   |
 * | seal     | journal  | head: sealing                                             | all pages there                        |
 * |          | SQLite   |                                                           | journal removed: the commit            |
 * | publish  | unlock   | pages from the LSN on, or their end there; head: quiet    | at the LSN                             |
 * | cut      | unlock   | head: cutting, in place of quiet; then quiet              | what it is too long is cut off between |
 *
 * (W1) no page of a transaction is in the pool before its commit, so a rollback leaves nothing to take back there. A transaction
 *      that was rolled back after pages of it were written has its LSN as well, of the same contents.
 * (W2) all versions of before that a page has in the pool end at the LSN, before a head says that the LSN is there.
 * (W3) until then the writer has the pages that it wrote from the file, or from what it keeps, never from the pool.
 * (W4) what a call of the pool could not do is done at the next lock; the head stays behind, and readers with it.
 */
import { PoolError } from '../../lib/errors.js';
import type { PageSpace, Pool } from '../../src/index.js';
import type { FileStatus } from './files.js';
import { type Head, type HeadState, SharedState } from './head.js';
import { History } from './history.js';
import { firstLsn, parseHeader, randomEpoch } from './identity.js';
import { Retention } from './retention.js';

/** A transaction that has begun to write the file. */
interface Session {
  readonly lsn: number;
  /** (H2) */
  readonly pages: Set<number>;
  sizeMin: number;
  /** Contents of the pages, as far as they are kept. */
  readonly kept: Map<number, Uint8Array>;
  keptBytes: number;
}

/** Fills the target with the page as it is at the newest LSN. */
type Original = (pageNo: number, target: Uint8Array) => boolean;

export class Publication {
  readonly state: SharedState;
  private readonly term: number;
  private readonly keptBytesMax: number;
  private session: Session | undefined;
  private history: History;
  private space: PageSpace | undefined;
  private readonly retention: Retention;
  /** The newest that was published. */
  head: Head;

  /**
   * `head` is what the epoch begins or goes on with; `keptBytesMax` bounds what is kept of a transaction to be published,
   * `snapshotShare` of the pool what is kept of the past.
   */
  constructor(
    pool: Pool,
    head: Head,
    { keptBytesMax, snapshotShare }: { keptBytesMax: number; snapshotShare: number },
  ) {
    this.state = new SharedState(pool, head.file);
    this.term = head.term;
    this.keptBytesMax = keptBytesMax;
    this.head = head;
    this.history = new History(head.epoch, head.lsn);
    this.retention = new Retention(pool, this.state.cache, { file: head.file, share: snapshotShare });
    this.openSpace();
  }

  private openSpace(): void {
    const { pageSize } = this.head;
    this.space = pageSize === 0 ? undefined : this.state.pages(pageSize);
  }

  get isWriting(): boolean {
    return this.session !== undefined;
  }

  /** Of the transaction that is being written: another writer's, that died in it. */
  inherit(pages: Iterable<number>, sizeMin: number): void {
    const lsn = this.head.lsn + 1;
    this.session = { lsn, pages: new Set(pages), sizeMin, kept: new Map(), keptBytes: 0 };
  }

  tell(state: HeadState, changes: Partial<Head>): void {
    const head = { ...this.head, ...changes, state };
    this.state.publish(head);
    this.head = head;
  }

  /** Throws NODE_FENCED where the head is another writer's. Where there is none, for lack of room, it is told again. */
  checkTerm(): void {
    const term = this.state.term();
    if (term === this.term) return;
    if (term !== undefined) throw new PoolError('NODE_FENCED', 'Another writer has taken the database over.');
    this.state.publish(this.head);
  }

  /**
   * Before the pages are written to the file; those that are new in the list are kept for the snapshots there are. `original` gives
   * false where the file has not all of a page. Throws BUSY.
   */
  announce(
    pages: Iterable<number>,
    size: number,
    files: { file: FileStatus; journal: string | undefined },
    original: Original,
  ): void {
    if (this.session === undefined) this.inherit([], this.head.size);
    const session = this.session as Session;
    const added = [...pages].filter((pageNo) => pageNo !== 1 && !session.pages.has(pageNo));
    // (K3)
    this.retention.look(this.head.lsn);
    this.preserve(added, original);
    for (const pageNo of added) session.pages.add(pageNo);
    session.sizeMin = Math.min(session.sizeMin, size);
    const { lsn, sizeMin } = session;
    this.state.putLog(this.head.epoch, lsn, { sizeMin, pages: Uint32Array.from(session.pages) });
    // (H2)
    this.tell('writing', { ...files });
    if (this.retention.hasReaders) return;
    this.retention.look(this.head.lsn);
    this.preserve(added, original);
  }

  private preserve(pages: readonly number[], original: Original): void {
    const { space, head, retention } = this;
    if (space === undefined || !retention.hasReaders) return;
    const target = new Uint8Array(head.pageSize);
    const until = head.lsn + 1;
    for (const pageNo of pages) {
      if (pageNo * head.pageSize > head.size) continue;
      const from = this.history.lastChange(pageNo, head.pageSize);
      if (!retention.isNeeded(from, until)) continue;
      const number = head.epoch + pageNo;
      // Not borrowed: a run without end would keep it.
      if (!space.read(number, target, 0, head.lsn)) {
        if (!original(pageNo, target)) continue;
        space.put(number, target, { from, until });
      }
      retention.keep(space, number, from, until);
    }
  }

  /** The bytes are the session's from now on. */
  keep(pageNo: number, bytes: Uint8Array): void {
    const session = this.session as Session;
    const known = session.kept.get(pageNo);
    if (known !== undefined) session.keptBytes -= known.length;
    session.kept.delete(pageNo);
    if (session.keptBytes + bytes.length > this.keptBytesMax) return;
    session.kept.set(pageNo, bytes);
    session.keptBytes += bytes.length;
  }

  /** (W3) What the session wrote: its bytes, or `file` where only the file has them; undefined for what it did not write. */
  written(pageNo: number): Uint8Array | 'file' | undefined {
    const { session } = this;
    if (session === undefined) return undefined;
    const kept = session.kept.get(pageNo);
    if (kept !== undefined) return kept;
    return pageNo === 1 || session.pages.has(pageNo) || pageNo * this.head.pageSize > session.sizeMin
      ? 'file'
      : undefined;
  }

  /** A page that the session did not write, at the newest LSN; `load` fills it from the file. */
  read(pageNo: number, target: Uint8Array, load: (target: Uint8Array) => void): void {
    const { space, head } = this;
    const number = head.epoch + pageNo;
    if (space?.read(number, target, 0, head.lsn)) return;
    if (space === undefined) {
      load(target);
      return;
    }
    const lease = space.lease(number);
    load(target);
    space.put(number, target, { from: this.history.lastChange(pageNo, head.pageSize), lease });
  }

  /** The transaction is over, and the file at its LSN. Throws BUSY: call again (W4). */
  publish(state: 'quiet' | 'cutting', file: FileStatus, size: number, page1: Uint8Array): void {
    const { session, head } = this;
    if (session === undefined) return;
    const pageSize = parseHeader(page1)?.pageSize ?? 0;
    if (pageSize !== head.pageSize) {
      this.beginEpoch(state, { file, size, page1, pageSize });
      return;
    }
    const { lsn, pages, kept, sizeMin } = session;
    // What was there before the file was cut off, of pages that it has again and nobody wrote.
    for (let pageNo = Math.floor(sizeMin / pageSize) + 1; pageNo * pageSize <= size; pageNo++) pages.add(pageNo);
    pages.delete(1);
    for (const pageNo of pages) {
      const bytes = pageNo * pageSize > size ? undefined : kept.get(pageNo);
      const number = head.epoch + pageNo;
      if (this.retention.isForgotten(number, this.history.lastChange(pageNo, pageSize), lsn))
        this.space?.invalidate(number);
      // (W2)
      if (bytes === undefined) this.space?.invalidate(number, lsn);
      else this.space?.put(number, bytes, { from: lsn });
    }
    this.tell(state, { lsn, file, size, page1, journal: undefined, publishedMs: Date.now() });
    this.history.add(lsn, { sizeMin: Math.min(sizeMin, size), pages: Uint32Array.from(pages) });
    this.history.trim(lsn);
    this.session = undefined;
  }

  /** The pages have another size, and so other numbers. */
  private beginEpoch(state: HeadState, now: Pick<Head, 'file' | 'size' | 'page1' | 'pageSize'>): void {
    const { head, session } = this;
    const lsn = Math.max(firstLsn(now.file), (session?.lsn ?? head.lsn) + 1);
    const [epoch, parent] = [randomEpoch(), head.epoch];
    const publishedMs = Date.now();
    this.tell(state, { epoch, parent, lsn, journal: undefined, publishedMs, ...now });
    this.history = new History(epoch, lsn);
    this.session = undefined;
    this.openSpace();
  }

  close(): void {
    this.retention.close();
    this.state.close();
  }
}
