import { expect } from 'chai';
import { errorTable, PoolError } from '../../lib/errors.js';

describe('PoolError', () => {
  it('says its code, what happened to what, and the remedy of the table', () => {
    const error = new PoolError('POOL_FULL', 'No room for 4096 bytes in /pool.');
    expect(error).to.be.instanceOf(Error);
    expect(error.name).to.equal('PoolError');
    expect(error.code).to.equal('POOL_FULL');
    expect(error.message).to.equal(`POOL_FULL: No room for 4096 bytes in /pool. ${errorTable.POOL_FULL}`);
  });

  it('carries details and cause when given', () => {
    const cause = new Error('EACCES');
    const error = new PoolError('ACCESS_DENIED', 'Owner 1000.', { uid: 1000 }, cause);
    expect(error.details).to.deep.equal({ uid: 1000 });
    expect(error.cause).to.equal(cause);
  });

  it('has no details and no cause when they are not given', () => {
    const error = new PoolError('BUSY', 'Shard 3.');
    expect(error.details).to.equal(undefined);
    expect(error).to.not.have.property('cause');
  });

  it('keeps a cause that is falsy but not undefined', () => {
    expect(new PoolError('ABORTED', 'Stopped.', undefined, null)).to.have.property('cause', null);
  });
});

describe('the error table', () => {
  it('names codes in capitals and ends every remedy as a sentence', () => {
    for (const [code, remedy] of Object.entries(errorTable)) {
      expect(code).to.match(/^[A-Z]+(_[A-Z]+)*$/);
      expect(remedy, code).to.match(/^[A-Za-z].*\.$/);
    }
  });
});
