import { tmpdir } from 'node:os';
import { expect } from 'chai';
import { poolFolder } from '../../../adapters/compare/pool-folder.js';

describe('where a comparison puts its pool', () => {
  it('in memory where there is room', () => {
    expect(poolFolder(1, tmpdir())).to.deep.equal({ folder: tmpdir() });
  });

  it('else in the temporary directory, and says so', () => {
    for (const [size, memory] of [
      [2 ** 60, tmpdir()],
      [1, '/nothing/is/here'],
    ] as const) {
      const { folder, note } = poolFolder(size, memory);
      expect(folder).to.equal(tmpdir());
      expect(note).to.equal(`${memory} is missing or too small for the pool, which is a file in ${folder} instead.`);
    }
  });
});
