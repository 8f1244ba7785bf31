/**
 * (Z1): a census beside a writer that is stopped with a shard half-done just after the census found the lock free, and
 * goes on before each later access of it. Chance meets it on a machine that runs out of processors.
 */
import { expect } from 'chai';
import { takeCensus } from '../../src/pool/census/census.js';
import { ShardHead } from '../../src/pool/layout/layout.js';
import { contentOf } from './content.js';
import { CrashStepper } from './crash/stepper.js';
import { attachSimulated, SEED, type SimulatedNode } from './node.js';
import { SMALL, World } from './world.js';

const STEP = 29;

/** Tells when a shard is looked at, which is between a read of the one word and a read of the other, and of one access after the first time. */
class Beside extends CrashStepper {
  between: readonly [number, number] = [-1, -1];
  begins: (pass: number) => void = () => {};
  reached: () => void = () => {};
  after = Number.POSITIVE_INFINITY;
  accesses = 0;
  private passes = 0;
  private previous: number | undefined;

  override step(_isStore?: boolean, index?: number): void {
    if (this.previous === this.between[0] && index === this.between[1]) this.begins(++this.passes);
    if (this.passes > 0 && this.accesses++ === this.after) this.reached();
    this.previous = index;
    super.step();
  }
}

describe('a census beside a writer', () => {
  const world = new World(SMALL, () => {});
  const { regions } = world.geometry;
  const words = world.plainWords();
  const lock = regions.locks.word;
  const live = regions.shardHeads.word + ShardHead.word.liveCount;
  const count = (by: number) => words.store(live, words.load(live) + by);

  function makeTwo(): { writer: SimulatedNode; looker: SimulatedNode; beside: Beside } {
    world.reset();
    world.control.seed(1);
    const beside = new Beside(world.control);
    const writer = attachSimulated(world, { name: 'writer', stepper: new CrashStepper(world.control) });
    const looker = attachSimulated(world, { name: 'looker', stepper: beside });
    for (let key = 0; key < 3; key++) writer.cache.set(`k${key}`, contentOf(key, 1, 96));
    // What it asks last before it looks, and what it looks at first.
    beside.between = [lock, regions.shardHeads.word];
    return { writer, looker, beside };
  }

  /** What it says that is more than a note; undefined where it was over before that access. */
  async function alarmsOf(looker: SimulatedNode, beside: Beside): Promise<string[] | undefined> {
    const problems = await takeCensus(looker.session.parts, SEED);
    if (beside.accesses <= beside.after) return undefined;
    // (Z2) what is said of a shard whose writer does not end is no alarm.
    const alarms = problems.filter(({ code }) => code !== 'SHARD_BUSY');
    return alarms.map(({ code, where, message }) => `${code} at ${where}: ${message}`);
  }

  /** `lookAt` gives what the census says when something happens before that access of it. */
  async function expectNoAlarm(
    first: number,
    lookAt: (access: number) => Promise<string[] | undefined>,
  ): Promise<void> {
    let access = first;
    // What it reads after it compared the first of the words is hundreds of accesses long.
    for (; ; access += STEP) {
      const found = await lookAt(access);
      if (found === undefined) break;
      expect(found, `before access ${access}`).to.deep.equal([]);
    }
    expect(access).to.be.greaterThan(500);
  }

  it('gives no false alarm, before whatever access of it the writer ends', async () => {
    await expectNoAlarm(0, async (access) => {
      const { writer, looker, beside } = makeTwo();
      beside.begins = (pass) => {
        if (pass > 1) return;
        writer.session.parts.locks.acquire(0);
        count(-1);
      };
      beside.reached = () => {
        count(1);
        writer.session.parts.locks.release(0);
      };
      beside.after = access;
      return alarmsOf(looker, beside);
    });
  });

  it('counts no finding where a word moved that no lock tells of, before whatever access of it', async () => {
    // From where it has read the word the first time.
    await expectNoAlarm(100, async (access) => {
      const { looker, beside } = makeTwo();
      let owed = 0;
      beside.begins = () => {
        count(owed);
        owed = 0;
      };
      beside.reached = () => {
        count(-1);
        owed = 1;
      };
      beside.after = access;
      return alarmsOf(looker, beside);
    });
  });
});
