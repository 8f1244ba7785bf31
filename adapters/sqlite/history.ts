/**
 * What is known of the changes of an epoch since some LSN: which pages each LSN changed, as far as it was followed.
 *
 * (Y1) an LSN counts as followed only when its log was read: one that is missing is told, never passed over.
 */
import type { LogEntry, SharedState } from './head.js';

const PAGES_MAX = 1_000_000;
const LOGS_BACK_MAX = 256;

export class History {
  readonly epoch: number;
  /** Nothing is known of changes before. */
  private base: number;
  private followed: number;
  private readonly changed = new Map<number, number>();
  /** LSNs that cut the file off, with the bytes left: both ascending. */
  private cuts: { readonly lsn: number; readonly size: number }[] = [];

  constructor(epoch: number, lsn: number) {
    this.epoch = epoch;
    this.base = lsn;
    this.followed = lsn;
  }

  /** Of what came to be known so late: from before the LSN on, as far back as the pool has logs, and not too far. */
  static upTo(state: SharedState, epoch: number, lsn: number): History {
    let base = lsn;
    while (lsn - base < LOGS_BACK_MAX && state.log(epoch, base) !== undefined) base -= 1;
    const history = new History(epoch, base);
    if (!history.follow(state, lsn)) history.restart(lsn);
    return history;
  }

  add(lsn: number, { sizeMin, pages }: LogEntry): void {
    for (const pageNo of pages) this.changed.set(pageNo, lsn);
    this.cuts = this.cuts.filter((cut) => cut.size < sizeMin);
    this.cuts.push({ lsn, size: sizeMin });
    this.followed = Math.max(this.followed, lsn);
  }

  /** Reads the logs up to the LSN; false where one of them is gone. */
  follow(state: SharedState, lsn: number): boolean {
    while (this.followed < lsn) {
      const entry = state.log(this.epoch, this.followed + 1);
      if (entry === undefined) return false;
      this.add(this.followed + 1, entry);
    }
    return true;
  }

  /** The last LSN that is known to have changed the page, or the one before which nothing is known. */
  lastChange(pageNo: number, pageSize: number): number {
    const cut = this.cuts.findLast(({ size }) => pageNo * pageSize > size)?.lsn ?? this.base;
    return Math.max(cut, this.changed.get(pageNo) ?? this.base);
  }

  /** Forgets all before the LSN. */
  restart(lsn: number): void {
    this.base = lsn;
    this.followed = lsn;
    this.changed.clear();
    this.cuts = [];
  }

  /** Keeps its memory bounded; what it forgets is changes before the LSN. */
  trim(lsn: number): void {
    if (this.changed.size > PAGES_MAX) this.restart(lsn);
  }
}
