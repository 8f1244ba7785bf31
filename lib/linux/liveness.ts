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
 */
import { assert } from '../assert.js';
import type { Liveness } from '../machine.js';
import type { Words } from '../words.js';
import type { PoolFile } from './file.js';
import { type Address, libc } from './libc.js';

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
    const failed =
      mutexattrInit(attributes) ||
      mutexattrSetShared(attributes, PTHREAD_PROCESS_SHARED) ||
      mutexattrSetRobust(attributes, PTHREAD_MUTEX_ROBUST) ||
      mutexInit(mutex, attributes) ||
      mutexTryLock(mutex);
    assert(failed === 0, `the liveness mutex could not be locked (${failed})`);
    // glibc: word 0 is the lock, word 2 the owner; musl: word 0 is the type, word 1 the lock.
    const owner = this.words.load(base + 2) & FUTEX_TID_MASK;
    this.lockWord = (this.words.load(base) & FUTEX_TID_MASK) === owner ? 0 : 1;
    return true;
  }

  letGo(row: number): void {
    libc().mutexUnlock(this.address + row * MUTEX_BYTES);
    this.file.unlock(row);
  }

  isMarkedDead(row: number): boolean {
    const word = this.words.load(this.firstWord + (row * MUTEX_BYTES) / 4 + this.lockWord);
    return (word & FUTEX_OWNER_DIED) !== 0;
  }

  isHeld(row: number): boolean {
    return this.file.isLockedByOther(row);
  }
}
