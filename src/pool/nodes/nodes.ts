/**
 * Node rows: who is attached.
 *
 * (N1) a row is free exactly when its cleanedUpTo equals its incarnation; a new node takes it with the next incarnation.
 * (N2) rows are given out under the file's membership lock, so two joiners never take one row. A dead row may be taken
 *      before anybody cleaned it: the new node then recovers the locks its row holds before it does anything else.
 * (N3) a node is dead when the kernel marked its mutex, or when nobody has the row's file lock; one of another boot id, of
 *      which this kernel knows nothing, when its heartbeat stands still (strangers.ts). On one host no living node is ever
 *      taken for dead.
 * (N4) every taken row is below rowsHigh, which is raised before the row is taken and never lowered.
 * (N5) nodes of two kernels do not share a pool in this version. Who joins judges every node of another boot id before he
 *      stores anything, and looks once more when his own row is there: of two that come at once one sees the other. Their
 *      file locks do not exclude each other, so a row is entered by compare-and-exchange.
 * (N6) a node whose row was cleaned or taken by others, who took it for dead, is fenced: it looks before it takes a lock, and
 *      at upkeep, and stores no more. Paused between a look and the store behind it, it still makes that one.
 *
 * A crash while joining: before the incarnation is stored the row is still free; after it the mutex is already held, so
 * the death is marked like any other.
 */
import { PoolError } from '../../../lib/errors.js';
import type { Liveness, Machine } from '../../../lib/machine.js';
import { nextSequence } from '../../../lib/sequence.js';
import type { Words } from '../../../lib/words.js';
import {
  BORROWS_ARE_LIGHT,
  Control,
  FENCES_OWN,
  FENCES_SHARED,
  type Geometry,
  HazardHead,
  NAME_BYTES_MAX,
  NODE_ALIVE,
  NODE_LEFT,
  NodeCleaning,
  NodeRow,
  type NodeRowInfo,
  readUnsigned64,
  writeUnsigned64,
} from '../layout/index.js';
import { Activity } from './activity.js';
import { PinPlaces } from './pinplaces.js';
import { Strangers } from './strangers.js';

const row = NodeRow.word;
const textEncoder = new TextEncoder();

export class Nodes {
  private readonly words: Words;
  private readonly geometry: Geometry;
  private readonly machine: Machine;
  private readonly liveness: Liveness;
  private readonly firstRow: number;
  private readonly cleanings: number;
  private readonly rowsHigh: number;
  private readonly fences: number;
  /** What was seen of nodes of another boot. */
  readonly strangers: Strangers;
  readonly activity: Activity;
  /** Row of this node, or -1 before `join`. */
  self = -1;
  incarnation = 0;
  /** Others took this node for dead (N6). */
  isFenced = false;
  /** Where it would be seen, of a node that has a row: the words of its incarnation, there and where rows are cleaned. */
  private ownWord = -1;
  private ownCleaning = -1;
  /** What this node's heartbeat was set to last. */
  private heartbeat = 0;

  /** `strangers`: what was seen already. */
  constructor(
    words: Words,
    geometry: Geometry,
    machine: Machine,
    liveness: Liveness,
    strangers = new Strangers(words, geometry, machine),
  ) {
    this.strangers = strangers;
    this.activity = new Activity(words, geometry);
    this.words = words;
    this.geometry = geometry;
    this.machine = machine;
    this.liveness = liveness;
    this.firstRow = geometry.regions.nodeRows.word;
    this.cleanings = geometry.regions.nodeCleanings.word;
    this.rowsHigh = geometry.regions.control.word + Control.word.rowsHigh;
    this.fences = geometry.regions.control.word + Control.word.fences;
  }

  /** Rows ever used; scans stop there. Never more than there are, whatever the word says. */
  high(): number {
    return Math.min(this.words.load(this.rowsHigh) >>> 0, this.geometry.maxNodes);
  }

  /** The first row from this one on that may hold hazards; -1 where there is none below `high`. */
  nextActive(index: number, high: number): number {
    return this.activity.next(index, high);
  }

  incarnationOf(index: number): number {
    return this.words.load(this.firstRow + index * NodeRow.words + row.incarnation);
  }

  cleanedUpTo(index: number): number {
    return this.words.load(this.cleanings + index * NodeCleaning.words + NodeCleaning.word.cleanedUpTo);
  }

  /** Whether the row belongs to a node, living or dead, that nobody has cleaned up after. */
  isTaken(index: number): boolean {
    return this.incarnationOf(index) !== this.cleanedUpTo(index);
  }

  /** Whether the pins and borrows of the row count: taken, and not marked dead. */
  isCounted(index: number): boolean {
    return this.isTaken(index) && !this.liveness.isMarkedDead(index);
  }

  /** Whether a draft or claim of this row and incarnation has lost its owner. */
  isGone(index: number, incarnation: number): boolean {
    if (index < 0 || index >= this.geometry.maxNodes) return true;
    if (index === this.self) return incarnation !== this.incarnation;
    return incarnation !== this.incarnationOf(index) || !this.isTaken(index) || this.isDead(index, false);
  }

  /** The judgement of (N3); `thorough` asks the file lock, the boot id and the heartbeat too. */
  isDead(index: number, thorough: boolean): boolean {
    if (index === this.self) return false;
    if (index < 0 || index >= this.geometry.maxNodes) return true;
    if (this.liveness.isMarkedDead(index) || !this.isTaken(index)) return true;
    if (!thorough) return false;
    return this.strangers.isOne(index) ? this.strangers.look(index) === 'still' : !this.liveness.isHeld(index);
  }

  /** Whether the process of a living node does not go on, as far as can be told. Costs a system call or two. */
  isStopped(index: number): boolean {
    if (index === this.self || index < 0 || index >= this.geometry.maxNodes) return false;
    return this.liveness.isStopped(this.words.read(this.firstRow + index * NodeRow.words + row.processId));
  }

  isRunnable(index: number): boolean {
    if (index < 0 || index >= this.geometry.maxNodes) return false;
    return this.liveness.isRunnable(index, this.words.read(this.firstRow + index * NodeRow.words + row.processId));
  }

  /** How many rows there are. */
  get rows(): number {
    return this.geometry.maxNodes;
  }

  /** Whether somebody who was alive, by what the call before it noted in `living`, is so no more. Notes who is now. */
  hasLost(living: Int32Array): boolean {
    const high = this.high();
    let lost = false;
    for (let index = 0; index < high; index++) {
      const now = this.isCounted(index) ? this.incarnationOf(index) : 0;
      if (living[index] !== 0 && living[index] !== now) lost = true;
      living[index] = now;
    }
    return lost;
  }

  /**
   * Looks at every node of another boot that is not known to be dead. The row of one that lives, -1 where there is none, undefined
   * where that takes more looks.
   */
  livingStranger(): number | undefined {
    let isSure = true;
    for (let index = 0; index < this.high(); index++) {
      if (index === this.self || !this.isCounted(index) || !this.strangers.isOne(index)) continue;
      const seen = this.strangers.look(index);
      if (seen === 'moved') return index;
      if (seen === 'unknown') isSure = false;
    }
    return isSure ? -1 : undefined;
  }

  /** Whether others took this node for dead (N6). Two plain loads. */
  isTakenOver(): boolean {
    const { words, ownWord, incarnation } = this;
    if (ownWord < 0) return false;
    if (words.read(ownWord) !== incarnation || words.read(this.ownCleaning) === incarnation) this.isFenced = true;
    return this.isFenced;
  }

  /** Before each lock. Throws NODE_FENCED. */
  checkFence(): void {
    if (!this.isTakenOver()) return;
    throw new PoolError('NODE_FENCED', `Node ${this.self} of the pool was taken for dead.`, { node: this.self });
  }

  /** Shows that this node lives; false where its row is not its own any more. */
  beat(): boolean {
    const word = this.firstRow + this.self * NodeRow.words + row.heartbeat;
    // Two kernels' nodes in one row may have one incarnation, but not one boot id.
    if (this.words.load(word) !== this.heartbeat || !this.strangers.isOfThisBoot(this.self)) this.isFenced = true;
    if (this.isTakenOver()) return false;
    const next = (this.heartbeat + 1) | 0;
    this.words.store(word, next);
    // Cut before the store, neither is done.
    this.heartbeat = next;
    return true;
  }

  /** Takes a row. The caller holds the file's membership lock, and has judged strangers. Throws TOO_MANY_NODES, UNSUPPORTED. */
  join(name: string): void {
    const { maxNodes } = this.geometry;
    // Before a row is held: it throws where the process was told something wrong.
    const canShare = this.machine.registerForFences();
    const taken = this.takeRow((index) => !this.isTaken(index)) ?? this.takeRow((index) => this.isDead(index, true));
    if (taken === undefined) {
      throw new PoolError('TOO_MANY_NODES', `All ${maxNodes} nodes of the pool are attached.`, { maxNodes });
    }
    this.agreeOnFences(taken, canShare);
    this.self = taken;
    const before = this.incarnationOf(taken);
    this.fillRow(taken, name);
    this.incarnation = nextSequence(before) || 1;
    if (taken + 1 > this.words.load(this.rowsHigh) >>> 0) this.words.store(this.rowsHigh, taken + 1);
    // ORDER join-1: the mutex is held and the hazards are empty before the incarnation; pairs with the hazard scan.
    const word = this.firstRow + taken * NodeRow.words + row.incarnation;
    const isMine = this.words.compareExchange(word, before, this.incarnation) === before;
    this.ownCleaning = this.cleanings + taken * NodeCleaning.words + NodeCleaning.word.cleanedUpTo;
    this.ownWord = isMine ? word : -1;
    const other = isMine ? this.livingStranger() : taken;
    if (other === -1) return;
    if (isMine) this.leave();
    // The row is another's: nothing more is stored there.
    else this.self = -1;
    throw this.refuseStranger(other ?? -1);
  }

  /** Why nobody joins beside the node of the row; -1 where nobody knows which. */
  refuseStranger(index: number, path = 'one pool'): PoolError {
    const node = index < 0 ? undefined : this.info(index, false);
    const who = node === undefined ? 'somebody' : `node ${index} (${node.name}, process ${node.pid} there)`;
    const what = `Nodes of two kernels in ${path}: ${who} lives under another boot id.`;
    return new PoolError('UNSUPPORTED', what, { node });
  }

  /** Whether hazards may be plain stores, fenced by whoever scans them. The same for every attached node. */
  get sharesFences(): boolean {
    return this.words.load(this.fences) === FENCES_SHARED;
  }

  /** Whether a node other than this one stores its hazards plainly just now. */
  isLightElsewhere(): boolean {
    const { words } = this;
    const heads = this.geometry.regions.hazardHeads.word + HazardHead.word.borrowCount;
    const high = this.high();
    for (let index = this.nextActive(0, high); index >= 0; index = this.nextActive(index + 1, high)) {
      if (index === this.self || (words.load(heads + index * HazardHead.words) & BORROWS_ARE_LIGHT) === 0) continue;
      if (this.isCounted(index)) return true;
    }
    return false;
  }

  /** The first node to attach decides; who cannot follow it has to stay away. The caller holds the membership lock. */
  private agreeOnFences(taken: number, canShare: boolean): void {
    let isAlone = true;
    for (let index = 0; index < this.high(); index++) {
      if (index !== taken && this.isTaken(index) && !this.isDead(index, true)) isAlone = false;
    }
    if (isAlone) this.words.store(this.fences, canShare ? FENCES_SHARED : FENCES_OWN);
    else if (this.sharesFences && !canShare) {
      this.liveness.letGo(taken);
      throw new PoolError('UNSUPPORTED', 'The attached nodes rely on membarrier(2), which this process may not use.');
    }
  }

  private takeRow(fits: (index: number) => boolean): number | undefined {
    // ORDER leave-1: the row's file lock is the last thing a leaver gives up; pairs with close.
    for (let index = 0; index < this.geometry.maxNodes; index++) {
      if (fits(index) && this.liveness.hold(index)) return index;
    }
    return undefined;
  }

  private fillRow(index: number, name: string): void {
    const { words } = this;
    const start = this.firstRow + index * NodeRow.words;
    const heads = this.geometry.regions.hazardHeads.word + index * HazardHead.words;
    words.store(heads + HazardHead.word.borrowCount, 0);
    words.store(heads + HazardHead.word.pinHigh, 0);
    const { pins } = this.geometry.regions;
    words.fill(pins.word + index * pins.stride, pins.stride, 0);
    this.heartbeat = words.read(start + row.heartbeat);
    words.write(start + row.state, NODE_ALIVE);
    words.write(start + row.processId, this.machine.processId);
    writeUnsigned64(words, start + row.connectedAt, this.machine.nowMs());
    for (let i = 0; i < 4; i++) words.write(start + row.bootId + i, this.machine.bootId[i] as number);
    const bytes = new Uint8Array(NAME_BYTES_MAX);
    const { written } = textEncoder.encodeInto(name, bytes);
    words.write(start + row.nameLength, written);
    for (let i = 0; i < NAME_BYTES_MAX / 4; i++) {
      const at = i * 4;
      const word = (bytes[at] as number) | ((bytes[at + 1] as number) << 8) | ((bytes[at + 2] as number) << 16);
      words.write(start + row.name + i, word | ((bytes[at + 3] as number) << 24));
    }
  }

  /** Stores that nothing is left of the row's incarnation. The caller holds the node lock. */
  markCleaned(index: number, incarnation: number): void {
    this.words.store(this.cleanings + index * NodeCleaning.words + NodeCleaning.word.cleanedUpTo, incarnation);
  }

  /** Gives this node's row back: its drafts, pins and locks are gone. While it lives nobody else writes its cleaning line. */
  leave(): void {
    this.ownWord = -1;
    this.words.write(this.firstRow + this.self * NodeRow.words + row.state, NODE_LEFT);
    this.markCleaned(this.self, this.incarnation);
  }

  /** Of the row, once one is taken. */
  letGo(): void {
    if (this.self >= 0) this.liveness.letGo(this.self);
  }

  /** Rows of dead nodes that nobody has cleaned up after. `thorough` also asks the file locks. */
  dead(thorough: boolean): number[] {
    const found: number[] = [];
    for (let index = 0; index < this.high(); index++) {
      if (index !== this.self && this.isTaken(index) && this.isDead(index, thorough)) found.push(index);
    }
    return found;
  }

  info(index: number, thorough: boolean): NodeRowInfo {
    const { words } = this;
    const start = this.firstRow + index * NodeRow.words;
    const boot = [0, 1, 2, 3].map((i) => (words.read(start + row.bootId + i) >>> 0).toString(16).padStart(8, '0'));
    return {
      id: index,
      name: this.nameOf(start),
      pid: words.read(start + row.processId),
      bootId: boot.join(''),
      state: this.isDead(index, thorough) ? 'dead' : 'alive',
      connectedAt: new Date(readUnsigned64(words, start + row.connectedAt)),
      readOnly: false,
      pins: this.pinnedSlots(index).length,
    };
  }

  private nameOf(start: number): string {
    const length = Math.min(this.words.read(start + row.nameLength) >>> 0, NAME_BYTES_MAX);
    const bytes = new Uint8Array(length);
    for (let i = 0; i < length; i++) bytes[i] = this.words.read(start + row.name + (i >> 2)) >>> ((i & 3) * 8);
    return new TextDecoder().decode(bytes);
  }

  /** Slots that the row has pinned. */
  pinnedSlots(index: number): number[] {
    const { hazardHeads } = this.geometry.regions;
    const places = new PinPlaces(this.words, this.geometry);
    const high = this.words.load(hazardHeads.word + index * HazardHead.words + HazardHead.word.pinHigh) >>> 0;
    const slots: number[] = [];
    for (let i = 0; i < Math.min(high, this.geometry.pinsPerNode); i++) {
      const at = places.of(index, i);
      const word = at < 0 ? 0 : this.words.read(at) >>> 0;
      if (word !== 0) slots.push(word - 1);
    }
    return slots;
  }

  /** Every taken row. */
  list(thorough: boolean): NodeRowInfo[] {
    const found: NodeRowInfo[] = [];
    for (let index = 0; index < this.high(); index++) if (this.isTaken(index)) found.push(this.info(index, thorough));
    return found;
  }
}
