/** What nodes under test do for a while: loops of whole operations, run in processes and in workers alike. */
import { SharedCache } from '../../src/index.js';
import type { Page } from '../../src/pool/layout/types.js';
import type { AttachedPool } from '../../src/pool/pool.js';
import { CONTENT_BYTES_MIN, checkContent, contentOf, random } from '../support/content.js';
import type { Kind, Operation } from '../support/linearizable.js';

export interface LoopOptions {
  readonly who: number;
  readonly seed: number;
  readonly keys: number;
  readonly durationMs: number;
  readonly sizeMax: number;
}

/** Lets timers and messages in. */
export function breathe(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

async function repeat(durationMs: number, step: (round: number) => unknown): Promise<number> {
  const end = performance.now() + durationMs;
  let round = 0;
  while (performance.now() < end) {
    const turnEnd = performance.now() + 5;
    while (performance.now() < turnEnd) await step(round++);
    await breathe();
  }
  return round;
}

function sizeOf(below: (limit: number) => number, sizeMax: number): number {
  return CONTENT_BYTES_MIN + below(sizeMax - CONTENT_BYTES_MIN);
}

/** Supersedes the pages of `keys` keys with ever higher generations; some are deleted. Returns how many were set. */
export async function supersede(pool: AttachedPool, options: LoopOptions): Promise<number> {
  const cache = new SharedCache(pool);
  const below = random(options.seed);
  const first = options.who * 0x1000000;
  let sets = 0;
  await repeat(options.durationMs, (round) => {
    const key = `page-${below(options.keys)}`;
    if (below(16) === 0) cache.delete(key);
    else if (cache.set(key, contentOf(key, first + round, sizeOf(below, options.sizeMax)))) sets++;
  });
  return sets;
}

/**
 * Reads the pages of `keys` keys in every way there is, and checks every byte. With `single`, one writer is at work: no
 * later read finds an older page. Some pages are pinned and looked at again after a while.
 */
export async function readAndCheck(pool: AttachedPool, options: LoopOptions & { single: boolean }): Promise<number> {
  const cache = new SharedCache(pool);
  const below = random(options.seed);
  const newest = new Map<string, number>();
  const held: { key: string; page: Page; generation: number }[] = [];
  const target = new Uint8Array(options.sizeMax);
  let hits = 0;
  const meet = (key: string, bytes: Uint8Array) => {
    const generation = checkContent(bytes, key);
    const known = newest.get(key);
    if (options.single && known !== undefined && generation < known) {
      throw new Error(`${key}: generation ${generation} after ${known}`);
    }
    newest.set(key, generation);
    hits++;
    return generation;
  };
  const pin = (key: string) => {
    const page = cache.get(key);
    if (page !== undefined) held.push({ key, page, generation: meet(key, page.bytes) });
  };
  const letGo = () => {
    const oldest = held.shift();
    if (oldest === undefined) return;
    const now = checkContent(oldest.page.bytes, oldest.key);
    if (now !== oldest.generation) throw new Error(`${oldest.key}: changed from ${oldest.generation} to ${now}`);
    oldest.page.release();
  };
  const borrowSome = () => {
    // All of them are good until the run ends.
    const borrowed = Array.from({ length: 16 }, () => `page-${below(options.keys)}`);
    const views = borrowed.map((key) => cache.borrow(key));
    borrowed.forEach((key, i) => {
      const bytes = views[i];
      if (bytes !== undefined) checkContent(bytes, key);
    });
  };
  await repeat(options.durationMs, async (round) => {
    const key = `page-${below(options.keys)}`;
    const way = round % 4;
    if (way === 0) pin(key);
    else if (way === 1) borrowSome();
    else if (way === 2) {
      const length = cache.read(key, target);
      if (length >= 0) meet(key, target.slice(0, length));
    } else {
      const bytes = cache.peek(key);
      if (bytes !== undefined) meet(key, bytes);
    }
    while (held.length > 24) letGo();
    if (round % 8 === 7) await Promise.resolve();
  });
  while (held.length > 0) letGo();
  return hits;
}

/** Puts, pins, drafts, aborts and deletes at random, without end: for being killed in the middle of something. */
export async function disturb(pool: AttachedPool, options: LoopOptions): Promise<void> {
  const cache = new SharedCache(pool);
  const below = random(options.seed);
  const pins: Page[] = [];
  await repeat(options.durationMs, (round) => {
    const key = `page-${below(options.keys)}`;
    const size = sizeOf(below, options.sizeMax);
    const way = below(8);
    if (way < 4) cache.set(key, contentOf(key, options.who * 0x1000000 + round, size));
    else if (way === 4) cache.delete(key);
    else if (way === 5) leaveOrEnd(pool, `draft-${options.who}-${below(64)}`, size, below(3));
    else if (way === 6) pool.delete(`draft-${options.who}-${below(64)}`);
    else {
      const page = cache.get(key);
      if (page !== undefined) pins.push(page);
      if (pins.length > 32) pins.shift()?.release();
    }
  });
}

function leaveOrEnd(pool: AttachedPool, key: string, size: number, how: number): void {
  if (pool.has(key)) return;
  let draft: ReturnType<AttachedPool['create']>;
  try {
    draft = pool.create(key, size);
  } catch (error) {
    // A draft was left open under the key earlier; or drafts and pins hold all that could make room.
    const { code } = error as { code?: string };
    if (code === 'KEY_EXISTS' || code === 'POOL_FULL') return;
    throw error;
  }
  draft.bytes.set(contentOf(key, how, size));
  if (how === 0) draft.seal();
  else if (how === 1) draft.abort();
}

export interface RecordOptions {
  readonly who: number;
  readonly seed: number;
  readonly keys: number;
  readonly operations: number;
  /** put, delete and get of the pool; or set, delete and borrow of the cache. */
  readonly layer: 'pool' | 'cache';
  /** Of hrtime, so that all begin together. */
  readonly startAt: bigint;
}

const VALUE_BYTES = 64;

function valueIn(bytes: Uint8Array | undefined, key: string): number {
  return bytes === undefined ? 0 : checkContent(bytes, key);
}

/** Does one operation; its result and the value it stored or found. */
function operate(
  ends: { pool: AttachedPool; cache: SharedCache; layer: 'pool' | 'cache' },
  kind: Kind,
  key: string,
  value: number,
): { value: number; result: boolean } {
  const { pool, cache } = ends;
  const isPool = ends.layer === 'pool';
  if (kind === 'delete') return { value: 0, result: isPool ? pool.delete(key) : cache.delete(key) };
  if (kind === 'put') return { value, result: pool.put(key, contentOf(key, value, VALUE_BYTES)) };
  if (kind === 'set') {
    if (!cache.set(key, contentOf(key, value, VALUE_BYTES))) throw new Error('set found no room');
    return { value, result: true };
  }
  if (!isPool) return { value: valueIn(cache.borrow(key), key), result: true };
  const page = pool.get(key);
  const found = valueIn(page?.bytes, key);
  page?.release();
  return { value: found, result: true };
}

/** Works on few keys together with others and records what it saw and when. */
export async function record(pool: AttachedPool, options: RecordOptions): Promise<Map<string, Operation[]>> {
  const cache = new SharedCache(pool);
  const below = random(options.seed);
  const { who, layer } = options;
  const histories = new Map<string, Operation[]>();
  for (let i = 0; i < options.keys; i++) histories.set(`key-${i}`, []);
  while (process.hrtime.bigint() < options.startAt) await breathe();
  for (let i = 0; i < options.operations; i++) {
    const key = `key-${below(options.keys)}`;
    const way = below(8);
    const write: Kind = layer === 'pool' ? 'put' : 'set';
    const kind: Kind = way < 2 ? write : way === 2 ? 'delete' : 'get';
    const unique = who * 0x1000000 + i + 1;
    const start = process.hrtime.bigint();
    const { value, result } = operate({ pool, cache, layer }, kind, key, unique);
    const end = process.hrtime.bigint();
    histories.get(key)?.push({ who, kind, value, result, start, end });
    if (i % 64 === 63) await breathe();
  }
  return histories;
}
