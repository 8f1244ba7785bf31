/**
 * Manifests: what a checkpoint consists of, as the bytes of one sealed object; and the ids of the objects of
 * checkpoints, which are their keys.
 *
 * An id names the directory's entry, the term of the writer that made the object, a random word and a serial number. So
 * no two objects ever have the same, and whoever meets one knows whose it is.
 *
 * Bytes, little-endian: a head of 16 words (below), for each part 6 words, then the parts' names one after the other,
 * then the user's metadata, then zeros up to a whole word.
 *
 * (T8) nothing of a manifest is believed before its check holds, its lengths add up to its size, and every name is UTF-8
 *      of its own.
 */

import { checkOfWords } from '../../../lib/hash.js';
import { Words } from '../../../lib/words.js';
import { PART_NAME_BYTES_MAX, readUnsigned64, writeUnsigned64 } from '../layout/index.js';
import type { ObjectId } from '../objects/index.js';

export const ID_BYTES = 20;

/** The key of the object, without the prefix of all keys of checkpoints. */
export function bytesOfId({ entry, term, nonce, serial }: ObjectId): Uint8Array {
  const bytes = new Uint8Array(ID_BYTES);
  const words = new Words(bytes.buffer);
  writeUnsigned64(words, 0, term);
  words.write(2, entry);
  words.write(3, nonce);
  words.write(4, serial);
  return bytes;
}

/** The id that a key of ID_BYTES stands for. */
export function idOfBytes(bytes: Uint8Array): ObjectId {
  const own = new Uint8Array(ID_BYTES);
  own.set(bytes.subarray(0, ID_BYTES));
  const words = new Words(own.buffer);
  const [entry, nonce, serial] = [words.read(2), words.read(3), words.read(4)];
  return { entry, term: readUnsigned64(words, 0), nonce, serial };
}

/** For sets and maps of ids. */
export function nameOfId({ entry, term, nonce, serial }: ObjectId): string {
  return `${entry} ${term} ${nonce} ${serial}`;
}

export interface Part {
  readonly id: ObjectId;
  readonly size: number;
}

export interface Manifest {
  readonly entry: number;
  readonly sequence: number;
  readonly committedAt: number;
  /** Of all parts. */
  readonly bytes: number;
  readonly parts: ReadonlyMap<string, Part>;
  readonly metadata: Uint8Array;
}

const MAGIC = 0x666e616d; // 'manf'
const HEAD_WORDS = 16;
const PART_WORDS = 6;
const AT = { magic: 0, check: 1, parts: 2, names: 3, metadata: 4, entry: 5, sequence: 6, committedAt: 8 } as const;
const PART = { nameLength: 0, size: 1, term: 2, nonce: 4, serial: 5 } as const;

const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

function checkOf(words: Words): number {
  return checkOfWords(words, AT.check + 1, words.length - AT.check - 1, MAGIC);
}

export function encodeManifest(manifest: Omit<Manifest, 'bytes'>): Uint8Array {
  const names = [...manifest.parts.keys()].map((name) => encoder.encode(name));
  const namesLength = names.reduce((sum, name) => sum + name.length, 0);
  const namesAt = (HEAD_WORDS + names.length * PART_WORDS) * 4;
  const length = namesAt + namesLength + manifest.metadata.length;
  const bytes = new Uint8Array(Math.ceil(length / 4) * 4);
  const words = new Words(bytes.buffer);
  words.write(AT.magic, MAGIC);
  words.write(AT.parts, names.length);
  words.write(AT.names, namesLength);
  words.write(AT.metadata, manifest.metadata.length);
  words.write(AT.entry, manifest.entry);
  writeUnsigned64(words, AT.sequence, manifest.sequence);
  writeUnsigned64(words, AT.committedAt, manifest.committedAt);
  let at = HEAD_WORDS;
  let nameAt = namesAt;
  for (const [i, { id, size }] of [...manifest.parts.values()].entries()) {
    const name = names[i] as Uint8Array;
    words.write(at + PART.nameLength, name.length);
    words.write(at + PART.size, size);
    writeUnsigned64(words, at + PART.term, id.term);
    words.write(at + PART.nonce, id.nonce);
    words.write(at + PART.serial, id.serial);
    bytes.set(name, nameAt);
    at += PART_WORDS;
    nameAt += name.length;
  }
  bytes.set(manifest.metadata, nameAt);
  words.write(AT.check, checkOf(words));
  return bytes;
}

/** Undefined for bytes that are no manifest, or a damaged one. */
export function decodeManifest(bytes: Uint8Array): Manifest | undefined {
  if (bytes.length < HEAD_WORDS * 4 || bytes.length % 4 !== 0) return undefined;
  const own = new Uint8Array(bytes.length);
  own.set(bytes);
  const words = new Words(own.buffer);
  if (words.read(AT.magic) !== MAGIC || words.read(AT.check) !== checkOf(words)) return undefined;
  const count = words.read(AT.parts) >>> 0;
  const [names, metadata] = [words.read(AT.names) >>> 0, words.read(AT.metadata) >>> 0];
  const namesAt = (HEAD_WORDS + count * PART_WORDS) * 4;
  if (Math.ceil((namesAt + names + metadata) / 4) * 4 !== bytes.length) return undefined;
  const entry = words.read(AT.entry);
  const parts = decodeParts(own, words, entry, namesAt, names);
  if (parts === undefined) return undefined;
  const [sequence, committedAt] = [readUnsigned64(words, AT.sequence), readUnsigned64(words, AT.committedAt)];
  const sum = [...parts.values()].reduce((total, { size }) => total + size, 0);
  return {
    entry,
    sequence,
    committedAt,
    bytes: sum,
    parts,
    metadata: own.slice(namesAt + names, namesAt + names + metadata),
  };
}

function decodeParts(
  bytes: Uint8Array,
  words: Words,
  entry: number,
  namesAt: number,
  namesLength: number,
): Map<string, Part> | undefined {
  const parts = new Map<string, Part>();
  const namesEnd = namesAt + namesLength;
  let nameAt = namesAt;
  for (let at = HEAD_WORDS; at * 4 < namesAt; at += PART_WORDS) {
    const length = words.read(at + PART.nameLength) >>> 0;
    if (length < 1 || length > PART_NAME_BYTES_MAX || nameAt + length > namesEnd) return undefined;
    const name = textOf(bytes.subarray(nameAt, nameAt + length));
    if (name === undefined || parts.has(name)) return undefined;
    const [nonce, serial] = [words.read(at + PART.nonce), words.read(at + PART.serial)];
    const id = { entry, term: readUnsigned64(words, at + PART.term), nonce, serial };
    parts.set(name, { id, size: words.read(at + PART.size) >>> 0 });
    nameAt += length;
  }
  return nameAt === namesEnd ? parts : undefined;
}

function textOf(bytes: Uint8Array): string | undefined {
  try {
    return decoder.decode(bytes);
  } catch {
    return undefined;
  }
}
