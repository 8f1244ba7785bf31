/**
 * SlotList: a doubly linked list over slot numbers 0..capacity-1, kept in two typed arrays. The queue of every policy.
 *
 * (S1) A slot is in at most one list of a group that shares its links; who moves a slot removes it first.
 * (S2) Head is the newest end, tail the oldest; NONE ends both ways.
 */
export const NONE = -1;

/** The links of a group of lists: a slot has one predecessor and one successor, in whichever list it is. */
export class SlotLinks {
  /** Towards the head. */
  readonly newer: Int32Array;
  /** Towards the tail. */
  readonly older: Int32Array;

  constructor(capacity: number) {
    this.newer = new Int32Array(capacity).fill(NONE);
    this.older = new Int32Array(capacity).fill(NONE);
  }
}

export class SlotList {
  head = NONE;
  tail = NONE;
  count = 0;
  private readonly links: SlotLinks;

  constructor(links: SlotLinks) {
    this.links = links;
  }

  pushHead(slot: number): void {
    const { newer, older } = this.links;
    newer[slot] = NONE;
    older[slot] = this.head;
    if (this.head === NONE) this.tail = slot;
    else newer[this.head] = slot;
    this.head = slot;
    this.count += 1;
  }

  remove(slot: number): void {
    const { newer, older } = this.links;
    const above = newer[slot]!;
    const below = older[slot]!;
    if (above === NONE) this.head = below;
    else older[above] = below;
    if (below === NONE) this.tail = above;
    else newer[below] = above;
    this.count -= 1;
  }

  moveToHead(slot: number): void {
    if (this.head === slot) return;
    this.remove(slot);
    this.pushHead(slot);
  }
}
