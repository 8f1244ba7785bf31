import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { inspect } from '../../../src/index.js';
import { STATE_MASK, STATE_SEALED } from '../../../src/pool/layout/layout.js';
import type { AttachedPool } from '../../../src/pool/pool.js';
import { useProcesses } from '../../process/child.js';
import { expectCleanCensus } from '../../support/census.js';
import { Chance } from '../../support/chance.js';
import { checkContent } from '../../support/content.js';
import { codeOf, eventually, KIB, LONG, MIB, settle, usePools } from '../../support/pools.js';

const PROGRAM = fileURLToPath(new URL('./primary.js', import.meta.url));
const NAME = 'state';
const SMALL = { size: 4 * MIB, pageSize: 2 * KIB, maxNodes: 8, maxObjects: 512 } as const;

interface Primary {
  readonly process: ChildProcess;
  /** The sequence of the last commit that it said had returned. */
  said(): number;
  readonly ended: Promise<unknown>;
}

/** Checks that the checkpoint is one commit, whole, and not older than what was said to be committed. */
function checkWhole(pool: AttachedPool, said: number): number {
  using found = pool.restore(NAME);
  if (found === undefined) {
    expect(said).to.equal(0);
    return 0;
  }
  expect(found.sequence).to.be.within(said, said + 1);
  const expected = JSON.parse(Buffer.from(found.metadata).toString()) as Record<string, number>;
  const actual: Record<string, number> = {};
  for (const part of found.parts()) {
    using page = found.get(part);
    actual[part] = checkContent(page.bytes, part);
  }
  expect(actual).to.deep.equal(expected);
  return found.sequence;
}

/** How many sealed objects belong to checkpoints. */
function internalObjects(pool: AttachedPool): number {
  const { slots } = pool.session.parts;
  let count = 0;
  for (let slot = 0; slot < slots.total; slot++) {
    if ((slots.stateWord(slot) & STATE_MASK) === STATE_SEALED && slots.isInternal(slot)) count++;
  }
  return count;
}

/** After the upkeep of a survivor nothing is left that no manifest lists. */
async function checkNoGarbage(pool: AttachedPool): Promise<void> {
  (pool as unknown as { upkeep: { tick(): void } }).upkeep.tick();
  await settle(pool);
  using found = pool.restore(NAME);
  expect(internalObjects(pool)).to.equal(found === undefined ? 0 : found.parts().length + 1);
  const { drafts, limbo } = pool.stats();
  expect({ drafts, limbo }).to.deep.equal({ drafts: 0, limbo: 0 });
  await expectCleanCensus(pool.path);
}

describe('checkpoints and the death of who writes them', () => {
  const pools = usePools();
  const processes = useProcesses();
  const started: ChildProcess[] = [];
  afterEach(() => {
    for (const child of started.splice(0)) child.kill('SIGKILL');
  });

  async function startPrimary(path: string, seed: number, killAt = 0): Promise<Primary> {
    const child = spawn(process.execPath, [PROGRAM, path, String(seed), String(killAt)], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    started.push(child);
    let output = '';
    child.stdout?.on('data', (data: Buffer) => {
      output += data.toString();
    });
    // 'close' comes when all that was said has been read.
    const ended = once(child, 'close');
    await Promise.race([once(child.stdout as NonNullable<typeof child.stdout>, 'data'), ended]);
    const said = () => Number([...output.matchAll(/^(\d+)\n/gm)].at(-1)?.[1] ?? 0);
    return { process: child, said, ended };
  }

  it('killed at random moments of its commit loop, it leaves the last commit or the one after, whole, and no garbage', async () => {
    const pool = await pools.create(SMALL);
    const chance = new Chance(1);
    let last = 0;
    for (let kill = 0; kill < (LONG ? 500 : 12); kill++) {
      const primary = await startPrimary(pool.path, kill);
      await eventually(() => expect(primary.said()).to.be.above(last));
      await new Promise((resolve) => setTimeout(resolve, chance.below(40)));
      primary.process.kill('SIGKILL');
      await primary.ended;
      const sequence = checkWhole(pool, Math.max(last, primary.said()));
      await checkNoGarbage(pool);
      expect(checkWhole(pool, sequence)).to.equal(sequence);
      last = sequence;
    }
    expect(last).to.be.at.least(12);
  }).timeout(900_000);

  it('killed before the k-th store of its commits, for many k: the same', async () => {
    const pool = await pools.create(SMALL);
    let last = 0;
    const outcomes = new Set<number>();
    const step = LONG ? 1 : 97;
    for (let k = 1; k < (LONG ? 4000 : 2000); k += step) {
      const primary = await startPrimary(pool.path, 7, k);
      await primary.ended;
      const said = Math.max(last, primary.said());
      const sequence = checkWhole(pool, said);
      outcomes.add(sequence - said);
      await checkNoGarbage(pool);
      last = sequence;
    }
    expect(outcomes.has(0)).to.equal(true);
    expect(last).to.be.above(5);
  }).timeout(7_200_000);

  it('a node that connects alone, after all others were killed, restores and collects', async () => {
    const pool = await pools.create(SMALL);
    const { path } = pool;
    await pool.disconnect();
    let last = 0;
    for (let kill = 0; kill < 6; kill++) {
      const primary = await startPrimary(path, 100 + kill);
      await new Promise((resolve) => setTimeout(resolve, 10 + 9 * kill));
      primary.process.kill('SIGKILL');
      await primary.ended;
      const survivor = await pools.connect(path);
      last = checkWhole(survivor, Math.max(last, primary.said()));
      await checkNoGarbage(survivor);
      await survivor.disconnect();
      expect((await inspect(path)).problems).to.deep.equal([]);
    }
  }).timeout(120_000);

  it('a primary that was stopped, superseded and continued is fenced, wherever it was in its loop', async () => {
    const pool = await pools.create(SMALL);
    const chance = new Chance(3);
    for (let round = 0; round < 3; round++) {
      const [primary] = await processes.connect(pool.path, 1);
      const looping = primary?.call('commitForEver', NAME, chance.word()).then(
        () => 'ended',
        (error: { code?: string }) => error.code ?? String(error),
      );
      await new Promise((resolve) => setTimeout(resolve, 20 + chance.below(40)));
      primary?.signal('SIGSTOP');
      await new Promise((resolve) => setTimeout(resolve, 5));
      // Stopped under a lock it makes others BUSY: then it goes on for a moment, and is stopped elsewhere.
      let sequence = -1;
      const takeOver = () => {
        pool.restore(NAME)?.release();
        using taken = pool.checkpoint(NAME);
        taken.put('mine', new Uint8Array(round + 1));
        sequence = taken.commit().sequence;
      };
      for (let code = await codeOf(takeOver); code !== 'nothing thrown'; code = await codeOf(takeOver)) {
        expect(code).to.equal('BUSY');
        primary?.signal('SIGCONT');
        await new Promise((resolve) => setTimeout(resolve, 2));
        primary?.signal('SIGSTOP');
      }
      primary?.signal('SIGCONT');
      expect(await looping).to.equal('NODE_FENCED');
      using found = pool.restore(NAME);
      using page = found?.get('mine');
      expect([found?.sequence, page?.size]).to.deep.equal([sequence, round + 1]);
      await primary?.call('disconnect');
      await primary?.kill();
    }
    await checkNoGarbage(pool);
  }).timeout(120_000);

  it('a writer killed with a name that has no commit yet gives the name back', async () => {
    const pool = await pools.create(SMALL);
    const [dying] = await processes.connect(pool.path, 1);
    await dying?.call('beginCheckpoint', 'fresh');
    expect(pool.session.parts.checkpoints.openTerm(0)).to.be.above(0);
    await dying?.kill();
    (pool as unknown as { upkeep: { tick(): void } }).upkeep.tick();
    expect(pool.session.parts.checkpoints.isUsed(0)).to.equal(false);
    await checkNoGarbage(pool);
  });
});
