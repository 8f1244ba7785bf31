/**
 * Locks in shared memory: one line each. A lock's word holds its owner's row + 1, whether somebody sleeps on it, whether
 * what it guards was left half-done, and a term that every release and every take-over raises.
 *
 * (L1) no user code runs under a lock, so a hold is microseconds.
 * (L2) a waiter looks at the owner's death mark about every millisecond: a dead owner is replaced by compare-and-
 *      exchange to a higher term, and the new owner repairs what the lock guards before it goes on. A crash during that
 *      repair leaves the lock held by a dead owner once more, and the next one repairs from the start.
 * (L3) an error thrown under a lock leaves by `releaseDirty`: the next owner repairs, exactly as after a death.
 * (L4) behind an owner that is alive but does not run, `acquire` throws BUSY: after `waitMs` of one hold, and at once from
 *      then on, as long as that hold lasts, for every lock of that owner. A run of the event loop waits so long in all, however
 *      many owners do not run. An owner that wants a processor and has none is waited for, up to LIMIT_MS. Callers that may
 *      not be held up (withPatience) wait for nobody, and try again by timer.
 * (L5) an owner is a row of the pool, and a row may pass to another node. So no two holds of a lock have one word: who
 *      found an owner dead takes over from that hold, or not at all, and never from a living node that joined the row and
 *      took the lock since. The term comes round after 2^20 holds.
 * (L6) a hold is counted among the calls under way before the lock is taken, and counted off after it is free (Q1): a lock
 *      that a cut call left is found when the run has ended. No call waits while it holds the lock it waits for, so a lock
 *      of this node's own that is in the way was left by a cut call as well: it is taken over as a dead owner's.
 */
import { PoolError } from '../../../lib/errors.js';
import type { Machine } from '../../../lib/machine.js';
import type { Words } from '../../../lib/words.js';
import { LockLine } from '../layout/index.js';
import { busy } from './busy.js';
import { Calls } from './calls.js';

const OWNER_MASK = 0x3ff;
const WAITERS = 0x400;
const DIRTY = 0x800;
const TERM_STEP = 0x1000;
const SPINS = 256;
const PARK_MS = 1;
/** How long a synchronous call waits for a living owner, where its node does not say otherwise. */
export const SYNC_WAIT_MS = 50;
/** For owners that the kernel is about to run, and while the lock goes from hand to hand. */
const LIMIT_MS = 2000;
/** What is left of that in a run of the event loop that has waited in vain. */
const LATER_WAIT_MS = 2;
/** A run that goes on for so long after it waited in vain may wait again. */
const VAIN_MS = 1000;
/** Of the pauses between two looks of somebody who does not hold up the event loop. */
const LONGEST_PAUSE_MS = 10;

export interface DeathJudge {
  /** Whether the node of the row is known to be dead. `thorough` may ask the kernel, at some cost. */
  isDead(row: number, thorough: boolean): boolean;
  /** Whether the node of the row runs, or would if it had a processor. False where that is not known. Asks the kernel. */
  isRunnable?(row: number): boolean;
  /** Throws NODE_FENCED where others took this node for dead: it takes no lock any more. */
  checkFence?(): void;
}

export class Locks {
  private readonly words: Words;
  private readonly machine: Machine;
  private readonly judge: DeathJudge;
  private readonly base: number;
  private readonly owner: number;
  private readonly calls: Calls;
  /** Repairs what the lock guards; called with the lock held. */
  private readonly repair: (lock: number) => void;
  /** Called after each release: for what should not be done under a lock. */
  private readonly released: ((lock: number) => void) | undefined;
  /** How long a synchronous call waits for a living owner. */
  readonly waitMs: number;
  private patienceMs: number;
  /** Locks of owners that were waited for in vain, and their words then, without WAITERS. */
  private readonly stuck = new Map<number, number>();
  /** What was waited in vain, in which run, and when it ended. */
  private readonly vain = { ms: 0, run: -1, endMs: 0 };
  /** Milliseconds of the longest wait on a dead owner, for figures. */
  longestTakeoverMs = 0;

  constructor(options: {
    words: Words;
    machine: Machine;
    judge: DeathJudge;
    regionWord: number;
    row: number;
    /** Of the node; without it nobody asks what a cut call left. */
    calls?: Calls;
    waitMs?: number | undefined;
    repair: (lock: number) => void;
    released?: (lock: number) => void;
  }) {
    this.words = options.words;
    this.machine = options.machine;
    this.judge = options.judge;
    this.base = options.regionWord;
    this.owner = options.row + 1;
    this.calls = options.calls ?? new Calls(options.machine);
    this.waitMs = options.waitMs ?? SYNC_WAIT_MS;
    this.patienceMs = this.waitMs;
    this.repair = options.repair;
    this.released = options.released;
  }

  /** Runs `work` under the lock; an error leaves what the lock guards to be repaired (L3). Throws BUSY. */
  within<T>(lock: number, work: () => T): T {
    this.acquire(lock);
    return this.completing(lock, work);
  }

  /** The rest of within, for a lock that was just taken. */
  completing<T>(lock: number, work: () => T): T {
    let result: T;
    try {
      result = work();
    } catch (error) {
      this.releaseDirty(lock);
      throw error;
    }
    this.release(lock);
    return result;
  }

  /** As within, if the lock is free and clean; false, and nothing is done, if it is not. */
  tryWithin(lock: number, work: () => void): boolean {
    if (!this.tryAcquire(lock)) return false;
    this.completing(lock, work);
    return true;
  }

  /** Runs `work`, in which no wait for a living owner takes longer than that. A cut call's is over when it is settled. */
  withPatience<T>(patienceMs: number, work: () => T): T {
    return this.waitingFor(Math.min(this.patienceMs, patienceMs), work);
  }

  /** Runs `work`, which waits as a synchronous call does: what it is about to end cannot be left half-done. */
  withAllPatience<T>(work: () => T): T {
    return this.patienceMs === this.waitMs ? work() : this.waitingFor(this.waitMs, work);
  }

  private waitingFor<T>(patienceMs: number, work: () => T): T {
    const before = this.patienceMs;
    this.calls.begin();
    this.patienceMs = patienceMs;
    try {
      return work();
    } finally {
      this.patienceMs = before;
      this.calls.end();
    }
  }

  /** Between two runs: nobody has less patience than this node's. */
  resetPatience(): void {
    this.patienceMs = this.waitMs;
  }

  /**
   * Waits by timer. True when the lock is not held any more as it was when this was called, or its owner is dead; false
   * when the owner does not run: then it is known from now on. Rejects with what `check` throws, after each pause.
   */
  async untilReleased(lock: number, check: () => void): Promise<boolean> {
    const { words, machine } = this;
    const word = this.base + lock * LockLine.words;
    const seen = words.load(word) & ~WAITERS;
    const owner = (seen & OWNER_MASK) - 1;
    const started = machine.elapsedMs();
    for (let pauseMs = 1; ; pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS)) {
      if (owner < 0 || owner === this.owner - 1 || (words.load(word) & ~WAITERS) !== seen) return true;
      if (this.judge.isDead(owner, machine.elapsedMs() - started > 20)) return true;
      if (this.isStuck(seen)) return false;
      const waited = machine.elapsedMs() - started;
      if (waited >= LIMIT_MS || (waited >= this.waitMs && this.judge.isRunnable?.(owner) !== true)) {
        this.stuck.set(lock, seen);
        return false;
      }
      await machine.sleep(pauseMs);
      check();
    }
  }

  /** Whether the lock's owner was waited for in vain, and goes on holding it. */
  isKnownToStand(lock: number): boolean {
    return this.stuck.size > 0 && this.isStuck(this.words.load(this.base + lock * LockLine.words));
  }

  /** Whether the owner in the word was waited for in vain, and has not let go since of the lock that it held then. */
  private isStuck(seen: number): boolean {
    for (const [lock, then] of this.stuck) {
      if ((this.words.load(this.base + lock * LockLine.words) & ~WAITERS) !== then) this.stuck.delete(lock);
      else if (((then ^ seen) & OWNER_MASK) === 0) return true;
    }
    return false;
  }

  /** How long a call may wait for the lock now, if its owner lives. */
  limitMs(lock: number, nowMs: number): number {
    if (this.isKnownToStand(lock)) return 0;
    const { ms, run, endMs } = this.vain;
    const waited = run === this.calls.runs && nowMs - endMs < VAIN_MS ? ms : 0;
    return Math.min(this.patienceMs, Math.max(LATER_WAIT_MS, this.waitMs - waited));
  }

  /** Whoever was not to wait learns nothing about the owner. */
  private noteVain(lock: number, hold: number, waitedMs: number): void {
    if (this.patienceMs < this.waitMs) return;
    const { vain, calls } = this;
    vain.ms = vain.run === calls.runs ? vain.ms + waitedMs : waitedMs;
    vain.run = calls.runs;
    vain.endMs = this.machine.elapsedMs();
    this.stuck.set(lock, hold);
  }

  /** Throws BUSY, NODE_FENCED. */
  acquire(lock: number): void {
    this.judge.checkFence?.();
    const word = this.base + lock * LockLine.words;
    this.calls.begin();
    const seen = this.words.load(word);
    if ((seen & (OWNER_MASK | DIRTY)) === 0 && this.words.compareExchange(word, seen, seen | this.owner) === seen)
      return;
    this.acquireSlowly(lock, word);
  }

  /** Takes the lock only if it is free and clean. */
  tryAcquire(lock: number): boolean {
    this.judge.checkFence?.();
    const word = this.base + lock * LockLine.words;
    const seen = this.words.load(word);
    if ((seen & (OWNER_MASK | DIRTY)) !== 0) return false;
    this.calls.begin();
    if (this.words.compareExchange(word, seen, seen | this.owner) === seen) return true;
    this.calls.end();
    return false;
  }

  release(lock: number): void {
    this.releaseWith(this.base + lock * LockLine.words, 0);
    this.released?.(lock);
    this.calls.end();
  }

  /** What the lock guards may be half-done: the next owner repairs it. */
  releaseDirty(lock: number): void {
    this.releaseWith(this.base + lock * LockLine.words, DIRTY);
    this.released?.(lock);
    this.calls.end();
  }

  /** What the lock guards is to be repaired by whoever takes it next. For an opener that is alone with the pool. */
  leaveDirty(lock: number): void {
    const word = this.base + lock * LockLine.words;
    this.words.store(word, ((this.words.load(word) & ~(OWNER_MASK | WAITERS)) + TERM_STEP) | DIRTY);
  }

  /** As long as it is the same, nobody took the lock or gave it back (L5). */
  wordOf(lock: number): number {
    return this.words.load(this.base + lock * LockLine.words);
  }

  /** wordOf where nobody holds the lock and what it guards is whole; undefined else. */
  restingWord(lock: number): number | undefined {
    const word = this.wordOf(lock);
    return (word & (OWNER_MASK | DIRTY)) === 0 ? word : undefined;
  }

  /** Row of the owner, or -1. */
  ownerOf(lock: number): number {
    return (this.wordOf(lock) & OWNER_MASK) - 1;
  }

  /** Whether whoever waits for the lock can do nothing but wait. */
  isHeldByLiving(lock: number): boolean {
    const owner = this.ownerOf(lock);
    return owner >= 0 && owner !== this.owner - 1 && !this.judge.isDead(owner, true);
  }

  isDirty(lock: number): boolean {
    return (this.wordOf(lock) & DIRTY) !== 0;
  }

  /**
   * Takes a lock that a dead owner or a cut call of this node held, or that was left dirty, and repairs what it guards. False
   * when it is none of these.
   */
  recover(lock: number): boolean {
    const owner = this.ownerOf(lock);
    const isLeft = owner < 0 ? this.isDirty(lock) : owner === this.owner - 1 || this.judge.isDead(owner, true);
    if (!isLeft) return false;
    this.acquire(lock);
    this.release(lock);
    return true;
  }

  /** Takes over every lock that an earlier, dead incarnation of this row, or a cut call, left held. Returns how many. */
  recoverOwn(locks: number): number {
    this.judge.checkFence?.();
    let count = 0;
    for (let lock = 0; lock < locks; lock++) {
      const word = this.base + lock * LockLine.words;
      if ((this.words.load(word) & OWNER_MASK) !== this.owner) continue;
      this.calls.begin();
      if (!this.retake(word)) {
        this.calls.end();
        continue;
      }
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
    const limitMs = this.limitMs(lock, started);
    let hold = 0;
    let holdMs = 0;
    for (;;) {
      const seen = this.words.load(word);
      const owner = (seen & OWNER_MASK) - 1;
      const waited = this.machine.elapsedMs() - started;
      if ((seen & ~WAITERS) !== hold) {
        hold = seen & ~WAITERS;
        holdMs = waited;
      }
      if (owner < 0) {
        if (this.tryTake(lock, word, seen)) return;
        continue;
      }
      const isStuck = this.stuck.size > 0 && this.isStuck(seen);
      // (L6) Nobody gives up before the kernel was asked: a death may be told by it alone.
      const isThorough = isStuck || waited > 20 || waited >= this.patienceMs;
      if (owner === this.owner - 1 || this.judge.isDead(owner, isThorough)) {
        const taken = ((seen & ~OWNER_MASK) + TERM_STEP) | this.owner | DIRTY;
        if (this.words.compareExchange(word, seen, taken) !== seen) continue;
        this.longestTakeoverMs = Math.max(this.longestTakeoverMs, waited);
        this.repairHeld(lock, word);
        return;
      }
      if (isStuck || this.isInVain(owner, waited, waited - holdMs, limitMs)) {
        if (!isStuck) this.noteVain(lock, hold, waited);
        this.calls.end();
        throw busy(lock, owner, waited, isStuck);
      }
      const parked = seen | WAITERS;
      if (seen === parked || this.words.compareExchange(word, seen, parked) === seen)
        this.machine.park(word, parked, PARK_MS);
    }
  }

  /** Whether who has waited so long, of which so long for the present hold, is to give up. */
  private isInVain(owner: number, waitedMs: number, holdMs: number, limitMs: number): boolean {
    if (this.patienceMs < this.waitMs) return waitedMs >= this.patienceMs;
    return waitedMs >= LIMIT_MS || (holdMs >= limitMs && this.judge.isRunnable?.(owner) !== true);
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
      this.calls.end();
      throw error;
    }
    for (;;) {
      const seen = this.words.load(word);
      if (this.words.compareExchange(word, seen, seen & ~DIRTY) === seen) return;
    }
  }
}
