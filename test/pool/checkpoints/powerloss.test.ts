import { writeFileSync } from 'node:fs';
import { expect } from 'chai';
import type { AttachedPool } from '../../../src/pool/pool.js';
import { Chance } from '../../support/chance.js';
import { checkContent, contentOf } from '../../support/content.js';
import { diskFolder, useDisk } from '../../support/disk.js';
import { KIB, LONG, MIB, usePools } from '../../support/pools.js';
import { FragileDisk } from './powerloss.js';

const PARTS = ['a', 'b', 'c', 'd', 'e'];

interface Snapshot {
  readonly image: Uint8Array;
  /** Checkpoints that may be found, by sequence; 0 for none. */
  readonly possible: readonly number[];
}

function generationsOf(pool: AttachedPool): { sequence: number; parts: Record<string, number> } {
  using found = pool.restore('state');
  const parts: Record<string, number> = {};
  for (const part of found?.parts() ?? []) {
    using page = found?.get(part);
    parts[part] = checkContent(page?.bytes ?? new Uint8Array(), part);
  }
  return { sequence: found?.sequence ?? 0, parts };
}

const folder = diskFolder();
if (folder !== undefined) {
  describe('checkpoints and a loss of power', () => {
    const pools = usePools();
    const path = useDisk(folder);

    /** Commits for a while on a disk that may fail at any moment; what it may hold at some of them. */
    async function snapshots(chance: Chance, commits: Record<string, number>[]): Promise<Snapshot[]> {
      const pool = await pools.connect(path(), { create: { size: 2 * MIB, pageSize: 2 * KIB, maxNodes: 3 } });
      const disk = new FragileDisk(pool);
      const taken: Snapshot[] = [];
      let possible: number[] = [0];
      disk.onMoment = () => {
        if (chance.below(8) === 0) taken.push({ image: disk.image(chance), possible });
      };
      for (let round = 0; round < 14; round++) {
        const isForgotten = round === 9;
        const sequence = isForgotten ? 0 : commits.length;
        possible = [...possible, sequence];
        if (isForgotten) pool.forget('state');
        else {
          const writer = pool.checkpoint('state');
          const parts: Record<string, number> = {};
          for (const part of PARTS) {
            const isReused = chance.below(2) === 0 && writer.reuse(part);
            parts[part] = isReused ? (commits.at(-1)?.[part] as number) : round + 1;
            if (!isReused) writer.put(part, contentOf(part, round + 1, 16 + chance.below(60_000)));
          }
          // After the name was forgotten its sequences begin at 1 again: the tests tell them by what the parts hold.
          commits.push(parts);
          writer.commit();
        }
        possible = [sequence];
        for (let i = 0; i < 2; i++) taken.push({ image: disk.image(chance), possible });
        for (let i = 0; i < 20; i++) pool.put(`other-${round}-${i}`, contentOf(`other-${round}-${i}`, 1, 1000));
        for (let i = 0; i < 20; i += 2) pool.delete(`other-${round}-${i}`);
        disk.observe();
        disk.onMoment();
      }
      expect(disk.syncs).to.be.above(20);
      return taken;
    }

    it('whatever pages reached the disk, what is restored is the last commit that returned, or the one under way', async () => {
      const chance = new Chance(5);
      const seen = { old: 0, under: 0, none: 0 };
      for (let world = 0; world < (LONG ? 40 : 1); world++) {
        // 0 is no checkpoint.
        const commits: Record<string, number>[] = [{}];
        for (const { image, possible } of await snapshots(chance, commits)) {
          const copy = path();
          writeFileSync(copy, image, { mode: 0o600 });
          const pool = await pools.connect(copy);
          expect(pool.stats().restores).to.equal(1);
          const { parts } = generationsOf(pool);
          expect(possible.map((index) => commits[index])).to.deep.include(parts);
          if (possible.length === 1) seen.old++;
          else if (JSON.stringify(commits[possible[1] as number]) === JSON.stringify(parts)) seen.under++;
          else seen.none++;
          // Whatever is stored from now on lies elsewhere.
          for (let i = 0; i < 300; i++) pool.put(`after-${i}`, new Uint8Array(5000).fill(0xee));
          expect(generationsOf(pool).parts).to.deep.equal(parts);
          await pools.disconnect();
        }
      }
      expect(
        Object.values(seen).every((count) => count > 0),
        JSON.stringify(seen),
      ).to.equal(true);
    }).timeout(1_200_000);
  });
}
