/**
 * Shared mappings of a file, and the guards around what would abort or fault the process.
 *
 * (M1) a view is made only of a range inside a live mapping: koffi aborts on null, Node 20 aborts above 4 GiB.
 * (M2) a range is unmapped only when nobody can have a view of it: a view used after munmap is a SIGSEGV that nothing can
 *      catch. Where the root buffer can be taken away (Node >= 21) that is at once. Where it cannot, or was transferred by
 *      its holder, the range is covered with zeros, which gives the file's memory back and keeps late views harmless; its
 *      addresses go when the collector has found that nobody holds the root.
 * (M3) a worker makes foreign views only while it opens a pool, never in its work: when it is terminated in the microsecond
 *      that one takes, the runtime refuses the view, koffi may not throw either, and aborts the whole process.
 */
import { assert } from '../assert.js';
import { PoolError } from '../errors.js';
import { describeLimit } from './failures.js';
import { type Address, lastErrorName, libc, viewOf } from './libc.js';
import { forgetRange } from './robustlist.js';

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
const POPULATED_AT_ONCE = 4 * HUGE_PAGE_BYTES;

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

interface Range {
  readonly address: Address;
  readonly byteLength: number;
}

/** Gives back what nobody can have a view of any more. */
const uncollected = new FinalizationRegistry<Range>(({ address, byteLength }) => libc().munmap(address, byteLength));

/** The range is unmapped when the collector finds that nobody holds the buffer, through which alone it can be reached. */
export function unmapWhenCollected(buffer: ArrayBuffer, range: Range): void {
  uncollected.register(buffer, range);
}

/** Reads of the range give zeros from now on, writes go nowhere, and what was mapped there is given back. */
function coverWithZeros({ address, byteLength }: Range): void {
  const flags = MAP_PRIVATE_ANONYMOUS_NORESERVE | MAP_FIXED;
  // Ranges of one protection that lie side by side are one mapping to the kernel. Where it counts every byte that could be
  // written, it may refuse; what cannot be written is not counted.
  for (const protection of [PROT_READ | PROT_WRITE, PROT_READ]) {
    if (libc().mmap(address, byteLength, protection, flags, -1, 0) === address) return;
  }
}

/** Throws SYSTEM_LIMIT, NO_SPACE or ACCESS_DENIED. `address` is 0 where the kernel is to choose, else it is reserved. */
function map(address: Address, byteLength: number, protection: number, flags: number, file: [number, number]): Address {
  const mapped: number | bigint = libc().mmap(address, byteLength, protection, flags, ...file);
  // MAP_FAILED arrives as 2^64-1, a bigint.
  if (typeof mapped === 'number' && mapped > 0) return mapped;
  const reason = lastErrorName();
  if (address !== 0) libc().munmap(address, byteLength);
  const what = `Mapping ${byteLength} bytes of the pool failed`;
  const code = reason === 'EACCES' || reason === 'EPERM' ? 'ACCESS_DENIED' : 'NO_SPACE';
  throw (
    describeLimit(what, reason, { byteLength }) ??
    new PoolError(code, `${what} with ${reason}.`, { reason, byteLength })
  );
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

/** A shared mapping that lies in huge pages as the file does. Throws SYSTEM_LIMIT, NO_SPACE or ACCESS_DENIED. */
function mapShared(fileDescriptor: number, offset: number, byteLength: number, writable: boolean): Address {
  const protection = writable ? PROT_READ | PROT_WRITE : PROT_READ;
  const reserved = byteLength >= HUGE_PAGE_BYTES ? reserveAligned(offset, byteLength) : 0;
  const flags = reserved === 0 ? MAP_SHARED : MAP_SHARED | MAP_FIXED;
  return map(reserved, byteLength, protection, flags, [fileDescriptor, offset]);
}

/**
 * One mapping of a device from its start, of which windows are views. It is unmapped when all of them have ended, and, where views
 * cannot be taken away, when the collector has found that nobody holds them; until then it is covered with zeros.
 */
export class WholeMapping {
  readonly address: Address;
  readonly byteLength: number;
  private open = 0;
  private held = 0;
  private isMapped = true;

  constructor(descriptor: number, byteLength: number, writable: boolean) {
    this.address = mapShared(descriptor, 0, byteLength, writable);
    this.byteLength = byteLength;
  }

  /** A view of a part, which `end` gives back. */
  cut(offset: number, byteLength: number): ArrayBuffer {
    this.open++;
    return viewOf(this.address + offset, byteLength);
  }

  /** The view is not used by who had it cut; others may hold it unless it is `unshared`. */
  end(buffer: ArrayBuffer, unshared: boolean): void {
    this.open--;
    if (!detach(buffer) && !unshared) {
      this.held++;
      if (buffer.byteLength > 0) stillHeld.register(buffer, this);
    }
    if (this.open > 0) return;
    if (this.held === 0) this.unmap();
    else coverWithZeros(this);
  }

  collected(): void {
    this.held--;
    if (this.held === 0 && this.open === 0) this.unmap();
  }

  /** Nothing of it is in use. */
  unmap(): void {
    if (!this.isMapped) return;
    this.isMapped = false;
    libc().munmap(this.address, this.byteLength);
  }
}

/** Views of a mapping that is over. */
const stillHeld = new FinalizationRegistry<WholeMapping>((whole) => whole.collected());

export class Mapping {
  readonly buffer: ArrayBuffer;
  readonly byteLength: number;
  readonly address: Address;
  private readonly writable: boolean;
  private readonly whole: WholeMapping | undefined;
  private live = true;

  /** A mapping of its own of the file, or a part of one that is there already. */
  constructor(source: number | WholeMapping, offset: number, byteLength: number, writable: boolean) {
    assert(byteLength > 0 && byteLength <= WINDOW_BYTES_MAX, `a mapping of ${byteLength} bytes is not a window`);
    assert(offset % OS_PAGE_BYTES === 0, `mapping offset ${offset} is not page aligned`);
    this.whole = typeof source === 'number' ? undefined : source;
    this.address =
      typeof source === 'number' ? mapShared(source, offset, byteLength, writable) : source.address + offset;
    this.byteLength = byteLength;
    this.writable = writable;
    this.buffer = this.whole?.cut(offset, byteLength) ?? viewOf(this.address, byteLength);
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

  /** A slice at a time: while the kernel works on one, whoever touches a new page of the process waits for it. */
  async populateInBackground(): Promise<void> {
    for (let offset = 0; offset < this.byteLength; offset += POPULATED_AT_ONCE) {
      const byteLength = Math.min(POPULATED_AT_ONCE, this.byteLength - offset);
      for (const advice of this.advices()) {
        if (!this.live) return;
        await new Promise<void>((resolve) => {
          libc().madvise.async(this.address + offset, byteLength, advice, () => resolve());
        });
      }
    }
  }

  private advices(): readonly number[] {
    return [MADV_COLLAPSE, this.writable ? MADV_POPULATE_WRITE : MADV_POPULATE_READ];
  }

  /** Gives the file's memory back, at once, and the addresses when nobody can have a view of them (M2). */
  unmap(): void {
    if (!this.end(false)) return;
    const { address, byteLength, buffer } = this;
    if (detach(buffer)) {
      libc().munmap(address, byteLength);
      return;
    }
    coverWithZeros(this);
    // Of one that was transferred nobody can tell when it goes: its addresses stay, without memory.
    if (buffer.byteLength > 0) unmapWhenCollected(buffer, { address, byteLength });
  }

  /** Unmaps on every runtime. The caller never gave a view of it away, and uses none again. */
  unmapUnshared(): void {
    if (!this.end(true)) return;
    detach(this.buffer);
    libc().munmap(this.address, this.byteLength);
  }

  /** The same, in a worker thread of the runtime. */
  async unmapUnsharedInBackground(): Promise<void> {
    if (!this.end(true)) return;
    detach(this.buffer);
    await new Promise<void>((resolve) => libc().munmap.async(this.address, this.byteLength, () => resolve()));
  }

  /** Whether it is left to the caller to unmap it: once, and not a part of another. */
  private end(unshared: boolean): boolean {
    if (!this.live) return false;
    forgetRange(this.address, this.byteLength);
    this.live = false;
    this.whole?.end(this.buffer, unshared);
    return this.whole === undefined;
  }
}
