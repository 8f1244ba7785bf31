import { fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { expect } from 'chai';
import { Random } from '../../benchmarks/random.js';
import { giveTurns, TURNS_VARIABLE } from '../../benchmarks/turns.js';
import { root } from '../tidy/sources.js';

interface Turn {
  readonly side: number;
  readonly round: number;
  readonly began: number;
  readonly ended: number;
}

/** Processes with so many rounds each; their turns in the order in which they began. */
async function turnsOf(rounds: readonly number[]): Promise<Turn[]> {
  const turns: Turn[] = [];
  const children = rounds.map((count, side) => {
    const child = fork(join(root, 'dist/test/benchmarks/turns.child.js'), [String(count)], {
      env: { ...process.env, [TURNS_VARIABLE]: '1' },
    });
    child.on('message', (message: Omit<Turn, 'side'> | { turn: string }) => {
      if ('began' in message) turns.push({ side, ...message });
    });
    return child;
  });
  const ended = children.map((child) => once(child, 'exit'));
  await giveTurns(children, new Random(3));
  for (const end of ended) expect((await end)[0]).to.equal(0);
  return turns.sort((a, b) => a.began - b.began);
}

describe('the turns of cells that share the machine', () => {
  it('are never two at a time, and each round has one of each, in changing order', async () => {
    const turns = await turnsOf([12, 12]);
    expect(turns).to.have.length(24);
    for (const [i, turn] of turns.entries()) {
      if (i > 0) expect(turn.began).to.be.at.least((turns[i - 1] as Turn).ended);
      expect(turn.round).to.equal(Math.floor(i / 2));
    }
    const firsts = turns.filter((_, i) => i % 2 === 0).map(({ side }) => side);
    expect(new Set(firsts)).to.deep.equal(new Set([0, 1]));
  });

  it('go to the one that is left when the other has ended', async () => {
    const turns = await turnsOf([5, 2]);
    expect(turns.map(({ round }) => round)).to.deep.equal([0, 0, 1, 1, 2, 3, 4]);
  });
});
