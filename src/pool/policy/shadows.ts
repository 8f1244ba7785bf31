/**
 * The shadows of adaptive 2Q: for each choice of sizes a cache of ids only, over a sample of the ids and a cache smaller by
 * as much. Whichever has hit more often of late is how the shard's own queues are sized. What they decide is worth as much
 * as many samples, so a shard decides alone.
 *
 * | step | words | function |
 * |---|---|---|
 * | hit in small | its counter is 1, unless it entered within the window | Shadow.access |
 * | hit in main | its counter grows, to 3 | Shadow.access |
 * | hit in the ghost | left there, put in main | Shadow.access |
 * | neither | put in small; what it replaces goes to main if its counter is 1 or main has room, else to the ghost | Shadow.access |
 * | put in main | the place goes round, each counter there less by one, until one is zero: replaced | Shadow.putMain |
 * | every SAMPLES requests | the choice, by the scores; the scores decay | Shadows.decide |
 *
 * (H1) small and ghost are rings, main is a clock: an id stays in its place, and its age in small is the ring's way from it.
 * (H2) written under the shard's lock only. Any words are valid but the choice, which is checked: places are taken modulo
 *      the length, ids and scores mean what they say. Each store may be the last before a crash: a sampled id is then in none
 *      or two of a shadow's queues, until it leaves them.
 * (H3) the shadow's small has at least SMALL_MIN places, as one of two would lose what the real one keeps.
 */
import type { Words } from '../../../lib/words.js';
import { CHOICES, ShadowEntry, ShadowHead } from './records.js';

/** In percent of the objects that there are; the window of small. */
export interface Sizes {
  readonly small: number;
  readonly ghost: number;
  readonly window: number;
}

/** The first is in use before anything is known: of all it is never far behind, and loops show only after a while. */
export const SIZES: readonly Sizes[] = [
  // Loops longer than the cache, and a working set that moves.
  { small: 10, ghost: 200, window: 50 },
  // A few pages are asked for much more often than all others.
  { small: 4, ghost: 60, window: 50 },
  // Bursts that a small of a tenth would not outlast.
  { small: 30, ghost: 30, window: 50 },
  // As the first, where what left long ago comes back for once only.
  { small: 10, ghost: 120, window: 50 },
  // What was asked for last is asked for next.
  { small: 50, ghost: 60, window: 0 },
];
export const GHOST_SHARE_MAX = Math.max(...SIZES.map(({ ghost }) => ghost));

/** Objects of a shadow. */
const SHADOW_OBJECTS = 64;
const SMALL_MIN = 4;
/** Requests between two decisions. */
const SAMPLES = 64;
const SCORE_OF_HIT = 256;
/** A decision takes a 64th from each score. */
const DECAY_SHIFT = 6;
/** Another choice must be better by a 128th and so many hits: fewer are chance. */
const LEAD_SHIFT = 7;
const LEAD_HITS = 16;
const COUNTER_MASK = 3;

export interface ShadowLengths {
  readonly small: number;
  readonly main: number;
  readonly ghost: number;
}

export function shadowObjects(capacity: number): number {
  return Math.min(SHADOW_OBJECTS, capacity);
}

export function shadowLengths(capacity: number, { small, ghost }: Sizes): ShadowLengths {
  const objects = shadowObjects(capacity);
  const least = Math.max(1, Math.min(SMALL_MIN, objects >> 2));
  const inSmall = Math.min(objects, Math.max(least, Math.floor((objects * small) / 100)));
  return { small: inSmall, main: objects - inSmall, ghost: Math.floor((objects * ghost) / 100) };
}

/** Words of all shadows of a shard that may hold so many objects. */
export function shadowWords(capacity: number): number {
  const lengths = SIZES.map((sizes) => shadowLengths(capacity, sizes));
  const entries = lengths.reduce((sum, { small, main, ghost }) => sum + small + main + ghost, 0);
  return ShadowHead.words + entries * ShadowEntry.words;
}

/** A bijection of 32-bit words, other than those by which tables are entered. */
function mixed(hash: number): number {
  let mix = Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d);
  mix = Math.imul(mix ^ (mix >>> 12), 0x297a2d39);
  return mix ^ (mix >>> 15);
}

class Shadow {
  readonly end: number;
  private readonly words: Words;
  private readonly smallNext: number;
  private readonly mainNext: number;
  private readonly ghostNext: number;
  private readonly small: number;
  private readonly main: number;
  private readonly ghost: number;
  private readonly window: number;

  constructor(words: Words, head: number, index: number, entries: number, lengths: ShadowLengths, window: number) {
    const { smallNext, mainNext, ghostNext } = ShadowHead.word;
    this.words = words;
    this.smallNext = head + smallNext + index;
    this.mainNext = head + mainNext + index;
    this.ghostNext = head + ghostNext + index;
    this.small = entries;
    this.main = this.small + lengths.small;
    this.ghost = this.main + lengths.main;
    this.end = this.ghost + lengths.ghost;
    this.window = window;
  }

  /** One request for the id, whose two lowest bits are zero. Whether it was a hit. */
  access(id: number): boolean {
    const { words } = this;
    const word = this.find(id);
    if (word < 0) {
      this.putSmall(id);
      return false;
    }
    if (word < this.main) {
      if (this.ageInSmall(word) >= this.window) words.write(word, id | 1);
      return true;
    }
    const entry = words.read(word);
    if (word < this.ghost) {
      if ((entry & COUNTER_MASK) < COUNTER_MASK) words.write(word, entry + 1);
      return true;
    }
    words.write(word, 0);
    this.putMain(id);
    return false;
  }

  /** The word where the id is, in whichever of the three; -1 where it is in none. All the work, in a loop that knows no rare cases. */
  private find(id: number): number {
    const { words, small, end } = this;
    for (let word = small; word < end; word++) if ((words.read(word) & ~COUNTER_MASK) === id) return word;
    return -1;
  }

  /** Ids that entered small since, this one included. */
  private ageInSmall(word: number): number {
    const length = this.main - this.small;
    const age = this.nextOf(this.smallNext, length) - (word - this.small);
    return age <= 0 ? age + length : age;
  }

  private putSmall(id: number): void {
    const { words, small, main } = this;
    const length = main - small;
    const next = this.nextOf(this.smallNext, length);
    const old = words.read(small + next);
    words.write(small + next, id);
    words.write(this.smallNext, next + 1 === length ? 0 : next + 1);
    if (old === 0) return;
    if ((old & COUNTER_MASK) !== 0 || this.mainHasRoom()) this.putMain(old & ~COUNTER_MASK);
    else this.putGhost(old);
  }

  /** At first. Else a shadow whose small is short would seem worse than it is until main has filled. */
  private mainHasRoom(): boolean {
    const { words, main, ghost } = this;
    return ghost > main && words.read(main + this.nextOf(this.mainNext, ghost - main)) === 0;
  }

  private putMain(id: number): void {
    const { words, main } = this;
    const length = this.ghost - main;
    if (length === 0) return;
    let next = this.nextOf(this.mainNext, length);
    // So many steps take all counters to zero.
    for (let left = COUNTER_MASK * length; left > 0; left--) {
      const entry = words.read(main + next);
      if ((entry & COUNTER_MASK) === 0) break;
      words.write(main + next, entry - 1);
      next = next + 1 === length ? 0 : next + 1;
    }
    words.write(main + next, id);
    words.write(this.mainNext, next + 1 === length ? 0 : next + 1);
  }

  private putGhost(id: number): void {
    const { words, ghost, end } = this;
    const length = end - ghost;
    if (length === 0) return;
    const next = this.nextOf(this.ghostNext, length);
    words.write(ghost + next, id);
    words.write(this.ghostNext, next + 1 === length ? 0 : next + 1);
  }

  private nextOf(word: number, length: number): number {
    const next = this.words.read(word) >>> 0;
    return next < length ? next : next % length;
  }
}

export class Shadows {
  private readonly words: Words;
  private readonly head: number;
  private readonly length: number;
  private readonly objects: number;
  private readonly shadows: readonly Shadow[];

  /** `head`: word of the ShadowHead. */
  constructor(words: Words, head: number, capacity: number) {
    this.words = words;
    this.head = head;
    this.length = shadowWords(capacity);
    this.objects = shadowObjects(capacity);
    let entries = head + ShadowHead.words;
    this.shadows = SIZES.map((sizes, index) => {
      const lengths = shadowLengths(capacity, sizes);
      const window = Math.floor((lengths.small * sizes.window) / 100);
      const shadow = new Shadow(words, head, index, entries, lengths, window);
      entries = shadow.end;
      return shadow;
    });
  }

  reset(): void {
    this.words.fill(this.head, this.length, 0);
  }

  /** The shard is full with so many objects: what the sample is taken of. A few more or less leave it as it is. */
  full(total: number): void {
    const word = this.head + ShadowHead.word.objects;
    if (Math.abs(total - this.words.read(word)) > total >> 4) this.words.write(word, total);
  }

  /** A request for a key of this hash. Whether a decision is due. Until something was evicted there is nothing to learn. */
  request(hash: number): boolean {
    const { words, head, shadows } = this;
    const { objects, samples, scores } = ShadowHead.word;
    const total = words.read(head + objects) >>> 0;
    if (total === 0) return false;
    const mix = mixed(hash);
    if ((mix >>> 0) * total >= this.objects * 0x1_0000_0000) return false;
    const id = mix & ~COUNTER_MASK || COUNTER_MASK + 1;
    for (let index = 0; index < CHOICES; index++) {
      if (!(shadows[index] as Shadow).access(id)) continue;
      const word = head + scores + index;
      words.write(word, words.read(word) + SCORE_OF_HIT);
    }
    const count = (words.read(head + samples) >>> 0) + 1;
    words.write(head + samples, count < SAMPLES ? count : 0);
    return count >= SAMPLES;
  }

  /** The choice to go on with, after this one. The scores decay. */
  decide(choice: number): number {
    const { words, head } = this;
    const first = head + ShadowHead.word.scores;
    const current = words.read(first + choice) >>> 0;
    let best = choice;
    let bestScore = current + (current >>> LEAD_SHIFT) + LEAD_HITS * SCORE_OF_HIT;
    for (let index = 0; index < CHOICES; index++) {
      const score = words.read(first + index) >>> 0;
      if (score > bestScore) {
        best = index;
        bestScore = score;
      }
      words.write(first + index, score - (score >>> DECAY_SHIFT));
    }
    return best;
  }
}
