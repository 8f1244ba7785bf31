/** Another node of the benchmark `large`: gets the object and reads it whole. Started as `node large.remote.js PATH SEED ROUNDS`. */
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { connect, type Pool } from '../src/index.js';

export const KEY = 'object';
const GETS = 101;

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

function sumOf(words: Int32Array): number {
  let sum = 0;
  for (let i = 0; i < words.length; i++) sum = (sum + (words[i] as number)) | 0;
  return sum;
}

function timed<T>(work: () => T): { ms: number; value: T } {
  const start = performance.now();
  const value = work();
  return { ms: performance.now() - start, value };
}

function getPage(pool: Pool) {
  const page = pool.get(KEY);
  if (page === undefined) throw new Error('The object is not in the pool.');
  return page;
}

export function scanAll(pool: Pool, seed: number, rounds: number): Scans {
  // The loop is compiled before the first scan is on the clock.
  const practice = new Int32Array(1 << 20);
  for (let i = 0; i < 10; i++) sumOf(practice);

  const first = timed(() => getPage(pool));
  const page = first.value;
  const shared = wordsOf(page.bytes);
  const firstScan = timed(() => sumOf(shared));

  const copy = new Uint8Array(page.size);
  fillWords(copy, seed);
  const own = wordsOf(copy);
  const expected = sumOf(own);
  const scan = (words: Int32Array) => {
    const { ms, value } = timed(() => sumOf(words));
    if (value !== expected) throw new Error(`The sum is ${value}, expected ${expected}.`);
    return ms;
  };
  if (firstScan.value !== expected) throw new Error(`The first sum is ${firstScan.value}, expected ${expected}.`);
  const sharedMs: number[] = [];
  const privateMs: number[] = [];
  for (let round = 0; round < rounds; round++) {
    for (const turn of [round, round + 1]) {
      if (turn % 2 === 0) sharedMs.push(scan(shared));
      else privateMs.push(scan(own));
    }
  }
  const getMs: number[] = [];
  for (let i = 0; i < GETS; i++) {
    const got = timed(() => getPage(pool));
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
