/** Where the entries of a row's pins lie, for whoever looks; the rules are in pinblocks.ts. */
import type { Words } from '../../../lib/words.js';
import type { Geometry } from '../layout/index.js';

/** Of an owner's word: row + 1, below bits of the incarnation. */
export const PIN_OWNER_ROW_BITS = 10;

/** -1 of nobody. */
export function rowOfPinOwner(owner: number): number {
  return (owner & ((1 << PIN_OWNER_ROW_BITS) - 1)) - 1;
}

/** The words in which the entries of a row's pins lie, whoever asks. */
export class PinPlaces {
  private readonly words: Words;
  private readonly geometry: Geometry;

  constructor(words: Words, geometry: Geometry) {
    this.words = words;
    this.geometry = geometry;
  }

  /** The row's first entry that is in block `index` of its directory. */
  firstOf(index: number): number {
    return this.geometry.pinsOwn + index * this.geometry.pinBlockEntries;
  }

  /** How many blocks hold so many entries. */
  blocksFor(entries: number): number {
    return Math.max(0, Math.ceil((entries - this.geometry.pinsOwn) / this.geometry.pinBlockEntries));
  }

  /** First word of the entries in the row itself. */
  ofRow(row: number): number {
    const { pins } = this.geometry.regions;
    return pins.word + row * pins.stride;
  }

  /** First word of a block of the row; -1 where the directory names none. */
  ofBlock(row: number, index: number): number {
    const { pinDirectories, pinBlocks } = this.geometry.regions;
    const block = (this.words.load(pinDirectories.word + row * pinDirectories.stride + index) >>> 0) - 1;
    return block >= 0 && block < pinBlocks.count ? pinBlocks.word + block * pinBlocks.stride : -1;
  }

  /** The row that owns a block of the row's directory; -1 where there is none. */
  ownerOfBlock(row: number, index: number): number {
    const { pinOwners, pinBlocks } = this.geometry.regions;
    const word = this.ofBlock(row, index);
    if (word < 0) return -1;
    const owner = this.words.load(pinOwners.word + (word - pinBlocks.word) / pinBlocks.stride);
    return rowOfPinOwner(owner);
  }

  /** The word of an entry; -1 where the directory names no block for it. */
  of(row: number, entry: number): number {
    const { pinsOwn, pinBlockEntries } = this.geometry;
    if (entry < pinsOwn) return this.ofRow(row) + entry;
    const beyond = entry - pinsOwn;
    const word = this.ofBlock(row, Math.floor(beyond / pinBlockEntries));
    return word < 0 ? -1 : word + (beyond % pinBlockEntries);
  }
}
