/**
 * Hazard pointers: what a node publishes about the pages it is using, in lines of its own.
 *
 * A *borrow* is the next entry of the borrow ring: good until the synchronous run ends or 1,024 borrows later. A *pin*
 * is an entry of the pin list, until release; where its entries lie is told in nodes/pinblocks.ts.
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
 * (H5) a node may store its borrows plainly (it is *light*); a full fence on every thread of every attached process comes before
 *      the scan then (fences.ts). Whatever store was before that fence the scan sees; whatever load comes after it sees what was
 *      retired.
 *
 * A call may be cut at any function's entry (see calls.ts). So:
 * (H6) the shared count of borrows is raised before the private one, and the private one set back before the shared one: at
 *      any cut the shared one covers every borrow.
 * (H7) a pin is a record that its holders share. It is shared before it is in the books, and out of the books before it is
 *      not shared; entering it, and counting a holder on or off, are last steps, with no function's entry before the caller
 *      has the answer. The last unpin only notes what leaves (`leaving`); it is finished after its page counts as released, or
 *      by whoever comes next. A record whose pin is gone serves the next pin: no page that counts has it.
 *
 * (H8) the bytes of the pinned slots are counted with the books: together with the entry, with no function's entry between,
 *      and off by whoever has taken it out.
 *
 * (H9) the pin list has no holes: the last pin takes the place of one that leaves. It is stored there before it is gone from
 *      the end, and a scan reads the list from its end, so it meets the pin in one of the two. So a list is as long as there
 *      are pins, but for the slack of the mark, however many there once were. Its stores only have to keep their order, among
 *      each other and with those of the ring (H3), so a pin and its release cost no fence: what the scan must see of a pin it
 *      saw of the borrow that was pinned.
 *
 * (H11) the shared count of borrows says that the node is light from before its first plain store until after its last. Both
 *       are said by atomic stores, so whoever sees that it is light no more sees what it stored plainly. Between runs the count
 *       is 0, and the node not light. A node chooses anew (fencechoice.ts) when its ring comes round, at the end of a run, and
 *       when it has made a fence itself. At a cut, what is said and what is done are the same: no function's entry is between.
 *
 * (H12) a node whose bit is clear (activity.ts) has nothing here: it sets it in a run before its first hazard counts.
 *
 * A crash leaves entries behind; they stop counting when the row's death mark is set.
 */
import { PoolError } from '../../../lib/errors.js';
import type { Machine } from '../../../lib/machine.js';
import type { Words } from '../../../lib/words.js';
import { BORROW_ENTRIES, BORROWS_ARE_LIGHT, type Geometry, HazardHead } from '../layout/index.js';
import { type Activity, type Fences, type Nodes, PinBlocks } from '../nodes/index.js';
import { FenceChoice } from './fencechoice.js';

const { borrowCount: BORROW_COUNT, pinHigh: PIN_HIGH } = HazardHead.word;
/** The active count is raised by this many entries at once, so that most borrows need no second store. */
const COUNT_STEP = 8;
/** So much of a block the shared mark may lie above the pins: those who pin and release in turn do not move it. */
const SLACK_SHARE = 8;
/** A power of two. One node may have 64 pins in each. */
const CHAINS = 1024;

/** A slot that this node pins. */
export class Pin {
  slot = 0;
  entry = 0;
  /** Counted against the node's share; 0 for what is held without one. */
  bytes = 0;
  holders = 0;
  /** Of the same chain. */
  next: Pin | undefined = undefined;
}

export class Hazards {
  private readonly words: Words;
  private readonly machine: Machine;
  private readonly ring: number;
  private readonly head: number;
  private readonly blocks: PinBlocks;
  private readonly pinCapacity: number;
  private readonly slack: number;
  /** When the full fence after the store is left to whoever scans (H5). */
  choice: Pick<FenceChoice, 'borrowed' | 'isLight'>;
  private light: boolean;
  private readonly row: number;
  private readonly activity: Activity;
  /** This node's bit is set (A1). */
  private isShown = false;
  /** Since it was last asked whether this node rests. */
  private hasRun = false;
  private position = 0;
  private count = 0;
  /** The shared mark: entries below it are scanned. */
  private mark = 0;
  private closed = false;
  /** Of the pages that this node may pin at a time. */
  pinnedBytesMax = Number.POSITIVE_INFINITY;
  private pinnedBytes = 0;
  /** The pins by their entries, and how many there are. What lies behind serves the next ones. */
  private readonly list: Pin[] = [];
  private pinCount = 0;
  /** The pins by the low bits of their slots: no map, which makes garbage of each pin. */
  private readonly chains = new Array<Pin | undefined>(CHAINS).fill(undefined);
  /** What is on its way out of the books. */
  private leaving: Pin | undefined;
  private readonly endRun = () => {
    if (this.closed) return;
    this.clearBorrows();
    this.finishLeaving();
  };

  constructor(words: Words, geometry: Geometry, machine: Machine, nodes: Nodes, fences: Fences) {
    const row = nodes.self;
    this.words = words;
    this.row = row;
    this.activity = nodes.activity;
    this.choice = new FenceChoice(fences, nodes.sharesFences);
    this.light = this.choice.isLight();
    this.machine = machine;
    this.head = geometry.regions.hazardHeads.word + row * HazardHead.words;
    this.ring = geometry.regions.borrows.word + row * geometry.regions.borrows.stride;
    this.blocks = new PinBlocks(words, geometry, nodes);
    this.pinCapacity = geometry.pinsPerNode;
    this.slack = (geometry.pinBlockEntries / SLACK_SHARE) | 0;
  }

  get isLight(): boolean {
    return this.light;
  }

  /** Publishes interest in the slot, in the ring's spare entry. */
  expose(slot: number): void {
    // ORDER hazard-1: interest before the caller looks at the sequence or the state; pairs with scanRow.
    if (this.light) this.words.write(this.ring + this.position, slot + 1);
    else this.words.store(this.ring + this.position, slot + 1);
    if (this.position >= this.count) this.raise();
  }

  /** The exposed entry becomes a borrow. */
  keep(): void {
    const next = this.position + 1;
    this.position = next === BORROW_ENTRIES ? 0 : next;
    if (next === BORROW_ENTRIES) this.comeRound();
  }

  private comeRound(): void {
    this.choice.borrowed(BORROW_ENTRIES);
    this.choose();
  }

  /** (H11) Whether the next borrows are stored plainly. */
  choose(): void {
    const light = this.choice.isLight();
    if (light === this.light) return;
    // ORDER light-1: said before the first plain store and after the last; pairs with Fences.make.
    if (this.count > 0) this.words.store(this.head + BORROW_COUNT, light ? this.count | BORROWS_ARE_LIGHT : this.count);
    this.light = light;
  }

  /** Nothing is exposed but what was kept: a page that was only looked at holds no memory back. */
  clearSpare(): void {
    if (this.position < this.count) this.words.store(this.ring + this.position, 0);
  }

  private raise(): void {
    if (this.count === 0) this.beginRun();
    const count = Math.min(this.position + COUNT_STEP, BORROW_ENTRIES);
    this.words.store(this.head + BORROW_COUNT, this.light ? count | BORROWS_ARE_LIGHT : count);
    this.count = count;
  }

  private beginRun(): void {
    this.hasRun = true;
    if (!this.isShown) {
      // ORDER active-1: before the caller looks at the sequence or the state; pairs with next.
      this.activity.show(this.row);
      this.isShown = true;
    }
    this.machine.afterRun(this.endRun);
  }

  /** Whether nothing was borrowed since this was last asked, and nothing is held. */
  isResting(): boolean {
    const { hasRun } = this;
    this.hasRun = false;
    return !hasRun && this.count === 0 && this.pinCount === 0;
  }

  /** (A2) Of a node that rests, or leaves: it is passed by. */
  hide(): void {
    if (!this.isShown) return;
    this.isShown = false;
    this.activity.hide(this.row);
  }

  /** No pin is half gone, and the end of the run ends the borrows, also where an earlier end was cut. */
  settle(): void {
    if (this.closed) return;
    this.finishLeaving();
    if (this.count > 0) this.machine.afterRun(this.endRun);
  }

  /** The node leaves: its row may be another's when the run ends. */
  close(): void {
    this.clearBorrows();
    this.closed = true;
    this.hide();
  }

  /** The row is another's already. */
  abandon(): void {
    this.closed = true;
  }

  private clearBorrows(): void {
    this.choice.borrowed(this.position);
    this.count = 0;
    this.position = 0;
    this.words.store(this.head + BORROW_COUNT, 0);
    this.choose();
  }

  /**
   * Pins an exposed slot, of so many bytes. Several pins of one slot share a record. One page may be pinned however large it
   * is. Throws TOO_MANY_PINS.
   */
  pin(slot: number, bytes: number): Pin {
    if (this.leaving !== undefined) this.finishLeaving();
    const { chains } = this;
    const at = slot & (CHAINS - 1);
    let held = chains[at];
    while (held !== undefined && held.slot !== slot) held = held.next;
    if (held !== undefined) {
      held.holders++;
      return held;
    }
    const entry = this.pinCount;
    if (entry >= this.mark || this.pinnedBytes + bytes > this.pinnedBytesMax) this.makeRoom(entry, bytes);
    // (H7) Until the books have it the entry is free: the next pin writes over it.
    // ORDER hazard-1: before the ring's entry is written over (H3); pairs with scanRow.
    this.words.storeInOrder(this.blocks.wordOf(entry), slot + 1);
    // ORDER pinblock-1: not beyond what has a place.
    if (entry >= this.mark) this.setMark(Math.min(entry + COUNT_STEP, this.blocks.room, this.pinCapacity));
    const { list } = this;
    if (entry === list.length) list.push(new Pin());
    const pin = list[entry] as Pin;
    // (H7) From here on no function is entered.
    pin.slot = slot;
    pin.entry = entry;
    pin.bytes = bytes;
    pin.holders = 1;
    pin.next = chains[at];
    chains[at] = pin;
    this.pinCount = entry + 1;
    this.pinnedBytes += bytes;
    return pin;
  }

  /** For one pin more. Throws TOO_MANY_PINS. */
  private makeRoom(entry: number, bytes: number): void {
    if (entry >= this.pinCapacity) throw this.tooMany(`This node pins ${entry} pages already, the most that one may.`);
    if (this.pinnedBytes + bytes > this.pinnedBytesMax && this.pinnedBytes > 0 && bytes > 0)
      throw this.shareTaken(bytes);
    if (entry >= this.blocks.room && !this.blocks.grow()) {
      throw this.tooMany(`This node pins ${entry} pages, and the nodes of the pool together have no room for more.`);
    }
  }

  private unlink(pin: Pin): void {
    const { chains } = this;
    const at = pin.slot & (CHAINS - 1);
    let before = chains[at];
    if (before === pin) {
      chains[at] = pin.next;
      return;
    }
    while (before !== undefined && before.next !== pin) before = before.next;
    if (before !== undefined) before.next = pin.next;
  }

  private setMark(mark: number): void {
    this.words.store(this.head + PIN_HIGH, mark);
    this.mark = mark;
  }

  private tooMany(what: string): PoolError {
    return new PoolError('TOO_MANY_PINS', what, { pins: this.pinCount });
  }

  private shareTaken(bytes: number): PoolError {
    const { pinnedBytes, pinnedBytesMax } = this;
    const what = `This node pins ${pinnedBytes} bytes, and ${bytes} more would be over its share of the pool`;
    return new PoolError('TOO_MANY_PINS', `${what} (${pinnedBytesMax} bytes; maxPinShare of connect).`, {
      pins: this.pinCount,
      pinnedBytes,
      pinnedBytesMax,
    });
  }

  /**
   * One holder less; once for each that `pin` gave. The caller, who then has the pin no more, calls finishLeaving. Where this is cut
   * nothing has been done.
   */
  unpin(pin: Pin): void {
    if (this.leaving !== undefined) this.finishLeaving();
    pin.holders--;
    if (pin.holders === 0) this.leaving = pin;
  }

  /** (H7) Takes what is leaving out of the books and then out of the list. May be cut, and is done again then. */
  finishLeaving(): void {
    const { leaving } = this;
    if (leaving === undefined) return;
    this.unlink(leaving);
    const { list } = this;
    const last = this.pinCount - 1;
    const moved = list[last] as Pin;
    if (moved !== leaving) {
      // (H9) In its new place before it leaves the old one; done again, it is stored there again.
      this.words.storeInOrder(this.blocks.wordOf(leaving.entry), moved.slot + 1);
      moved.entry = leaving.entry;
      list[moved.entry] = moved;
      list[last] = leaving;
      leaving.entry = last;
    }
    this.words.storeInOrder(this.blocks.wordOf(last), 0);
    this.pinCount = last;
    this.pinnedBytes -= leaving.bytes;
    this.leaving = undefined;
    if (this.mark - last <= this.slack) return;
    list.length = last;
    this.setMark(last + (this.slack >> 1));
    this.blocks.shrink(this.mark);
  }
}
