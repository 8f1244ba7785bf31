/** Keys as messages and summaries have them. */
import { displayKey } from '../access/index.js';
import type { Key } from '../layout/index.js';

export function describeKey(key: Key): string {
  return typeof key === 'string' ? JSON.stringify(key) : `of ${key.length} bytes`;
}

/** As lists and events show it. */
export function showKey(key: Key): string {
  return typeof key === 'string' ? key : displayKey(key);
}
