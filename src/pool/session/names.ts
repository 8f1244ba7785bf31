/** Keys as messages and summaries have them. */
import { displayKey } from '../access/index.js';
import type { Key } from '../layout/index.js';

/** Of a key in a message, in characters. */
const SHOWN_MAX = 120;

export function describeKey(key: Key): string {
  if (typeof key !== 'string') return `of ${key.length} bytes`;
  return JSON.stringify(key.length > SHOWN_MAX ? `${key.slice(0, SHOWN_MAX)}…` : key);
}

/** Of a page that may be told by its number. */
export function describeName(name: Key | number): string {
  return typeof name === 'number' ? `number ${name}` : describeKey(name);
}

/** As lists and events show it. */
export function showKey(key: Key): string {
  return typeof key === 'string' ? key : displayKey(key);
}
