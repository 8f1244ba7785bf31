import { expect } from 'chai';
import { isOver, type MonotonicMs, msBetween, type WallMs } from '../../lib/clock.js';

describe('the two clocks', () => {
  const wall: WallMs = 1_700_000_000_000;
  const monotonic: MonotonicMs = 5000;

  it('are told apart by the compiler, which takes plain numbers for either', () => {
    // @ts-expect-error
    const one: WallMs = monotonic;
    // @ts-expect-error
    const other: MonotonicMs = wall;
    // @ts-expect-error
    msBetween(wall, monotonic);
    // @ts-expect-error
    isOver(monotonic, wall);
    expect([one, other, msBetween(monotonic, 5007)]).to.deep.equal([monotonic, wall, 7]);
  });

  it('what ends at 0 never ends, everything else at its moment', () => {
    expect([isOver(0, wall), isOver(wall + 1, wall), isOver(wall, wall)]).to.deep.equal([false, false, true]);
  });
});
