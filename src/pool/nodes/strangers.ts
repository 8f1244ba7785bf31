/**
 * Nodes of another boot id: of this machine before it restarted, or of another kernel that maps the same memory now. The kernel
 * here says nothing of them: its death marks, file locks and process numbers do not cross to another. What they store into their
 * own lines is all there is to see.
 *
 * (F1) such a node is dead when the words that only it writes, its row and the head of its hazards, have stood still for STILL_MS
 *      by the looker's own clock. Until then it counts as alive. A look counts for LOOK_MS_MAX at most, so whoever was paused
 *      himself has to look again before he judges.
 * (F2) every node adds to the heartbeat of its row at upkeep, once a second, and counts there what it reads; so a synchronous run
 *      that uses the pool shows as well.
 * (F3) what does not show is a run that neither ends nor uses the pool for STILL_MS, and a paused process or machine. Such a node
 *      is taken for dead; (N6) of nodes.ts stops it when it goes on.
 */
import { type MonotonicMs, msBetween } from '../../../lib/clock.js';
import type { Machine } from '../../../lib/machine.js';
import type { Words } from '../../../lib/words.js';
import { type Geometry, HazardHead, NodeRow } from '../layout/index.js';

/** Five heartbeats. */
export const STILL_MS = 5000;
const LOOK_MS_MAX = 1000;
const BOOT = NodeRow.word.bootId;

interface Look {
  readonly words: Int32Array;
  seenMs: MonotonicMs;
  /** How long they are known to have stood still. */
  stillMs: number;
}

export class Strangers {
  private readonly words: Words;
  private readonly geometry: Geometry;
  private readonly machine: Machine;
  /** By row. */
  private readonly looks = new Map<number, Look>();

  constructor(words: Words, geometry: Geometry, machine: Machine) {
    this.words = words;
    this.geometry = geometry;
    this.machine = machine;
  }

  private rowOf(index: number): number {
    return this.geometry.regions.nodeRows.word + index * NodeRow.words;
  }

  /** Whether the row is of another boot. Without /proc a boot id is all zero, on either side: then the file lock alone decides. */
  isOne(index: number): boolean {
    const at = this.rowOf(index) + BOOT;
    const isKnown = [0, 1, 2, 3].some((i) => this.words.read(at + i) !== 0);
    return isKnown && !this.machine.bootId.every((part) => part === 0) && !this.isOfThisBoot(index);
  }

  isOfThisBoot(index: number): boolean {
    const at = this.rowOf(index) + BOOT;
    for (let i = 0; i < 4; i++) if (this.words.read(at + i) !== this.machine.bootId[i]) return false;
    return true;
  }

  /** 'moved' since the look before; 'still' for STILL_MS of looks; 'unknown' otherwise. */
  look(index: number): 'moved' | 'still' | 'unknown' {
    const words = new Int32Array(NodeRow.words + HazardHead.words);
    const heads = this.geometry.regions.hazardHeads.word + index * HazardHead.words;
    for (let i = 0; i < NodeRow.words; i++) words[i] = this.words.load(this.rowOf(index) + i);
    for (let i = 0; i < HazardHead.words; i++) words[NodeRow.words + i] = this.words.load(heads + i);
    const nowMs = this.machine.elapsedMs();
    const before = this.looks.get(index);
    if (before === undefined || words.some((word, i) => word !== before.words[i])) {
      this.looks.set(index, { words, seenMs: nowMs, stillMs: 0 });
      return before === undefined ? 'unknown' : 'moved';
    }
    before.stillMs += Math.min(msBetween(before.seenMs, nowMs), LOOK_MS_MAX);
    before.seenMs = nowMs;
    return before.stillMs >= STILL_MS ? 'still' : 'unknown';
  }
}
