/**
 * Another node of the benchmark `large`: gets the object and reads it whole. Started as `node large.remote.js PATH SEED
 * ROUNDS`.
 *
 * One scan of a gigabyte takes so long that it is interrupted often where the machine is shared. So the page and a
 * private copy of it are scanned in turns of 4 MiB, and a scan's time is the median turn times their number. Only the
 * first scan, which a later one cannot repeat, is timed as a whole.
 */
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { connect, type Pool } from '../src/index.js';
import { median } from './frame.js';

export const KEY = 'object';
export const SMALL_OBJECTS = 500;
const GETS = 101;
const TURN_WORDS = 2 ** 20;

/** Milliseconds. */
export interface Scans {
  readonly firstGetMs: number;
  readonly firstScanMs: number;
  readonly getMs: readonly number[];
  /** Round by round, the page and a private copy of it in turns. */
  readonly sharedMs: readonly number[];
  readonly privateMs: readonly number[];
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
    words[i] = state;
  }
}

function sumOf(words: Int32Array, from: number, to: number): number {
  let sum = 0;
  for (let i = from; i < to; i++) sum = (sum + (words[i] as number)) | 0;
  return sum;
}

export function smallKey(index: number): string {
  return `small:${index}`;
}

function timed<T>(work: () => T): { ms: number; value: T } {
  const start = performance.now();
  const value = work();
  return { ms: performance.now() - start, value };
}

function getPage(pool: Pool, key: string) {
  const page = pool.get(key);
  if (page === undefined) throw new Error(`${key} is not in the pool.`);
  return page;
}

function timedGet(pool: Pool, key: string) {
  return timed(() => getPage(pool, key));
}

/**
 * Compiles what is about to be timed. The gets come last: a processor whose caches a scan has swept takes some 50 µs more
 * for the next call of anything, and what is asked here is what the lookup costs.
 */
function practise(pool: Pool): void {
  const practice = new Int32Array(TURN_WORDS);
  for (let i = 0; i < 20; i++) sumOf(practice, 0, practice.length);
  for (let i = 0; i < SMALL_OBJECTS; i++) {
    timedGet(pool, smallKey(i)).value.release();
    timedGet(pool, smallKey(i)).value.release();
  }
}

/** One scan of each, in turns. Milliseconds. */
function scanBoth(shared: Int32Array, own: Int32Array, expected: number): { shared: number; own: number } {
  const ms: Record<'shared' | 'own', number[]> = { shared: [], own: [] };
  const sums = { shared: 0, own: 0 };
  for (let from = 0; from < own.length; from += TURN_WORDS) {
    const isEven = (from / TURN_WORDS) % 2 === 0;
    for (const name of isEven ? (['shared', 'own'] as const) : (['own', 'shared'] as const)) {
      const words = name === 'shared' ? shared : own;
      const turn = timed(() => sumOf(words, from, Math.min(words.length, from + TURN_WORDS)));
      ms[name].push(turn.ms);
      sums[name] = (sums[name] + turn.value) | 0;
    }
  }
  if (sums.shared !== expected || sums.own !== expected) {
    throw new Error(`The sums are ${sums.shared} and ${sums.own}, expected ${expected}.`);
  }
  return { shared: median(ms.shared) * ms.shared.length, own: median(ms.own) * ms.own.length };
}

export function scanAll(pool: Pool, seed: number, rounds: number): Scans {
  practise(pool);
  const first = timedGet(pool, KEY);
  const page = first.value;
  const shared = wordsOf(page.bytes);
  const firstScan = timed(() => sumOf(shared, 0, shared.length));

  const copy = new Uint8Array(page.size);
  fillWords(copy, seed);
  const own = wordsOf(copy);
  const expected = sumOf(own, 0, own.length);
  if (firstScan.value !== expected) throw new Error(`The first sum is ${firstScan.value}, expected ${expected}.`);
  const sharedMs: number[] = [];
  const privateMs: number[] = [];
  for (let round = 0; round < rounds; round++) {
    const both = scanBoth(shared, own, expected);
    sharedMs.push(both.shared);
    privateMs.push(both.own);
  }
  const getMs: number[] = [];
  for (let i = 0; i < GETS; i++) {
    const got = timedGet(pool, KEY);
    got.value.release();
    getMs.push(got.ms);
  }
  page.release();
  return { firstGetMs: first.ms, firstScanMs: firstScan.ms, getMs, sharedMs, privateMs, sum: expected };
}

async function main(path: string, seed: number, rounds: number): Promise<void> {
  const pool = await connect(path);
  const scans = scanAll(pool, seed, rounds);
  await pool.disconnect();
  process.send?.(scans, () => process.disconnect());
}

if (resolve(process.argv[1] ?? '') === fileURLToPath(import.meta.url)) {
  const [path = '', seed = '1', rounds = '1'] = process.argv.slice(2);
  await main(path, Number(seed), Number(rounds));
}
