/**
 * Hazard pointers: what a node publishes about the pages it is using, in lines of its own.
 *
 * A *borrow* is the next entry of the borrow ring: good until the synchronous run ends or 1,024 borrows later. A *pin*
 * is an entry of the pin list, until release.
 *
 * (H1) a reader stores its hazard, then looks at the retire sequence, or at the slot's state and the entry that names it. A
 *      reclaimer stores those, then looks at the hazards. Both through sequentially consistent atomics, so one of the two sees the other.
 * (H2) `expose` writes the ring's spare entry and does not move on; only a borrow that succeeded `keep`s it. So a failed
 *      borrow never ends an older one, and read and has use the spare as their scratch.
 * (H3) a hazard may move from the ring to the pin list: the pin is stored before the ring entry is reused. A scan reads
 *      the rings first and the pins after, so it meets the page in one of the two.
 * (H4) entries below the ring's active count may be left from earlier runs: they hold memory back for the rest of a run,
 *      which is harmless, and never the other way round.
 *
 * (H5) where the nodes share fences the reader's store is plain; the scan begins with a full fence on every thread of every attached process. Whatever store was before
 *      that fence the scan sees; whatever load comes after it sees what was retired.
 *
 * A crash leaves entries behind; they stop counting when the row's death mark is set.
 */
import { PoolError } from '../../lib/errors.js';
import type { Machine } from '../../lib/machine.js';
import type { Words } from '../../lib/words.js';
import { BORROW_ENTRIES, type Geometry } from './geometry.js';
import { HazardHead } from './layout.js';
import type { Nodes } from './nodes.js';

const { borrowCount: BORROW_COUNT, pinHigh: PIN_HIGH } = HazardHead.word;
/** The active count is raised by this many entries at once, so that most borrows need no second store. */
const COUNT_STEP = 8;

export class Hazards {
  private readonly words: Words;
  private readonly machine: Machine;
  private readonly ring: number;
  private readonly head: number;
  private readonly pins: number;
  private readonly pinCapacity: number;
  /** The full fence after the store is left to whoever scans (H5). */
  readonly isLight: boolean;
  private position = 0;
  private count = 0;
  private high = 0;
  private closed = false;
  private readonly freePins: number[] = [];
  private readonly pinned = new Map<number, { entry: number; holders: number }>();
  private readonly endRun = () => this.clearBorrows();

  constructor(words: Words, geometry: Geometry, machine: Machine, nodes: Nodes) {
    const row = nodes.self;
    this.words = words;
    this.isLight = nodes.sharesFences;
    this.machine = machine;
    this.head = geometry.regions.hazardHeads.word + row * HazardHead.words;
    this.ring = geometry.regions.borrows.word + row * geometry.regions.borrows.stride;
    this.pins = geometry.regions.pins.word + row * geometry.regions.pins.stride;
    this.pinCapacity = geometry.pinsPerNode;
  }

  /** Publishes interest in the slot, in the ring's spare entry. */
  expose(slot: number): void {
    // ORDER hazard-1: interest before the caller looks at the sequence or the state; pairs with scanRow.
    if (this.isLight) this.words.write(this.ring + this.position, slot + 1);
    else this.words.store(this.ring + this.position, slot + 1);
    if (this.position >= this.count) this.raise();
  }

  /** The exposed entry becomes a borrow. */
  keep(): void {
    const next = this.position + 1;
    this.position = next === BORROW_ENTRIES ? 0 : next;
  }

  /** Nothing is exposed but what was kept: a page that was only looked at holds no memory back. */
  clearSpare(): void {
    if (this.position < this.count) this.words.store(this.ring + this.position, 0);
  }

  private raise(): void {
    if (this.count === 0) this.machine.afterRun(this.endRun);
    this.count = Math.min(this.position + COUNT_STEP, BORROW_ENTRIES);
    this.words.store(this.head + BORROW_COUNT, this.count);
  }

  /** The node leaves: its row may be another's when the run ends. */
  close(): void {
    this.clearBorrows();
    this.closed = true;
  }

  private clearBorrows(): void {
    if (this.closed) return;
    this.words.store(this.head + BORROW_COUNT, 0);
    this.count = 0;
    this.position = 0;
  }

  /** Pins an exposed slot. Several pins of one slot share an entry. Throws TOO_MANY_PINS. */
  pin(slot: number): void {
    const held = this.pinned.get(slot);
    if (held !== undefined) {
      held.holders++;
      return;
    }
    const entry = this.freePins.pop() ?? this.high;
    if (entry >= this.pinCapacity) {
      throw new PoolError('TOO_MANY_PINS', `This node pins ${this.pinCapacity} pages already.`, {
        pins: this.pinCapacity,
      });
    }
    this.words.store(this.pins + entry, slot + 1);
    if (entry >= this.high) {
      this.high = entry + 1;
      this.words.store(this.head + PIN_HIGH, this.high);
    }
    this.pinned.set(slot, { entry, holders: 1 });
  }

  unpin(slot: number): void {
    const held = this.pinned.get(slot);
    if (held === undefined) return;
    held.holders--;
    if (held.holders > 0) return;
    this.pinned.delete(slot);
    this.words.store(this.pins + held.entry, 0);
    this.freePins.push(held.entry);
  }
}

/** The reclaimer's side: which slots of a range any counted node holds. */
export class HazardScan {
  private readonly words: Words;
  private readonly geometry: Geometry;
  private readonly nodes: Nodes;
  private readonly marks: Int32Array;
  private stamp = 0;
  /** This node's own, once it has some. */
  own: Hazards | undefined;
  private readonly machine: Machine;

  constructor(words: Words, geometry: Geometry, nodes: Nodes, machine: Machine) {
    this.words = words;
    this.machine = machine;
    this.geometry = geometry;
    this.nodes = nodes;
    this.marks = new Int32Array(geometry.slotsPerShard);
  }

  /** Looks at every hazard of every counted node; `isHeld` then answers for the shard's slots. */
  scan(shard: number): void {
    this.own?.clearSpare();
    // ORDER hazard-1: what is scanned for was retired before this fence (H5); pairs with expose.
    if (this.nodes.sharesFences && !this.machine.fenceEverybody()) {
      throw new PoolError('UNSUPPORTED', 'The kernel took back membarrier(2), on which the attached nodes rely.');
    }
    if (++this.stamp === 0x7fffffff) {
      this.marks.fill(0);
      this.stamp = 1;
    }
    const first = shard * this.geometry.slotsPerShard;
    const high = this.nodes.high();
    // ORDER join-1: a row whose incarnation is not yet seen looks at the sequences later than this; pairs with join.
    for (let row = 0; row < high; row++) if (this.nodes.isCounted(row)) this.scanRow(row, first);
  }

  private scanRow(row: number, first: number): void {
    const { words } = this;
    const { hazardHeads, borrows, pins } = this.geometry.regions;
    const head = hazardHeads.word + row * HazardHead.words;
    // ORDER hazard-1: after the retire sequence was stored, rings before pins (H3); pairs with expose.
    const borrowed = Math.min(words.load(head + BORROW_COUNT) >>> 0, BORROW_ENTRIES);
    this.markRange(borrows.word + row * borrows.stride, borrowed, first);
    const pinned = Math.min(words.load(head + PIN_HIGH) >>> 0, this.geometry.pinsPerNode);
    this.markRange(pins.word + row * pins.stride, pinned, first);
  }

  private markRange(word: number, count: number, first: number): void {
    const { words, marks, stamp } = this;
    const slots = marks.length;
    for (let i = 0; i < count; i++) {
      const local = words.loadInOrder(word + i) - 1 - first;
      if (local >= 0 && local < slots) marks[local] = stamp;
    }
  }

  /** `local` is the slot's index within the scanned shard. */
  isHeld(local: number): boolean {
    return this.marks[local] === this.stamp;
  }
}
