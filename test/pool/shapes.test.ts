import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { usePools } from '../support/pools.js';

const PROGRAM = fileURLToPath(new URL('./shapes.main.js', import.meta.url));

describe('what the engine compiles', () => {
  const pools = usePools();

  it('stays compiled: no object of a node changes its hidden class in use, and each has one', () => {
    const args = ['--allow-natives-syntax', PROGRAM, pools.path(), pools.path()];
    const { stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' });
    expect(stderr).to.equal('');
    const told = JSON.parse(stdout) as { compared: number; changed: string[]; withoutClass: string[] };
    expect(told.compared).to.be.above(40);
    expect(told.changed).to.deep.equal([]);
    expect(told.withoutClass).to.deep.equal([]);
  });
});
