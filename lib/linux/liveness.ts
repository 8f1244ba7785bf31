/**
 * Death marks by robust mutexes. Each node holds, for life and on the thread that connected, a robust process-shared
 * mutex in the pool. When that thread dies in any way (kill -9, worker.terminate, exit) the kernel walks its list of
 * robust mutexes and sets FUTEX_OWNER_DIED in the mutex's word, within milliseconds and without our help. The word
 * itself is then the mark: one load tells.
 *
 * The second authority is an open-file-description lock on a byte of the file per row: late (the kernel drops it after
 * tearing down the address space) but right even for a copied file, whose mutex words name threads that never held them.
 *
 * (V1) the lock word lies at offset 0 of glibc's mutex and at offset 4 of musl's; which one is asked of the library once
 *      by looking where the thread id appears.
 *
 * (V2) a robust mutex holds pointers into the list of its thread's other robust mutexes, and the library follows them
 *      when one is locked or unlocked. They lie in shared memory, so they are not believed: what the library left is kept
 *      privately and written back before the library is called again.
 */
import { assert } from '../assert.js';
import type { Liveness } from '../machine.js';
import type { Words } from '../words.js';
import type { PoolFile } from './file.js';
import { type Address, libc } from './libc.js';

/** Words of the mutexes that this thread holds, as the library left them, and where they lie. */
const held = new Map<RobustLiveness, { base: number; saved: Int32Array }>();

const PTHREAD_PROCESS_SHARED = 1;
const PTHREAD_MUTEX_ROBUST = 1;
const FUTEX_OWNER_DIED = 0x40000000;
const FUTEX_TID_MASK = 0x3fffffff;
/** Bytes per row; the largest pthread_mutex_t is 48 bytes (arm64). */
export const MUTEX_BYTES = 64;

export class RobustLiveness implements Liveness {
  private readonly words: Words;
  private readonly file: PoolFile;
  private readonly address: Address;
  private readonly firstWord: number;
  private lockWord = 0;

  /** `regionWord` is the word of row 0's mutex; `mappingAddress` the address of word 0. */
  constructor(words: Words, file: PoolFile, mappingAddress: Address, regionWord: number) {
    this.words = words;
    this.file = file;
    this.address = mappingAddress + regionWord * 4;
    this.firstWord = regionWord;
  }

  hold(row: number): boolean {
    if (!this.file.tryLock(row)) return false;
    const { mutexattrInit, mutexattrSetShared, mutexattrSetRobust, mutexInit, mutexTryLock } = libc();
    const attributes = Buffer.alloc(64);
    const mutex = this.address + row * MUTEX_BYTES;
    const base = this.firstWord + (row * MUTEX_BYTES) / 4;
    this.words.fill(base, MUTEX_BYTES / 4, 0);
    restoreHeld();
    const failed =
      mutexattrInit(attributes) ||
      mutexattrSetShared(attributes, PTHREAD_PROCESS_SHARED) ||
      mutexattrSetRobust(attributes, PTHREAD_MUTEX_ROBUST) ||
      mutexInit(mutex, attributes) ||
      mutexTryLock(mutex);
    assert(failed === 0, `the liveness mutex could not be locked (${failed})`);
    held.set(this, { base, saved: new Int32Array(MUTEX_BYTES / 4) });
    saveHeld();
    // glibc: word 0 is the lock, word 2 the owner; musl: word 0 is the type, word 1 the lock.
    const owner = this.words.load(base + 2) & FUTEX_TID_MASK;
    this.lockWord = (this.words.load(base) & FUTEX_TID_MASK) === owner ? 0 : 1;
    return true;
  }

  letGo(row: number): void {
    restoreHeld();
    libc().mutexUnlock(this.address + row * MUTEX_BYTES);
    held.delete(this);
    saveHeld();
    this.file.unlock(row);
  }

  /** (V2) */
  restore(base: number, saved: Int32Array): void {
    for (let i = 0; i < saved.length; i++) this.words.write(base + i, saved[i] as number);
  }

  save(base: number, saved: Int32Array): void {
    for (let i = 0; i < saved.length; i++) saved[i] = this.words.read(base + i);
  }

  isMarkedDead(row: number): boolean {
    const word = this.words.load(this.firstWord + (row * MUTEX_BYTES) / 4 + this.lockWord);
    return (word & FUTEX_OWNER_DIED) !== 0;
  }

  isHeld(row: number): boolean {
    return this.file.isLockedByOther(row);
  }
}

function restoreHeld(): void {
  for (const [liveness, { base, saved }] of held) liveness.restore(base, saved);
}

function saveHeld(): void {
  for (const [liveness, { base, saved }] of held) liveness.save(base, saved);
}
