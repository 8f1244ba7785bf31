/** Which lies a census finds: one at a time, in a pool at rest, by region and field. */
import { existsSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ownName } from '../../../lib/linux/index.js';
import { connect, inspect, PoolError, SharedCache } from '../../../src/index.js';
import type { RegionName } from '../../../src/pool/layout/geometry.js';
import { Superblock } from '../../../src/pool/layout/layout.js';
import type { AttachedPool } from '../../../src/pool/pool.js';
import type { NodeParts } from '../../../src/pool/session/index.js';
import { Chance } from '../../support/chance.js';
import { leave } from './acts.js';
import { fieldOf, Liar } from './lies.js';

interface Tally {
  told: number;
  /** Named by a problem, or by the PoolError that inspect throws. */
  found: number;
  /** Of those: reported as no more than what a death leaves. */
  repairable: number;
}

/** Words that mean nothing by themselves: any value is a right one, or is made right by the next use. */
const FREE_TO_SAY: Partial<Record<RegionName, string>> = {
  touches: 'hints for the eviction policy',
  touchesDrained: 'hints for the eviction policy',
  ghosts: 'hints for the eviction policy',
  borrows: 'entries beyond the active count, or holding memory back for a run',
  nodeMarks: 'for the kernel; a living node found marked dead is noticed by its fencing',
  stripes: 'counts: any is right; a fill under way may be let in or refused',
  retireRings: 'records that every node has read, or forgets the shard over',
  pins: 'entries beyond the high mark',
};

/** A pool whose every region is in use: full, with drafts, runs, spaces, versions and pins, and two nodes that stay. */
async function makeFull(path: string): Promise<{ parts: NodeParts; close: () => Promise<void> }> {
  const create = { size: '1MiB', pageSize: 512, maxObjects: 512, maxNodes: 4 };
  const pool = (await connect(path, { create })) as AttachedPool;
  const other = (await connect(path)) as AttachedPool;
  const cache = new SharedCache(pool, { namespace: 'full' });
  const pages = cache.pages('table', { pageSize: 512 });
  pool.put('run', new Uint8Array(70_000), { retain: true });
  for (let i = 0; i < 600; i++) pool.put(`key-${i}`, new Uint8Array(300 + (i % 7) * 60));
  for (let i = 0; i < 40; i++) pages.put(i % 8, new Uint8Array(512), { from: i + 1 });
  for (let i = 560; i < 600; i++) for (const node of [pool, other]) node.get(`key-${i}`);
  for (let i = 580; i < 590; i++) pool.delete(`key-${i}`);
  for (let i = 0; i < 4; i++) pool.create(`draft-${i}`, 400);
  return {
    parts: pool.session.parts,
    async close() {
      for (const node of [other, pool]) await leave(node);
      rmSync(path, { force: true });
    },
  };
}

export async function censusTable(seed: number, count: number): Promise<string> {
  const path = join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), ownName('detect'));
  const { parts, close } = await makeFull(path);
  const { words, geometry } = parts;
  const chance = new Chance(seed);
  const liar = new Liar(words, geometry);
  const tallies = new Map<string, Tally>();
  for (let i = 0; i < count; ) {
    const lie = liar.tell(chance);
    if (lie.before !== lie.after) {
      i++;
      const name = `${lie.region} ${fieldOf(lie, geometry)}`;
      const tally = tallies.get(name) ?? { told: 0, found: 0, repairable: 0 };
      tallies.set(name, tally);
      const found = await problemsAt(path);
      tally.told++;
      if (found !== 'none') tally.found++;
      if (found === 'repairable') tally.repairable++;
    }
    words.store(lie.word, lie.before);
    if (lie.check !== undefined) words.store(Superblock.word.check, lie.check);
  }
  await close();
  return tableOf(tallies);
}

async function problemsAt(path: string): Promise<'none' | 'repairable' | 'damage'> {
  try {
    const { ok, problems } = await inspect(path);
    return problems.length === 0 ? 'none' : ok ? 'repairable' : 'damage';
  } catch (error) {
    if (error instanceof PoolError) return 'damage';
    throw error;
  }
}

function tableOf(tallies: ReadonlyMap<string, Tally>): string {
  const lines = ['region and field                      told  found  of those repairable'];
  let [told, found] = [0, 0];
  for (const [name, tally] of [...tallies].sort(([a], [b]) => (a < b ? -1 : 1))) {
    const why = tally.found < tally.told ? (FREE_TO_SAY[name.split(' ')[0] as RegionName] ?? '') : '';
    const counts = [tally.told, tally.found, tally.repairable].map((value) => String(value).padStart(6)).join(' ');
    lines.push(`${name.padEnd(34)} ${counts}  ${why}`.trimEnd());
    told += tally.told;
    found += tally.found;
  }
  return `${lines.join('\n')}\n${told} lies that changed a word, ${found} found`;
}
