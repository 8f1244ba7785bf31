/**
 * Where a reader's snapshot comes from, and what it is served of: the pool, or the file where the page there is proved to be the
 * snapshot's.
 *
 * (R1) a page of the file is the snapshot's when nothing that changed it since can be in the file. That is looked at after it
 *      was read, because a writer tells of a page before it writes it:
 *
 *      | the head of the snapshot's epoch       | its writer | proof                                                        |
 *      |-----------------------------------------|------------|--------------------------------------------------------------|
 *      | quiet, writing or sealing               | lives      | no log since, the running one included, has the page         |
 *      | quiet                                   | is gone    | the file is as the head says, and no log since has the page  |
 *      | cutting                                 | is gone    | the first page is as the head says, and as above             |
 *      | writing                                 | is gone    | the journal is as the head says, as above, running log too   |
 *      | sealing                                 | is gone    | the journal or the file is as the head says, as above        |
 *      | none, ended, or of another epoch        |            | the snapshot was made of a file that nobody wrote, and that  |
 *      |                                         |            | is as it was                                                 |
 *
 *      Whoever else changes the file has to end the journal first, and then changes the file's times.
 * (R2) without proof the read fails: SNAPSHOT_LOST, never a page that may be another's.
 * (R3) what was read so goes to the pool under a lease that was taken before. A writer who changes the page moves its count.
 *      Of all readers that miss a page, at whatever snapshots, one reads the file; the proof is made before the others are given it,
 *      and says from which LSN on: who needs an earlier one reads the file after him.
 * (R6) who reads pages in their order and would wait for another's read reads one of the next pages meanwhile, the first that nobody
 *      reads: processes that scan the same table together go as fast as all of them read.
 * (R4) the first page is the snapshot's own copy; size and page count are its head's.
 * (R5) a reader may keep its pages elsewhere than in the pool (`store`); what the pool has of the past it has then at second hand.
 */
import { PoolError } from '../../lib/errors.js';
import type { LoadAnswer, PageSpace } from '../../src/index.js';
import { type FileStatus, type Files, isSameState } from './files.js';
import type { Head, SharedState } from './head.js';
import { History } from './history.js';
import {
  bootId,
  deriveEpoch,
  firstLsn,
  identityOfJournal,
  parseHeader,
  readFirstPage,
  refuseHotJournal,
  refuseWal,
  settledStatus,
} from './identity.js';
import type { DatabaseLocks } from './locks.js';

/** Where a reader keeps pages, under numbers of its epoch. */
export type PageStore = Pick<PageSpace, 'read' | 'readThrough' | 'loadAhead'>;

export interface Source {
  readonly files: Files;
  readonly path: string;
  readonly descriptor: number;
  readonly locks: DatabaseLocks;
  readonly state: SharedState;
  /** (R5) */
  readonly storeOf?: ((shared: PageStore, pageSize: number) => PageStore) | undefined;
}

/** The state of the database that a snapshot is made of. */
export interface Base {
  readonly head: Head;
  /** Nobody wrote the file, and no head speaks of it. */
  readonly isDerived: boolean;
}

/** A head is being made: asked again so often. */
const TRIES_MAX = 200;

function isGood(source: Source, head: Head): boolean {
  const { files, path, descriptor, locks } = source;
  if (head.state === 'ended') return false;
  if (locks.isWriterAlive(head.term)) return true;
  const isAsSaid = isSameState(head.file, files.status(descriptor));
  if (head.state === 'cutting') return isAsCut(source, head);
  const isUnderJournal = head.journal !== undefined && head.journal === identityOfJournal(files, `${path}-journal`);
  if (head.state === 'writing') return isUnderJournal;
  return head.state === 'sealing' ? isUnderJournal || isAsSaid : isAsSaid;
}

/** Its times do not tell: but whoever writes a database changes the counters of its first page. */
function isAsCut({ files, descriptor }: Source, { page1 }: Head): boolean {
  const now = new Uint8Array(page1.length);
  return files.read(descriptor, now, 0) === page1.length && Buffer.compare(now, page1) === 0;
}

/**
 * The newest state that is whole. Throws UNSUPPORTED where a journal or a -wal has what the file has not, BUSY where a writer
 * has not told yet what there is, OPTION_INVALID for what is no database.
 */
export function findBase(source: Source): Base {
  const { files, path, descriptor, locks, state } = source;
  for (let tries = 0; tries < TRIES_MAX; tries++) {
    const head = state.read(bootId());
    if (head !== undefined && isGood(source, head)) return { head, isDerived: false };
    const before = settledStatus(files, descriptor);
    refuseWal(files, path);
    if (locks.hasWriter()) continue;
    refuseHotJournal(files, path);
    const { page1, header } = readFirstPage(files, descriptor, path);
    // A writer has the role before it writes, and whoever else writes changes the file's times.
    if (locks.hasWriter() || !isSameState(before, files.status(descriptor))) continue;
    return { head: derive(before, page1, header?.pageSize ?? 0), isDerived: true };
  }
  throw new PoolError('BUSY', `${path} has a writer that has not told what there is.`, { file: path });
}

function derive(file: FileStatus, page1: Uint8Array, pageSize: number): Head {
  const publishedMs = Number(BigInt(file.mtimeNs) / 1_000_000n);
  const [epoch, lsn] = [deriveEpoch(file, page1), firstLsn(file)];
  const made = { boot: bootId(), epoch, parent: 0, lsn, state: 'quiet', term: 0 } as const;
  return { ...made, pageSize, size: file.size, file, publishedMs, page1 };
}

/** How far pages are read ahead. */
const AHEAD_MAX = 8;
/** Pages in order, not counting gaps of inner pages, that make a run. */
const RUN_MIN = 3;
const GAP_MAX = 2;

/** Whether pages are read in their order. */
class Run {
  private last = 0;
  private length = 0;

  step(pageNo: number): void {
    const gap = pageNo - this.last;
    // Read again, or a step back up the tree and down.
    if (gap === 0) return;
    this.length = gap > 0 && gap <= GAP_MAX + 1 ? this.length + 1 : 0;
    this.last = pageNo;
  }

  get isOne(): boolean {
    return this.length >= RUN_MIN;
  }
}

export class Snapshot {
  private readonly run = new Run();
  private readonly source: Source;
  readonly head: Head;
  private readonly isDerived: boolean;
  private readonly history: History;
  private readonly space: PageStore | undefined;
  private readonly store: PageStore | undefined;
  /** As it is read: a database in WAL mode, whose -wal has nothing, is read as one with a journal. */
  readonly page1: Uint8Array;

  /** `before`: of the same reader, whose knowledge of the epoch goes on. */
  constructor(source: Source, { head, isDerived }: Base, before?: Snapshot) {
    this.source = source;
    this.head = head;
    this.isDerived = isDerived;
    this.page1 = head.page1.slice();
    if (parseHeader(this.page1)?.isWal) this.page1.fill(1, 18, 20);
    this.space = head.pageSize === 0 ? undefined : source.state.pages(head.pageSize);
    this.store = this.space && (source.storeOf?.(this.space, head.pageSize) ?? this.space);
    const known = before?.history;
    if (known?.epoch === head.epoch && known.follow(source.state, head.lsn)) this.history = known;
    else if (isDerived) this.history = new History(head.epoch, head.lsn);
    else this.history = History.upTo(source.state, head.epoch, head.lsn);
    this.history.trim(head.lsn);
  }

  /** A whole page, from 2 on. Throws SNAPSHOT_LOST (R2). */
  read(pageNo: number, target: Uint8Array): void {
    const { store, head } = this;
    if (store === undefined) throw this.lost(pageNo);
    this.run.step(pageNo);
    const load = (_: number, page: Uint8Array) => this.load(pageNo, page);
    store.readThrough(head.epoch + pageNo, target, load, {
      ...{ asOf: head.lsn, joins: 'page' },
      ...(this.run.isOne && { onWait: () => this.loadAhead(store, pageNo) }),
    });
  }

  /** (R6) What goes wrong with a page that nobody asked for is told to who does. */
  private loadAhead(store: PageStore, pageNo: number): void {
    const { head, history } = this;
    const end = Math.min(pageNo + AHEAD_MAX, Math.floor(head.size / head.pageSize));
    try {
      for (let next = pageNo + 1; next <= end; next++) {
        if (history.lastChange(next, head.pageSize) > head.lsn) continue;
        const load = (_: number, page: Uint8Array) => this.load(next, page);
        if (store.loadAhead(head.epoch + next, load, { asOf: head.lsn, joins: 'page' }) === 'loaded') return;
      }
    } catch {}
  }

  /** (R3) */
  private load(pageNo: number, target: Uint8Array): LoadAnswer {
    const { space, store, head, source, history } = this;
    const count = source.files.read(source.descriptor, target, (pageNo - 1) * head.pageSize);
    if (count === target.length && this.isProved(pageNo)) {
      return { from: Math.min(history.lastChange(pageNo, head.pageSize), head.lsn), until: Number.POSITIVE_INFINITY };
    }
    // The writer may have kept it meanwhile.
    if (!space?.read(head.epoch + pageNo, target, 0, head.lsn)) throw this.lost(pageNo);
    return store === space ? undefined : { from: head.lsn };
  }

  /** (R1) */
  private isProved(pageNo: number): boolean {
    const { source, history, head } = this;
    const now = source.state.read(bootId());
    if (now === undefined || now.epoch !== head.epoch || now.state === 'ended') {
      return this.isDerived && isSameState(head.file, source.files.status(source.descriptor));
    }
    if (!isGood(source, now) || !history.follow(source.state, now.lsn)) return false;
    if (history.lastChange(pageNo, head.pageSize) > head.lsn) return false;
    if (now.state === 'quiet' || now.state === 'cutting') return true;
    const running = source.state.log(now.epoch, now.lsn + 1);
    if (running === undefined) return false;
    return pageNo * head.pageSize <= running.sizeMin && !running.pages.includes(pageNo);
  }

  private lost(pageNo: number): PoolError {
    const { path } = this.source;
    const message = `Page ${pageNo} of ${path} as of LSN ${this.head.lsn} is gone from the pool, and the file has a newer one.`;
    return new PoolError('SNAPSHOT_LOST', message, { file: path, pageNo, lsn: this.head.lsn });
  }
}
