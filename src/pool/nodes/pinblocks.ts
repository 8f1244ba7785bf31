/**
 * Where pins lie: a node's first ones in its row, more in *blocks*, which nodes take from a stock of the whole pool as they
 * pin and give back as they release. Entries are numbered through: those of the row, then block after block in the order of
 * the node's directory. What of them counts, the mark says (hazards.ts).
 *
 * (U1) a block is its owner's, and only he writes to it. The owner's word names row and incarnation; it is taken by
 *      compare-and-exchange, from 0 or from an owner that is gone, whose pins do not count. So nobody cleans up after the dead.
 * (U2) a block is zero and in the directory before the mark lies beyond its first entry, and the mark lies before it when it is
 *      given back. So a scan that reads the mark first finds every pin below it; with an old mark it may look into a block that
 *      is somebody else's by now, which holds pages back that are held anyhow.
 * (U3) a node finds its blocks in private books. A block of its own that is not in them, because the call was cut that took
 *      it, may be taken again.
 *
 * | the store         | made by         | what a crash right after leaves                                  |
 * |-------------------|-----------------|------------------------------------------------------------------|
 * | owner := node     | grow            | a block that is nobody's once the node is found gone             |
 * | entries := 0      | grow            | the same                                                         |
 * | directory := block| grow            | the same: the mark lies before it                                |
 * | owner := 0        | shrink          | a directory entry beyond the mark, at which nobody looks         |
 */
import type { Words } from '../../../lib/words.js';
import type { Geometry } from '../layout/index.js';
import type { Nodes } from './nodes.js';
import { PIN_OWNER_ROW_BITS, rowOfPinOwner } from './pinplaces.js';

const INCARNATION_MASK = 0xffffffff >>> PIN_OWNER_ROW_BITS;

/** The blocks of this node. */
export class PinBlocks {
  private readonly words: Words;
  private readonly geometry: Geometry;
  private readonly nodes: Nodes;
  private readonly directory: number;
  private readonly row: number;
  private readonly own: number;
  private readonly shift: number;
  /** First words of the blocks, in the order of the directory. */
  private readonly mine: number[] = [];
  /** Where a block was found last that could be taken: one that a cut call took is met there again (U3). */
  private hint = 0;

  constructor(words: Words, geometry: Geometry, nodes: Nodes) {
    const { pins, pinDirectories } = geometry.regions;
    this.words = words;
    this.geometry = geometry;
    this.nodes = nodes;
    this.row = pins.word + nodes.self * pins.stride;
    this.directory = pinDirectories.word + nodes.self * pinDirectories.stride;
    this.own = geometry.pinsOwn;
    this.shift = Math.log2(geometry.pinBlockEntries) | 0;
  }

  /** Entries for which there is a place. */
  get room(): number {
    return this.own + (this.mine.length << this.shift);
  }

  /** The word of an entry below `room`. */
  wordOf(entry: number): number {
    const beyond = entry - this.own;
    if (beyond < 0) return this.row + entry;
    return (this.mine[beyond >> this.shift] as number) + (beyond & (this.geometry.pinBlockEntries - 1));
  }

  /** Takes a block more; false where all are others'. The caller has less than its directory holds. */
  grow(): boolean {
    const { pinBlocks, pinOwners } = this.geometry.regions;
    for (let tries = 0; tries < pinBlocks.count; tries++) {
      const block = (this.hint + tries) % pinBlocks.count;
      const word = pinBlocks.word + block * pinBlocks.stride;
      if (!this.take(pinOwners.word + block, word)) continue;
      this.words.fill(word, pinBlocks.stride, 0);
      // ORDER pinblock-1: zero and in the directory before the caller raises the mark; pairs with the scan.
      this.words.store(this.directory + this.mine.length, block + 1);
      this.mine.push(word);
      this.hint = block + 1;
      return true;
    }
    return false;
  }

  /** Gives back what lies at or beyond the mark, which everybody sees by now. */
  shrink(mark: number): void {
    const { pinBlocks, pinOwners } = this.geometry.regions;
    while (this.mine.length > 0 && this.room - this.geometry.pinBlockEntries >= mark) {
      const word = this.mine.pop() as number;
      const block = (word - pinBlocks.word) / pinBlocks.stride;
      this.words.store(pinOwners.word + block, 0);
      this.hint = block;
    }
  }

  private take(owner: number, word: number): boolean {
    const { words } = this;
    const self = this.ownerWord();
    const now = words.load(owner);
    if (now === self ? this.mine.includes(word) : now !== 0 && !this.isGone(now)) return false;
    return words.compareExchange(owner, now, self) === now;
  }

  private ownerWord(): number {
    return (this.nodes.self + 1) | ((this.nodes.incarnation & INCARNATION_MASK) << PIN_OWNER_ROW_BITS) | 0;
  }

  /** (U1) Of an incarnation that the row has no more, or of a dead one. */
  private isGone(owner: number): boolean {
    const row = rowOfPinOwner(owner);
    if (row < 0 || row >= this.nodes.rows) return true;
    const incarnation = this.nodes.incarnationOf(row);
    return (
      ((incarnation ^ (owner >>> PIN_OWNER_ROW_BITS)) & INCARNATION_MASK) !== 0 || this.nodes.isGone(row, incarnation)
    );
  }
}
