/** How long others wait for a lock whose owner is alive, by a clock that only waiting moves. */
import { expect } from 'chai';
import { Words } from '../../../lib/words.js';
import { isBusy } from '../../../src/pool/nodes/busy.js';
import { Calls } from '../../../src/pool/nodes/calls.js';
import { Locks } from '../../../src/pool/nodes/locks.js';

const LOCKS = 8;
const WAIT_MS = 50;

/** Some nodes' locks over the same words, and what the clock says. */
class Stage {
  private readonly words = new Words(new ArrayBuffer(64 * LOCKS));
  private readonly ends: (() => void)[] = [];
  readonly runnable = new Set<number>();
  readonly dead = new Set<number>();
  /** Dead, and the kernel alone knows it. */
  readonly deadUnmarked = new Set<number>();
  repaired: number[] = [];
  nowMs = 0;
  parks = 0;
  onPark = () => {};
  private readonly machine = {
    afterRun: (callback: () => void) => void this.ends.push(callback),
    elapsedMs: () => this.nowMs,
    park: (_word: number, _expected: number, timeoutMs: number) => {
      this.nowMs += timeoutMs;
      this.parks++;
      this.onPark();
    },
    unpark: () => {},
    sleep: async (durationMs: number) => {
      this.nowMs += durationMs;
      this.onPark();
    },
  } as never;

  node(row: number, waitMs = WAIT_MS): Locks {
    return new Locks({
      words: this.words,
      machine: this.machine,
      judge: {
        isDead: (other, thorough) => this.dead.has(other) || (thorough && this.deadUnmarked.has(other)),
        isRunnable: (other) => this.runnable.has(other),
      },
      regionWord: 0,
      row,
      calls: new Calls(this.machine),
      waitMs,
      repair: (lock) => void this.repaired.push(lock),
    });
  }

  /** The run of the event loop ends. */
  endRun(): void {
    for (const end of this.ends.splice(0)) end();
  }

  /** Milliseconds that the call took until it was refused, or through. */
  timeOf(locks: Locks, lock: number): { ms: number; isRefused: boolean } {
    const started = this.nowMs;
    try {
      locks.within(lock, () => {});
      return { ms: this.nowMs - started, isRefused: false };
    } catch (error) {
      if (!isBusy(error)) throw error;
      return { ms: this.nowMs - started, isRefused: true };
    }
  }
}

describe('waiting for a lock', () => {
  it('of a node that stands still is done once, and later calls are refused at once until it goes on', () => {
    const stage = new Stage();
    const [stopped, other] = [stage.node(1), stage.node(2)];
    stopped.acquire(3);
    expect(stage.timeOf(other, 3)).to.deep.equal({ ms: WAIT_MS, isRefused: true });
    for (let i = 0; i < 5; i++) {
      stage.endRun();
      stage.nowMs += 5000;
      expect(stage.timeOf(other, 3)).to.deep.equal({ ms: 0, isRefused: true });
    }
    stopped.release(3);
    expect(stage.timeOf(other, 3).isRefused).to.equal(false);
    stopped.acquire(3);
    expect(stage.timeOf(other, 3), 'another hold').to.deep.equal({ ms: WAIT_MS, isRefused: true });
  });

  it('is done once for a node that stands still under several', () => {
    const stage = new Stage();
    const [stopped, other] = [stage.node(1), stage.node(2)];
    stopped.acquire(3);
    stopped.acquire(4);
    expect(stage.timeOf(other, 3).ms).to.equal(WAIT_MS);
    expect(stage.timeOf(other, 4)).to.deep.equal({ ms: 0, isRefused: true });
    stopped.release(3);
    expect(stage.timeOf(other, 4).ms, 'it went on since').to.be.above(0);
  });

  it('takes one run hardly longer behind seven nodes that stand still than behind one', () => {
    const stage = new Stage();
    for (let lock = 0; lock < 7; lock++) stage.node(lock).acquire(lock);
    const other = stage.node(8);
    for (let lock = 0; lock < 7; lock++) expect(stage.timeOf(other, lock).isRefused).to.equal(true);
    expect(stage.nowMs).to.be.below(1.5 * WAIT_MS);
  });

  it('goes on while the owner wants a processor, and while the lock goes from hand to hand', () => {
    const stage = new Stage();
    const [slow, other] = [stage.node(1), stage.node(2)];
    slow.acquire(3);
    stage.runnable.add(1);
    stage.onPark = () => {
      if (stage.nowMs >= 10 * WAIT_MS) slow.release(3);
      stage.onPark = stage.nowMs >= 10 * WAIT_MS ? () => {} : stage.onPark;
    };
    expect(stage.timeOf(other, 3)).to.deep.equal({ ms: 10 * WAIT_MS, isRefused: false });
    stage.runnable.clear();
    slow.acquire(3);
    const started = stage.nowMs;
    stage.onPark = () => {
      slow.release(3);
      if (stage.nowMs < started + 10 * WAIT_MS) slow.acquire(3);
      else stage.onPark = () => {};
    };
    expect(stage.timeOf(other, 3)).to.deep.equal({ ms: 10 * WAIT_MS, isRefused: false });
  });

  it('is not done at all where there is no patience, and nothing is learned from that', () => {
    const stage = new Stage();
    const [holder, other] = [stage.node(1), stage.node(2)];
    holder.acquire(3);
    for (let i = 0; i < 3; i++) {
      expect(other.withPatience(0, () => stage.timeOf(other, 3))).to.deep.equal({ ms: 0, isRefused: true });
    }
    expect(stage.parks).to.equal(0);
    expect(stage.timeOf(other, 3).ms).to.equal(WAIT_MS);
  });

  it('of a node that stood still and was killed ends at once, with a repair', () => {
    const stage = new Stage();
    const [stopped, other] = [stage.node(1), stage.node(2)];
    stopped.acquire(3);
    expect(stage.timeOf(other, 3).isRefused).to.equal(true);
    stage.dead.add(1);
    expect(stage.timeOf(other, 3)).to.deep.equal({ ms: 0, isRefused: false });
    expect(stage.repaired).to.deep.equal([3]);
  });

  it('is taken over, also with no patience at all, where the kernel alone knows that its owner is dead', () => {
    const stage = new Stage();
    const [gone, other] = [stage.node(1), stage.node(2)];
    for (const patienceMs of [0, 2]) {
      gone.acquire(3);
      stage.deadUnmarked.add(1);
      other.withPatience(patienceMs, () =>
        expect(stage.timeOf(other, 3).isRefused, `${patienceMs} ms`).to.equal(false),
      );
      stage.deadUnmarked.clear();
    }
    expect(stage.repaired).to.deep.equal([3, 3]);
  });

  it('by timer ends when the lock is released, or its owner is dead, or stands still', async () => {
    const stage = new Stage();
    const [holder, other] = [stage.node(1), stage.node(2)];
    holder.acquire(3);
    stage.onPark = () => {
      if (stage.nowMs >= WAIT_MS / 2) holder.release(3);
      stage.onPark = stage.nowMs >= WAIT_MS / 2 ? () => {} : stage.onPark;
    };
    expect(await other.untilReleased(3, () => {})).to.equal(true);
    holder.acquire(3);
    expect(await other.untilReleased(3, () => {})).to.equal(false);
    expect(stage.timeOf(other, 3), 'known from then on').to.deep.equal({ ms: 0, isRefused: true });
    stage.dead.add(1);
    expect(await other.untilReleased(3, () => {})).to.equal(true);
    expect(stage.parks).to.equal(0);
  });
});

describe('work under a lock', () => {
  it('that fails leaves it to be repaired by the next owner; what is tried under a held one is not done', () => {
    const stage = new Stage();
    const [one, other] = [stage.node(1), stage.node(2)];
    const fail = () => {
      throw new RangeError('overflow');
    };
    expect(() => one.within(3, fail)).to.throw(RangeError);
    expect([one.ownerOf(3), one.isDirty(3)]).to.deep.equal([-1, true]);
    expect(
      other.tryWithin(3, () => {}),
      'not clean',
    ).to.equal(false);
    expect(other.within(3, () => 'done')).to.equal('done');
    expect(stage.repaired).to.deep.equal([3]);
    expect(() => one.tryWithin(3, fail)).to.throw(RangeError);
    expect(one.isDirty(3)).to.equal(true);
    other.recover(3);
    one.acquire(3);
    let isDone = false;
    const work = () => {
      isDone = true;
    };
    expect([other.tryWithin(3, work), isDone]).to.deep.equal([false, false]);
  });

  it('have a word that is the same as long as nobody takes or leaves them, and rest while it is nobody’s', () => {
    const stage = new Stage();
    const [one, other] = [stage.node(0), stage.node(1)];
    const before = one.restingWord(3);
    expect([before, one.restingWord(3), one.wordOf(3)]).to.deep.equal([before, before, before]);
    other.acquire(3);
    const held = one.wordOf(3);
    expect([one.restingWord(3), held === before]).to.deep.equal([undefined, false]);
    other.release(3);
    const after = one.restingWord(3);
    expect(after).to.be.a('number');
    expect(new Set([before, held, after]).size).to.equal(3);
    other.acquire(3);
    other.releaseDirty(3);
    expect(one.restingWord(3)).to.equal(undefined);
  });
});
