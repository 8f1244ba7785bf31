/**
 * Exact LRU in the main queue: first is the most recently used.
 *
 * A held victim moves to the front: someone is using it now, which is what a touch says. So each held page is met once
 * per trip through the queue and not once per eviction, and when all are held the one pass turns the queue full circle,
 * order unchanged.
 */
import { assertRegion, checkInfos, MAIN, type Policy, type PolicyRegion, Queue, resetQueues } from './queue.js';

export class Lru implements Policy {
  private readonly region: PolicyRegion;
  private readonly queue: Queue;

  constructor(region: PolicyRegion) {
    assertRegion(region);
    this.region = region;
    this.queue = new Queue(region, MAIN);
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
    queue.unlink(slot);
  }

  touch(slot: number): void {
    const queue = this.queue;
    if (queue.info(slot) !== 0) queue.requeue(slot, queue.counter(slot));
  }

  evict(isHeld: (slot: number) => boolean): number {
    const queue = this.queue;
    for (let left = queue.count(); left > 0; left--) {
      const slot = queue.last();
      const counter = queue.counter(slot);
      if (!isHeld(slot)) {
        queue.unlink(slot);
        return slot;
      }
      queue.requeue(slot, counter);
    }
    return -1;
  }

  count(): number {
    return this.queue.count();
  }

  check(problems: (message: string) => void): void {
    this.queue.check(problems);
    checkInfos(this.region, MAIN, problems);
  }
}
