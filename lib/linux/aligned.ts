/**
 * Owns page-aligned memory: anonymous mappings for reads that bypass the OS page cache, and the question whether a view
 * is aligned. A mapping lives as long as somebody holds its buffer: a view used after munmap would end the process.
 *
 * In a worker thread it is memory of the runtime's, and goes with it (M3 of mapping.ts).
 *
 * (A1) An address is viewed only after it was seen to be neither null nor MAP_FAILED: koffi.view aborts on null.
 */
import { isMainThread } from 'node:worker_threads';
import { assert } from '../assert.js';
import { PoolError } from '../errors.js';
import { addressOf, libc, viewOf } from './libc.js';
import { unmapWhenCollected } from './mapping.js';

/** Bytes. Satisfies O_DIRECT on every common device; a multiple of the logical block size of 512 or 4096. */
export const ALIGNMENT = 4096;

const PROT_READ_WRITE = 3;
const MAP_PRIVATE_ANONYMOUS = 0x22;

/** Zeroed, page-aligned, writable, private to the process. Throws NO_SPACE or RangeError when refused. */
export function alignedBuffer(size: number): Uint8Array {
  assert(Number.isSafeInteger(size) && size > 0, 'an aligned buffer has a positive size');
  const length = Math.ceil(size / ALIGNMENT) * ALIGNMENT;
  if (!isMainThread) return collectedBuffer(size);
  const address: number | bigint = libc().mmap(0, length, PROT_READ_WRITE, MAP_PRIVATE_ANONYMOUS, -1, 0);
  // MAP_FAILED is 2^64-1 and arrives as a bigint, a good address as a number.
  if (typeof address !== 'number' || address === 0 || address % ALIGNMENT !== 0) {
    throw new PoolError('NO_SPACE', `mmap refused ${length} bytes of anonymous memory.`, { size: length });
  }
  const buffer = viewOf(address, length);
  unmapWhenCollected(buffer, { address, byteLength: length });
  return new Uint8Array(buffer, 0, size);
}

/** As alignedBuffer, but memory of the runtime's, which goes when nobody holds it. Throws RangeError when refused. */
export function collectedBuffer(size: number): Uint8Array {
  const roomy = new Uint8Array(Math.ceil(size / ALIGNMENT) * ALIGNMENT + ALIGNMENT);
  const start = (ALIGNMENT - remainderOf(roomy.buffer)) % ALIGNMENT;
  return roomy.subarray(start, start + size);
}

/** Remainders of buffer addresses. A buffer never moves while it is attached, and a detached one has no views in use. */
const remainders = new WeakMap<ArrayBufferLike, number>();

/** Whether the first byte of the view lies on a multiple of ALIGNMENT. */
export function isAligned(view: Uint8Array): boolean {
  if (view.byteLength === 0) return false;
  return (remainderOf(view.buffer) + view.byteOffset) % ALIGNMENT === 0;
}

function remainderOf(buffer: ArrayBufferLike): number {
  let remainder = remainders.get(buffer);
  if (remainder === undefined) {
    remainder = Number(addressOf(buffer) % BigInt(ALIGNMENT));
    remainders.set(buffer, remainder);
  }
  return remainder;
}
