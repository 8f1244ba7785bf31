/** Looking at the pins of a node from inside. */
import { HazardHead } from '../../src/pool/layout/index.js';
import type { AttachedPool } from '../../src/pool/pool.js';
import type { usePools } from './pools.js';

type Keys = Parameters<AttachedPool['session']['glance']>[0];

/** The mark up to which others scan the node's pins. */
export function markOf(pool: AttachedPool): number {
  const { words, geometry, nodes } = pool.session.parts;
  return words.load(geometry.regions.hazardHeads.word + nodes.self * HazardHead.words + HazardHead.word.pinHigh);
}

export function keysOf(pool: AttachedPool): Keys {
  return (pool as unknown as { keys: Keys }).keys;
}

/** Two nodes on a pool with so many pages, k0 and on, of 8 bytes of their number each. */
export async function twoOnPages(
  pools: ReturnType<typeof usePools>,
  options: Parameters<ReturnType<typeof usePools>['create']>[0],
  pages: number,
): Promise<[AttachedPool, AttachedPool]> {
  const pool = await pools.create(options);
  const other = await pools.connect(pool.path);
  for (let i = 0; i < pages; i++) other.put(`k${i}`, new Uint8Array(8).fill(i));
  return [pool, other];
}
