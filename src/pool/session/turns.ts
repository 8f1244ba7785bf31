/**
 * Turns: how asynchronous calls wait for locks. They try, and where a lock is held they wait for their turn by timer, all
 * calls behind one lock with one timer, while the event loop goes on.
 *
 * A call that is cut while it waits leaves nothing: it holds nothing. Others join those who wait only once these are served.
 */
import type { Machine } from '../../../lib/machine.js';
import { type Calls, isBusy, type Locks } from '../nodes/index.js';

/** What the calls of one run of the event loop wait for locks in all. */
const TURN_MS = 2;
/** Calls that get their turn at once: the others would find the lock held again. */
const CALLS_A_TURN = 32;

interface Waiter {
  readonly resolve: (isReleased: boolean) => void;
  readonly reject: (error: unknown) => void;
}

export class Turns {
  private readonly machine: Machine;
  private readonly locks: Locks;
  private readonly calls: Calls;
  private readonly check: () => void;
  private readonly waiting = new Map<number, Waiter[]>();
  /** The run in which somebody waited already, in vain. */
  private vainRun = -1;

  /** `check` throws DISCONNECTED. */
  constructor(parts: { machine: Machine; locks: Locks; calls: Calls }, check: () => void) {
    this.machine = parts.machine;
    this.locks = parts.locks;
    this.calls = parts.calls;
    this.check = check;
  }

  /** Does the work, without holding up the event loop for longer than a moment. Throws BUSY. */
  attempt<T>(work: () => T): T {
    const { locks, calls } = this;
    try {
      return locks.withPatience(this.vainRun === calls.runs ? 0 : TURN_MS, work);
    } catch (error) {
      if (isBusy(error)) this.vainRun = calls.runs;
      throw error;
    }
  }

  /** Resolves when the lock was released, or with false: its owner stands still. Rejects with DISCONNECTED. */
  of(lock: number): Promise<boolean> {
    return new Promise((resolve, reject) => {
      const waiters = this.waiting.get(lock);
      if (waiters !== undefined) {
        waiters.push({ resolve, reject });
        return;
      }
      this.serve(lock, [{ resolve, reject }]).catch(reject);
    });
  }

  private async serve(lock: number, waiters: Waiter[]): Promise<void> {
    try {
      while (waiters.length > 0) {
        const released = this.locks.untilReleased(lock, this.check);
        this.waiting.set(lock, waiters);
        const isReleased = await released;
        for (const { resolve } of waiters.splice(0, isReleased ? CALLS_A_TURN : waiters.length)) resolve(isReleased);
        if (waiters.length > 0) await this.machine.sleep(0);
        this.check();
      }
      this.waiting.delete(lock);
    } catch (error) {
      this.waiting.delete(lock);
      for (const { reject } of waiters) reject(error);
    }
  }
}
