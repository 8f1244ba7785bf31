/**
 * S3-FIFO (Yang et al., SOSP'23, Algorithm 1): pages enter a small queue, go on to the main queue when they were hit
 * more than once by the time they leave it (their counter is cleared then, §4.1), and their hashes to the ghost
 * otherwise; a page whose hash is in the ghost enters main at once.
 *
 * Where this differs from the letter of the paper:
 * - The 10 % and the ghost's size are taken of what is there (two-queues.ts). In a full shard limited by count the two are
 *   the same.
 * - The paper evicts from main when a promotion overfills it and then still one from small, which leaves room for two; here
 *   the queue is chosen anew after a promotion.
 */
import { Ghost, ghostSize } from './ghost.js';
import { COUNTER_MAX, checkInfos, counterOf, MAIN, type PolicyRegion, resetQueues, SMALL } from './queue.js';
import { TwoQueues } from './two-queues.js';

/** A counter of this or more on leaving small leads to main. */
const PROMOTE_MIN = 2;
const SMALL_SHARE = 10;

export class S3Fifo extends TwoQueues {
  private readonly ghost: Ghost;

  constructor(region: PolicyRegion) {
    super(region, PROMOTE_MIN, { isStamped: false });
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

  touch(slot: number): void {
    const info = this.small.info(slot);
    if (info === 0) return;
    const counter = counterOf(info);
    if (counter < COUNTER_MAX) this.queueFor(info).setCounter(slot, counter + 1);
  }

  check(problems: (message: string) => void): void {
    this.small.check(problems);
    this.main.check(problems);
    checkInfos(this.region, SMALL | MAIN, problems);
    this.ghost.check(problems);
  }

  protected smallShare(): number {
    return SMALL_SHARE;
  }

  protected remember(hash: number, total: number): void {
    this.ghost.add(hash, ghostSize(total));
  }
}
