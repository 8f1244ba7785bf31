/** What is asked of the pool when every node of a storm is dead: before anybody repairs, after it, and when all is deleted. */

import { connect, inspect } from '../../src/index.js';
import { lockCount } from '../../src/pool/layout/geometry.js';
import type { AttachedPool } from '../../src/pool/pool.js';
import { random } from '../support/content.js';
import { settle } from '../support/pools.js';
import { actorFor } from './actors.js';
import type { Board } from './board.js';
import type { Scene } from './plan.js';

const TICKS_MAX = 8;

interface Ticking {
  readonly upkeep: { tick(): void; stop(): void; readonly lastError: unknown };
}

async function problemsOf(path: string, onlyBad: boolean): Promise<string[]> {
  const { problems } = await inspect(path);
  return problems
    .filter((problem) => !onlyBad || !problem.repairable)
    .map(({ code, where, message }) => `${code} at ${where}: ${message}`);
}

function refuse(what: string, lines: readonly string[]): void {
  if (lines.length > 0) throw new Error(`${what}: ${lines.slice(0, 12).join('; ')}`);
}

export interface Settled {
  /** Nodes found dead, and ticks of upkeep until the census found nothing at all. */
  readonly dead: number;
  readonly ticks: number;
  readonly connectMs: number;
  readonly pagesChecked: number;
}

/** All are dead: nothing but what a death may leave, and nothing at all after the upkeep of one node. */
export async function checkAfterDeaths(scene: Scene, board: Board, seats: number, emptyIt: boolean): Promise<Settled> {
  const { poolPath } = scene;
  refuse('what no death can leave', await problemsOf(poolPath, true));
  const dead = (await inspect(poolPath)).nodes.length;
  const started = performance.now();
  const pool = (await connect(poolPath, { name: 'ledger' })) as AttachedPool;
  const connectMs = performance.now() - started;
  const { upkeep } = pool as unknown as Ticking;
  upkeep.stop();
  let ticks = 0;
  let left: string[] = [];
  do {
    upkeep.tick();
    left = await problemsOf(poolPath, false);
  } while (++ticks < TICKS_MAX && left.length > 0);
  refuse(`after ${ticks} ticks of upkeep (${upkeep.lastError ?? 'no error'})`, left);
  if (pool.nodes().length !== 1) throw new Error(`${pool.nodes().length} nodes are listed, of one that lives`);
  if (pool.stats().drafts !== 0) throw new Error(`${pool.stats().drafts} drafts of the dead are left`);
  const plan = { scene, seat: 0, seats, seed: 1 };
  const pagesChecked = await actorFor(pool, board, plan, random(1)).lookAtAll();
  if (emptyIt) await empty(pool);
  refuse('after looking at everything', await problemsOf(poolPath, false));
  await pool.disconnect();
  return { dead, ticks, connectMs, pagesChecked };
}

/** Every object is deleted: each granule and each chunk is free again, and nothing waits. */
async function empty(pool: AttachedPool): Promise<void> {
  const { geometry, chunks, locks } = pool.session.parts;
  for (const { name } of pool.checkpoints()) pool.forget(name);
  for (const { keyBytes } of [...pool.list()]) pool.delete(keyBytes);
  // What is kept for stale answers, and what says that there is nothing, is in no list.
  pool.evict(pool.info.size);
  await settle(pool);
  const { objects, drafts, limbo, bytesUsed, pins } = pool.stats();
  const left = { objects, drafts, limbo, bytesUsed, pins, chunks: geometry.chunks - chunks.freeCount() };
  if (Object.values(left).some((count) => count !== 0)) throw new Error(`not all came back: ${JSON.stringify(left)}`);
  for (let lock = 0; lock < lockCount(geometry); lock++) {
    if (locks.ownerOf(lock) >= 0 || locks.isDirty(lock)) throw new Error(`lock ${lock} was left`);
  }
}
