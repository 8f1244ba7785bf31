/** The policies once more, written for obviousness: arrays with the first of the queue at index 0, and Maps, of keys. */
export interface Reference {
  insert(key: number): void;
  remove(key: number): void;
  touch(key: number): void;
  evict(isHeld: (key: number) => boolean): number;
}

function without(queue: number[], key: number): number[] {
  return queue.filter((one) => one !== key);
}

export class ReferenceLru implements Reference {
  private queue: number[] = [];

  insert(key: number): void {
    this.queue.unshift(key);
  }

  remove(key: number): void {
    this.queue = without(this.queue, key);
  }

  touch(key: number): void {
    if (this.queue.includes(key)) this.queue = [key, ...without(this.queue, key)];
  }

  evict(isHeld: (key: number) => boolean): number {
    const victim = this.queue.findLast((key) => !isHeld(key));
    if (victim === undefined) return -1;
    // The held ones met on the way go to the front in that order, so the last one met comes first.
    const met = this.queue.splice(this.queue.indexOf(victim)).slice(1);
    this.queue.unshift(...met);
    return victim;
  }
}

export class ReferenceSieve implements Reference {
  private queue: number[] = [];
  private readonly visited = new Set<number>();
  /** The key to look at next; undefined: the last. */
  private hand: number | undefined;

  insert(key: number): void {
    this.queue.unshift(key);
    this.visited.delete(key);
  }

  remove(key: number): void {
    const index = this.queue.indexOf(key);
    if (index < 0) return;
    if (this.hand === key) this.hand = this.queue[index - 1];
    this.queue.splice(index, 1);
  }

  touch(key: number): void {
    if (this.queue.includes(key)) this.visited.add(key);
  }

  evict(isHeld: (key: number) => boolean): number {
    let index = this.hand === undefined ? this.queue.length - 1 : this.queue.indexOf(this.hand);
    for (let step = 0; step < 2 * this.queue.length; step++) {
      const key = this.queue[index] as number;
      if (!this.visited.delete(key) && !isHeld(key)) {
        this.hand = this.queue[index - 1];
        this.queue.splice(index, 1);
        return key;
      }
      index = index === 0 ? this.queue.length - 1 : index - 1;
    }
    return -1;
  }
}

export class ReferenceS3Fifo implements Reference {
  private small: number[] = [];
  private main: number[] = [];
  private ghost: number[] = [];
  private readonly counters = new Map<number, number>();
  private readonly capacity: number | undefined;

  /** With a capacity, 10 % and 90 % are taken of it as in the paper, else of what is there. */
  constructor(capacity?: number) {
    this.capacity = capacity;
  }

  insert(key: number): void {
    this.counters.set(key, 0);
    if (this.ghost.includes(key)) {
      this.ghost = without(this.ghost, key);
      this.main.unshift(key);
    } else {
      this.small.unshift(key);
    }
  }

  remove(key: number): void {
    this.small = without(this.small, key);
    this.main = without(this.main, key);
    this.counters.delete(key);
  }

  touch(key: number): void {
    const counter = this.counters.get(key);
    if (counter !== undefined) this.counters.set(key, Math.min(3, counter + 1));
  }

  evict(isHeld: (key: number) => boolean): number {
    const total = this.capacity ?? this.small.length + this.main.length;
    const met = new Set<number>();
    const takesSmall = () => this.small.length >= total / 10 || this.main.length === 0;
    while (takesSmall() && this.small.some((key) => !met.has(key))) {
      const key = this.small.pop() as number;
      if ((this.counters.get(key) as number) > 1) {
        this.main.unshift(key);
        this.counters.set(key, 0);
      } else if (isHeld(key)) {
        met.add(key);
        this.small.unshift(key);
      } else {
        return this.leaveSmall(key, total);
      }
    }
    const free = this.main.some((key) => !isHeld(key));
    if (!free) return this.evictHeldMain(isHeld, met, total);
    for (;;) {
      const key = this.main.pop() as number;
      const counter = this.counters.get(key) as number;
      if (counter === 0 && !isHeld(key)) {
        this.counters.delete(key);
        return key;
      }
      this.main.unshift(key);
      this.counters.set(key, Math.max(0, counter - 1));
    }
  }

  /** All of main is held: it comes down to zeroes, then small gives the oldest that is not held. */
  private evictHeldMain(isHeld: (key: number) => boolean, met: Set<number>, total: number): number {
    for (let row = 0; row < this.main.length; ) {
      const key = this.main.pop() as number;
      const counter = this.counters.get(key) as number;
      this.counters.set(key, Math.max(0, counter - 1));
      this.main.unshift(key);
      row = counter === 0 ? row + 1 : 0;
    }
    while (this.small.some((key) => !met.has(key))) {
      const key = this.small.pop() as number;
      if (!isHeld(key)) return this.leaveSmall(key, total);
      met.add(key);
      this.small.unshift(key);
    }
    return -1;
  }

  private leaveSmall(key: number, total: number): number {
    const size = Math.floor((total * 9) / 10);
    if (size > 0) {
      while (this.ghost.length >= size) this.ghost.shift();
      this.ghost.push(key);
    }
    this.counters.delete(key);
    return key;
  }
}
