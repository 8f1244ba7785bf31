/**
 * Bells: how a node that sleeps is woken. It says in a line of its own that it wants to be, and for which keys; whoever
 * publishes looks there afterwards and has the kernel ring.
 *
 * | from     | to       | by                          | what a crash right after leaves                                |
 * |----------|----------|-----------------------------|----------------------------------------------------------------|
 * | quiet    | armed    | the sleeper: arm            | an armed row of a dead node: rung in vain once, then quiet      |
 * | armed    | quiet    | a publisher: flush          | a sleeper that nobody rings: it looks by itself (W3 of waits.ts)|
 * | armed    | quiet    | the sleeper: disarm         | nothing                                                        |
 *
 * (K1) A sleeper stores its interest, that it is armed, and the pool-wide `asleep`, and then looks whether what it waits
 *      for is there. A publisher publishes, then loads `asleep`, then the armed rows and their interest. All by
 *      sequentially consistent atomics, so one of the two sees the other.
 * (K2) `asleep` is set back to 0 only from the value seen before the rows were looked at, and only when no armed row was
 *      left: every sleeper changes it after it armed. So publishing costs one load while nobody sleeps.
 * (K3) One ring for one arming: however much is published, a node that has not woken yet is rung once.
 * (K4) What a row says is a hint, and may lie: at worst a node is woken for nothing, or wakes by its own clock.
 * (K5) A call may be cut (see calls.ts). A bit of the interest is set before it is counted, and counted off before it is
 *      taken away; a node counts as armed when all of (K1) is stored; what was noted is noted until it was told. So a cut
 *      costs a ring for nothing, never one that does not come.
 *
 * These lines have many writers, one at a time for each word: that is for hosts with coherent memory. Nodes elsewhere
 * look again from time to time.
 */
import type { Doorbells } from '../../../lib/machine.js';
import type { Words } from '../../../lib/words.js';
import { BELL_INTERESTS, Control, type Geometry, NodeBell } from '../layout/index.js';
import type { Nodes } from './nodes.js';

const { armed: ARMED, bell: BELL, unheard: UNHEARD, interest: INTEREST } = NodeBell.word;

export class Bells {
  private readonly words: Words;
  private readonly nodes: Nodes;
  private readonly base: number;
  private readonly asleep: number;
  /** How many of this node's waits want each interest. */
  private readonly wanted = new Int32Array(BELL_INTERESTS);
  /** One of this node's waits wants everything. */
  private wantsAll = false;
  private isNoted = false;
  private noted = 0;
  /** The last arming was made to its end (K5). */
  private isArmed = false;
  /** Undefined where this machine has none. */
  port: Doorbells | undefined;
  /** This node itself published something: its own waits need no bell. */
  onOwn: (() => void) | undefined;

  constructor(words: Words, geometry: Geometry, nodes: Nodes) {
    this.words = words;
    this.nodes = nodes;
    this.base = geometry.regions.nodeBells.word;
    this.asleep = geometry.regions.control.word + Control.word.asleep;
  }

  private line(row: number): number {
    return this.base + row * NodeBell.words;
  }

  /** Something under a key with this tag was published or given up. Told to others by `flush`. */
  noteTag(tag: number): void {
    const interest = tag & (BELL_INTERESTS - 1);
    this.noted = this.isNoted && this.noted !== interest ? -1 : interest;
    this.isNoted = true;
  }

  /** Anything may have changed. */
  noteAll(): void {
    this.noted = -1;
    this.isNoted = true;
  }

  /** Rings for what was noted. After the lock is released: ringing is a system call. */
  flush(): void {
    if (!this.isNoted) return;
    this.onOwn?.();
    // ORDER bell-1: what was published before, then asleep and the rows; pairs with arm.
    const seen = this.words.load(this.asleep);
    if (seen !== 0) this.ringFor(this.noted, seen);
    // (K5)
    this.isNoted = false;
  }

  private ringFor(interest: number, seen: number): void {
    const { words, nodes } = this;
    const high = nodes.high();
    let left = false;
    for (let row = 0; row < high; row++) {
      const line = this.line(row);
      if (words.load(line + ARMED) !== 1) continue;
      if (row === nodes.self || !this.isInterested(line, interest)) left = true;
      else if (words.compareExchange(line + ARMED, 1, 0) === 1) this.ring(row);
    }
    if (!left) words.compareExchange(this.asleep, seen, 0);
  }

  private isInterested(line: number, interest: number): boolean {
    if (interest < 0) return true;
    return (this.words.load(line + INTEREST + (interest >> 5)) & (1 << (interest & 31))) !== 0;
  }

  private ring(row: number): void {
    const line = this.line(row);
    if (this.port?.ring(row, this.words.load(line + BELL)) !== true) this.words.store(line + UNHEARD, 1);
  }

  /** This node has the bell from now on; or none, with 0. */
  hangUp(bell: number): void {
    const line = this.line(this.nodes.self);
    this.words.store(line + UNHEARD, 0);
    this.words.store(line + BELL, bell);
  }

  /** Whether somebody could not ring this node. */
  isUnheard(): boolean {
    return this.words.load(this.line(this.nodes.self) + UNHEARD) !== 0;
  }

  private interestWord(index: number): number {
    return this.line(this.nodes.self) + INTEREST + index;
  }

  /** A node that only reads has no line to say it in. */
  want(tag: number): void {
    if (this.nodes.self < 0) return;
    const bit = tag & (BELL_INTERESTS - 1);
    if (this.wanted[bit] === 0) {
      const word = this.interestWord(bit >> 5);
      this.words.store(word, this.words.read(word) | (1 << (bit & 31)));
    }
    // (K5)
    this.wanted[bit] = (this.wanted[bit] as number) + 1;
  }

  unwant(tag: number): void {
    if (this.nodes.self < 0) return;
    const bit = tag & (BELL_INTERESTS - 1);
    const count = Math.max(0, (this.wanted[bit] as number) - 1);
    // (K5)
    this.wanted[bit] = count;
    if (count > 0 || this.wantsAll) return;
    const word = this.interestWord(bit >> 5);
    this.words.store(word, this.words.read(word) & ~(1 << (bit & 31)));
  }

  wantAll(): void {
    if (this.nodes.self < 0) return;
    this.wantsAll = true;
    for (let index = 0; index < BELL_INTERESTS / 32; index++) this.words.store(this.interestWord(index), -1);
  }

  unwantAll(): void {
    if (this.nodes.self < 0) return;
    this.wantsAll = false;
    for (let index = 0; index < BELL_INTERESTS / 32; index++) {
      let bits = 0;
      for (let bit = 0; bit < 32; bit++) if ((this.wanted[index * 32 + bit] as number) > 0) bits |= 1 << bit;
      this.words.store(this.interestWord(index), bits);
    }
  }

  /** Nobody here waits: whatever a cut has left counted. */
  wantNothing(): void {
    this.wanted.fill(0);
    this.unwantAll();
  }

  /** From now on this node is rung. The caller looks once more before it sleeps. */
  arm(): void {
    const { words } = this;
    const line = this.line(this.nodes.self);
    if (words.load(line + ARMED) === 1 && this.isArmed) return;
    this.isArmed = false;
    // ORDER bell-1: interest, armed, asleep, and only then the look at what was published; pairs with flush.
    words.store(line + ARMED, 1);
    while (words.add(this.asleep, 1) === -1);
    this.isArmed = true;
  }

  disarm(): void {
    this.words.store(this.line(this.nodes.self) + ARMED, 0);
  }

  /** Nothing is left of the bell of the row's earlier node. Called for a row that has no living node, or is this one's. */
  clearRow(row: number): void {
    const line = this.line(row);
    const bell = this.words.load(line + BELL);
    this.words.store(line + ARMED, 0);
    for (let i = 0; i < BELL_INTERESTS / 32; i++) this.words.store(line + INTEREST + i, 0);
    this.words.store(line + UNHEARD, 0);
    this.words.store(line + BELL, 0);
    if (bell !== 0) this.port?.remove(row, bell);
  }
}
