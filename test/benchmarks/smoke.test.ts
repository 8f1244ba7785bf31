import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { expect } from 'chai';
import { catalogue } from '../../benchmarks/catalogue.js';
import type { Report, Result } from '../../benchmarks/frame.js';
import { Context, geometricMean, hashOf, isReached, quantile, resultOf, tableOf } from '../../benchmarks/frame.js';
import { interleave, sampleOf } from '../../benchmarks/interleave.js';
import { root } from '../tidy/sources.js';

function bench(...args: string[]): { status: number | null; stdout: string; stderr: string } {
  const main = join(root, 'dist/benchmarks/main.js');
  return spawnSync(process.execPath, [main, ...args], { encoding: 'utf8', maxBuffer: 2 ** 26 });
}

function checkReport(report: Report, name: string): void {
  expect(report.bench).to.equal(name);
  expect(report.seed).to.equal(7);
  expect(report.node).to.equal(process.version);
  expect(report.machine).to.be.a('string').and.not.equal('');
  expect(report.hash).to.match(/^[0-9a-f]{8}$/);
  expect(report.results).to.not.have.length(0);
  expect(new Set(report.results.map((result) => result.name)).size).to.equal(report.results.length);
  for (const result of report.results) {
    expect(result.name).to.be.a('string').and.not.equal('');
    expect(result.unit).to.be.a('string').and.not.equal('');
    expect(result.runs).to.be.at.least(1);
    for (const figure of [result.value, result.low, result.high]) expect(figure, result.name).to.be.finite;
    expect(result.low).to.be.at.most(result.high);
    if (result.goal !== undefined) expect(result.goal).to.match(/^(<=|>=) \d+(\.\d+)?$/);
    expect([undefined, 'number']).to.include(result.ratio === undefined ? undefined : typeof result.ratio);
    expect(result.baseline === undefined, result.name).to.equal(result.ratio === undefined);
    expect(result.baselineName === undefined, result.name).to.equal(result.ratio === undefined);
    if (result.ratio !== undefined) expect(result.ratio, result.name).to.be.finite;
  }
}

describe('the benchmarks', () => {
  for (const name of Object.keys(catalogue)) {
    it(`${name} runs in smoke mode, and its JSON has the promised shape`, () => {
      const { status, stdout, stderr } = bench(name, '--smoke', '--seed', '7', '--json');
      expect(status, stderr).to.equal(0);
      checkReport(JSON.parse(stdout) as Report, name);
    }).timeout(240_000);
  }

  it('sharing takes a trace by path, and has one figure over what ran', () => {
    const trace = join(mkdtempSync(join(tmpdir(), 'sealpool-bench-')), 'pages.txt');
    writeFileSync(trace, Array.from({ length: 3000 }, (_, i) => `${(i * i) % 701}\n`).join(''));
    const settings = [`trace=${trace}`, 'nodes=3', 'source=direct'].flatMap((setting) => ['--set', setting]);
    const { status, stdout, stderr } = bench('sharing', '--smoke', '--only', 'trace', ...settings, '--json');
    rmSync(dirname(trace), { recursive: true });
    expect(status, stderr).to.equal(0);
    const { notes, results } = JSON.parse(stdout) as Report;
    expect(notes.join('\n'))
      .to.match(/^3 processes .*O_DIRECT/)
      .and.to.include('the first 2000 accesses');
    const find = (name: string) => results.find((result) => result.name === name)?.value;
    expect(find('geometric mean of 1: times fewer storage reads')).to.equal(find('trace: times fewer storage reads'));
  }).timeout(120_000);

  it('measure another build in turn, and give the ratio of each figure within rounds', () => {
    const args = ['hit', '--smoke', '--seed', '7', '--json', '--only', '500 pages, strings', '--against', root];
    const { status, stdout, stderr } = bench(...args);
    expect(status, stderr).to.equal(0);
    const report = JSON.parse(stdout) as Report;
    checkReport(report, 'hit');
    expect(report.against).to.equal(root.replace(/\/$/, ''));
    const isRatio = ({ name }: Result) => name.endsWith(', against');
    const ratios = report.results.filter(isRatio);
    const own = report.results.filter((result) => !isRatio(result));
    expect(ratios.map(({ name }) => name)).to.deep.equal(own.map(({ name }) => `${name}, against`));
    expect(new Set(ratios.map(({ baselineName }) => baselineName))).to.deep.equal(new Set(['theirs']));
    for (const [i, { value }] of ratios.entries()) expect(value).to.equal(own[i]?.value);
    // Two processes do not measure the same to four digits, but where both are one.
    expect(ratios.some(({ ratio }) => ratio !== 1)).to.equal(true);
  }).timeout(240_000);

  it('have each a README entry', () => {
    const readme = readFileSync(join(root, 'benchmarks/README.md'), 'utf8');
    for (const name of Object.keys(catalogue)) expect(readme).to.include(`npm run bench -- ${name}`);
  });

  it('say what there is and exit with 2 for a name or a cell that is not there', () => {
    const unknown = bench('nothing');
    expect(unknown.status).to.equal(2);
    expect(unknown.stderr).to.include('hit');
    const nowhere = bench('hit', '--smoke', '--only', 'no such cell');
    expect(nowhere.status).to.equal(2);
    expect(nowhere.stderr).to.include('strings');
    expect(bench('hit', '--seed', 'x').status).to.equal(2);
    expect(bench('hit', '--smoke', '--size', '1MiB').stderr).to.include('hit takes no --size');
    expect(bench('shuffle', '--smoke', '--size', 'much').status).to.equal(2);
    const misnamed = bench('sharing', '--smoke', '--set', 'node=2');
    expect(misnamed.status).to.equal(2);
    expect(misnamed.stderr).to.include("no setting 'node'").and.to.include('nodes: processes');
    expect(bench('hit', '--smoke', '--set', 'x=1').stderr).to.include("no setting 'x'");
    expect(bench('sharing', '--smoke', '--set', 'nodes').status).to.equal(2);
    expect(bench('wake', '--smoke', '--against', root).stderr).to.include('wake takes no --against');
    const unbuilt = bench('hit', '--smoke', '--against', join(root, 'docs'));
    expect(unbuilt.status).to.equal(2);
    expect(unbuilt.stderr).to.include('docs/dist/src/index.js');
    expect(bench().status).to.equal(2);
  });
});

describe('the frame of the benchmarks', () => {
  it('takes quantiles between two values where none stands at the place', () => {
    expect(quantile([4, 1, 3, 2], 0.5)).to.equal(2.5);
    expect(quantile([9], 0.25)).to.equal(9);
  });

  it('takes the geometric mean, in which half and double cancel out', () => {
    expect(geometricMean([0.5, 2])).to.be.closeTo(1, 1e-12);
    expect(geometricMean([1, 10, 100])).to.be.closeTo(10, 1e-9);
  });

  it('takes ratios within a round, so that a slow round does not count', () => {
    const result = resultOf({
      name: 'a',
      unit: 'ns',
      series: [2, 200, 2],
      baseline: { name: 'b', series: [1, 100, 1] },
      goal: '<= 2',
    });
    expect(result.ratio).to.equal(2);
    expect(result.baseline).to.equal(1);
    expect(isReached(result)).to.equal(true);
  });

  it('judges a goal by the value where there is no ratio, and has no opinion without a goal', () => {
    expect(isReached(resultOf({ name: 'a', unit: 'µs', series: [11], goal: '<= 10' }))).to.equal(false);
    expect(isReached(resultOf({ name: 'a', unit: 'µs', series: [11], goal: '>= 10' }))).to.equal(true);
    expect(isReached(resultOf({ name: 'a', unit: 'µs', series: [11] }))).to.equal(undefined);
  });

  it('refuses a goal that no reader would understand, and a figure without a round', () => {
    expect(() => resultOf({ name: 'a', unit: 'ns', series: [1], goal: 'fast' })).to.throw('fast');
    expect(() => resultOf({ name: 'a', unit: 'ns', series: [] })).to.throw('no round');
  });

  it('hashes equal checks to the same, others to something else', () => {
    expect(hashOf(['a=1', 'b=2'])).to.equal(hashOf(['a=1', 'b=2']));
    expect(hashOf(['a=1', 'b=2'])).to.not.equal(hashOf(['a=1', 'b=3']));
  });

  it('shows every figure with its ratio and whether its goal was reached', () => {
    const table = tableOf('cell', [
      resultOf({ name: 'cell: a', unit: 'ns', series: [3], baseline: { name: 'cell: b', series: [1] }, goal: '<= 2' }),
    ]);
    expect(table).to.match(/^a .*3\.00.*b .*<= 2 MISSED$/m);
  });

  it('runs each arm once a round, in changing order, and counts no warm-up', async () => {
    const order: string[] = [];
    const arm = (name: string) => ({
      name,
      batch: () => {
        order.push(name);
        return { overriddenDuration: name.charCodeAt(0), overriddenIterationCost: 1 };
      },
    });
    const pace = { rounds: 20, sliceMs: 0, warmupRounds: 2 };
    const measured = await interleave(['a', 'b', 'c'].map(arm), pace, new Context('smoke', 1));
    expect(measured.get('b')).to.deep.equal(new Array(20).fill(98));
    const rounds = Array.from({ length: 22 }, (_, round) => order.slice(3 * round, 3 * round + 3).join(''));
    for (const round of rounds) expect([...round].sort().join('')).to.equal('abc');
    expect(new Set(rounds).size).to.be.greaterThan(2);
  });

  it('refuses a batch whose answer is wrong', () => {
    expect(() => sampleOf('an arm', 10, 4, () => 5)).to.throw('an arm: the answer is 5, expected 4');
    const { overriddenDuration, overriddenIterationCost } = sampleOf('an arm', 10, 4, () => 4);
    expect(overriddenDuration * 10).to.be.closeTo(overriddenIterationCost, 1e-9);
  });
});
