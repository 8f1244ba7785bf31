/** The program of a node under test: a process that does what it is told over IPC. */

import { readFileSync } from 'node:fs';
import { libc } from '../../lib/linux/index.js';
import { Words } from '../../lib/words.js';
import { connect, format, SharedCache } from '../../src/index.js';
import { lockCount } from '../../src/pool/layout/geometry.js';
import type {
  CheckpointWriter,
  ConnectOptions,
  CreateOptions,
  Draft,
  FormatOptions,
  Page,
} from '../../src/pool/layout/types.js';
import type { AttachedPool } from '../../src/pool/pool.js';
import { checkContent, contentOf, fillContent } from '../support/content.js';
import { inMode, type Mode } from '../support/mode.js';
import { churn, endWhenIdle, subscribe, told, toldAndMissed } from './events.js';
import { roundTrip } from './large.js';
import { disturb, type LoopOptions, type RecordOptions, readAndCheck, record, supersede } from './loops.js';

let pool: AttachedPool;
const drafts = new Map<string, Draft>();
const pins = new Map<string, Page>();
let failure: unknown;

function draftOf(key: string): Draft {
  const draft = drafts.get(key);
  if (draft === undefined) throw new Error(`this node has no draft ${key}`);
  return draft;
}

function pinOf(key: string): Page {
  const page = pins.get(key);
  if (page === undefined) throw new Error(`this node has no page ${key}`);
  return page;
}

const membership = {
  /** Of another user from now on. What is loaded late is loaded before. */
  become(uid: number, gid: number): void {
    libc();
    process.setgroups?.([gid]);
    process.setgid?.(gid);
    process.setuid?.(uid);
    process.umask(0o007);
  },
  async connect(path: string, options?: ConnectOptions) {
    const mode = (process.env['SEALPOOL_TEST_MODE'] ?? 'coherent') as Mode;
    pool = (await connect(path, inMode(mode, options ?? {}))) as AttachedPool;
    return pool.node.id;
  },
  format: (path: string, options: FormatOptions) => format(path, options),
  disconnect: () => pool.disconnect(),
  node: () => pool.node,
  nodes: () => pool.nodes(),
  stats: () => pool.stats(),
};

const objects = {
  put: (key: string, bytes: Uint8Array, options?: CreateOptions) => pool.put(key, bytes, options),
  /** Puts a page of checked content. */
  fill(key: string, generation: number, size: number) {
    const draft = pool.create(key, size);
    fillContent(draft.bytes, key, generation);
    draft.seal();
  },
  create: (key: string, size: number, options?: CreateOptions) => {
    drafts.set(key, pool.create(key, size, options));
  },
  fillDraft: (key: string, generation: number) => fillContent(draftOf(key).bytes, key, generation),
  seal: (key: string) => draftOf(key).seal(),
  abort: (key: string) => draftOf(key).abort(),
  delete: (key: string) => pool.delete(key),
  has: (key: string) => pool.has(key),
  list: () => [...pool.list()],
  evict: (bytes: number) => pool.evict(bytes),
  set: (key: string, bytes: Uint8Array) => new SharedCache(pool).set(key, bytes),
};

const pages = {
  get(key: string): Uint8Array | undefined {
    const page = pool.get(key);
    const bytes = page?.copy();
    page?.release();
    return bytes;
  },
  /** The generation of the page's checked content, or undefined for a miss. */
  check(key: string): number | undefined {
    const page = pool.get(key);
    if (page === undefined) return undefined;
    const generation = checkContent(page.bytes, key);
    page.release();
    return generation;
  },
  pin(key: string): boolean {
    const page = pool.get(key);
    if (page !== undefined) pins.set(key, page);
    return page !== undefined;
  },
  checkPinned: (key: string) => checkContent(pinOf(key).bytes, key),
  release: (key: string) => pinOf(key).release(),
  async waitFor(key: string, timeoutMs: number): Promise<Uint8Array> {
    const page = await pool.waitFor(key, { timeoutMs });
    const bytes = page.copy();
    page.release();
    return bytes;
  },
  /** Writes to the bytes of a sealed page. */
  scribble(key: string): string {
    const page = pool.get(key) as Page;
    page.bytes[0] = (page.bytes[0] as number) ^ 0xff;
    return 'survived';
  },
  /** Touches every byte of the pages under the prefix, and keeps them. The sum of all bytes. */
  readWhole(prefix: string): number {
    let sum = 0;
    for (const { key } of pool.list({ prefix })) {
      const page = pool.get(key) as Page;
      pins.set(key, page);
      const { bytes } = page;
      for (let i = 0; i < bytes.length; i += 64) sum += bytes[i] as number;
    }
    return sum;
  },
  /** Sends an object of that size through a pool of its own, by two nodes of this process. */
  async large(path: string, size: number): Promise<{ size: number; differs: number; used: number }> {
    const create = { size: size + 64 * 1024 * 1024, pageSize: 1024 * 1024 };
    const writer = (await connect(path, { create })) as AttachedPool;
    const reader = (await connect(path)) as AttachedPool;
    const found = roundTrip(writer, reader, size);
    await new Promise(setImmediate);
    writer.evict(1);
    const used = writer.stats().bytesUsed;
    await reader.disconnect();
    await writer.disconnect();
    return { ...found, used };
  },
  /** Proportional set size of this process, in bytes. */
  pss(): number {
    const text = readFileSync('/proc/self/smaps_rollup', 'utf8');
    return Number(/^Pss:\s+(\d+) kB$/m.exec(text)?.[1]) * 1024;
  },
};

const machinery = {
  /** The process is killed by itself in place of that store, in whatever it does next. Answers by being gone. */
  dieAtStore(store: number): void {
    let left = store;
    const { copyIn } = Words.prototype;
    Words.prototype.copyIn = function (index, source) {
      // Each word is a store.
      copyIn.call(this, index, source.subarray(0, left));
      if (left < source.length) process.kill(process.pid, 'SIGKILL');
      left -= source.length;
    };
    for (const name of ['write', 'store', 'compareExchange', 'fill'] as const) {
      const original = Words.prototype[name] as (...all: number[]) => number;
      const counted = function (this: Words, ...all: number[]): number {
        if (left-- === 0) process.kill(process.pid, 'SIGKILL');
        return original.apply(this, all);
      };
      Object.assign(Words.prototype, { [name]: counted });
    }
  },
  /** Takes over and repairs every lock that a dead node held. Returns how many. */
  recoverAll(): number {
    const { locks, geometry } = pool.session.parts;
    let count = 0;
    for (let lock = 0; lock < lockCount(geometry); lock++) if (locks.recover(lock)) count++;
    return count;
  },
  /** Holds it over the end of the run, after which it would be given back as a cut call's. */
  acquire(lock: number): void {
    const { calls, locks } = pool.session.parts;
    calls.settle = undefined;
    locks.acquire(lock);
  },
  releaseLock: (lock: number) => pool.session.parts.locks.release(lock),
  supersede: (options: LoopOptions) => supersede(pool, options),
  readAndCheck: (options: LoopOptions & { single: boolean }) => readAndCheck(pool, options),
  record: (options: RecordOptions) => record(pool, options),
  /** Goes on in the background; the next command asks for its failure. */
  disturb(options: LoopOptions): void {
    disturb(pool, options).catch((error: unknown) => {
      failure = error;
    });
  },
  failure: () => (failure === undefined ? undefined : String((failure as Error).stack)),
  /** Puts pages of its own under every key; the keys it won. */
  async contend(prefix: string, count: number, startAt: bigint): Promise<number[]> {
    const won: number[] = [];
    while (process.hrtime.bigint() < startAt);
    for (let i = 0; i < count; i++) {
      if (pool.put(`${prefix}${i}`, new TextEncoder().encode(String(process.pid)))) won.push(i);
    }
    return won;
  },
};

const events = {
  subscribe: () => subscribe(pool),
  told,
  toldAndMissed,
  churn: (prefix: string, rounds: number, seed: number) => churn(pool, prefix, rounds, seed),
  endWhenIdle: (isKept: boolean) => endWhenIdle(pool, isKept),
};

const checkpoints = {
  /** Begins one, with a sealed part and a draft, and leaves it so. */
  beginCheckpoint(name: string): void {
    const writer = pool.checkpoint(name);
    writer.put('part', new Uint8Array(1000));
    writer.create('draft', 1000);
  },
  /** Commits until it fails. */
  async commitForEver(name: string, seed: number): Promise<never> {
    for (let round = 0; ; round++) {
      const writer = pool.checkpoint(name);
      for (let i = 0; i < 4; i++) if (!writer.reuse(`${i}`) || (round + seed) % 4 === i) putPart(writer, `${i}`, round);
      writer.commit();
      if (round % 4 === 0) await new Promise(setImmediate);
    }
  },
};

function putPart(writer: CheckpointWriter, part: string, round: number): void {
  const name = `${part}-${round}`;
  writer.put(name, contentOf(name, round, 2000));
}

const commands = { ...checkpoints, ...membership, ...objects, ...pages, ...machinery, ...events };
export type Commands = typeof commands;

interface Request {
  readonly id: number;
  readonly name: keyof Commands;
  readonly parameters: readonly unknown[];
}

process.on('message', async ({ id, name, parameters }: Request) => {
  try {
    const value = await (commands[name] as (...all: readonly unknown[]) => unknown)(...parameters);
    process.send?.({ id, value });
  } catch (error) {
    const { code, message, stack } = error as Error & { code?: string };
    process.send?.({ id, error: { code, message, stack } });
  }
});
process.on('disconnect', () => process.exit(0));
process.send?.({ id: 0 });
