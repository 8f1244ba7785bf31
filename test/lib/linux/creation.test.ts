import { expect } from 'chai';
import { connect } from '../../../src/index.js';
import { usePools } from '../../support/pools.js';

describe('a path at which no pool can be made', () => {
  const pools = usePools();

  it('is told with what is wrong with it: no folder, a folder that is a file, too long a name', async () => {
    const pool = await pools.create({ size: '1MiB' });
    const cases = [
      [`${pool.path}-none/pool`, /no folder/],
      [`${pool.path}/pool`, /no folder/],
      [`/tmp/${'n'.repeat(300)}`, /too long/],
    ] as const;
    for (const [path, said] of cases) {
      const error = await connect(path, { create: { size: '1MiB' } }).catch((one) => one);
      expect([error.name, error.code]).to.deep.equal(['PoolError', 'OPTION_INVALID']);
      expect(error.message)
        .to.match(said)
        .and.not.match(/create option/);
    }
  });
});
