/**
 * Locks of a database file.
 *
 * (L1) SQLite's own: PENDING, RESERVED and the SHARED range lie where every SQLite has them. A writer has RESERVED for life,
 *      so that no other SQLite writes meanwhile; it has the others as SQLite would, so that other SQLites may read.
 * (L2) two more bytes far beyond any data, also for life: the role, which says that a writer is at work or about to be, and one
 *      that its term chooses, which says that the writer of that very head lives.
 * (L3) all of them end with the descriptor, so with the process. A process that is stopped keeps them.
 */
import { ByteLocks } from '../../lib/linux/index.js';

const PENDING = 0x40000000;
const RESERVED = PENDING + 1;
const SHARED = PENDING + 2;
const SHARED_LENGTH = 510;
const ROLE = 2 ** 48;
export const TERM_MAX = 2 ** 30;

export class DatabaseLocks {
  private readonly locks: ByteLocks;

  constructor(descriptor: number) {
    this.locks = new ByteLocks(descriptor);
  }

  /** (L1, L2) For the life of a writer. False where there is another, of whatever SQLite. */
  tryTakeRole(term: number): boolean {
    const { locks } = this;
    if (!locks.tryTake('write', ROLE)) return false;
    if (locks.tryTake('write', RESERVED) && locks.tryTake('write', ROLE + term)) return true;
    locks.release(RESERVED);
    locks.release(ROLE);
    return false;
  }

  isWriterAlive(term: number): boolean {
    return this.locks.isTakenByOther(ROLE + term);
  }

  /** A writer lives, or is about to open. */
  hasWriter(): boolean {
    return this.locks.isTakenByOther(ROLE);
  }

  tryShare(): boolean {
    const { locks } = this;
    if (!locks.tryTake('read', PENDING)) return false;
    const isShared = locks.tryTake('read', SHARED, SHARED_LENGTH);
    locks.release(PENDING);
    return isShared;
  }

  /** No other SQLite reads. One that wants to begin is held off even where this fails, until `unlock`. */
  tryExclude(): boolean {
    const { locks } = this;
    return locks.tryTake('write', PENDING) && locks.tryTake('write', SHARED, SHARED_LENGTH);
  }

  /** Back to SHARED, or to none. */
  unlock(isShared: boolean): void {
    const { locks } = this;
    if (isShared) locks.tryTake('read', SHARED, SHARED_LENGTH);
    else locks.release(SHARED, SHARED_LENGTH);
    locks.release(PENDING);
  }
}
