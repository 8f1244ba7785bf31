/**
 * The simulator that does not snoop: a device, and hosts that each have their own copies of its lines. Only writeback and
 * invalidate move lines for sure; besides, as seeded chance has it, dirty lines leave, clean ones are dropped or filled anew,
 * absent ones are fetched early, and what was begun by a writeback or an invalidate happens at any moment up to `order`.
 *
 * (N1) of a host that loses power every dirty line is out already, or gone, by chance. Of a host whose process died the cache stays.
 * (N2) which host stored to a line is remembered for ever: `writersOf` finds lines with two of them.
 */
import { LINE_BYTES, LINE_WORDS } from '../../lib/struct.js';
import type { Lines } from '../../src/coherence/lines.js';
import type { Chance } from '../support/chance.js';

interface Copy {
  readonly words: Int32Array;
  isDirty: boolean;
}

export class Device {
  readonly memory: Int32Array;
  /** A bit for each host that ever stored to the line. */
  readonly writers: Int32Array;

  constructor(lineCount: number) {
    this.memory = new Int32Array(lineCount * LINE_WORDS);
    this.writers = new Int32Array(lineCount);
  }

  get lineCount(): number {
    return this.writers.length;
  }

  /** Lines that more than one host has stored to. */
  linesOfTwoWriters(): number[] {
    return [...this.writers.keys()].filter((line) => {
      const bits = this.writers[line] as number;
      return (bits & (bits - 1)) !== 0;
    });
  }
}

export interface Counted {
  loads: number;
  stores: number;
  writebacks: number;
  invalidates: number;
  orders: number;
}

export class HostLines implements Lines {
  readonly counted: Counted = { loads: 0, stores: 0, writebacks: 0, invalidates: 0, orders: 0 };
  /** What was done, where somebody listens. */
  trace: ((what: string, line: number, count: number) => void) | undefined;
  /** Before each access, where somebody wants to come between. */
  onAccess: (() => void) | undefined;
  private readonly device: Device;
  private readonly host: number;
  private readonly copies = new Map<number, Copy>();
  /** Lines of which a writeback has begun, or (true) an invalidate. */
  private readonly begun = new Map<number, boolean>();

  constructor(device: Device, host: number) {
    this.device = device;
    this.host = host;
  }

  get lineCount(): number {
    return this.device.lineCount;
  }

  private copyOf(line: number): Copy {
    let copy = this.copies.get(line);
    if (copy === undefined) {
      const { memory } = this.device;
      copy = { words: memory.slice(line * LINE_WORDS, (line + 1) * LINE_WORDS), isDirty: false };
      this.copies.set(line, copy);
    }
    return copy;
  }

  load(word: number): number {
    this.onAccess?.();
    this.counted.loads++;
    return this.copyOf(Math.floor(word / LINE_WORDS)).words[word % LINE_WORDS] as number;
  }

  store(word: number, value: number): void {
    this.onAccess?.();
    this.counted.stores++;
    const line = Math.floor(word / LINE_WORDS);
    const copy = this.copyOf(line);
    copy.words[word % LINE_WORDS] = value;
    copy.isDirty = true;
    this.device.writers[line] = (this.device.writers[line] as number) | (1 << this.host);
  }

  copyOut(line: number, target: Uint8Array): void {
    for (let at = 0; at < target.length; at += LINE_BYTES) {
      this.onAccess?.();
      const { words } = this.copyOf(line + at / LINE_BYTES);
      target.set(new Uint8Array(words.buffer).subarray(0, Math.min(LINE_BYTES, target.length - at)), at);
    }
  }

  copyIn(line: number, bytes: Uint8Array): void {
    const padded = new Uint8Array(Math.ceil(bytes.length / LINE_BYTES) * LINE_BYTES);
    padded.set(bytes);
    const words = new Int32Array(padded.buffer);
    for (let i = 0; i < words.length; i++) this.store(line * LINE_WORDS + i, words[i] as number);
  }

  writeback(line: number, count: number): void {
    this.onAccess?.();
    this.counted.writebacks += count;
    this.trace?.('writeback', line, count);
    for (let i = line; i < line + count; i++) this.begun.set(i, this.begun.get(i) ?? false);
  }

  invalidate(line: number, count: number): void {
    this.onAccess?.();
    this.counted.invalidates += count;
    this.trace?.('invalidate', line, count);
    for (let i = line; i < line + count; i++) this.begun.set(i, true);
  }

  order(): void {
    this.onAccess?.();
    this.counted.orders++;
    this.trace?.('order', 0, 0);
    for (const line of [...this.begun.keys()]) this.finish(line);
  }

  private finish(line: number): void {
    this.leave(line);
    if (this.begun.get(line) === true) this.copies.delete(line);
    this.begun.delete(line);
  }

  /** A dirty line becomes memory's, and stays as a clean one. */
  private leave(line: number): void {
    const copy = this.copies.get(line);
    if (copy?.isDirty !== true) return;
    this.device.memory.set(copy.words, line * LINE_WORDS);
    copy.isDirty = false;
  }

  /** One thing that the cache does by itself, by chance. `near`: lines that may be fetched early. */
  drift(chance: Chance, near: readonly number[] = []): void {
    const of = (lines: Iterable<number>) => {
      const all = [...lines];
      return all.length === 0 ? undefined : chance.pick(all);
    };
    const what = chance.below(4);
    const line = what === 3 ? of(near) : of(what === 0 ? this.begun.keys() : this.copies.keys());
    if (line === undefined) return;
    const copy = this.copies.get(line);
    if (what === 0) this.finish(line);
    else if (what === 3) this.copyOf(line);
    else if (copy?.isDirty === true) this.leave(line);
    else this.copies.delete(line);
  }

  /** Everything dirty is gone, or was out already, line by line as chance has it (N1). */
  losePower(chance: Chance): void {
    for (const line of this.copies.keys()) if (chance.below(2) === 0) this.leave(line);
    this.copies.clear();
    this.begun.clear();
  }

  /** Lines that this host holds dirty. */
  dirty(): number[] {
    return [...this.copies].filter(([, { isDirty }]) => isDirty).map(([line]) => line);
  }
}
