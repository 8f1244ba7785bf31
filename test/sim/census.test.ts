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

const TERM_STEP = 0x1000;
const OWNER_MASK = 0x3ff;
const STEP = 7;

/** Begins between a read of the one word and a read of the other, and ends later. */
class Beside extends CrashStepper {
  between: readonly [number, number] = [-1, -1];
  begin: () => void = () => {};
  end: () => void = () => {};
  /** Accesses from the begin to the end. */
  after = Number.POSITIVE_INFINITY;
  accesses = -1;

  override step(_isStore?: boolean, index?: number): void {
    if (this.accesses >= 0 && ++this.accesses === this.after) this.end();
    if (this.accesses < 0 && this.previous === this.between[0] && index === this.between[1]) {
      this.accesses = 0;
      this.begin();
    }
    this.previous = index;
    super.step();
  }
  private previous: number | undefined;
}

describe('a census beside a writer', () => {
  const world = new World(SMALL, () => {});

  function makeTwo(): { writer: SimulatedNode; looker: SimulatedNode; beside: Beside } {
    world.reset();
    world.control.seed(1);
    const beside = new Beside(world.control);
    const writer = attachSimulated(world, { name: 'writer', stepper: new CrashStepper(world.control) });
    const looker = attachSimulated(world, { name: 'looker', stepper: beside });
    for (let key = 0; key < 3; key++) writer.cache.set(`k${key}`, contentOf(key, 1, 96));
    return { writer, looker, beside };
  }

  /** What the census says when the writer ends before that access; undefined where the census was over before. */
  async function lookAt(after: number): Promise<string[] | undefined> {
    const { writer, looker, beside } = makeTwo();
    const { regions } = world.geometry;
    const words = world.plainWords();
    const lock = regions.locks.word;
    const live = regions.shardHeads.word + ShardHead.word.liveCount;
    let mayEnd = true;
    beside.begin = () => {
      words.store(lock, (words.load(lock) & ~OWNER_MASK) | (writer.row + 1));
      words.store(live, words.load(live) - 1);
    };
    beside.end = () => {
      if (!mayEnd) return;
      words.store(live, words.load(live) + 1);
      words.store(lock, (words.load(lock) & ~OWNER_MASK) + TERM_STEP);
    };
    beside.after = after;
    // What it asks last before it looks, and what it looks at first.
    beside.between = [lock, regions.shardHeads.word];
    const problems = await takeCensus(looker.session.parts, SEED);
    mayEnd = false;
    if (beside.accesses < after) return undefined;
    // (Z2) what is said of a shard whose writer does not end is no alarm.
    const alarms = problems.filter(({ code }) => code !== 'SHARD_BUSY');
    return alarms.map(({ code, where, message }) => `${code} at ${where}: ${message}`);
  }

  it('gives no false alarm, before whatever access of it the writer ends', async () => {
    let after = 1;
    // What it reads after it compared the first of the words is hundreds of accesses long.
    for (; ; after += STEP) {
      const found = await lookAt(after);
      if (found === undefined) break;
      expect(found, `the writer ends before access ${after}`).to.deep.equal([]);
    }
    expect(after).to.be.greaterThan(500);
  });
});
