/** The protocol for memory that is not coherent, over the simulator that does not snoop. */

import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { mutate } from '../sim/coroutines/build.js';
import { buildSteps, runHunt } from './sim/build.js';
import { MUTANTS } from './sim/mutants.js';

const compiled = fileURLToPath(new URL('../../', import.meta.url));

describe('hosts that share memory which is not coherent', () => {
  let root = '';
  before(() => {
    root = buildSteps('coherence-steps');
  });

  it('keep every promise in lives by chance, with deaths between any two accesses', async () => {
    const found = await runHunt(root, { from: 1, count: 60 });
    expect(found.faults).to.deep.equal([]);
    const wanted = [
      'sealed',
      'deleted',
      "got another's",
      'read under a pin after its end',
      'lost power',
      'process died',
    ];
    for (const what of [...wanted, 'declared dead', 'falsely declared dead', 'fenced', 'left', 'KEY_EXISTS']) {
      expect(found.reached[what] ?? 0, what).to.be.greaterThan(0);
    }
  });

  it('keep them whenever the highest host dies in each of its lives: at every 7th of its accesses', async () => {
    const found = await runHunt(root, { from: 1, count: 2, sweep: [1, 400, 7] });
    expect(found.faults).to.deep.equal([]);
    expect(found.runs).to.equal(2 * 58);
  });

  for (const name of ['writeback: data', 'invalidate: a record', 'the record before its data']) {
    it(`are found out without this: ${name}`, async () => {
      const mutant = buildSteps(
        'coherence-mutant',
        MUTANTS.find((one) => one.name === name),
      );
      const found = await runHunt(mutant, { from: 1, count: 2000, stops: true });
      expect(found.faults).to.not.have.length(0);
    });
  }
});

describe('the list of broken protocols of memory that is not coherent', () => {
  it('names each once, and finds its place in the code once', () => {
    expect(new Set(MUTANTS.map(({ name }) => name)).size).to.equal(MUTANTS.length);
    const faults = MUTANTS.flatMap((mutant) => {
      if (!existsSync(`${compiled}${mutant.file}`)) return [`there is no ${mutant.file}`];
      try {
        mutate(readFileSync(`${compiled}${mutant.file}`, 'utf8'), mutant);
        return [];
      } catch (error) {
        return [`${mutant.name}: ${(error as Error).message}`];
      }
    });
    expect(faults).to.deep.equal([]);
  });
});
