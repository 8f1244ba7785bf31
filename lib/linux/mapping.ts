/**
 * Shared mappings of a file, and the guards around what would abort or fault the process.
 *
 * (M1) a view is made only of a range inside a live mapping: koffi aborts on null, Node 20 aborts above 4 GiB.
 * (M2) a mapping is unmapped only when its root buffer could be detached first (Node >= 21): a view used after munmap
 *      is a SIGSEGV that nothing can catch. On Node 20 the mapping stays for the life of the process.
 * (M3) a worker makes foreign views only while it opens a pool, never in its work: when it is terminated in the microsecond
 *      that one takes, the runtime refuses the view, koffi may not throw either, and aborts the whole process.
 */
import { isMainThread } from 'node:worker_threads';
import { assert } from '../assert.js';
import { PoolError } from '../errors.js';
import { type Address, lastErrorName, libc, viewOf } from './libc.js';

const PROT_NONE = 0;
const PROT_READ = 1;
const PROT_WRITE = 2;
const MAP_SHARED = 1;
const MAP_FIXED = 0x10;
const MAP_PRIVATE_ANONYMOUS_NORESERVE = 0x4022;
const MS_SYNC = 4;
const MADV_POPULATE_READ = 22;
const MADV_POPULATE_WRITE = 23;
const MADV_COLLAPSE = 25;
/** Node 20 aborts on a larger view. */
export const WINDOW_BYTES_MAX = 4 * 1024 ** 3;
export const OS_PAGE_BYTES = 4096;
const HUGE_PAGE_BYTES = 2 * 1024 ** 2;

type Detachable = ArrayBuffer & { transfer?: (length?: number) => ArrayBuffer };

export function canDetach(): boolean {
  return typeof (ArrayBuffer.prototype as Detachable).transfer === 'function';
}

/** Takes a foreign view away from everyone who still holds it. False where that is not sure: always on Node 20. */
export function detach(buffer: ArrayBuffer): boolean {
  const { transfer } = buffer as Detachable;
  if (transfer === undefined) return false;
  // No view made here is empty: somebody transferred it, and may hold what it was.
  if (buffer.byteLength === 0) return false;
  transfer.call(buffer, 0);
  return true;
}

/** Throws NO_SPACE or ACCESS_DENIED. `address` is 0 where the kernel is to choose, else it is reserved. */
function map(address: Address, byteLength: number, protection: number, flags: number, file: [number, number]): Address {
  const mapped: number | bigint = libc().mmap(address, byteLength, protection, flags, ...file);
  // MAP_FAILED arrives as 2^64-1, a bigint.
  if (typeof mapped === 'number' && mapped > 0) return mapped;
  const reason = lastErrorName();
  if (address !== 0) libc().munmap(address, byteLength);
  const code = reason === 'EACCES' || reason === 'EPERM' ? 'ACCESS_DENIED' : 'NO_SPACE';
  throw new PoolError(code, `Mapping ${byteLength} bytes failed with ${reason}.`, { reason, byteLength });
}

/**
 * A range of addresses that lies in huge pages as the file's bytes from `offset` on do: only there does the kernel map
 * huge pages of the file as such. What is reserved beyond the range is given back.
 */
function reserveAligned(offset: number, byteLength: number): Address {
  const length = alignedUp(byteLength, OS_PAGE_BYTES) + HUGE_PAGE_BYTES;
  const first = map(0, length, PROT_NONE, MAP_PRIVATE_ANONYMOUS_NORESERVE, [-1, 0]);
  const start = alignedUp(first - (offset % HUGE_PAGE_BYTES), HUGE_PAGE_BYTES) + (offset % HUGE_PAGE_BYTES);
  const end = alignedUp(start + byteLength, OS_PAGE_BYTES);
  if (start > first) libc().munmap(first, start - first);
  if (end < first + length) libc().munmap(end, first + length - end);
  return start;
}

function alignedUp(value: number, alignment: number): number {
  return Math.ceil(value / alignment) * alignment;
}

export class Mapping {
  readonly buffer: ArrayBuffer;
  readonly byteLength: number;
  readonly address: Address;
  private readonly writable: boolean;
  private live = true;

  constructor(fileDescriptor: number, offset: number, byteLength: number, writable: boolean) {
    assert(byteLength > 0 && byteLength <= WINDOW_BYTES_MAX, `a mapping of ${byteLength} bytes is not a window`);
    assert(offset % OS_PAGE_BYTES === 0, `mapping offset ${offset} is not page aligned`);
    const protection = writable ? PROT_READ | PROT_WRITE : PROT_READ;
    const reserved = byteLength >= HUGE_PAGE_BYTES ? reserveAligned(offset, byteLength) : 0;
    const flags = reserved === 0 ? MAP_SHARED : MAP_SHARED | MAP_FIXED;
    const address = map(reserved, byteLength, protection, flags, [fileDescriptor, offset]);
    this.address = address;
    this.byteLength = byteLength;
    this.writable = writable;
    this.buffer = viewOf(address, byteLength);
  }

  /**
   * A foreign view of its own of part of the mapping, which can be detached alone. Costs about a microsecond. Undefined in
   * a worker thread (M3).
   */
  viewAlone(offset: number, byteLength: number): ArrayBuffer | undefined {
    assert(this.live, 'a view of a mapping that was unmapped');
    assert(offset >= 0 && byteLength > 0 && offset + byteLength <= this.byteLength, 'a view outside its mapping');
    return isMainThread ? viewOf(this.address + offset, byteLength) : undefined;
  }

  /** Writes dirty pages of the range back to the file, in a worker thread of the runtime. */
  sync(offset: number, byteLength: number): Promise<void> {
    assert(
      this.live && offset % OS_PAGE_BYTES === 0 && offset + byteLength <= this.byteLength,
      'sync outside the mapping',
    );
    return new Promise((resolve, reject) => {
      libc().msync.async(this.address + offset, byteLength, MS_SYNC, (failure: Error | null, result: number) => {
        if (failure !== null) reject(failure);
        else if (result !== 0) reject(new PoolError('NO_SPACE', 'Writing the pool back to its file failed.'));
        else resolve();
      });
    });
  }

  /** As sync, but of any range of bytes, and not before it is done does this return. */
  syncNow(offset: number, byteLength: number): void {
    const start = Math.floor(offset / OS_PAGE_BYTES) * OS_PAGE_BYTES;
    const end = offset + byteLength;
    assert(this.live && offset >= 0 && end <= this.byteLength, 'sync outside the mapping');
    if (libc().msync(this.address + start, end - start, MS_SYNC) === 0) return;
    throw new PoolError('NO_SPACE', `Writing the pool back to its file failed with ${lastErrorName()}.`);
  }

  /**
   * Touches every page of the mapping beforehand, after making them huge where the kernel can: from 6.1 on, of a file in
   * memory, and for every process that maps it. Before 5.14 it cannot touch them either. Then nothing happens.
   */
  populate(): void {
    for (const advice of this.advices()) libc().madvise(this.address, this.byteLength, advice);
  }

  async populateInBackground(): Promise<void> {
    for (const advice of this.advices()) {
      if (!this.live) return;
      await new Promise<void>((resolve) => {
        libc().madvise.async(this.address, this.byteLength, advice, () => resolve());
      });
    }
  }

  private advices(): readonly number[] {
    return [MADV_COLLAPSE, this.writable ? MADV_POPULATE_WRITE : MADV_POPULATE_READ];
  }

  unmap(): void {
    if (!this.live) return;
    this.live = false;
    if (detach(this.buffer)) libc().munmap(this.address, this.byteLength);
  }

  /** Unmaps on every runtime. The caller never gave a view of it away, and uses none again. */
  unmapUnshared(): void {
    if (!this.live) return;
    this.live = false;
    detach(this.buffer);
    libc().munmap(this.address, this.byteLength);
  }
}
