/**
 * One node of the benchmark `large`: gets the object and reads it whole. Started as `node large.node.js TASK`, with the task
 * as JSON.
 *
 * One scan of a gigabyte takes so long that it is interrupted often where the machine is shared. So the page and two
 * private copies of it are scanned in turns of 1 MiB, and a scan's time is the median turn times their number. What the two
 * copies differ by is what chance is worth. Only the first scan of each, which a later one cannot repeat, is timed as a
 * whole.
 */
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type ConnectOptions, connect, type Pool } from '../src/index.js';
import { median } from './frame.js';

const SMALL_OBJECTS = 500;
/** No literal: to the compiler that is another kind of string, and to meet it first costs the call 10 µs. */
export const KEY = keyOf('large');
const GETS = 101;
const TURN_BYTES = 2 ** 20;
/** Never in the bytes, so that the search for it reads them all. */
const ABSENT = 0xff;

export const TARGETS = ['page', 'private', 'other private'] as const;
export type Target = (typeof TARGETS)[number];
/** By loop: JavaScript, bound by the processor. By search: the C library, bound by the memory. */
export const WAYS = ['loop', 'search'] as const;
export type Way = (typeof WAYS)[number];
export type Times = Readonly<Record<Target, readonly number[]>>;

/** Milliseconds. */
export interface Scans {
  readonly connectMs: number;
  /** The first get of the process, in which its code is compiled. */
  readonly coldGetMs: number;
  readonly firstGetMs: number;
  readonly getMs: readonly number[];
  readonly firstScanMs: Readonly<Record<Target, number>>;
  /** Round by round, in turns. */
  readonly scanMs: Readonly<Record<Way, Times>>;
  readonly sum: number;
}

function wordsOf(bytes: Uint8Array): Int32Array {
  return new Int32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength >> 2);
}

export function fillWords(bytes: Uint8Array, seed: number): void {
  const words = wordsOf(bytes);
  let state = seed | 1;
  for (let i = 0; i < words.length; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    words[i] = state & 0x7f7f7f7f;
  }
}

export function sumOf(bytes: Uint8Array): number {
  const words = wordsOf(bytes);
  let sum = 0;
  for (let i = 0; i < words.length; i++) sum = (sum + (words[i] as number)) | 0;
  return sum;
}

function search(bytes: Uint8Array): number {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).indexOf(ABSENT);
}

function keyOf(name: string | number): string {
  return `object:${name}`;
}

function timed<T>(work: () => T): { ms: number; value: T } {
  const start = performance.now();
  const value = work();
  return { ms: performance.now() - start, value };
}

function timedGet(pool: Pool, key: string) {
  return timed(() => {
    const page = pool.get(key);
    if (page === undefined) throw new Error(`${key} is not in the pool.`);
    return page;
  });
}

/** Compiles what is about to be timed. The first get of all, in milliseconds. */
function practise(pool: Pool): number {
  const cold = timedGet(pool, keyOf(0));
  cold.value.release();
  const practice = new Uint8Array(TURN_BYTES);
  for (let i = 0; i < 80; i++) sumOf(practice);
  for (let i = 0; i < SMALL_OBJECTS; i++) {
    timedGet(pool, keyOf(i)).value.release();
    timedGet(pool, keyOf(i)).value.release();
  }
  return cold.ms;
}

type Copies = Readonly<Record<Target, Uint8Array>>;

/** One scan of each, in turns. Milliseconds. */
function scanOnce(way: Way, copies: Copies, expected: number): Record<Target, number> {
  const answers = { page: 0, private: 0, 'other private': 0 };
  const ms: Record<Target, number[]> = { page: [], private: [], 'other private': [] };
  const { length } = copies.page;
  for (let from = 0, turn = 0; from < length; from += TURN_BYTES, turn++) {
    const order = [...TARGETS.slice(turn % 3), ...TARGETS.slice(0, turn % 3)];
    if (turn % 2 === 1) order.reverse();
    for (const name of order) {
      const bytes = copies[name].subarray(from, Math.min(length, from + TURN_BYTES));
      const scan = timed(() => (way === 'loop' ? sumOf(bytes) : search(bytes) + 1));
      ms[name].push(scan.ms);
      answers[name] = (answers[name] + scan.value) | 0;
    }
  }
  for (const name of TARGETS) {
    if (answers[name] !== expected) throw new Error(`${name}: the ${way} gave ${answers[name]}, not ${expected}.`);
  }
  const total = (series: readonly number[]) => median(series) * series.length;
  return { page: total(ms.page), private: total(ms.private), 'other private': total(ms['other private']) };
}

function scanInTurns(copies: Copies, sum: number, rounds: number): Record<Way, Times> {
  const times = () => ({ page: [] as number[], private: [] as number[], 'other private': [] as number[] });
  const all = { loop: times(), search: times() };
  for (let round = 0; round < rounds; round++) {
    for (const way of WAYS) {
      const once = scanOnce(way, copies, way === 'loop' ? sum : 0);
      for (const name of TARGETS) all[way][name].push(once[name]);
    }
  }
  return all;
}

/** The later gets come last: a processor whose caches a scan has swept takes some 50 µs more for the next call of anything. */
function scanAll(pool: Pool, seed: number, rounds: number): Omit<Scans, 'connectMs'> {
  const coldGetMs = practise(pool);
  const first = timedGet(pool, KEY);
  const page = first.value;
  const copy = () => {
    const bytes = new Uint8Array(page.size);
    fillWords(bytes, seed);
    return bytes;
  };
  const copies = { private: copy(), page: page.bytes, 'other private': copy() };
  const firstScanMs = { page: 0, private: 0, 'other private': 0 };
  const sums: number[] = [];
  for (const name of ['private', 'page', 'other private'] as const) {
    const scan = timed(() => sumOf(copies[name]));
    firstScanMs[name] = scan.ms;
    sums.push(scan.value);
  }
  const [sum = Number.NaN] = sums;
  if (sums.some((other) => other !== sum)) throw new Error(`The sums are ${sums.join(', ')}.`);
  const scanMs = scanInTurns(copies, sum, rounds);
  const getMs: number[] = [];
  for (let i = 0; i < GETS; i++) {
    const got = timedGet(pool, KEY);
    got.value.release();
    getMs.push(got.ms);
  }
  page.release();
  return { coldGetMs, firstGetMs: first.ms, getMs, firstScanMs, scanMs, sum };
}

export interface Task {
  readonly path: string;
  readonly bytes: number;
  readonly seed: number;
  readonly rounds: number;
  readonly prefault: NonNullable<ConnectOptions['prefault']>;
  readonly makes: boolean;
  readonly scans: boolean;
}

export function makeObject(pool: Pool, bytes: number, seed: number): void {
  const draft = pool.create(KEY, bytes);
  fillWords(draft.bytes, seed);
  draft.seal();
  for (let i = 0; i < SMALL_OBJECTS; i++) pool.put(keyOf(i), new Uint8Array(1024).fill(i));
}

async function main({ path, bytes, seed, rounds, prefault, makes, scans }: Task): Promise<void> {
  const start = performance.now();
  const pool = await connect(path, { prefault });
  const connectMs = performance.now() - start;
  if (makes) makeObject(pool, bytes, seed);
  const found: Scans | null = scans ? { ...scanAll(pool, seed, rounds), connectMs } : null;
  await pool.disconnect();
  process.send?.(found, () => process.disconnect());
}

if (resolve(process.argv[1] ?? '') === fileURLToPath(import.meta.url)) {
  await main(JSON.parse(process.argv[2] ?? '') as Task);
}
