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

/** Pages enter small, go on to main when they were hit enough, and main gives another round for each hit. */
abstract class ReferenceTwoQueues implements Reference {
  protected small: number[] = [];
  protected main: number[] = [];
  protected readonly counters = new Map<number, number>();
  private readonly capacity: number | undefined;
  private readonly promoteMin: number;

  /** With a capacity, parts are taken of it as in the papers, else of what is there. */
  constructor(promoteMin: number, capacity?: number) {
    this.promoteMin = promoteMin;
    this.capacity = capacity;
  }

  abstract insert(key: number): void;
  abstract touch(key: number): void;
  /** Of small, in percent. */
  protected abstract smallShare(): number;
  protected abstract remember(key: number, total: number): void;

  remove(key: number): void {
    this.small = without(this.small, key);
    this.main = without(this.main, key);
    this.counters.delete(key);
  }

  protected total(): number {
    return this.capacity ?? this.small.length + this.main.length;
  }

  evict(isHeld: (key: number) => boolean): number {
    const total = this.total();
    const met = new Set<number>();
    const takesSmall = () => this.small.length >= (total * this.smallShare()) / 100 || this.main.length === 0;
    while (takesSmall() && this.small.some((key) => !met.has(key))) {
      const key = this.small.pop() as number;
      if ((this.counters.get(key) as number) >= this.promoteMin) {
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
    this.remember(key, total);
    this.counters.delete(key);
    return key;
  }
}

export class ReferenceS3Fifo extends ReferenceTwoQueues {
  private ghost: number[] = [];

  constructor(capacity?: number) {
    super(2, capacity);
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

  touch(key: number): void {
    const counter = this.counters.get(key);
    if (counter !== undefined) this.counters.set(key, Math.min(3, counter + 1));
  }

  protected smallShare(): number {
    return 10;
  }

  protected remember(key: number, total: number): void {
    const size = Math.floor((total * 9) / 10);
    if (size > 0) {
      while (this.ghost.length >= size) this.ghost.shift();
      this.ghost.push(key);
    }
  }
}

/** One of the caches by which adaptive 2Q chooses; the newest first. */
class ReferenceShadow {
  private readonly lengths: readonly [small: number, main: number, ghost: number];
  private readonly window: number;
  /** Each with the number of entries before it. */
  private small: { key: number; entry: number; counter: number }[] = [];
  private main: { key: number; counter: number }[] = [];
  /** A hit leaves a hole. */
  private ghost: number[] = [];
  private entries = 0;

  constructor(objects: number, [small, ghost, window]: readonly [number, number, number]) {
    const inSmall = Math.max(1, Math.min(4, Math.floor(objects / 4)), Math.floor((objects * small) / 100));
    this.lengths = [inSmall, objects - inSmall, Math.floor((objects * ghost) / 100)];
    this.window = Math.floor((inSmall * window) / 100);
  }

  access(key: number): boolean {
    const [smallLength, mainLength, ghostLength] = this.lengths;
    const inSmall = this.small.find((one) => one.key === key);
    if (inSmall !== undefined) {
      if (this.entries - inSmall.entry >= this.window) inSmall.counter = 1;
      return true;
    }
    const inMain = this.main.find((one) => one.key === key);
    if (inMain !== undefined) {
      inMain.counter = Math.min(3, inMain.counter + 1);
      return true;
    }
    const hole = this.ghost.indexOf(key);
    if (hole >= 0) {
      this.ghost[hole] = -1;
      this.enterMain(key);
      return false;
    }
    const oldest = this.small.length === smallLength ? this.small.pop() : undefined;
    this.small.unshift({ key, entry: this.entries, counter: 0 });
    this.entries += 1;
    if (oldest === undefined) return false;
    if (oldest.counter > 0 || this.main.length < mainLength) this.enterMain(oldest.key);
    else this.ghost = [oldest.key, ...this.ghost].slice(0, ghostLength);
    return false;
  }

  private enterMain(key: number): void {
    const mainLength = this.lengths[1];
    if (mainLength === 0) return;
    while (this.main.length === mainLength) {
      const last = this.main.pop()!;
      if (last.counter > 0) this.main.unshift({ key: last.key, counter: last.counter - 1 });
    }
    this.main.unshift({ key, counter: 0 });
  }
}

/** Small, ghost and window, in percent. */
const ADAPTIVE_SIZES = [
  [10, 200, 50],
  [4, 60, 50],
  [30, 30, 50],
  [10, 120, 50],
  [50, 60, 0],
] as const;

export class ReferenceAdaptive2Q extends ReferenceTwoQueues {
  choice = 0;
  /** How often it chose anew. */
  changes = 0;
  private readonly entered = new Map<number, number>();
  private readonly left = new Map<number, number>();
  private readonly shadows: readonly ReferenceShadow[];
  private readonly shadowObjects: number;
  private readonly hash: (key: number) => number;
  private scores = ADAPTIVE_SIZES.map(() => 0);
  private samples = 0;
  /** Those of which a sample is taken. */
  private objects = 0;
  private entries = 0;
  private departures = 0;

  constructor(capacity: number, hash: (key: number) => number) {
    super(1);
    this.hash = hash;
    this.shadowObjects = Math.min(64, capacity);
    this.shadows = ADAPTIVE_SIZES.map((sizes) => new ReferenceShadow(this.shadowObjects, sizes));
  }

  insert(key: number): void {
    this.request(key);
    const [, ghost] = ADAPTIVE_SIZES[this.choice]!;
    const reach = Math.floor((this.total() * ghost) / 100);
    const left = this.left.get(key);
    this.left.delete(key);
    this.counters.set(key, 0);
    if (left !== undefined && this.departures - left <= reach) {
      this.main.unshift(key);
    } else {
      this.small.unshift(key);
      this.entered.set(key, this.entries);
      this.entries += 1;
    }
  }

  touch(key: number): void {
    const counter = this.counters.get(key);
    if (counter === undefined) return;
    const [small, , window] = ADAPTIVE_SIZES[this.choice]!;
    const wait = Math.floor((this.total() * small * window) / 10_000);
    if (this.main.includes(key)) this.counters.set(key, Math.min(3, counter + 1));
    else if (this.entries - this.entered.get(key)! >= wait) this.counters.set(key, 1);
    this.request(key);
  }

  override evict(isHeld: (key: number) => boolean): number {
    const total = this.total();
    if (Math.abs(total - this.objects) > Math.floor(total / 16)) this.objects = total;
    return super.evict(isHeld);
  }

  protected smallShare(): number {
    return ADAPTIVE_SIZES[this.choice]![0];
  }

  protected remember(key: number): void {
    this.left.set(key, this.departures);
    this.departures += 1;
  }

  private request(key: number): void {
    let mix = this.hash(key);
    mix = Math.imul(mix ^ (mix >>> 15), 0x2c1b3c6d);
    mix = Math.imul(mix ^ (mix >>> 12), 0x297a2d39);
    const place = (mix ^ (mix >>> 15)) >>> 0;
    if (this.objects === 0 || (place / 2 ** 32) * this.objects >= this.shadowObjects) return;
    for (const [index, shadow] of this.shadows.entries()) if (shadow.access(key)) this.scores[index]! += 256;
    this.samples += 1;
    if (this.samples < 64) return;
    this.samples = 0;
    const mine = this.scores[this.choice]!;
    const best = Math.max(...this.scores);
    if (best > mine + Math.floor(mine / 128) + 16 * 256) {
      this.choice = this.scores.indexOf(best);
      this.changes += 1;
    }
    this.scores = this.scores.map((score) => score - Math.floor(score / 64));
  }
}
