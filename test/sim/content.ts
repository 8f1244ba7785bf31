/**
 * What pages of the simulation hold: value, key, and a pattern that follows from both, at a size that follows from the
 * value. So a torn page, another key's page and reused memory are seen whatever part of them is looked at.
 */
const SIZES = [40, 96, 64, 200, 8, 12, 130, 96, 333];
export const BYTES_MIN = 8;

export function sizeOf(value: number): number {
  return SIZES[value % SIZES.length] as number;
}

function fill(bytes: Uint8Array, key: number, value: number): void {
  const words = [value, Math.imul(key + 1, 0x85ebca6b) ^ value];
  const noise = Math.imul(value + 1, 0x9e3779b1) >>> 16;
  for (let index = 0; index < bytes.length; index++) {
    const word = words[index >> 2];
    bytes[index] = word === undefined ? noise ^ (key * 37 + index * 11) : word >>> ((index & 3) * 8);
  }
}

export function contentOf(key: number, value: number, size = sizeOf(value)): Uint8Array {
  const bytes = new Uint8Array(size);
  fill(bytes, key, value);
  return bytes;
}

/** The value that the bytes claim to be. */
export function valueIn(bytes: Uint8Array): number {
  let value = 0;
  for (let index = 0; index < 4; index++) value |= (bytes[index] ?? 0) << (index * 8);
  return value;
}

/** What is wrong with the bytes as the key's page of the value they claim, or undefined. `size` 0: as the value says. */
export function faultOf(bytes: Uint8Array, key: number, size = 0): string | undefined {
  const value = valueIn(bytes);
  const expected = size === 0 ? sizeOf(value >>> 0) : size;
  if (bytes.length !== expected) return `${bytes.length} bytes instead of ${expected} (value ${value})`;
  const right = contentOf(key, value, expected);
  for (let index = 0; index < expected; index++) {
    if (bytes[index] !== right[index]) return `byte ${index} of ${expected} is not of key ${key}, value ${value}`;
  }
  return undefined;
}
