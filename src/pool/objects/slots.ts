/**
 * Slots: the truth of the pool. Reading, checking and filling the two lines of one object's metadata.
 *
 * In the extent the data comes first, so that a page keeps the alignment that direct I/O wants; then the key when it is
 * too long for the slot, then the metadata, then the marks of its tags.
 *
 * (O1) `check` covers every field that does not change between draft and reuse but for the publish sequence, with which
 *      it is stamped anew at seal; it is seeded with the generation. Whoever takes a slot from a table or list verifies
 *      it: damaged metadata is an error, not somebody's page. A free slot's check does not hold.
 * (O2) nothing read from a slot is used before its range was checked, whether the check word agrees or not.
 * (O4) the key of a slot that is not free has the hash that the slot carries, and that hash leads to its shard.
 * (O5) no two sealed slots have the same key and from-version.
 * (O6) the publish sequence of a sealed slot is not beyond its shard's.
 * (O7) in a file that survives a restart of the machine, `checksum` of a sealed slot covers its bytes, its key and, by way
 *      of `check`, its fields: so slot and bytes of different moments are told from a page. Nowhere else is it kept.
 */
import { assert } from '../../../lib/assert.js';
import type { WallMs } from '../../../lib/clock.js';
import { PoolError } from '../../../lib/errors.js';
import { checkOfWords, checksumOfBytes } from '../../../lib/hash.js';
import type { Words } from '../../../lib/words.js';
import {
  FLAG_KEPT,
  GENERATION_STEP,
  INLINE_KEY_BYTES,
  INTERNAL_KEY_BYTES,
  KEY_BYTES_MAX,
  METADATA_BYTES_MAX,
  NO_EXTENT,
  RESERVED_KEY_WORD,
  Slot,
  STATE_BITS,
  STATE_DRAFT,
  STATE_FREE,
  STATE_MASK,
  TAGS_MASK,
  TAGS_SHIFT,
  writeKept,
  writeUnsigned64,
} from '../layout/index.js';
import { SlotFields } from './slotfields.js';
import { isForcedStep, isStep } from './slotstates.js';
import { toldKey } from './toldkeys.js';

const {
  state: STATE,
  check: CHECK,
  hashLow: HASH_LOW,
  hashHigh: HASH_HIGH,
  keyLength: KEY_LENGTH,
  metadataLength: METADATA_LENGTH,
  size: SIZE,
  extent: EXTENT,
  expiry: EXPIRY,
  from: FROM,
  until: UNTIL,
  publishSequence: PUBLISH_SEQUENCE,
  flags: FLAGS,
  owner: OWNER,
  ownerIncarnation: OWNER_INCARNATION,
  space: SPACE,
  spaceGeneration: SPACE_GENERATION,
  leaseCount: LEASE_COUNT,
  checksum: CHECKSUM,
  key: KEY,
} = Slot.word;
/** Which words of a slot its check covers. */
export const CHECKED_FROM = HASH_LOW;
export const CHECKED_WORDS = SPACE_GENERATION + 1 - HASH_LOW;

/** What a new draft is made of. `key` holds keyLength bytes; `expiry` is 0 for never. */
export interface DraftFields {
  key: Uint8Array;
  keyLength: number;
  hashLow: number;
  hashHigh: number;
  size: number;
  metadata: Uint8Array;
  expiry: WallMs;
  /** With FLAG_KEPT: how long after its expiry it is kept, in milliseconds. */
  keptMs: number;
  /** Of a page with tags: see tags.ts. */
  marks: Int32Array | undefined;
  flags: number;
  space: number;
  spaceGeneration: number;
  from: number;
  until: number;
  leaseCount: number;
}

const NOTHING = new Uint8Array(0);

/** A draft of nothing, to copy from. */
export const NO_FIELDS: DraftFields = {
  key: NOTHING,
  keyLength: 0,
  hashLow: 0,
  hashHigh: 0,
  size: 0,
  metadata: NOTHING,
  expiry: 0,
  keptMs: 0,
  marks: undefined,
  flags: 0,
  space: 0,
  spaceGeneration: 0,
  from: 0,
  until: Number.POSITIVE_INFINITY,
  leaseCount: 0,
};

/** Of the marks of so many tags: two words in front, and two for each. */
const MARKS_HEAD_BYTES = 8;
const MARK_BYTES = 8;

function marksBytes(flags: number): number {
  const tags = (flags >>> TAGS_SHIFT) & TAGS_MASK;
  return tags === 0 ? 0 : MARKS_HEAD_BYTES + tags * MARK_BYTES;
}

export function extentBytes(size: number, keyLength: number, metadataLength: number, flags: number): number {
  return size + metadataLength + (keyLength > INLINE_KEY_BYTES ? keyLength : 0) + marksBytes(flags);
}

/** The flags of a draft of these fields. */
export function flagsOf({ flags, marks }: Pick<DraftFields, 'flags' | 'marks'>): number {
  return marks === undefined ? flags : flags | (((marks.byteLength - MARKS_HEAD_BYTES) / MARK_BYTES) << TAGS_SHIFT);
}

export class Slots extends SlotFields {
  /** A step of the slot's life, under its shard's lock. Throws POOL_CORRUPT where the slot is not in `from`. */
  transition(slot: number, from: number, to: number): void {
    assert(isStep(from, to), 'A slot does not go from this state to that one.');
    if ((this.words.read(this.wordOf(slot) + STATE) & STATE_MASK) !== from) throw this.damaged(slot, 'state');
    this.become(slot, to);
  }

  /** For repair and restore: makes the slot what it is to be, whatever state was read there. */
  force(slot: number, read: number, to: number): void {
    assert(isForcedStep(read, to), 'Repair does not take a slot from this state to that one.');
    this.become(slot, to);
  }

  /** FREE comes with a check word that does not hold: no damage to the state alone brings the page back. */
  private become(slot: number, state: number): void {
    const word = this.wordOf(slot) + STATE;
    this.words.store(word, (this.words.read(word) & ~STATE_MASK) | state);
    if (state === STATE_FREE) this.words.write(this.wordOf(slot) + CHECK, ~this.checkOf(slot));
  }

  /** Fills a free slot and stores state DRAFT of the next generation last. */
  writeDraft(slot: number, fields: DraftFields, extent: number, owner: number, incarnation: number): void {
    const { words } = this;
    const at = this.wordOf(slot);
    words.write(at + HASH_LOW, fields.hashLow);
    words.write(at + HASH_HIGH, fields.hashHigh);
    words.write(at + KEY_LENGTH, fields.keyLength);
    words.write(at + METADATA_LENGTH, fields.metadata.length);
    words.write(at + SIZE, fields.size);
    words.write(at + EXTENT, extent);
    if ((fields.flags & FLAG_KEPT) === 0) writeUnsigned64(words, at + EXPIRY, fields.expiry);
    else writeKept(words, at + EXPIRY, fields.expiry, fields.keptMs);
    writeUnsigned64(words, at + FROM, fields.from);
    writeUnsigned64(words, at + UNTIL, fields.until);
    words.write(at + PUBLISH_SEQUENCE, 0);
    words.write(at + FLAGS, flagsOf(fields));
    words.write(at + SPACE, fields.space);
    words.write(at + SPACE_GENERATION, fields.spaceGeneration);
    words.write(at + OWNER, owner + 1);
    words.write(at + OWNER_INCARNATION, incarnation);
    words.write(at + LEASE_COUNT, fields.leaseCount);
    this.writeKey(at + KEY, fields, extent);
    if (fields.metadata.length > 0) {
      const long = fields.keyLength > INLINE_KEY_BYTES ? fields.keyLength : 0;
      this.segment.writeDraft(extent, fields.size + long, fields.metadata);
    }
    if (fields.marks !== undefined) {
      const before = extentBytes(fields.size, fields.keyLength, fields.metadata.length, 0);
      this.segment.writeDraft(extent, before, new Uint8Array(fields.marks.buffer));
    }
    const generation = (words.read(at + STATE) & ~STATE_MASK) + GENERATION_STEP;
    // No generation is zero, after 2^29 pages in one slot neither.
    const word = (generation === 0 ? GENERATION_STEP : generation) | STATE_DRAFT;
    words.write(at + CHECK, this.checkFor(at, word >>> STATE_BITS));
    // ORDER draft-1: fields before state; pairs with repair, which trusts the fields of a draft.
    words.store(at + STATE, word);
  }

  private writeKey(at: number, fields: DraftFields, extent: number): void {
    const { key, keyLength } = fields;
    if (keyLength > INLINE_KEY_BYTES) {
      this.segment.writeDraft(extent, fields.size, key.subarray(0, keyLength));
      return;
    }
    for (let i = 0; i < keyLength; i += 4) {
      let word = key[i] as number;
      if (i + 1 < keyLength) word |= (key[i + 1] as number) << 8;
      if (i + 2 < keyLength) word |= (key[i + 2] as number) << 16;
      if (i + 3 < keyLength) word |= (key[i + 3] as number) << 24;
      this.words.write(at + (i >> 2), word);
    }
  }

  checkOf(slot: number): number {
    const at = this.wordOf(slot);
    return this.checkFor(at, this.words.read(at + STATE) >>> STATE_BITS);
  }

  private checkFor(at: number, generation: number): number {
    return checkOfWords(this.words, at + CHECKED_FROM, CHECKED_WORDS, generation);
  }

  /** Writes the check word of a slot whose fields are final. */
  stampCheck(slot: number): void {
    this.words.write(this.wordOf(slot) + CHECK, this.checkOf(slot));
  }

  isIntact(slot: number): boolean {
    return this.words.read(this.wordOf(slot) + CHECK) === this.checkOf(slot) && this.isInRange(slot);
  }

  /** Whether lengths and extent lie where an object may lie. */
  isInRange(slot: number): boolean {
    const [keyLength, metadataLength] = [this.keyLength(slot), this.metadataLength(slot)];
    return this.canBe(keyLength, metadataLength, this.size(slot), this.extent(slot), this.flags(slot));
  }

  /** Whether an object of these lengths may lie at the extent. */
  canBe(keyLength: number, metadataLength: number, size: number, extent: number, flags: number): boolean {
    if (keyLength < 1 || keyLength > KEY_BYTES_MAX || metadataLength > METADATA_BYTES_MAX) return false;
    const bytes = extentBytes(size, keyLength, metadataLength, flags);
    return extent === NO_EXTENT ? bytes === 0 : this.segment.isInside(extent, bytes);
  }

  /** The checksum of the bytes of a draft of this node, which are all there. */
  sumOfDraft(slot: number): number {
    if (!this.isInRange(slot)) return 0;
    return checksumOfBytes(this.segment.draftBytes(this.extent(slot), this.extentBytes(slot)), 0);
  }

  /** Writes the checksum of a slot whose check word is final. */
  stampChecksum(slot: number, sum: number): void {
    this.words.write(this.wordOf(slot) + CHECKSUM, this.checksumWith(slot, sum));
  }

  /** Binds the bytes to the key and to every field that the check word covers. */
  private checksumWith(slot: number, sum: number): number {
    const at = this.wordOf(slot);
    const keyLength = this.keyLength(slot);
    const keyWords = keyLength > INLINE_KEY_BYTES ? 0 : (keyLength + 3) >> 2;
    return checkOfWords(this.words, at + KEY, keyWords, Math.imul(sum, 0x9e3779b1) ^ this.words.read(at + CHECK));
  }

  /** Whether the bytes of an intact slot are those that were sealed (O7). Reads all of them. */
  isWhole(slot: number): boolean {
    const sum = checksumOfBytes(this.segment.sealedBytes(this.extent(slot), 0, this.extentBytes(slot)), 0);
    return this.words.read(this.wordOf(slot) + CHECKSUM) === this.checksumWith(slot, sum);
  }

  /** Throws POOL_CORRUPT unless the slot is intact and in range. */
  verify(slot: number): void {
    if (!this.isIntact(slot)) throw this.damaged(slot, 'metadata');
  }

  private damaged(slot: number, what: string): PoolError {
    const message = `${this.segment.file.path}: the ${what} of slot ${slot} is damaged.`;
    return new PoolError('POOL_CORRUPT', message, { slot });
  }

  keyEquals(slot: number, key: Uint8Array, length: number): boolean {
    const { words } = this;
    const at = this.wordOf(slot);
    if (words.read(at + KEY_LENGTH) !== length) return false;
    if (length > INLINE_KEY_BYTES) {
      const extent = words.read(at + EXTENT);
      const size = words.read(at + SIZE) >>> 0;
      if (!this.segment.isInside(extent, size + length)) return false;
      return this.segment.equals(extent, size, key, length);
    }
    for (let i = 0; i < length; i++) {
      if (((words.read(at + KEY + (i >> 2)) >>> ((i & 3) * 8)) & 0xff) !== key[i]) return false;
    }
    return true;
  }

  /** Whether the key, which is in the slot, begins so: a look that copies nothing. Of other keys true, to be found out by a copy. */
  mayStartWith(slot: number, prefix: Uint8Array): boolean {
    const length = this.keyLength(slot);
    if (length > INLINE_KEY_BYTES) return true;
    if (length < prefix.length) return false;
    const at = this.wordOf(slot) + KEY;
    for (let i = 0; i < prefix.length; i++) {
      if (((this.words.read(at + (i >> 2)) >>> ((i & 3) * 8)) & 0xff) !== prefix[i]) return false;
    }
    return true;
  }

  /** A private copy of the key's bytes; empty where the slot's fields are out of range. */
  keyBytes(slot: number): Uint8Array {
    if (!this.isInRange(slot)) return new Uint8Array(0);
    const length = this.keyLength(slot);
    if (length > INLINE_KEY_BYTES) {
      // A look without the lock: the fields may be others by now than those that were in range.
      const [extent, size] = [this.extent(slot), this.size(slot)];
      return this.segment.isInside(extent, size + length)
        ? this.segment.sealedBytes(extent, size, length).slice()
        : new Uint8Array(0);
    }
    const bytes = new Uint8Array(length);
    this.readInlineKey(slot, bytes, length);
    return bytes;
  }

  /** Copies the key's bytes to the start of `target`, which has room for any; returns how many, 0 as above. */
  readKey(slot: number, target: Uint8Array): number {
    const length = this.keyLength(slot);
    if (length > INLINE_KEY_BYTES || !this.isInRange(slot)) {
      const bytes = this.keyBytes(slot);
      target.set(bytes);
      return bytes.length;
    }
    this.readInlineKey(slot, target, length);
    return length;
  }

  private readInlineKey(slot: number, target: Uint8Array, length: number): void {
    const at = this.wordOf(slot) + KEY;
    for (let i = 0; i < length; i++) target[i] = this.words.read(at + (i >> 2)) >>> ((i & 3) * 8);
  }

  /** Copies what is told of the key to words elsewhere, four bytes to a word, the rest zero. Its whole length; 0 where it is out of range. */
  copyToldKey(slot: number, target: Words, word: number): number {
    const length = this.keyLength(slot);
    if (length <= INLINE_KEY_BYTES) {
      const at = this.wordOf(slot) + KEY;
      for (let i = 0; i < (length + 3) >> 2; i++) target.write(word + i, this.words.read(at + i));
      return length;
    }
    const key = this.keyBytes(slot);
    const bytes = toldKey(key);
    target.fill(word, (bytes.length + 3) >> 2, 0);
    for (let i = 0; i < bytes.length; i++) {
      const at = word + (i >> 2);
      target.write(at, target.read(at) | ((bytes[i] as number) << ((i & 3) * 8)));
    }
    return key.length;
  }

  /** Whether the object belongs to a checkpoint: its key begins as no key of a caller's may. */
  isInternal(slot: number): boolean {
    return (
      this.keyLength(slot) === INTERNAL_KEY_BYTES && this.words.read(this.wordOf(slot) + KEY) === RESERVED_KEY_WORD
    );
  }

  /** Bytes the object takes in its extent. */
  extentBytes(slot: number): number {
    return extentBytes(this.size(slot), this.keyLength(slot), this.metadataLength(slot), this.flags(slot));
  }

  /** A private copy of the marks of its tags, as far as they lie in the data; no words where they do not. */
  marks(slot: number): Int32Array {
    const length = marksBytes(this.flags(slot));
    const [extent, before] = [this.extent(slot), this.extentBytes(slot) - length];
    if (!this.segment.isInside(extent, before + length)) return new Int32Array(0);
    return new Int32Array(this.segment.sealedBytes(extent, before, length).slice().buffer);
  }

  metadataOffset(slot: number): number {
    const keyLength = this.keyLength(slot);
    return this.size(slot) + (keyLength > INLINE_KEY_BYTES ? keyLength : 0);
  }
}
