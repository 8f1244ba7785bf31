/**
 * The stream and the state of the fail-over benchmark: trades (symbol, price, size), aggregated by symbol and pane. A pane
 * is a stretch of the stream; the window of a symbol is the last so many panes. What the trades of a pane are follows
 * from the seed and the pane's number alone, so any process can make them again.
 *
 * A pane's aggregates are one typed array: for each symbol its volume, notional (price times size), highest and lowest
 * price. Prices and sizes are integers and the sums stay below 2^53, so every arm gets the same bits.
 */
import { Random } from './random.js';

export interface Shape {
  readonly seed: number;
  readonly symbols: number;
  /** Panes in the window. */
  readonly panes: number;
  readonly tradesPerPane: number;
}

const FIELDS = 4;
const [VOLUME, NOTIONAL, HIGH, LOW] = [0, 1, 2, 3] as const;

export function paneBytes(shape: Shape): number {
  return shape.symbols * FIELDS * 8;
}

export function stateBytes(shape: Shape): number {
  return shape.panes * paneBytes(shape);
}

/** Where a pane lies in the file. There is one place more than panes, for the one that is not committed yet. */
export function placeOf(shape: Shape, pane: number): number {
  return (pane % (shape.panes + 1)) * paneBytes(shape);
}

export function fileBytes(shape: Shape): number {
  return stateBytes(shape) + paneBytes(shape);
}

/** Fills an empty pane from its part of the stream. */
export function aggregate(shape: Shape, pane: number, into: Float64Array): void {
  into.fill(0);
  const random = new Random(Math.imul(shape.seed, 0x9e3779b1) ^ Math.imul(pane + 1, 0x85ebca6b));
  for (let i = 0; i < shape.tradesPerPane; i++) {
    const at = (random.next() % shape.symbols) * FIELDS;
    const word = random.next();
    const price = 10_000 + (word & 0xfff);
    const size = 1 + ((word >>> 12) & 0x3ff);
    if (into[at + VOLUME] === 0 || price > (into[at + HIGH] as number)) into[at + HIGH] = price;
    if (into[at + VOLUME] === 0 || price < (into[at + LOW] as number)) into[at + LOW] = price;
    into[at + VOLUME] = (into[at + VOLUME] as number) + size;
    into[at + NOTIONAL] = (into[at + NOTIONAL] as number) + price * size;
  }
}

/** A window's panes by number, from the first to the last. */
export type Window = ReadonlyMap<number, Float64Array>;

/** The symbols that the first query asks for. */
export function askedSymbols(shape: Shape): number[] {
  const random = new Random(shape.seed + 77);
  return Array.from({ length: 16 }, () => random.below(shape.symbols));
}

/** Volume, volume-weighted price, high and low of each symbol asked for, over the whole window. As text, to compare. */
export function answer(shape: Shape, window: Window): string {
  const lines = askedSymbols(shape).map((symbol) => {
    let [volume, notional, high, low] = [0, 0, 0, Number.POSITIVE_INFINITY];
    for (const pane of window.values()) {
      const at = symbol * FIELDS;
      const traded = pane[at + VOLUME] as number;
      if (traded === 0) continue;
      volume += traded;
      notional += pane[at + NOTIONAL] as number;
      high = Math.max(high, pane[at + HIGH] as number);
      low = Math.min(low, pane[at + LOW] as number);
    }
    return `${symbol}: ${volume} at ${notional / volume}, ${low}..${high}`;
  });
  return lines.join('\n');
}

/** A sum that any wrong or missing bit of the state changes: reads all of it. */
export function sumOf(window: Window): number {
  let sum = 0;
  for (const [number, pane] of window) {
    const words = new Int32Array(pane.buffer, pane.byteOffset, pane.length * 2);
    let own = number | 0;
    for (let i = 0; i < words.length; i++) own = (Math.imul(own, 31) + (words[i] as number)) | 0;
    sum = (Math.imul(sum, 31) + own) | 0;
  }
  return sum;
}

export function panePart(pane: number): string {
  return `pane ${pane}`;
}

export const NAME = 'windows';

/** What the metadata of a checkpoint says. Times are of the clock that all processes of a machine share. */
export interface Position {
  readonly firstPane: number;
  readonly lastPane: number;
  readonly atMs: number;
}

export function nowMs(): number {
  return Number(process.hrtime.bigint() / 1000n) / 1000;
}

/** What each process is told as its only argument. */
export interface Task {
  readonly path: string;
  readonly file: string;
  readonly shape: Shape;
  readonly intervalMs: number;
  /** Where the open panes are while they are filled. */
  readonly how: How;
}

export type How = 'in drafts' | 'copied at commit';

export function taskOf(): Task {
  return JSON.parse(process.argv[2] ?? '{}') as Task;
}

/** The answer and the sum, with the moments at which each was there. */
export interface Answered {
  readonly text: string;
  readonly answeredAtMs: number;
  readonly sum: number;
  readonly summedAtMs: number;
}

export function answerAll(shape: Shape, window: Window): Answered {
  const text = answer(shape, window);
  const answeredAtMs = nowMs();
  return { text, answeredAtMs, sum: sumOf(window), summedAtMs: nowMs() };
}
