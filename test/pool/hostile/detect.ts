/** Which lies a census finds: one at a time, in a pool at rest, by region and field. */
import { existsSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect, PoolError } from '../../../src/index.js';
import type { RegionName } from '../../../src/pool/geometry.js';
import { Chance } from '../../support/chance.js';
import { fieldOf, Liar } from './lies.js';
import { makeScenes } from './stage.js';

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
  stripes: 'counts: any is right; a fill under way may be let in or refused',
  retireRings: 'records that every node has read, or forgets the shard over',
  pins: 'entries beyond the high mark',
};

export async function censusTable(seed: number, count: number): Promise<string> {
  const folder = existsSync('/dev/shm') ? '/dev/shm' : tmpdir();
  const scenes = await makeScenes(join(folder, `sealpool-detect-${process.pid}`));
  const chance = new Chance(seed);
  const tallies = new Map<string, Tally>();
  for (let i = 0; i < count; ) {
    const scene = chance.pick(scenes);
    scene.bytes.set(scene.images[0] as Uint8Array);
    const lie = new Liar(scene.words, scene.geometry).tell(chance);
    if (lie.before === lie.after) continue;
    i++;
    const name = `${lie.region} ${fieldOf(lie, scene.geometry)}`;
    const tally = tallies.get(name) ?? { told: 0, found: 0, repairable: 0 };
    tallies.set(name, tally);
    tally.told++;
    const found = await problemsAt(scene.path);
    if (found !== 'none') tally.found++;
    if (found === 'repairable') tally.repairable++;
  }
  for (const scene of scenes) rmSync(scene.path, { force: true });
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
