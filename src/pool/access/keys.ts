/**
 * Keys: from what a caller gives to bytes, hash and near key. A key space has a prefix of its own (a namespace, a page
 * space) and its own part of the near index, so that a hit needs neither.
 */
import { isBytes, lengthOfBytes, takeBytes } from '../../../lib/bytes.js';
import { PoolError } from '../../../lib/errors.js';
import { KeyHash } from '../../../lib/hash.js';
import { KEY_BYTES_MAX, type Key, RESERVED_KEY_WORD } from '../layout/index.js';
import type { NearIndex, NearMap } from '../near/index.js';
import { type DraftFields, TOLD_HEAD_BYTES } from '../objects/index.js';
import { fieldsOf } from './drafts.js';
import type { SoughtKey } from './reader.js';

const encoder = new TextEncoder();
const PAGE_NUMBER_BYTES = 8;
const SHORT_KEY_BYTES = 1024;
/** The bytes of the reserved word. */
export const RESERVED_PREFIX = Uint8Array.from({ length: 4 }, (_, i) => RESERVED_KEY_WORD >>> (i * 8));

export class KeySpace implements SoughtKey {
  /** Room for most keys; grows once, when a longer one comes. */
  bytes = new Uint8Array(SHORT_KEY_BYTES + 4);
  length = 0;
  hashLow = 0;
  hashHigh = 0;
  /** Near entries by string key. */
  readonly strings: NearMap;
  /** Near entries by the bytes of a key, as a string of one character a byte. */
  readonly binaries: NearMap;
  /** Near entries by page number; made when the first one is asked for. */
  private numbers: NearMap | undefined;
  space: number;
  private readonly near: NearIndex;
  private readonly hash: KeyHash;
  private readonly prefixLength: number;

  constructor(options: { seed: number; prefix: Uint8Array; near: NearIndex; space: number }) {
    this.hash = new KeyHash(options.seed);
    this.prefixLength = options.prefix.length;
    this.bytes.set(options.prefix);
    this.strings = options.near.createMap(options.space);
    this.binaries = options.near.createMap(options.space);
    this.near = options.near;
    this.space = options.space;
  }

  /** The name of these keys got another space. */
  moveTo(space: number): void {
    for (const map of [this.strings, this.binaries, this.numbers]) if (map !== undefined) this.near.move(map, space);
    this.space = space;
  }

  get pages(): NearMap {
    this.numbers ??= this.near.createMap(this.space, this);
    return this.numbers;
  }

  /** Makes this the key that is sought. Throws KEY_INVALID. */
  encode(key: Key): this {
    const room = KEY_BYTES_MAX - this.prefixLength;
    if (typeof key === 'string') {
      if (key.length === 0 || key.length > room) throw key.length === 0 ? invalid('is empty') : this.tooLong();
      return this.finish(this.putText(key, room));
    }
    if (!isBytes(key)) throw invalid('is neither a string nor a Uint8Array');
    const length = lengthOfBytes(key);
    if (length === 0 || length > room) throw length === 0 ? invalid('is empty') : this.tooLong();
    if (this.prefixLength + length > this.bytes.length) this.grow();
    this.bytes.set(key, this.prefixLength);
    const isReserved = this.prefixLength === 0 && length >= RESERVED_PREFIX.length;
    if (isReserved && startsWith(this.bytes, RESERVED_PREFIX)) throw invalid('begins as those of checkpoints do');
    return this.finish(length);
  }

  /** Its UTF-8 behind the prefix; how many bytes. */
  private putText(key: string, room: number): number {
    let { read, written } = encoder.encodeInto(key, this.bytes.subarray(this.prefixLength));
    if (read !== key.length && this.bytes.length < KEY_BYTES_MAX) {
      this.grow();
      ({ read, written } = encoder.encodeInto(key, this.bytes.subarray(this.prefixLength)));
    }
    if (read !== key.length || written > room) throw this.tooLong();
    if (!key.isWellFormed()) throw invalid('holds half of a surrogate pair');
    return written;
  }

  private grow(): void {
    const grown = new Uint8Array(KEY_BYTES_MAX + 4);
    grown.set(this.prefix());
    this.bytes = grown;
  }

  private tooLong(): PoolError {
    const prefix = this.prefixLength === 0 ? '' : `, of which ${this.prefixLength} are its namespace's`;
    return invalid(`is too long: a key may have ${KEY_BYTES_MAX.toLocaleString('en')} bytes${prefix}`);
  }

  /** The near key of a key given as bytes: of those encoded last. */
  binaryName(): string {
    const { buffer } = this.bytes;
    return Buffer.from(buffer, this.prefixLength, this.length - this.prefixLength).toString('latin1');
  }

  /** Makes this the key of the page: 8 bytes, big-endian, so that keys sort as pages do. */
  encodePage(pageNo: number): this {
    writePageNumber(this.bytes, this.prefixLength, pageNo);
    return this.finish(PAGE_NUMBER_BYTES);
  }

  /** The key of a page, as lists show it and every call of the pool takes it back. Not made the one that is sought. */
  pageKey(pageNo: number): Uint8Array {
    const bytes = this.bytes.slice(0, this.prefixLength + PAGE_NUMBER_BYTES);
    writePageNumber(bytes, this.prefixLength, pageNo);
    return bytes;
  }

  private finish(written: number): this {
    this.length = this.prefixLength + written;
    this.hash.of(this.bytes, this.length);
    this.hashLow = this.hash.low;
    this.hashHigh = this.hash.high;
    return this;
  }

  /** The fields of a draft, or of something to remove, under the key encoded last. */
  fields(changes: Partial<DraftFields>): DraftFields {
    const fields = fieldsOf(this.bytes, this.length, this.hashLow, this.hashHigh, changes);
    fields.space = this.space;
    return fields;
  }

  /** The prefix that every key of this space begins with. */
  prefix(): Uint8Array {
    return this.bytes.subarray(0, this.prefixLength);
  }
}

/** Throws KEY_INVALID. */
function writePageNumber(bytes: Uint8Array, at: number, pageNo: number): void {
  if (!Number.isSafeInteger(pageNo) || pageNo < 0) {
    const what = typeof pageNo === 'number' ? String(pageNo) : `of type ${typeof pageNo}`;
    throw new PoolError('KEY_INVALID', `Page number ${what}: expected a number, an integer from 0 to 2^53 - 1.`);
  }
  const high = Math.floor(pageNo / 2 ** 32);
  for (let i = 0; i < 4; i++) {
    bytes[at + i] = high >>> (24 - i * 8);
    bytes[at + 4 + i] = pageNo >>> (24 - i * 8);
  }
}

/** The number in the key of a page, after a prefix of so many bytes; -1 for other keys. */
export function pageNumberOf(key: Uint8Array, prefixLength: number): number {
  if (key.length !== prefixLength + PAGE_NUMBER_BYTES) return -1;
  let pageNo = 0;
  for (let i = prefixLength; i < key.length; i++) pageNo = pageNo * 256 + (key[i] as number);
  return pageNo;
}

function invalid(why: string): PoolError {
  return new PoolError('KEY_INVALID', `The key ${why}.`);
}

const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** How events and lists show a key: a string where the bytes are UTF-8, else base64url. */
export function displayKey(bytes: Uint8Array): string {
  try {
    return strict.decode(bytes);
  } catch {
    return Buffer.from(bytes).toString('base64url');
  }
}

/** How events show a key of that length, by what is told of it (toldKey): of one that was cut the text it begins with, and the digest. */
export function displayToldKey(told: Uint8Array, keyLength: number): string {
  if (told.length === keyLength) return displayKey(told);
  const [head, digest] = [told.subarray(0, TOLD_HEAD_BYTES), told.subarray(TOLD_HEAD_BYTES)];
  return `${displayHead(head)}…sha256:${Buffer.from(digest).toString('hex')}`;
}

/** As displayKey, but for half of a character at the end. */
function displayHead(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes, { stream: true });
  } catch {
    return displayKey(bytes);
  }
}

/** The key that has these bytes: a string where they are UTF-8. */
export function keyOfBytes(bytes: Uint8Array): Key {
  try {
    return strict.decode(bytes);
  } catch {
    return bytes;
  }
}

/** The bytes of a prefix. Throws OPTION_INVALID. */
export function bytesOfPrefix(prefix: Key): Uint8Array {
  return typeof prefix === 'string' ? encoder.encode(prefix) : takeBytes(prefix, 'prefix');
}

export function startsWith(bytes: Uint8Array, prefix: Uint8Array): boolean {
  if (bytes.length < prefix.length) return false;
  for (let i = 0; i < prefix.length; i++) if (bytes[i] !== prefix[i]) return false;
  return true;
}
