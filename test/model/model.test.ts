import { expect } from 'chai';
import { caseOf, cases, check, exceptions } from './cases.js';
import { mutants } from './mutants.js';
import { operationsAlone } from './softlock.js';

describe('the model of the protocol', () => {
  for (const [name, each] of Object.entries(cases)) {
    it(`holds in every reachable state: ${name}`, () => {
      const verdict = check(each);
      expect(verdict.fault, verdict.trace.join('\n')).to.equal(undefined);
      expect(verdict.isComplete).to.equal(true);
      expect(verdict.states).to.be.greaterThan(10);
    });
  }

  for (const [name, each] of Object.entries(exceptions)) {
    it(`shows what is not promised: ${name}`, () => {
      expect(check(each).fault).to.be.a('string');
    });
  }
});

describe('the lock between hosts, of which one wants it', () => {
  for (const hosts of [2, 3, 8, 16]) {
    it(`costs ${2 * hosts} line operations to take beside ${hosts - 1} others, 1 for what it guards, and ${hosts + 1} to give back`, () => {
      const others = hosts - 1;
      expect(operationsAlone(hosts)).to.deep.equal({
        'lock.choosing': 1,
        'number.read': others,
        'lock.number': 1,
        'wait.read': others,
        'image.load': 1,
        'work.flush': 1,
        'last.read': others,
        leave: 1,
      });
    });
  }
});

describe('the checker of the model', () => {
  it('is not content with a canary: hits that do not look at the sequence, and no scan', () => {
    const omit = ['hit.sequence', 'scan.borrow', 'scan.borrow 2', 'scan.borrow 3'];
    const verdict = check(caseOf('one key'), { name: 'canary', omit });
    expect(verdict.fault).to.match(/^\(M\d\)/);
    expect(verdict.trace.at(-1)).to.equal(`  => ${verdict.fault}`);
    expect(verdict.trace.join('\n')).to.match(/reader 1 .*ORDER/);
  });

  for (const mutant of mutants.filter(({ isLarge }) => isLarge !== true)) {
    const { name, survives } = mutant;
    it(survives === undefined ? `catches: ${name}` : `has nothing against: ${name}, as ${survives}`, () => {
      const verdict = check(caseOf(mutant.on), mutant);
      expect(verdict.isComplete).to.equal(true);
      if (survives === undefined) expect(verdict.fault).to.be.a('string');
      else expect(verdict.fault, verdict.trace.join('\n')).to.equal(undefined);
    });
  }

  it('knows every step that a mutant names', () => {
    const stray = mutants.flatMap((mutant) => {
      const { actors } = caseOf(mutant.on)({ name: 'none' });
      const steps = new Set(
        actors.flatMap(({ program }) => program.flatMap((routine) => routine.steps)).map((s) => s.name),
      );
      const named = [...(mutant.omit ?? []), ...(mutant.reorder ?? []), ...(mutant.unflushed ?? [])];
      return named.filter((step) => !steps.has(step));
    });
    expect(stray).to.deep.equal([]);
  });
});
