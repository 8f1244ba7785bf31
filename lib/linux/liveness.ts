/**
 * Death marks by robust futexes. Each node holds, for life and on the thread that connected, a word of its row in the
 * pool. When that thread dies in any way (kill -9, worker.terminate, exit) the kernel walks its list of robust futexes and
 * sets FUTEX_OWNER_DIED in the word, within milliseconds and without our help. The word itself is then the mark: one load
 * tells.
 *
 * The second authority is an open-file-description lock on a byte of the file per row: late (the kernel drops it after
 * tearing down the address space) but right even for a copied file, whose words name threads that never held them.
 */
import { readdirSync, readFileSync } from 'node:fs';
import type { Liveness } from '../machine.js';
import type { Words } from '../words.js';
import type { PoolFile } from './file.js';
import type { Address } from './libc.js';
import { holdForLife, letGoAlive, ownThreadId } from './robustlist.js';

const FUTEX_OWNER_DIED = 0x40000000;
const THREAD_MASK = 0x3fffffff;
/** Bytes per row: the word first, and behind it what the kernel's list needs. */
export const MUTEX_BYTES = 64;

function stateOfThread(folder: string): string | undefined {
  try {
    const text = readFileSync(`${folder}/stat`, 'latin1');
    return text[text.lastIndexOf(')') + 2];
  } catch {
    // It has ended, or there is no /proc.
    return undefined;
  }
}

/** How often the thread was taken off its processor; undefined where it has ended, or there is no /proc. */
function switchesOfThread(folder: string): number | undefined {
  try {
    const text = readFileSync(`${folder}/status`, 'latin1');
    const counts = [...text.matchAll(/^(?:non)?voluntary_ctxt_switches:\s*(\d+)$/gm)];
    return counts.reduce((sum, [, count]) => sum + Number(count), 0);
  } catch {
    return undefined;
  }
}

/** A thread that waits for another looks about every millisecond whether it is its turn. */
const ASLEEP_MS = 20;

export class RobustLiveness implements Liveness {
  /** The thread that was seen asleep last, how often it had been taken off its processor, and since when that is so. */
  private asleep = { thread: 0, switches: 0, sinceMs: 0 };
  private readonly words: Words;
  private readonly file: PoolFile;
  private readonly address: Address;
  private readonly firstWord: number;

  /** `regionWord` is the word of row 0's mutex; `mappingAddress` the address of word 0. */
  constructor(words: Words, file: PoolFile, mappingAddress: Address, regionWord: number) {
    this.words = words;
    this.file = file;
    this.address = mappingAddress + regionWord * 4;
    this.firstWord = regionWord;
  }

  hold(row: number): boolean {
    if (!this.file.tryLock(row)) return false;
    const word = this.wordOf(row);
    this.words.fill(word, MUTEX_BYTES / 4, 0);
    holdForLife(this.words, word, this.address + row * MUTEX_BYTES);
    return true;
  }

  letGo(row: number): void {
    letGoAlive(this.words, this.wordOf(row));
    this.file.unlock(row);
  }

  private wordOf(row: number): number {
    return this.firstWord + (row * MUTEX_BYTES) / 4;
  }

  isMarkedDead(row: number): boolean {
    return (this.words.load(this.wordOf(row)) & FUTEX_OWNER_DIED) !== 0;
  }

  isHeld(row: number): boolean {
    return this.file.isLockedByOther(row);
  }

  /** By the kernel's state letters. A process of another namespace is not found by its number, or is another's: a guess. */
  isStopped(processId: number): boolean {
    return 'Tt'.includes(stateOfThread(`/proc/${processId}`) ?? '?');
  }

  /**
   * By the kernel's state letters: of the thread that holds the row, and of the others of its process, for which it may be
   * waiting in a collection of garbage. One that sleeps may be waiting for a lock whose holder has no processor: it runs
   * if it wakes from time to time. A process of another namespace is not found by its numbers, or is another: a guess.
   */
  isRunnable(row: number, processId: number): boolean {
    const thread = this.words.load(this.wordOf(row)) & THREAD_MASK;
    const folder = `/proc/${processId}/task`;
    // A thread of this process: it waits for no collection of garbage that this one would not wait for as well.
    if (processId === process.pid && thread === ownThreadId()) return false;
    const state = stateOfThread(`${folder}/${thread}`);
    if (state === 'R') return true;
    if (state !== 'S' && state !== 'D') return false;
    if (this.wakes(thread, `${folder}/${thread}`)) return true;
    if (processId === process.pid) return false;
    try {
      return readdirSync(folder).some((other) => stateOfThread(`${folder}/${other}`) === 'R');
    } catch {
      return false;
    }
  }

  /** Whether the thread, which sleeps, has run since it was looked at ASLEEP_MS ago; true until that can be told. */
  private wakes(thread: number, folder: string): boolean {
    const switches = switchesOfThread(folder);
    if (switches === undefined) return false;
    const { asleep } = this;
    const nowMs = performance.now();
    if (asleep.thread === thread && asleep.switches === switches) return nowMs - asleep.sinceMs < ASLEEP_MS;
    this.asleep = { thread, switches, sinceMs: nowMs };
    return true;
  }
}
