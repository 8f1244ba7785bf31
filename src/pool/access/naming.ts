/**
 * Keys as caches and page spaces make them of names. A cache's begin with its namespace and a zero; a page's with the byte 255, which
 * no UTF-8 has, its namespace, a zero, the name of its space, a zero, and have the number behind (KeySpace.encodePage).
 */
import { displayKey, pageNumberOf } from './keys.js';

const encoder = new TextEncoder();
const PAGE_MARK = 255;

/** What the keys of a cache begin with. */
export function entryPrefix(namespace: string): Uint8Array {
  return encoder.encode(`${namespace}\u0000`);
}

/** What the keys of a page space begin with; of all spaces of the namespace, without a name. */
export function pagePrefix(namespace: string, space?: string): Uint8Array {
  const name = space === undefined ? '' : `${space}\u0000`;
  return Uint8Array.of(PAGE_MARK, ...encoder.encode(`${namespace}\u0000${name}`));
}

/** What the table of spaces calls a page space; without a name the cache of the namespace itself. */
export function nameOfSpace(namespace: string, space = ''): string {
  return `${namespace}\u0000${space}`;
}

export type KeyName =
  | { readonly kind: 'object'; readonly key: string }
  | { readonly kind: 'entry'; readonly namespace: string; readonly key: string }
  | { readonly kind: 'page'; readonly namespace: string; readonly space: string; readonly pageNo: number };

/** What a key stands for. One of an object that looks like a cache's is taken for that. */
export function nameOfKey(bytes: Uint8Array): KeyName {
  const first = bytes.indexOf(0);
  if (bytes[0] === PAGE_MARK) {
    const second = bytes.indexOf(0, first + 1);
    const pageNo = first > 0 && second > 0 ? pageNumberOf(bytes, second + 1) : -1;
    if (pageNo >= 0) {
      const namespace = displayKey(bytes.subarray(1, first));
      return { kind: 'page', namespace, space: displayKey(bytes.subarray(first + 1, second)), pageNo };
    }
  }
  if (first < 0 || first === bytes.length - 1) return { kind: 'object', key: displayKey(bytes) };
  return { kind: 'entry', namespace: displayKey(bytes.subarray(0, first)), key: displayKey(bytes.subarray(first + 1)) };
}
