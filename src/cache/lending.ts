/** Bytes that outlive a call: as a copy, in a target, or for as long as something is made of them. */
import { copyBytes, roomIn } from '../../lib/bytes.js';
import { PoolError } from '../../lib/errors.js';
import type { Page } from '../pool/index.js';

export function copyAndRelease(page: Page): Uint8Array {
  try {
    refuseNothing(page);
    return new Uint8Array(page.bytes);
  } finally {
    page.release();
  }
}

/** The page is released when what `use` gives has settled. */
export async function useAndRelease<T>(page: Page, use: (bytes: Uint8Array) => T | Promise<T>): Promise<T> {
  try {
    refuseNothing(page);
    return await use(page.bytes);
  } finally {
    page.release();
  }
}

/** Throws KEY_NOT_FOUND. */
function refuseNothing({ key, freshness }: Page): void {
  if (freshness !== 'negative') return;
  const shown = typeof key === 'string' ? JSON.stringify(key) : 'given as bytes';
  throw new PoolError('KEY_NOT_FOUND', `The source has nothing for the key ${shown}.`, { key });
}

/** Throws OPTION_INVALID when the target has no room for the bytes. */
export function copyInto(target: Uint8Array, offset: number, bytes: Uint8Array): void {
  checkRoom(target, offset, bytes.length);
  copyBytes(target, offset, bytes);
}

export function checkRoom(target: Uint8Array, offset: number, length: number): void {
  const room = roomIn(target, offset);
  if (room >= length) return;
  throw new PoolError('OPTION_INVALID', `target: ${length} bytes do not fit it from ${offset} on (${room} are left).`);
}
