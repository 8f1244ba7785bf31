/** Pools for tests: each in a file of its own, disconnected and removed when the test ends. */
import { rmSync } from 'node:fs';
import { ownName, removeBells } from '../../lib/linux/index.js';
import type { Key } from '../../src/index.js';
import { type ConnectOptions, connect, type FormatOptions, SharedCache } from '../../src/index.js';
import { AttachedPool } from '../../src/pool/index.js';
import { atEnd } from '../support/cleanups.js';

export { atEnd };

let made = 0;
export function poolPath(): string {
  const path = `/dev/shm/${ownName('cache')}-${made++}`;
  atEnd(() => {
    rmSync(path, { force: true });
    removeBells(path);
  });
  return path;
}

export const SMALL: FormatOptions = { size: '4MiB', pageSize: 4096, maxNodes: 16 };

/** One more node of the pool at the path. */
export async function join(path: string, options: ConnectOptions = {}): Promise<AttachedPool> {
  const pool = await connect(path, options);
  if (!(pool instanceof AttachedPool)) throw new Error('not attached');
  atEnd(() => pool.disconnect());
  return pool;
}

export async function makePool(format: Partial<FormatOptions> = {}): Promise<AttachedPool> {
  return join(poolPath(), { create: { ...SMALL, ...format } });
}

/** Two nodes in this process, with a cache of one namespace on each. */
export async function makeTwo(
  format: Partial<FormatOptions> = {},
): Promise<{ pools: [AttachedPool, AttachedPool]; caches: [SharedCache, SharedCache] }> {
  const first = await makePool(format);
  const second = await join(first.path);
  return {
    pools: [first, second],
    caches: [new SharedCache(first, { namespace: 'n' }), new SharedCache(second, { namespace: 'n' })],
  };
}

/** Bytes that tell which key and version they belong to, in every position. */
export function pattern(size: number, key: number, version = 0): Uint8Array {
  const bytes = new Uint8Array(size);
  const words = new Uint32Array(bytes.buffer, 0, size >>> 2);
  for (let i = 0; i < words.length; i++)
    words[i] = Math.imul(key + 1, 0x9e3779b1) ^ Math.imul(version + 1, 0x85ebca6b) ^ i;
  for (let i = words.length * 4; i < size; i++) bytes[i] = key ^ version ^ i;
  return bytes;
}

export function textOf(bytes: Uint8Array | undefined): string | undefined {
  return bytes === undefined ? undefined : new TextDecoder().decode(bytes);
}

export function bytesOf(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

/** What a cache answers for the key, as text; released. */
export function textIn(cache: SharedCache, key: Key): string | undefined {
  return textOf(cache.borrow(key));
}

/** The code of the PoolError that the call ends with. */
export async function codeOf(call: () => unknown): Promise<string> {
  try {
    await call();
  } catch (error) {
    return (error as { code?: string }).code ?? String(error);
  }
  return 'no error';
}

export const sleep = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));
