import { expect } from 'chai';
import { runCases } from './sim/cases.js';

describe('hosts of memory that is not coherent, in small cases', () => {
  it('keep their promises wherever others come between', () => {
    const { faults, places } = runCases();
    expect(faults).to.deep.equal([]);
    expect(places).to.be.greaterThan(800);
  });
});
