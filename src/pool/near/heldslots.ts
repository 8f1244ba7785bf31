/** A set of slots that is filled anew again and again: in the size of what it holds, and emptied by one store. */

const CAPACITY_MIN = 64;

export class HeldSlots {
  private slots = new Int32Array(CAPACITY_MIN);
  /** A place is taken when it has the stamp of now. */
  private stamps = new Int32Array(CAPACITY_MIN);
  private stamp = 1;
  private count = 0;

  clear(): void {
    this.count = 0;
    if (++this.stamp !== 0x7fffffff) return;
    this.stamps.fill(0);
    this.stamp = 1;
  }

  add(slot: number): void {
    const at = this.find(slot);
    if (this.stamps[at] === this.stamp) return;
    this.slots[at] = slot;
    this.stamps[at] = this.stamp;
    this.count++;
    if (this.count * 2 > this.slots.length) this.grow();
  }

  has(slot: number): boolean {
    return this.stamps[this.find(slot)] === this.stamp;
  }

  /** The place of the slot, or the free one where it would lie. */
  private find(slot: number): number {
    const { slots, stamps, stamp } = this;
    const mask = slots.length - 1;
    let at = (Math.imul(slot, 0x9e3779b1) >>> 8) & mask;
    while (stamps[at] === stamp && slots[at] !== slot) at = (at + 1) & mask;
    return at;
  }

  private grow(): void {
    const { slots, stamps, stamp } = this;
    this.slots = new Int32Array(slots.length * 2);
    this.stamps = new Int32Array(slots.length * 2);
    this.count = 0;
    for (let at = 0; at < slots.length; at++) if (stamps[at] === stamp) this.add(slots[at] as number);
  }
}
