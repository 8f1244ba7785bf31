/**
 * What the simulated kernel and scheduler know, in shared memory of its own: the clock, chance, who holds which row, who
 * is marked dead, and what waits in store buffers.
 */
export const ACTORS_MAX = 5;
export const ROWS_MAX = 16;
const BUFFER_WORDS = 1 + 2 * 24;

const CLOCK = 0;
const CHANCE = 1;
const STEPS = 2;
const FENCES = 3;
const MEMBERSHIP = 4;
const HELD = 16;
const MARKED = HELD + ROWS_MAX;
/** 0: the row's holder lives; 1: it died, and the kernel has not said so yet. */
const DYING = MARKED + ROWS_MAX;
const SOURCES = DYING + ROWS_MAX;
const SOURCES_MAX = 8;
const BUFFERS = SOURCES + SOURCES_MAX;
const END = BUFFERS + ACTORS_MAX * BUFFER_WORDS;
/** Clock units a millisecond. */
const UNITS = 100;

export class ControlBlock {
  static readonly bytes = END * 4;
  readonly words: Int32Array;

  constructor(memory: SharedArrayBuffer) {
    this.words = new Int32Array(memory);
  }

  reset(): void {
    this.words.fill(0, 0, END);
  }

  seed(seed: number): void {
    this.words[CHANCE] = Math.imul(seed, 0x9e3779b1) ^ 0x5bd1e995;
  }

  /** A random number of 0 ≤ n < 1 (mulberry32). */
  chance(): number {
    const { words } = this;
    words[CHANCE] = ((words[CHANCE] as number) + 0x6d2b79f5) | 0;
    let t = words[CHANCE] as number;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  }

  below(count: number): number {
    return Math.floor(this.chance() * count);
  }

  /** One moment later; steps are the clock of histories. */
  nextStep(): number {
    this.words[STEPS] = (this.words[STEPS] as number) + 1;
    return this.words[STEPS] as number;
  }

  get steps(): number {
    return this.words[STEPS] as number;
  }

  get nowMs(): number {
    return (this.words[CLOCK] as number) / UNITS;
  }

  pass(durationMs: number): void {
    this.words[CLOCK] = (this.words[CLOCK] as number) + Math.ceil(durationMs * UNITS);
  }

  get fencesEverybody(): boolean {
    return this.words[FENCES] === 1;
  }
  set fencesEverybody(value: boolean) {
    this.words[FENCES] = value ? 1 : 0;
  }

  hold(row: number): boolean {
    if (this.words[HELD + row] === 1) return false;
    this.words[HELD + row] = 1;
    this.words[MARKED + row] = 0;
    this.words[DYING + row] = 0;
    return true;
  }
  letGo(row: number): void {
    this.words[HELD + row] = 0;
  }
  isHeld(row: number): boolean {
    return this.words[HELD + row] === 1 && this.words[MARKED + row] === 0;
  }
  isMarked(row: number): boolean {
    return this.words[MARKED + row] === 1;
  }
  /** The thread that holds the row dies; the kernel's mark follows. */
  startDying(row: number): void {
    this.words[DYING + row] = 1;
  }
  /** The kernel marks the dead and drops their file locks: a death is seen a little later than it happens. */
  markDying(): void {
    for (let row = 0; row < ROWS_MAX; row++) {
      if (this.words[DYING + row] !== 1) continue;
      this.words[DYING + row] = 0;
      this.words[MARKED + row] = 1;
      this.words[HELD + row] = 0;
    }
  }

  lockMembership(actor: number): boolean {
    if (this.words[MEMBERSHIP] !== 0) return false;
    this.words[MEMBERSHIP] = actor;
    return true;
  }
  hasMembership(actor: number): boolean {
    return this.words[MEMBERSHIP] === actor;
  }
  unlockMembership(actor: number): void {
    if (this.words[MEMBERSHIP] === actor) this.words[MEMBERSHIP] = 0;
  }

  /** What the source of the key holds: versions from 1. */
  source(key: number): number {
    return (this.words[SOURCES + key] as number) + 1;
  }
  nextSource(key: number): number {
    this.words[SOURCES + key] = (this.words[SOURCES + key] as number) + 1;
    return this.source(key);
  }

  bufferOf(actor: number): Int32Array {
    return this.words.subarray(BUFFERS + actor * BUFFER_WORDS, BUFFERS + (actor + 1) * BUFFER_WORDS);
  }
}
