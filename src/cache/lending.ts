/** Bytes that outlive a fetch: as a copy, or for as long as something is made of them. */
import type { Page } from '../pool/index.js';

export function copyAndRelease(page: Page): Uint8Array {
  try {
    return new Uint8Array(page.bytes);
  } finally {
    page.release();
  }
}

/** The page is released when what `use` gives has settled. */
export async function useAndRelease<T>(page: Page, use: (bytes: Uint8Array) => T | Promise<T>): Promise<T> {
  try {
    return await use(page.bytes);
  } finally {
    page.release();
  }
}
