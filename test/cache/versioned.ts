/** Page spaces and sources for loads as of versions. */
import type { PageSpace } from '../../src/index.js';
import { SharedCache } from '../../src/index.js';
import type { AttachedPool } from '../../src/pool/index.js';
import { join, makePool } from './pools.js';

export const SIZE = 64;
export const page = (version: number) => new Uint8Array(SIZE).fill(version & 0xff);

export interface Spaces {
  readonly pool: AttachedPool;
  readonly spaces: readonly [PageSpace, PageSpace];
}

export async function makeSpaces(format: object = { maxObjects: 2048 }): Promise<Spaces> {
  const pool = await makePool(format);
  const second = await join(pool.path);
  const spaceOn = (node: AttachedPool) => new SharedCache(node, { namespace: 'n' }).pages('t', { pageSize: SIZE });
  return { pool, spaces: [spaceOn(pool), spaceOn(second)] };
}

export const options = (asOf: number | undefined) => (asOf === undefined ? {} : { asOf });

/** A loader of a source with these versions of the page. */
export function sourceOf(...versions: number[]) {
  const asked: (number | undefined)[] = [];
  const fill = (target: Uint8Array, asOf: number | undefined) => {
    asked.push(asOf);
    const from = versions.findLast((version) => asOf === undefined || version <= asOf) as number;
    target.set(page(from));
    return { from };
  };
  return { asked, fill };
}
