/**
 * The ghost of S3-FIFO: which keys left the small queue lately. A set-associative table, as in the paper's §4.2.
 *
 * (G1) an entry counts while 1 <= clock - stamp <= window, in 32-bit wrap-safe arithmetic: the window is the number of
 *      entries a ghost queue would hold, and nothing has to leave it.
 * (G2) the table only advises where a page enters. Any bytes are a valid ghost; the line comes from the hash of the
 *      caller, so no index is read from it.
 * (G3) a stamp not touched for 2^32 insertions comes back for one window: one page enters main instead of small.
 */
import { assert } from '../../../lib/assert.js';
import type { Words } from '../../../lib/words.js';
import { GHOST_LINE_ENTRIES, type PolicyRegion } from './queue.js';
import { GhostEntry, PolicyHead } from './records.js';

const { fingerprint: FINGERPRINT, stamp: STAMP } = GhostEntry.word;
const ENTRY_WORDS = GhostEntry.words;
const LINE_WORDS = GHOST_LINE_ENTRIES * ENTRY_WORDS;

/** The main queue's share of what is there: 90 % (SOSP'23), and the ghost remembers as many keys. */
export function ghostWindow(objects: number): number {
  return Math.floor((objects * 9) / 10);
}

/**
 * Lines for a shard of `capacity` objects: a power of two with at least two entries per key to remember, so that a line
 * overflows with live entries about once in fifty (Poisson, mean 4 of 8) and mostly loses one about to expire.
 */
export function ghostLinesFor(capacity: number): number {
  const entries = 2 * ghostWindow(capacity);
  let lines = 1;
  while (lines * GHOST_LINE_ENTRIES < entries) lines *= 2;
  return lines;
}

export class Ghost {
  private readonly words: Words;
  private readonly first: number;
  private readonly lineMask: number;
  private readonly clockWord: number;
  private readonly capacity: number;

  constructor(region: PolicyRegion) {
    const lines = region.ghostLines;
    assert(lines > 0 && (lines & (lines - 1)) === 0, 'the number of ghost lines is a power of two');
    this.words = region.words;
    this.first = region.ghost;
    this.lineMask = lines - 1;
    this.clockWord = region.head + PolicyHead.word.ghostClock;
    this.capacity = region.capacity;
  }

  /** Zeroed entries have a stamp of zero, which must lie outside any window. */
  reset(): void {
    this.words.fill(this.first, (this.lineMask + 1) * LINE_WORDS, 0);
    this.words.write(this.clockWord, this.capacity + 1);
  }

  add(hash: number): void {
    const words = this.words;
    const clock = words.read(this.clockWord);
    const line = this.lineOf(hash);
    let chosen = line;
    let oldest = -1;
    for (let word = line; word < line + LINE_WORDS; word += ENTRY_WORDS) {
      if (words.read(word + FINGERPRINT) === hash) {
        chosen = word;
        break;
      }
      // Read as unsigned, a stamp from the future is the oldest.
      const age = (clock - words.read(word + STAMP) - 1) >>> 0;
      if (age > oldest) {
        oldest = age;
        chosen = word;
      }
    }
    words.write(chosen + FINGERPRINT, hash);
    words.write(chosen + STAMP, clock);
    words.write(this.clockWord, (clock + 1) | 0);
  }

  /** Whether the key is remembered; it is forgotten by this. `window` is at most the shard's capacity. */
  take(hash: number, window: number): boolean {
    const words = this.words;
    const clock = words.read(this.clockWord);
    const line = this.lineOf(hash);
    for (let word = line; word < line + LINE_WORDS; word += ENTRY_WORDS) {
      if (words.read(word + FINGERPRINT) !== hash) continue;
      const age = (clock - words.read(word + STAMP)) | 0;
      if (age < 1 || age > window) continue;
      words.write(word + STAMP, (clock - this.capacity - 1) | 0);
      return true;
    }
    return false;
  }

  /** Mixed again: the bits that chose the shard are the same for all its keys. */
  private lineOf(hash: number): number {
    const mixed = Math.imul(hash ^ (hash >>> 16), 0x9e3779b1);
    return this.first + ((mixed ^ (mixed >>> 15)) & this.lineMask) * LINE_WORDS;
  }
}
