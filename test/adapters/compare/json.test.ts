import { expect } from 'chai';
import { renderJson } from '../../../adapters/compare/json.js';
import { sampleArm, sampleResult } from './sample.js';

describe('the JSON of a comparison', () => {
  it('has the promised fields for the run and for every arm, with the values of the result', () => {
    const result = sampleResult();
    const value = JSON.parse(renderJson([result]));
    expect(value).to.include({ nodes: 4, memory: 67_108_864, workload: 'arc-oltp.u32.br', seed: 1 });
    expect(value.arms).to.have.length(3);
    expect(value.arms[2]).to.deep.include({
      name: 'shared',
      requests: 1_000_000,
      hits: 812_003,
      hitRatio: 0.812003,
      storageReads: 187_997,
      bytesPrivate: 1_234_567,
      bytesShared: 67_108_864,
      p50Us: 0.88,
      p99Us: 1204,
    });
  });

  it('says what the memory counts, how many pages an arm may hold, and what the shared bytes would have bought it', () => {
    const atSharedBytes = { objects: 900, hits: 600_000, hitRatio: 0.6 };
    const arms = [sampleArm('private-lru', 512_345, { objects: 745, atSharedBytes }), sampleArm('shared', 812_003)];
    const value = JSON.parse(renderJson([sampleResult({ equalIn: 'pages', arms })]));
    expect(value.equalIn).to.equal('pages');
    expect(value.arms[0]).to.deep.include({ objects: 745, atSharedBytes });
    expect(value.arms[1]).to.not.have.any.keys('objects', 'atSharedBytes');
  });

  it('has what the arms did, among how many their memory was divided, and what else was seen, where there is such', () => {
    const more = { done: 'They looped.', shares: 5, beside: { title: 'Of all', heads: ['arm'], rows: [['shared']] } };
    expect(JSON.parse(renderJson([sampleResult(more)]))).to.deep.include(more);
    expect(JSON.parse(renderJson([sampleResult()]))).to.not.have.any.keys(...Object.keys(more));
  });

  it('says of a trace what it was recognised as, its accesses, distinct pages and working set', () => {
    const trace = {
      format: 'ids',
      recognised: 'format: ids, 3 accesses to 2 pages',
      accesses: 3,
      pages: 2,
      workingSet: 8192,
    };
    expect(JSON.parse(renderJson([sampleResult(trace)]))).to.include(trace);
    expect(JSON.parse(renderJson([sampleResult()]))).to.not.have.any.keys(...Object.keys(trace));
  });

  it('carries checks, notes and series', () => {
    const series = [{ title: 't', unit: 'ms', labels: ['q'], values: { shared: [1] } }];
    const result = sampleResult({ series });
    const value = JSON.parse(renderJson([result]));
    expect(value.checks).to.deep.equal(result.checks);
    expect(value.notes).to.deep.equal(result.notes);
    expect(value.series).to.deep.equal(series);
  });

  it('puts several runs under runs, in their order', () => {
    const value = JSON.parse(renderJson([sampleResult({ workload: 'a' }), sampleResult({ workload: 'b' })]));
    expect(Object.keys(value)).to.deep.equal(['runs']);
    expect(value.runs.map((run: { workload: string }) => run.workload)).to.deep.equal(['a', 'b']);
  });

  it('ends with a newline', () => {
    expect(renderJson([sampleResult()])).to.match(/\}\n$/);
  });
});
