/** Objects of gigabytes: written, sealed and compared in blocks that each carry their own number. */
import type { AttachedPool } from '../../src/pool/pool.js';

const BLOCK_BYTES = 1024 * 1024;

const scratch = Buffer.alloc(BLOCK_BYTES, 0x5a);

/** Good until the next call. */
function blockOf(index: number, length: number): Buffer {
  const block = scratch.subarray(0, length);
  for (let at = 0; at + 4 <= length; at += 4096) block.writeUInt32LE((index + at) >>> 0, at);
  if (length >= 4) block.writeUInt32LE(index, length - 4);
  return block;
}

export function fillLarge(bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length; at += BLOCK_BYTES) {
    bytes.set(blockOf(at / BLOCK_BYTES, Math.min(BLOCK_BYTES, bytes.length - at)), at);
  }
}

/** Offset of the first block that is not what fillLarge wrote, or -1. */
export function differenceIn(bytes: Uint8Array): number {
  for (let at = 0; at < bytes.length; at += BLOCK_BYTES) {
    const length = Math.min(BLOCK_BYTES, bytes.length - at);
    if (Buffer.compare(bytes.subarray(at, at + length), blockOf(at / BLOCK_BYTES, length)) !== 0) return at;
  }
  return -1;
}

/** Creates, fills, seals, gets, compares and deletes an object of that size. */
export function roundTrip(writer: AttachedPool, reader: AttachedPool, size: number): { size: number; differs: number } {
  const draft = writer.create('large', size);
  fillLarge(draft.bytes);
  draft.seal();
  const page = reader.get('large');
  if (page === undefined) throw new Error('the large page is missing');
  const found = { size: page.bytes.length, differs: differenceIn(page.bytes) };
  page.release();
  writer.delete('large');
  return found;
}
