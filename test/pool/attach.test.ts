import { expect } from 'chai';
import { atOnce } from '../../lib/steps.js';
import { attachInSteps } from '../../src/pool/attach.js';
import { takeCensus } from '../../src/pool/census/census.js';
import { rehearse } from '../../src/pool/recovery/rehearsal.js';
import { Repair } from '../../src/pool/recovery/repair.js';
import { keyOf, put } from '../sim/crash/scenarios.js';
import { CrashStepper } from '../sim/crash/stepper.js';
import { attachSimulated, machineOf, SEED } from '../sim/node.js';
import { ROWS, SMALL, World } from '../sim/world.js';
import { usePools } from '../support/pools.js';

const KEYS = [0, 1, 2, 3, 4, 5, 6, 7];

/** A pool all of whose rows are taken, the last by a dead node with a draft under every key. */
function worldOfTheDead() {
  const world = new World({ ...SMALL, shards: 4, objectsPerShard: 8, chunks: 32 });
  const options = (name: string) => ({ name, stepper: new CrashStepper(world.control) });
  const living = attachSimulated(world, options('living'));
  for (let row = 2; row < ROWS; row++) attachSimulated(world, options('idle'));
  const dead = attachSimulated(world, options('dead'));
  for (const key of KEYS) dead.pool.create(keyOf(key), 40);
  dead.machine.endRun();
  const bury = () => {
    world.control.startDying(dead.row);
    world.control.markDying();
  };
  bury();
  const { machine, segment, liveness } = machineOf(world, options('joining'));
  const steps = attachInSteps(segment, machine, liveness, { name: 'joining', nearEntries: 8, copies: 'none' });
  const next = () => attachSimulated(world, options('next'));
  const { shards, nodes } = living.session.parts;
  const withDrafts = () => [0, 1, 2, 3].filter((shard) => shards.drafts(shard) > 0).length;
  const taken = () => nodes.incarnationOf(dead.row);
  return { living, steps, bury, next, withDrafts, taken };
}

describe('attaching in steps', () => {
  it('takes its row in the first, and undoes what the earlier node of the row left a shard at a time', () => {
    const { steps, withDrafts, taken } = worldOfTheDead();
    const [before, drafts] = [taken(), withDrafts()];
    expect(drafts).to.be.greaterThan(1);
    const left: number[] = [];
    for (let step = steps.next(); step.done !== true; step = steps.next()) {
      expect(taken()).to.equal(before + 1);
      left.push(withDrafts());
    }
    for (let count = 0; count <= drafts; count++) expect(left).to.include(count);
  });

  it('a death after any step is that of a node: the living clear away what is left, or the next one of the row does', async () => {
    for (const isNext of [false, true]) {
      for (let died = 1, isDone = false; !isDone; died++) {
        const { living, steps, bury, next, withDrafts } = worldOfTheDead();
        for (let step = 0; step < died; step++) isDone = steps.next().done === true;
        bury();
        const node = isNext ? next() : living;
        node.upkeep.cleanDead(true);
        const name = `${isNext ? 'next' : 'living'}, after step ${died}`;
        expect(withDrafts(), name).to.equal(0);
        for (const key of KEYS) expect(put(node, key, 1), name).to.equal(true);
        expect(await takeCensus(node.session.parts, SEED), name).to.deep.equal([]);
      }
    }
  });
});

describe('a repair that is planned for practice', () => {
  const pools = usePools();

  it('looks at every slot in use, and stores nothing', () => {
    const world = new World({ ...SMALL, objectsPerShard: 8, chunks: 32 });
    const stepper = new CrashStepper(world.control);
    const { pool, session, machine } = attachSimulated(world, { name: 'node', stepper });
    for (const key of KEYS.slice(0, 5)) pool.put(keyOf(key), Uint8Array.of(key));
    pool.create(keyOf(6), 40);
    machine.endRun();
    stepper.arm(Number.POSITIVE_INFINITY);
    expect(atOnce(new Repair(session.parts, session.writer.reclaimer).practise(0))).to.equal(6);
    expect(stepper.stores).to.equal(0);
  });

  it('goes on while the node is attached, and ends with it', async () => {
    const rehearsal = async (isClosedAfter: number) => {
      const pool = await pools.create({ size: '4MiB', pageSize: 1024, maxNodes: 8 });
      for (let i = 0; i < 1000; i++) pool.put(`${i}`, Uint8Array.of(i));
      const done = { plans: 0, slots: 0 };
      const steps = rehearse(pool.session, done);
      for (let step = 0; step < isClosedAfter && steps.next().done !== true; step++);
      pool.session.close();
      return { isOver: steps.next().done, ...done };
    };
    expect(await rehearsal(3)).to.deep.equal({ isOver: true, plans: 0, slots: 0 });
    const { isOver, plans, slots } = await rehearsal(1000);
    expect([isOver, plans > 0, slots > 64 * plans]).to.deep.equal([true, true, true]);
  });
});
