/**
 * F5: whatever the metadata of a live pool say, its nodes throw PoolErrors or answer right: no other exception, no crash,
 * no hang, no byte of another page. A line of HOSTILE_SEED plays one round again, with each step told; HOSTILE_LIES sets
 * how many lies there are, HOSTILE_REGION confines them to one region of the layout.
 */
import { expect } from 'chai';
import { makePage, pageFault } from '../support/pages.js';
import { LIES_PER_ROUND } from './hostile/stage.js';
import { type Outcome, play } from './hostile/supervise.js';

const LIES = Number(process.env['HOSTILE_LIES'] ?? 6_000);
const SEED = process.env['HOSTILE_SEED'];
const SILENCE_MS = 20_000;

function expectNoFailure({ seed, failure }: Outcome): void {
  expect(failure, `replay: HOSTILE_SEED=${seed} npx mocha dist/test/pool/hostile.test.js\n`).to.equal('');
}

describe('a pool whose metadata lie', () => {
  it('is judged by pages that show a foreign, torn or shortened one', () => {
    const page = makePage('one', 7, 100);
    expect(pageFault(page, 'one')).to.equal(undefined);
    expect(pageFault(page, 'two')).to.equal('a page of another key');
    expect(pageFault(page.subarray(0, 90), 'one')).to.match(/shown as 90/);
    for (let i = 0; i < page.length; i++) {
      expect(
        pageFault(
          page.map((byte, at) => (at === i ? byte ^ 1 : byte)),
          'one',
        ),
      ).to.not.equal(undefined);
    }
  });

  if (SEED !== undefined) {
    it(`is told step by step for seed ${SEED}`, async () => {
      expectNoFailure(await play({ first: Number(SEED), rounds: 1, how: 'aloud', silenceMs: SILENCE_MS }));
    }).timeout(0);
    return;
  }

  it(`gives right answers or PoolErrors through ${LIES} seeded lies`, async () => {
    const half = Math.ceil(LIES / LIES_PER_ROUND / 2);
    const outcomes = await Promise.all(
      [1, 1 + half].map((first) => play({ first, rounds: half, how: 'usual', silenceMs: SILENCE_MS })),
    );
    for (const outcome of outcomes) expectNoFailure(outcome);
    const lies = outcomes.reduce((sum, outcome) => sum + outcome.lies, 0);
    expect(lies).to.be.at.least(LIES);
    // The lies are met: damage is seen, and what cannot be opened is refused.
    expect(Object.assign({}, ...outcomes.map(({ codes }) => codes))).to.include.keys('POOL_CORRUPT', 'FORMAT_MISMATCH');
  }).timeout(0);
});
