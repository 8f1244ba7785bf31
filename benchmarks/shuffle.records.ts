/**
 * The records of the benchmark `shuffle`, and the work on them that is the same in every arm: 100 bytes, of which the
 * first 10 are the key, as in the sort benchmarks (https://sortbenchmark.org).
 *
 * A record is handled as 25 words of 32 bits. Keys are ordered as bytes; the first byte of a key names its
 * partition, so that partitions are ranges of keys and the sorted partitions, one after another, are the sorted whole.
 */
import type { Random } from './random.js';

export const RECORD_BYTES = 100;
export const RECORD_WORDS = RECORD_BYTES / 4;
export const PARTITIONS = 256;
const DIGIT_BITS = 11;
const DIGITS = 2 ** DIGIT_BITS;

/** What the sorted whole is compared with. */
export interface Totals {
  readonly count: number;
  /** Over all bytes of all records, whatever their order. */
  readonly sum: number;
}

/** For each partition the share of all records that it and those before it have, in units of 2^-32. */
export function sharesOf(exponent: number): Float64Array {
  const weights = Array.from({ length: PARTITIONS }, (_, partition) => 1 / (partition + 1) ** exponent);
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  let sum = 0;
  return Float64Array.from(weights, (weight) => {
    sum += weight;
    return (sum / total) * 2 ** 32;
  });
}

function partitionOf(firstWord: number): number {
  return firstWord & 255;
}

function sumOfRecord(words: Int32Array, start: number): number {
  let hash = 0;
  for (let i = start; i < start + RECORD_WORDS; i++) {
    hash = Math.imul(hash ^ (words[i] as number), 0x9e3779b1);
    hash ^= hash >>> 15;
  }
  return hash;
}

/** Fills the words with records. */
export function makeRecords(words: Int32Array, random: Random, shares: Float64Array): Totals {
  let state = random.next() | 1;
  let sum = 0;
  const next = () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state;
  };
  for (let start = 0; start < words.length; start += RECORD_WORDS) {
    const draw = next() >>> 0;
    let partition = 0;
    while (partition < PARTITIONS - 1 && draw >= (shares[partition] as number)) partition++;
    for (let i = start; i < start + RECORD_WORDS; i++) words[i] = next();
    words[start] = ((words[start] as number) & ~255) | partition;
    sum = (sum + sumOfRecord(words, start)) | 0;
  }
  return { count: words.length / RECORD_WORDS, sum };
}

/** How many bytes of the records each partition gets. */
export function measurePartitions(words: Int32Array): number[] {
  const counts = new Uint32Array(PARTITIONS);
  for (let start = 0; start < words.length; start += RECORD_WORDS) {
    const partition = partitionOf(words[start] as number);
    counts[partition] = (counts[partition] as number) + 1;
  }
  return Array.from(counts, (count) => count * RECORD_BYTES);
}

/** The map task: copies each record to the end of its partition's piece. */
export function partitionRecords(words: Int32Array, pieces: readonly Int32Array[]): void {
  const ends = new Uint32Array(PARTITIONS);
  for (let start = 0; start < words.length; start += RECORD_WORDS) {
    const partition = partitionOf(words[start] as number);
    const piece = pieces[partition] as Int32Array;
    const end = ends[partition] as number;
    for (let i = 0; i < RECORD_WORDS; i++) piece[end + i] = words[start + i] as number;
    ends[partition] = end + RECORD_WORDS;
  }
}

/** So that comparing unsigned numbers compares bytes. */
function swapped(word: number): number {
  return ((word << 24) | ((word & 0xff00) << 8) | ((word >>> 8) & 0xff00) | (word >>> 24)) >>> 0;
}

/** Orders records with equal first words by the six bytes of the key that are left. */
function compareRest(a: Int32Array, atA: number, b: Int32Array, atB: number): number {
  const middle = swapped(a[atA + 1] as number) - swapped(b[atB + 1] as number);
  if (middle !== 0) return middle;
  return swapped((a[atA + 2] as number) << 16) - swapped((b[atB + 2] as number) << 16);
}

/** The reduce task: gathers the records of a partition from its pieces, sorted by key. */
export class Sorter {
  private keys = new Uint32Array(0);
  private places = new Uint32Array(0);
  private otherKeys = new Uint32Array(0);
  private otherPlaces = new Uint32Array(0);
  private indexBits = 0;

  sort(pieces: readonly Int32Array[], target: Int32Array): void {
    const count = target.length / RECORD_WORDS;
    this.reserve(count);
    this.extract(pieces);
    for (let shift = 0; shift < 32; shift += DIGIT_BITS) this.pass(count, shift);
    this.settleTies(pieces, count);
    this.gather(pieces, target);
  }

  private reserve(count: number): void {
    if (this.keys.length >= count) return;
    this.keys = new Uint32Array(count);
    this.places = new Uint32Array(count);
    this.otherKeys = new Uint32Array(count);
    this.otherPlaces = new Uint32Array(count);
  }

  /** Of each record its key's first word and its place: piece and index in one number. */
  private extract(pieces: readonly Int32Array[]): void {
    const longest = Math.max(...pieces.map((piece) => piece.length / RECORD_WORDS));
    this.indexBits = 32 - Math.clz32(longest);
    if (pieces.length * 2 ** this.indexBits > 2 ** 32) throw new Error('Too many records for the sort.');
    let at = 0;
    for (let number = 0; number < pieces.length; number++) {
      const piece = pieces[number] as Int32Array;
      const place = number << this.indexBits;
      for (let index = 0; index * RECORD_WORDS < piece.length; index++) {
        this.keys[at] = swapped(piece[index * RECORD_WORDS] as number);
        this.places[at++] = place | index;
      }
    }
  }

  /** One pass of a radix sort, lowest digit first. */
  private pass(count: number, shift: number): void {
    const { keys, places, otherKeys, otherPlaces } = this;
    const ends = new Uint32Array(DIGITS + 1);
    for (let i = 0; i < count; i++) {
      const digit = (((keys[i] as number) >>> shift) & (DIGITS - 1)) + 1;
      ends[digit] = (ends[digit] as number) + 1;
    }
    for (let digit = 1; digit <= DIGITS; digit++) ends[digit] = (ends[digit] as number) + (ends[digit - 1] as number);
    for (let i = 0; i < count; i++) {
      const key = keys[i] as number;
      const digit = (key >>> shift) & (DIGITS - 1);
      const to = ends[digit] as number;
      ends[digit] = to + 1;
      otherKeys[to] = key;
      otherPlaces[to] = places[i] as number;
    }
    [this.keys, this.otherKeys, this.places, this.otherPlaces] = [otherKeys, keys, otherPlaces, places];
  }

  private settleTies(pieces: readonly Int32Array[], count: number): void {
    const { keys, places, indexBits } = this;
    const indexMask = 2 ** indexBits - 1;
    const isAfter = (a: number, b: number) => {
      const pieceA = pieces[a >>> indexBits] as Int32Array;
      const pieceB = pieces[b >>> indexBits] as Int32Array;
      return compareRest(pieceA, (a & indexMask) * RECORD_WORDS, pieceB, (b & indexMask) * RECORD_WORDS) > 0;
    };
    for (let i = 1; i < count; i++) {
      if (keys[i] !== keys[i - 1]) continue;
      const place = places[i] as number;
      let to = i;
      for (; to > 0 && keys[to - 1] === keys[i] && isAfter(places[to - 1] as number, place); to--) {
        places[to] = places[to - 1] as number;
      }
      places[to] = place;
    }
  }

  private gather(pieces: readonly Int32Array[], target: Int32Array): void {
    const { places, indexBits } = this;
    const indexMask = 2 ** indexBits - 1;
    for (let i = 0, to = 0; to < target.length; i++, to += RECORD_WORDS) {
      const place = places[i] as number;
      const piece = pieces[place >>> indexBits] as Int32Array;
      const from = (place & indexMask) * RECORD_WORDS;
      for (let word = 0; word < RECORD_WORDS; word++) target[to + word] = piece[from + word] as number;
    }
  }
}

/** Throws unless the records are of the partition and in order. */
export function verifySorted(words: Int32Array, partition: number): Totals {
  let sum = 0;
  let last = -1;
  for (let start = 0; start < words.length; start += RECORD_WORDS) {
    const key = swapped(words[start] as number);
    const isInOrder = key > last || (key === last && compareRest(words, start - RECORD_WORDS, words, start) <= 0);
    if (!isInOrder || partitionOf(words[start] as number) !== partition) {
      throw new Error(`Partition ${partition}: record ${start / RECORD_WORDS} is out of place.`);
    }
    last = key;
    sum = (sum + sumOfRecord(words, start)) | 0;
  }
  return { count: words.length / RECORD_WORDS, sum };
}
