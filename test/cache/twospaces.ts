/** One page space with versions, on two nodes. */
import { type PageSpace, SharedCache } from '../../src/index.js';
import type { AttachedPool } from '../../src/pool/index.js';
import { join, makePool } from './pools.js';

export const SIZE = 64;
export const page = (version: number) => new Uint8Array(SIZE).fill(version & 0xff);

export async function makeSpaces(): Promise<{ pool: AttachedPool; spaces: [PageSpace, PageSpace] }> {
  const pool = await makePool({ maxObjects: 2048 });
  const second = await join(pool.path);
  const spaceOn = (node: AttachedPool) => new SharedCache(node, { namespace: 'n' }).pages('t', { pageSize: SIZE });
  return { pool, spaces: [spaceOn(pool), spaceOn(second)] };
}
