import { expect } from 'chai';
import { PoolError } from '../../../lib/errors.js';
import { refuseBun } from '../../../lib/linux/libc.js';

describe('the runtime', () => {
  it('is refused where it is Bun, by a typed error, and taken where it is Node.js', () => {
    expect(() => refuseBun({ node: '24.3.0', bun: '1.3.0' }))
      .to.throw(PoolError, /Bun 1\.3\.0/)
      .with.property('code', 'UNSUPPORTED');
    expect(() => refuseBun(process.versions)).to.not.throw();
  });
});
