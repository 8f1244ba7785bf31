/**
 * What S3-FIFO and adaptive 2Q share: pages enter a small queue and go on to a main queue when they were hit enough by the
 * time they leave it; main gives another round for each hit counted.
 *
 * - Shards are limited by bytes too, so the small queue's part is taken of what is there, not of a capacity.
 * - One call gives one victim: the queue is chosen anew after a promotion.
 * - A held victim is put first again in its own queue: a page in use has a claim to another trip, and is then met once
 *   per trip, not once per eviction. It is not promoted for being held, since a scan holds every page it reads for a
 *   while. If all of one queue is held, the order is as before, and the other queue gives the victim.
 *
 * The loop of evict is bounded: small is passed once, and in main each page is met at most COUNTER_MAX times until its
 * counter is zero and once more until it is taken or found held.
 */
import {
  assertRegion,
  COUNTER_MAX,
  corrupt,
  MAIN,
  type Policy,
  type PolicyRegion,
  Queue,
  queueOf,
  SMALL,
} from './queue.js';

export abstract class TwoQueues implements Policy {
  protected readonly region: PolicyRegion;
  protected readonly small: Queue;
  protected readonly main: Queue;
  private readonly slots: number;
  private readonly promoteMin: number;

  /** `promoteMin`: a counter of this or more on leaving small leads to main. */
  constructor(region: PolicyRegion, promoteMin: number, options: { isStamped: boolean }) {
    assertRegion(region);
    this.region = region;
    this.slots = region.slots;
    this.promoteMin = promoteMin;
    this.small = new Queue(region, SMALL, options);
    this.main = new Queue(region, MAIN, options);
  }

  abstract reset(): void;
  abstract refill(order: Int32Array, hashes: Int32Array): void;
  abstract insert(slot: number, hash: number): void;
  abstract touch(slot: number): void;
  abstract check(problems: (message: string) => void): void;

  /** The small queue's part of what is there, in percent. */
  protected abstract smallShare(): number;
  /** A page left small for good, of `total` that were there. */
  protected abstract remember(hash: number, total: number): void;

  remove(slot: number): void {
    const info = this.small.info(slot);
    if (info !== 0) this.queueFor(info).unlink(slot);
  }

  evict(isHeld: (slot: number) => boolean): number {
    const { small, main, promoteMin } = this;
    const total = this.count();
    const smallWanted = total * this.smallShare();
    let inSmall = small.count();
    let inMain = total - inSmall;
    let smallLeft = inSmall;
    let mainLeft = (COUNTER_MAX + 1) * total;
    let heldInRow = 0;
    for (;;) {
      const mainSpent = mainLeft === 0 || (inMain > 0 && heldInRow >= inMain);
      if (smallLeft > 0 && (inSmall * 100 >= smallWanted || inMain === 0 || mainSpent)) {
        smallLeft -= 1;
        const slot = small.last();
        const counter = small.counter(slot);
        // With all of main held, a promotion would only hide a victim there.
        if (counter >= promoteMin && !mainSpent) {
          this.promote(slot);
          inSmall -= 1;
          inMain += 1;
        } else if (isHeld(slot)) {
          small.requeue(slot, counter);
        } else {
          small.unlink(slot);
          this.remember(small.hash(slot), total);
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

  protected queueFor(info: number): Queue {
    const queue = queueOf(info);
    if (queue === 0) corrupt(`info ${info} is of no queue`);
    return queue === SMALL ? this.small : this.main;
  }

  private promote(slot: number): void {
    const hash = this.small.hash(slot);
    this.small.unlink(slot);
    this.main.put(slot, hash, 0);
  }
}
