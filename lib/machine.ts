/**
 * The machine as protocol code sees it. Everything that is not pure arithmetic over shared words comes through here, so
 * that a simulator can stand in for it: clock, chance, waiting, the event loop, and the kernel's word on who is dead.
 */

import type { MonotonicMs, WallMs } from './clock.js';

/** Whether pages are handed out as private copies, and those overwritten at their end. */
export type CopyMode = 'none' | 'copy' | 'poison';

export interface CollectionWatch<T> {
  /** `given` must not lead to the object. */
  watch(object: object, given: T): void;
}

export interface Ticker {
  stop(): void;
}

export interface Machine {
  readonly processId: number;
  readonly hostName: string;
  /** The kernel's boot id as four words: nodes of another boot are dead. */
  readonly bootId: Int32Array;
  nowMs(): WallMs;
  /** Milliseconds since some moment, never going back: the same one for all processes of the host, whatever the clock says. */
  elapsedMs(): MonotonicMs;
  /** A random 32-bit word, as a signed integer. */
  randomWord(): number;
  /** Whether this process may leave fences to others' `fenceEverybody`. */
  registerForFences(): boolean;
  /** A full fence on every thread of every registered process. False when the kernel refused. */
  fenceEverybody(): boolean;
  /** Runs the callback when the present synchronous run of the event loop ends. */
  afterRun(callback: () => void): void;
  /** Calls back about every `intervalMs`, without keeping the process alive. */
  every(intervalMs: number, callback: () => void): Ticker;
  sleep(durationMs: number): Promise<void>;
  /** Calls back with what was given for an object, some time after the engine has collected it; never, for some. */
  watchCollected<T>(onCollected: (given: T) => void): CollectionWatch<T>;
  /** Tells the user of the process, without an end to anything. */
  warn(code: string, message: string): void;
  /** Blocks this thread until the word is woken, differs from `expected`, or the time has passed. */
  park(wordIndex: number, expected: number, timeoutMs: number): void;
  /** Wakes every thread parked on the word. */
  unpark(wordIndex: number): void;
}

/**
 * The kernel's word on the life of nodes, by row. A row's mark is one shared word in which the kernel itself sets a bit
 * when the thread that holds the row dies.
 */
export interface Liveness {
  /** Marks the row as held by this thread, for life. False when another live node holds it. */
  hold(row: number): boolean;
  /** Gives the row back in good order. */
  letGo(row: number): void;
  /** True when the kernel has set the row's death mark. One load: cheap enough for a lock wait. */
  isMarkedDead(row: number): boolean;
  /** The second, late and costly authority: whether any process still has the row's file lock. */
  isHeld(row: number): boolean;
  /** Whether the process was stopped, by a signal or a debugger. False where nobody can tell. */
  isStopped(processId: number): boolean;
  /** Whether the thread that holds the row, of that process, runs or waits for a processor. False where nobody can tell. */
  isRunnable(row: number, processId: number): boolean;
}

/** This node's own bell. While it is `ref`ed, it keeps the process alive. */
export interface Bell {
  ref(): void;
  unref(): void;
  close(): void;
}

/**
 * Waking event loops of other processes through the kernel. A bell is known by the row of its node and by a word that no
 * two bells of a row share. No thread waits for it, and the event loop stays free.
 */
export interface Doorbells {
  /**
   * Hangs up a bell of this node. `onRing` is called on the event loop, once for one or more rings. Undefined where there
   * can be none: its node looks again from time to time.
   */
  open(row: number, bell: number, onRing: () => void): Bell | undefined;
  /** Never blocks. False when the bell could not be reached; one whose node is gone is no loss, and true. */
  ring(row: number, bell: number): boolean;
  /** Takes down what a dead node left. */
  remove(row: number, bell: number): void;
  /** Gives up what ringing others needed. */
  close(): void;
}
