/**
 * A device that is not coherent, played by ordinary shared memory: each process has a private image of its lines, as a host has its
 * cache, and only writebacks and invalidates (and, by chance, what a cache does by itself) move lines between the two. For tests on
 * any machine: it is an emulation, says nothing of what real lines cost, and a process that dies takes its dirty lines along.
 *
 * (E1) a line moves whole, also where its writer is killed while it moves: the shared memory has two places a line and a count, whose
 *      lowest bit names the place that holds. The other is filled first, then the count goes on. Who reads a line looks at the count
 *      before and after; only the line's one host ever writes it, so nobody waits for the dead.
 */
import { assert } from '../../lib/assert.js';
import { LINE_BYTES, LINE_WORDS } from '../../lib/struct.js';
import type { Words } from '../../lib/words.js';
import type { Lines } from './lines.js';

/** Two places, the count, and what fills a third line. */
const SHARED_WORDS = 3 * LINE_WORDS;
const COUNT = 2 * LINE_WORDS;
/** A writer would have to write back the line as often while it is read once. */
const TRIES_MAX = 10_000;

const ABSENT = 0;
const CLEAN = 1;
const DIRTY = 2;

export interface EmulationOptions {
  /** 0 to below 1, of which every hundredth or so access moves a line by itself. Without it none moves. */
  readonly chance?: () => number;
}

export class EmulatedLines implements Lines {
  readonly lineCount: number;
  private readonly shared: Words;
  private readonly image: Int32Array;
  private readonly bytes: Uint8Array;
  private readonly states: Uint8Array;
  private readonly moved = new Int32Array(LINE_WORDS);
  /** Lines begun to be written back, or (true) dropped. */
  private readonly begun = new Map<number, boolean>();
  private readonly chance: (() => number) | undefined;
  private accesses = 0;

  /** Bytes of shared memory that play a device of so many lines; all zeros are one of zeros. */
  static sizeOf(lineCount: number): number {
    return lineCount * SHARED_WORDS * 4;
  }

  constructor(shared: Words, options: EmulationOptions = {}) {
    this.shared = shared;
    this.lineCount = Math.floor(shared.length / SHARED_WORDS);
    this.image = new Int32Array(this.lineCount * LINE_WORDS);
    this.bytes = new Uint8Array(this.image.buffer);
    this.states = new Uint8Array(this.lineCount);
    this.chance = options.chance;
  }

  private fetch(line: number): void {
    const { shared, moved } = this;
    const first = line * SHARED_WORDS;
    for (let tries = 0; tries < TRIES_MAX; tries++) {
      const count = shared.load(first + COUNT);
      shared.copyOut(first + (count & 1) * LINE_WORDS, moved);
      if (shared.load(first + COUNT) !== count) continue;
      this.image.set(moved, line * LINE_WORDS);
      this.states[line] = CLEAN;
      return;
    }
    assert(false, `line ${line} never stood still`);
  }

  private leave(line: number): void {
    if (this.states[line] !== DIRTY) return;
    const { shared } = this;
    const first = line * SHARED_WORDS;
    const count = shared.load(first + COUNT);
    const place = first + ((count + 1) & 1) * LINE_WORDS;
    shared.copyIn(place, this.image.subarray(line * LINE_WORDS, (line + 1) * LINE_WORDS));
    shared.store(first + COUNT, (count + 1) | 0);
    this.states[line] = CLEAN;
  }

  private touch(line: number): void {
    if (this.states[line] === ABSENT) this.fetch(line);
    if (this.chance !== undefined && ++this.accesses % 64 === 0) this.drift(this.chance);
  }

  /** What a cache does by itself: a dirty line leaves, a clean one is dropped, an absent one is fetched. */
  private drift(chance: () => number): void {
    const line = Math.floor(chance() * this.lineCount);
    if (this.states[line] === DIRTY) this.leave(line);
    else if (this.states[line] === CLEAN) this.states[line] = ABSENT;
    else this.fetch(line);
  }

  load(word: number): number {
    const line = Math.floor(word / LINE_WORDS);
    this.touch(line);
    // The chance of the moment may have dropped it again.
    if (this.states[line] === ABSENT) this.fetch(line);
    return this.image[word] as number;
  }

  store(word: number, value: number): void {
    const line = Math.floor(word / LINE_WORDS);
    this.touch(line);
    if (this.states[line] === ABSENT) this.fetch(line);
    this.image[word] = value;
    this.states[line] = DIRTY;
  }

  copyOut(line: number, target: Uint8Array): void {
    const count = Math.ceil(target.length / LINE_BYTES);
    for (let i = line; i < line + count; i++) if (this.states[i] === ABSENT) this.fetch(i);
    target.set(this.bytes.subarray(line * LINE_BYTES, line * LINE_BYTES + target.length));
  }

  copyIn(line: number, bytes: Uint8Array): void {
    const count = Math.ceil(bytes.length / LINE_BYTES);
    this.bytes.fill(0, line * LINE_BYTES, (line + count) * LINE_BYTES);
    this.bytes.set(bytes, line * LINE_BYTES);
    this.states.fill(DIRTY, line, line + count);
  }

  writeback(line: number, count: number): void {
    for (let i = line; i < line + count; i++) this.begun.set(i, this.begun.get(i) ?? false);
  }

  invalidate(line: number, count: number): void {
    for (let i = line; i < line + count; i++) this.begun.set(i, true);
  }

  order(): void {
    for (const [line, isDropped] of this.begun) {
      this.leave(line);
      if (isDropped) this.states[line] = ABSENT;
    }
    this.begun.clear();
  }
}
