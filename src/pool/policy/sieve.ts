/**
 * SIEVE (Zhang et al., NSDI'24, Algorithm 1) in the main queue: new pages are put first, nothing ever moves, and the
 * hand goes from the last to the first and around, clearing the visited mark (the counter, 0 or 1) until it meets an
 * unmarked page. The hand is a link (R2) in shared words: the next process goes on where this one stopped.
 *
 * A held victim is stepped over and stays where it is: the hand moves on anyway, so this costs no order and no repeated
 * walk. Two rounds decide at most: after the first no mark is left, so the second meets a victim or all are held.
 */
import type { Words } from '../../../lib/words.js';
import { assertRegion, checkInfos, MAIN, type Policy, type PolicyRegion, Queue, resetQueues } from './queue.js';
import { PolicyHead } from './records.js';

export class Sieve implements Policy {
  private readonly region: PolicyRegion;
  private readonly words: Words;
  private readonly queue: Queue;
  private readonly handWord: number;

  constructor(region: PolicyRegion) {
    assertRegion(region);
    this.region = region;
    this.words = region.words;
    this.queue = new Queue(region, MAIN);
    this.handWord = region.head + PolicyHead.word.hand;
  }

  reset(): void {
    resetQueues(this.region);
  }

  refill(order: Int32Array, hashes: Int32Array): void {
    this.reset();
    this.queue.refill(order, hashes);
  }

  insert(slot: number, hash: number): void {
    this.queue.put(slot, hash, 0);
  }

  remove(slot: number): void {
    const queue = this.queue;
    if (queue.info(slot) === 0) return;
    queue.counter(slot);
    const previous = queue.previous(slot);
    queue.unlink(slot);
    if (this.words.read(this.handWord) === slot + 1) this.words.write(this.handWord, previous + 1);
  }

  touch(slot: number): void {
    const queue = this.queue;
    if (queue.info(slot) !== 0 && queue.counter(slot) === 0) queue.setCounter(slot, 1);
  }

  evict(isHeld: (slot: number) => boolean): number {
    const queue = this.queue;
    const count = queue.count();
    if (count === 0) return -1;
    let slot = this.hand();
    let heldInRow = 0;
    for (let left = 2 * count; left > 0 && heldInRow < count; left--) {
      const previous = queue.previous(slot);
      if (queue.counter(slot) !== 0) {
        queue.setCounter(slot, 0);
        heldInRow = 0;
      } else if (!isHeld(slot)) {
        queue.unlink(slot);
        this.words.write(this.handWord, previous + 1);
        return slot;
      } else {
        heldInRow += 1;
      }
      slot = previous < 0 ? queue.last() : previous;
    }
    return -1;
  }

  count(): number {
    return this.queue.count();
  }

  check(problems: (message: string) => void): void {
    this.queue.check(problems);
    checkInfos(this.region, MAIN, problems);
    const link = this.words.read(this.handWord);
    if (link === 0) return;
    if (link >>> 0 > this.region.slots) problems(`the hand is link ${link} of ${this.region.slots} slots`);
    else if (!this.queue.holds(link - 1)) problems(`the hand is at slot ${link - 1}, which is not queued`);
  }

  /** As the words say: the queue checks the range of every slot it is asked about. */
  private hand(): number {
    const link = this.words.read(this.handWord);
    return link === 0 ? this.queue.last() : link - 1;
  }
}
