/**
 * S3-FIFO (Yang et al., SOSP'23, Algorithm 1): pages enter a small queue, go on to the main queue when they were hit
 * more than once by the time they leave it (their counter is cleared then, §4.1), and their hashes to the ghost
 * otherwise; a page whose hash is in the ghost enters main at once.
 *
 * Where this differs from the letter of the paper:
 * - Shards are limited by bytes too, so the 10 % and the ghost's size are taken of what is there, not of a capacity.
 *   In a full shard limited by count the two are the same.
 * - One call gives one victim: the queue is chosen anew after a promotion. The paper evicts from main when a promotion
 *   overfills it and then still one from small, which leaves room for two.
 * - A held victim is put first again in its own queue: a page in use has a claim to another trip, and is then met once
 *   per trip, not once per eviction. It is not promoted for being held, since a scan holds every page it reads for a
 *   while. If all of one queue is held, the order is as before, and the other queue gives the victim.
 *
 * The loop of evict is bounded: small is passed once, and in main each page is met at most COUNTER_MAX times until its
 * counter is zero and once more until it is taken or found held.
 */
import { Ghost, ghostSize } from './ghost.js';
import {
  assertRegion,
  COUNTER_MAX,
  checkInfos,
  corrupt,
  counterOf,
  MAIN,
  type Policy,
  type PolicyRegion,
  Queue,
  queueOf,
  resetQueues,
  SMALL,
} from './queue.js';

/** A counter of this or more on leaving small leads to main. */
const PROMOTE_MIN = 2;

export class S3Fifo implements Policy {
  private readonly region: PolicyRegion;
  private readonly slots: number;
  private readonly small: Queue;
  private readonly main: Queue;
  private readonly ghost: Ghost;

  constructor(region: PolicyRegion) {
    assertRegion(region);
    this.region = region;
    this.slots = region.slots;
    this.small = new Queue(region, SMALL);
    this.main = new Queue(region, MAIN);
    this.ghost = new Ghost(region);
  }

  reset(): void {
    resetQueues(this.region);
    this.ghost.reset();
  }

  /** All into small: nothing is remembered of what left it. */
  refill(order: Int32Array, hashes: Int32Array): void {
    this.reset();
    this.small.refill(order, hashes);
  }

  insert(slot: number, hash: number): void {
    const queue = this.ghost.takeHash(hash | 0) ? this.main : this.small;
    queue.put(slot, hash, 0);
  }

  remove(slot: number): void {
    const info = this.small.info(slot);
    if (info !== 0) this.queueFor(info).unlink(slot);
  }

  touch(slot: number): void {
    const info = this.small.info(slot);
    if (info === 0) return;
    const counter = counterOf(info);
    if (counter < COUNTER_MAX) this.queueFor(info).setCounter(slot, counter + 1);
  }

  evict(isHeld: (slot: number) => boolean): number {
    const { small, main } = this;
    const total = this.count();
    let inSmall = small.count();
    let inMain = total - inSmall;
    let smallLeft = inSmall;
    let mainLeft = (COUNTER_MAX + 1) * total;
    let heldInRow = 0;
    for (;;) {
      const mainSpent = mainLeft === 0 || (inMain > 0 && heldInRow >= inMain);
      if (smallLeft > 0 && (inSmall * 10 >= total || inMain === 0 || mainSpent)) {
        smallLeft -= 1;
        const slot = small.last();
        const counter = small.counter(slot);
        // With all of main held, a promotion would only hide a victim there.
        if (counter >= PROMOTE_MIN && !mainSpent) {
          this.promote(slot);
          inSmall -= 1;
          inMain += 1;
        } else if (isHeld(slot)) {
          small.requeue(slot, counter);
        } else {
          small.unlink(slot);
          this.ghost.add(small.hash(slot), ghostSize(total));
          return slot;
        }
      } else {
        if (inMain === 0 || mainSpent) return -1;
        mainLeft -= 1;
        const slot = main.last();
        const counter = main.counter(slot);
        if (counter > 0) {
          main.requeue(slot, counter - 1);
          heldInRow = 0;
        } else if (isHeld(slot)) {
          main.requeue(slot, 0);
          heldInRow += 1;
        } else {
          main.unlink(slot);
          return slot;
        }
      }
    }
  }

  count(): number {
    const count = this.small.count() + this.main.count();
    if (count > this.slots) corrupt(`the queues count ${count} of ${this.slots} slots`);
    return count;
  }

  check(problems: (message: string) => void): void {
    this.small.check(problems);
    this.main.check(problems);
    checkInfos(this.region, SMALL | MAIN, problems);
    this.ghost.check(problems);
  }

  private promote(slot: number): void {
    const hash = this.small.hash(slot);
    this.small.unlink(slot);
    this.main.put(slot, hash, 0);
  }

  private queueFor(info: number): Queue {
    const queue = queueOf(info);
    if (queue === 0) corrupt(`info ${info} is of no queue`);
    return queue === SMALL ? this.small : this.main;
  }
}
