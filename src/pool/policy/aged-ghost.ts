/**
 * The ghost of adaptive 2Q: the hashes that left the small queue lately, each remembered for so many departures, and
 * forgotten at its first hit. How many is asked anew each time: a ghost of another size needs no other table.
 *
 * (G1) an entry counts while its stamp, the ghost clock at its departure, is at most `reach` departures back.
 * (G2) stamps have 16 bits and a unit, so that the longest reach is at most a quarter of them. An entry that is older than
 *      all of them passes for a young one; before that 16 others have left by its line, all but surely, and the oldest of a
 *      line is the one that is overwritten.
 * (G3) any words are valid: a wrong entry, or one that shares its 16 bits with another of its line (one look-up in 4,096),
 *      sends a page into the wrong queue.
 */
import { nextSequence } from '../../../lib/sequence.js';
import { LINE_WORDS } from '../../../lib/struct.js';
import type { Words } from '../../../lib/words.js';
import type { PolicyRegion } from './queue.js';
import { PolicyHead } from './records.js';

const STAMP_BITS = 16;
const STAMP_MASK = 2 ** STAMP_BITS - 1;
/** Of a line's 16 entries, on average, where all that is remembered is of different hashes: one line in ten overflows. */
const LINE_FILL = 12;

/** Lines for hashes that are remembered for so many departures. */
export function agedGhostLines(reachMax: number): number {
  return Math.max(1, Math.ceil(reachMax / LINE_FILL));
}

export class AgedGhost {
  private readonly words: Words;
  private readonly table: number;
  private readonly lines: number;
  private readonly clockWord: number;
  /** Departures of one stamp are 2 to this. */
  private readonly unitBits: number;

  /** `table`: word of the first line. `reachMax`: the longest reach that is ever asked for. */
  constructor(region: PolicyRegion, table: number, lines: number, reachMax: number) {
    this.words = region.words;
    this.table = table;
    this.lines = lines;
    this.clockWord = region.head + PolicyHead.word.ghostClock;
    let unitBits = 0;
    while (reachMax > 2 ** (STAMP_BITS - 2 + unitBits)) unitBits += 1;
    this.unitBits = unitBits;
  }

  reset(): void {
    this.words.write(this.clockWord, 0);
    this.words.fill(this.table, this.lines * LINE_WORDS, 0);
  }

  add(hash: number): void {
    const { words } = this;
    const clock = words.read(this.clockWord);
    const stamp = this.stampOf(clock);
    const fingerprint = fingerprintOf(hash);
    const line = this.lineOf(hash);
    let chosen = line;
    let oldest = -1;
    for (let word = line; word < line + LINE_WORDS; word++) {
      const entry = words.read(word);
      if (entry === 0 || entry >>> STAMP_BITS === fingerprint) {
        chosen = word;
        break;
      }
      const age = (stamp - entry) & STAMP_MASK;
      if (age > oldest) {
        oldest = age;
        chosen = word;
      }
    }
    words.write(chosen, (fingerprint << STAMP_BITS) | stamp);
    words.write(this.clockWord, nextSequence(clock));
  }

  /** Whether the hash left at most `reach` departures ago; it is forgotten by this, in any case. */
  takeHash(hash: number, reach: number): boolean {
    const { words } = this;
    const stamp = this.stampOf(words.read(this.clockWord));
    const fingerprint = fingerprintOf(hash);
    const line = this.lineOf(hash);
    for (let word = line; word < line + LINE_WORDS; word++) {
      const entry = words.read(word);
      if (entry === 0) return false;
      if (entry >>> STAMP_BITS !== fingerprint) continue;
      this.forget(word, line);
      return ((stamp - entry) & STAMP_MASK) << this.unitBits <= reach;
    }
    return false;
  }

  /** The last entry of the line takes its place: those in use come first, and a search ends at the first that is not. */
  private forget(word: number, line: number): void {
    const { words } = this;
    let last = line + LINE_WORDS - 1;
    while (last > word && words.read(last) === 0) last--;
    words.write(word, words.read(last));
    words.write(last, 0);
  }

  private stampOf(clock: number): number {
    return (clock >>> this.unitBits) & STAMP_MASK;
  }

  /** Mixed again: the bits that chose the shard are the same for all its keys. */
  private lineOf(hash: number): number {
    const mixed = Math.imul(hash ^ (hash >>> 16), 0x9e3779b1) >>> 0;
    return this.table + Math.floor((mixed * this.lines) / 0x1_0000_0000) * LINE_WORDS;
  }
}

function fingerprintOf(hash: number): number {
  return Math.imul(hash ^ (hash >>> 15), 0x85ebca6b) >>> STAMP_BITS || 1;
}
