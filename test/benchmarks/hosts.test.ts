import { expect } from 'chai';
import { type Hosts, requestsOf, simulateHosts } from '../../benchmarks/hosts.model.js';

const HOSTS: Hosts = {
  ...{ hosts: 3, processes: 2, keys: 300, held: 100, arm: 'pool' },
  ...{ fillingReads: 500, reads: 500, writesPerRead: 0, seed: 7 },
};

describe('simulated hosts with a tier between them', () => {
  it('load each state of a page once, whoever asks, and tell every host of every write', () => {
    for (const arm of ['pool', 'private'] as const) {
      const { filling, filled } = simulateHosts({ ...HOSTS, arm, writesPerRead: 0.05 });
      expect([filling.reads, filled.reads]).to.deep.equal([3000, 3000]);
      expect(filling.loads + filled.loads).to.equal(filling.states + filled.states);
      expect(filled.writes).to.be.within(75, 250);
      expect(filled.told).to.equal(filled.writes * 3);
    }
  });

  it('ask once for each page and host where all pages fit, and again after a write', () => {
    const { filling, filled } = simulateHosts({ ...HOSTS, held: 400, keys: 20, fillingReads: 2000 });
    expect([filling.misses, filling.loads]).to.deep.equal([60, 20]);
    expect(requestsOf(filled)).to.equal(0);
    const written = simulateHosts({ ...HOSTS, held: 400, keys: 20, writesPerRead: 0.001 }).filled;
    expect(written.misses).to.be.within(1, written.writes * 3);
  });

  it('ask less often where the processes of a host share what it holds', () => {
    const of = (arm: Hosts['arm']) => requestsOf(simulateHosts({ ...HOSTS, arm }).filled);
    expect(of('pool')).to.be.lessThan(of('private') * 0.8);
    expect(of('pool')).to.equal(of('pool'));
  });
});
