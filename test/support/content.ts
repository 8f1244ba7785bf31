/**
 * Page contents that tell whose they are: key, generation, size and a checksum over all of it, in every page. So a torn
 * page, a page of another key and a page that was reused under its reader are each told apart from a good one.
 */
const HEADER_BYTES = 16;
export const CONTENT_BYTES_MIN = HEADER_BYTES;

function hashOf(key: string): number {
  let hash = 0x811c9dc5 | 0;
  for (let i = 0; i < key.length; i++) hash = Math.imul(hash ^ key.charCodeAt(i), 0x01000193);
  return hash;
}

function wordsOf(bytes: Uint8Array, count: number): Int32Array {
  const aligned = bytes.byteOffset % 4 === 0 ? bytes : bytes.slice();
  return new Int32Array(aligned.buffer, aligned.byteOffset, count);
}

/** Fills `bytes` (at least 16) as the page of that key and generation. */
export function fillContent(bytes: Uint8Array, key: string, generation: number): void {
  const count = bytes.length >> 2;
  const words = new Int32Array(count);
  const hash = hashOf(key);
  let value = hash ^ Math.imul(generation, 0x9e3779b1) ^ bytes.length;
  let sum = 0;
  for (let i = 4; i < count; i++) {
    value = (Math.imul(value, 1664525) + 1013904223) | 0;
    words[i] = value;
    sum = (Math.imul(sum, 31) + value) | 0;
  }
  words[0] = hash;
  words[1] = generation;
  words[2] = bytes.length;
  words[3] = sum ^ hash ^ Math.imul(generation, 0x85ebca6b) ^ bytes.length;
  bytes.set(new Uint8Array(words.buffer));
  bytes.fill(generation & 0xff, count * 4);
}

export function contentOf(key: string, generation: number, size: number): Uint8Array {
  const bytes = new Uint8Array(size);
  fillContent(bytes, key, generation);
  return bytes;
}

/** The generation of a page of the key. Throws when any byte is torn or foreign. */
export function checkContent(bytes: Uint8Array, key: string): number {
  const count = bytes.length >> 2;
  const words = wordsOf(bytes, count);
  const hash = hashOf(key);
  const [owner, generation = 0, size, check] = words;
  const wrong = (what: string) => new Error(`${key}, ${bytes.length} bytes, generation ${generation}: ${what}`);
  if (owner !== hash) throw wrong('the page of another key');
  if (size !== bytes.length) throw wrong(`a page of ${size} bytes`);
  let sum = 0;
  for (let i = 4; i < count; i++) sum = (Math.imul(sum, 31) + (words[i] as number)) | 0;
  if ((sum ^ hash ^ Math.imul(generation, 0x85ebca6b) ^ bytes.length) !== check) throw wrong('a torn page');
  for (let i = count * 4; i < bytes.length; i++) if (bytes[i] !== (generation & 0xff)) throw wrong('a torn tail');
  return generation;
}

/** A small generator of numbers that a seed repeats. */
export function random(seed: number): (below: number) => number {
  let state = (seed * 2654435761 + 1) >>> 0;
  return (below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    state >>>= 0;
    return state % below;
  };
}
