/** What a guest does when it is asked. Each may throw; the answer is JSON. */
import { execFileSync, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import {
  type ConnectOptions,
  connect as connectTo,
  destroy as destroyPool,
  type FormatOptions,
  format as formatPool,
} from '../../src/index.js';
import type { AttachedPool } from '../../src/pool/index.js';
import { expectCleanCensus } from '../support/census.js';
import { DEVICE } from './guest.js';

const HOLDER = fileURLToPath(new URL('./holder.js', import.meta.url));
/** Of an object of the shuffle. */
const PIECE_BYTES = 1024 * 1024;

let attached: AttachedPool | undefined;

function pool(): AttachedPool {
  if (attached === undefined) throw new Error('not connected');
  return attached;
}

function contentOf(byteLength: number, seed: number): Uint8Array {
  return Uint8Array.from({ length: byteLength }, (_, i) => (seed * 31 + i * 7 + (i >> 8)) & 0xff);
}

async function format(options: FormatOptions): Promise<number> {
  return (await formatPool(DEVICE, options)).size;
}

async function connect(options: ConnectOptions = {}): Promise<string> {
  attached = (await connectTo(DEVICE, options)) as AttachedPool;
  return attached.info.poolId;
}

async function disconnect(): Promise<void> {
  await pool().disconnect();
  attached = undefined;
}

async function destroy(): Promise<void> {
  await destroyPool(DEVICE);
}

function put(key: string, byteLength: number, seed: number): void {
  pool().put(key, contentOf(byteLength, seed));
}

/** Whether it is there, and is what was put. */
function holds(key: string, byteLength: number, seed: number): boolean {
  const page = pool().get(key);
  if (page === undefined) return false;
  try {
    return Buffer.compare(page.bytes, contentOf(byteLength, seed)) === 0;
  } finally {
    page.release();
  }
}

function remove(key: string): boolean {
  return pool().delete(key);
}

/** A draft that nobody seals. */
function draft(key: string): void {
  pool().create(key, 100);
}

/** Takes the lock of every shard and never lets go. */
function holdLocks(): number {
  const { locks, geometry, calls } = pool().session.parts;
  calls.settle = undefined;
  for (let shard = 0; shard < geometry.shards; shard++) if (!locks.tryAcquire(shard)) throw new Error('held');
  return geometry.shards;
}

function checkpoint(seed: number): void {
  const writer = pool().checkpoint('state');
  writer.put('part', contentOf(5000, seed));
  writer.commit();
}

function restored(seed: number): boolean {
  const last = pool().restore('state');
  if (last === undefined) return false;
  const page = last.get('part');
  const isSame = Buffer.compare(page.bytes, contentOf(5000, seed)) === 0;
  page.release();
  last.release();
  return isSame;
}

function putMany(count: number): void {
  for (let i = 0; i < count; i++) pool().put(`piece ${i}`, contentOf(PIECE_BYTES, i));
}

/** How many of them are there, whole. */
function wholeOf(count: number): number {
  let whole = 0;
  for (let i = 0; i < count; i++) if (holds(`piece ${i}`, PIECE_BYTES, i)) whole++;
  return whole;
}

/** Keys of events, from those that the pool still has on. */
async function events(count: number): Promise<string[]> {
  const subscription = pool().subscribe({ replay: true });
  const keys: string[] = [];
  for await (const event of subscription) {
    if ('key' in event && event.key !== undefined) keys.push(String(event.key));
    if (keys.length >= count) break;
  }
  return keys;
}

function alive(): string[] {
  return pool()
    .nodes()
    .filter(({ state }) => state === 'alive')
    .map(({ name }) => name.slice(0, name.indexOf(':')));
}

async function census(): Promise<void> {
  await expectCleanCensus(DEVICE);
}

/** Sets the guest's clock. */
function shiftClock(seconds: number): number {
  execFileSync('date', ['-s', `@${Math.round(Date.now() / 1000) + seconds}`]);
  return Date.now();
}

/** Another process of this guest, which holds a lock and a draft, and is killed. */
async function killNeighbour(key: string): Promise<void> {
  const child = fork(HOLDER, [DEVICE, key]);
  await once(child, 'message');
  child.kill('SIGKILL');
  await once(child, 'exit');
}

export const DEEDS = {
  ...{ format, connect, disconnect, destroy, put, holds, remove, draft, holdLocks, checkpoint, restored, putMany },
  ...{ wholeOf, events, alive, census, shiftClock, killNeighbour },
} as const;
