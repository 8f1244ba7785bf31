/**
 * Adaptive 2Q: Clock2Q+ (arXiv 2511.21958) with a 2-bit main queue, whose small queue and ghost take the sizes that have
 * hit most of late in shadows.ts. A page enters small; a hit there counts only once half of small has entered after it, so
 * that a burst is not taken for interest; with a hit that counts it goes on to main, else its hash to the ghost; a page
 * whose hash is in the ghost enters main at once. main gives another round for each hit, up to three.
 *
 * All of it is written by the holder of the shard's lock:
 *
 * | what happens | PolicyHead | PolicyEntry | ghost region |
 * |---|---|---|---|
 * | insert | entryClock, where it enters small | linked first, stamped with entryClock | entry taken out; request |
 * | touch in small, past the window | | counter 1 | request |
 * | touch in main | | counter + 1, to 3 | request |
 * | evict | ghostClock, where it left small | unlinked; others go round, or small to main | entry put in |
 * | request: every 64th that is sampled | choice | | scores decay |
 *
 * Where shards are small, one of them learns for its neighbours (`learner`), which have no shadows and ask for its choice at
 * every 16th entry into small: without its lock, since any choice is a good one. So a shard holds what it goes by in its own
 * words.
 *
 * The queues follow a choice by their own evictions. A crash after any store leaves words that mean something or are
 * reported: repair resets all and refills small, and what was learned is learned anew.
 *
 * Where this differs from the letter of the paper: the ghost forgets after so many departures, not beyond so many hashes,
 * and the parts are taken of what is there (two-queues.ts).
 */
import { OutOfLine } from '../../../lib/outofline.js';
import { LINE_WORDS } from '../../../lib/struct.js';
import { AgedGhost, agedGhostLines } from './aged-ghost.js';
import {
  ageOf,
  COUNTER_MAX,
  checkInfos,
  corrupt,
  counterOf,
  MAIN,
  type PolicyRegion,
  queueOf,
  resetQueues,
  SMALL,
} from './queue.js';
import { CHOICES, PolicyHead } from './records.js';
import { GHOST_SHARE_MAX, Shadows, SIZES, type Sizes, shadowWords } from './shadows.js';
import { TwoQueues } from './two-queues.js';

const PROMOTE_MIN = 1;
const IS_STAMPED = { isStamped: true };
/** Entries into small between two looks at the learner's choice, less one. */
const FOLLOW_MASK = 15;

/**
 * So many parts of a whole of them, of that many objects, rounded down. The half changes nothing but that floats are divided each time: a
 * division that comes out even until it is compiled is compiled anew when one does not.
 */
function partOf(objects: number, parts: number, whole: number): number {
  return Math.floor((objects * parts + 0.5) / whole);
}

function shadowLines(capacity: number): number {
  return Math.ceil(shadowWords(capacity) / LINE_WORDS);
}

function reachMaxOf(capacity: number): number {
  return Math.ceil((capacity * GHOST_SHARE_MAX) / 100);
}

/** Lines of the ghost region of a shard that may hold so many objects: its shadows, then its ghost. */
export function adaptive2QLines(capacity: number): number {
  return shadowLines(capacity) + agedGhostLines(reachMaxOf(capacity));
}

export class Adaptive2Q extends TwoQueues {
  private readonly choiceWord: number;
  private readonly clockWord: number;
  /** Of the shard that learns for this one. */
  private readonly learnedWord: number;
  private readonly shadows: Shadows | undefined;
  /** What is rare in it would cost the compiled code of all that it would be compiled into. */
  private readonly learning: OutOfLine<number, undefined, void>;
  private readonly ghost: AgedGhost;

  constructor(region: PolicyRegion) {
    super(region, PROMOTE_MIN, IS_STAMPED);
    const { words, head, ghost, ghostLines, capacity } = region;
    const before = shadowLines(capacity);
    this.choiceWord = head + PolicyHead.word.choice;
    this.clockWord = head + PolicyHead.word.entryClock;
    const learner = region.learner ?? head;
    this.learnedWord = learner + PolicyHead.word.choice;
    this.shadows = learner === head ? new Shadows(words, ghost, capacity) : undefined;
    const { shadows } = this;
    this.learning = new OutOfLine(shadows === undefined ? () => {} : (hash) => this.learn(shadows, hash));
    this.ghost = new AgedGhost(region, ghost + before * LINE_WORDS, ghostLines - before, reachMaxOf(capacity));
  }

  reset(): void {
    resetQueues(this.region);
    this.shadows?.reset();
    this.ghost.reset();
  }

  /** All into small: nothing is remembered of what left it. */
  refill(order: Int32Array, hashes: Int32Array): void {
    this.reset();
    this.small.refill(order, hashes);
    this.region.words.write(this.clockWord, order.length);
  }

  insert(slot: number, hash: number): void {
    const { words } = this.region;
    const total = this.count();
    this.learning.call(hash, undefined);
    const reach = partOf(total, this.sizes().ghost, 100);
    if (this.ghost.takeHash(hash, reach)) {
      this.main.put(slot, hash, 0);
      return;
    }
    const clock = words.read(this.clockWord);
    this.small.put(slot, hash, 0, clock);
    words.write(this.clockWord, (clock + 1) | 0);
    if ((clock & FOLLOW_MASK) === 0) this.follow();
  }

  touch(slot: number): void {
    const info = this.small.info(slot);
    if (info === 0) return;
    const queue = this.queueFor(info);
    const counter = counterOf(info);
    if (queueOf(info) === MAIN) {
      if (counter < COUNTER_MAX) queue.setCounter(slot, counter + 1);
    } else if (counter < PROMOTE_MIN && ageOf(info, this.region.words.read(this.clockWord)) >= this.window()) {
      queue.setCounter(slot, PROMOTE_MIN);
    }
    this.learning.call(queue.hash(slot), undefined);
  }

  check(problems: (message: string) => void): void {
    this.small.check(problems);
    this.main.check(problems);
    checkInfos(this.region, SMALL | MAIN, problems, IS_STAMPED);
    const choice = this.region.words.read(this.choiceWord);
    if (choice >>> 0 >= CHOICES) problems(`the choice is ${choice} of ${CHOICES}`);
  }

  protected smallShare(): number {
    return this.sizes().small;
  }

  protected remember(hash: number): void {
    this.ghost.add(hash);
  }

  override evict(isHeld: (slot: number) => boolean): number {
    this.shadows?.full(this.count());
    return super.evict(isHeld);
  }

  private choice(): number {
    const choice = this.region.words.read(this.choiceWord);
    if (choice >>> 0 >= CHOICES) corrupt(`the choice is ${choice} of ${CHOICES}`);
    return choice;
  }

  private sizes(): Sizes {
    return SIZES[this.choice()] as Sizes;
  }

  /** Pages that must have entered small after one for a hit of it to count. */
  private window(): number {
    const { small, window } = this.sizes();
    return partOf(this.count(), small * window, 10_000);
  }

  private learn(shadows: Shadows, hash: number): void {
    if (!shadows.request(hash)) return;
    const choice = this.choice();
    const next = shadows.decide(choice);
    if (next !== choice) this.region.words.write(this.choiceWord, next);
  }

  /** A learner whose words are damaged is met by its own shard. */
  private follow(): void {
    const { words } = this.region;
    if (this.learnedWord === this.choiceWord) return;
    const learned = words.read(this.learnedWord) >>> 0;
    if (learned < CHOICES && learned !== words.read(this.choiceWord)) words.write(this.choiceWord, learned);
  }
}
