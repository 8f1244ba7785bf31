/**
 * Locks in shared memory: one line each. A lock's word holds its owner's row + 1, whether somebody sleeps on it, whether
 * what it guards was left half-done, and a term that every release and every take-over raises.
 *
 * (L1) no user code runs under a lock, so a hold is microseconds.
 * (L2) a waiter looks at the owner's death mark about every millisecond: a dead owner is replaced by compare-and-
 *      exchange to a higher term, and the new owner repairs what the lock guards before it goes on. A crash during that
 *      repair leaves the lock held by a dead owner once more, and the next one repairs from the start.
 * (L3) an error thrown under a lock leaves by `releaseDirty`: the next owner repairs, exactly as after a death.
 * (L4) behind an owner that is alive but does not run, `acquire` throws BUSY at the limit.
 * (L5) an owner is a row of the pool, and a row may pass to another node. So no two holds of a lock have one word: who
 *      found an owner dead takes over from that hold, or not at all, and never from a living node that joined the row and
 *      took the lock since. The term comes round after 2^20 holds.
 */
import { PoolError } from '../../lib/errors.js';
import type { Machine } from '../../lib/machine.js';
import type { Words } from '../../lib/words.js';
import { LockLine } from './layout.js';

const OWNER_MASK = 0x3ff;
const WAITERS = 0x400;
const DIRTY = 0x800;
const TERM_STEP = 0x1000;
const SPINS = 256;
const PARK_MS = 1;
/** Longer than any descheduling on a busy machine; an owner silent for longer is stopped. */
export const LOCK_LIMIT_MS = 2000;

export interface DeathJudge {
  /** Whether the node of the row is known to be dead. `thorough` may ask the kernel, at some cost. */
  isDead(row: number, thorough: boolean): boolean;
}

export class Locks {
  private readonly words: Words;
  private readonly machine: Machine;
  private readonly judge: DeathJudge;
  private readonly base: number;
  private readonly owner: number;
  /** Repairs what the lock guards; called with the lock held. */
  private readonly repair: (lock: number) => void;
  /** Called after each release: for what should not be done under a lock. */
  private readonly released: ((lock: number) => void) | undefined;
  /** Milliseconds of the longest wait on a dead owner, for figures. */
  longestTakeoverMs = 0;

  constructor(options: {
    words: Words;
    machine: Machine;
    judge: DeathJudge;
    regionWord: number;
    row: number;
    repair: (lock: number) => void;
    released?: (lock: number) => void;
  }) {
    this.words = options.words;
    this.machine = options.machine;
    this.judge = options.judge;
    this.base = options.regionWord;
    this.owner = options.row + 1;
    this.repair = options.repair;
    this.released = options.released;
  }

  /** Throws BUSY at the limit. */
  acquire(lock: number): void {
    const word = this.base + lock * LockLine.words;
    const seen = this.words.load(word);
    if ((seen & (OWNER_MASK | DIRTY)) === 0 && this.words.compareExchange(word, seen, seen | this.owner) === seen)
      return;
    this.acquireSlowly(lock, word);
  }

  /** Takes the lock only if it is free and clean. */
  tryAcquire(lock: number): boolean {
    const word = this.base + lock * LockLine.words;
    const seen = this.words.load(word);
    return (seen & (OWNER_MASK | DIRTY)) === 0 && this.words.compareExchange(word, seen, seen | this.owner) === seen;
  }

  release(lock: number): void {
    this.releaseWith(this.base + lock * LockLine.words, 0);
    this.released?.(lock);
  }

  /** What the lock guards may be half-done: the next owner repairs it. */
  releaseDirty(lock: number): void {
    this.releaseWith(this.base + lock * LockLine.words, DIRTY);
    this.released?.(lock);
  }

  /** What the lock guards is to be repaired by whoever takes it next. For an opener that is alone with the pool. */
  leaveDirty(lock: number): void {
    const word = this.base + lock * LockLine.words;
    this.words.store(word, ((this.words.load(word) & ~(OWNER_MASK | WAITERS)) + TERM_STEP) | DIRTY);
  }

  /** Row of the owner, or -1. */
  ownerOf(lock: number): number {
    return (this.words.load(this.base + lock * LockLine.words) & OWNER_MASK) - 1;
  }

  isDirty(lock: number): boolean {
    return (this.words.load(this.base + lock * LockLine.words) & DIRTY) !== 0;
  }

  /** Takes a lock that a dead owner held, or that was left dirty, and repairs what it guards. False when it is neither. */
  recover(lock: number): boolean {
    const owner = this.ownerOf(lock);
    if (owner >= 0 ? !this.judge.isDead(owner, true) : !this.isDirty(lock)) return false;
    this.acquire(lock);
    this.release(lock);
    return true;
  }

  /** Takes over every lock that an earlier, dead incarnation of this row left held. Returns how many. */
  recoverOwn(locks: number): number {
    let count = 0;
    for (let lock = 0; lock < locks; lock++) {
      const word = this.base + lock * LockLine.words;
      if (!this.retake(word)) continue;
      this.repairHeld(lock, word);
      this.release(lock);
      count++;
    }
    return count;
  }

  /** By compare-and-exchange: somebody who found the row dead before it was joined may take the lock over right now. */
  private retake(word: number): boolean {
    for (;;) {
      const seen = this.words.load(word);
      if ((seen & OWNER_MASK) !== this.owner) return false;
      if (this.words.compareExchange(word, seen, (seen + TERM_STEP) | DIRTY) === seen) return true;
    }
  }

  private releaseWith(word: number, dirty: number): void {
    for (;;) {
      const seen = this.words.load(word);
      if ((seen & OWNER_MASK) !== this.owner) throw new PoolError('NODE_FENCED', 'A lock of this node was taken over.');
      const freed = ((seen & ~(OWNER_MASK | WAITERS)) + TERM_STEP) | dirty;
      if (this.words.compareExchange(word, seen, freed) !== seen) continue;
      if ((seen & WAITERS) !== 0) this.machine.unpark(word);
      return;
    }
  }

  private acquireSlowly(lock: number, word: number): void {
    for (let spin = 0; spin < SPINS; spin++) {
      const seen = this.words.load(word);
      if ((seen & OWNER_MASK) === 0 && this.tryTake(lock, word, seen)) return;
    }
    const started = this.machine.elapsedMs();
    for (;;) {
      const seen = this.words.load(word);
      const owner = (seen & OWNER_MASK) - 1;
      const waited = this.machine.elapsedMs() - started;
      if (owner < 0) {
        if (this.tryTake(lock, word, seen)) return;
        continue;
      }
      // No call waits while it holds the lock itself: a lock of this node's own is a lie or was left by an error.
      if (owner === this.owner - 1 || this.judge.isDead(owner, waited > 20)) {
        const taken = ((seen & ~OWNER_MASK) + TERM_STEP) | this.owner | DIRTY;
        if (this.words.compareExchange(word, seen, taken) !== seen) continue;
        this.longestTakeoverMs = Math.max(this.longestTakeoverMs, waited);
        this.repairHeld(lock, word);
        return;
      }
      if (waited >= LOCK_LIMIT_MS) {
        throw new PoolError('BUSY', `Lock ${lock} has been held for ${waited} ms by node ${owner}.`, { lock, owner });
      }
      const parked = seen | WAITERS;
      if (seen === parked || this.words.compareExchange(word, seen, parked) === seen)
        this.machine.park(word, parked, PARK_MS);
    }
  }

  private tryTake(lock: number, word: number, seen: number): boolean {
    if (this.words.compareExchange(word, seen, seen | this.owner) !== seen) return false;
    if ((seen & DIRTY) !== 0) this.repairHeld(lock, word);
    return true;
  }

  /** Repairs under the lock. The dirty bit stays until the repair is through, so a failed or killed repair is redone. */
  private repairHeld(lock: number, word: number): void {
    try {
      this.repair(lock);
    } catch (error) {
      this.releaseWith(word, DIRTY);
      throw error;
    }
    for (;;) {
      const seen = this.words.load(word);
      if (this.words.compareExchange(word, seen, seen & ~DIRTY) === seen) return;
    }
  }
}
